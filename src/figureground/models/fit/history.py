"""Where a training is and what it has seen: the part of its state that is plain numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from figureground.models.fit.answers import AnswerValidation
from figureground.models.fit.evaluate import FIGURES, Validation
from figureground.models.fit.options import LOWER_IS_BETTER
from figureground.models.fit.step import StepResult

COLUMNS = ("epoch", "step", "lr", "train_loss", *FIGURES, "worst_group")
"""The columns of the table of curves of a segmentation network; those of a classifier have its figures instead."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One row of the curves."""

    epoch: int
    """From 1."""
    step: int
    """Steps taken when it ended."""
    lr: float
    """Learning rate of its last step."""
    train_loss: float
    """Mean of the objective over its batches, each before its step; NaN where no pixel counted."""
    figures: dict[str, float]
    """The figures of the validation; empty without one."""
    worst_group: str
    """Group with the largest flipped rate, of a classifier the smallest accuracy; empty where none is known."""
    more: dict[str, float] = dataclasses.field(default_factory=dict)
    """Figures on other samples than those of the validation: on labelled ones, where a network is repaired."""

    def numbers(self) -> dict[str, float]:
        """Everything that is a curve, by name."""
        return {"lr": self.lr, "train_loss": self.train_loss, **self.figures, **self.more}

    def row(self) -> dict[str, Any]:
        """The row by `COLUMNS`, with the figures of its own validation; without one they are NaN."""
        figures = self.figures or dict.fromkeys(FIGURES, math.nan)
        plain = {"epoch": self.epoch, "step": self.step, "lr": self.lr, "train_loss": self.train_loss}
        return {**plain, **figures, "worst_group": self.worst_group}


@dataclasses.dataclass(slots=True, kw_only=True)
class Position:
    """How far a training is."""

    epoch: int = 0
    """Whole epochs done."""
    batch: int = 0
    """Batches done of the next one."""
    step: int = 0
    lr: float = 0.0
    loss_sum: float = 0.0
    """Of the epoch so far: sum of each step's mean loss times what it is a mean over."""
    mass: float = 0.0
    unsaved: int = 0
    """Batches since the last state was written."""
    best_epoch: int = 0
    """From 1; 0 = none yet."""
    best_value: float = math.nan
    history: list[Epoch] = dataclasses.field(default_factory=list)

    def add(self, done: StepResult, *, batches: int) -> None:
        """A step over some batches is done."""
        self.batch, self.step, self.unsaved, self.lr = self.batch + batches, self.step + 1, self.unsaved + batches, done.rate
        self.loss_sum, self.mass = self.loss_sum + done.loss * done.mass, self.mass + done.mass

    def close_epoch(self, figures: Validation | AnswerValidation | None, *, more: Mapping[str, float] | None = None) -> Epoch:
        """The epoch is over: its row, which is also the last of `history`."""
        self.epoch, self.batch = self.epoch + 1, 0
        line = Epoch(
            epoch=self.epoch,
            step=self.step,
            lr=self.lr,
            train_loss=self.loss_sum / self.mass if self.mass else math.nan,
            figures=figures.figures() if figures else {},
            worst_group=figures.worst_group if figures else "",
            more=dict(more or {}),
        )
        self.loss_sum, self.mass = 0.0, 0.0
        self.history.append(line)
        return line

    def to_plain(self) -> dict[str, Any]:
        """As numbers, texts, lists and dictionaries; `from_plain` is the inverse."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_plain(values: dict[str, Any]) -> Position:
        """The position that `to_plain` wrote."""
        return Position(**{**values, "history": [Epoch(**line) for line in values["history"]]})


def improves(value: float, best: float, *, monitor: str) -> bool:
    """True where a figure is better than the best so far; the first one is, NaN never is once there is a number."""
    if math.isnan(best):
        return True
    return value < best if LOWER_IS_BETTER[monitor] else value > best


def epoch_sentence(line: Epoch, *, epochs: int, best: bool) -> str:
    """An epoch in one line for the person who waits."""
    parts = [f"epoch {line.epoch} of {epochs}: loss {line.train_loss:.4g}"]
    if line.figures:
        found = line.figures
        parts.append(_answer_sentence(line) if "accuracy" in found else _region_sentence(line))
        if "labelled_miou" in line.more:
            parts.append(f"mIoU {found['miou']:.3f}, of labelled samples {line.more['labelled_miou']:.3f}")
        parts.append("best so far" if best else "")
    return "; ".join(filter(None, parts))


def _region_sentence(line: Epoch) -> str:
    found = line.figures
    worst = f"; worst group {found['worst_group_flipped']:.3f} ({line.worst_group})" if line.worst_group else ""
    return f"validation {found['loss']:.4g}, foreground IoU {found['foreground_iou']:.3f}, flipped {found['flipped']:.3f}{worst}"


def _answer_sentence(line: Epoch) -> str:
    found = line.figures
    told = f"validation {found['loss']:.4g}, accuracy {found['accuracy']:.3f}, as training is grouped {found['adjusted_accuracy']:.3f}"
    worst = f", worst group {found['worst_group_accuracy']:.3f} ({line.worst_group})" if line.worst_group else ""
    return f"{told}, mean of groups {found['mean_group_accuracy']:.3f}{worst}"
