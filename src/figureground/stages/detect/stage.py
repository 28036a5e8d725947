"""The detect stage: labels and pictures in; detectors from more and more labels, the grids of all training pictures, and a report out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from figureground.core.errors import Fault, InputError, check_failures, may_leave_out
from figureground.core.progress import QuietReporter, Reporter
from figureground.core.whole_file import write_atomically
from figureground.data.dataset import Dataset
from figureground.data.grids import FILE, KIND, SCHEMA
from figureground.data.pixels import read_picture
from figureground.data.splits import training_part
from figureground.data.write import jpeg_bytes
from figureground.models.digest import file_digest
from figureground.models.fit.card import card_text, input_digests, make_card
from figureground.models.fit.checkpoint import write_tensors
from figureground.models.fit.curves import curves_csv, curves_svg
from figureground.models.fit.devices import Devices, open_devices
from figureground.models.fit.networks import WEIGHTS_FILE, network_to_train, trained_spec
from figureground.models.trained import CARD
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, library_versions, to_json
from figureground.runs.executor import LocalExecutor
from figureground.runs.shards import map_in_shards, read_shards, write_table
from figureground.stages.detect.chart import curve_svg
from figureground.stages.detect.learning import PATCHES, Lesson, Taught, held_out_grids, open_lesson, open_passage, points_of, teach
from figureground.stages.detect.measure import choose_thresholds, counts_of, pixel_counts, rates_with_intervals
from figureground.stages.detect.options import HARMLESS, DetectOptions, curve_points, fit_options
from figureground.stages.detect.passage import Passage
from figureground.stages.detect.patches import PatchLabels, figure_pixels, find_labels
from figureground.stages.detect.result import CURVE, DETECTOR, SHEET, SUMMARY
from figureground.stages.detect.sheet import Example, detector_sheet, example_parts, picture_rates
from figureground.stages.detect.summary import Point, judged, summarise

SHARD_SIZE = 64
"""Pictures between two writes: what an interruption can cost."""


def run_detect(
    data: Dataset,
    labels: Sequence[str] = (),
    *,
    options: DetectOptions | None = None,
    out: Path,
    reporter: Reporter | None = None,
    devices: Devices | None = None,
) -> Path:
    """Trains a detector from patch labels and writes the artifact `grids`: P(background) of every patch of every training picture.

    Beside `grids.parquet` stand `detector/`, the weights with their card and curves, which MODEL spec `weights:OUT/detector` opens;
    `detect.json`, how good it is on held-out labels, for each number of labels; `curve.svg`, the picture of that; and `sheet.jpg`,
    held-out pictures with what was labelled and what the detector says. An interrupted run goes on behind its last checkpoint or shard and
    ends with the same bytes.

    Args:
        data: the data set; the pictures of `train_split` alone may be labelled and are given grids.
        labels: labels artifacts with patch labels; none with `masks` truth.
        options: what is learned, from which labels.
        out: directory of the artifact; there already with the same key = nothing is done.
        reporter: where progress is told; default nowhere.
        devices: where it runs; default what `options.device` names.

    Returns:
        `out`.

    Raises:
        InputError: labels, data, options and weights do not fit together.
        ArtifactError: no labels artifact, or `out` holds something else.
        FormatError: a faulty table or mask, or more faulty pictures than `max_failures`.
        MissingExtra: timm is not installed.
    """
    options, speaker = options or DetectOptions(), reporter or QuietReporter()
    devices = devices or open_devices(options.device)
    training = training_part(data, options.train_split, "--train-split")
    found = find_labels(labels, data=data, training=training, options=options)
    check_options(options, found, devices)
    inputs = {**input_digests({"train": training}), "labels": found.digest(), **_weights(options)}
    settings = {name: value for name, value in dataclasses.asdict(options).items() if name not in HARMLESS}
    settings["device"] = devices.device.type
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=settings)
    if finished(out, kind=KIND, key=key, max_failures=options.max_failures):
        speaker.say(f"{out}: this detector and its grids are there already, nothing to do")
        return out
    lesson = open_lesson(found, training, options)
    network_to_train(
        fit_options(options, rows=found.rows, columns=found.columns, labels=1), classes=len(PATCHES)
    )  # refuses before it writes
    sources = (*data.every_file(), *labels, *filter(None, (options.encoder_weights, options.weights)))
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=sources, reporter=speaker)
    points = [_point(lesson, count, found, training, options, writer, devices, speaker) for count in points_of(lesson, options)]
    grids, faults = _all_grids(points[-1].taught, lesson, training, options, writer, devices, speaker)
    write_table(writer.path / FILE, grids)
    summary = summarise(points, lesson, found, options=options, pictures=len(grids))
    card = _write_detector(writer.path / DETECTOR, points[-1].taught, lesson, device=str(devices.device))
    write_atomically(writer.path / SUMMARY, to_json(summary).encode())
    write_atomically(writer.path / CURVE, curve_svg(summary))
    if examples := _examples(points[-1], lesson, options):
        write_atomically(writer.path / SHEET, jpeg_bytes(detector_sheet(examples, points[-1].chosen.thresholds), quality=90))
    details = {
        **{name: summary[name] for name in ("thresholds", "rows", "columns", "source", "labels", "learned", "held_out")},
        "detector": {name: card[name] for name in ("architecture", "sha256", "training")},
        "judged": judged(summary),
    }
    counts = {"pictures": len(grids), "labels": summary["labels"]}
    writer.finish(options=settings, inputs=inputs, counts=counts, seed=options.seed, failures=faults, details=details)
    for note in summary["notes"]:
        speaker.say(f"note: {note}")
    return out


def check_options(options: DetectOptions, labels: PatchLabels, devices: Devices) -> None:
    """Raise `InputError` where options and labels contradict one another."""
    curve_points(options)
    if options.size % labels.rows or options.size % labels.columns:
        raise InputError(
            f"`size` must be a multiple of the rows and columns of the grid, {labels.rows} x {labels.columns}, so that patches are whole; "
            f"got {options.size}"
        )
    if options.augment == "patches-turned" and labels.rows != labels.columns:
        raise InputError(f"`augment` patches-turned needs as many rows as columns; the grid is {labels.rows} x {labels.columns}")
    defaults = DetectOptions()
    idle = {
        **dict.fromkeys(("count", "foreground"), labels.source == "labels" and "masks that are pooled, and --labels are given"),
        "leakage": options.tight and "choosing the tight bound, and --tight gives it",
        "coverage": options.loose and "choosing the loose bound, and --loose gives it",
    }
    for name, why in idle.items():
        if why and getattr(options, name) != getattr(defaults, name):
            raise InputError(f"`{name}` {getattr(options, name):g} is for {why}. Leave it out")
    if options.tight and options.loose and options.tight > options.loose:
        raise InputError(f"`tight` must not be above `loose`: what is cut out is filled, too; got {options.tight:g} and {options.loose:g}")
    if devices.world > 1:
        raise InputError("a detector is trained by one process. Start it without `accelerate launch`")


def _weights(options: DetectOptions) -> dict[str, str]:
    """Digests of the files of weights that training starts from."""
    given = {role: Path(text.removeprefix("weights:")) for role in ("encoder_weights", "weights") if (text := getattr(options, role))}
    files = {role: path / WEIGHTS_FILE if path.is_dir() else path for role, path in given.items()}
    return {role: file_digest([file]) for role, file in files.items() if file.is_file()}  # an absent one is refused where it is read


def _point(
    lesson: Lesson,
    count: int,
    labels: PatchLabels,
    training: Dataset,
    options: DetectOptions,
    writer: ArtifactWriter,
    devices: Devices,
    reporter: Reporter,
) -> Point:
    """A detector from so many labels, judged on the held-out pictures."""
    reporter.say(f"detector from {count} labels, judged on {len(lesson.held_out)} others")
    state = writer.shard(f"fit-{count}")
    taught = teach(
        lesson, count, rows=labels.rows, columns=labels.columns, options=options, state_dir=state, devices=devices, reporter=reporter
    )
    grids = held_out_grids(lesson, open_passage(taught, devices=devices, collect=False))
    figures = [labels.figures[name] for name in lesson.held_out]
    limits = {name: getattr(options, name) for name in ("tight", "loose", "leakage", "coverage")}
    chosen = choose_thresholds(figures, grids, **limits)
    told = {"resamples": options.resamples, "seed": options.seed}
    counts = np.stack([counts_of(figure, grid, chosen.thresholds) for figure, grid in zip(figures, grids, strict=True)])
    pixels = _pixels(lesson, grids, training, chosen.thresholds) if training.masks is not None else None
    return Point(
        taught=taught,
        chosen=chosen,
        patches=rates_with_intervals(counts, **told),
        pixels=None if pixels is None else rates_with_intervals(pixels, **told),
        counts=counts if pixels is None else pixels,
        held_out=tuple(grids),
    )


def _examples(point: Point, lesson: Lesson, options: DetectOptions) -> list[Example]:
    """The rows of the sheet: of the held-out pictures the best, the middle and the worst."""
    grids = dict(zip(lesson.held_out, point.held_out, strict=True))
    rates = {name: picture_rates(lesson.figures[name], grid, point.chosen.thresholds) for name, grid in grids.items()}
    chosen = example_parts(lesson.held_out, [rates[name]["mask_iou"] for name in lesson.held_out], most=options.sheet)
    return [
        Example(
            id=name,
            picture=read_picture(lesson.samples[name].image or "", sample=name),
            figure=lesson.figures[name],
            background=grids[name],
            part=part,
            rates=rates[name],
        )
        for name, part in chosen
    ]


def _pixels(lesson: Lesson, grids: Sequence[np.ndarray], training: Dataset, thresholds: Any) -> np.ndarray:
    """Counts over the pixels of the true masks of the held-out pictures."""
    found = [pixel_counts(*figure_pixels(training, name), grid, thresholds) for name, grid in zip(lesson.held_out, grids, strict=True)]
    return np.stack(found)


def _all_grids(
    taught: Taught,
    lesson: Lesson,
    training: Dataset,
    options: DetectOptions,
    writer: ArtifactWriter,
    devices: Devices,
    reporter: Reporter,
) -> tuple[pa.Table, list[Fault]]:
    """The grids of all training pictures that can be read, and the faults of the others."""
    worker: partial[Passage] = partial(open_passage, taught, devices=devices, collect=options.max_failures > 0)
    told = {"what": "detect", "unit": "pictures", "shard_size": SHARD_SIZE}
    with may_leave_out():
        shards = map_in_shards(training.samples, worker, writer=writer, executor=LocalExecutor(), reporter=reporter, **told)
        faults = [Fault(**row) for row in read_shards(writer, "faults", shards).to_pylist()]
        check_failures(faults, options.max_failures)
    return read_shards(writer, "grids", shards), faults


def _write_detector(folder: Path, taught: Taught, lesson: Lesson, *, device: str) -> dict[str, Any]:
    """Weights with their card and curves, as training writes them; returns the card."""
    folder.mkdir(exist_ok=True)
    result, options = taught.result, taught.options
    weights = write_tensors(folder / WEIGHTS_FILE, result.network.state_dict())
    spec = trained_spec(".", options, classes=len(PATCHES), class_names=PATCHES.names)
    spec = dataclasses.replace(spec, sha256=file_digest([weights]), device=device)
    splits = {
        "train": lesson.dataset(lesson.learned, name="patch labels"),
        "val": lesson.dataset(lesson.held_out, name="held-out patch labels"),
    }
    card = make_card(result, options=options, spec=spec, splits=splits, device=device, versions=library_versions(), notes=taught.notes)
    write_atomically(folder / CARD, to_json(card).encode())
    write_atomically(folder / "card.md", card_text(card).encode())
    write_atomically(folder / "curves.csv", curves_csv(result.history).encode())
    write_atomically(folder / "curves.svg", curves_svg(result.history, best_epoch=result.best_epoch).encode())
    return card
