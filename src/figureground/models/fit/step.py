"""One step of training: the gradient of several batches as if they were one, checked before it reaches the weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from figureground.core.errors import InputError
from figureground.models.fit.batch import IGNORE, Batch, Counts, counts_of
from figureground.models.fit.coral import Coral
from figureground.models.fit.counterfactual import counterfactual_loss
from figureground.models.fit.devices import Devices
from figureground.models.fit.distil import Distillation
from figureground.models.fit.objectives import GroupDRO
from figureground.models.fit.options import FitOptions
from figureground.models.fit.precision import Precision, seed_step
from figureground.models.fit.schedule import rate_factor

_SKIPS = 40
"""Steps in a row that fp16 may leave out while its scale comes down; 2^16 is at 1 after 16."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step says."""

    loss: float
    """Loss of the step's batches together, of all processes."""
    mass: float
    """What it is a mean over: counted pixels, or pictures."""
    rate: float
    """The learning rate."""


class NotFinite(Exception):
    """The loss or its gradient is no number; the weights are those from before the step."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def mass_of(batch: Batch, objective: str) -> float:
    """What the losses of several batches or steps are weighed with where their mean is told; gradients do not depend on it.

    Counted pixels for `ce`, whose loss is a mean over them; pictures with a counted pixel for `dice-ce` and `group-dro`.
    """
    return _mass(counts_of(batch, groups=0), objective)


def _mass(counts: Counts, objective: str) -> float:
    return counts.pixels if objective == "ce" else counts.pictures


def make_optimizer(network: nn.Module, options: FitOptions) -> torch.optim.Optimizer:
    """The optimizer that the options name, over the weights that are not frozen; `InputError` where all are."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    if not weights:
        raise InputError(f"{options.architecture}: no weight of the network may change. Leave some of them unfrozen")
    kinds = {weight.device.type for weight in weights}
    fused = kinds <= {"cpu", "cuda"} and all(weight.is_floating_point() for weight in weights)
    lr, decay = options.lr, options.weight_decay
    if options.optimizer == "sgd":
        return torch.optim.SGD(weights, lr=lr, weight_decay=decay, momentum=options.momentum, fused=fused)
    kind = torch.optim.Adam if options.optimizer == "adam" else torch.optim.AdamW
    return kind(weights, lr=lr, weight_decay=decay, fused=fused)


class Stepper:
    """Takes steps.

    Args:
        network: the wrapped network in training mode, on the device.
        objective: on the device, in training mode.
        options: of the training.
        devices: where it runs.
        precision: what it computes with.
        classes: channels that the network must have.
        steps: number of steps of the whole training.
        warmup_steps: those over which the learning rate rises.
        penalty: what the features of a batch cost beside the objective; None = nothing.
        distillation: what batches that bring logits of the model before cost beside the objective; None = nothing.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: nn.Module,
        *,
        options: FitOptions,
        devices: Devices,
        precision: Precision,
        classes: int,
        steps: int,
        warmup_steps: int,
        distillation: Distillation | None = None,
        penalty: Coral | None = None,
    ) -> None:
        self._distillation, self._penalty = distillation, penalty
        self.network, self.objective, self.precision, self.devices = network, objective, precision, devices
        self.optimizer = make_optimizer(network, options)
        self.skipped = 0
        """Steps in a row that fp16 left out."""
        self.plateau = 1.0
        """What a plateau of the validation has brought the learning rate down to, as a part of what it would be."""
        self._options, self._classes, self._steps, self._warmup_steps = options, classes, steps, warmup_steps

    def take(self, group: Sequence[Batch], *, step: int) -> StepResult:
        """One step on all batches of a group together.

        The loss is that of one large batch, and the gradient too, also where sizes differ: its means are over what all batches hold. Every
        process takes its part of each batch. (Where the network itself looks at a batch, as batch norm does, it sees a part at a time.)

        Raises:
            NotFinite: loss or gradient are not finite; weights and running statistics are as they were.
            InputError: the network cannot take the batch.
        """
        parts = [part_of(batch, self.devices) for batch in group]
        whole = self._counts(parts)
        mass = _mass(whole, self._options.objective)
        rate = self._options.lr * self._factor(step) * self.plateau
        before = [buffer.clone() for buffer in self.network.buffers()]
        total = self.devices.total(self._backward(parts, whole, step)).item()
        loss = total if mass else 0.0
        if not math.isfinite(loss):
            self._undo(before)
            raise NotFinite(f"the loss is {loss}")
        for settings in self.optimizer.param_groups:
            settings["lr"] = rate
        self._apply(before)
        return StepResult(loss=loss, mass=mass, rate=rate)

    def _factor(self, step: int) -> float:
        return rate_factor(step, steps=self._steps, warmup_steps=self._warmup_steps, schedule=self._options.schedule)

    def _counts(self, parts: Sequence[Batch]) -> Counts:
        """What the step's means are over: all parts, of all processes."""
        groups = len(self.objective.log_weights) if isinstance(self.objective, GroupDRO) else 0
        here = torch.stack([counts_of(part, groups=groups).values for part in parts]).sum(0)
        return Counts(values=self.devices.total(here))

    def _backward(self, parts: Sequence[Batch], whole: Counts, step: int) -> Tensor:
        """Adds up gradients; returns the sum of the losses of this process's parts, float64."""
        cut = len(parts) > 1 or self.devices.world > 1
        loss_sum = torch.zeros((), dtype=torch.float64)
        self.optimizer.zero_grad(set_to_none=True)
        for place, part in enumerate(parts):
            seed_step(self._options.seed, step=step, part=place * self.devices.world + self.devices.rank)
            loss = self._loss(part, last=place == len(parts) - 1, whole=whole if cut else None)
            loss_sum += loss.detach().to("cpu", torch.float64)
        if cut and isinstance(self.objective, GroupDRO):
            self.objective.settle(whole, total=self.devices.total)
        return loss_sum

    def _loss(self, part: Batch, *, last: bool, whole: Counts | None) -> Tensor:
        here = part.to(self.devices.device)
        # processes average once a step, with the last batch
        with nullcontext() if last else self.devices.silent(self.network):
            images = here.images if here.beside is None else torch.cat([here.images, *here.beside.unbind(1)])
            with self.precision.autocast():
                logits, *beside = forward(self.network, images, classes=self._classes).split(len(here))
            loss: Tensor = self.objective(logits, here.masks, here.groups, here.weights, whole=whole)
            if here.mixed_masks is not None:
                # cross entropy is linear in its weights, so two labels of a mixed picture are two losses
                loss = loss + self.objective(logits, here.mixed_masks, here.groups, here.mixed_weights, whole=whole)
            if beside:
                colour, without = beside
                told = {"whole": whole, "smoothing": self._options.label_smoothing}
                loss = loss + self._options.counterfactual * counterfactual_loss(colour, without, here, **told)
            if self._penalty is not None:
                loss = loss + self._penalty(here, whole=whole)
            if self._distillation is not None:
                loss = loss + self._distillation(logits, here, whole=whole)
            # the sum over processes is wanted, and their mean is what they take
            self.precision.scaler.scale(loss * self.devices.world).backward()
        return loss

    def _apply(self, before: Sequence[Tensor]) -> None:
        scaler = self.precision.scaler
        scaler.unscale_(self.optimizer)
        weights = [weight for settings in self.optimizer.param_groups for weight in settings["params"] if weight.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(weights, self._options.clip) if self._options.clip else gradient_norm(weights)
        if not bool(torch.isfinite(norm)):
            self._undo(before)
            self.skipped += 1
            if not scaler.is_enabled() or self.skipped > _SKIPS:
                raise NotFinite(f"the gradient is {float(norm)}")
        else:
            self.skipped = 0
        scaler.step(self.optimizer)  # leaves the step out where fp16 overflowed
        scaler.update()

    def _undo(self, before: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for buffer, old in zip(self.network.buffers(), before, strict=True):
                buffer.copy_(old)


def gradient_norm(weights: Sequence[Tensor]) -> Tensor:
    """A number that is finite where every gradient is: their joint norm."""
    return torch.nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])


def forward(network: nn.Module, images: Tensor, *, classes: int) -> Tensor:
    """The network's logits; what it cannot take, has no memory for, or has other channels for, raises one `InputError`."""
    try:
        logits: Tensor = network(images)
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"{images.device} has no memory for batches of {len(images)}. Give a smaller --batch, and as much more --accumulate"
        ) from error
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        hint = "Give a larger --batch or --size" if "more than 1 value per channel" in reason else "Give another --size"
        raise InputError(f"the network cannot train on inputs {list(images.shape)} ({reason}). {hint}") from error
    if logits.shape[1] != classes:
        raise InputError(f"the network gives {logits.shape[1]} channels for {classes} classes. Build it for {classes}")
    return logits


def part_of(batch: Batch, devices: Devices) -> Batch:
    """The pictures of a batch that this process takes: every n-th. Where there is none for it, one picture that counts for nothing."""
    if devices.world == 1:
        return batch
    rows = torch.arange(devices.rank, len(batch), devices.world)
    if len(rows):
        return batch.rows(rows)
    first = batch.rows(torch.zeros(1, dtype=torch.int64))
    return dataclasses.replace(first, masks=torch.full_like(first.masks, IGNORE))
