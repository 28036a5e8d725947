"""The quotas of mining: one for each rival, direction and class, and who may fill them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Literal

import numpy as np

from figureground.core.types import ClassTable

Direction = Literal["target", "rival"]
"""Whose prediction sorts samples into classes: the defender's, in the words of the paper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A quota."""

    rival: int | None
    """Number of the rival; None = the group is of no rival."""
    direction: Direction | None
    class_id: int | None
    """The class that the defender sees; None = any."""
    one_sided: bool
    """True for pictures in which the defender alone sees foreground."""
    quota: int


def quotas(top: int, weights: Sequence[float]) -> list[int]:
    """Samples that each rival may bring to a class in a direction: its part of `top`, at least 1.

    Parts are rounded so that those of the first rivals together are as near as can be to what their weights together give: two of weight
    0.5 share 25 places as 13 and 12.
    """
    ends = [int(top * whole + Fraction(1, 2)) for whole in accumulate((Fraction(str(w)) for w in weights), initial=Fraction(0))]
    return [max(1, after - before) for before, after in pairwise(ends)]


def mad_groups(classes: ClassTable, quotas: Sequence[int], *, one_sided: bool) -> tuple[Group, ...]:
    """The quotas of maximum discrepancy: each foreground class, rival and direction, and each rival and direction of one-sided pictures.

    Args:
        classes: of the pool.
        quotas: samples that each rival may bring to a class in a direction.
        one_sided: whether there are quotas for one-sided pictures.

    Source: doi 10.1007/s10994-021-06110-7, section 3; one-sided quotas are defined here.
    """
    directions: tuple[Direction, ...] = ("target", "rival")
    plain = [
        Group(rival=r, direction=d, class_id=k, one_sided=False, quota=q)
        for r, q in enumerate(quotas)
        for d in directions
        for k in classes.foreground
    ]
    sides = [Group(rival=r, direction=d, class_id=None, one_sided=True, quota=q) for r, q in enumerate(quotas) for d in directions]
    return (*plain, *(sides if one_sided else []))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sight:
    """What each model sees in some samples: the target first, then the rivals."""

    seen: np.ndarray
    """bool [models, samples, classes]: the model gives the class a pixel."""
    fitting: np.ndarray
    """bool [models, samples, classes]: and a part of the picture within the class's bounds."""


def sight(parts: np.ndarray, *, bounds: np.ndarray) -> Sight:
    """What models see, and which of it fulfils the content constraint.

    Args:
        parts: float64 [models, samples, classes], part of the picture that a model gives to each class of the table.
        bounds: float64 [classes, 2], least and most part of the picture.
    """
    seen = parts > 0
    return Sight(seen=seen, fitting=seen & (parts >= bounds[:, 0]) & (parts <= bounds[:, 1]))


def members(group: Group, found: Sight, *, classes: ClassTable) -> tuple[np.ndarray, np.ndarray]:
    """The samples of a group, and those of them that it may choose from, bool [samples] each.

    A group of a class holds the samples in which its defender sees that class; a one-sided group those in which the defender alone sees
    foreground, and one of the classes it sees must be within its bounds.
    """
    assert group.rival is not None
    mine, other = (0, group.rival + 1) if group.direction == "target" else (group.rival + 1, 0)
    if group.class_id is not None:
        place = classes.ids.index(group.class_id)
        return found.seen[mine, :, place], found.fitting[mine, :, place]
    figure = [place for place, class_id in enumerate(classes.ids) if class_id != classes.background]
    blind = ~found.seen[other][:, figure].any(1)
    return found.seen[mine][:, figure].any(1) & blind, found.fitting[mine][:, figure].any(1) & blind
