"""The predict stage: pictures in, label maps as runs and risk scores out; probabilities are never stored."""
