"""The one training loop: data, augmentation and objectives on one side, the loop, its state and its curves on the other."""
