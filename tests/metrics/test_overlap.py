"""IoU, Dice and accuracy with their reductions: against loops, by hand, and by law."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from figureground.core.errors import InputError
from figureground.metrics.joint import joint_counts, merge
from figureground.metrics.overlap import class_counts, counts_by_class, nan_mean, overlap

LAW = settings(max_examples=40)
CLASSES = 4
REDUCTIONS = ("micro", "macro", "micro-imagewise", "macro-imagewise", "none")


@st.composite
def stacks(draw):
    """A few pairs of maps of one size."""
    n, side = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    truth = draw(arrays(np.uint8, (n, side, side), elements=st.sampled_from([0, 1, 2, 3, 255])))
    return truth, draw(arrays(np.uint8, (n, side, side), elements=st.integers(0, 3)))


def counts_of(truth, predicted):
    return counts_by_class([joint_counts(t, p, classes=CLASSES) for t, p in zip(truth, predicted, strict=True)], ids=range(CLASSES))


def slow_score(score, masks):
    """The score of a list of (truth, predicted) binary masks taken together; NaN for 0 / 0."""
    hits = sum(int((t & p).sum()) for t, p in masks)
    truth, predicted = sum(int(t.sum()) for t, _ in masks), sum(int(p.sum()) for _, p in masks)
    top, bottom = {"iou": (hits, truth + predicted - hits), "dice": (2 * hits, truth + predicted), "accuracy": (hits, truth)}[score]
    return top / bottom if bottom else math.nan


def slow_overlap(truth, predicted, score, reduction):
    """From binary masks and lists of numbers, without any table of counts."""

    def mean(values):
        values = [v for v in values if not math.isnan(v)]
        return sum(values) / len(values) if values else math.nan

    masks = [[((t == c), (p == c) & (t != 255)) for c in range(CLASSES)] for t, p in zip(truth, predicted, strict=True)]
    if reduction in ("none", "macro"):
        per_class = [slow_score(score, [sample[c] for sample in masks]) for c in range(CLASSES)]
        return per_class if reduction == "none" else mean(per_class)
    if reduction == "micro":
        return slow_score(score, [mask for sample in masks for mask in sample])
    if reduction == "micro-imagewise":
        return mean([slow_score(score, sample) for sample in masks])
    return mean([mean([slow_score(score, [mask]) for mask in sample]) for sample in masks])


@LAW
@given(stacks())
def test_agrees_with_binary_masks(maps):
    """Every score and reduction equals one worked out from binary masks."""
    for score, reduction in product(("iou", "dice", "accuracy"), REDUCTIONS):
        got = overlap(counts_of(*maps), score=score, reduction=reduction)
        np.testing.assert_allclose(got, slow_overlap(*maps, score, reduction), rtol=1e-12, err_msg=f"{score} {reduction}")


def test_golden_iou():
    """The worked example has IoU 3/7, 2/6, 2/5 and 1/2."""
    truth = [[0, 0, 1, 1, 2], [0, 1, 1, 2, 2], [3, 3, 0, 0, 255]]
    predicted = [[0, 1, 1, 2, 2], [0, 0, 1, 2, 1], [3, 0, 0, 2, 3]]
    counts = counts_by_class([joint_counts(truth, predicted, classes=4)], ids=range(4))
    np.testing.assert_allclose(overlap(counts, reduction="none"), [3 / 7, 2 / 6, 2 / 5, 1 / 2], atol=1e-6)


def test_golden_agreement_of_two_maps():
    """Two maps with IoU .25, .666667 and 0: mean .305556, distance .694444, pixel accuracy .5."""
    counts = counts_by_class([joint_counts([0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 0, 0], classes=3)], ids=range(3))
    np.testing.assert_allclose(overlap(counts, reduction="none"), [0.25, 0.666667, 0], atol=1e-6)
    assert overlap(counts, reduction="macro") == pytest.approx(0.305556, abs=1e-6)
    assert 1 - overlap(counts, reduction="macro") == pytest.approx(0.694444, abs=1e-6)
    assert overlap(counts, score="accuracy", reduction="micro") == 0.5


@LAW
@given(stacks())
def test_dice_is_a_function_of_iou(maps):
    """Per class, Dice = 2 IoU / (1 + IoU), and both are undefined together."""
    counts = counts_of(*maps)
    iou = overlap(counts, score="iou", reduction="none")
    np.testing.assert_allclose(overlap(counts, score="dice", reduction="none"), 2 * iou / (1 + iou))


@LAW
@given(stacks())
def test_micro_dice_of_all_classes_is_the_pixel_accuracy(maps):
    """Over all classes, truth and prediction have the same number of pixels."""
    counts = counts_of(*maps)
    np.testing.assert_allclose(overlap(counts, score="dice", reduction="micro"), overlap(counts, score="accuracy", reduction="micro"))


@LAW
@given(stacks())
def test_order_and_doubling_of_samples_change_nothing(maps):
    """Every reduction is a mean or a ratio of sums, so turning the stack round or taking it twice leaves it."""
    truth, predicted = maps
    twice = np.concatenate([truth[::-1], truth]), np.concatenate([predicted[::-1], predicted])
    for reduction in REDUCTIONS:
        np.testing.assert_allclose(
            overlap(counts_of(*twice), reduction=reduction), overlap(counts_of(*maps), reduction=reduction), rtol=1e-12
        )


@LAW
@given(stacks())
def test_pooled_scores_depend_on_merged_counts_alone(maps):
    """Micro, macro and none of a stack equal those of one sample with the merged counts."""
    one = joint_counts(maps[0][0], maps[1][0], classes=CLASSES)
    for t, p in zip(maps[0][1:], maps[1][1:], strict=True):
        one = merge(one, joint_counts(t, p, classes=CLASSES))
    for reduction in ("micro", "macro", "none"):
        got = overlap(counts_by_class([one], ids=range(CLASSES)), reduction=reduction)
        np.testing.assert_allclose(got, overlap(counts_of(*maps), reduction=reduction), rtol=1e-12)


def test_absent_classes_are_nan_and_left_out():
    """A class in neither map has no overlap; one only predicted has overlap 0, and no accuracy."""
    counts = counts_by_class([joint_counts([[0, 1]], [[2, 1]], classes=4)], ids=range(4))
    np.testing.assert_equal(overlap(counts, reduction="none"), [0, 1, 0, math.nan])
    np.testing.assert_equal(overlap(counts, score="accuracy", reduction="none"), [0, 1, math.nan, math.nan])
    assert overlap(counts, reduction="macro") == pytest.approx(1 / 3)
    assert overlap(counts, reduction="macro", classes=[1, 3]) == 1
    assert math.isnan(overlap(counts, reduction="macro", classes=[3]))


def test_samples_without_pixels_are_left_out_of_imagewise_means():
    """A sample that is all void has no score and no weight."""
    counts = counts_of([[[1, 1]], [[255, 255]]], [[[1, 0]], [[2, 2]]])
    assert overlap(counts, reduction="macro-imagewise") == overlap(counts_of([[[1, 1]]], [[[1, 0]]]), reduction="macro-imagewise")


def test_no_samples():
    """Nothing gives NaN, in the shape asked for."""
    counts = counts_by_class([], ids=range(3))
    for reduction in REDUCTIONS:
        assert np.isnan(overlap(counts, reduction=reduction)).all()
    assert overlap(counts, reduction="none").shape == (3,)
    assert math.isnan(nan_mean(np.array([])))


def test_wrong_words_and_ids_are_refused():
    """Unknown score, reduction or class id: the message lists what there is."""
    counts = counts_of([[[1]]], [[[1]]])
    with pytest.raises(InputError, match="macro-imagewise"):
        overlap(counts, reduction="weighted")
    with pytest.raises(InputError, match="dice"):
        overlap(counts, score="f2")
    with pytest.raises(InputError, match="class id 9"):
        overlap(counts, classes=[9])
    one = np.array([0]), np.array([1]), np.array([7]), np.array([3])
    with pytest.raises(InputError, match="class id 7"):
        class_counts(*one, samples=1, ids=[0, 1])


def test_classes_in_any_order_and_with_gaps():
    """Columns follow the ids given."""
    one = np.array([0, 0]), np.array([7, 40]), np.array([40, 40]), np.array([3, 5])
    counts = class_counts(*one, samples=2, ids=[40, 0, 7])
    assert counts.hits.tolist() == [[5, 0, 0], [0, 0, 0]]
    assert counts.truth[0].tolist() == [5, 0, 3]
    assert counts.predicted[0].tolist() == [8, 0, 0]
