"""Sweeps: the same data at several correlations, trained with several objectives and seeds, each run audited, all in one table."""
