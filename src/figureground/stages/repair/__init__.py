"""The repair stage: labels of people, the training data and a trained network in, the repaired network out."""
