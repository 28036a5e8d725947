"""Boundary F: against distance transforms, by hand, and by law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from figureground.core.errors import InputError
from figureground.data.labelmap import encode_runs
from figureground.metrics.boundary import BoundaryCounts, boundary_counts, tolerance_px

LAW = settings(max_examples=40)


@st.composite
def pairs(draw):
    """Two maps of one size, made of blocks so that they have insides."""
    shape = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    scale = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    truth = draw(arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 2, 255])))
    predicted = draw(arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 2])))
    shift = draw(st.integers(0, 3))
    return np.kron(truth, np.ones(scale, np.uint8)), np.roll(np.kron(predicted, np.ones(scale, np.uint8)), shift, 1)


def slow_boundary(figure):
    """Foreground with a neighbour outside; the frame repeats the picture, so it never counts."""
    around = np.pad(figure, 1, mode="edge")
    return figure & ~(around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:])


def slow_counts(truth, predicted, tolerance):
    void = truth == 255
    edges = [slow_boundary((labels != 0) & ~void) for labels in (truth, predicted)]
    radius = tolerance * math.hypot(*truth.shape)
    near = [distance_transform_edt(~edge) <= radius + 1e-9 if edge.any() else np.zeros_like(edge) for edge in edges]
    return (edges[0] & near[1]).sum(), edges[0].sum(), (edges[1] & near[0]).sum(), edges[1].sum()


def counts_of(truth, predicted, **settings):
    return boundary_counts(encode_runs(np.asarray(truth, np.uint8)), encode_runs(np.asarray(predicted, np.uint8)), **settings)


def as_tuple(counts: BoundaryCounts):
    return counts.matched_truth, counts.truth, counts.matched_predicted, counts.predicted


@settings(max_examples=150)
@given(pairs(), st.sampled_from([0, 0.0075, 0.05, 0.1, 0.3, 1.0]))
def test_agrees_with_distance_transforms(maps, tolerance):
    """All four counts equal those of dense masks and exact Euclidean distances."""
    assert as_tuple(counts_of(*maps, tolerance=tolerance)) == tuple(slow_counts(*maps, tolerance))


def test_by_hand():
    """A 3 x 3 square has 8 boundary pixels; moved by one column, 4 of them stay put."""
    truth, predicted = np.zeros((7, 8)), np.zeros((7, 8))
    truth[2:5, 2:5], predicted[2:5, 3:6] = 1, 2
    same = counts_of(truth, predicted, tolerance=0)
    assert as_tuple(same) == (4, 8, 4, 8)
    assert same.f == same.precision == same.recall == 0.5
    assert counts_of(truth, predicted, tolerance=1 / math.hypot(7, 8) + 1e-9).f == 1


@LAW
@given(pairs())
def test_swapping_the_maps_swaps_the_counts(maps):
    """Precision of one is recall of the other, where nothing is ignored."""
    a, b = (np.where(labels == 255, 1, labels) for labels in maps)
    one, two = counts_of(a, b), counts_of(b, a)
    assert as_tuple(one) == (two.matched_predicted, two.predicted, two.matched_truth, two.truth)


@LAW
@given(pairs())
def test_labels_do_not_matter(maps):
    """Only figure and ground count: any foreground class is as good as another."""
    truth, predicted = maps
    named = np.where((predicted != 0), 3 - predicted, 0)
    assert counts_of(truth, predicted) == counts_of(truth, named)


@LAW
@given(pairs())
def test_a_map_matches_itself(maps):
    """F of equal maps is 1, or undefined where there is no boundary."""
    truth = np.where(maps[0] == 255, 0, maps[0])
    counts = counts_of(truth, truth, tolerance=0)
    assert counts.f == 1 if counts.truth else math.isnan(counts.f)


@LAW
@given(pairs(), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_more_tolerance_matches_no_less(maps, tolerances):
    """Matches only grow with the tolerance."""
    small, large = (counts_of(*maps, tolerance=t) for t in sorted(tolerances))
    assert small.matched_truth <= large.matched_truth <= large.truth
    assert small.matched_predicted <= large.matched_predicted <= large.predicted


@LAW
@given(pairs())
def test_what_is_ignored_is_ground_in_both(maps):
    """Void truth gives the same counts as background truth with the prediction cleared there."""
    truth, predicted = maps
    cleared = np.where(truth == 255, 0, truth), np.where(truth == 255, 0, predicted)
    assert counts_of(truth, predicted) == counts_of(*cleared)


def test_the_frame_is_no_boundary():
    """A picture full of foreground has no boundary; nor has one without any."""
    full, none = np.ones((4, 5)), np.zeros((4, 5))
    for labels in (full, none):
        counts = counts_of(labels, labels)
        assert as_tuple(counts) == (0, 0, 0, 0)
        assert math.isnan(counts.f)
        assert math.isnan(counts.precision)
        assert math.isnan(counts.recall)


def test_one_empty_map_scores_nothing():
    """A missed or invented object is F = 0, not undefined."""
    some = np.zeros((5, 5))
    some[2, 2] = 1
    assert counts_of(some, np.zeros((5, 5))).f == 0
    assert counts_of(np.zeros((5, 5)), some).f == 0


def test_counts_pool_by_addition():
    """The F of several pictures comes from the sums of their counts."""
    a, b = BoundaryCounts(matched_truth=1, truth=2, matched_predicted=3, predicted=3), BoundaryCounts(truth=2, predicted=1)
    assert a + b == BoundaryCounts(matched_truth=1, truth=4, matched_predicted=3, predicted=4)
    assert (a + b).f == pytest.approx(2 * 0.25 * 0.75)
    assert a + BoundaryCounts() == a


def test_another_background_and_no_ignore():
    """With 2 as ground and nothing void, 255 is figure like 0."""
    truth, predicted = [[2, 2, 2], [2, 255, 2], [2, 2, 2]], [[2, 2, 2], [2, 0, 2], [2, 2, 2]]
    assert counts_of(truth, predicted, background=2, ignore=None).f == 1


def test_wide_ids():
    """Ids above 255 work as any other."""
    truth, predicted = np.zeros((5, 5), np.uint16), np.zeros((5, 5), np.uint16)
    truth[1:3, 1:3], predicted[1:3, 1:3] = 300, 40_000
    assert boundary_counts(encode_runs(truth), encode_runs(predicted)).f == 1


def test_bad_input_is_refused():
    """Sizes that differ, or a tolerance that is no fraction."""
    with pytest.raises(InputError, match="of one size"):
        counts_of(np.zeros((2, 3)), np.zeros((3, 2)))
    for tolerance in (-0.1, math.nan, math.inf):
        with pytest.raises(InputError, match="tolerance"):
            counts_of(np.zeros((2, 3)), np.zeros((2, 3)), tolerance=tolerance)


def test_tolerance_in_pixels():
    """The default is 0.75 % of the diagonal: 5.43 px at 512 x 512."""
    assert tolerance_px(512, 512) == pytest.approx(5.4306, abs=1e-4)
