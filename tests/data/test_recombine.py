"""A figure on another ground: exact without change, inside the picture after any, and never with a colour of the old ground."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.core.options import make_options
from figureground.data.recombine import Jitter, drawn_jitter, figure_box, placed, recombined, swap_stream
from figureground.data.swap_options import SwapOptions

SHAPES = st.tuples(st.integers(3, 40), st.integers(3, 40))


def blob(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """A figure of any form with at least one pixel."""
    figure = np.zeros(size_hw, bool)
    rows, columns = (np.sort(rng.integers(0, side, 2)) for side in size_hw)
    part = figure[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]
    part[...] = rng.random(part.shape) < 0.6
    part.flat[rng.integers(part.size)] = True
    return figure


def jitters() -> st.SearchStrategy[Jitter]:
    shift = st.tuples(st.floats(-1, 1), st.floats(-1, 1))
    return st.builds(Jitter, scale=st.floats(0.2, 4), degrees=st.floats(-180, 180), shift=shift)


@given(SHAPES, st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_without_change_it_is_picture_times_figure_plus_ground_times_the_rest(size, seed):
    """Picture * figure + ground * (1 - figure), to the bit, and the mask its own values on the figure."""
    rng = np.random.default_rng(seed)
    picture, ground = rng.integers(0, 256, (2, *size, 3)).astype(np.uint8)
    figure, mask = blob(rng, size), rng.integers(0, 5, size).astype(np.uint8)
    made = recombined(picture, figure, ground, mask=mask, background=7)
    part = figure[..., None].astype(int)
    assert np.array_equal(made.picture, picture * part + ground * (1 - part))
    assert np.array_equal(made.pasted, figure)
    assert np.array_equal(made.mask, np.where(figure, mask, 7))


def test_a_hand_made_shift():
    """Down by a row and left by a column, as the parts of height and width say."""
    picture = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    figure = np.zeros((4, 5), bool)
    figure[1, 2:4] = True
    made = recombined(picture, figure, np.full_like(picture, 200), jitter=Jitter(shift=(0.25, -0.2)))
    assert np.argwhere(made.pasted).tolist() == [[2, 1], [2, 2]]
    assert np.array_equal(made.picture[2, 1:3], picture[1, 2:4])
    assert (made.picture[~made.pasted] == 200).all()


@given(SHAPES, jitters(), st.integers(0, 2**31))
@settings(max_examples=120, deadline=None)
def test_the_changed_figure_stays_in_the_picture(size, jitter, seed):
    """No corner of any pixel of the figure leaves the picture, by an oracle that turns every one of them."""
    figure = blob(np.random.default_rng(seed), size)
    box = figure_box(figure)
    matrix, inner = placed(figure, box, jitter)
    for y, x in np.argwhere(figure):
        for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
            new_x, new_y = matrix @ (x + dx, y + dy, 1)
            assert -1e-6 <= new_x <= size[1] + 1e-6
            assert -1e-6 <= new_y <= size[0] + 1e-6
            assert inner[1] - 1e-3 <= new_x <= inner[3] + 1e-3
            assert inner[0] - 1e-3 <= new_y <= inner[2] + 1e-3
    scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    assert scale <= jitter.scale + 1e-9
    extent = max(inner[2] - inner[0] - size[0], inner[3] - inner[1] - size[1])
    assert extent <= 0


@given(SHAPES, jitters(), st.integers(0, 2**31), st.sampled_from([0.0, 2.0]))
@settings(max_examples=80, deadline=None)
def test_no_colour_of_the_old_ground_comes_in(size, jitter, seed, feather):
    """Red figure, green old ground, black new one: nothing green is ever seen, and hard edges are red alone."""
    figure = blob(np.random.default_rng(seed), size)
    picture = np.where(figure[..., None], np.array([255, 0, 0]), np.array([0, 255, 0])).astype(np.uint8)
    mask = figure.astype(np.uint8) * 3
    made = recombined(picture, figure, np.zeros_like(picture), jitter=jitter, feather_px=feather, mask=mask)
    assert not made.picture[..., 1:].any()
    assert made.pasted.any()
    assert not made.picture[~made.pasted].any()
    if not feather:
        assert (made.picture[made.pasted, 0] >= 250).all()
    assert set(np.unique(made.mask[made.pasted])) <= {0, 3}
    assert not made.mask[~made.pasted].any()


@pytest.mark.parametrize("side", [4, 5])
def test_a_quarter_turn_and_a_doubling_are_exact(side):
    """90 degrees is `numpy.rot90`, scale 2 repeats each pixel."""
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (20, 20, 3)).astype(np.uint8)
    figure = np.zeros((20, 20), bool)
    figure[6 : 6 + side, 7 : 7 + side] = rng.random((side, side)) < 0.7
    figure[6, 7 : 7 + side] = figure[6 : 6 + side, 7] = figure[5 + side, 7 : 7 + side] = figure[6 : 6 + side, 6 + side] = True
    box = np.s_[6 : 6 + side, 7 : 7 + side]
    mask = figure.astype(np.uint8)
    turned = recombined(picture, figure, np.zeros_like(picture), jitter=Jitter(degrees=90.0), mask=mask)
    assert np.array_equal(turned.pasted[box], np.rot90(figure[box]))
    doubled = recombined(picture, figure, np.zeros_like(picture), jitter=Jitter(scale=2.0), mask=mask)
    rows, columns = np.flatnonzero(doubled.pasted.any(1)), np.flatnonzero(doubled.pasted.any(0))
    inner = doubled.pasted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if inner.shape == (2 * side, 2 * side):  # an odd side comes to lie between pixels
        assert np.array_equal(inner, np.kron(figure[box], np.ones((2, 2), bool)))
    assert doubled.pasted.sum() == pytest.approx(4 * figure.sum(), rel=0.25)


def test_a_ground_of_another_size_covers():
    """The middle of a wider ground is taken at the picture's size."""
    ground = np.zeros((10, 30, 3), np.uint8)
    ground[:, 10:20] = 90
    figure = np.zeros((20, 20), bool)
    figure[3, 4] = True
    made = recombined(np.full((20, 20, 3), 255, np.uint8), figure, ground)
    inner = made.picture[:, 2:-2][~made.pasted[:, 2:-2]]
    assert np.abs(inner.astype(int) - 90).max() <= 12  # the kernel rings a little at the step
    assert made.picture[3, 4].tolist() == [255, 255, 255]


def test_streams_belong_to_seed_epoch_and_index():
    """The same numbers for the same key, others for every other."""
    keys = [(seed, epoch, index, turn) for seed in (0, 1) for epoch in (0, 1) for index in (0, 1) for turn in (0, 1)]
    drawn = [swap_stream(seed=a, epoch=b, index=c, turn=d).random() for a, b, c, d in keys]
    assert len(set(drawn)) == len(keys)
    assert drawn == [swap_stream(seed=a, epoch=b, index=c, turn=d).random() for a, b, c, d in keys]


def test_jitter_fills_its_ranges():
    """Uniform between its ends: smallest, largest and mean of many draws."""
    options = SwapOptions(scale_low=0.5, scale_high=1.5, turn=30, shift=0.2)
    rng = np.random.default_rng(0)
    some = [drawn_jitter(rng, options) for _ in range(2000)]
    for values, low, high in (
        ([j.scale for j in some], 0.5, 1.5),
        ([j.degrees for j in some], -30, 30),
        ([j.shift[0] for j in some], -0.2, 0.2),
        ([j.shift[1] for j in some], -0.2, 0.2),
    ):
        assert low <= min(values) <= low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) <= max(values) <= high
        assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.03 * (high - low))


def test_what_does_not_fit_is_refused():
    picture, figure = np.zeros((4, 4, 3), np.uint8), np.ones((4, 4), bool)
    with pytest.raises(InputError, match="of one size"):
        recombined(picture, figure[:3], picture)
    with pytest.raises(InputError, match="no pixel"):
        recombined(picture, np.zeros((4, 4), bool), picture)
    with pytest.raises(InputError, match="scale_low"):
        make_options(SwapOptions, {"scale_low": 2.0, "scale_high": 1.0})
