"""Augmentation: picture and mask stay together, masks hold no new value, the figure stays in, and no global generator moves."""

from __future__ import annotations

import random

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2

from figureground.models.fit.augment import AUGMENTATIONS, Augmentation, augmented, crop_box
from figureground.models.fit.batch import IGNORE

STILL = Augmentation(flip=0.0, scale=(1.0, 1.0), ratio=(1.0, 1.0), jitter=0.0, jitter_chance=0.0)
NAMES = ("light", "label-flips")


def pair(seed: int = 0, size=(24, 32)) -> tuple[np.ndarray, np.ndarray]:
    """A picture whose red channel says the class of each pixel, in blocks."""
    rng = np.random.default_rng(seed)
    blocks = rng.choice(np.array([0, 1, 2, IGNORE], np.uint8), (size[0] // 8 + 1, size[1] // 8 + 1))
    mask = np.kron(blocks, np.ones((8, 8), np.uint8))[: size[0], : size[1]]
    return np.stack([mask, rng.integers(0, 256, size, dtype=np.uint8), mask], axis=2), mask


def changed(picture, mask, how, seed=0):
    return augmented(picture, mask, how=how, background=0, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 200), size=st.sampled_from([(8, 8), (24, 32), (33, 17), (1, 1)]))
@settings(max_examples=40)
def test_sizes_types_and_values_of_masks_stay(name, seed, size):
    picture, mask = pair(seed, size)
    kept = picture.copy(), mask.copy()
    image, labels = changed(picture, mask, AUGMENTATIONS[name], seed)
    assert (image.shape, labels.shape, image.dtype, labels.dtype) == (picture.shape, mask.shape, np.uint8, np.uint8)
    assert set(np.unique(labels)) <= set(np.unique(mask))
    assert np.array_equal(picture, kept[0])
    assert np.array_equal(mask, kept[1])
    assert not np.shares_memory(image, picture)
    assert not np.shares_memory(labels, mask)


def test_the_same_stream_gives_the_same_pair_and_another_another():
    picture, mask = pair()
    how = AUGMENTATIONS["label-flips"]
    first, again, other = changed(picture, mask, how, 1), changed(picture, mask, how, 1), changed(picture, mask, how, 2)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("name", NAMES)
def test_global_generators_are_neither_read_nor_moved(name):
    """Python's, NumPy's and torch's own states are the same after, and other states before change nothing."""
    picture, mask = pair()
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the global generator is what is looked at
        before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
        found.append([changed(picture, mask, AUGMENTATIONS[name], s)[0] for s in range(10)])
        assert torch.equal(before[0], torch.get_rng_state())
        assert before[1] == random.getstate()
        assert np.array_equal(before[2], np.random.get_state()[1])  # noqa: NPY002
    assert np.array_equal(found[0], found[1])


def test_nothing_asked_changes_nothing():
    picture, mask = pair()
    image, labels = changed(picture, mask, STILL)
    assert np.array_equal(image, picture)
    assert np.array_equal(labels, mask)


def test_a_flip_takes_both_sides_along():
    picture, mask = pair()
    image, labels = changed(picture, mask, Augmentation(flip=1.0, scale=(1, 1), ratio=(1, 1), jitter=0, jitter_chance=0))
    assert np.array_equal(image, picture[:, ::-1])
    assert np.array_equal(labels, mask[:, ::-1])


def test_half_of_the_pictures_are_flipped():
    picture, mask = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
    mask[:, 0] = 1
    how = Augmentation(flip=0.5, scale=(1, 1), ratio=(1, 1), jitter=0, jitter_chance=0)
    flipped = sum(bool(changed(picture, mask, how, seed)[1][0, -1]) for seed in range(400))
    assert 160 <= flipped <= 240


@given(seed=st.integers(0, 300))
@settings(max_examples=60)
def test_picture_and_mask_are_cropped_alike(seed):
    """Far from the edges of its blocks a picture that shows its mask still shows it after crop and flip."""
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.integers(0, 3, (4, 4), dtype=np.uint8), np.ones((32, 32), np.uint8))
    picture = np.repeat(mask[:, :, None] * 100, 3, axis=2)
    how = Augmentation(flip=0.5, scale=(0.5, 0.9), ratio=(0.8, 1.25), jitter=0, jitter_chance=0)
    image, labels = changed(picture, mask, how, seed)
    around = np.ones((7, 7), np.uint8)
    inner = cv2.dilate(labels, around) == cv2.erode(labels, around)
    assert inner.mean() > 0.5
    assert (np.abs(image[:, :, 0].astype(int) - labels.astype(int) * 100)[inner] <= 1).all()


def test_crops_have_the_areas_and_shapes_that_are_asked():
    """Parts of the area within 0.8 to 1 and shapes within 0.9 to 1.1 of a picture's own, filling those ranges."""
    mask = np.ones((300, 400), np.uint8)
    rng, how = np.random.default_rng(0), AUGMENTATIONS["label-flips"]
    boxes = [box for box in (crop_box(mask, how=how, background=0, rng=rng) for _ in range(500)) if box]
    assert len(boxes) > 490
    area = np.array([h * w / 120_000 for _, _, h, w in boxes])
    ratio = np.array([w / h / (4 / 3) for _, _, h, w in boxes])
    assert 0.79 < area.min() < 0.82
    assert 0.95 < area.max() <= 1
    assert 0.89 < ratio.min() < 0.93
    assert 1.07 < ratio.max() < 1.11
    assert all(top >= 0 and left >= 0 and top + h <= 300 and left + w <= 400 for top, left, h, w in boxes)
    assert max(top for top, *_ in boxes) > 20


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
def test_a_crop_keeps_some_figure(corner):
    """A figure of one pixel in a corner is in every crop; ten tries find one most of the time."""
    mask = np.zeros((40, 40), np.uint8)
    mask[corner] = 2
    how = Augmentation(flip=0, scale=(0.3, 0.6), ratio=(0.9, 1.1), jitter=0, jitter_chance=0)
    found = [crop_box(mask, how=how, background=0, rng=np.random.default_rng(seed)) for seed in range(200)]
    boxes = [box for box in found if box is not None]
    assert len(boxes) > 5
    assert all(mask[top : top + h, left : left + w].any() for top, left, h, w in boxes)


def test_a_figure_that_no_crop_can_keep_is_not_cropped():
    """Void is no figure: a picture of void and a corner of figure is left whole after ten tries that miss it."""
    mask = np.full((400, 400), IGNORE, np.uint8)
    mask[0, 0] = 1
    how = Augmentation(flip=0, scale=(0.01, 0.02), ratio=(1, 1), jitter=0, jitter_chance=0)
    picture = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    image, labels = changed(picture, mask, how, 4)
    assert np.array_equal(image, picture)
    assert np.array_equal(labels, mask)


def test_a_picture_of_ground_is_cropped_all_the_same():
    assert crop_box(np.zeros((40, 40), np.uint8), how=AUGMENTATIONS["label-flips"], background=0, rng=np.random.default_rng(0)) is not None


def test_jitter_recolours_pictures_and_never_masks():
    """With chance 0.3 about that part of the pictures is recoloured, every mask stays."""
    picture, mask = pair(3)
    how = Augmentation(flip=0, scale=(1, 1), ratio=(1, 1), jitter=0.2, jitter_chance=0.3)
    outs = [changed(picture, mask, how, seed) for seed in range(300)]
    assert 60 <= sum(not np.array_equal(image, picture) for image, _ in outs) <= 120
    assert all(np.array_equal(labels, mask) for _, labels in outs)


def test_brightness_alone_on_a_black_and_white_picture():
    """Black stays black under every change, and white of mean 1 only darkens: no factor is outside 0.8 to 1.2."""
    white, mask = np.full((8, 8, 3), 255, np.uint8), np.ones((8, 8), np.uint8)
    how = Augmentation(flip=0, scale=(1, 1), ratio=(1, 1), jitter=0.2, jitter_chance=1)
    values = np.array([changed(white, mask, how, seed)[0].min() for seed in range(200)])
    assert 255 * 0.8 - 2 <= values.min() < 215
    assert values.max() == 255
    assert not changed(np.zeros_like(white), mask, how)[0].any()


def test_crops_are_those_of_torchvision_for_square_pictures():
    """Area and position of crops have the distribution of RandomResizedCrop's own: quantiles of 3,000 agree."""
    mask, rng, how = np.ones((200, 200), np.uint8), np.random.default_rng(1), AUGMENTATIONS["label-flips"]
    ours = np.array([crop_box(mask, how=how, background=0, rng=rng) or (0, 0, 200, 200) for _ in range(3000)])
    transform = v2.RandomResizedCrop(200, scale=how.scale, ratio=how.ratio)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        params = [transform.make_params([torch.zeros(3, 200, 200)]) for _ in range(3000)]
    theirs = np.array([[p[k] for k in ("top", "left", "height", "width")] for p in params])
    for part in (0.1, 0.5, 0.9):
        assert np.quantile(ours, part, axis=0) == pytest.approx(np.quantile(theirs, part, axis=0), abs=3)
