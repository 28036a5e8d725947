"""A generated data set with a planted shortcut, and two simple predictors fitted on it: the whole story without a download."""
