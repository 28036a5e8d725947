"""Networks behind one door: the predictor port, one adapter a file, and the way from a picture to logits of its size."""
