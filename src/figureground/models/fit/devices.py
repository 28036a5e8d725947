"""Where a training runs: one device of this process, or several processes that accelerate started."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import nn

from figureground.core.errors import InputError, MissingExtra
from figureground.models.torch_network import find_device

ACCELERATE = "accelerate"
"""The device name that stands for what `accelerate launch` gives each process."""


class Devices(Protocol):
    """The device of this process, and what the processes do together."""

    device: torch.device
    rank: int
    """Number of this process; 0 writes and speaks."""
    world: int
    """Number of processes."""

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network on its device, such that gradients are averaged over processes."""
        ...

    def silent(self, network: nn.Module) -> AbstractContextManager[Any]:
        """A context in which gradients are not yet averaged."""
        ...

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over processes of a tensor, on the processor."""
        ...

    def wait(self) -> None:
        """Until every process is here."""
        ...


class OneDevice:
    """One process with one device: the default."""

    rank, world = 0, 1

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network on the device."""
        return network.to(self.device)

    def silent(self, network: nn.Module) -> AbstractContextManager[Any]:
        """There is nobody to be silent to."""
        return nullcontext()

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The values themselves."""
        return values.cpu()

    def wait(self) -> None:
        """Nobody else is there."""


class AcceleratedDevices:
    """The processes that `accelerate launch` started, each with a device of its own."""

    def __init__(self) -> None:
        try:
            from accelerate import Accelerator
        except ImportError as error:
            raise MissingExtra("accelerate", extra="accelerate", needed_for="`device` accelerate") from error
        # Precision is the loop's own business, and batches come ready: accelerate is asked for devices only.
        self._accelerator = Accelerator(mixed_precision="no")
        self.device: torch.device = self._accelerator.device
        self.rank: int = self._accelerator.process_index
        self.world: int = self._accelerator.num_processes

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network on the device of this process; with several, behind accelerate's wrapper."""
        return self._accelerator.prepare_model(network)

    def silent(self, network: nn.Module) -> AbstractContextManager[Any]:
        """Gradients stay where they are until the context ends."""
        return self._accelerator.no_sync(network)

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""
        summed: Any = self._accelerator.reduce(values.to(self.device), reduction="sum")
        return summed.cpu()

    def wait(self) -> None:
        """Until every process is here."""
        self._accelerator.wait_for_everyone()


def open_devices(name: str) -> Devices:
    """The devices of a name: `accelerate`, or a device of torch for this process alone.

    Raises:
        InputError: a device that is not there, or several processes were launched and `accelerate` was not asked for.
        MissingExtra: accelerate is not installed.
    """
    openers: dict[str, Callable[[], Devices]] = {ACCELERATE: AcceleratedDevices}
    if name not in openers and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError(f"`device` is '{name}', but several processes were launched. Give --device accelerate, or launch one")
    return openers[name]() if name in openers else OneDevice(find_device(name))
