"""The learning rate of each step: a pure function of the step, so that a resumed run needs no memory of it."""

from __future__ import annotations

import math
from typing import Literal

POWER = 0.9
"""Exponent of the polynomial schedule, as in DeepLab (arXiv 1606.00915)."""


def rate_factor(step: int, *, steps: int, warmup_steps: int, schedule: Literal["constant", "cosine", "polynomial"]) -> float:
    """What the learning rate is multiplied with at a step, in (0, 1].

    With w warm-up steps the factor rises as (step + 1) / w, so that the first step moves already. After them, with
    t = (step - w) / (steps - w) in [0, 1): constant 1; cosine (1 + cos(pi t)) / 2 (arXiv 1608.03983); polynomial (1 - t)^0.9.

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
