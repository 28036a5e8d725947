"""The train stage: a data set in, weights with a card and curves out."""
