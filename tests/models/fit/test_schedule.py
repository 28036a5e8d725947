"""The learning rate of each step."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.models.fit.schedule import rate_factor


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 1, 1, 1, 1, 1]),
        ("cosine", [0.5, 1, 1, (1 + math.cos(math.pi / 4)) / 2, 0.5, (1 + math.cos(3 * math.pi / 4)) / 2]),
        ("polynomial", [0.5, 1, 1, 0.75**0.9, 0.5**0.9, 0.25**0.9]),
    ],
)
def test_six_steps_with_two_of_warm_up_by_hand(schedule, expected):
    found = [rate_factor(step, steps=6, warmup_steps=2, schedule=schedule) for step in range(6)]
    assert found == pytest.approx(expected)


@given(st.integers(1, 300), st.integers(0, 400), st.sampled_from(["constant", "cosine", "polynomial"]))
def test_it_rises_to_one_and_never_rises_again_nor_reaches_zero(steps, warmup, schedule):
    found = [rate_factor(step, steps=steps, warmup_steps=warmup, schedule=schedule) for step in range(steps)]
    assert all(0 < value <= 1 for value in found)
    rise, fall = found[:warmup], found[warmup:]
    assert rise == sorted(rise)
    assert fall == sorted(fall, reverse=True)
    if fall:
        assert fall[0] == 1


def test_the_whole_number_of_steps_counts_and_not_the_epochs():
    """The last of 1000 steps is nearly at 0, the middle one at a half."""
    assert rate_factor(999, steps=1000, warmup_steps=0, schedule="cosine") < 1e-5
    assert rate_factor(500, steps=1000, warmup_steps=0, schedule="cosine") == pytest.approx(0.5)
