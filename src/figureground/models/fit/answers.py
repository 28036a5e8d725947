"""What a validation of a classifier says: four accuracies, that of each class and of each group.

A classifier is trained as a segmentation network is, on pictures whose label map has one pixel: the same loop, steps and objectives.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from figureground.core.types import ClassTable
from figureground.metrics.answers import accuracy_of_counts

FIGURES = ("loss", "accuracy", "adjusted_accuracy", "mean_group_accuracy", "worst_group_accuracy")
"""The numbers of a validation, in the order of the table of curves."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnswerValidation:
    """The figures of a classifier on the samples of a split; fractions, NaN for 0 / 0."""

    loss: float
    """The objective (for group-dro cross entropy), its mean over all samples."""
    accuracy: float
    adjusted_accuracy: float
    """Accuracy were the groups as large as in training."""
    mean_group_accuracy: float
    worst_group_accuracy: float
    worst_group: str
    """Name of that group; empty where none is known."""
    class_accuracy: dict[str, float]
    group_accuracy: dict[str, float]
    """Of each group that has samples."""
    group_samples: dict[str, int]

    def figures(self) -> dict[str, float]:
        """The numbers of `FIGURES` by name."""
        return {name: getattr(self, name) for name in FIGURES}


def answer_figures(
    counts: np.ndarray, *, classes: ClassTable, group_names: Sequence[str], shares: Mapping[str, float], loss: float
) -> AnswerValidation:
    """The figures of joint counts of pictures.

    Args:
        counts: int64 [groups + 1, classes, classes], truth in rows; the last slice is of unknown groups.
        classes: of the training.
        group_names: name of each group.
        shares: part of the training samples in each group, by name; a group that training lacks has none.
        loss: mean loss.
    """
    good, sizes = np.trace(counts, axis1=1, axis2=2), counts.sum((1, 2))
    parts = [shares.get(name, 0.0) for name in group_names]
    found = accuracy_of_counts(good[:-1], sizes[:-1], shares=parts, others=(int(good[-1]), int(sizes[-1])))
    whole = counts.sum(0)
    rows = whole.sum(1)
    by_class = np.divide(np.diagonal(whole), rows, out=np.full(len(rows), np.nan), where=rows > 0)
    known = [place for place, size in enumerate(sizes[:-1]) if size]
    return AnswerValidation(
        loss=loss,
        accuracy=found.accuracy,
        adjusted_accuracy=found.adjusted,
        mean_group_accuracy=found.mean,
        worst_group_accuracy=found.worst,
        worst_group=group_names[found.worst_group] if found.worst_group >= 0 else "",
        class_accuracy=dict(zip(classes.names, map(float, by_class), strict=True)),
        group_accuracy={group_names[place]: float(found.groups[place]) for place in known},
        group_samples={group_names[place]: int(sizes[place]) for place in known},
    )
