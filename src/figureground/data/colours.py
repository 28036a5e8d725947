"""The colours of classes: fixed by the class table, so that report, sheets and page show a class alike."""

from __future__ import annotations

import colorsys

import numpy as np

from figureground.core.types import ClassTable


def class_colours(classes: ClassTable) -> np.ndarray:
    """uint8 [classes, 3]: background light grey, the others spread in hue and lightness; none is a verdict colour."""
    colours = np.full((len(classes), 3), 0xE6, np.uint8)
    places = [i for i, class_id in enumerate(classes.ids) if class_id != classes.background]
    for turn, place in enumerate(places):
        hue = (0.58 + turn * 0.381966) % 1.0  # the golden angle keeps neighbours apart
        lightness = (0.42, 0.62, 0.30)[turn % 3]
        colours[place] = np.round(np.array(colorsys.hls_to_rgb(hue, lightness, 0.65)) * 255)
    return colours
