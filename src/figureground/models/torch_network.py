"""Running a torch module as a predictor: device, inference mode, arrays in and out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from figureground.core.errors import InputError, MissingExtra
from figureground.models.digest import check_digest, file_digest
from figureground.models.predictor import PredictorSpec
from figureground.models.settings import Settings
from figureground.models.weights import State, load_weights, read_state_dict

try:
    import torch
except ImportError as error:
    raise MissingExtra("torch", extra="torch", needed_for="running a torch network") from error


class TorchPredictor:
    """A torch module behind the `Predictor` port.

    Args:
        network: module in evaluation mode, already on `device`.
        spec: what determines its numbers.
        device: from `find_device`.
        logits_of: takes the module's output to float [batch, classes, height, width].
    """

    def __init__(
        self, network: torch.nn.Module, *, spec: PredictorSpec, device: torch.device, logits_of: Callable[[Any], torch.Tensor]
    ) -> None:
        self.spec = dataclasses.replace(spec, device=str(device))
        self._network: torch.nn.Module | None = network
        self._device, self._logits_of = device, logits_of

    def forward(self, images: np.ndarray) -> np.ndarray:
        """Logits float32 [batch, classes, height', width'] of float32 [batch, 3, height, width]."""
        if self._network is None:
            raise InputError(f"{self.spec.kind}:{self.spec.where}: this predictor is closed; open it again")
        try:
            with torch.inference_mode():
                logits = self._logits_of(self._network(torch.from_numpy(images).to(self._device)))
                return logits.to("cpu", torch.float32).numpy()
        except torch.OutOfMemoryError as error:
            raise InputError(f"{self._device} has no memory for {len(images)} inputs at a time. Give a smaller --batch") from error
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"{self.spec.kind}:{self.spec.where}: the network cannot take inputs {list(images.shape)} ({reason}). "
                "Give `size` and `stride` in the model spec"
            ) from error

    def close(self) -> None:
        """Let go of the network, and of its memory on the device."""
        self._network = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def find_device(name: str) -> torch.device:
    """The torch device of a name; `auto` is the accelerator where there is one, else the processor."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"`device` '{name}' cannot be used here ({reason}). Give cpu, auto, or a device torch lists") from error
    return device


def read_weights(settings: Settings, *, where: str) -> tuple[State, str, tuple[str, ...]]:
    """State, digest and notes of the file that `weights=` names; no such setting raises `InputError`."""
    file = settings.fields.get("weights")
    if not file:
        raise InputError(f"{where}: add ?weights=FILE with the trained weights (safetensors, or a torch file of tensors)")
    path = Path(file)
    state, notes = read_state_dict(path)
    digest = file_digest([path])
    check_digest(digest, settings.fields.get("sha256"), where=where)
    return state, digest, notes


def channels_of(settings: Settings, state: State, heads: tuple[str, ...], *, where: str) -> int:
    """Number of classes: as given, else the output channels of the first of `heads` that ends a name of the weights."""
    if "classes" in settings.fields:
        return int(settings.fields["classes"])
    names = [name for head in heads for name in state if name.endswith(head)]
    if not names:
        raise InputError(f"{where}: the number of classes cannot be told from the weights; add classes=N to the model spec")
    return int(state[names[0]].shape[0])


def finish_network(
    network: torch.nn.Module, state: State, *, spec: PredictorSpec, device: str, logits_of: Callable[[Any], torch.Tensor]
) -> TorchPredictor:
    """Load a state into a network and put it on a device, in evaluation mode."""
    found = find_device(device)
    notes = load_weights(network, state, where=f"{spec.kind}:{spec.where}")
    network.eval().requires_grad_(requires_grad=False).to(found)
    return TorchPredictor(network, spec=dataclasses.replace(spec, notes=spec.notes + notes), device=found, logits_of=logits_of)
