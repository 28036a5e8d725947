"""The detect stage: patch labels in, a detector and the grids of all training pictures out."""
