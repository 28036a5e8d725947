"""What a detector says of itself: the content of `detect.json`, and the finding in words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from figureground.stages.detect.learning import Lesson, Taught
from figureground.stages.detect.measure import Chosen, Rate, gain_with_interval
from figureground.stages.detect.options import DetectOptions
from figureground.stages.detect.patches import PatchLabels

POINT = ("labels", "epochs", "best_epoch", "tight", "loose", "patches", "pixels")
"""Keys of one point of the curve."""
KEYS = (
    *("source", "rows", "columns", "labels", "learned", "held_out", "thresholds", "chosen", "notes", "curve", "gain", "pictures"),
    "sentence",
)
"""Keys of the summary; the last point of the curve is the detector that was kept."""
ENOUGH = 0.01
"""IoU below which what more labels brought, or cost, is called little."""
FEWER = 0.67
"""The gain is told against a detector from at most this part of the labels, since a few more say little, or the one with the fewest."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A detector of the curve, judged on the held-out pictures."""

    taught: Taught
    chosen: Chosen
    patches: Mapping[str, Rate]
    pixels: Mapping[str, Rate] | None
    """Over pixels; None where the data set has no masks."""
    counts: np.ndarray
    """int64 [held out, 7], `COUNTS` of each held-out picture, over pixels where there are masks, else over patches."""
    held_out: tuple[np.ndarray, ...]
    """P(background) of the held-out pictures, float32 [rows, columns] each."""

    def plain(self) -> dict[str, Any]:
        """By the names of `POINT`."""
        result, bounds = self.taught.result, self.chosen.thresholds
        plain = (
            *(self.taught.labels, len(result.history), result.best_epoch, bounds.tight, bounds.loose),
            _plain(self.patches),
            None if self.pixels is None else _plain(self.pixels),
        )
        return dict(zip(POINT, plain, strict=True))


def summarise(points: Sequence[Point], lesson: Lesson, labels: PatchLabels, *, options: DetectOptions, pictures: int) -> dict[str, Any]:
    """The content of `detect.json`, by `KEYS`.

    Args:
        points: of the curve, ascending; the last is the detector that is kept.
        lesson: what was learned from and judged by.
        labels: where they came from.
        options: of the detector.
        pictures: training pictures that have a grid.
    """
    kept, bounds = points[-1], points[-1].chosen.thresholds
    plain = {
        "source": labels.source,
        "rows": labels.rows,
        "columns": labels.columns,
        "labels": len(lesson.learned) + len(lesson.held_out),
        "learned": len(lesson.learned),
        "held_out": len(lesson.held_out),
        "thresholds": dataclasses.asdict(bounds),
        "chosen": {
            "tight": None if options.tight else {"leakage": options.leakage},
            "loose": None if options.loose else {"coverage": options.coverage},
        },
        "notes": [*labels.notes, *kept.taught.notes, *kept.chosen.notes],
        "curve": [point.plain() for point in points],
        "gain": _gain(points, options),
        "pictures": pictures,
    }
    return {**plain, "sentence": sentence(plain)}


def _gain(points: Sequence[Point], options: DetectOptions) -> dict[str, Any] | None:
    """What the last labels brought; None where there is one detector only."""
    if len(points) < 2:
        return None
    kept = points[-1]
    fewer = [point for point in points[:-1] if point.taught.labels <= FEWER * kept.taught.labels]
    before = fewer[-1] if fewer else points[0]
    gain = gain_with_interval(before.counts, kept.counts, resamples=options.resamples, seed=options.seed)
    return {"labels": before.taught.labels, **_number(gain)}


def judged(summary: Mapping[str, Any]) -> dict[str, Any]:
    """How good the detector that was kept is on the held-out pictures, for the proof of a swap that goes by its grids.

    Args:
        summary: by `KEYS`.

    Returns:
        `held_out`, the pictures; `over`, `pixels` or `patches`; and the rates by the names of the proof, each with its interval.
    """
    kept = summary["curve"][-1]
    over = "pixels" if kept["pixels"] else "patches"
    names = {"iou": "mask_iou", "kept": "kept", "hidden": "coverage", "leakage": "leakage"}
    return {"held_out": summary["held_out"], "over": over, **{name: kept[over][own] for name, own in names.items()}}


def sentence(summary: Mapping[str, Any]) -> str:
    """The finding in words, and whether more labels are worth their while."""
    kept = summary["curve"][-1]
    patches, bounds, over = kept["patches"], summary["thresholds"], "pixels" if kept["pixels"] else "patches"
    rates = kept[over]
    told = (
        f"Learned from {kept['labels']} labelled pictures and judged on {summary['held_out']} others: {_percent(patches['accuracy'])} of "
        f"the patches are right. By {over}, IoU of the figure is {_percent(rates['mask_iou'])}; of what is cut out below "
        f"{bounds['tight']:g}, {_percent(rates['leakage'])} is background; below {bounds['loose']:g}, {_percent(rates['coverage'])} of the "
        "figure is filled."
    )
    gain = summary["gain"]
    if gain is None or gain["value"] is None:
        return told
    worth = "too few pictures are held out to say whether more labels would help"
    if gain["high"] < 0 and gain["value"] < -ENOUGH:
        worth = "the training from more labels went worse, so look at its curves before labelling more; another --seed or --lr may mend it"
    elif gain["low"] > 0:
        worth = "more labels are likely to bring more"
    elif gain["high"] < ENOUGH:
        worth = "more labels are likely to bring little"
    change = f"{100 * gain['value']:+.1f} points ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})"
    return f"{told} From {gain['labels']} to {kept['labels']} labels the IoU changed by {change}: {worth}."


def _plain(rates: Mapping[str, Rate]) -> dict[str, dict[str, float | None]]:
    return {name: _number(rate) for name, rate in rates.items()}


def _number(rate: Rate) -> dict[str, float | None]:
    return {key: None if math.isnan(value) else value for key, value in dataclasses.asdict(rate).items()}


def _percent(rate: Mapping[str, float | None]) -> str:
    return "-" if rate["value"] is None else f"{100 * rate['value']:.1f} %"
