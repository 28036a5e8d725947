"""Borders fitted to the picture: nearer to what is drawn there, within a band, and nothing else touched."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.review.effort.operations import refined
from figureground.review.fitting import LONGEST, fitted, surroundings
from figureground.review.layers import VOID
from figureground.review.regions import figures


def disc(shape, centre, radius):
    return cv2.circle(np.zeros(shape, np.uint8), centre, radius, 1, -1)


def painted(figure: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """An orange figure on blue ground, with grain."""
    colours = np.array([[60, 90, 160], [210, 140, 60]])[figure]
    return np.clip(colours + np.random.default_rng(seed).normal(0, 8, colours.shape), 0, 255).astype(np.uint8)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("times", [1, 2 * LONGEST // 100], ids=["small", "made smaller"])
def test_a_figure_that_is_too_large_or_too_small_or_beside_comes_to_lie_right(times):
    truth = disc((100 * times, 100 * times), (50 * times, 50 * times), 30 * times)
    picture = painted(truth)
    shifts = {"large": disc(truth.shape, (50 * times, 50 * times), 31 * times + 1), "beside": np.roll(truth, (times, -times), (0, 1))}
    shifts["small"] = disc(truth.shape, (50 * times, 50 * times), 29 * times - 1)
    for name, layer in shifts.items():
        before, after = iou(layer > 0, truth > 0), iou(fitted(picture, layer, (50 * times, 50 * times)) > 0, truth > 0)
        assert after > 0.98 > before, (name, before, after)


def test_what_is_gained_has_the_class_of_the_nearest_pixel_and_what_is_lost_is_ground():
    """A disc of two classes, left and right, one pixel too small at the top and too large at the bottom."""
    truth = disc((100, 100), (50, 50), 30)
    layer = np.roll(truth, 2, 0)
    layer[:, 50:] *= 2
    after = fitted(painted(truth), layer, (50, 50))
    assert iou(after > 0, truth > 0) > 0.98
    gained = (after > 0) & (layer == 0)
    assert gained.sum() > 50
    assert set(after[:, :49][gained[:, :49]].tolist()) == {1}
    assert set(after[:, 51:][gained[:, 51:]].tolist()) == {2}


def test_other_figures_and_void_stay_as_they_are():
    truth = disc((100, 100), (50, 50), 30)
    layer = disc(truth.shape, (50, 50), 28) * 3
    layer[20:80, 82:90], layer[50, 5:19] = 4, VOID
    after = fitted(painted(truth), layer, (50, 50))
    assert iou(after == 3, truth > 0) > 0.98
    for value in (4, VOID):
        np.testing.assert_array_equal(after == value, layer == value)


def test_nothing_changes_on_ground_on_void_or_where_there_is_no_ground():
    layer = disc((40, 40), (20, 20), 8)
    layer[0, :5] = VOID
    picture = painted(disc((40, 40), (22, 20), 8))
    for at in ((39, 39), (2, 0), (40, 3), (-1, 0)):
        np.testing.assert_array_equal(fitted(picture, layer, at), layer)
    np.testing.assert_array_equal(fitted(picture, np.ones((40, 40), np.uint8), (3, 3)), 1)
    np.testing.assert_array_equal(fitted(picture, layer, (20, 20), background=1), layer)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), height=st.integers(12, 70), width=st.integers(12, 70))
def test_only_a_band_about_the_border_of_one_figure_moves(seed, height, width):
    """On any layer and picture: changes are within three pixels of the figure, between its pixels and ground; twice the same is the same."""
    rng = np.random.default_rng(seed)
    blocks = rng.choice(np.array([0, 0, 1, 2, VOID], np.uint8), (height // 6 + 1, width // 6 + 1))
    layer = np.ascontiguousarray(np.kron(blocks, np.ones((6, 6), np.uint8))[:height, :width])
    picture = rng.integers(0, 256, (height, width, 3), np.uint8)
    found = figures(layer)
    for number in range(min(2, len(found))):
        after = refined(layer, picture, found, number)
        np.testing.assert_array_equal(refined(layer, picture, found, number), after)
        figure, changed = found.number == number, after != layer
        assert not (changed & ~figure & (layer != 0)).any()
        assert not (after[changed & figure] != 0).any()
        near = cv2.dilate(figure.astype(np.uint8), np.ones((7, 7), np.uint8)) & ~cv2.erode(
            figure.astype(np.uint8), np.ones((7, 7), np.uint8)
        )
        assert not (changed & (near == 0)).any()


def test_what_surrounds_a_figure():
    """Half its longer side, rounded up, at least 16 pixels, within the picture."""
    assert surroundings((100, 200, 141, 230), (1000, 1000)) == (79, 179, 162, 251)
    assert surroundings((5, 5, 6, 6), (100, 30)) == (0, 0, 22, 22)
    assert surroundings((0, 0, 30, 100), (100, 30)) == (0, 0, 30, 100)
