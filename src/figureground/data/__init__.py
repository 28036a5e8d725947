"""Data sets, masks and predictions: read where they lie, checked before they become numbers."""
