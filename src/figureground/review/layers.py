"""Layers: masks as the page and the database hold them, a byte a pixel, the place of its class among the classes."""

from __future__ import annotations

import numpy as np

from figureground.core.types import ClassTable, LabelRuns
from figureground.data.labelmap import encode_runs

VOID = 255
"""The value of void pixels."""
MOST_CLASSES = 254


def to_layer(label_map: np.ndarray, classes: ClassTable) -> np.ndarray:
    """Class ids [height, width] as a layer, uint8 of the same shape; what is no class is `VOID`."""
    table = np.full(max(int(label_map.max(initial=0)), *classes.ids, classes.ignore or 0) + 1, VOID, np.uint8)
    table[list(classes.ids)] = np.arange(len(classes))
    return table[label_map]


def layer_to_runs(layer: np.ndarray, classes: ClassTable) -> LabelRuns:
    """A layer as runs of class ids; `VOID` becomes the `ignore` of the classes, which they must have."""
    ids = np.full(VOID + 1, classes.ignore, classes.dtype)
    ids[: len(classes)] = classes.ids
    runs = encode_runs(layer)
    return LabelRuns(height=runs.height, width=runs.width, values=ids[runs.values], lengths=runs.lengths)
