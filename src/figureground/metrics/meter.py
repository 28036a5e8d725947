"""A running decomposition for training loops: update, merge, result.

The state is a table of joint counts and nothing else; merging adds tables, in any order, which is all that several devices or workers need.
The class holds a state and calls the functions. Source: defined here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from figureground.core.errors import InputError, StateError
from figureground.core.types import ClassTable
from figureground.metrics import joint
from figureground.metrics.decompose import Decomposition, decompose, ratio
from figureground.metrics.joint import EMPTY, JointCounts, joint_counts
from figureground.metrics.overlap import nan_mean


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeterState:
    """What has been seen so far; `ids`, `background` and `ignore` say how to count."""

    ids: tuple[int, ...]
    background: int = 0
    ignore: int | None = 255
    counts: JointCounts = field(default_factory=lambda: EMPTY)
    updates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeterResult:
    """The decomposition, and IoU beside it; fractions in [0, 1], NaN for what did not occur."""

    parts: Decomposition
    ids: tuple[int, ...]
    iou: np.ndarray
    """float64 [classes], pooled over everything seen, the background among them."""

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occurred (the `macro` reduction)."""
        return float(nan_mean(self.iou))

    def as_dict(self) -> dict[str, float]:
        """The rates by name, for a logger."""
        p = self.parts
        return {
            "correct": p.correct_rate,
            "flipped": p.flipped_rate,
            "missed": p.missed_rate,
            "added": p.added_rate,
            "conditional_flip": p.conditional_flip,
            "foreground_iou": p.foreground_iou,
            "miou": self.miou,
        }


def empty(*, classes: int | Sequence[int] | ClassTable, background: int = 0, ignore: int | None = 255) -> MeterState:
    """The state before anything was seen.

    Args:
        classes: the number of classes (ids 0 ... K - 1), the ids, or a class table, whose own background and ignore then hold.
        background: id of the class that is ground.
        ignore: id of void pixels in the truth; None = there are none.

    Raises:
        InputError: `background` is no class, or `ignore` is one.
    """
    if isinstance(classes, ClassTable):
        return MeterState(ids=classes.ids, background=classes.background, ignore=classes.ignore)
    ids = tuple(range(classes)) if isinstance(classes, int) else tuple(int(i) for i in classes)
    if background not in ids or ignore in ids:
        raise InputError(
            f"`background` must be a class id and `ignore` none; got background {background}, ignore {ignore}, {len(ids)} classes"
        )
    return MeterState(ids=ids, background=background, ignore=ignore)


def update(state: MeterState, truth: Any, predicted: Any) -> MeterState:
    """A new state that has seen the label maps as well: integer arrays of one shape, a batch at once if wanted, or `LabelRuns`."""
    counts = joint_counts(truth, predicted, classes=state.ids, ignore=state.ignore)
    return replace(state, counts=joint.merge(state.counts, counts), updates=state.updates + 1)


def merge(a: MeterState, b: MeterState) -> MeterState:
    """A state that has seen what both have; associative and commutative, with `empty` neutral.

    Raises:
        InputError: the two count different classes.
    """
    if (a.ids, a.background, a.ignore) != (b.ids, b.background, b.ignore):
        raise InputError("meters can be merged only if classes, background and ignore are the same")
    return replace(a, counts=joint.merge(a.counts, b.counts), updates=a.updates + b.updates)


def result(state: MeterState) -> MeterResult:
    """The decomposition and IoU of everything seen.

    Raises:
        StateError: nothing was seen yet.
    """
    if state.updates == 0:
        raise StateError("the meter has seen no label map; call `update(truth, predicted)` first")
    matrix = state.counts.matrix(state.ids)
    hits = np.diagonal(matrix)
    iou = ratio(hits, matrix.sum(0) + matrix.sum(1) - hits)
    return MeterResult(parts=decompose(state.counts, background=state.background), ids=state.ids, iou=iou)


class Meter:
    """`Meter(21).update(truth, predicted).result().parts.flipped_rate`."""

    def __init__(self, classes: int | Sequence[int] | ClassTable, *, background: int = 0, ignore: int | None = 255) -> None:
        self.state = empty(classes=classes, background=background, ignore=ignore)

    def update(self, truth: Any, predicted: Any) -> Meter:
        """Sees label maps; returns itself."""
        self.state = update(self.state, truth, predicted)
        return self

    def merge(self, other: Meter) -> Meter:
        """Takes in what another meter has seen; returns itself."""
        self.state = merge(self.state, other.state)
        return self

    def result(self) -> MeterResult:
        """The decomposition and IoU of everything seen; the meter can go on."""
        return result(self.state)

    def reset(self) -> Meter:
        """Forgets everything seen; returns itself."""
        self.state = replace(self.state, counts=EMPTY, updates=0)
        return self
