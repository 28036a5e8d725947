"""The refit stage: features of a trained classifier in, the same network with another last layer out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from figureground.core.errors import InputError
from figureground.core.whole_file import write_atomically
from figureground.data.dataset import Dataset
from figureground.data.held_out import held_out
from figureground.models.classifier import Classifier, features, open_classifier
from figureground.models.digest import file_digest
from figureground.models.fit.card import card_text, content_digest, input_digests
from figureground.models.fit.checkpoint import write_tensors
from figureground.models.fit.labelled import labelled_data
from figureground.models.fit.networks import WEIGHTS_FILE
from figureground.models.fit.samples import TrainData
from figureground.models.last_layer import head_of, last_layer
from figureground.models.trained import CARD
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, library_versions, to_json
from figureground.runs.progress import QuietReporter, Reporter
from figureground.stages.refit.card import choices_csv, figures_with, refit_of_card, refit_text
from figureground.stages.refit.methods import Points, Refitted, refit_afr, refit_dfr
from figureground.stages.refit.options import HARMLESS, RefitOptions, values
from figureground.stages.refit.solve import Head

KIND, SCHEMA = "weights", 1


def run_refit(weights: str, dataset: Dataset, *, options: RefitOptions | None = None, out: Path, reporter: Reporter | None = None) -> Path:
    """Fits the last layer of a classifier again and writes an artifact `weights` as training does.

    Its card has an entry `refit` more, and `choices.csv` lists what came of each setting.

    Args:
        weights: spec of a classifier that `train` wrote.
        dataset: with a picture, a label and a context of each sample.
        options: which samples, and how.
        out: directory of the artifact; there already with the same key = nothing is done.
        reporter: where progress is told; default nowhere.

    Returns:
        `out`.

    Raises:
        InputError: no classifier of `train`, one without a linear last layer, or samples that the method cannot be fitted to.
        FormatError: a faulty picture.
    """
    options, reporter = options or RefitOptions(), reporter or QuietReporter()
    for name in ("strengths", "gammas", "pulls"):
        values(getattr(options, name), name=name, positive=name == "strengths")
    classifier = open_classifier(weights)
    if classifier.card is None:
        raise InputError(f"{weights}: there is no card that says how it was trained. Give the directory that `figureground train` wrote")
    last_layer(classifier.network, classes=len(classifier.names))
    splits = _splits(dataset, classifier, options)
    data = {role: _read(split, classifier, options) for role, split in splits.items()}
    if absent := [name for k, name in enumerate(classifier.names) if not (data["refit"].targets == k).any()]:
        raise InputError(f"{splits['refit'].name}: no sample to fit on is of class {absent[0]}. Give another --split")
    inputs = {**input_digests(splits), "model": classifier.sha256}
    settings = {name: value for name, value in dataclasses.asdict(options).items() if name not in HARMLESS}
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=settings)
    if finished(out, kind=KIND, key=key):
        reporter.say(f"{out}: these weights are there already, nothing to do")
        return out
    sources = (classifier.file, *(file for split in splits.values() for file in split.every_file()))
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=sources, reporter=reporter)
    asked = {"batch": options.batch, "workers": options.workers, "device": options.device, "reporter": reporter}
    points = {role: _points(one, features(classifier, one, **asked)) for role, one in data.items()}
    found = _refitted(classifier, points, options, reporter)
    card = _write(writer, classifier, found, points, splits["refit"], options)
    counts = {role: len(split) for role, split in splits.items()}
    details = {name: card[name] for name in ("architecture", "sha256", "classes", "training", "figures", "refit")}
    writer.finish(options=settings, inputs=inputs, counts=counts, seed=options.seed, details=details)
    return out


def _splits(dataset: Dataset, classifier: Classifier, options: RefitOptions) -> dict[str, Dataset]:
    """What the layer is fitted to, `refit`, and for afr what its settings are chosen by, `val`."""
    if options.method == "dfr":
        return {"refit": _split(dataset, options.split or "val", "--split")}
    chosen = {"refit": _split(dataset, options.split, "--split") if options.split else _left_out(dataset, classifier)}
    chosen["val"] = _split(dataset, options.val_split, "--val-split")
    if both := set(chosen["refit"].ids) & set(chosen["val"].ids):
        raise InputError(f"{dataset.name}: {len(both)} samples are fitted to and chosen by, for example '{min(both)}'. Give two splits")
    return chosen


def _left_out(dataset: Dataset, classifier: Classifier) -> Dataset:
    """What the training of the network held out."""
    card = classifier.card or {}
    trained = card["options"]
    if not trained.get("held_out"):
        raise InputError(
            f"{classifier.text}: its training left no samples out for afr to be fitted to. Train it again with --held-out 0.2, or "
            "give --split with samples that it did not learn from"
        )
    own = _split(dataset, trained["train_split"], "--split") if trained["train_split"] else dataset
    learned, left = held_out(own, part=trained["held_out"], seed=trained["seed"])
    if content_digest(learned) != card["data"]["train"]["sha256"]:
        raise InputError(f"{dataset.name}: {classifier.text} learned from other samples. Give the data set that it was trained on")
    return left


def _split(dataset: Dataset, name: str, flag: str) -> Dataset:
    known = sorted({s.split for s in dataset.samples if s.split})
    if name not in known:
        raise InputError(f"{dataset.name} has no split '{name}'; it has {', '.join(known) or 'none'}. Give {flag} one of them")
    return dataset.select(split=name)


def _read(split: Dataset, classifier: Classifier, options: RefitOptions) -> TrainData:
    return labelled_data(split, classes=classifier.classes, size=classifier.size, norm=classifier.norm, groups=options.groups)


def _points(data: TrainData, found: np.ndarray) -> Points:
    assert data.targets is not None
    return Points(features=found.astype(np.float64), targets=data.targets, groups=data.groups, names=data.group_names)


def _refitted(classifier: Classifier, points: dict[str, Points], options: RefitOptions, reporter: Reporter) -> Refitted:
    if options.method == "dfr":
        return refit_dfr(points["refit"], options, reporter)
    weight, bias = head_of(last_layer(classifier.network, classes=len(classifier.names)))
    return refit_afr(points["refit"], points["val"], Head(weight=weight.numpy(), bias=bias.numpy()), options, reporter)


def _write(
    writer: ArtifactWriter, classifier: Classifier, found: Refitted, points: dict[str, Points], data: Dataset, options: RefitOptions
) -> dict[str, Any]:
    network, old = classifier.network.to("cpu"), dict(classifier.card or {})
    layer = last_layer(network, classes=len(classifier.names))
    if layer.bias is None:
        raise InputError(
            f"{classifier.text}: its last layer has no bias, and a refitted one needs one. Train a network whose last layer has"
        )
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(found.head.weight))
        layer.bias.copy_(torch.from_numpy(found.head.bias))
    weights = write_tensors(writer.path / WEIGHTS_FILE, network.network.state_dict())
    digest, shares = file_digest([weights]), (old.get("groups") or {}).get("shares", {})
    source = {"name": classifier.file.parent.name, "sha256": classifier.sha256}
    card = {
        **old,
        "sha256": digest,
        "model": {**old["model"], "sha256": digest},
        "figures": figures_with(found.head, points["val"], classifier.names, shares) if "val" in points else None,
        "refit": refit_of_card(found, source=source, data=data, points=points["refit"], options=options),
        "versions": library_versions(),
    }
    write_atomically(writer.path / CARD, to_json(card).encode())
    write_atomically(writer.path / "card.md", f"{refit_text(card['refit'])}\n{card_text(card)}".encode())
    write_atomically(writer.path / "choices.csv", choices_csv(found).encode())
    return card
