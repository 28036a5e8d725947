"""The card of trained weights: what they are, what they were made from, how good they are, and how to use them."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from figureground.data.dataset import Dataset
from figureground.data.paths import read_bytes, stamp
from figureground.data.spec import parse_spec
from figureground.models.fit.answers import AnswerValidation
from figureground.models.fit.evaluate import Validation
from figureground.models.fit.loop import FitResult
from figureground.models.fit.options import FitOptions
from figureground.models.predictor import PredictorSpec, predictor_spec_to_json
from figureground.models.trained import CARD_VERSION

_ANSWERS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "adjusted_accuracy": "accuracy, were the groups as large as in training",
    "mean_group_accuracy": "mean accuracy of the groups",
    "worst_group_accuracy": "accuracy of the worst group",
}
_NAMED = {
    "loss": "loss",
    "miou": "mean IoU",
    "foreground_iou": "foreground IoU, any label",
    "correct": "correct",
    "flipped": "flipped",
    "missed": "missed",
    "added": "added",
    "worst_group_flipped": "flipped in the worst group",
}


def input_digests(splits: Mapping[str, Dataset]) -> dict[str, str]:
    """Digests of what a training reads, by role: each data set, and under `pictures` the sizes and times of all picture files."""
    stamps = "\n".join(f"{s.id}\t{stamp(s.image) if s.image else 'none'}" for split in splits.values() for s in split.samples)
    found = {role: split.fingerprint() for role, split in splits.items()}
    return found | {"pictures": hashlib.sha256(stamps.encode()).hexdigest()}


def content_digest(dataset: Dataset) -> str:
    """sha256 over ids, labels, contexts, the bytes of the pictures and the label maps: the same wherever the files lie."""
    digest = hashlib.sha256(repr(dataset.classes).encode())
    for sample in dataset.samples:
        context = dataset.attribute(sample, "context") if dataset.context_attribute else ""
        digest.update(repr((sample.id, sample.label, context)).encode())
        if sample.image:
            digest.update(hashlib.sha256(read_bytes(sample.image, sample=sample.id)).digest())
        if dataset.masks is not None:
            runs = dataset.masks.read(sample.id)
            digest.update(repr(runs.size_hw).encode() + runs.values.astype(np.uint16).tobytes() + runs.lengths.tobytes())
    return digest.hexdigest()


def make_card(
    result: FitResult,
    *,
    options: FitOptions,
    spec: PredictorSpec,
    splits: Mapping[str, Dataset],
    device: str,
    versions: Mapping[str, str],
    notes: Sequence[str],
    shares: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The card as plain values, the content of `card.json`.

    Args:
        result: the finished training.
        options: of it.
        spec: how pictures reach the network; its digest is that of the weights.
        splits: `train`, and `val` where there was one.
        device: what it was trained on.
        versions: of the libraries.
        notes: what was decided on the way, in words.
        shares: part of the training samples in each group by its name, of a classifier.
    """
    data = splits["train"]
    return {
        "card": CARD_VERSION,
        "task": options.task,
        "architecture": options.architecture,
        "sha256": spec.sha256,
        "parameters": sum(weight.numel() for weight in result.network.parameters()),
        "model": predictor_spec_to_json(spec),
        "classes": _classes_of(data, options, spec),
        "data": {
            "name": data.name,
            **{role: {"samples": len(split), "sha256": content_digest(split)} for role, split in splits.items()},
        },
        **({} if shares is None else {"groups": {"column": options.groups or data.context_attribute, "shares": dict(shares)}}),
        "options": dataclasses.asdict(options),
        "training": {
            "epochs": len(result.history),
            "steps": result.steps,
            "best_epoch": result.best_epoch,
            "stopped_early": result.stopped_early,
            "precision": result.precision,
            "device": device,
            "notes": list(notes),
        },
        "figures": figures_of_card(result.figures, data.classes.names),
        "versions": dict(versions),
    }


def _classes_of(data: Dataset, options: FitOptions, spec: PredictorSpec) -> dict[str, Any]:
    """What the channels are; a classifier has no ids and no background."""
    if options.task == "classify":
        return {"names": spec.class_names}
    return {f.name: getattr(data.classes, f.name) for f in dataclasses.fields(data.classes) if "colour" not in f.name}


def figures_of_card(figures: Validation | AnswerValidation | None, names: Sequence[str]) -> dict[str, Any] | None:
    """The validation of the weights, with the IoU of each class and the flipped rate of each group; None without a validation."""
    if figures is None:
        return None
    if isinstance(figures, AnswerValidation):
        kept = ("worst_group", "class_accuracy", "group_accuracy", "group_samples")
        return {**figures.figures(), **{name: getattr(figures, name) for name in kept}}
    return {
        **figures.figures(),
        "worst_group": figures.worst_group,
        "class_iou": dict(zip(names, figures.class_iou, strict=True)),
        "group_flipped": figures.group_flipped,
    }


def card_text(card: Mapping[str, Any]) -> str:
    """The card as Markdown for people, with the two ways to use the weights."""
    data, training, options = card["data"], card["training"], card["options"]
    epochs = f"{training['epochs']} epoch{'s' if training['epochs'] != 1 else ''}"
    ended = "stopped early" if training["stopped_early"] else "all epochs"
    size = f"{options['size']} x {options['size']} px" if options["size"] else "native size"
    parts = [
        f"# {card['architecture']} trained on {data['name']}\n",
        f"Classes: {', '.join(card['classes']['names'])}. {card['parameters']:,} weights. Pictures at {size}, norm {options['norm']}. "
        f"Objective {options['objective']}, balance {options['balance']}, cutmix {options['cutmix']:g}, augment {options['augment']}, "
        f"seed {options['seed']}. Trained for {epochs} ({ended}), {training['steps']} steps, in {training['precision']} "
        f"on {training['device']}; the weights are those of epoch {training['best_epoch']}.\n",
        "## Figures\n",
        _figures_text(card["figures"], options),
        "## Use\n",
        f"```\nfigureground {'classify' if card['task'] == 'classify' else 'predict'} weights:DIR DATA --out predictions\n```\n",
        "```python\n" + _snippet(card) + "```\n",
        "## Data\n",
        "| split | samples | sha256 of pictures, masks and groups |\n| --- | --- | --- |\n"
        + "".join(f"| {role} | {data[role]['samples']} | `{data[role]['sha256']}` |\n" for role in ("train", "val") if role in data),
        f"sha256 of weights.safetensors: `{card['sha256']}`\n",
        "## Options\n",
        "| option | value |\n| --- | --- |\n" + "".join(f"| {name} | {_cell(value)} |\n" for name, value in options.items()),
        "## Versions\n",
        ", ".join(f"{name} {version}" for name, version in card["versions"].items()) + "\n",
        *(["## Notes\n", *(f"- {note}\n" for note in training["notes"])] if training["notes"] else []),
    ]
    return "\n".join(parts)


def _figures_text(figures: Mapping[str, Any] | None, options: Mapping[str, Any]) -> str:
    if figures is None:
        return "There were no validation samples.\n"
    head = f"Of split {options['val_split']}, at the size of training, with these weights.\n\n| figure | value |\n| --- | --- |\n"
    if "accuracy" in figures:
        rows = "".join(f"| {_ANSWERS[name]} | {_number(figures[name])} |\n" for name in _ANSWERS)
        parts = {"accuracy of class": figures["class_accuracy"], "accuracy of group": figures["group_accuracy"]}
        return head + rows + "".join(f"| {what} {name} | {_number(v)} |\n" for what, each in parts.items() for name, v in each.items())
    rows = "".join(f"| {_NAMED[name]} | {_number(figures[name])} |\n" for name in _NAMED)
    classes = "".join(f"| IoU of {name} | {_number(value)} |\n" for name, value in figures["class_iou"].items())
    groups = "".join(f"| flipped: {name} | {_number(value)} |\n" for name, value in figures["group_flipped"].items())
    return head + rows + classes + groups


def _snippet(card: Mapping[str, Any]) -> str:
    parsed, classes = parse_spec(card["architecture"]), len(card["classes"]["names"])
    if parsed.kind == "smp" and not parsed.options:
        name, _, encoder = parsed.where.partition("/")
        build = (
            "import segmentation_models_pytorch as smp\n\n"
            f'network = smp.create_model("{name}", "{encoder}", encoder_weights=None, classes={classes})'
        )
    elif parsed.kind == "timm" and not parsed.options:
        build = f'import timm\n\nnetwork = timm.create_model("{parsed.where}", num_classes={classes})'
    elif parsed.kind == "torchvision":
        build = (
            "from torchvision.models import get_model\n\n"
            f'network = get_model("{parsed.where}", weights=None, weights_backbone=None, num_classes={classes})'
        )
    else:
        build = f"network = ...  # {card['architecture']} for {classes} classes"
    return f'from safetensors.torch import load_file\n{build}\nnetwork.load_state_dict(load_file("weights.safetensors"))\nnetwork.eval()\n'


def _number(value: float | None) -> str:
    return "undefined" if value is None or math.isnan(value) else f"{value:.4f}"


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
