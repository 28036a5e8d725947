"""What the mask screen does to a layer, against the rule said slowly; and the counts by which actions are compared."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from figureground.review.effort.operations import named, polygon, speck, stroke, tidied
from figureground.review.effort.score import gains, mean_iou, score_of
from figureground.review.effort.strokes import best_strokes
from figureground.review.regions import figures, regions

LAW = settings(max_examples=40, deadline=None)
SHAPE = (9, 11)
PIXEL = st.tuples(st.integers(0, 10), st.integers(0, 8))
LAYER = arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 1, 2]))
TRUTH = arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 1, 2, 255]))


def distance(x, y, a, b):
    """From a point to a line between two points."""
    (ax, ay), (bx, by) = a, b
    long = (bx - ax) ** 2 + (by - ay) ** 2
    t = min(1, max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / long)) if long else 0
    return math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay))


def slow_miou(truth, layer):
    kept = truth != 255
    values = [v for v in range(255) if ((truth == v) & kept).any() or ((layer == v) & kept).any()]
    ratios = [((truth == v) & (layer == v) & kept).sum() / (((truth == v) | (layer == v)) & kept).sum() for v in values]
    return float(np.mean(ratios)) if ratios else 1.0


@LAW
@given(LAYER, st.lists(PIXEL, min_size=1, max_size=3), st.sampled_from([1, 3, 5, 9]))
def test_a_stroke_sets_the_pixels_near_its_path(layer, path, diameter):
    """Exactly those whose centre is no farther than half the brush from a leg."""
    found = stroke(layer, tuple(path), diameter=diameter, value=7)
    legs = list(itertools.pairwise(path)) or [(path[0], path[0])]
    for y, x in np.ndindex(SHAPE):
        far = min(distance(x, y, a, b) for a, b in legs)
        if abs(far - diameter / 2) > 1e-9:
            assert found[y, x] == (7 if far < diameter / 2 else layer[y, x])


@LAW
@given(LAYER, arrays(np.int32, SHAPE, elements=st.integers(0, 5)), st.lists(PIXEL, min_size=1, max_size=4), st.sampled_from([1, 3, 5]))
def test_a_snapped_stroke_sets_whole_superpixels(layer, segments, path, diameter):
    """Those that its middle passes over, and those of which all of it covers at least half; numbers without pixels do no harm."""
    inside, middle = (stroke(np.zeros(SHAPE, np.uint8), tuple(path), diameter=width, value=1) == 1 for width in (diameter, 1))
    found = stroke(layer, tuple(path), diameter=diameter, value=7, segments=segments)
    for number in np.unique(segments):
        mask = segments == number
        taken = middle[mask].any() or 2 * inside[mask].sum() >= mask.sum()
        np.testing.assert_array_equal(found[mask], 7 if taken else layer[mask])


@LAW
@given(arrays(np.int32, SHAPE, elements=st.integers(0, 5)), PIXEL, PIXEL, st.integers(1, 4), st.sampled_from([1, 3, 5]))
def test_a_snapped_stroke_does_not_depend_on_the_steps_in_which_it_came(segments, start, step, count, diameter):
    """The same line in one leg, and in as many as it has pixels that lie on it exactly."""
    layer, stop = np.zeros(SHAPE, np.uint8), tuple(a + count * (b > a) - count * (b < a) for a, b in zip(start, step, strict=True))
    steps = [tuple(a + k * ((b > a) - (b < a)) for a, b in zip(start, step, strict=True)) for k in range(count + 1)]
    if 0 <= stop[0] < SHAPE[1] and 0 <= stop[1] < SHAPE[0]:
        at_once, slowly = (stroke(layer, tuple(path), diameter=diameter, value=7, segments=segments) for path in ([start, stop], steps))
        np.testing.assert_array_equal(at_once, slowly)


@LAW
@given(LAYER, st.lists(st.tuples(st.floats(-3, 14), st.floats(-3, 12)), min_size=3, max_size=7))
def test_a_polygon_sets_the_pixels_whose_centres_are_inside(layer, corners):
    """Inside = a ray to the left crosses an odd number of sides."""
    found = polygon(layer, np.array(corners), value=7)
    for y, x in np.ndindex(SHAPE):
        cuts = []
        for (px, py), (qx, qy) in zip(corners, [*corners[1:], corners[0]], strict=True):
            if (py <= y + 0.5) != (qy <= y + 0.5):
                cuts.append(px + (y + 0.5 - py) / (qy - py) * (qx - px))
        if all(abs(cut - x - 0.5) > 1e-9 for cut in cuts):
            assert found[y, x] == (7 if sum(cut < x + 0.5 for cut in cuts) % 2 else layer[y, x])


def test_left_edges_of_a_polygon_are_inside_and_right_edges_outside():
    found = polygon(np.zeros((4, 6), np.uint8), np.array([[1.5, 0.5], [4.5, 0.5], [4.5, 2.5], [1.5, 2.5]]), value=1)
    assert np.argwhere(found).tolist() == [[0, 1], [0, 2], [0, 3], [1, 1], [1, 2], [1, 3]]


@LAW
@given(LAYER, st.integers(1, 8))
def test_tidying_leaves_no_speck_and_no_new_value(layer, least):
    """A second time changes nothing, large regions of the same surroundings stay, input is not written to."""
    before = layer.copy()
    found = tidied(layer, least)
    pieces = regions(found)
    assert len(pieces) == 1 or pieces.area.min() >= least
    assert set(np.unique(found)) <= set(np.unique(layer))
    np.testing.assert_array_equal(tidied(found, least), found)
    np.testing.assert_array_equal(layer, before)


def test_a_speck_goes_to_the_neighbour_with_the_longest_border():
    """The class 3 pixel has three sides with 2 and one with 1."""
    layer = np.array([[1, 1, 1, 1], [1, 1, 3, 2], [2, 2, 2, 2], [2, 2, 2, 2]], np.uint8)
    layer[1, 1] = 2
    assert tidied(layer, 2)[1, 2] == 2
    assert speck((100, 100)) == 12
    assert speck((500, 625)) == 63


@LAW
@given(TRUTH, LAYER)
def test_the_mean_iou_agrees_with_its_definition(truth, layer):
    """Void is not counted, absent classes neither, and nothing to count is 1."""
    assert math.isclose(mean_iou(truth, layer), slow_miou(truth, layer))


@LAW
@given(TRUTH, LAYER, LAYER, st.booleans())
def test_gains_are_what_the_changes_would_give(truth, layer, source, whole):
    """For every piece of another map and every value, as if it were painted and counted anew."""
    pieces = figures(source) if whole else regions(source)
    values = np.array([0, 1, 5])
    found = gains(score_of(truth, layer), pieces.number, len(pieces), truth=truth, layer=layer, values=values)
    assert found.shape == (len(pieces), 3)
    for piece in range(len(pieces)):
        for k, value in enumerate(values.tolist()):
            assert math.isclose(found[piece, k], slow_miou(truth, named(layer, pieces, piece, value)))


@LAW
@given(arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 1])), st.integers(0, 9), st.booleans(), st.integers(1, 3))
def test_offered_strokes_bring_something_and_are_no_longer_than_asked(error, seed, snap, legs):
    """Paths start inside what is wrong, and the worth of the pixels taken is above 0."""
    worth = np.where(error > 0, 1.0, -0.5).astype(np.float32)
    segments = np.unique(np.random.default_rng(seed).integers(0, 12, SHAPE), return_inverse=True)[1].reshape(SHAPE).astype(np.int32)
    for one in best_strokes(error, worth, segments if snap else None, legs=legs):
        taken = stroke(np.zeros(SHAPE, np.uint8), one.path, diameter=one.diameter, value=1, segments=segments if snap else None)
        assert worth[taken == 1].sum() > 0
        assert len(one.path) <= legs + 1
        assert all(error[y, x] for x, y in one.path)
