"""A batch of training pictures, the value of pixels that do not count, and the number of what does."""

from __future__ import annotations

from dataclasses import dataclass

import torch

IGNORE = 255
"""Class index of pixels that are not counted: void, and what padding adds. So training knows at most 255 classes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Pictures as the network and the objective take them."""

    images: torch.Tensor
    """float32 [batch, 3, height, width], normalised; padding is 0."""
    masks: torch.Tensor
    """int64 [batch, height, width]: index of the class in the class table (not its id), or `IGNORE`."""
    groups: torch.Tensor
    """int64 [batch]: index of the group, -1 where it is not known."""
    indices: torch.Tensor
    """int64 [batch]: number of the sample in the data it was drawn from."""
    weights: torch.Tensor
    """float32 [batch], above 0: what the loss of each picture is multiplied with."""
    before: torch.Tensor | None = None
    """float32 [batch, classes, height, width]: logits of the model before, 0 for pictures without; None where there are none at all."""
    taught: torch.Tensor | None = None
    """bool [batch]: which pictures have such logits; beside `before`."""
    mixed_masks: torch.Tensor | None = None
    """int64 as `masks`: those of the pictures that were mixed in; None where nothing was."""
    mixed_weights: torch.Tensor | None = None
    """float32 [batch], at least 0: what the loss against `mixed_masks` is multiplied with; beside them."""
    beside: torch.Tensor | None = None
    """float32 [batch, 2, 3, height, width]: two pictures more of each sample, 0 for samples without; None where there are none at all."""
    told: torch.Tensor | None = None
    """bool [batch]: which samples have them; beside `beside`."""

    def __len__(self) -> int:
        return len(self.indices)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device; without a copy where it is there already."""
        return Batch(
            images=self.images.to(device, non_blocking=True),
            masks=self.masks.to(device, non_blocking=True),
            groups=self.groups.to(device, non_blocking=True),
            indices=self.indices.to(device, non_blocking=True),
            weights=self.weights.to(device, non_blocking=True),
            before=None if self.before is None else self.before.to(device, non_blocking=True),
            taught=None if self.taught is None else self.taught.to(device, non_blocking=True),
            mixed_masks=None if self.mixed_masks is None else self.mixed_masks.to(device, non_blocking=True),
            mixed_weights=None if self.mixed_weights is None else self.mixed_weights.to(device, non_blocking=True),
            beside=None if self.beside is None else self.beside.to(device, non_blocking=True),
            told=None if self.told is None else self.told.to(device, non_blocking=True),
        )

    def rows(self, chosen: torch.Tensor) -> Batch:
        """The pictures of some places, int64 [places], of the batch."""
        return Batch(
            images=self.images[chosen],
            masks=self.masks[chosen],
            groups=self.groups[chosen],
            indices=self.indices[chosen],
            weights=self.weights[chosen],
            before=None if self.before is None else self.before[chosen],
            taught=None if self.taught is None else self.taught[chosen],
            mixed_masks=None if self.mixed_masks is None else self.mixed_masks[chosen],
            mixed_weights=None if self.mixed_weights is None else self.mixed_weights[chosen],
            beside=None if self.beside is None else self.beside[chosen],
            told=None if self.told is None else self.told[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """What the means of objectives are over: in a batch, or in all parts of a step together, to whose counts those of the parts add up."""

    values: torch.Tensor
    """float64 [2 + groups]: counted pixels, pictures with a counted pixel, and such pictures of each group."""

    @property
    def pixels(self) -> float:
        """Counted pixels."""
        return float(self.values[0])

    @property
    def pictures(self) -> float:
        """Pictures with a counted pixel, those of unknown group among them."""
        return float(self.values[1])

    @property
    def groups(self) -> torch.Tensor:
        """float64 [groups]: pictures with a counted pixel of each group."""
        return self.values[2:]


def counts_of(batch: Batch, *, groups: int) -> Counts:
    """The counts of one batch.

    Args:
        batch: on the processor.
        groups: number of groups; those above are in none, 0 = groups are not counted.
    """
    pixels = (batch.masks != IGNORE).flatten(1).sum(1)
    known = batch.groups[(pixels > 0) & (batch.groups >= 0)]
    sizes = torch.bincount(known, minlength=groups)[:groups]
    return Counts(values=torch.cat([torch.stack([pixels.sum(), (pixels > 0).sum()]), sizes]).double())
