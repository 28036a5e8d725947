"""Thumbnails: small, true to the pixels, in colours that are not those of the verdicts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from figureground.core.types import ClassTable, Sample
from figureground.data.colours import class_colours
from figureground.data.dataset import dataset_from_arrays
from figureground.stages.audit.worst import SIDE_PX, VERDICT_RGB, worst_rows


def decoded(data):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("classes", [3, 21, 150])
def test_class_colours_are_apart_from_verdict_colours_and_from_one_another(classes):
    """No class looks like correct, flipped, missed or added; neighbours in id order differ."""
    colours = class_colours(ClassTable(names=tuple(map(str, range(classes))))).astype(int)
    for verdict in VERDICT_RGB.values():
        assert np.abs(colours - np.array(verdict)).max(1).min() >= 24
    assert np.abs(np.diff(colours, axis=0)).max(1).min() >= 24
    if classes <= 21:
        assert len({tuple(c) for c in colours.tolist()}) == classes


def test_thumbnails_show_the_maps_and_the_verdicts():
    """Without a picture: truth and prediction in class colours, and each pixel's verdict in its colour."""
    truth = np.zeros((400, 800), np.uint8)
    truth[100:300, 200:600] = 1
    predicted = np.zeros_like(truth)
    predicted[100:300, 400:800] = 2
    classes = ClassTable(names=("ground", "cat", "dog"))
    dataset = dataset_from_arrays({"a": truth}, classes=classes)
    given = dataset_from_arrays({"a": predicted}, classes=classes)
    assert dataset.masks is not None
    assert given.masks is not None
    [row] = worst_rows("p", [Sample(id="a")], masks=dataset.masks, predictions=given.masks, classes=classes).to_pylist()
    assert (row["width"], row["height"], row["picture"]) == (SIDE_PX, SIDE_PX // 2, None)
    shown = decoded(row["truth"])
    assert np.array_equal(shown[80, 100], class_colours(classes)[1])
    assert np.array_equal(shown[5, 5], class_colours(classes)[0])
    verdicts = decoded(row["flips"]).astype(int)
    for verdict, (y, x) in {"missed": (80, 100), "flipped": (80, 200), "added": (80, 280)}.items():
        nearest = min(VERDICT_RGB, key=lambda name: np.abs(verdicts[y, x] - np.array(VERDICT_RGB[name])).sum())
        assert nearest == verdict
