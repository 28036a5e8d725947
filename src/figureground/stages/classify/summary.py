"""What `classify` says in one sentence, in `summary.json` and in its tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from figureground.metrics.flips import FigureFlips
from figureground.stages.classify.answered import Answered
from figureground.stages.classify.contrast import Contrast
from figureground.stages.classify.measure import Measured
from figureground.stages.classify.options import ClassifyOptions

GROUPS = pa.schema(
    [
        ("group", pa.string()),
        ("label", pa.string()),
        ("context", pa.string()),
        ("samples", pa.int64()),
        ("right", pa.int64()),
        ("accuracy", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("kind", pa.string()),
    ]
)
FLIPS = pa.schema(
    [
        ("figure", pa.string()),
        ("label", pa.string()),
        ("pictures", pa.int64()),
        ("pairs", pa.int64()),
        ("flipped", pa.int64()),
        ("rate", pa.float64()),
    ]
)


def answer_table(answered: Answered) -> pa.Table:
    """One row a picture: id, label, answer, and `p_CLASS`, the probability of each class."""
    columns = {f"p_{name}": pa.array(answered.probabilities[:, place]) for place, name in enumerate(answered.names)}
    told = {"context": list(answered.contexts), "figure": list(answered.figures)}
    return pa.table({"id": list(answered.ids), "label": list(answered.labels), "answer": list(answered.answers), **told, **columns})


def group_table(answered: Answered, measured: Measured) -> pa.Table:
    """One row a group."""
    found = measured.accuracy
    rows = [
        {
            "group": name,
            "label": label,
            "context": context,
            "samples": int(found.counts[g]),
            "right": round(found.groups[g] * found.counts[g]) if found.counts[g] else 0,
            "accuracy": _plain(found.groups[g]),
            "low": _plain(measured.of_groups[g][0]),
            "high": _plain(measured.of_groups[g][1]),
            "kind": measured.kinds[g],
        }
        for g, (name, (label, context)) in enumerate(zip(answered.group_names, answered.group_values, strict=True))
    ]
    return pa.Table.from_pylist(rows, GROUPS)


def flip_table(flips: Sequence[FigureFlips]) -> pa.Table:
    """One row a figure that stands in at least two contexts."""
    rows = [{"rate": f.rate, **{name: getattr(f, name) for name in FLIPS.names if name != "rate"}} for f in flips]
    return pa.Table.from_pylist(rows, FLIPS)


def summarise(answered: Answered, measured: Measured, *, options: ClassifyOptions, model: str) -> dict[str, Any]:
    """The content of `summary.json`; fractions, null where one is undefined or has no interval."""
    found = measured.accuracy
    worst = answered.group_names[found.worst_group] if found.worst_group >= 0 else None
    summary: dict[str, Any] = {
        "model": model,
        "samples": len(answered.ids),
        "classes": list(answered.names),
        "accuracy": _interval(found.accuracy, measured.of_all),
        "adjusted_accuracy": _interval(found.adjusted, measured.of_adjusted),
        "mean_group_accuracy": _interval(found.mean, measured.of_mean),
        "worst_group_accuracy": _interval(found.worst, measured.of_worst),
        "worst_group": worst,
        "groups": group_table(answered, measured).to_pylist(),
        "gaps": [
            {"label": gap.label, "best": gap.best, "worst": gap.worst, **_interval(gap.value, (gap.low, gap.high))} for gap in measured.gaps
        ],
        "contrasts": [_contrast(one) for one in measured.contrasts],
        "flip_rate": None if measured.flips is None else _rate(measured, ""),
        "flip_rates": {label: _rate(measured, label) for label in measured.flip_rates if label},
        "level": options.level,
    }
    return {"sentence": _sentence(summary), **summary}


def _contrast(found: Contrast) -> dict[str, Any]:
    return {
        "label": found.label,
        "context": found.context,
        "common": _interval(found.common, found.of_common),
        "counterfactual": _interval(found.counterfactual, found.of_counterfactual),
        "gap": _interval(found.gap, found.of_gap),
    }


def _rate(measured: Measured, label: str) -> dict[str, Any]:
    value, low, high, figures = measured.flip_rates[label]
    return {**_interval(value, (low, high)), "figures": figures}


def _sentence(summary: dict[str, Any]) -> str:
    told = f"{summary['samples']} pictures: {_told(summary['accuracy'])} of the answers are right"
    if summary["worst_group"] is not None:
        told += f", in the worst group ({summary['worst_group']}) {_told(summary['worst_group_accuracy'])}"
    flips = summary["flip_rate"]
    if flips is None:
        return f"{told}."
    if not flips["figures"]:
        return f"{told}. No figure stands in two contexts, so nothing is known of flips."
    number = f"{flips['figures']} figure{'s' if flips['figures'] != 1 else ''}"
    return f"{told}. On another ground {_told(flips)} of the pairs of one figure have another answer ({number})."


def _told(interval: dict[str, Any]) -> str:
    if interval["value"] is None:
        return "an unknown part"
    value = f"{100 * interval['value']:.1f} %"
    return value if interval["low"] is None else f"{value} ({100 * interval['low']:.1f} to {100 * interval['high']:.1f})"


def _interval(value: float, ends: tuple[float, float]) -> dict[str, float | None]:
    return {"value": _plain(value), "low": _plain(ends[0]), "high": _plain(ends[1])}


def _plain(value: float | np.floating[Any]) -> float | None:
    return None if math.isnan(value) else float(value)
