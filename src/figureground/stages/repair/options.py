"""The options of a repair, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from figureground.core.errors import InputError
from figureground.core.options import option
from figureground.models.fit.options import FitOptions

HARMLESS = ("workers", "checkpoint_every", "log")
"""Options that change no number, and so are no part of a repair's identity."""
_OF_TRAINING = (
    *("objective", "augment", "optimizer", "momentum", "weight_decay", "schedule", "warmup", "epochs", "batch", "accumulate", "clip"),
    *("precision", "patience", "device", "workers", "checkpoint_every", "seed", "train_split", "val_split"),
)
"""Options that the training loop has too, under the same names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairOptions:
    """What is mixed, how it is learned, and what may be forgotten; defaults from doi 10.1007/s10994-021-06110-7 where it says them."""

    train_split: str = option("train", help="Split of the training data that is replayed; empty = every sample.")
    val_split: str = option("val", help="Split to validate on; empty = every sample.")
    which: Literal["accepted", "all"] = option("accepted", help="Masks that count: accepted ones only, or all, accepted ones first.")
    held_out: float = option(
        0.2, help="Part of the labelled samples that is not learned from: by its mIoU epochs are compared; 0 = by all.", bounds=(0.0, 0.9)
    )
    mixing: Literal["ratio", "epoch"] = option(
        "ratio",
        help="ratio = every batch holds its share of labelled samples, epoch = an epoch shuffles them among training samples.",
    )
    share: float = option(0.5, help="For ratio: labelled part of every batch; 1 = no replay.", bounds=(0.001, 1.0))
    replay: int = option(0, help="For epoch: training samples an epoch shows; 0 = all of them.", bounds=(0, 10**9))
    distil: float = option(0.0, help="Weight of differing from the model before on training samples; 0 = not asked.", bounds=(0.0, 1e6))
    temperature: float = option(2.0, help="Softens both answers where they are compared.", bounds=(0.01, 1000.0))
    freeze: int = option(0, help="Stages of the encoder, by halvings of the picture, that stay as they are; 0 = none.", bounds=(0, 16))
    limit: float = option(0.02, help="Most mIoU that the repaired network may lose on the validation samples.", bounds=(0.0, 1.0))
    rates: tuple[str, ...] = option(
        ("1e-5", "5e-5", "1e-4"), help="Learning rates to try; the best mIoU on the validation samples decides. May be repeated."
    )
    objective: Literal["ce", "dice-ce"] = option("ce", help="What is made small.")
    augment: Literal["none", "light", "label-flips"] = option("light", help="Random changes of pictures, labelled and replayed alike.")
    optimizer: Literal["adam", "adamw", "sgd"] = option("sgd", help="How weights follow gradients.")
    momentum: float = option(0.9, help="Momentum of sgd.", bounds=(0.0, 0.9999))
    weight_decay: float = option(5e-4, help="Weight decay.", bounds=(0.0, 10.0))
    schedule: Literal["constant", "cosine", "polynomial"] = option("polynomial", help="Course of the learning rate over all steps.")
    warmup: float = option(0.0, help="Epochs over which the learning rate rises from 0.", unit="epochs", bounds=(0.0, 1000.0))
    epochs: int = option(80, help="Most passes over the labelled samples.", bounds=(1, 1_000_000))
    batch: int = option(2, help="Pictures that go through the network at a time.", bounds=(1, 65_536))
    accumulate: int = option(1, help="Batches whose gradients are averaged to one step.", bounds=(1, 65_536))
    clip: float = option(0.0, help="Largest norm of the gradient; 0 = not clipped.", bounds=(0.0, 1e9))
    precision: Literal["auto", "fp32", "bf16", "fp16"] = option("auto", help="Numbers the network computes with, as for train.")
    patience: int = option(0, help="Epochs without better weights after which a candidate ends; 0 = never.", bounds=(0, 1_000_000))
    device: str = option("auto", help="Where the network trains, as for train.")
    workers: int = option(0, help="Processes that load pictures; 0 = threads of this process.", bounds=(0, 256))
    checkpoint_every: int = option(200, help="Batches between two checkpoints: what an interruption can cost.", bounds=(1, 10_000_000))
    log: tuple[str, ...] = option((), help="Also tell tensorboard, mlflow or wandb; may be repeated.")
    seed: int = option(0, help="Seed of the order, the augmentation, dropout, and what is held out.", bounds=(0, 2**63 - 1))


def learning_rates(options: RepairOptions) -> tuple[float, ...]:
    """The candidates, each once, ascending.

    Raises:
        InputError: there are none, or one is no number above 0.
    """
    texts = [part for text in options.rates for part in text.replace(",", " ").split()]
    if not texts:
        raise InputError("`rates` names no learning rate to try. Give at least one, such as 1e-5")
    found: list[float] = []
    for text in texts:
        try:
            found.append(float(text))
        except ValueError:
            found.append(math.nan)
        if not 0 < found[-1] < math.inf:
            raise InputError(f"`rates` must hold numbers above 0, such as 1e-5; got '{text}'")
    return tuple(sorted(set(found)))


def fit_options(options: RepairOptions, *, architecture: str, size: int, norm: str, lr: float) -> FitOptions:
    """What the training loop is asked for.

    Args:
        options: of the repair.
        architecture: of the network.
        size: side that pictures are resized to, as the network was trained.
        norm: what is taken off inputs, as the network was trained.
        lr: learning rate of this candidate.
    """
    same = {name: getattr(options, name) for name in _OF_TRAINING}
    return FitOptions(**same, architecture=architecture, size=size, norm=norm, lr=lr, monitor="miou")  # pyright: ignore[reportArgumentType]
