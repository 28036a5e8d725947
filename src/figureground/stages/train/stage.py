"""The train stage: opens splits and network, runs the loop, and writes weights with their card and curves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.core.whole_file import write_atomically
from figureground.data.backgrounds import TABLE, CutFigures, read_backgrounds
from figureground.data.dataset import Dataset
from figureground.data.held_out import held_out
from figureground.models.digest import file_digest
from figureground.models.fit.backmix import backmix_source
from figureground.models.fit.card import card_text, input_digests, make_card
from figureground.models.fit.checkpoint import LAST_GOOD, write_tensors
from figureground.models.fit.counterfactual import counterfactual_source
from figureground.models.fit.curves import curves_csv, curves_svg
from figureground.models.fit.data import train_data
from figureground.models.fit.devices import Devices, open_devices
from figureground.models.fit.labelled import group_shares, label_classes, labelled_data
from figureground.models.fit.loggers import open_loggers
from figureground.models.fit.loop import FitResult, check_fit, fit
from figureground.models.fit.masktune import masked_source
from figureground.models.fit.networks import WEIGHTS_FILE, architecture_digest, network_to_train, trained_spec
from figureground.models.fit.options import BY_CONTENT, HARMLESS, FitOptions, check_together
from figureground.models.fit.samples import TrainData
from figureground.models.fit.sources import PictureSource
from figureground.models.fit.swap import Swapping, swapping_source
from figureground.models.trained import CARD
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, library_versions, to_json
from figureground.runs.progress import QuietReporter, Reporter
from figureground.runs.sources import partial_place
from figureground.stages.train.errors import Repeated, repeated_errors
from figureground.stages.train.result import KIND

SCHEMA = 1
STATE = "state"
"""Shard in which the loop keeps its state."""


def run_train(
    dataset: Dataset,
    *,
    options: FitOptions | None = None,
    out: Path,
    reporter: Reporter | None = None,
    devices: Devices | None = None,
) -> Path:
    """Trains a network and writes the artifact `weights`.

    It holds `weights.safetensors`, the card (`card.json`, `card.md`) and the curves (`curves.csv`, `curves.svg`); MODEL spec `weights:DIR`
    opens it. An interrupted training goes on behind its last checkpoint and ends with the same weights.

    Args:
        dataset: with pictures and masks; `train_split` and `val_split` say which samples are used.
        options: what is trained, and how.
        out: directory of the artifact; there already with the same key = nothing is done.
        reporter: where progress is told; default nowhere.
        devices: where it runs; default what `options.device` names.

    Returns:
        `out`.

    Raises:
        InputError: options, data and network do not fit together, weights do not fit, or the loss is no longer a number.
        FormatError: a faulty picture or mask.
        MissingExtra: a library that the options ask for is not installed.
    """
    options, devices = options or FitOptions(), devices or open_devices((options or FitOptions()).device)
    speaker = reporter if reporter is not None and devices.rank == 0 else QuietReporter()
    splits = choose_splits(dataset, options)
    check_together(options)
    classes = label_classes(splits["train"]) if options.task == "classify" else dataset.classes
    network, notes = network_to_train(options, classes=len(classes))
    data = {role: _read(split, classes, options, network.stride_px) for role, split in splits.items()}
    check_fit(data["train"], data.get("val"), options)
    source = _source(splits["train"], data["train"], options)
    plan = repeated_errors(splits["train"], options, speaker) if options.errors_of else None
    inputs = _inputs(splits, options) | ({"errors_of": plan.identity()} if plan else {})
    notes += tuple(_said_of(source, plan, data["train"], options))
    settings = {name: value for name, value in dataclasses.asdict(options).items() if name not in (*HARMLESS, *BY_CONTENT)}
    settings["device"] = f"{devices.device.type} x {devices.world}"
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=settings)
    if finished(out, kind=KIND, key=key):
        speaker.say(f"{out}: these weights are there already, nothing to do")
        return out
    given = [*_given_weights(options).values(), *(Path(where) / TABLE for where in _backgrounds(options).values())]
    sources = (*given, *(file for split in splits.values() for file in split.every_file()))
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=sources, reporter=speaker) if devices.rank == 0 else None
    devices.wait()
    partial = partial_place(out)
    state = writer.shard(STATE) if writer else partial / ".shards" / STATE
    loggers = open_loggers(options.log, folder=partial, run=out.name, options=settings) if writer else []
    for note in notes:
        speaker.say(f"note: {note}")
    try:
        to = {"state_dir": state, "last_good": partial.with_suffix(f".{LAST_GOOD}"), "reporter": speaker, "loggers": loggers}
        if options.masktune:
            source = masked_source(network, data["train"], options=options, device=devices.device, reporter=speaker)
        result = fit(network, train=data["train"], val=data.get("val"), options=options, devices=devices, plan=plan, source=source, **to)
    finally:
        for logger in loggers:
            logger.close()
    if writer:
        shares = group_shares(data["train"]) if options.task == "classify" else None
        told = {"shares": shares, "inputs": inputs, "settings": settings, "device": str(devices.device), "notes": notes}
        _write(writer, result, options=options, splits=splits, classes=classes, **told)
    devices.wait()
    return out


def choose_splits(dataset: Dataset, options: FitOptions) -> dict[str, Dataset]:
    """The samples of each role, `train` and, where there is a validation, `val`.

    Raises:
        InputError: a split that the data set has not, or the same samples in both roles.
    """
    chosen = {"train": _split(dataset, options.train_split, "--train-split")}
    if options.val_split:
        chosen["val"] = _split(dataset, options.val_split, "--val-split")
        if both := set(chosen["train"].ids) & set(chosen["val"].ids):
            raise InputError(
                f"{dataset.name}: {len(both)} samples are trained and validated on, for example '{min(both)}'. Give two splits that share "
                "none, or --val-split '' for no validation"
            )
    if options.held_out:
        chosen["train"], _ = held_out(chosen["train"], part=options.held_out, seed=options.seed)
    return chosen


def _split(dataset: Dataset, name: str, flag: str) -> Dataset:
    if not name:
        return dataset
    known = sorted({s.split for s in dataset.samples if s.split})
    if name not in known:
        meant = "no validation" if flag == "--val-split" else "every sample"
        one = f"has no split '{name}'; it has {', '.join(known)}. Give {flag} one of them, or" if known else "has no splits. Give"
        raise InputError(f"{dataset.name} {one} {flag} '' for {meant}")
    return dataset.select(split=name)


def _read(split: Dataset, classes: ClassTable, options: FitOptions, stride_px: int) -> TrainData:
    """The samples of a split as the task reads them."""
    if options.task == "classify":
        return labelled_data(split, classes=classes, size=options.size, norm=options.norm, groups=options.groups)
    return train_data(split, size=options.size, norm=options.norm, stride_px=stride_px, groups=options.groups)


def _source(train: Dataset, data: TrainData, options: FitOptions) -> PictureSource | None:
    """What makes the pictures that are shown, where it is not the files; that of `masktune` needs the first network."""
    if options.grounds:
        return swapping_source(data, options)
    known: list[bool] = []
    if options.figures:
        grounds = read_backgrounds(options.figures)
        grounds.check_known(train.ids, labels=data.labels, images=data.images)
        known = [grounds.figures[grounds.rows[i]] is not None for i in train.ids]
        train = dataclasses.replace(train, masks=CutFigures(grounds=grounds), classes=ClassTable(names=("ground", "figure"), ignore=None))
    if options.counterfactual:
        return counterfactual_source(train, data)
    return backmix_source(train, data, chance=options.backmix, known=known) if options.backmix else None


def _said_of(source: PictureSource | None, plan: Repeated | None, data: TrainData, options: FitOptions) -> Iterator[str]:
    """What is worth knowing of the samples that are shown."""
    if isinstance(source, Swapping):
        chance = f", each time with a chance of {options.swap_probability:g}" if options.swap_probability < 1 else ""
        yield f"the figures of {source.swapper.count(data.samples)} of {len(data)} training samples are set on drawn grounds{chance}"
        if any(data.contexts) and (options.objective == "group-dro" or options.balance != "none"):
            yield "groups go by the contexts of the files, and each figure is shown in any of them: only their classes still mean something"
    if plan is not None:
        yield f"{int((plan.times > 1).sum())} of {plan.times.size} training samples are shown {options.upweight} times an epoch"


def _backgrounds(options: FitOptions) -> dict[str, str]:
    """Directories of backgrounds, by the option that names them."""
    return {name: where for name in ("figures", "grounds") if (where := getattr(options, name))}


def _inputs(splits: dict[str, Dataset], options: FitOptions) -> dict[str, str]:
    """Digests of what goes in, by role."""
    found = input_digests(splits) | {role: file_digest([path]) for role, path in _given_weights(options).items()}
    found |= {name: read_backgrounds(where).key for name, where in _backgrounds(options).items()}
    return found | architecture_digest(options.architecture)


def _given_weights(options: FitOptions) -> dict[str, Path]:
    """The files of weights that training starts from, by the option that names them."""
    given = {
        role: Path(text.removeprefix("weights:")) for role in ("encoder_weights", "weights", "masktune") if (text := getattr(options, role))
    }
    return {role: path / WEIGHTS_FILE if path.is_dir() else path for role, path in given.items()}


def _write(
    writer: ArtifactWriter,
    result: FitResult,
    *,
    options: FitOptions,
    splits: dict[str, Dataset],
    classes: ClassTable,
    shares: dict[str, float] | None,
    inputs: dict[str, str],
    settings: dict[str, Any],
    device: str,
    notes: tuple[str, ...],
) -> None:
    weights = write_tensors(writer.path / WEIGHTS_FILE, result.network.state_dict())
    spec = dataclasses.replace(
        trained_spec(".", options, classes=len(classes), class_names=classes.names), sha256=file_digest([weights]), device=device
    )
    told = {"device": device, "versions": library_versions(), "notes": notes, "shares": shares}
    card = make_card(result, options=options, spec=spec, splits=splits, **told)
    write_atomically(writer.path / CARD, to_json(card).encode())
    write_atomically(writer.path / "card.md", card_text(card).encode())
    write_atomically(writer.path / "curves.csv", curves_csv(result.history).encode())
    write_atomically(writer.path / "curves.svg", curves_svg(result.history, best_epoch=result.best_epoch).encode())
    counts = {**{role: len(split) for role, split in splits.items()}, "epochs": len(result.history), "steps": result.steps}
    details = {name: card[name] for name in ("architecture", "sha256", "classes", "training", "figures")}
    writer.finish(options=settings, inputs=inputs, counts=counts, seed=options.seed, details=details)
