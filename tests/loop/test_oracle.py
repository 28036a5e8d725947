"""Known truth that answers: the quality it rates by, and masks that err as often as they are told to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label as components

from figureground.core.types import ClassTable
from figureground.data.labelmap import encode_runs
from figureground.loops.oracle import misnamed, sample_miou

CLASSES = ClassTable(names=("ground", "cat", "dog", "owl"), ignore=255)
MAPS = arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 0, 1, 2, 3]))


def test_quality_by_hand():
    """Two of four pixels right: ground 1/2, cat 1/2 and dog 0/1 of their unions."""
    truth, seen = encode_runs(np.array([[0, 0, 1, 1]], np.uint8)), encode_runs(np.array([[0, 2, 1, 0]], np.uint8))
    assert sample_miou(truth, seen, CLASSES) == pytest.approx((1 / 3 + 1 / 2 + 0) / 3)
    assert sample_miou(truth, truth, CLASSES) == 1


@given(truth=MAPS, seen=MAPS)
def test_quality_is_the_mean_over_classes_that_occur(truth, seen):
    """A slow oracle: IoU of sets of pixels, class by class."""
    ious = [((truth == c) & (seen == c)).sum() / ((truth == c) | (seen == c)).sum() for c in range(4) if ((truth == c) | (seen == c)).any()]
    assert sample_miou(encode_runs(truth), encode_runs(seen), CLASSES) == pytest.approx(np.mean(ious))


@given(truth=MAPS, seed=st.integers(0, 5))
def test_a_misnamed_mask_keeps_every_region_and_gives_each_one_wrong_name(truth, seed):
    """With part 1 every region has another foreground class, the same all over; with part 0 nothing changes."""
    runs = encode_runs(truth)
    assert misnamed(runs, CLASSES, part=0.0, seed=seed, name="x") == runs
    wrong = misnamed(runs, CLASSES, part=1.0, seed=seed, name="x").dense()
    assert ((wrong == 0) == (truth == 0)).all()
    for own in (1, 2, 3):
        found, count = components(truth == own, structure=np.ones((3, 3)))
        for number in range(1, count + 1):
            given_names = set(wrong[found == number].tolist())
            assert len(given_names) == 1
            assert own not in given_names


def test_the_part_that_is_misnamed_is_the_one_that_was_asked_for():
    truth = np.zeros((40, 40), np.uint8)
    truth[::2, ::2] = 1
    wrong = misnamed(encode_runs(truth), CLASSES, part=0.3, seed=1, name="x").dense()
    assert (wrong[::2, ::2] != 1).mean() == pytest.approx(0.3, abs=0.07)
