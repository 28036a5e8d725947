"""The cases in which metrics go wrong in silence, each taken through every metric that meets it. Warnings are errors here."""

from __future__ import annotations

import math

import numpy as np
import pytest

from figureground.data.labelmap import encode_runs
from figureground.metrics.boundary import boundary_counts
from figureground.metrics.decompose import PARTS, decompose, ratio, sample_parts
from figureground.metrics.groups import flip_gap, gap_plan, group_index, group_kinds, iou_gaps, worst_group
from figureground.metrics.interval import bca_interval, percentile_interval, simultaneous_intervals
from figureground.metrics.joint import EMPTY, joint_counts
from figureground.metrics.overlap import counts_by_class, overlap
from figureground.metrics.regions import component_runs, regions_of
from figureground.metrics.resample import bootstrap_sums, leave_one_out_sums
from figureground.metrics.risk import flip_risk, reduce_logits, region_means
from figureground.metrics.selective import deciles, scored_pairs, spearman

CLASSES = 3


def everything(truth, predicted) -> dict[str, float]:
    """Every number that one picture gives."""
    truth, predicted = np.asarray(truth, np.uint8), np.asarray(predicted, np.uint8)
    runs = encode_runs(truth), encode_runs(predicted)
    counts = joint_counts(*runs, classes=CLASSES)
    d, table = decompose(counts), counts_by_class([counts], ids=range(CLASSES))
    got = {name: getattr(d, name) for name in ("correct_rate", "flipped_rate", "missed_rate", "added_rate")}
    got |= {name: getattr(d, name) for name in ("conditional_flip", "foreground_iou", "macro_flipped_rate")}
    for reduction in ("micro", "macro", "micro-imagewise", "macro-imagewise"):
        got |= {f"{score} {reduction}": float(overlap(table, score=score, reduction=reduction)) for score in ("iou", "dice", "accuracy")}
    got["boundary_f"] = boundary_counts(*runs).f
    got |= {side: len(regions_of(*runs, side=side)) for side in ("truth", "predicted")}
    return got


def unknown(got: dict[str, float]) -> set[str]:
    return {name for name, value in got.items() if math.isnan(value)}


def test_no_foreground_truth():
    """A picture of ground only: the parts of the foreground are undefined, what was added is not."""
    got = everything([[0, 0, 0]], [[0, 1, 0]])
    assert unknown(got) == {"correct_rate", "flipped_rate", "missed_rate", "conditional_flip", "macro_flipped_rate"}
    assert got["added_rate"] == pytest.approx(1 / 3)
    assert (got["foreground_iou"], got["boundary_f"], got["truth"], got["predicted"]) == (0, 0, 0, 1)


def test_no_predicted_foreground():
    """Everything missed: not flipped, no conditional flip, no risk."""
    got = everything([[1, 2, 0]], [[0, 0, 0]])
    assert unknown(got) == {"conditional_flip"}
    assert (got["missed_rate"], got["flipped_rate"], got["macro_flipped_rate"], got["foreground_iou"]) == (1, 0, 0, 0)
    assert math.isnan(flip_risk(np.stack([np.ones((1, 3)), np.zeros((1, 3)), np.zeros((1, 3))])))


def test_neither_has_foreground():
    """Ground everywhere, and rightly so: nothing is added, everything about the foreground is undefined."""
    got = everything([[0, 0]], [[0, 0]])
    assert got["added_rate"] == 0
    assert got["iou macro"] == 1
    assert {"foreground_iou", "boundary_f", "correct_rate"} <= unknown(got)


def test_all_ignored():
    """Void everywhere: every rate is undefined, and a predicted region has the verdict ignored."""
    got = everything([[255, 255]], [[1, 1]])
    assert unknown(got) == set(got) - {"truth", "predicted"}
    runs = encode_runs(np.full((1, 2), 255, np.uint8)), encode_runs(np.ones((1, 2), np.uint8))
    assert regions_of(*runs, side="predicted").verdicts == ["ignored"]


def test_ignored_pixels_change_no_number():
    """Whatever is predicted on void, every number but the count of predicted regions stays."""
    truth = [[1, 1, 255, 0], [2, 255, 255, 0]]
    a, b = everything(truth, [[1, 2, 0, 0], [2, 0, 0, 1]]), everything(truth, [[1, 2, 2, 0], [2, 1, 1, 1]])
    for name in set(a) - {"predicted"}:
        assert a[name] == pytest.approx(b[name], nan_ok=True), name


def test_a_class_that_is_absent():
    """Class 2 nowhere: NaN by itself, left out of every mean, and no group or gap of it."""
    counts = counts_by_class([joint_counts([[0, 1]], [[0, 1]], classes=CLASSES)], ids=range(CLASSES))
    np.testing.assert_equal(overlap(counts, reduction="none"), [1, 1, math.nan])
    assert overlap(counts) == overlap(counts, reduction="macro-imagewise") == 1
    assert gap_plan(group_index({"class": ["a"], "context": ["x"]}), {"a": "x", "b": "y"})[0].label == "a"


def test_a_group_that_is_absent():
    """A counterfactual group without samples: listed as absent, gaps undefined, intervals NaN, others untouched."""
    index = group_index({"class": ["a", "a", "b", "b"], "context": ["x", "x", "y", "y"]})
    assert index.absent() == [("a", "y"), ("b", "x")]
    common = {"a": "x", "b": "y"}
    parts = sample_parts(np.arange(4), np.ones(4, int), np.array([1, 2, 1, 1]), np.full(4, 9), samples=4)
    sums = bootstrap_sums(parts, groups=[*index.members, np.array([], int)], resamples=50)
    rates = ratio(sums[..., 1], sums[..., 4])
    assert np.isnan(iou_gaps(gap_plan(index, common), rates)).all()
    assert np.isnan(flip_gap(group_kinds(index, common), sums[:2, :, 1], sums[:2, :, 4])).all()
    ends = percentile_interval(rates)
    assert ends.used[2] == 0
    assert math.isnan(ends.low[2])
    assert ends.used[0] > 0
    assert worst_group(np.array([0.5, 0, math.nan])) == (0, 0.5)
    assert np.isnan(simultaneous_intervals(np.array([0.5, 0, math.nan]), rates).low[2])


def test_a_group_of_one_sample():
    """Its rate is the same whenever it is drawn: replicates without it are left out, the width is 0."""
    parts = sample_parts(np.array([0, 0, 1]), np.array([1, 1, 1]), np.array([1, 2, 1]), np.array([3, 1, 5]), samples=5)
    sums = bootstrap_sums(parts, groups=[np.array([0])], resamples=400)
    ends = percentile_interval(ratio(sums[..., 1], sums[..., 4]))
    assert ends.low[0] == ends.high[0] == 0.25
    assert 400 * (1 - 0.8**5) - 60 < ends.used[0] < 400 * (1 - 0.8**5) + 60


def test_no_flips_at_all():
    """Zero flip mass: the share of the top decile is undefined, not 0; the rate of 0 has the interval [0, 0]."""
    d = deciles(np.linspace(0, 1, 20), np.zeros(20))
    assert d.loss.tolist() == [0] * 10
    assert all(math.isnan(value) for value in (d.top_share, d.lift, d.oracle_share, spearman(np.linspace(0, 1, 20), np.zeros(20))))
    table = np.tile([0, 7], (30, 1))
    sums, left = bootstrap_sums(table, resamples=50)[0], leave_one_out_sums(table)
    for ends in (percentile_interval(ratio(*sums.T)), bca_interval(np.float64(0), ratio(*sums.T), ratio(*left.T))):
        assert ends.low == ends.high == 0


@pytest.mark.parametrize("n", range(10))
def test_fewer_than_ten_pictures(n):
    """As many bins as pictures, down to none."""
    d = deciles(np.arange(n) / 10, np.ones(n))
    assert d.samples.tolist() == [1] * n
    assert d.top_share == pytest.approx(1 / n) if n else math.isnan(d.top_share)
    assert d.lift == pytest.approx(1) if n else math.isnan(d.lift)


def test_pictures_without_a_score_are_counted_apart():
    """A picture without predicted foreground has no risk, one without foreground truth no flip: both leave the deciles, and are counted."""
    risk, flip, out = scored_pairs(np.array([0.1, math.nan, 0.2]), np.array([0, 1, math.nan]))
    assert (len(deciles(risk, flip).samples), out) == (1, 2)


@pytest.mark.parametrize("gap", [200, -200])
def test_logits_200_apart(gap):
    """In float32 the softmax underflows; risk, rivals and regions stay numbers in their ranges."""
    logits = np.zeros((4, 6, 6), np.float32)
    logits[1, :3], logits[2, 3:] = gap, gap
    logits[3, :, 5] = abs(gap) / 2
    logits[0] = -abs(gap)
    reduced = reduce_logits(logits)
    assert reduced.foreground == 36
    assert all(-1e-9 <= score <= 1 for score in reduced.scores.values())
    assert np.isfinite(reduced.risk).all()
    components = component_runs(encode_runs(reduced.label_map), ignore=None)
    assert np.isfinite(region_means(reduced.risk, components)).all()


def test_no_samples_at_all():
    """Nothing in, nothing out: zeros and NaN."""
    nothing = np.empty(0, int)
    assert sample_parts(nothing, nothing, nothing, nothing, samples=0).shape == (0, len(PARTS))
    assert decompose(EMPTY).foreground == 0
    assert len(group_index({"class": []})) == 0
    assert len(scored_pairs(np.empty(0), np.empty(0))[0]) == 0
