"""Replay by distillation: on training samples the network is also held to what the model before said of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from figureground.core.errors import InputError
from figureground.models.fit.batch import IGNORE, Batch, Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """What it costs to differ from the model before, beside the objective.

    With z the logits, z' those of the model before and T the temperature, every counted pixel of a taught picture b adds
    `weight * w_b * T^2 * sum_c p'_c (log p'_c - log p_c)`, where p = softmax(z / T) and p' = softmax(z' / T), and the sum is divided by
    the counted pixels of the whole step, taught or not, as cross entropy is. So a weight of 1 lets a pixel of replay cost as much for
    differing from the model before as for differing from its mask. Void pixels are in no sum and no denominator.

    Source: Hinton et al., Distilling the Knowledge in a Neural Network (arXiv 1503.02531), section 2.1, for T and T^2; against forgetting:
    Li and Hoiem, Learning without Forgetting (arXiv 1606.09282), equation 2; pixels, replay alone and the denominator: defined here.

    Raises:
        InputError: a weight below 0, or a temperature that is not above 0.
    """

    weight: float
    """At least 0."""
    temperature: float
    """Above 0; higher = the small probabilities count for more."""

    def __post_init__(self) -> None:
        if not (self.weight >= 0 and self.temperature > 0):
            raise InputError(
                f"distillation needs a weight of at least 0 and a temperature above 0; got {self.weight:g} and {self.temperature:g}"
            )

    def __call__(self, logits: Tensor, batch: Batch, *, whole: Counts | None = None) -> Tensor:
        """The cost, a scalar at least 0; 0 where no picture is taught or no pixel counts.

        Args:
            logits: float [batch, classes, height, width]; half precision is widened.
            batch: with the logits of the model before, on the same device.
            whole: counts of the step that the batch is a part of; None = the batch is all of it.

        Raises:
            InputError: the model before gave logits of another shape.
        """
        if batch.before is None or batch.taught is None:
            return logits.new_zeros(())
        if batch.before.shape != logits.shape:
            raise InputError(
                f"the model before gave logits {list(batch.before.shape[1:])} and this one gives {list(logits.shape[1:])}. "
                "Repair a network with one of the same classes"
            )
        counted = (batch.masks != IGNORE) & batch.taught[:, None, None]
        new, old = ((z.float() / self.temperature).log_softmax(dim=1) for z in (logits, batch.before))
        pixels = functional.kl_div(new, old, log_target=True, reduction="none").sum(dim=1) * counted
        sums = (pixels.sum(dim=(1, 2)) * batch.weights).sum() * (self.weight * self.temperature**2)
        return sums / ((batch.masks != IGNORE).sum().clamp(min=1) if whole is None else max(whole.pixels, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLogits:
    """The logits of the model before, one file a sample; picklable, so that worker processes can read."""

    folder: Path
    first: int
    """Number of the first sample that has some: those below it are labelled samples, which are not taught."""

    def file(self, index: int) -> Path:
        """The file of a sample."""
        return self.folder / f"{index:08d}.npy"

    def read(self, index: int) -> Tensor | None:
        """float32 [classes, height, width] at the size of the sample as it is read; None for a labelled sample."""
        return torch.from_numpy(np.load(self.file(index)).astype(np.float32)) if index >= self.first else None
