"""The mine stage: the samples of a pool on which a target and its rivals disagree most, spread over the classes, for people to look at."""
