"""Every way to fill a hole leaves the rest alone and repeats itself; each does what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.stages.swap.fill import FILLS, GREY, NOISE_SD, filled, open_fill
from figureground.stages.swap.patch_fill import RADIUS, patch_filled

SIDES = st.tuples(st.integers(1, 30), st.integers(1, 30))


@pytest.mark.parametrize("name", FILLS.names())
@given(size=SIDES, seed=st.integers(0, 2**31), part=st.sampled_from([0.05, 0.5, 0.95]))
@settings(max_examples=15, deadline=None)
def test_nothing_changes_outside_the_hole_and_nothing_is_left_to_chance(name, size, seed, part):
    """Pictures of any size, down to a pixel, with holes of any form: the rest to the bit, the argument untouched, twice the same."""
    rng = np.random.default_rng(seed)
    picture, hole = rng.integers(0, 256, (*size, 3)).astype(np.uint8), rng.random(size) < part
    before, fill = picture.copy(), open_fill(name)
    made, whole = filled(picture, hole, fill, np.random.default_rng(seed))
    again, _ = filled(picture, hole, fill, np.random.default_rng(seed))
    assert np.array_equal(picture, before)
    assert np.array_equal(made, again)
    assert np.array_equal(made[~hole], picture[~hole])
    assert whole == hole.all()
    if whole:
        assert (made == GREY).all()


def fixed() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    hole = np.zeros((64, 64), bool)
    hole[16:48, 20:44] = True
    return rng.integers(0, 100, (64, 64, 3)).astype(np.uint8), hole


def test_flat_fills_by_hand():
    """Grey is 128; mean is the rounded mean of what is outside."""
    picture, hole = np.full((2, 2, 3), 10, np.uint8), np.array([[True, False], [False, False]])
    picture[0, 1], picture[1, 0], picture[1, 1] = 0, 100, 201
    assert filled(picture, hole, open_fill("grey"), np.random.default_rng(0))[0][0, 0].tolist() == [128] * 3
    assert filled(picture, hole, open_fill("mean"), np.random.default_rng(0))[0][0, 0].tolist() == [100] * 3


def test_noise_is_one_colour_with_a_spread_of_a_quarter():
    """Standard deviation 0.25 of full brightness where nothing is clipped; another colour for another picture."""
    picture, hole = np.zeros((200, 200, 3), np.uint8), np.ones((200, 200), bool)
    hole[0, 0] = False
    means = []
    for seed in range(20):
        inside = filled(picture, hole, open_fill("noise"), np.random.default_rng(seed))[0][hole] / 255
        middle = np.median(inside, axis=0)
        means.append(middle)
        for c in np.flatnonzero((middle > 0.4) & (middle < 0.6)):
            low = inside[:, c][inside[:, c] < middle[c]]
            assert np.quantile(low, 0.5) == pytest.approx(middle[c] - 0.6745 * NOISE_SD, abs=0.01)
    assert np.ptp(means, axis=0).min() > 0.5


@pytest.mark.parametrize("name", ["scramble-pixels", "scramble-patches"])
def test_scrambling_takes_from_outside_alone(name):
    """No value that is only inside the hole comes back, and not all of the fill is one piece."""
    picture, hole = fixed()
    picture[hole] += 150
    made = filled(picture, hole, open_fill(name), np.random.default_rng(1))[0]
    assert made.max() < 100
    assert len(np.unique(made[hole], axis=0)) > 50


def test_patches_go_on_with_a_texture():
    """Stripes and squares are continued through a hole: far nearer to the truth than a mean colour, and than a march from the edge."""
    y, x = np.indices((96, 96))
    truth = np.where(((x // 6 + y // 6) % 2)[..., None], np.array([220, 60, 40]), np.array([20, 90, 200])).astype(np.uint8)
    hole = np.zeros((96, 96), bool)
    hole[30:60, 36:66] = True
    picture = truth.copy()
    picture[hole] = 0
    errors = {}
    for name in ("patches", "mean", "telea"):
        made = filled(picture, hole, open_fill(name), np.random.default_rng(0))[0]
        errors[name] = np.abs(made[hole].astype(int) - truth[hole]).mean()
    assert errors["patches"] < 0.2 * errors["mean"]
    assert errors["patches"] < 0.2 * errors["telea"]


def test_patches_take_known_colours_only():
    """Every colour of the fill lies between the smallest and the largest known one, whatever stood in the hole."""
    picture, hole = fixed()
    picture[~hole] = picture[~hole] // 2 + 20
    wild = picture.copy()
    wild[hole] = 255
    assert np.array_equal(patch_filled(picture, hole, seed=3)[hole], patch_filled(wild, hole, seed=3)[hole])
    made = patch_filled(wild, hole, seed=3)[hole]
    assert made.min() >= 20
    assert made.max() <= picture[~hole].max()


def test_where_no_patch_is_whole_the_mean_is_taken():
    picture = np.full((2 * RADIUS, 30, 3), 80, np.uint8)
    hole = np.zeros(picture.shape[:2], bool)
    hole[:, 10:20] = True
    assert (patch_filled(picture, hole)[hole] == 80).all()


@pytest.mark.parametrize("name", ["patch", "lama", "onnx:nowhere.onnx", "torchscript:nowhere.pt", "onnx:x.onnx?sized=3"])
def test_an_unknown_infill_is_told(name):
    with pytest.raises(InputError, match=r"patches|no such file|unknown key"):
        open_fill(name)
