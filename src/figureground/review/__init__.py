"""The review page: ratings, patch labels, masks and their checks, on one local page or for a team."""
