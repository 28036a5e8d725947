"""Known layouts of data sets, one a file; each opens its files where they lie, with no copy."""
