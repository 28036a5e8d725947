"""How far two maps disagree: against dense numpy, by hand, and by law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from figureground.core.errors import InputError
from figureground.core.types import LabelRuns, RunBatch, batch_of
from figureground.data.labelmap import encode_runs
from figureground.metrics.discrepancy import (
    DISTANCES,
    class_areas,
    class_places,
    discrepancy,
    pair_counts,
    region_discrepancy,
    shared_areas,
)

LAW = settings(max_examples=40)
IDS = (0, 1, 2, 7)
COUNTED = tuple(name for name in DISTANCES if name != "region")


@st.composite
def stacks(draw, ids=IDS):
    """A few pairs of maps of one size, flat grounds among them."""
    n, height, width = draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(1, 6))
    maps = arrays(np.uint8, (n, height, width), elements=st.sampled_from(ids), fill=st.just(ids[0]))
    return draw(maps), draw(maps)


def batch(maps) -> RunBatch:
    return batch_of([encode_runs(m) for m in maps])


def counted(a, b, distance, background=0):
    return discrepancy(pair_counts(batch(a), batch(b), ids=IDS), distance=distance, background=background)


def found_distance(a, b, distance, background=0) -> float:
    """The distance of two dense maps by the code under test."""
    if distance == "region":
        return region_discrepancy(encode_runs(a), encode_runs(b), background=background)
    return float(counted([a], [b], distance, background)[0])


def slow_distance(a, b, distance, background=0) -> float:
    """The definition, pixel by pixel."""
    one, other = a != background, b != background
    if distance == "miou":
        present = sorted({*a.ravel().tolist(), *b.ravel().tolist()})
        return 1 - sum(((a == c) & (b == c)).sum() / ((a == c) | (b == c)).sum() for c in present) / len(present)
    if distance == "pixel":
        return float((a != b).mean())
    if distance == "foreground":
        return 1 - (one & other).sum() / (one | other).sum() if (one | other).any() else 0.0
    if distance == "flip":
        return (one & other & (a != b)).sum() / (one | other).sum() if (one | other).any() else 0.0
    parts = []
    for own, opposite in ((a, b), (b, a)):
        for c in sorted(set(own[own != background].ravel().tolist())):
            regions, n = ndimage.label(own == c, structure=np.ones((3, 3)))
            parts += [float((opposite[regions == r] != c).mean()) for r in range(1, n + 1)]
    return sum(parts) / len(parts) if parts else 0.0


@pytest.mark.parametrize("distance", DISTANCES)
@LAW
@given(stacks(), st.sampled_from(IDS))
def test_every_distance_is_its_definition(distance, pair, background):
    """On maps of any class, whichever class is ground."""
    for a, b in zip(*pair, strict=True):
        assert found_distance(a, b, distance, background) == pytest.approx(slow_distance(a, b, distance, background), abs=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
@LAW
@given(stacks())
def test_a_distance_is_symmetric_within_zero_and_one_and_zero_for_equal_maps(distance, pair):
    """Symmetry is to the last bit, since ties are decided by it."""
    for a, b in zip(*pair, strict=True):
        found = found_distance(a, b, distance)
        assert found == found_distance(b, a, distance)
        assert 0 <= found <= 1
        assert found_distance(a, a, distance) == 0


@pytest.mark.parametrize("distance", ["miou", "pixel", "region"])
@LAW
@given(stacks())
def test_what_is_not_blind_is_zero_for_equal_maps_alone(distance, pair):
    for a, b in zip(*pair, strict=True):
        assert (found_distance(a, b, distance) == 0) == np.array_equal(a, b)


@LAW
@given(stacks())
def test_foreground_flip_and_agreement_are_the_whole(pair):
    """Of the pixels that are foreground in either map, some are in one alone, some flipped, and the rest agree."""
    for a, b in zip(*pair, strict=True):
        either = (a != 0) | (b != 0)
        agreed = (either & (a == b)).sum() / either.sum() if either.any() else 1.0
        parts = found_distance(a, b, "foreground") + found_distance(a, b, "flip")
        assert parts <= 1 + 1e-12
        assert parts + agreed == pytest.approx(1)


@pytest.mark.parametrize("distance", COUNTED)
@LAW
@given(stacks(), st.randoms())
def test_samples_know_nothing_of_one_another(distance, pair, random):
    """A batch in another order has the same distances in that order, and each is that of the sample alone."""
    a, b = pair
    order = random.sample(range(len(a)), len(a))
    whole = counted(a, b, distance)
    assert counted(a[order], b[order], distance).tolist() == whole[order].tolist()
    assert [found_distance(one, other, distance) for one, other in zip(a, b, strict=True)] == whole.tolist()


@pytest.mark.parametrize("distance", COUNTED)
@LAW
@given(stacks(), st.permutations(IDS))
def test_the_order_of_the_classes_is_of_no_account(distance, pair, order):
    a, b = pair
    again = discrepancy(pair_counts(batch(a), batch(b), ids=order), distance=distance)
    assert again == pytest.approx(counted(a, b, distance), abs=1e-12)


def test_the_golden_pair_by_hand():
    """IoU 1/4, 2/3 and 0; half the pixels agree; five are foreground in either map, of which two in both, and none is flipped."""
    a, b = np.array([[0, 0, 1, 1, 2, 2]], np.uint8), np.array([[0, 1, 1, 1, 0, 0]], np.uint8)
    assert found_distance(a, b, "miou") == pytest.approx(0.694444, abs=1e-6)
    assert found_distance(a, b, "miou") == pytest.approx(1 - (1 / 4 + 2 / 3) / 3)
    assert found_distance(a, b, "pixel") == 0.5
    assert found_distance(a, b, "foreground") == pytest.approx(1 - 2 / 5)
    assert found_distance(a, b, "flip") == 0
    assert found_distance(a, b, "region") == pytest.approx((0 + 1 + 1 / 3) / 3)


def test_two_grounds_agree_and_one_figure_is_all_there_is_to_disagree_on():
    """The empty cases: without foreground every distance is 0; with it in one map alone foreground and region are 1, flip 0."""
    ground, figure = np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.uint8)
    figure[1, 1:3] = 2
    assert {distance: found_distance(ground, ground, distance) for distance in DISTANCES} == dict.fromkeys(DISTANCES, 0.0)
    found = {distance: found_distance(ground, figure, distance) for distance in DISTANCES}
    assert found == {"miou": pytest.approx(1 - (10 / 12 + 0) / 2), "pixel": pytest.approx(2 / 12), "foreground": 1, "flip": 0, "region": 1}


def test_a_flip_of_the_whole_figure_is_all_flip():
    a, b = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    a[1:3, 1:3], b[1:3, 1:3] = 1, 2
    assert [found_distance(a, b, d) for d in ("foreground", "flip", "region")] == [0, 1, 1]


@pytest.mark.parametrize("distance", COUNTED)
def test_a_sample_without_pixels_has_no_distance(distance):
    """NaN for it, and the numbers of its neighbours are their own."""
    figure = encode_runs(np.array([[0, 1]], np.uint8))
    ground = encode_runs(np.array([[0, 0]], np.uint8))
    found = discrepancy(pair_counts(batch_of([figure, None, figure]), batch_of([ground, None, figure]), ids=IDS), distance=distance)
    assert math.isnan(found[1])
    assert found[2] == 0
    assert found[0] == found_distance(figure.dense(), ground.dense(), distance)


@LAW
@given(stacks(), st.randoms())
def test_runs_that_are_cut_anywhere_count_the_same(pair, random):
    """Merging classes leaves neighbours of one value, and files may hold empty runs: neither changes a count."""
    a, b = pair
    cut = batch_of([cut_runs(encode_runs(m), random) for m in a])
    whole, place = batch(b), class_places(IDS)
    assert np.array_equal(class_areas(cut, place, classes=4), class_areas(batch(a), place, classes=4))
    assert np.array_equal(shared_areas(cut, whole, place, classes=4), shared_areas(batch(a), whole, place, classes=4))
    assert np.array_equal(shared_areas(whole, cut, place, classes=4), shared_areas(whole, batch(a), place, classes=4))
    for one, other, m in zip(range(len(a)), b, a, strict=True):
        found = region_discrepancy(cut.map_of(one), encode_runs(other))
        assert found == found_distance(m, other, "region") == region_discrepancy(encode_runs(other), cut.map_of(one))


def cut_runs(runs: LabelRuns, random) -> LabelRuns:
    values, lengths = [], []
    for value, length in zip(runs.values.tolist(), runs.lengths.tolist(), strict=True):
        first = random.randint(0, length)
        values += [value, value]
        lengths += [first, length - first]
    return LabelRuns(height=runs.height, width=runs.width, values=np.array(values, np.uint8), lengths=np.array(lengths, np.uint32))


def test_ids_of_two_bytes_and_the_largest_of_all_are_counted():
    a, b = np.array([[0, 300, 65_535]], np.uint16), np.array([[0, 300, 300]], np.uint16)
    counts = pair_counts(batch([a]), batch([b]), ids=(0, 300, 65_535))
    assert [counts.hits.tolist(), counts.truth.tolist(), counts.predicted.tolist()] == [[[1, 1, 0]], [[1, 1, 1]], [[1, 2, 0]]]


def test_a_value_that_is_no_class_is_in_no_column():
    """What has no place in the table is passed over by the areas, and by the shared areas even where both maps have it."""
    a = batch([np.array([[0, 9, 9, 1]], np.uint8)])
    place = class_places(IDS)
    assert class_areas(a, place, classes=4).tolist() == [[1, 1, 0, 0]]
    assert shared_areas(a, a, place, classes=4).tolist() == [[1, 1, 0, 0]]


def test_wrong_input_is_refused():
    """Other lengths and sizes, values that are no class, maps that are not filled, and distances that need more than counts."""
    small, large, strange = (batch([np.full(shape, value, np.uint8)]) for shape, value in (((1, 4), 0), ((2, 2), 0), ((1, 4), 9)))
    for a, b in ((small, large), (small, batch_of([])), (small, strange), (strange, small)):
        with pytest.raises(InputError):
            pair_counts(a, b, ids=IDS)
    short = RunBatch(sizes_hw=small.sizes_hw, values=small.values, lengths=small.lengths - 1, offsets=small.offsets)
    with pytest.raises(InputError, match="fill"):
        pair_counts(short, small, ids=IDS)
    for distance in ("region", "mIoU"):
        with pytest.raises(InputError, match="`distance` must be one of"):
            discrepancy(pair_counts(small, small, ids=IDS), distance=distance)
    with pytest.raises(InputError):
        region_discrepancy(small.map_of(0), large.map_of(0))
