"""Bounds on areas, from what is said and from training masks, by hand."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.core.types import ClassTable
from figureground.data.sources import maps_in_memory
from figureground.stages.mine.areas import AreaMeter, area_bounds, area_rule, parts_by_class
from figureground.stages.mine.groups import quotas

CLASSES = ClassTable(names=("cat", "ground", "dog", "bird"), background=1)
PARTS = {0: np.array([0.1, 0.1, 0.1, 0.9]), 1: np.array([0.5]), 2: np.array([0.2, 0.4, 0.6, 0.8])}
WHOLE = [0, 1]


def bounds_of(*texts: str, parts=PARTS) -> list[list[float]]:
    return area_bounds(area_rule(texts, CLASSES), parts, CLASSES).tolist()


def test_quartiles_are_the_default():
    """Linear between samples; the ground, and a class that no mask has, are bound by nothing."""
    expected = [pytest.approx([0.1, 0.3]), WHOLE, pytest.approx([0.35, 0.65]), WHOLE]
    assert bounds_of() == bounds_of("quartiles") == expected


def test_a_standard_deviation_does_not_lead_beyond_the_areas_there_are():
    """0.3 - 0.35 is less than the least cat; the dogs are spread evenly."""
    sd = math.sqrt((0.3**2 + 0.1**2) / 2)
    assert bounds_of("sd") == [pytest.approx([0.1, 0.3 + math.sqrt(0.12)]), WHOLE, pytest.approx([0.5 - sd, 0.5 + sd]), WHOLE]


def test_what_is_said_later_wins_and_what_is_said_of_a_class_stands():
    assert bounds_of("sd", "0.1,0.2") == [[0.1, 0.2], WHOLE, [0.1, 0.2], [0.1, 0.2]]
    assert bounds_of("cat=0,0.5", "0.1,0.2", "cat=0,0.6") == [[0, 0.6], WHOLE, [0.1, 0.2], [0.1, 0.2]]
    assert bounds_of("0.1,0.2", "quartiles")[3] == WHOLE
    assert bounds_of("bird=0.3,0.3") == [*bounds_of()[:3], [0.3, 0.3]]


def test_without_training_masks_any_size_will_do():
    assert bounds_of(parts=None) == bounds_of("sd", parts={}) == [WHOLE] * 4


def test_void_is_part_of_the_picture_and_no_class():
    """Of a mask of 2 x 4 pixels, of which two are void."""
    masks = {"a": np.array([[0, 0, 255, 255], [1, 1, 1, 2]], np.uint8), "b": np.array([[2]], np.uint8)}
    meter = AreaMeter(masks=maps_in_memory(masks, CLASSES), classes=CLASSES)
    found = parts_by_class(pa.concat_tables([meter(["a"]), meter([]), meter(["b"])]))
    assert {c: own.tolist() for c, own in found.items()} == {0: [0.25], 1: [0.375], 2: [0.125, 1.0]}


@pytest.mark.parametrize(
    ("top", "weights", "found"),
    [
        (25, [1, 1], [25, 25]),
        (25, [0.5, 0.5], [13, 12]),
        (25, [1, 0.5, 0.5, 1], [25, 13, 12, 25]),
        (1, [0.5, 0.5], [1, 1]),
        (10, [0.3, 0.01], [3, 1]),
        (10, [0.1] * 10, [1] * 10),
        (10, [], []),
    ],
)
def test_models_of_a_family_share_a_quota(top, weights, found):
    assert quotas(top, weights) == found


@given(st.integers(1, 500), st.lists(st.integers(1, 100), max_size=8))
def test_shares_of_a_quota_add_up(top, percents):
    """To what the weights together give, but for places that every rival has at least; no share is off by a place or more."""
    shares = quotas(top, [n / 100 for n in percents])
    assert len(shares) == len(percents)
    for share, percent in zip(shares, percents, strict=True):
        assert share >= 1
        assert share == 1 or abs(share - top * percent / 100) < 1
    if all(top * percent >= 100 for percent in percents):
        assert abs(sum(shares) - top * sum(percents) / 100) <= 0.5 + 1e-9
