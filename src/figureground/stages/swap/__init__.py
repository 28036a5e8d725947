"""Background swapping: masks of figures, backgrounds without them, training pictures on any ground, and the proof."""
