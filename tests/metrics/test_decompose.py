"""Correct, flipped, missed, added: against a loop over pixels, by hand, and by law."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from figureground.core.errors import InputError
from figureground.metrics.decompose import PARTS, coarsen, confusable_flips, decompose, ratio, sample_parts
from figureground.metrics.joint import EMPTY, JointCounts, joint_counts, merge

LAW = settings(max_examples=40)
GOLDEN_TRUTH = [[0, 0, 1, 1, 2], [0, 1, 1, 2, 2], [3, 3, 0, 0, 255]]
GOLDEN_PREDICTED = [[0, 1, 1, 2, 2], [0, 0, 1, 2, 1], [3, 0, 0, 2, 3]]

shapes = st.tuples(st.integers(1, 8), st.integers(1, 8))
truths = arrays(np.uint8, shapes, elements=st.sampled_from([0, 1, 2, 3, 4, 255]))


@st.composite
def pairs(draw):
    truth = draw(truths)
    return truth, draw(arrays(np.uint8, truth.shape, elements=st.integers(0, 4)))


def counted(truth, predicted) -> JointCounts:
    return joint_counts(truth, predicted, classes=5)


def slow_parts(truth, predicted, *, background=0, ignore=255) -> Counter:
    """One pixel after the other, straight from the definitions."""
    parts = Counter()
    for t, p in zip(np.ravel(truth).tolist(), np.ravel(predicted).tolist(), strict=True):
        if t == ignore:
            continue
        parts["pixels"] += 1
        if t == background:
            parts["background"] += 1
            parts["added"] += p != background
        else:
            parts["foreground"] += 1
            parts["correct" if p == t else "missed" if p == background else "flipped"] += 1
    return parts


def test_golden_maps():
    """The worked example of three rows gives its published numbers."""
    d = decompose(joint_counts(GOLDEN_TRUTH, GOLDEN_PREDICTED, classes=4))
    assert (d.foreground, d.correct, d.flipped, d.missed, d.added) == (9, 5, 2, 2, 2)
    assert d.correct_rate == pytest.approx(0.555556, abs=1e-6)
    assert d.flipped_rate == pytest.approx(0.222222, abs=1e-6)
    assert d.missed_rate == pytest.approx(0.222222, abs=1e-6)
    assert d.conditional_flip == pytest.approx(0.285714, abs=1e-6)
    assert d.foreground_iou == pytest.approx(0.636364, abs=1e-6)
    assert d.added_rate == pytest.approx(2 / 5)


@LAW
@given(pairs())
def test_agrees_with_a_loop_over_pixels(maps):
    """Every part equals the count of a loop that looks at one pixel at a time."""
    truth, predicted = maps
    d, slow = decompose(counted(truth, predicted)), slow_parts(truth, predicted)
    assert (d.correct, d.flipped, d.missed, d.added) == tuple(slow[part] for part in PARTS[:4])
    assert (d.foreground, d.background_pixels, d.pixels) == (slow["foreground"], slow["background"], slow["pixels"])


@LAW
@given(pairs())
def test_parts_sum_to_the_whole(maps):
    """Over all pixels, per class and per pair the parts sum as integers."""
    d = decompose(counted(*maps))
    assert d.correct + d.flipped + d.missed == d.foreground
    assert sum(pair.pixels for pair in d.flips) == d.flipped == sum(c.flipped for c in d.classes) == sum(c.taken for c in d.classes)
    assert sum(c.correct for c in d.classes) == d.correct
    assert sum(c.missed for c in d.classes) == d.missed
    assert sum(c.added for c in d.classes) == d.added
    assert all(c.correct + c.flipped + c.missed == c.pixels for c in d.classes)
    assert d.flipped == 0 or math.isclose(sum(pair.share for pair in d.flips), 1)


@LAW
@given(pairs())
def test_found_foreground_gives_the_foreground_iou(maps):
    """Correct + flipped is the overlap of the two foregrounds, and foreground + added their union."""
    truth, predicted = maps
    known = truth != 255
    figure, found = (truth != 0) & known, (predicted != 0) & known
    expected = ratio((figure & found).sum(), (figure | found).sum())
    np.testing.assert_equal(decompose(counted(truth, predicted)).foreground_iou, float(expected))


@LAW
@given(pairs(), st.permutations([1, 2, 3, 4]), st.randoms(use_true_random=False))
def test_order_of_pixels_and_names_of_classes_do_not_matter(maps, names, random):
    """Shuffling pixels, or giving the foreground classes other ids, leaves every part as it is."""
    truth, predicted = maps
    order = list(range(truth.size))
    random.shuffle(order)
    table = np.arange(256, dtype=np.uint8)
    table[1:5] = names
    other = decompose(counted(table[truth.ravel()[order]], table[predicted.ravel()[order]]))
    d = decompose(counted(truth, predicted))
    assert (d.correct, d.flipped, d.missed, d.added) == (other.correct, other.flipped, other.missed, other.added)
    assert d.macro_flipped_rate == pytest.approx(other.macro_flipped_rate, nan_ok=True)


@LAW
@given(pairs(), pairs())
def test_merged_counts_have_the_sum_of_the_parts(a, b):
    """Decomposing the counts of two pictures together adds their parts."""
    one, two = counted(*a), counted(*b)
    both, d, e = decompose(merge(one, two)), decompose(one), decompose(two)
    assert both.flipped == d.flipped + e.flipped
    assert both.correct == d.correct + e.correct
    assert both.missed == d.missed + e.missed
    assert both.added == d.added + e.added


@LAW
@given(pairs(), st.integers(0, 4))
def test_ignored_pixels_have_no_say(maps, other):
    """Whatever is predicted where the truth is ignored, nothing changes."""
    truth, predicted = maps
    changed = np.where(truth == 255, other, predicted).astype(np.uint8)
    assert decompose(counted(truth, changed)) == decompose(counted(truth, predicted))


@LAW
@given(pairs(), st.dictionaries(st.integers(1, 4), st.integers(1, 4)))
def test_merging_classes_only_moves_flipped_to_correct(maps, groups):
    """At a coarser labelling missed and added stay, and what flipped loses correct gains."""
    fine = counted(*maps)
    coarse = coarsen(fine, groups)
    before, after = decompose(fine), decompose(coarse)
    assert (after.missed, after.added, after.foreground) == (before.missed, before.added, before.foreground)
    assert after.correct - before.correct == before.flipped - after.flipped >= 0
    table = np.arange(256, dtype=np.uint8)
    for old, new in groups.items():
        table[old] = new
    assert coarse == counted(table[maps[0]], table[maps[1]])


@pytest.mark.parametrize("groups", [{1: 0}, {0: 3}])
def test_merging_with_the_background_is_refused(groups):
    """A class cannot become ground, nor ground a class."""
    with pytest.raises(InputError, match="Merge foreground classes only"):
        coarsen(counted([[0, 1]], [[0, 1]]), groups)


@LAW
@given(pairs())
def test_flips_within_and_across_confusable_sets_are_all_flips(maps):
    """Within + cross = flipped; within equals what merging each set would mend."""
    counts = counted(*maps)
    flips, d = confusable_flips(counts, [{1, 2}, {3}]), decompose(counts)
    assert flips.within + flips.cross == d.flipped
    assert flips.within == decompose(coarsen(counts, {1: 2})).correct - d.correct
    assert flips.within_rate + flips.cross_rate == pytest.approx(d.flipped_rate, nan_ok=True)


@pytest.mark.parametrize("sets", [[{1, 2}, {2, 3}], [{0, 1}]])
def test_confusable_sets_must_be_apart_and_without_background(sets):
    """A class in two sets, or the background in one, is refused."""
    with pytest.raises(InputError, match="confusable sets"):
        confusable_flips(EMPTY, sets)


@LAW
@given(st.lists(pairs(), max_size=4))
def test_sample_parts_are_the_decompositions_of_the_samples(maps):
    """The stacked form gives each sample its own parts, and zeros to a sample without rows."""
    counts = [counted(*pair) for pair in maps]
    rows = [(i, t, p, n) for i, c in enumerate(counts) for t, p, n in zip(c.truth, c.predicted, c.pixels, strict=True)]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    table = sample_parts(*columns, samples=len(counts) + 1)
    for row, c in zip(table, counts, strict=False):
        d = decompose(c)
        assert row.tolist() == [d.correct, d.flipped, d.missed, d.added, d.foreground, d.background_pixels]
    assert not table[-1].any()


def test_a_matrix_is_as_good_as_joint_counts():
    """Rows are truth, columns prediction, ids their places."""
    counts = joint_counts(GOLDEN_TRUTH, GOLDEN_PREDICTED, classes=4)
    assert decompose(counts.matrix(range(4))) == decompose(counts)
    assert counts.matrix(range(4)).tolist() == [[3, 1, 1, 0], [1, 2, 1, 0], [0, 1, 2, 0], [1, 0, 0, 1]]


@pytest.mark.parametrize("matrix", [np.zeros((2, 3), int), np.zeros((2, 2)), np.array([[1, -1], [0, 0]])])
def test_a_matrix_that_is_no_count_is_refused(matrix):
    """Not square, not integer, or negative."""
    with pytest.raises(InputError, match="square matrix"):
        decompose(matrix)


def test_flips_are_sorted_and_rated_by_the_truth():
    """Most pixels first, ties by ids; the rate is of the truth class, the share of all flips."""
    d = decompose(np.array([[9, 0, 0, 0], [0, 6, 2, 2], [0, 2, 7, 1], [1, 5, 0, 4]]))
    assert [(f.truth, f.predicted, f.pixels) for f in d.flips] == [(3, 1, 5), (1, 2, 2), (1, 3, 2), (2, 1, 2), (2, 3, 1)]
    assert d.most_confused(1) == d.flips[:1]
    assert d.most_confused(99) == d.flips
    assert (d.flips[0].rate, d.flips[0].share) == (0.5, 5 / 12)
    assert d.macro_flipped_rate == pytest.approx((4 / 10 + 3 / 10 + 5 / 10) / 3)
    assert [(c.id, c.pixels, c.taken, c.added) for c in d.classes] == [(1, 10, 7, 0), (2, 10, 2, 0), (3, 10, 3, 0)]


def test_another_background_id():
    """The background is a setting: with id 2 as ground, 0 is a class like any other."""
    d = decompose(joint_counts([[2, 2, 0, 1]], [[2, 0, 1, 2]], classes=3), background=2)
    assert (d.correct, d.flipped, d.missed, d.added) == (0, 1, 1, 1)


def test_nothing_counted_is_zero_and_nan():
    """Without pixels the parts are 0 and every rate is undefined, not 0 and not 1."""
    d = decompose(EMPTY)
    assert (d.correct, d.flipped, d.missed, d.added, d.pixels, d.flips, d.classes) == (0, 0, 0, 0, 0, (), ())
    rates = (d.correct_rate, d.flipped_rate, d.missed_rate, d.added_rate, d.conditional_flip, d.foreground_iou, d.macro_flipped_rate)
    assert all(math.isnan(rate) for rate in rates)


def test_a_class_only_predicted_has_no_rate_but_is_listed():
    """A class without truth takes no part in the macro mean."""
    d = decompose(joint_counts([[1, 1]], [[1, 2]], classes=3))
    assert [(c.id, c.pixels) for c in d.classes] == [(1, 2), (2, 0)]
    assert math.isnan(d.classes[1].flipped_rate)
    assert math.isnan(d.classes[1].correct_rate)
    assert math.isnan(d.classes[1].missed_rate)
    assert d.macro_flipped_rate == d.flipped_rate == 0.5
