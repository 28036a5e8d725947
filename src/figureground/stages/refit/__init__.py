"""A classifier whose last layer is fitted again, so that no group of pictures is left behind."""
