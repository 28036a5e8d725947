"""Changes of patches: whole patches move, the picture moves with them, and what comes in is black background."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.data.grids import to_pixels
from figureground.models.fit.augment import AUGMENTATIONS, Augmentation, Change, augmentation_of, augmented, changed, drawn_change
from figureground.models.fit.options import FitOptions

ROWS, COLUMNS, SIDE = 4, 6, 24
BACKGROUND = 1


def options(augment="patches", *, rows=ROWS, columns=COLUMNS, shift=2, architecture=""):
    return FitOptions(augment=augment, shift=shift, architecture=architecture or f"grid:test_resnet?rows={rows}&columns={columns}")


def pair(seed, rows=ROWS, columns=COLUMNS):
    """Patches of two classes, and a picture whose grey value says row and column of each pixel, never 0."""
    cells = np.random.default_rng(seed).integers(0, 2, (rows, columns), np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.repeat((1 + (y * SIDE + x) % 255).astype(np.uint8)[..., None], 3, axis=2), to_pixels(cells, (SIDE, SIDE)), cells


def by_hand(values, change, fill):
    """Flip, turn and shift, pixel by pixel."""
    moved = values[:, ::-1] if change.flip else values
    for _ in range(change.turns):
        moved = np.array([[moved[x, SIDE - 1 - y] for x in range(SIDE)] for y in range(SIDE)])
    down, right = change.shift_px
    found = np.full_like(moved, fill)
    for y in range(SIDE):
        for x in range(SIDE):
            if 0 <= y - down < SIDE and 0 <= x - right < SIDE:
                found[y, x] = moved[y - down, x - right]
    return found


@given(seed=st.integers(0, 10_000), shift=st.integers(0, 6))
@settings(max_examples=25, deadline=None)
def test_motion_is_that_of_every_pixel_and_keeps_patches_whole(seed, shift):
    """The mask is again one of whole patches, and picture and mask are what moving them by hand gives."""
    picture, mask, _ = pair(seed, rows=4, columns=4)
    how = augmentation_of(options("patches-turned", rows=4, columns=4, shift=shift))
    change = drawn_change(mask, how=how, background=BACKGROUND, rng=np.random.default_rng(seed))
    still = Change(flip=change.flip, box=None, turns=change.turns, shift_px=change.shift_px)
    image, labels = changed(picture, mask, still, background=BACKGROUND)
    assert np.array_equal(labels, by_hand(mask, still, BACKGROUND))
    assert np.array_equal(image[..., 0], by_hand(picture[..., 0], still, 0))
    assert np.array_equal(to_pixels(labels[:: SIDE // 4, :: SIDE // 4], (SIDE, SIDE)), labels)
    assert max(map(abs, change.shift_px)) <= shift * SIDE // 4


def test_every_change_occurs_and_shifts_are_even():
    how = augmentation_of(options("patches-turned", rows=4, columns=4))
    mask = pair(0, rows=4, columns=4)[1]
    drawn = [drawn_change(mask, how=how, background=BACKGROUND, rng=np.random.default_rng(seed)) for seed in range(1000)]
    assert {change.turns for change in drawn} == {0, 1, 2, 3}
    assert {change.flip for change in drawn} == {True, False}
    assert {change.shift_px[0] // 6 for change in drawn} == {-2, -1, 0, 1, 2}
    assert 150 < sum(change.shift_px[1] == 0 for change in drawn) < 250
    assert 150 < sum(change.grey for change in drawn) < 250
    factors = np.array([change.factors for change in drawn])
    assert 0.8 <= factors[:, :3].min() < 0.81
    assert 1.19 < factors[:, :3].max() <= 1.2
    assert 0.019 < abs(factors[:, 3]).max() <= 0.02
    assert {change.colours[0] for change in drawn} == {0, 1, 2, 3}


def test_grey_takes_colours_away():
    rng = np.random.default_rng(0)
    picture, mask = rng.integers(0, 256, (8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
    how = Augmentation(flip=0, scale=(1, 1), ratio=(1, 1), jitter=0, jitter_chance=1, grey=1)
    image, _ = augmented(picture, mask, how=how, background=0, rng=rng)
    assert np.array_equal(image[..., 0], image[..., 1])
    assert np.array_equal(image[..., 0], image[..., 2])
    assert abs(image[..., 0] - picture @ np.array([0.2989, 0.587, 0.114])).max() <= 1


def test_a_shift_may_take_everything_out():
    picture, mask, _ = pair(0)
    image, labels = changed(picture, mask, Change(flip=False, box=None, shift_px=(3 * SIDE, -SIDE)), background=BACKGROUND)
    assert not image.any()
    assert (labels == BACKGROUND).all()


def test_those_of_patches_need_patches():
    assert augmentation_of(options()).cells == (ROWS, COLUMNS)
    assert augmentation_of(options("light", architecture="smp:unet/resnet18")) == AUGMENTATIONS["light"]
    assert augmentation_of(options("none")) is None
    with pytest.raises(InputError, match="moves the patches of an architecture grid:, and it is smp:unet/resnet18"):
        augmentation_of(options(architecture="smp:unet/resnet18"))
    with pytest.raises(InputError, match="as many rows as columns; got 4 x 6"):
        augmentation_of(options("patches-turned"))
