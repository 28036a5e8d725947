"""How good grids are on held-out labels: patches and pixels counted, bounds chosen, and rates with intervals. Arrays in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from figureground.data.grids import Thresholds, to_pixels
from figureground.metrics.decompose import ratio
from figureground.metrics.interval import exact_interval, percentile_interval
from figureground.metrics.resample import bootstrap_sums

BOUNDS = np.arange(1, 100, dtype=np.float32) / np.float32(100)
"""The bounds on P(background) that are looked at: hundredths, so that a few labels cannot be fitted to the last digit."""
HALF = 0.5
COUNTS = ("hit", "spurious", "lost", "empty", "cut", "leaked", "filled")
"""What is counted of a picture: figure and called figure at one half, background called figure, figure called background, background
called so; cut out (tight) as figure and as background; figure that is filled (loose)."""
RATES = ("accuracy", "balanced_accuracy", "mask_iou", "kept", "coverage", "leakage")
"""Rates of those counts: cells called rightly; mean of both classes; IoU of the figure; figure that is cut out; figure that is filled;
background in what is cut out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share with the ends of its 95 % interval over resamples of the pictures, exact where none differs; NaN for 0 / 0."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Bounds, and what is to be said of how they were come by."""

    thresholds: Thresholds
    notes: tuple[str, ...]


def counts_of(figure: np.ndarray, background: np.ndarray, thresholds: Thresholds, *, counted: np.ndarray | None = None) -> np.ndarray:
    """`COUNTS` of one picture, int64 [7], over its patches or over its pixels.

    Args:
        figure: bool [height, width], the truth.
        background: float32 [height, width], P(background).
        thresholds: bounds.
        counted: bool [height, width]; what is False, such as void, is left out. None = all counts.

    Example:
        >>> counts_of(np.array([[True, True, False]]), np.array([[0.1, 0.7, 0.4]]), Thresholds(tight=0.5, loose=0.8)).tolist()
        [1, 1, 1, 0, 1, 1, 2]
    """
    known = np.ones(figure.shape, bool) if counted is None else counted
    ground, called = ~figure & known, background < HALF
    figure, tight, loose = figure & known, background < thresholds.tight, background < thresholds.loose
    parts = (
        *(figure & called, ground & called, figure & ~called, ground & ~called),
        *(figure & tight, ground & tight, figure & loose),
    )
    return np.array([part.sum() for part in parts], np.int64)


def pixel_counts(figure: np.ndarray, counted: np.ndarray, grid: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """`COUNTS` over the pixels of a picture whose true mask is known; each pixel takes its patch.

    Args:
        figure: bool [height, width].
        counted: bool [height, width], False for void.
        grid: float32 [rows, columns], P(background).
        thresholds: bounds.
    """
    height, width = figure.shape
    return counts_of(figure, to_pixels(grid, (height, width)), thresholds, counted=counted)


def rates_of(counts: np.ndarray) -> np.ndarray:
    """`RATES` of counts [..., 7], float64 [..., 6]; NaN for 0 / 0.

    A class without a cell is left out of balanced accuracy.
    """
    hit, spurious, lost, empty, cut, leaked, filled = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    figure, ground = hit + lost, spurious + empty
    found = np.stack([ratio(hit, figure), ratio(empty, ground)])
    known = ~np.isnan(found)
    balanced = ratio(np.where(known, found, 0).sum(0), known.sum(0))
    return np.stack(
        [
            ratio(hit + empty, figure + ground),
            balanced,
            ratio(hit, hit + spurious + lost),
            ratio(cut, figure),
            ratio(filled, figure),
            ratio(leaked, cut + leaked),
        ],
        axis=-1,
    )


def rates_with_intervals(counts: np.ndarray, *, resamples: int, seed: int) -> dict[str, Rate]:
    """Each of `RATES` over all pictures together, with its interval over resamples of the pictures.

    Args:
        counts: int64 [pictures, 7], at least one picture.
        resamples: how many.
        seed: of them.
    """
    value = rates_of(counts.sum(0))
    drawn = rates_of(bootstrap_sums(counts, resamples=resamples, seed=seed)[0])
    ends = percentile_interval(drawn.T)
    found = {}
    for place, name in enumerate(RATES):
        low, high = float(ends.low[place]), float(ends.high[place])
        if low == high:
            low, high = exact_interval(float(value[place]), len(counts))
        found[name] = Rate(value=float(value[place]), low=low, high=high)
    return found


def gain_with_interval(before: np.ndarray, after: np.ndarray, *, resamples: int, seed: int) -> Rate:
    """By how much the IoU of the figure of one detector is above that of another, on the same pictures.

    Args:
        before: int64 [pictures, 7], counts of the one.
        after: int64 [pictures, 7], of the other, in the same order.
        resamples: of the pictures, both detectors judged on the same ones each time.
        seed: of them.

    Returns:
        In [-1, 1], with its 95 % interval, all of that for a single picture; NaN where neither a label nor an answer is figure.
    """
    drawn = bootstrap_sums(np.concatenate([before, after], axis=1), resamples=resamples, seed=seed)[0]
    place, ends = RATES.index("mask_iou"), len(COUNTS)
    gain = rates_of(after.sum(0))[place] - rates_of(before.sum(0))[place]
    found = percentile_interval((rates_of(drawn[:, ends:]) - rates_of(drawn[:, :ends]))[:, place])
    low, high = (float(found.low), float(found.high)) if len(before) > 1 else (-1.0, 1.0)
    return Rate(value=float(gain), low=low, high=high)


def choose_thresholds(
    figures: Sequence[np.ndarray], grids: Sequence[np.ndarray], *, tight: float, loose: float, leakage: float, coverage: float
) -> Chosen:
    """Bounds as given, or chosen on labelled patches.

    tight: the highest of `BOUNDS` at which at most `leakage` of the patches below it are background; where none is so low, the one with
    the least leakage. loose: the lowest, from tight on, at which at least `coverage` of the figure's patches lie below it; else the
    highest.

    Args:
        figures: bool [rows, columns] of each picture, the labels; some patch of them is figure.
        grids: float32 [rows, columns] of each, P(background).
        tight: bound; 0 = chosen.
        loose: bound; 0 = chosen.
        leakage: in [0, 1].
        coverage: in [0, 1].

    Source: what the two masks are for: arXiv 2606.32018; the rules: defined here.
    """
    figure, background = (np.concatenate([one.ravel() for one in many]) for many in (figures, grids))
    below = background[None] < BOUNDS[:, None]
    leaked, covered = ratio((below & ~figure).sum(1), below.sum(1)), (below & figure).sum(1) / max(1, figure.sum())
    notes: list[str] = []
    if not tight:
        kept = np.flatnonzero(np.nan_to_num(leaked, nan=1.0) <= leakage)
        place = int(kept[-1]) if kept.size else int(np.argmin(np.nan_to_num(leaked, nan=2.0)))
        tight = min(float(BOUNDS[place]), loose or 1.0)
        if not kept.size:
            notes.append(
                f"no bound keeps leakage at {leakage:.0%}: the tight one, {tight:.2f}, leaks {leaked[place]:.0%}, the least there is"
            )
    if not loose:
        reached = np.flatnonzero((covered >= coverage) & (np.float32(tight) <= BOUNDS))
        loose = max(tight, float(BOUNDS[reached[0]] if reached.size else BOUNDS[-1]))
        if not reached.size:
            notes.append(f"no bound covers {coverage:.0%} of the figure: the loose one, {loose:.2f}, covers {covered[-1]:.0%}")
    return Chosen(thresholds=Thresholds(tight=round(tight, 6), loose=round(loose, 6)), notes=tuple(notes))
