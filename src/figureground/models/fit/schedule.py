"""The learning rate of each step: a pure function of the step, so that a resumed run needs no memory of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

POWER = 0.9
"""Exponent of the polynomial schedule, as in DeepLab (arXiv 1606.00915)."""


LEAST_GAIN = 1e-4
"""What a figure must be better by to count as better on a plateau."""

Schedule = Literal["constant", "cosine", "polynomial", "plateau"]


def rate_factor(step: int, *, steps: int, warmup_steps: int, schedule: Schedule) -> float:
    """What the learning rate is multiplied with at a step, in (0, 1].

    With w warm-up steps the factor rises as (step + 1) / w, so that the first step moves already. After them, with
    t = (step - w) / (steps - w) in [0, 1): constant 1; cosine (1 + cos(pi t)) / 2 (arXiv 1608.03983); polynomial (1 - t)^0.9; plateau 1,
    which `plateau_factor` brings down.

    Args:
        step: from 0.
        steps: number of steps of the whole training, at least 1.
        warmup_steps: steps of the rise; 0 = none.
        schedule: the course after it.

    Example:
        >>> [round(rate_factor(s, steps=4, warmup_steps=2, schedule="cosine"), 3) for s in range(4)]
        [0.5, 1.0, 1.0, 0.5]
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    t = (step - warmup_steps) / max(steps - warmup_steps, 1)
    if schedule == "cosine":
        return (1 + math.cos(math.pi * t)) / 2
    if schedule == "polynomial":
        return (1 - t) ** POWER
    return 1.0


def plateau_factor(values: Iterable[float], *, patience: int, factor: float, lower_is_better: bool) -> float:
    """What the learning rate is multiplied with after epochs with these figures, in (0, 1].

    It is multiplied with `factor` whenever more than `patience` epochs in a row were not better, by `LEAST_GAIN`, than the best before; NaN
    is never better. No epochs give 1. The rule of torch's ReduceLROnPlateau with an absolute threshold and no cooldown.

    Args:
        values: the figure of each epoch so far, in order.
        patience: epochs in a row that may be no better.
        factor: in (0, 1].
        lower_is_better: direction of the figure.

    Example:
        >>> plateau_factor([0.5, 0.6, 0.6, 0.6], patience=1, factor=0.1, lower_is_better=False)
        0.1
    """
    best, waited, found = -math.inf, 0, 1.0
    for value in values:
        value = -value if lower_is_better else value
        if value > best + LEAST_GAIN:
            best, waited = value, 0
        else:
            waited += 1
        if waited > patience:
            found, waited = found * factor, 0
    return found
