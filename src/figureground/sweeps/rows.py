"""The rows of a sweep: the figures of one correlation, objective and architecture, with intervals over seeds and samples.

A value is the mean over the seeds. Its interval holds what another test set and other trainings would have changed: see
`metrics.interval.interval_over_runs`. Two objectives are compared seed by seed and resample by resample, so that what both share
(an easy test set, a lucky seed) cancels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from figureground.metrics.interval import interval_over_runs
from figureground.sweeps.outcomes import FIGURES, Measured

SPANS = {name: (-1.0, 1.0) if name == "gap_iou" else (0.0, 1.0) for name in FIGURES}
"""The values that each figure can have; an interval ends there at the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval; NaN where it is undefined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The figures of all seeds of one correlation, objective and architecture."""

    data: str
    architecture: str
    objective: str
    rho: float
    seeds: int
    gap_iou: Estimate
    """IoU of a class in its common context minus the mean over the others, mean over classes, in [-1, 1]."""
    counterfactual_flip: Estimate
    """Flipped part of the foreground in the groups that break the tie, in [0, 1]."""
    common_flip: Estimate
    """Flipped part of the foreground in the groups that keep it, in [0, 1]."""
    foreground_iou: Estimate
    """IoU of any foreground against any foreground, all samples pooled, in [0, 1]."""
    class_iou: Estimate
    """Mean IoU of the foreground classes, all samples pooled, in [0, 1]."""
    top_decile_share: Estimate
    """Part of all flipping that the tenth of the samples with the highest flip-risk holds; chance is 0.1."""

    def plain(self) -> dict[str, object]:
        """The row as JSON holds it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Row):
    """What an objective or a correlation changes: its figures minus those of another one, all else alike."""

    against: str
    """The objective, or `rho NUMBER`, whose figures are taken off."""


def make_row(measured: Measured, *, names: Mapping[str, object], level: float = 0.95) -> Row:
    """The row of the networks of all seeds.

    Args:
        measured: one network a seed.
        names: `data`, `architecture`, `objective`, `rho`.
        level: coverage aimed at.
    """
    found = _estimates(measured.values, measured.replicates, level, SPANS)
    return Row(seeds=len(measured.values), **found, **names)  # type: ignore[arg-type]


def make_difference(measured: Measured, reference: Measured, *, names: Mapping[str, object], level: float = 0.95) -> Difference:
    """The change from the networks of one objective or correlation to those of another; one seed stands at the same place in both.

    Args:
        measured: one network a seed.
        reference: those to compare with, the same seeds in the same order, measured with the same resamples.
        names: as of a row, and `against`.
        level: coverage aimed at.
    """
    spans = {name: (low - high, high - low) for name, (low, high) in SPANS.items()}
    found = _estimates(measured.values - reference.values, measured.replicates - reference.replicates, level, spans)
    return Difference(seeds=len(measured.values), **found, **names)  # type: ignore[arg-type]


def _estimates(values: np.ndarray, replicates: np.ndarray, level: float, spans: Mapping[str, tuple[float, float]]) -> dict[str, Estimate]:
    mean, ends = values.mean(axis=0), interval_over_runs(values, replicates, level=level)
    low, high = (np.clip(end, *np.array(list(spans.values())).T) for end in (ends.low, ends.high))
    return {name: Estimate(value=float(mean[i]), low=float(low[i]), high=float(high[i])) for i, name in enumerate(spans)}
