"""The finding of a detector in words: rates over pixels where masks are known, and no advice where too little was held out."""

from __future__ import annotations

from typing import Any

import pytest

from figureground.stages.detect.summary import sentence


def rates(**values: float) -> dict[str, Any]:
    return {name: {"value": value, "low": value - 0.05, "high": value + 0.05} for name, value in values.items()}


PATCHES = rates(accuracy=0.9, mask_iou=0.8, coverage=0.99, leakage=0.05)
PIXELS = rates(accuracy=0.95, mask_iou=0.7, coverage=0.97, leakage=0.125)


def told(*, pixels: dict[str, Any] | None = None, gain: dict[str, Any] | None = None) -> str:
    point = {"labels": 160, "patches": PATCHES, "pixels": pixels}
    return sentence({"curve": [point], "gain": gain, "held_out": 40, "thresholds": {"tight": 0.3, "loose": 0.8}})


def test_pixels_are_told_where_they_are_known():
    assert told() == (
        "Learned from 160 labelled pictures and judged on 40 others: 90.0 % of the patches are right. By patches, IoU of the figure is "
        "80.0 %; of what is cut out below 0.3, 5.0 % is background; below 0.8, 99.0 % of the figure is filled."
    )
    assert told(pixels=PIXELS) == (
        "Learned from 160 labelled pictures and judged on 40 others: 90.0 % of the patches are right. By pixels, IoU of the figure is "
        "70.0 %; of what is cut out below 0.3, 12.5 % is background; below 0.8, 97.0 % of the figure is filled."
    )


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (0.1, 0.02, 0.18, "From 80 to 160 labels the IoU changed by +10.0 points (+2.0 to +18.0): more labels are likely to bring more."),
        (0.003, -0.004, 0.009, "changed by +0.3 points (-0.4 to +0.9): more labels are likely to bring little."),
        (-0.005, -0.008, -0.002, "more labels are likely to bring little."),
        (
            -0.05,
            -0.08,
            -0.02,
            "changed by -5.0 points (-8.0 to -2.0): the training from more labels went worse, so look at its curves before "
            "labelling more; another --seed or --lr may mend it.",
        ),
        (0.1, -0.02, 0.2, "too few pictures are held out to say whether more labels would help."),
    ],
)
def test_more_labels_are_advised_where_they_helped_beyond_chance(value, low, high, words):
    assert told(gain={"labels": 80, "value": value, "low": low, "high": high}).endswith(words)


def test_an_iou_that_is_not_defined_is_no_advice():
    assert told(gain={"labels": 80, "value": None, "low": None, "high": None}) == told()
