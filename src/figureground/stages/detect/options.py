"""The options of a detector, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from figureground.core.errors import InputError
from figureground.core.options import make_options, option, preset_of
from figureground.models.fit.options import FitOptions

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # The recipe of arXiv 2606.32018: pooled features, many steps of SGD. The ImageNet weights that it starts from are a file, which only
    # the user can name: encoder_weights.
    "background-swapping": {
        "backbone": "efficientnet_b0",
        "head": "pooled",
        "size": 224,
        "norm": "imagenet",
        "augment": "patches-turned",
        "optimizer": "sgd",
        "lr": 1.0,
        "schedule": "plateau",
        "plateau_patience": 20,
        "epochs": 200,
        "batch": 32,
        "tight": 0.33,
        "loose": 0.9,
    }
}
"""Name -> defaults that take the place of those below; a TOML file and flags win over them."""
HARMLESS = ("workers", "checkpoint_every", "preset", "max_failures")
"""Options that change no number, and so are no part of a detector's identity."""
MOST_EPOCHS = 200
"""Where `steps` says how long: no more epochs than the recipe of arXiv 2606.32018 has."""
_OF_TRAINING = (
    *("train_split", "encoder_weights", "weights", "size", "norm", "augment", "shift", "optimizer", "lr", "weight_decay", "momentum"),
    *("label_smoothing", "schedule", "plateau_patience", "plateau_factor", "batch", "clip", "precision", "patience", "device", "workers"),
    *("checkpoint_every", "seed"),
)
"""Options that the training loop has too, under the same names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectOptions:
    """What is learned from which labels. `make_detect_options` applies a preset; here `preset` only tells which it was."""

    preset: str = option("", help=f"Recipe whose values take the place of the defaults: {', '.join(PRESETS)}.")
    masks: Literal["none", "truth"] = option(
        "none", help="truth = patch labels are pooled from the masks of the data set, instead of --labels."
    )
    count: int = option(200, help="Of --masks truth: pictures whose masks are pooled, drawn at random; 0 = all.", bounds=(0, 10_000_000))
    foreground: float = option(0.25, help="Of --masks truth: a patch is figure where more than this part of it is.", bounds=(0.0, 0.999))
    train_split: str = option(
        "train", help="Split of the training pictures, which alone may be labelled; a data set without splits is used whole."
    )
    grid: str = option("", help="Rows x columns of patches. Default: that of the labels; 16x16 for masks.")
    held_out: float = option(0.2, help="Part of the labelled pictures that is not learned from and judges.", bounds=(0.05, 0.9))
    curve: str = option(
        "50,100,200,400", help="Numbers of labels that detectors are trained from besides all, to see what more would bring; 0 = none."
    )
    tight: float = option(0.0, help="Bound on P(background) of what is cut out; 0 = chosen by --leakage.", bounds=(0.0, 1.0))
    loose: float = option(0.0, help="Bound on P(background) of what is filled; 0 = chosen by --coverage.", bounds=(0.0, 1.0))
    leakage: float = option(
        0.1, help="The tight bound is the highest at which at most this part of the cut-out patches is background.", bounds=(0.0, 1.0)
    )
    coverage: float = option(
        0.98, help="The loose bound is the lowest at which at least this part of the figure's patches is filled.", bounds=(0.0, 1.0)
    )
    sheet: int = option(
        3, help="Held-out pictures on the sheet: so many of the best, of the middle and of the worst, by IoU; 0 = no sheet.", bounds=(0, 16)
    )
    resamples: int = option(1000, help="Resamples of the held-out pictures behind the intervals.", bounds=(10, 100_000))
    backbone: str = option("efficientnet_b0", help="Network of timm whose features are learned from.")
    head: Literal["pooled", "conv"] = option("conv", help="pooled = from the pooled features, conv = from the last three feature maps.")
    encoder_weights: str = option("", help="Weights file for the backbone, such as ImageNet weights; nothing is ever downloaded.")
    weights: str = option("", help="Weights of the whole detector to start from: a file, or the folder `detector` of an earlier one.")
    size: int = option(128, help="Side of the square that pictures are resized to, a multiple of the rows and columns.", bounds=(32, 2048))
    norm: Literal["imagenet", "half", "none"] = option("imagenet", help="Mean and deviation that are taken off inputs in 0..1.")
    augment: Literal["none", "patches", "patches-turned"] = option(
        "patches", help="Random changes of picture and grid together; turned = by right angles, too."
    )
    shift: int = option(4, help="Most patches that a picture is moved, down or up and sideways.", bounds=(0, 128))
    optimizer: Literal["adam", "adamw", "sgd"] = option("adamw", help="How weights follow gradients.")
    lr: float = option(1e-3, help="Learning rate at its highest.", bounds=(1e-12, 1e3))
    momentum: float = option(0.9, help="Momentum of sgd.", bounds=(0.0, 0.9999))
    weight_decay: float = option(1e-5, help="Weight decay.", bounds=(0.0, 10.0))
    clip: float = option(1.0, help="Largest norm of the gradient; 0 = not clipped.", bounds=(0.0, 1e9))
    label_smoothing: float = option(0.1, help="Part of the target that is spread evenly over both classes.", bounds=(0.0, 0.99))
    schedule: Literal["constant", "cosine", "polynomial", "plateau"] = option("plateau", help="Course of the learning rate, as for train.")
    plateau_patience: int = option(20, help="Of plateau: epochs in a row that may be no better.", unit="epochs", bounds=(0, 1_000_000))
    plateau_factor: float = option(0.1, help="Of plateau: what the learning rate is multiplied with then.", bounds=(1e-6, 1.0))
    epochs: int = option(0, help="Passes over the labels; 0 = as many as make --steps.", unit="epochs", bounds=(0, 1_000_000))
    steps: int = option(200, help=f"With --epochs 0: steps, in {MOST_EPOCHS} epochs at most.", unit="steps", bounds=(1, 10_000_000))
    batch: int = option(16, help="Pictures that go through the network at a time.", bounds=(1, 65_536))
    patience: int = option(0, help="Epochs without better weights after which training ends; 0 = never.", bounds=(0, 1_000_000))
    precision: Literal["auto", "fp32", "bf16", "fp16"] = option("auto", help="Numbers the network computes with, as for train.")
    device: str = option("auto", help="Where the network runs: cpu, auto, or a name such as cuda:0.")
    workers: int = option(0, help="Processes that load pictures; 0 = threads of this process.", bounds=(0, 256))
    checkpoint_every: int = option(200, help="Batches between two checkpoints: what an interruption can cost.", bounds=(1, 10_000_000))
    max_failures: int = option(0, help="Pictures that may be unreadable; each is listed in failures.json.", bounds=(0, 10_000_000))
    seed: int = option(0, help="Seed of the weights, the order, the augmentation, and what is held out or drawn.", bounds=(0, 2**63 - 1))


def make_detect_options(*layers: Mapping[str, Any]) -> DetectOptions:
    """Options of a detector from layers of given values, later ones winning over earlier ones, and all of them over the preset.

    Args:
        layers: option name -> value, such as the keys of a TOML file and then the flags; the last `preset` named counts.

    Raises:
        InputError: an unknown option or preset, or a value out of bounds.
    """
    return make_options(DetectOptions, preset_of(PRESETS, *layers), *layers)


def curve_points(options: DetectOptions) -> tuple[int, ...]:
    """Numbers of labels to train from besides all, ascending, each once.

    Raises:
        InputError: a text that holds anything but whole numbers.
    """
    texts = options.curve.replace(",", " ").split()
    if not all(text.isdecimal() for text in texts):
        raise InputError(f"`curve` must be numbers of labels with commas between, such as 50,100; got '{options.curve}'")
    return tuple(sorted({int(text) for text in texts} - {0}))


def architecture_of(options: DetectOptions, *, rows: int, columns: int) -> str:
    """The architecture that the training loop is asked for."""
    return f"grid:{options.backbone}?rows={rows}&columns={columns}&head={options.head}"


def fit_options(options: DetectOptions, *, rows: int, columns: int, labels: int) -> FitOptions:
    """What the training loop is asked for.

    Args:
        options: of the detector.
        rows: of the grid.
        columns: of the grid.
        labels: pictures that are learned from.
    """
    same = {name: getattr(options, name) for name in _OF_TRAINING}
    epochs = options.epochs or min(MOST_EPOCHS, -(-options.steps // -(-labels // options.batch)))
    architecture = architecture_of(options, rows=rows, columns=columns)
    return FitOptions(**same, architecture=architecture, epochs=epochs, monitor="balanced_accuracy", val_split="held out")  # pyright: ignore[reportArgumentType]
