"""The learning rate of each step."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.models.fit.schedule import LEAST_GAIN, plateau_factor, rate_factor


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


@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.20005, 0.5, 0.50015, 0.7, math.nan]), max_size=40),
    st.integers(0, 5),
    st.sampled_from([0.1, 0.5, 1.0]),
    st.booleans(),
)
def test_a_plateau_is_that_of_torch(values, patience, factor, lower):
    """Step for step ReduceLROnPlateau with an absolute threshold, whatever comes and whichever way is better."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        *(optimizer, "min" if lower else "max"),
        factor=min(factor, 0.999),
        patience=patience,
        threshold=LEAST_GAIN,
        threshold_mode="abs",
        eps=0,
    )
    for value in values:
        theirs.step(value)
    found = plateau_factor(values, patience=patience, factor=min(factor, 0.999), lower_is_better=lower)
    assert found == pytest.approx(optimizer.param_groups[0]["lr"])


def test_a_plateau_by_hand():
    """The best is 0.6; two epochs may be no better, the third brings it down, and the count starts again."""
    values = [0.5, 0.6, 0.6, 0.6, 0.6, 0.59, 0.6]
    found = [plateau_factor(values[:n], patience=2, factor=0.1, lower_is_better=False) for n in range(8)]
    assert found == pytest.approx([1, 1, 1, 1, 1, 0.1, 0.1, 0.1])
    assert plateau_factor([*values, 0.6], patience=2, factor=0.1, lower_is_better=False) == pytest.approx(0.01)
