"""Proposals: regions, figures and votes against slow labellers, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from figureground.core.errors import InputError
from figureground.review.regions import figures, regions, vote, votes

LAW = settings(max_examples=40, deadline=None)
SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
LAYERS = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 2, 255])))


def slow_pieces(groups):
    """Masks of the connected pieces of several masks, in the order of their first pixel."""
    found = []
    for group in groups:
        numbered, n = ndimage.label(group, structure=np.ones((3, 3)))
        found += [numbered == i for i in range(1, n + 1)]
    return sorted(found, key=lambda mask: int(np.flatnonzero(mask)[0]))


def check(pieces, expected, layer):
    assert len(pieces) == len(expected)
    number = np.full(layer.shape, -1)
    for n, mask in enumerate(expected):
        rows, columns = np.nonzero(mask)
        number[mask] = n
        assert pieces.area[n] == mask.sum()
        assert pieces.value[n] == layer[rows[0], columns[0]]
        assert pieces.box[n].tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert pieces.at(int(columns[0]), int(rows[0])) == n
    np.testing.assert_array_equal(pieces.number, number)


@LAW
@given(LAYERS)
def test_regions_are_connected_pixels_of_one_value(layer):
    """Background and void have regions too, and every pixel is in one."""
    check(regions(layer), slow_pieces(layer == value for value in np.unique(layer)), layer)


@LAW
@given(LAYERS, st.sampled_from([0, 1]))
def test_figures_are_connected_foreground_of_any_class(layer, background):
    """Two classes that touch are one figure; ground and void are in none."""
    check(figures(layer, background=background), slow_pieces([(layer != background) & (layer != 255)]), layer)


def test_points_outside_the_picture_have_no_region():
    assert [regions(np.zeros((2, 3), np.uint8)).at(x, y) for x, y in ((-1, 0), (0, -1), (3, 0), (0, 2))] == [-1] * 4


@LAW
@given(st.integers(1, 4), st.data())
def test_votes_agree_with_counting_by_hand(count, data):
    """Foreground where enough layers see any, under the commonest class, the lowest on a tie."""
    layers = [data.draw(arrays(np.uint8, (3, 4), elements=st.sampled_from([0, 1, 2, 255]))) for _ in range(count)]
    for share in (0.0, 0.5):
        found = vote(layers, share=share)
        for y, x in np.ndindex(3, 4):
            names = [int(layer[y, x]) for layer in layers if layer[y, x] not in (0, 255)]
            expected = min(names, key=lambda name: (-names.count(name), name)) if len(names) > share * count else 0
            assert found[y, x] == expected


def test_the_screen_offers_votes_of_two_maps_and_more():
    """Of two the vote of most is what both see; of one there is none."""
    a, b = np.array([[1, 1, 0, 255]], np.uint8), np.array([[2, 0, 0, 3]], np.uint8)
    assert votes([a]) == []
    assert [found.tolist() for found in votes([a, b])] == [[[1, 0, 0, 0]], [[1, 1, 0, 3]]]
    assert [found.tolist() for found in votes([a, b], background=1)] == [[[1, 1, 0, 1]], [[2, 0, 0, 3]]]


def test_what_is_no_layer_is_refused():
    for bad in (np.zeros((2, 2)), np.zeros(4, np.uint8), np.zeros((0, 2), np.uint8)):
        with pytest.raises(InputError):
            regions(bad)
        with pytest.raises(InputError):
            figures(bad)
    with pytest.raises(InputError):
        vote([])
    with pytest.raises(InputError):
        vote([np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8)])
