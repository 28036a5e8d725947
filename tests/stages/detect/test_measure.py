"""How good grids are: counts against loops over cells, rates by hand, and bounds against trying each of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.data.grids import Thresholds
from figureground.stages.detect.measure import (
    BOUNDS,
    RATES,
    choose_thresholds,
    counts_of,
    gain_with_interval,
    pixel_counts,
    rates_of,
    rates_with_intervals,
)


def pictures(seed, count=6, shape=(4, 5)):
    """Labels, and grids that know something of them."""
    rng = np.random.default_rng(seed)
    figures = [rng.random(shape) < 0.3 for _ in range(count)]
    figures[0][0, 0] = True
    grids = [np.clip(rng.normal(np.where(figure, 0.35, 0.75), 0.2), 0, 1).astype(np.float32) for figure in figures]
    return figures, grids


@given(st.integers(0, 500), st.floats(0.05, 0.9), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_counts_and_rates_are_those_of_a_loop_over_cells(seed, tight, more):
    """Each rate from its definition, cell by cell; 0 / 0 is undefined."""
    figures, grids = pictures(seed)
    bounds = Thresholds(tight=tight, loose=tight + more * (1 - tight))
    counts = np.stack([counts_of(figure, grid, bounds) for figure, grid in zip(figures, grids, strict=True)])
    cells = [(bool(f), float(p)) for figure, grid in zip(figures, grids, strict=True) for f, p in zip(figure.flat, grid.flat, strict=True)]

    def share(part, whole):
        return sum(map(part, (c for c in cells if whole(c)))) / n if (n := sum(map(whole, cells))) else math.nan

    right = [share(lambda c: c[1] < 0.5, lambda c: c[0]), share(lambda c: c[1] >= 0.5, lambda c: not c[0])]
    expected = {
        "accuracy": share(lambda c: c[0] == (c[1] < 0.5), lambda c: True),
        "balanced_accuracy": sum(right) / 2,
        "mask_iou": share(lambda c: c[0] and c[1] < 0.5, lambda c: c[0] or c[1] < 0.5),
        "kept": share(lambda c: c[1] < np.float32(bounds.tight), lambda c: c[0]),
        "coverage": share(lambda c: c[1] < np.float32(bounds.loose), lambda c: c[0]),
        "leakage": share(lambda c: not c[0], lambda c: c[1] < np.float32(bounds.tight)),
    }
    assert dict(zip(RATES, rates_of(counts.sum(0)), strict=True)) == pytest.approx(expected, nan_ok=True)


def test_one_class_alone_is_its_own_mean():
    """No background at all: balanced accuracy is that of the figure."""
    counts = counts_of(np.ones((1, 4), bool), np.array([[0.1, 0.2, 0.6, 0.7]], np.float32), Thresholds(tight=0.15, loose=0.65))
    found = dict(zip(RATES, rates_of(counts), strict=True))
    assert found == pytest.approx(
        {"accuracy": 0.5, "balanced_accuracy": 0.5, "mask_iou": 0.5, "kept": 0.25, "coverage": 0.75, "leakage": 0}
    )


def test_pixels_take_their_patch_and_void_is_left_out():
    """2 x 2 patches on 4 x 4 pixels, the first patch below both bounds, the second below the loose one; one row of void."""
    grid = np.array([[0.1, 0.6], [0.95, 0.95]], np.float32)
    figure = np.zeros((4, 4), bool)
    figure[:, :3] = True
    counted = np.ones((4, 4), bool)
    counted[0] = False
    found = pixel_counts(figure & counted, counted, grid, Thresholds(tight=0.5, loose=0.9))
    assert found.tolist() == [2, 0, 7, 3, 2, 0, 3]


@given(st.integers(0, 500), st.sampled_from([0.0, 0.02, 0.1, 0.3, 1.0]), st.sampled_from([0.0, 0.5, 0.9, 1.0]))
@settings(max_examples=40, deadline=None)
def test_bounds_are_what_trying_each_of_them_gives(seed, leakage, coverage):
    figures, grids = pictures(seed)
    found = choose_thresholds(figures, grids, tight=0, loose=0, leakage=leakage, coverage=coverage)
    by_bound = {}
    for bound in BOUNDS:
        cut = [(f, p < bound) for figure, grid in zip(figures, grids, strict=True) for f, p in zip(figure.flat, grid.flat, strict=True)]
        taken = [f for f, inside in cut if inside]
        leaked = taken.count(False) / len(taken) if taken else None
        by_bound[round(float(bound), 2)] = leaked, sum(f and inside for f, inside in cut) / sum(f for f, _ in cut)
    low = [bound for bound, (leaked, _) in by_bound.items() if leaked is not None and leaked <= leakage]
    if low:
        assert found.thresholds.tight == pytest.approx(max(low))
    else:
        least = min(leaked for leaked, _ in by_bound.values() if leaked is not None)
        assert by_bound[round(found.thresholds.tight, 2)][0] == least
        assert "no bound keeps leakage" in found.notes[0]
    enough = [bound for bound, (_, covered) in by_bound.items() if covered >= coverage and bound >= found.thresholds.tight - 1e-6]
    assert found.thresholds.loose == pytest.approx(min(enough) if enough else 0.99)
    assert bool(enough) or "no bound covers" in found.notes[-1]


def test_given_bounds_stay_and_a_chosen_one_keeps_to_them():
    figures, grids = pictures(1)
    both = choose_thresholds(figures, grids, tight=0.33, loose=0.9, leakage=0.1, coverage=0.98)
    assert (both.thresholds, both.notes) == (Thresholds(tight=0.33, loose=0.9), ())
    assert choose_thresholds(figures, grids, tight=0, loose=0.2, leakage=1, coverage=0.98).thresholds.tight == pytest.approx(0.2)
    assert choose_thresholds(figures, grids, tight=0.8, loose=0, leakage=1, coverage=0.0).thresholds.loose == pytest.approx(0.8)


def test_intervals_hold_their_value_and_are_the_same_again():
    figures, grids = pictures(2, count=30)
    counts = np.stack([counts_of(f, g, Thresholds(tight=0.4, loose=0.8)) for f, g in zip(figures, grids, strict=True)])
    found = rates_with_intervals(counts, resamples=500, seed=3)
    assert all(rate.low < rate.value < rate.high for rate in found.values())
    assert found == rates_with_intervals(counts, resamples=500, seed=3)
    assert found != rates_with_intervals(counts, resamples=500, seed=4)


def test_a_gain_is_judged_on_the_same_pictures():
    """Resampled by hand: each time the same pictures for both; the interval is far narrower than those of the two alone."""
    rng = np.random.default_rng(1)
    before = rng.integers(1, 60, (30, 7))
    after = before + np.array([2, 0, -1, 0, 0, 0, 0])
    found = gain_with_interval(before, after, resamples=400, seed=3)

    def iou(counts):
        hit, spurious, lost = counts.sum(0)[:3]
        return hit / (hit + spurious + lost)

    assert found.value == pytest.approx(iou(after) - iou(before))
    drawn = [rng.integers(0, 30, 30) for _ in range(2000)]
    ends = np.percentile([iou(after[k]) - iou(before[k]) for k in drawn], [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx(ends, abs=0.002)
    alone = rates_with_intervals(after, resamples=400, seed=3)["mask_iou"]
    assert found.high - found.low < 0.2 * (alone.high - alone.low)
    single = gain_with_interval(before[:1], after[:1], resamples=20, seed=0)
    assert (single.low, single.high) == (-1, 1)
    nothing = np.zeros((4, 7), np.int64)
    assert np.isnan(gain_with_interval(nothing, nothing, resamples=20, seed=0).value)


def test_one_picture_and_pictures_that_are_all_right_do_not_prove_it():
    """No resample differs from another: the interval is that of a part of so many pictures."""
    for count, low in ((1, 0.025), (30, 0.8843)):
        counts = np.tile(np.array([5, 0, 0, 11, 5, 0, 5]), (count, 1))
        rate = rates_with_intervals(counts, resamples=50, seed=0)["mask_iou"]
        assert (rate.value, rate.high) == (1.0, 1.0)
        assert rate.low == pytest.approx(low, abs=1e-4)
