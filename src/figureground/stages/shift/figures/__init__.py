"""Figures on grounds, drawn: classes that differ by shape alone, scenes that differ by everything, and exact masks."""
