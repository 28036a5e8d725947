"""The classify stage: a classifier answers to every picture of a data set, and its answers are measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from figureground.core.errors import InputError
from figureground.core.whole_file import write_atomically
from figureground.data.dataset import Dataset
from figureground.models.classifier import Classifier, open_classifier, probabilities
from figureground.models.fit.card import input_digests
from figureground.models.fit.labelled import labelled_data
from figureground.models.fit.samples import TrainData
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, to_json
from figureground.runs.progress import QuietReporter, Reporter
from figureground.runs.shards import write_table
from figureground.stages.classify.answered import Answered
from figureground.stages.classify.contrast import common_contexts
from figureground.stages.classify.measure import Measured, measure
from figureground.stages.classify.options import ClassifyOptions
from figureground.stages.classify.pictures import kept_pictures
from figureground.stages.classify.result import KIND
from figureground.stages.classify.summary import answer_table, flip_table, group_table, summarise

SCHEMA = 1
_HARMLESS = ("workers",)


def run_classify(
    model: str, dataset: Dataset, *, options: ClassifyOptions | None = None, out: Path, reporter: Reporter | None = None
) -> Path:
    """Classifies pictures, measures the answers, and writes the artifact `answers`.

    It holds `answers.parquet`, `groups.parquet`, with `figure` also `flips.parquet` and `pictures.parquet`, and `summary.json`.

    Args:
        model: spec of a classifier.
        dataset: with a picture and a label of each sample.
        options: which samples, and what is measured.
        out: directory of the artifact; there already with the same key = nothing is done.
        reporter: where progress is told; default nowhere.

    Returns:
        `out`.

    Raises:
        InputError: a network that is no classifier, a label that it does not know, or a column or split that is not there.
        FormatError: a faulty picture.
    """
    options, reporter = options or ClassifyOptions(), reporter or QuietReporter()
    chosen = dataset.select(split=options.split) if options.split else dataset
    classifier = open_classifier(model)
    data = labelled_data(chosen, classes=classifier.classes, size=classifier.size, norm=classifier.norm, groups=options.groups)
    columns = {name: _column(chosen, name) for name in (options.figure, options.cluster) if name}
    inputs = {**input_digests({"data": chosen}), "model": classifier.sha256}
    settings = {name: value for name, value in dataclasses.asdict(options).items() if name not in _HARMLESS}
    trained = (classifier.card or {}).get("groups") or {}
    common = common_contexts(dataset, groups=options.groups, trained=trained, labels=classifier.names)
    settings |= {"size": classifier.size, "norm": classifier.norm, "names": list(classifier.names)}
    settings |= {"common": [f"{label}={context}" for label, context in sorted(common.items())]}
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=settings)
    if finished(out, kind=KIND, key=key):
        reporter.say(f"{out}: these answers are there already, nothing to do")
        return out
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=(classifier.file, *chosen.every_file()), reporter=reporter)
    found = probabilities(classifier, chosen, batch=options.batch, workers=options.workers, device=options.device, reporter=reporter)
    answered = _answered(data, found, columns, options, classifier)
    measured = measure(answered, options, shares=trained.get("shares", {}), common=common)
    _write(writer, answered, measured, options, classifier)
    if measured.flips is not None and options.pictures:
        write_table(writer.path / "pictures.parquet", kept_pictures(measured.flips, answered, chosen, most=options.pictures))
    counts = {"samples": len(answered.ids), "groups": len(answered.group_names)}
    details = {"classes": list(classifier.names), "data": dataset.name, "model": classifier.text, "sha256": classifier.sha256}
    writer.finish(options=settings, inputs=inputs, counts=counts, seed=options.seed, details=details)
    return out


def _write(writer: ArtifactWriter, answered: Answered, measured: Measured, options: ClassifyOptions, classifier: Classifier) -> None:
    write_table(writer.path / "answers.parquet", answer_table(answered))
    write_table(writer.path / "groups.parquet", group_table(answered, measured))
    if measured.flips is not None:
        write_table(writer.path / "flips.parquet", flip_table(measured.flips))
    summary = summarise(answered, measured, options=options, model=classifier.text)
    write_atomically(writer.path / "summary.json", to_json(summary).encode())


def _answered(
    data: TrainData, found: np.ndarray, columns: Mapping[str, tuple[str, ...]], options: ClassifyOptions, classifier: Classifier
) -> Answered:
    nothing = ("",) * len(data)
    clusters = columns.get(options.cluster or options.figure, nothing)
    return Answered(
        ids=data.samples,
        labels=data.labels,
        contexts=data.contexts,
        figures=columns.get(options.figure, nothing),
        clusters=tuple(value or f"\n{sample}" for value, sample in zip(clusters, data.samples, strict=True)),
        names=classifier.names,
        probabilities=found,
        groups=data.groups,
        group_names=data.group_names,
        group_values=_values(data),
    )


def _column(dataset: Dataset, name: str) -> tuple[str, ...]:
    values = tuple(dataset.attribute(s, name) for s in dataset.samples)
    if not any(values):
        raise InputError(f"{dataset.name}: no sample has a value for `{name}`. Known: {', '.join(dataset.attributes)}")
    return values


def _values(data: TrainData) -> tuple[tuple[str, str], ...]:
    """Label and context of each group."""
    first = {int(group): place for place, group in reversed(list(enumerate(data.groups)))}
    return tuple((data.labels[first[g]], data.contexts[first[g]]) for g in range(len(data.group_names)))
