"""How well the scores that came with a prediction find its flips, had nobody labelled anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from figureground.metrics.resample import bootstrap_weights
from figureground.metrics.selective import (
    augrc,
    aurc,
    aurc_trapezoid,
    auroc,
    deciles,
    excess_aurc,
    risk_coverage_curve,
    scored_pairs,
    spearman,
)
from figureground.stages.audit.estimates import with_interval
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.statistics import BASE

CURVE_POINTS = 200
RESAMPLED_VALUES = 4_000_000
"""Ranking statistics are resampled as often as keeps samples x resamples below this; the number used is reported."""


def risk_summary(
    scores: Mapping[str, np.ndarray], features: np.ndarray, options: AuditOptions, clusters: np.ndarray | None
) -> dict[str, Any] | None:
    """Reliability of the risk column, with its rivals on the same samples; None where the prediction brings no risk.

    The loss of a sample is its flipped share of the foreground. Samples without foreground truth have no loss, samples without
    predicted foreground no risk; both are counted as unscored.

    Args:
        scores: column -> float64 [samples], NaN where a sample has none.
        features: float64 [samples, features].
        options: `risk`, `tau`, level, resamples and seed.
        clusters: int64 [samples] or None.
    """
    if options.risk not in scores:
        return None
    loss = np.where(features[:, BASE.index("has_foreground")] > 0, features[:, BASE.index("flip_fraction")], np.nan)
    risk, known_loss, unscored = scored_pairs(scores[options.risk], loss)
    if not risk.size:
        return None
    bins, curve = deciles(risk, known_loss), risk_coverage_curve(risk, known_loss)
    shown = np.unique(np.linspace(0, risk.size - 1, CURVE_POINTS).round().astype(int))
    scored = ~(np.isnan(scores[options.risk]) | np.isnan(loss))
    return {
        "column": options.risk,
        "n_scored": int(risk.size),
        "n_unscored": unscored,
        "tau": options.tau,
        "n_flipped": int((known_loss > options.tau).sum()),
        "deciles": [{"n": int(n), "risk": float(r), "flip": float(f)} for n, r, f in zip(bins.samples, bins.risk, bins.loss, strict=True)],
        "lift": bins.lift,
        "oracle_share": bins.oracle_share,
        **_numbers(risk, known_loss, options.tau),
        "intervals": _intervals(risk, known_loss, None if clusters is None else clusters[scored], options),
        "curve": {"coverage": curve.coverage[shown], "risk": curve.risk[shown]},
        "rivals": {
            name: _numbers(values[both], loss[both], options.tau) | {"n_scored": int(both.sum())}
            for name, values in scores.items()
            if name != options.risk and (both := scored & ~np.isnan(values)).any()
        },
    }


def _numbers(risk: np.ndarray, loss: np.ndarray, tau: float) -> dict[str, float]:
    return {
        "top_decile_share": deciles(risk, loss).top_share,
        "spearman": spearman(risk, loss),
        "auroc": auroc(risk, loss > tau),
        "aurc": aurc(risk, loss),
        "aurc_trapezoid": aurc_trapezoid(risk, loss),
        "eaurc": excess_aurc(risk, loss),
        "augrc": augrc(risk, loss),
    }


def _intervals(risk: np.ndarray, loss: np.ndarray, clusters: np.ndarray | None, options: AuditOptions) -> dict[str, Any]:
    """Percentile intervals of the ranking statistics, by resampling samples or clusters."""
    values = _numbers(risk, loss, options.tau)
    resamples = min(options.resamples, max(50, RESAMPLED_VALUES // risk.size))
    unit = np.arange(risk.size) if clusters is None else np.unique(clusters, return_inverse=True)[1].reshape(-1)
    replicates: dict[str, list[float]] = {name: [] for name in values}
    for number in range(resamples if options.resamples else 0):
        weights = bootstrap_weights(int(unit.max()) + 1, resamples=1, seed=options.seed, start=number)[0]
        drawn = np.repeat(np.arange(risk.size), weights[unit].astype(np.int64))
        for name, value in _numbers(risk[drawn], loss[drawn], options.tau).items():
            replicates[name].append(value)
    return {
        "resamples": resamples,
        **{name: with_interval(value, np.array(replicates[name]), level=options.level) for name, value in values.items()},
    }
