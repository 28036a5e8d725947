"""The numbers a network computes with, and the random numbers it draws: both decided per step, so that any step can be repeated."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from figureground.core.errors import InputError

_STEP = 2  # a branch of the seed that no order and no sample uses


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """What `precision` comes to on a device."""

    name: Literal["fp32", "bf16", "fp16"]
    autocast: Callable[[], AbstractContextManager[Any]]
    """A context in which a network computes in this precision; weights stay float32."""
    scaler: torch.amp.GradScaler
    """Keeps small gradients from vanishing in fp16; hands everything through elsewhere."""


def open_precision(name: str, device: torch.device) -> Precision:
    """The precision of a name on a device.

    Args:
        name: `fp32`, `bf16`, `fp16`, or `auto`: bf16 on a CUDA device that has it, fp16 on one that has not, fp32 elsewhere.
        device: where the network is.

    Raises:
        InputError: fp16 on a device without CUDA.
    """
    cuda = device.type == "cuda"
    if name == "auto":
        name = ("bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16") if cuda else "fp32"
    if name == "fp16" and not cuda:
        raise InputError(f"`precision` fp16 needs a CUDA device; this one is {device}. Give bf16 or fp32")
    scaler = torch.amp.GradScaler(device.type, enabled=name == "fp16")
    if name == "fp32":
        return Precision(name="fp32", autocast=nullcontext, scaler=scaler)
    if name == "bf16":
        return Precision(name="bf16", autocast=lambda: torch.autocast(device.type, torch.bfloat16), scaler=scaler)
    return Precision(name="fp16", autocast=lambda: torch.autocast(device.type, torch.float16), scaler=scaler)


def seed_step(seed: int, *, step: int, part: int) -> None:
    """Seeds what the network draws (dropout) in one pass of one step, so that a resumed run draws the same.

    Args:
        seed: of the run.
        step: number of the step.
        part: number of the batch in its step, and of the process.
    """
    state = np.random.SeedSequence(seed, spawn_key=(_STEP, step, part)).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """A context in which a run repeats bit for bit where the device can, after which torch's random state and settings are as before.

    On CUDA deterministic kernels are chosen, which can be slower; an operation that has none is used all the same.
    """
    cuda = device.type == "cuda"
    before = (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())
    benchmark = torch.backends.cudnn.benchmark
    with torch.random.fork_rng(devices=[device] if cuda else []), warnings.catch_warnings():
        if cuda:
            os.environ.setdefault(
                "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
            )  # read when cuBLAS first starts; without it, it is not deterministic
            warnings.filterwarnings("ignore", message=".*deterministic.*")
            torch.use_deterministic_algorithms(mode=True, warn_only=True)
            torch.backends.cudnn.benchmark = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            torch.backends.cudnn.benchmark = benchmark
