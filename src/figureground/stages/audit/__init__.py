"""The audit: what is wrong, where, for which group, how sure."""
