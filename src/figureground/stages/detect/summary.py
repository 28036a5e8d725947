"""What a detector says of itself: the content of `detect.json`, and the finding in words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from figureground.stages.detect.learning import Lesson, Taught
from figureground.stages.detect.measure import Chosen, Rate
from figureground.stages.detect.options import DetectOptions
from figureground.stages.detect.patches import PatchLabels

POINT = ("labels", "epochs", "best_epoch", "tight", "loose", "patches", "pixels")
"""Keys of one point of the curve."""
KEYS = ("source", "rows", "columns", "labels", "learned", "held_out", "thresholds", "chosen", "notes", "curve", "pictures", "sentence")
"""Keys of the summary; the last point of the curve is the detector that was kept."""
ENOUGH = 0.01
"""IoU below which what the last more labels brought is called little."""
WIDE = 0.3
"""Width of an interval of the IoU from which on nothing is said of more labels."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A detector of the curve, judged on the held-out pictures."""

    taught: Taught
    chosen: Chosen
    patches: Mapping[str, Rate]
    pixels: Mapping[str, Rate] | None
    """Over pixels; None where the data set has no masks."""
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
        "pictures": pictures,
    }
    return {**plain, "sentence": sentence(plain)}


def sentence(summary: Mapping[str, Any]) -> str:
    """The finding in words, and whether more labels are worth their while."""
    kept = summary["curve"][-1]
    rates, bounds = kept["patches"], summary["thresholds"]
    pasted = kept["pixels"] or rates
    told = (
        f"Learned from {kept['labels']} labelled pictures and judged on {summary['held_out']} others: {_percent(rates['accuracy'])} of the "
        f"patches are right, IoU of the figure {_percent(rates['mask_iou'])}. Cut out below {bounds['tight']:g}, "
        f"{_percent(pasted['leakage'])} of the {'pixels' if kept['pixels'] else 'patches'} that are pasted are background; filled below "
        f"{bounds['loose']:g}, {_percent(rates['coverage'])} of the figure is covered."
    )
    if len(summary["curve"]) < 2:
        return told
    before = summary["curve"][-2]
    then, now = before["patches"]["mask_iou"], rates["mask_iou"]
    gain = (now["value"] or 0) - (then["value"] or 0)
    if then["low"] is None or now["low"] is None or max(then["high"] - then["low"], now["high"] - now["low"]) > WIDE:
        worth = "too few pictures are held out to say whether more labels would help"
    else:
        worth = "more labels are likely to bring more" if gain >= ENOUGH else "more labels are likely to bring little"
    return f"{told} From {before['labels']} to {kept['labels']} labels the IoU changed by {100 * gain:+.1f} points: {worth}."


def _plain(rates: Mapping[str, Rate]) -> dict[str, dict[str, float | None]]:
    return {
        name: {key: None if math.isnan(value) else value for key, value in dataclasses.asdict(rate).items()} for name, rate in rates.items()
    }


def _percent(rate: Mapping[str, float | None]) -> str:
    return "-" if rate["value"] is None else f"{100 * rate['value']:.1f} %"
