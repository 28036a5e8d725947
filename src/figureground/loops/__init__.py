"""Rounds of mining, review, repair and re-test, and their state on disk."""
