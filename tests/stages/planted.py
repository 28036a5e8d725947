"""A small set with a planted shortcut: cats belong indoors and dogs outdoors, and the predictor believes the ground."""

from __future__ import annotations

import numpy as np

from figureground.data.dataset import Dataset, dataset_from_arrays

CLASSES = ("ground", "cat", "dog")
FLIPPED = {("cat", "outdoor"): 0.6, ("dog", "indoor"): 0.5, ("cat", "indoor"): 0.05, ("dog", "outdoor"): 0.0}
"""Share of the found pixels that is given the other name, by group."""


def planted(samples_per_group: int = 3, *, seed: int = 0, size: int = 24, split: str = "test") -> tuple[dict, dict, dict]:
    """Masks, predictions and attributes by sample id."""
    rng = np.random.default_rng(seed)
    masks, predictions, attributes = {}, {}, {}
    for (name, context), share in FLIPPED.items():
        for number in range(samples_per_group):
            sample = f"{name}-{context}-{number}"
            class_id = CLASSES.index(name)
            truth = np.zeros((size, size), np.uint8)
            top, left = rng.integers(1, size // 3, 2)
            truth[top : top + size // 2, left : left + size // 2] = class_id
            predicted = truth.copy()
            predicted[top, left : left + size // 2] = 0  # the top row is missed
            predicted[0, :3] = class_id  # three pixels are added
            found = np.argwhere((predicted > 0) & (truth > 0))
            wrong = found[: round(share * len(found))]
            predicted[tuple(wrong.T)] = 3 - class_id
            truth[-1, :5] = 255
            masks[sample], predictions[sample] = truth, predicted
            attributes[sample] = {"label": name, "context": context, "split": split, "film": f"film {number % 2}"}
    return masks, predictions, attributes


def planted_dataset(samples_per_group: int = 3, **settings) -> tuple[Dataset, dict]:
    """The data set and the predictions as arrays."""
    masks, predictions, attributes = planted(samples_per_group, **settings)
    return dataset_from_arrays(masks, classes=CLASSES, attributes=attributes), predictions
