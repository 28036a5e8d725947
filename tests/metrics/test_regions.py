"""Regions: against two other labellers, by hand, and by law."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from figureground.core.errors import InputError
from figureground.data.labelmap import encode_runs
from figureground.metrics.decompose import decompose
from figureground.metrics.joint import joint_counts
from figureground.metrics.regions import component_runs, majority_verdict, regions_of

LAW = settings(max_examples=40)


@st.composite
def pairs(draw):
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    truth = draw(arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 2, 255])))
    return truth, draw(arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2])))


def table_of(truth, predicted, **settings):
    return regions_of(encode_runs(np.asarray(truth, np.uint8)), encode_runs(np.asarray(predicted, np.uint8)), **settings)


def slow_regions(labels, *, background=0, ignore=255):
    """Masks of the regions by scipy, one class at a time, in the order of their first pixel; and their classes."""
    found = []
    for class_id in np.unique(labels):
        if class_id not in (background, ignore):
            numbered, n = ndimage.label(labels == class_id, structure=np.ones((3, 3)))
            found += [(int(np.flatnonzero(numbered == i)[0]), numbered == i, int(class_id)) for i in range(1, n + 1)]
    found.sort(key=lambda region: region[0])
    return [mask for _, mask, _ in found], [class_id for _, _, class_id in found]


@LAW
@given(pairs())
def test_components_agree_with_scipy_and_opencv(maps):
    """The same pixels belong together, numbered by their first pixel, and as many as OpenCV finds."""
    labels = maps[0]
    components = component_runs(encode_runs(labels))
    masks, classes = slow_regions(labels)
    assert components.class_id.tolist() == classes
    expected = np.full(labels.shape, -1)
    for number, mask in enumerate(masks):
        expected[mask] = number
    np.testing.assert_array_equal(components.dense(), expected)
    by_opencv = sum(cv2.connectedComponents((labels == c).astype(np.uint8), connectivity=8)[0] - 1 for c in (1, 2))
    assert len(components) == by_opencv


@LAW
@given(pairs(), st.sampled_from(["truth", "predicted"]))
def test_columns_agree_with_masks(maps, side):
    """Area, parts and box of every region equal those counted on its mask."""
    truth, predicted = maps
    masks, classes = slow_regions(truth if side == "truth" else predicted, ignore=255 if side == "truth" else None)
    table = table_of(truth, predicted, side=side)
    assert table.class_id.tolist() == classes
    for i, mask in enumerate(masks):
        counted = mask & (truth != 255)
        both = (truth != 0) & (predicted != 0)
        assert table.area[i] == counted.sum()
        assert table.ignored[i] == (mask & (truth == 255)).sum()
        assert table.correct[i] == (counted & (truth == predicted)).sum()
        assert table.flipped[i] == (counted & both & (truth != predicted)).sum()
        assert table.missed[i] == (counted & (predicted == 0)).sum()
        assert table.added[i] == (counted & (truth == 0)).sum()
        rows, columns = np.nonzero(mask)
        box = table.top[i], table.left[i], table.bottom[i], table.right[i]
        assert box == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)


@LAW
@given(pairs())
def test_regions_sum_to_the_decomposition(maps):
    """The regions of the truth hold all correct, flipped and missed pixels; those of the prediction all added ones."""
    d = decompose(joint_counts(*maps, classes=3))
    of_truth, of_prediction = table_of(*maps), table_of(*maps, side="predicted")
    assert (of_truth.correct.sum(), of_truth.flipped.sum(), of_truth.missed.sum()) == (d.correct, d.flipped, d.missed)
    assert (of_prediction.correct.sum(), of_prediction.flipped.sum(), of_prediction.added.sum()) == (d.correct, d.flipped, d.added)
    assert not of_truth.added.any()
    assert not of_truth.ignored.any()
    assert not of_prediction.missed.any()


@LAW
@given(pairs())
def test_turning_the_picture_round_keeps_the_regions(maps):
    """Rotating by half a turn or transposing keeps the set of (class, area, parts)."""
    rows = []
    for turned in (maps, [m[::-1, ::-1] for m in maps], [m.T for m in maps]):
        t = table_of(*[np.ascontiguousarray(m) for m in turned])
        rows.append(sorted(zip(t.class_id, t.area, t.correct, t.flipped, t.missed, t.verdict, strict=True)))
    assert rows[0] == rows[1] == rows[2]


def test_by_hand():
    """Corners join, classes part, and the verdict is what holds more than half."""
    truth = [[1, 0, 2, 2], [0, 1, 2, 2], [0, 0, 0, 0], [2, 2, 0, 1]]
    predicted = [[1, 0, 1, 1], [0, 2, 1, 2], [0, 0, 0, 0], [0, 0, 2, 1]]
    table = table_of(truth, predicted)
    assert table.class_id.tolist() == [1, 2, 2, 1]
    assert table.area.tolist() == [2, 4, 2, 1]
    assert table.verdicts == ["mixed", "flipped", "missed", "correct"]
    by_prediction = table_of(truth, predicted, side="predicted")
    assert by_prediction.class_id.tolist() == [1, 1, 2, 2, 2, 1]
    assert by_prediction.verdicts == ["correct", "flipped", "flipped", "correct", "added", "correct"]


def test_half_is_no_majority():
    """Exactly half is mixed, all zero is ignored, one pixel more decides."""
    parts = np.array([[2, 0, 3, 0], [2, 0, 2, 0], [0, 0, 0, 5], [0, 0, 0, 4]])
    assert majority_verdict(parts).tolist() == [4, 5, 0, 2]


def test_a_prediction_on_void_is_ignored_and_keeps_its_shape():
    """A predicted region that lies on void is one region with no say; half on void, the rest decides."""
    truth, predicted = [[255, 255, 0], [1, 255, 2]], [[1, 1, 0], [0, 0, 0]]
    table = table_of(truth, predicted, side="predicted")
    assert (table.area.tolist(), table.ignored.tolist(), table.verdicts) == ([0], [2], ["ignored"])
    across = table_of([[1, 255, 1]], [[1, 1, 1]], side="predicted")
    assert (across.area.tolist(), across.ignored.tolist(), across.verdicts) == ([2], [1], ["correct"])


def test_no_foreground_gives_no_regions():
    """Empty columns, not an error."""
    for side in ("truth", "predicted"):
        table = table_of([[0, 255]], [[0, 0]], side=side)
        assert len(table) == 0
        assert table.verdicts == []
        assert table.area.shape == (0,)


def test_wide_ids_and_another_background():
    """Ids above 255 and a background that is not 0."""
    labels = np.array([[7, 300, 300], [0, 7, 65_000]], np.uint16)
    components = component_runs(encode_runs(labels), background=7, ignore=None)
    assert components.class_id.tolist() == [300, 0, 65_000]


def test_components_given_are_the_components_used():
    """Handing in the segments of a side changes nothing."""
    truth, predicted = encode_runs(np.array([[1, 1, 0, 2]], np.uint8)), encode_runs(np.array([[1, 0, 0, 1]], np.uint8))
    known = component_runs(truth)
    given_, own = regions_of(truth, predicted, components=known), regions_of(truth, predicted)
    assert given_.verdicts == own.verdicts == ["mixed", "flipped"]


def test_bad_input_is_refused():
    """Sizes that differ, or an unknown side."""
    with pytest.raises(InputError, match="of one size"):
        table_of([[0, 1]], [[0], [1]])
    with pytest.raises(InputError, match="side"):
        table_of([[0]], [[0]], side="left")
