"""Artifacts on disk, the executor that maps work over them, and progress."""
