"""Groups, their kinds and their gaps: by hand, against loops, and by law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.metrics.decompose import sample_parts
from figureground.metrics.groups import flip_gap, gap_plan, group_index, group_kinds, iou_gaps, majority_contexts, worst_group
from figureground.metrics.resample import bootstrap_sums

LAW = settings(max_examples=40)
LABELS, CONTEXTS = ["cat", "cat", "cat", "dog", "dog", "dog", "cat", ""], ["in", "in", "out", "out", "out", "in", "", "in"]

columns = st.integers(0, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from(["cat", "dog", "fox", ""]), min_size=n, max_size=n),
        st.lists(st.sampled_from(["in", "out", "sea", ""]), min_size=n, max_size=n),
    )
)


@LAW
@given(columns)
def test_groups_part_the_samples(rows):
    """Every sample with all values is in exactly one group, with its values; the others are counted."""
    labels, contexts = rows
    index = group_index({"class": labels, "context": contexts})
    seen = [int(i) for group in index.groups for i in group.members]
    assert sorted(seen) == [i for i, pair in enumerate(zip(labels, contexts, strict=True)) if "" not in pair]
    assert len(seen) + index.left_out == len(labels)
    assert all((labels[i], contexts[i]) == group.values for group in index.groups for i in group.members)
    assert [group.values for group in index.groups] == sorted(group.values for group in index.groups)
    assert all(index.groups[index.place(group.values)] is group for group in index.groups)


def test_by_one_and_by_three_attributes():
    """Any number of attributes; absent combinations are listed, few samples marked."""
    index = group_index({"class": LABELS, "context": CONTEXTS, "site": ["a"] * 7 + ["b"]})
    assert [group.values for group in index.groups] == [("cat", "in", "a"), ("cat", "out", "a"), ("dog", "in", "a"), ("dog", "out", "a")]
    assert index.left_out == 2
    assert index.absent() == []
    assert group_index({"class": ["a", "b"], "context": ["x", "y"]}).absent() == [("a", "y"), ("b", "x")]
    assert index.place(("cat", "sea", "a")) is None
    sizes = group_index({"class": ["a"] * 20 + ["b"] * 19})
    assert [group.few for group in sizes.groups] == [False, True]
    assert [len(members) for members in sizes.members] == [20, 19]


def test_majority_context_of_each_class():
    """Most frequent wins, a tie gives none, samples without a value do not count."""
    assert majority_contexts(LABELS, CONTEXTS) == {"cat": "in", "dog": "out"}
    assert majority_contexts(["a", "a", "b"], ["x", "y", ""]) == {"a": None}
    assert majority_contexts([], []) == {}


@LAW
@given(columns)
def test_majority_context_agrees_with_counting(rows):
    """The context is one that no other reaches."""
    labels, contexts = rows
    seen = [pair for pair in zip(labels, contexts, strict=True) if "" not in pair]
    common = majority_contexts(labels, contexts)
    assert set(common) == {label for label, _ in seen}
    for label, context in common.items():
        counts = sorted((seen.count((label, c)) for c in ("in", "out", "sea")), reverse=True)
        assert (context is None) == (counts[0] == counts[1])
        assert context is None or seen.count((label, context)) == counts[0]


def test_kinds():
    """Common keeps the tie, counterfactual breaks it, and without a tie or without both attributes there is no kind."""
    index = group_index({"context": CONTEXTS, "class": LABELS})
    assert [group.values for group in index.groups] == [("in", "cat"), ("in", "dog"), ("out", "cat"), ("out", "dog")]
    assert group_kinds(index, {"cat": "in", "dog": "out"}) == ["common", "counterfactual", "counterfactual", "common"]
    assert group_kinds(index, {"cat": "in", "dog": None}) == ["common", None, "counterfactual", None]
    assert group_kinds(index, {}) == [None] * 4
    assert group_kinds(group_index({"class": LABELS}), {"cat": "in"}) == [None, None]


def test_gaps_as_published():
    """Two classes and two contexts: common minus counterfactual IoU per class, counterfactual minus common flip."""
    index = group_index({"class": LABELS, "context": CONTEXTS})
    common = majority_contexts(LABELS, CONTEXTS)
    plan = gap_plan(index, common)
    assert [(gap.label, gap.common, gap.others) for gap in plan] == [("cat", (0,), (1,)), ("dog", (3,), (2,))]
    np.testing.assert_allclose(iou_gaps(plan, np.array([0.9, 0.5, 0.4, 0.8])), [0.4, 0.4])
    kinds = group_kinds(index, common)
    assert flip_gap(kinds, np.array([1, 8, 4, 3]), np.array([10, 10, 10, 10])) == pytest.approx(12 / 20 - 4 / 20)


def test_gaps_with_more_contexts_and_missing_values():
    """The mean is over the other contexts that have a value; without any, or without the common one, the gap is undefined."""
    index = group_index({"class": ["a", "a", "a", "b", "c"], "context": ["x", "y", "z", "x", "y"]})
    plan = gap_plan(index, {"a": "x", "b": "x", "c": "x"})
    assert [(gap.label, gap.others) for gap in plan] == [("a", (1, 2)), ("b", ())]
    np.testing.assert_equal(iou_gaps(plan, np.array([0.9, 0.3, 0.5, 0.7, 0.1])), [0.5, math.nan])
    np.testing.assert_equal(iou_gaps(plan, np.array([0.9, math.nan, 0.5, 0.7, 0.1]))[0], 0.4)
    np.testing.assert_equal(iou_gaps(plan, np.array([0.9, math.nan, math.nan, 0.7, 0.1]))[0], math.nan)
    np.testing.assert_equal(iou_gaps(plan, np.array([math.nan, 0.3, 0.5, 0.7, 0.1]))[0], math.nan)
    assert iou_gaps((), np.empty((0, 7))).shape == (0, 7)


def test_a_class_of_several_common_contexts_by_hand():
    """It keeps its tie in each of them, and the gap is the mean of those minus the mean of the others; one without a value is left out."""
    index = group_index({"class": ["a", "a", "a", "a", "b", "b"], "context": ["w", "x", "y", "z", "x", "y"]})
    common = {"a": ("z", "w"), "b": ("y",)}
    kinds = group_kinds(index, common)
    assert kinds == ["common", "counterfactual", "counterfactual", "common", "counterfactual", "common"]
    plan = gap_plan(index, common)
    assert [(gap.label, gap.common, gap.others) for gap in plan] == [("a", (0, 3), (1, 2)), ("b", (5,), (4,))]
    np.testing.assert_allclose(iou_gaps(plan, np.array([0.9, 0.3, 0.5, 0.7, 0.2, 0.6])), [0.8 - 0.4, 0.4])
    np.testing.assert_allclose(iou_gaps(plan, np.array([math.nan, 0.3, 0.5, 0.7, 0.2, math.nan])), [0.7 - 0.4, math.nan])
    flipped = np.array([1, 6, 8, 3, 4, 2])
    assert flip_gap(kinds, flipped, np.full(6, 10)) == pytest.approx((6 + 8 + 4) / 30 - (1 + 3 + 2) / 30)


def test_gaps_need_class_and_context_alone():
    """Groups by anything else have no gap."""
    with pytest.raises(InputError, match="gaps need groups"):
        gap_plan(group_index({"class": LABELS}), {"cat": "in"})


def test_flip_gap_without_a_side_is_undefined():
    """No counterfactual group, or no foreground in it: NaN and no warning."""
    assert math.isnan(flip_gap(["common", None], np.array([1, 2]), np.array([3, 4])))
    assert math.isnan(flip_gap(["common", "counterfactual"], np.array([1, 0]), np.array([3, 0])))
    assert math.isnan(flip_gap([], np.empty(0), np.empty(0)))


def test_gaps_of_resamples_are_the_gaps_of_each():
    """Gaps take a trailing axis of resamples and treat each as it would alone."""
    rng = np.random.default_rng(3)
    labels, contexts = rng.choice(["cat", "dog", "fox"], 40), rng.choice(["in", "out", "sea"], 40)
    index = group_index({"class": labels.tolist(), "context": contexts.tolist()})
    common = {"cat": "in", "dog": "out", "fox": "sea"}
    n = 200
    rows = rng.integers(0, 40, n), rng.integers(0, 4, n), rng.integers(0, 4, n), rng.integers(1, 90, n)
    sums = bootstrap_sums(sample_parts(*rows, samples=40), groups=index.members, resamples=50, seed=1)
    kinds, plan = group_kinds(index, common), gap_plan(index, common)
    flips = flip_gap(kinds, sums[..., 1], sums[..., 4])
    ious = np.divide(sums[..., 0], sums[..., 4], out=np.full(sums.shape[:2], np.nan), where=sums[..., 4] > 0)
    gaps = iou_gaps(plan, ious)
    assert flips.shape == (50,)
    assert gaps.shape == (3, 50)
    for b in range(50):
        pooled = [sum(sums[g, b, [1, 4]] for g, kind in enumerate(kinds) if kind == k) for k in ("counterfactual", "common")]
        np.testing.assert_allclose(flips[b], pooled[0][0] / pooled[0][1] - pooled[1][0] / pooled[1][1])
        np.testing.assert_array_equal(gaps[:, b], iou_gaps(plan, ious[:, b]))


def test_worst_group():
    """The largest rate that is known, the first on a tie."""
    assert worst_group(np.array([0.1, math.nan, 0.4, 0.4])) == (2, 0.4)
    for nothing in (np.array([]), np.array([math.nan])):
        index, value = worst_group(nothing)
        assert index is None
        assert math.isnan(value)


def test_bad_columns_are_refused():
    """No attribute, or columns of unequal length: the message says which."""
    with pytest.raises(InputError, match="got none"):
        group_index({})
    with pytest.raises(InputError, match=r"a \[1\], b \[2\]"):
        group_index({"a": ["x"], "b": ["y", "z"]})
    assert len(group_index({"a": []})) == 0
