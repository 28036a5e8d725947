"""Answers of a classifier, how often they are right in each group, and how often they change with the ground."""
