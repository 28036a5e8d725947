"""The finding of a detector in words: rates over pixels where masks are known, and no advice where too little was held out."""

from __future__ import annotations

from typing import Any

import pytest

from figureground.stages.detect.summary import sentence


def rate(value: float | None, half: float = 0.05) -> dict[str, float | None]:
    return {"value": value, "low": None if value is None else value - half, "high": None if value is None else value + half}


def point(labels: int, iou: dict[str, Any], *, pixels: bool = False) -> dict[str, Any]:
    patches = {"accuracy": rate(0.9), "mask_iou": iou, "coverage": rate(0.97), "leakage": rate(0.05)}
    return {"labels": labels, "patches": patches, "pixels": {"leakage": rate(0.125)} if pixels else None}


def told(*curve: dict[str, Any]) -> str:
    return sentence({"curve": list(curve), "held_out": 40, "thresholds": {"tight": 0.3, "loose": 0.8}})


def test_what_is_pasted_is_told_in_pixels_where_they_are_known():
    assert told(point(160, rate(0.7))) == (
        "Learned from 160 labelled pictures and judged on 40 others: 90.0 % of the patches are right, IoU of the figure 70.0 %. Cut out "
        "below 0.3, 5.0 % of the patches that are pasted are background; filled below 0.8, 97.0 % of the figure is covered."
    )
    assert "12.5 % of the pixels that are pasted are background" in told(point(160, rate(0.7), pixels=True))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (rate(0.6), rate(0.7), "changed by +10.0 points: more labels are likely to bring more"),
        (rate(0.695), rate(0.7), "changed by +0.5 points: more labels are likely to bring little"),
        (rate(0.6, 0.2), rate(0.7), "changed by +10.0 points: too few pictures are held out to say whether more labels would help"),
        (rate(0.6), rate(0.7, 0.16), "too few pictures are held out"),
        (rate(None), rate(0.7), "too few pictures are held out"),
    ],
)
def test_more_labels_are_advised_where_they_helped_and_that_is_known(before, after, words):
    assert words in told(point(80, before), point(160, after))
