"""Background CutMix: only ground is ever replaced, and only by ground of the right partner."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.models.fit.batch import IGNORE
from figureground.models.fit.cutmix import LEAST_SHARED, Partners, background_cutmix

GROUND = 1


def scene(seed: int, *, figure: float = 0.2, void: float = 0.1, size=(20, 30)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mask = rng.choice(np.array([GROUND, 0, IGNORE], np.uint8), size, p=[1 - figure - void, figure, void])
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8), mask


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


@given(seed=st.integers(0, 500), figure=st.floats(0, 0.5), other=st.floats(0, 0.8), alone=st.booleans())
def test_only_own_ground_in_one_small_rectangle_changes(seed, figure, other, alone):
    """Figures, void and arguments stay as they are; what changes lies in a rectangle of at most 0.4 of each side."""
    picture, mask = scene(seed, figure=figure)
    partner = None if alone else scene(seed + 1000, figure=other)
    kept = picture.copy(), mask.copy(), None if partner is None else partner[0].copy()
    out = background_cutmix(picture, mask, partner=partner, background=GROUND, rng=np.random.default_rng(seed))
    assert np.array_equal(picture, kept[0])
    assert np.array_equal(mask, kept[1])
    assert partner is None or np.array_equal(partner[0], kept[2])
    touched = changed(picture, out)
    assert not touched[mask != GROUND].any()
    rows, columns = np.nonzero(touched)
    if rows.size:
        assert np.ptp(rows) < 0.4 * 20 + 1
        assert np.ptp(columns) < 0.4 * 30 + 1


@given(seed=st.integers(0, 500))
def test_what_is_copied_was_ground_in_both_and_comes_from_the_same_place(seed):
    picture, mask = scene(seed, figure=0.1)
    partner = scene(seed + 1000, figure=0.1)
    out = background_cutmix(picture, mask, partner=partner, background=GROUND, rng=np.random.default_rng(seed))
    touched = changed(picture, out)
    assert touched.any()
    assert (partner[1][touched] == GROUND).all()
    assert np.array_equal(out[touched], partner[0][touched])


def test_the_whole_shared_ground_of_the_rectangle_is_copied():
    """Figureless pictures: the changed pixels fill a rectangle, of the partner's pixels."""
    picture, partner = np.zeros((40, 60, 3), np.uint8), np.full((40, 60, 3), 200, np.uint8)
    ground = np.full((40, 60), GROUND, np.uint8)
    for seed in range(50):
        out = background_cutmix(picture, ground, partner=(partner, ground), background=GROUND, rng=np.random.default_rng(seed))
        rows, columns = np.nonzero(out[:, :, 0] == 200)
        high, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert rows.size == high * wide
        assert 4 <= high <= 16
        assert 6 <= wide <= 24


def test_little_shared_ground_is_filled_with_one_colour():
    """The partner is all figure: the picture's own ground in the rectangle gets a single colour, and nothing of the partner."""
    picture, mask = scene(1, figure=0.3)
    whole = np.zeros_like(mask)
    out = background_cutmix(picture, mask, partner=(np.zeros_like(picture), whole), background=GROUND, rng=np.random.default_rng(3))
    touched = changed(picture, out)
    assert touched.sum() > 5
    assert len(np.unique(out[touched], axis=0)) == 1


@pytest.mark.parametrize(("share", "copied"), [(LEAST_SHARED - 0.1, False), (LEAST_SHARED + 0.1, True)])
def test_thirty_percent_decides(share, copied):
    """A partner of ground in every n-th row: below the share its own colour stays away, above it comes."""
    ground = np.full((200, 200), GROUND, np.uint8)
    partner_mask = np.zeros_like(ground)
    partner_mask[(np.arange(200) * share % 1) < share] = GROUND
    picture, partner = np.zeros((200, 200, 3), np.uint8), np.full((200, 200, 3), 9, np.uint8)
    out = background_cutmix(picture, ground, partner=(partner, partner_mask), background=GROUND, rng=np.random.default_rng(5))
    assert (out == 9).any() == copied


def test_without_a_partner_ground_is_erased_by_a_colour_or_noise():
    """About half of the pictures get one colour, the others noise."""
    picture, mask = np.zeros((30, 30, 3), np.uint8), np.full((30, 30), GROUND, np.uint8)
    kinds = []
    for seed in range(200):
        out = background_cutmix(picture, mask, partner=None, background=GROUND, rng=np.random.default_rng(seed))
        kinds.append(len(np.unique(out[changed(picture, out)], axis=0)) > 1)
    assert 70 <= sum(kinds) <= 130


def test_the_same_generator_gives_the_same_picture():
    picture, mask = scene(4)
    one, two = (background_cutmix(picture, mask, partner=scene(5), background=GROUND, rng=np.random.default_rng(8)) for _ in range(2))
    assert np.array_equal(one, two)
    other = background_cutmix(picture, mask, partner=scene(5), background=GROUND, rng=np.random.default_rng(9))
    assert not np.array_equal(one, other)


def test_a_picture_of_one_pixel_has_a_rectangle():
    ground = np.full((1, 1), GROUND, np.uint8)
    out = background_cutmix(
        np.zeros((1, 1, 3), np.uint8),
        ground,
        partner=(np.full((1, 1, 3), 5, np.uint8), ground),
        background=GROUND,
        rng=np.random.default_rng(0),
    )
    assert out.tolist() == [[[5, 5, 5]]]


LABELS = ["cat", "cat", "cat", "dog", "dog", "cat", "", "cat"]
CONTEXTS = ["in", "out", "out", "in", "in", "street", "in", ""]


def test_partners_are_of_the_same_class_in_another_context_each_as_likely():
    partners, rng = Partners(LABELS, CONTEXTS), np.random.default_rng(0)
    drawn = np.bincount([partners.draw(0, rng) for _ in range(3000)], minlength=8)
    assert set(np.nonzero(drawn)[0]) == {1, 2, 5}
    assert np.abs(drawn[[1, 2, 5]] - 1000).max() < 120
    assert {partners.draw(1, rng) for _ in range(100)} == {0, 5}


@pytest.mark.parametrize("index", [3, 4, 6, 7])
def test_who_has_no_partner(index):
    """A class seen in one context only, and samples of unknown class or context, have none."""
    assert Partners(LABELS, CONTEXTS).draw(index, np.random.default_rng(0)) is None
