"""Ranks models on a test set that no model was trained on."""
