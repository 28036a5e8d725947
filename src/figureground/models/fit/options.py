"""The options of a training, declared once for flags, TOML keys, docs and Python; and the recipes that preset them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from figureground.core.errors import InputError
from figureground.core.options import make_options, option, preset_of

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # The recipe of arXiv 2604.13326 (U-Net, Adam without decay or schedule, inputs in 0..1); MiT-B2: architecture smp:unet/mit_b2. The
    # ImageNet weights that its encoders start from are a file, which only the user can name: encoder_weights.
    "label-flips": {
        "architecture": "smp:unet/resnet50",
        "size": 512,
        "norm": "none",
        "augment": "label-flips",
        "optimizer": "adam",
        "lr": 1e-4,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup": 0.0,
        "epochs": 200,
        "batch": 8,
        "clip": 0.0,
        "precision": "auto",
        "patience": 25,
        "monitor": "loss",
    }
}
"""Name -> defaults that take the place of those below; a TOML file and flags win over them."""

TASKS: Mapping[str, Mapping[str, Any]] = {
    "segment": {},
    "classify": {
        "architecture": "timm:resnet18",
        "size": 224,
        "batch": 32,
        "clip": 1.0,
        "warmup": 1.0,
        "label_smoothing": 0.1,
        "monitor": "accuracy",
    },
}
"""Task -> defaults that take the place of those below where flags, a TOML file or `make_fit_options` name it."""

MASKTUNE: Mapping[str, Any] = {"epochs": 1, "lr": 1e-5, "schedule": "constant", "warmup": 0.0}
"""Defaults where `masktune` is given."""

LOWER_IS_BETTER: Mapping[str, bool] = {
    "loss": True,
    "miou": False,
    "foreground_iou": False,
    "flipped": True,
    "worst_group_flipped": True,
    "balanced_accuracy": False,
    "accuracy": False,
    "adjusted_accuracy": False,
    "mean_group_accuracy": False,
    "worst_group_accuracy": False,
}
"""The figures of a validation that can decide which weights are best, and in which direction."""
_ACCURACIES = ("accuracy", "adjusted_accuracy", "mean_group_accuracy", "worst_group_accuracy")


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """What is trained, on which samples, and how. `make_fit_options` applies a preset; here `preset` only tells which it was."""

    task: Literal["segment", "classify"] = option(
        "segment",
        help="What is learned: masks, or the label of each picture. For classify the defaults are architecture timm:resnet18, size 224, "
        "batch 32, clip 1, warmup 1, label_smoothing 0.1 and monitor accuracy.",
    )
    preset: str = option("", help=f"Recipe whose values take the place of the defaults: {', '.join(PRESETS)}.")
    architecture: str = option(
        "smp:unet/resnet18",
        help="Network: smp:ARCHITECTURE/ENCODER, torchvision:NAME, grid:BACKBONE for patches, for classify timm:NAME, or "
        "python:FILE.py:FUNCTION, which is called with classes=N.",
    )
    encoder_weights: str = option("", help="Weights file for the encoder, such as ImageNet weights; nothing is ever downloaded.")
    weights: str = option("", help="Weights of the whole network to start from: a file, or the directory of an earlier training.")
    train_split: str = option("train", help="Split to train on; empty = every sample.")
    val_split: str = option("val", help="Split to validate on after each epoch; empty = no validation.")
    held_out: float = option(
        0.0,
        help="For classify: part of the training samples of each class that is not learned from, so that `refit` can use it.",
        bounds=(0.0, 0.9),
    )
    size: int = option(256, help="Side of the square that pictures are resized to; 0 = native size.", unit="px", bounds=(0, 8192))
    norm: Literal["imagenet", "half", "none"] = option("imagenet", help="Mean and deviation that are taken off inputs in 0..1.")
    objective: Literal["ce", "dice-ce", "group-dro"] = option("ce", help="What is made small.")
    dro_step: float = option(0.01, help="Step size of the group weights of group-dro.", bounds=(0.0, 10.0))
    label_smoothing: float = option(0.0, help="Part of the target that is spread evenly over all classes.", bounds=(0.0, 0.99))
    groups: str = option("", help="Column that makes groups with the class. Default: the context of the data set.")
    class_weights: Literal["none", "balanced"] = option(
        "none", help="For classify: balanced = each class weighs the same in the loss, however many pictures it has."
    )
    balance: Literal["none", "sample", "weight", "subsample"] = option(
        "none",
        help="Groups that are evened out: sample = each is drawn equally often, weight = each weighs the same in the loss, subsample = of "
        "each only as many as the smallest has.",
    )
    cutmix: float = option(0.0, help="Probability of background CutMix for a picture.", bounds=(0.0, 1.0))
    augment: Literal["none", "light", "label-flips", "heavy", "patches", "patches-turned"] = option(
        "light",
        help="Random changes of training pictures; heavy, for classify, is RandAugment and for each batch CutMix, MixUp or brightness; the "
        "two of patches need an architecture grid:, whose patches they move.",
    )
    shift: int = option(4, help="Of the two of patches: most patches that a picture is moved, down or up and sideways.", bounds=(0, 128))
    errors_of: str = option(
        "",
        help="For classify: a first model, as DIR of its weights, or a table `answers` of the training samples; what it got wrong is shown "
        "`upweight` times an epoch.",
    )
    upweight: int = option(20, help="How often samples that `errors_of` got wrong are shown in an epoch.", bounds=(1, 100_000))
    coral: float = option(
        0.0,
        help="For classify: weight of how differently features vary in different contexts (Deep CORAL); 0 = not asked.",
        bounds=(0.0, 1e9),
    )
    masktune: str = option(
        "",
        help="For classify: a first network, as DIR of its weights, that is trained on without what it looked at most; epochs 1, lr 1e-5, "
        "schedule constant and warmup 0 are then the defaults.",
    )
    backmix: float = option(
        0.0, help="For classify: probability that a figure, by its mask, stands on the ground of another picture.", bounds=(0.0, 1.0)
    )
    counterfactual: float = option(
        0.0,
        help="For classify: weight of answering alike to the figure on one random colour, and otherwise to its ground alone; needs masks.",
        bounds=(0.0, 1e6),
    )
    figures: str = option(
        "",
        help="For backmix and counterfactual: backgrounds that `swap infill` wrote, whose figures take the place of the data set's masks.",
    )
    grounds: str = option(
        "",
        help="Backgrounds that `swap infill` wrote of the training pictures: each time a figure is shown it stands on one of a class drawn "
        "anew, masks following.",
    )
    swap_probability: float = option(
        1.0, help="Of `grounds`: chance of another ground when a picture is shown; else it is shown as it is.", bounds=(0.0, 1.0)
    )
    swap_scale_low: float = option(0.5, help="Of `grounds`: the figure's size is multiplied with at least this.", bounds=(0.05, 20.0))
    swap_scale_high: float = option(1.5, help="Of `grounds`: the figure's size is multiplied with at most this.", bounds=(0.05, 20.0))
    swap_turn: float = option(
        30.0, help="Of `grounds`: the figure is turned by up to this, either way.", unit="degrees", bounds=(0.0, 180.0)
    )
    swap_shift: float = option(
        0.143, help="Of `grounds`: the figure is moved by up to this part of the picture's height and width.", bounds=(0.0, 1.0)
    )
    swap_feather: float = option(
        0.0, help="Of `grounds`: width over which the edge of a figure fades; 0 = a hard edge.", unit="px", bounds=(0.0, 32.0)
    )
    swap_allow_missing: bool = option(
        False, help="Of `grounds`: draw from the classes that have backgrounds, where one of the data set has none; else that is an error."
    )
    optimizer: Literal["adam", "adamw", "sgd"] = option("adamw", help="How weights follow gradients.")
    lr: float = option(3e-4, help="Learning rate at its highest.", bounds=(1e-12, 1e3))
    weight_decay: float = option(1e-4, help="Weight decay.", bounds=(0.0, 10.0))
    momentum: float = option(0.9, help="Momentum of sgd.", bounds=(0.0, 0.9999))
    schedule: Literal["constant", "cosine", "polynomial", "plateau"] = option(
        "cosine", help="Course of the learning rate over all steps; plateau = it falls when `monitor` gets no better."
    )
    plateau_patience: int = option(20, help="Of plateau: epochs in a row that may be no better.", unit="epochs", bounds=(0, 1_000_000))
    plateau_factor: float = option(0.1, help="Of plateau: what the learning rate is multiplied with then.", bounds=(1e-6, 1.0))
    warmup: float = option(0.0, help="Epochs over which the learning rate rises from 0.", unit="epochs", bounds=(0.0, 1000.0))
    epochs: int = option(30, help="Passes over the training samples.", bounds=(1, 1_000_000))
    batch: int = option(8, help="Pictures that go through the network at a time.", bounds=(1, 65_536))
    accumulate: int = option(1, help="Batches whose gradients are averaged to one step.", bounds=(1, 65_536))
    clip: float = option(0.0, help="Largest norm of the gradient; 0 = not clipped.", bounds=(0.0, 1e9))
    precision: Literal["auto", "fp32", "bf16", "fp16"] = option(
        "auto", help="Numbers the network computes with; auto = bf16 on an accelerator that has it, else fp16 there, fp32 on a processor."
    )
    patience: int = option(0, help="Epochs without a better `monitor` after which training stops; 0 = never.", bounds=(0, 1_000_000))
    monitor: Literal[
        "loss",
        "miou",
        "foreground_iou",
        "flipped",
        "worst_group_flipped",
        "balanced_accuracy",
        "accuracy",
        "adjusted_accuracy",
        "mean_group_accuracy",
        "worst_group_accuracy",
    ] = option("loss", help="Figure of the validation that says which weights are best; the accuracies are those of a classifier.")
    device: str = option(
        "auto", help="Where the network trains: cpu, auto, a name such as cuda:0, or accelerate for what `accelerate launch` gives."
    )
    workers: int = option(0, help="Processes that load pictures; 0 = threads of this process.", bounds=(0, 256))
    checkpoint_every: int = option(200, help="Batches between two checkpoints: what an interruption can cost.", bounds=(1, 10_000_000))
    log: tuple[str, ...] = option((), help="Also tell tensorboard, mlflow or wandb; may be repeated.")
    seed: int = option(0, help="Seed of the weights, the order, the augmentation and dropout.", bounds=(0, 2**63 - 1))


HARMLESS = ("workers", "checkpoint_every", "log", "preset")
"""Options that change no number, and so are no part of a training's identity."""

BY_CONTENT = ("errors_of", "figures", "grounds")
"""Options that name what is known by its content, wherever it lies."""

SWAP = ("probability", "scale_low", "scale_high", "turn", "shift", "feather", "allow_missing")
"""Options of a swap, each of which stands in `FitOptions` as `swap_NAME`."""


def make_fit_options(*layers: Mapping[str, Any]) -> FitOptions:
    """Options of a training from layers of given values, later ones winning over earlier ones, and all of them over the preset.

    Args:
        layers: option name -> value, such as the keys of a TOML file and then the flags; the last `preset` named counts.

    Raises:
        InputError: an unknown option or preset, or a value out of bounds.
    """
    given = {key: value for layer in layers for key, value in layer.items()}
    preset = preset_of(PRESETS, *layers)
    task = str(given.get("task", "segment"))
    if preset and task != "segment":
        raise InputError(f"`preset` {given['preset']} is a recipe of task segment; leave one of the two out")
    tuned = MASKTUNE if given.get("masktune") else {}
    return make_options(FitOptions, TASKS.get(task, {}), tuned, preset, *layers)


def check_together(options: FitOptions) -> None:
    """Raise `InputError` where an option counts only for the other task, contradicts another, or says how to do what is not asked for."""
    _check_task(options)
    _check_grounds(options)
    _check_mixing(options)


def _check_task(options: FitOptions) -> None:
    """Options that count for one of the two tasks."""
    classify = options.task == "classify"
    wrong = {
        "objective": classify and options.objective == "dice-ce",
        "cutmix": classify and options.cutmix > 0,
        "monitor": (options.monitor in _ACCURACIES) != classify and options.monitor != "loss",
        "class_weights": not classify and options.class_weights != "none",
        "augment": not classify and options.augment == "heavy",
        "held_out": not classify and options.held_out > 0,
        "coral": not classify and options.coral > 0,
        "masktune": not classify and bool(options.masktune),
        "backmix": not classify and options.backmix > 0,
        "counterfactual": not classify and options.counterfactual > 0,
        "errors_of": not classify and bool(options.errors_of),
    }
    if names := [name for name, is_wrong in wrong.items() if is_wrong]:
        other = "segment" if classify else "classify"
        raise InputError(f"`{names[0]}` {getattr(options, names[0])} counts for task {other} only; got task {options.task}. Give another")


def _check_grounds(options: FitOptions) -> None:
    """Options that say what stands behind a figure."""
    if options.masktune and (options.weights or options.backmix):
        other = "weights" if options.weights else "backmix"
        raise InputError(f"`masktune` says which weights to start from and what pictures are shown; leave `{other}` out")
    others = {"masktune": options.masktune, "backmix": options.backmix, "counterfactual": options.counterfactual}
    if options.grounds and (given := [name for name, value in others.items() if value]):
        raise InputError(f"`grounds` and `{given[0]}` both say what stands behind a figure. Leave one of them out")
    if options.grounds and options.coral:
        raise InputError("`coral` compares contexts, and `grounds` shows each figure in any of them. Leave one of the two out")
    defaults = FitOptions()
    changed = [name for name in (f"swap_{own}" for own in SWAP) if getattr(options, name) != getattr(defaults, name)]
    if changed and not options.grounds:
        raise InputError(f"`{changed[0]}` says how figures are set on `grounds`, and there are none. Give --grounds, or leave it out")
    if options.figures and not (options.backmix or options.counterfactual):
        raise InputError("`figures` says what `backmix` or `counterfactual` cut out, and neither is given. Give one, or leave it out")


def _check_mixing(options: FitOptions) -> None:
    """Options that mix, repeat or weigh pictures."""
    if options.coral and options.augment == "heavy":
        raise InputError("`augment` heavy mixes pictures of two contexts into one, which coral cannot compare. Give another `augment`")
    beside = {"augment": options.augment == "heavy", "coral": options.coral, "masktune": options.masktune, "backmix": options.backmix}
    if options.counterfactual and (others := [name for name, given in beside.items() if given]):
        raise InputError(
            f"`counterfactual` shows pictures of its own, which `{others[0]}` {getattr(options, others[0])} would change. Leave one out"
        )
    if options.objective == "group-dro" and options.augment == "heavy":
        raise InputError("`augment` heavy mixes pictures of two groups into one, which group-dro cannot weigh. Give another `augment`")
    if options.errors_of and options.balance in ("sample", "subsample"):
        raise InputError(f"`errors_of` says how often samples are shown, and so does `balance` {options.balance}. Leave one of the two out")
    if options.objective == "group-dro" and options.class_weights != "none":
        raise InputError("`objective` group-dro weighs groups itself, so `class_weights` must be none beside it; got balanced")
