"""Joint counts: runs, dense maps and a loop over pixels agree; they merge like sums."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import confusion_matrix

from figureground.core.errors import InputError
from figureground.data.labelmap import encode_runs
from figureground.metrics.joint import EMPTY, joint_counts, merge, merged_runs

GOLDEN_TRUTH = np.array([[0, 0, 1, 1, 2], [0, 1, 1, 2, 2], [3, 3, 0, 0, 255]], np.uint8)
GOLDEN_PREDICTED = np.array([[0, 1, 1, 2, 2], [0, 0, 1, 2, 1], [3, 0, 0, 2, 3]], np.uint8)


@st.composite
def pairs(draw):
    """Two maps of one shape, small or large ids, short or long runs, uint8 or uint16 apart."""
    shape = draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    stretch = draw(st.integers(1, 30))
    maps = []
    for _ in range(2):
        dtype = draw(st.sampled_from([np.uint8, np.uint16]))
        top = draw(st.sampled_from([1, 4, int(np.iinfo(dtype).max)]))
        maps.append(np.repeat(draw(hnp.arrays(dtype, shape, elements=st.integers(0, top))), stretch, 1))
    return maps


def slow_counts(truth, predicted, ignore):
    """A dictionary filled pixel by pixel."""
    pixels = zip(truth.ravel().tolist(), predicted.ravel().tolist(), strict=True)
    return Counter((t, p) for t, p in pixels if t != ignore)


def as_dict(counts):
    """(truth, predicted) -> pixels."""
    return dict(zip(zip(counts.truth.tolist(), counts.predicted.tolist(), strict=True), counts.pixels.tolist(), strict=True))


@given(pairs(), st.sampled_from([None, 0, 1, 255, 65_535]))
def test_runs_and_arrays_agree_with_a_loop(maps, ignore):
    """Three ways, one table, any ids up to 65,535."""
    truth, predicted = maps
    wanted = slow_counts(truth, predicted, ignore)
    dense = joint_counts(truth, predicted, classes=65_536, ignore=ignore)
    runs = joint_counts(encode_runs(truth), encode_runs(predicted), classes=65_536, ignore=ignore)
    assert as_dict(dense) == as_dict(runs) == wanted
    assert dense == runs
    assert dense.total == sum(wanted.values())


@given(pairs())
def test_merging_rows_of_a_map_gives_the_whole(maps):
    """Counts of two halves add up to the counts of the map; merging is commutative with a neutral element."""
    truth, predicted = maps
    cut = truth.shape[0] // 2
    parts = [joint_counts(truth[s], predicted[s], classes=65_536, ignore=None) for s in (slice(cut), slice(cut, None))]
    whole = joint_counts(truth, predicted, classes=65_536, ignore=None)
    assert merge(parts[0], parts[1]) == merge(parts[1], parts[0]) == whole
    assert merge(whole, EMPTY) == merge(EMPTY, whole) == whole


@given(pairs())
def test_overlaid_runs_are_the_pixels(maps):
    """The stretches of both maps laid over one another decode to both maps."""
    truth, predicted = maps
    t, p, lengths = merged_runs(encode_runs(truth), encode_runs(predicted))
    assert np.array_equal(np.repeat(t, lengths), truth.ravel())
    assert np.array_equal(np.repeat(p, lengths), predicted.ravel())


def test_the_golden_table():
    """The published 3 x 5 example."""
    counts = joint_counts(GOLDEN_TRUTH, GOLDEN_PREDICTED, classes=4)
    assert counts.matrix(range(4)).tolist() == [[3, 1, 1, 0], [1, 2, 1, 0], [0, 1, 2, 0], [1, 0, 0, 1]]


def test_agrees_with_sklearn():
    """The dense table is scikit-learn's confusion matrix."""
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 21, (2, 64, 64)).astype(np.uint8)
    assert np.array_equal(joint_counts(truth, predicted, classes=21).matrix(range(21)), confusion_matrix(truth.ravel(), predicted.ravel()))


def test_threads_do_not_count_into_one_another():
    """Each thread has a table of its own, and each count leaves it empty: many at once give what one after another gives."""
    rng = np.random.default_rng(0)
    maps = [np.kron(rng.integers(0, 200, (2, 16, 16)), np.ones((1, 5, 5), int)).astype(np.uint8) for _ in range(60)]
    jobs = [*maps, *(tuple(map(encode_runs, pair)) for pair in maps)]
    alone = [joint_counts(*job, classes=256, ignore=None) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda job: joint_counts(*job, classes=256, ignore=None), jobs)) == alone
    assert [counts.total for counts in alone] == [6400] * len(jobs)


def test_everything_ignored_counts_nothing():
    """All void: no rows, on runs and on arrays."""
    void = np.full((4, 4), 255, np.uint8)
    other = np.zeros((4, 4), np.uint8)
    assert joint_counts(void, other, classes=2) == joint_counts(encode_runs(void), encode_runs(other), classes=2) == EMPTY


def test_ids_may_have_holes():
    """Ids 0, 17 and 200 are counted under their own numbers."""
    truth, predicted = np.array([[0, 17, 200]], np.uint8), np.array([[0, 200, 200]], np.uint8)
    assert joint_counts(truth, predicted, classes=(0, 17, 200)).matrix((0, 17, 200)).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]


def test_integer_arrays_of_any_width_are_taken():
    """int64 label maps, as torch makes them, count like uint8 ones; a batch axis is fine."""
    truth, predicted = GOLDEN_TRUTH.astype(np.int64)[None], GOLDEN_PREDICTED.astype(np.int64)[None]
    assert joint_counts(truth, predicted, classes=4) == joint_counts(GOLDEN_TRUTH, GOLDEN_PREDICTED, classes=4)


@pytest.mark.parametrize(
    ("truth", "predicted", "words"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2), np.uint8), "integer class ids"),
        (np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), "one shape"),
        (np.full((2, 2), 7, np.uint8), np.zeros((2, 2), np.uint8), "`truth` holds class id 7"),
        (np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8), "`predicted` holds class id 255"),
        (np.full((2, 2), -1), np.zeros((2, 2), np.uint8), r"-1 \.\.\. -1"),
        (np.full((2, 2), 70_000), np.zeros((2, 2), np.uint8), "65535"),
    ],
)
def test_what_cannot_be_counted_is_refused(truth, predicted, words):
    """Floats, other shapes, unknown ids and ignore in a prediction raise, on arrays and on runs alike."""
    with pytest.raises(InputError, match=words):
        joint_counts(truth, predicted, classes=3)
    if truth.dtype == predicted.dtype == np.uint8:
        with pytest.raises(InputError, match=words):
            joint_counts(encode_runs(truth), encode_runs(predicted), classes=3)
