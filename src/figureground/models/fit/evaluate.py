"""What a validation says, from joint pixel counts: overlap and flips, overall and in the group that fares worst."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import nn

from figureground.core.types import ClassTable
from figureground.metrics.decompose import Decomposition, decompose, ratio
from figureground.metrics.joint import joint_counts
from figureground.metrics.overlap import nan_mean
from figureground.models.fit.answers import AnswerValidation, answer_figures
from figureground.models.fit.batch import IGNORE, Batch
from figureground.models.fit.devices import Devices
from figureground.models.fit.loader import Loader
from figureground.models.fit.options import FitOptions
from figureground.models.fit.samples import TrainData
from figureground.models.fit.step import forward, mass_of

FIGURES = ("loss", "miou", "foreground_iou", "correct", "flipped", "missed", "added", "worst_group_flipped", "balanced_accuracy")
"""The numbers of a validation, in the order of the table of curves."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The figures of a network on the samples of a split, at the size it was trained at; fractions, NaN for 0 / 0."""

    loss: float
    """The objective (for group-dro plain cross entropy), its mean over all samples."""
    miou: float
    """Mean IoU of the classes, background among them, that occur in truth or prediction; counts summed over all samples."""
    foreground_iou: float
    """IoU of any foreground."""
    correct: float
    """Part of foreground truth with the right class."""
    flipped: float
    missed: float
    added: float
    """Part of background truth predicted as foreground."""
    worst_group_flipped: float
    """Largest flipped rate of a group; NaN where no group is known."""
    balanced_accuracy: float
    """Mean over the classes that occur in truth, background among them, of the part of their pixels that is predicted as such."""
    worst_group: str
    """Its name; empty where no group is known."""
    class_iou: tuple[float, ...]
    """IoU of each class in the order of the class table; NaN for a class in neither truth nor prediction."""
    group_flipped: dict[str, float]
    """Flipped rate of each group that has samples; NaN for one without foreground."""

    def figures(self) -> dict[str, float]:
        """The numbers of `FIGURES` by name."""
        return {name: getattr(self, name) for name in FIGURES}


class Tally:
    """Adds up losses and joint counts over batches.

    Args:
        classes: of the data.
        group_names: name of each group.
        shares: part of the training samples in each group by its name, of a classifier; None = a segmentation network.
    """

    def __init__(self, classes: ClassTable, group_names: Sequence[str], *, shares: Mapping[str, float] | None = None) -> None:
        self._classes, self._names, self._shares = classes, tuple(group_names), shares
        # the last row is for samples of no known group
        self.counts = np.zeros((len(self._names) + 1, len(classes), len(classes)), np.int64)
        self.loss, self.mass = 0.0, 0.0

    def add(self, batch: Batch, logits: torch.Tensor, *, loss: float, mass: float) -> None:
        """Counts of one batch, with its mean loss and what that is a mean over."""
        dtype = np.uint8 if len(self._classes) <= IGNORE else np.int64
        truth, predicted = (part.to("cpu").numpy().astype(dtype) for part in (batch.masks, logits.argmax(1)))
        for group in np.unique(groups := batch.groups.to("cpu").numpy()):
            rows = groups == group
            found = joint_counts(truth[rows], predicted[rows], classes=len(self._classes), ignore=IGNORE)
            self.counts[group if group >= 0 else -1] += found.matrix(range(len(self._classes)))
        if mass:
            self.loss, self.mass = self.loss + loss * mass, self.mass + mass

    def result(self, devices: Devices) -> Validation | AnswerValidation:
        """The figures over all batches, of all processes together."""
        counts = devices.total(torch.from_numpy(self.counts)).numpy()
        loss, mass = devices.total(torch.tensor([self.loss, self.mass], dtype=torch.float64)).tolist()
        mean = loss / mass if mass else float("nan")
        if self._shares is not None:
            return answer_figures(counts, classes=self._classes, group_names=self._names, shares=self._shares, loss=mean)
        return figures_of(counts, classes=self._classes, group_names=self._names, loss=mean)


def figures_of(counts: np.ndarray, *, classes: ClassTable, group_names: Sequence[str], loss: float) -> Validation:
    """The figures of joint counts.

    Args:
        counts: int64 [groups + 1, classes, classes], truth in rows, by index in the class table; the last slice is of unknown groups.
        classes: of the data.
        group_names: name of each group.
        loss: mean loss.
    """
    background = classes.ids.index(classes.background)
    whole = counts.sum(0)
    parts = decompose(whole, background=background)
    hits = np.diagonal(whole)
    iou = ratio(hits, whole.sum(0) + whole.sum(1) - hits)
    by_group = {name: decompose(one, background=background) for name, one in zip(group_names, counts, strict=False) if one.any()}
    flipped = {name: one.flipped_rate for name, one in by_group.items()}
    worst = max((name for name, rate in flipped.items() if not np.isnan(rate)), key=lambda name: flipped[name], default="")
    return Validation(
        loss=loss,
        miou=float(nan_mean(iou)),
        foreground_iou=parts.foreground_iou,
        **_rates(parts),
        worst_group_flipped=flipped.get(worst, float("nan")),
        balanced_accuracy=float(nan_mean(ratio(hits, whole.sum(1)))),
        worst_group=worst,
        class_iou=tuple(map(float, iou)),
        group_flipped=flipped,
    )


def validate(
    network: nn.Module,
    objective: nn.Module,
    batches: Iterable[Batch],
    *,
    devices: Devices,
    classes: ClassTable,
    group_names: Sequence[str],
    mass_of: Callable[[Batch], float],
    autocast: Callable[[], AbstractContextManager[Any]],
    shares: Mapping[str, float] | None = None,
) -> Any:
    """The figures of a network over some batches; network and objective are in evaluation mode meanwhile, and nothing of them changes.

    Args:
        network: gives logits of the size of the masks.
        objective: called with logits, masks, groups and weights; from `validation_objective`.
        batches: all of them; each process takes its part.
        devices: where the network is.
        classes: of the data.
        group_names: name of each group of these batches.
        mass_of: (batch) -> what the objective's mean over this batch is a mean over.
        autocast: () -> context in which the network computes.
        shares: part of the training samples in each group, of a classifier; None = a segmentation network.

    Returns:
        `Validation`, or `AnswerValidation` of a classifier.
    """
    tally = Tally(classes, group_names, shares=shares)
    modes = network.training, objective.training
    network.eval()
    objective.eval()
    try:
        with torch.inference_mode():
            for number, batch in enumerate(batches):
                if number % devices.world != devices.rank:
                    continue
                here = batch.to(devices.device)
                with autocast():
                    logits = forward(network, here.images, classes=len(classes))
                loss = objective(logits, here.masks, here.groups, here.weights)
                tally.add(batch, logits, loss=float(loss), mass=mass_of(batch))
    finally:
        network.train(modes[0])
        objective.train(modes[1])
    return tally.result(devices)


def figures_on(
    network: nn.Module,
    objective: nn.Module,
    loader: Loader,
    data: TrainData,
    *,
    options: FitOptions,
    devices: Devices,
    autocast: Callable[[], AbstractContextManager[Any]],
    shares: Mapping[str, float] | None = None,
) -> Any:
    """The figures of a network on all samples of a loader.

    Args:
        network: gives logits of the size of the masks.
        objective: from `validation_objective` of these options.
        loader: of samples in order, as they are.
        data: what it loads.
        options: of the training; `objective` is looked at.
        devices: where the network is.
        autocast: () -> context in which the network computes.
        shares: part of the training samples in each group, of a classifier; None = a segmentation network.

    Returns:
        `Validation`, or `AnswerValidation` of a classifier.
    """
    judged = "ce" if options.objective == "group-dro" else options.objective
    return validate(
        network,
        objective,
        loader.epoch(0),
        devices=devices,
        classes=data.classes,
        group_names=data.group_names,
        mass_of=lambda batch: mass_of(batch, judged),
        autocast=autocast,
        shares=shares,
    )


def _rates(parts: Decomposition) -> dict[str, float]:
    return {
        "correct": parts.correct_rate,
        "flipped": parts.flipped_rate,
        "missed": parts.missed_rate,
        "added": parts.added_rate,
    }
