"""The content of `ranking.json`: every figure with its interval, and what was found in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from figureground.metrics.ranking import EPSILON, SMOOTHING
from figureground.metrics.standings import FIGURES, Standings
from figureground.stages.rank.options import RankOptions


def summarise(
    found: Standings, models: pa.Table, pairs: pa.Table, *, samples: Sequence[str], void: int, duel: bool, options: RankOptions
) -> dict[str, Any]:
    """What `ranking.json` says.

    Args:
        found: the figures.
        models: `models.parquet`.
        pairs: `pairs.parquet`.
        samples: ids of the test set, by place.
        void: how many of them have no pixel that counts.
        duel: whether two models compete on a queue of their own.
        options: how they were ranked.
    """
    rows = [_model(row) for row in models.to_pylist()]
    curve = found.stability
    summary: dict[str, Any] = {
        "samples": len(samples),
        "void": void,
        "duel": duel,
        "interval": {"method": "percentile", "level": options.level, "resamples": options.resamples, "seed": options.seed},
        "epsilon": EPSILON,
        "smoothing": SMOOTHING,
        "models": rows,
        "pairs": [_pair(row) for row in pairs.to_pylist()],
        "stability": {
            "level": curve.level,
            "stable_from": curve.stable_from,
            "spearman": [None if np.isnan(value) else value for value in curve.spearman.tolist()],
        },
        "test": list(samples),
    }
    summary["sentence"] = _sentence(summary)
    return summary


def _model(row: Mapping[str, Any]) -> dict[str, Any]:
    figures = {name: _interval(row, name) for name in FIGURES}
    return {"model": row["model"], "place": {name: row[f"place_{name}"] for name in FIGURES}, **figures, "first": row["first"]}


def _pair(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("model", "rival", "wins", "samples", "mean", "rival_mean", "mean_samples", "dominance")
    return {**{name: row[name] for name in kept}, "difference": _interval(row, "difference")}


def _interval(row: Mapping[str, Any], name: str) -> dict[str, float | None]:
    return {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}


def _sentence(summary: Mapping[str, Any]) -> str:
    """Who is first by what, how far ahead, and from how many samples on."""
    first, second = summary["models"][:2]
    samples = f"{summary['samples']} samples" if summary["samples"] > 1 else "one sample"
    ahead = next(p["difference"] for p in summary["pairs"] if (p["model"], p["rival"]) == (first["model"], second["model"]))
    scores = f"{_points(first['miou']['value'])} against {_points(second['miou']['value'])} % mIoU"
    sure = "" if ahead["low"] is None else f" (difference {_points(ahead['low'])} to {_points(ahead['high'])} points)"
    if first["place"]["miou"] == second["place"]["miou"]:
        lead = f"On {samples} '{first['model']}' and '{second['model']}' are level: {scores}{sure}"
    elif summary["duel"]:
        told = "beats" if ahead["low"] is None or ahead["low"] > 0 else "is before, by no more than chance may bring,"
        lead = f"On {samples} '{first['model']}' {told} '{second['model']}': {scores}{sure}"
    else:
        lead = f"On {samples} '{first['model']}' is first of {len(summary['models'])}, before '{second['model']}': {scores}{sure}"
    return f"{lead}.{_others(summary)}{_stable(summary['stability'])}"


def _others(summary: Mapping[str, Any]) -> str:
    """Where the other rankings have somebody else first."""
    told = {"perron": "the Perron vector", "thurstone": "Thurstone"}
    best = {name: [m["model"] for m in summary["models"] if m["place"][name] == 1] for name in told}
    odd: dict[str, list[str]] = {}
    for name, word in told.items():
        if summary["models"][0]["model"] not in best[name]:
            odd.setdefault(best[name][0], []).append(word)
    parts = [f"by {' and '.join(words)} '{model}'" for model, words in odd.items()]
    return f" First {' and '.join(parts)}." if parts else ""


def _stable(stability: Mapping[str, Any]) -> str:
    if stability["stable_from"] is None:
        return " All models are level, so no order can be stable."
    count = stability["stable_from"]
    return f" The order stays at a rank correlation of {stability['level']:g} or more from {count} sample{'s' * (count != 1)} on."


def _points(value: float | None) -> str:
    return "undefined" if value is None else f"{100 * value:.1f}"
