"""The answers of a classifier as values: the door through which their JSON and tables come in.

Absent keys and null are the same thing: the number is undefined, the list empty. What is no object where one is expected is left out, so
that the sections of the report deal with values only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import ArtifactError
from figureground.report.reading import Measure, as_list, as_rows, as_text, as_whole, measure, number, read_json
from figureground.runs.artifact import Manifest, read_manifest

KIND, SCHEMA = "answers", 1
FILE = "summary.json"
ACCURACIES = ("accuracy", "adjusted_accuracy", "mean_group_accuracy", "worst_group_accuracy")
KINDS = ("common", "counterfactual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The pictures of one class in one context."""

    name: str
    label: str
    context: str
    samples: int
    right: int
    accuracy: Measure
    kind: str
    """common, counterfactual, or empty where that is not known."""
    worst: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Common against counterfactual groups of one class; of all where `label` is empty."""

    label: str
    context: str
    common: Measure
    counterfactual: Measure
    gap: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipRate:
    """How often the figures of one class have another answer on another ground; of all where `label` is empty."""

    label: str
    figures: int
    rate: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture of a figure with the answer to it; `content` is empty where the artifact has no bytes of it."""

    id: str
    label: str
    context: str
    answer: str
    probability: float | None
    """Of the answer."""
    content: bytes
    width: int
    height: int

    @property
    def right(self) -> bool:
        """The answer is the label."""
        return self.answer == self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Flipped:
    """A figure whose answer changes with the ground."""

    name: str
    pairs: int | None
    flipped: int | None
    pictures: int | None
    """How many show it; more than `shown` where there are many."""
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersArtifact:
    """All that the report says of the answers of one classifier."""

    manifest: Manifest
    failures: tuple[Mapping[str, Any], ...]
    sentence: str
    model: str
    data: str
    classes: tuple[str, ...]
    samples: int | None
    level: float | None
    accuracies: Mapping[str, Measure]
    worst_group: str
    groups: tuple[Group, ...]
    """In the order of the artifact."""
    contrasts: tuple[Contrast, ...]
    asked_for_flips: bool
    """A column of figures was named."""
    flip_rates: tuple[FlipRate, ...]
    """Of all, then of each class; empty where flips were not measured."""
    counts: Mapping[tuple[str, str], int]
    """Pictures by label and answer."""
    flipped: tuple[Flipped, ...]
    """In the order of the artifact: the largest part of changed pairs first."""
    pictures_kept: bool
    """The artifact has a table of pictures, be it empty."""


def read_answers(directory: Path) -> AnswersArtifact:
    """The artifact `answers` in a directory.

    Raises:
        ArtifactError: no manifest, another kind or schema version, or files that cannot be read.
    """
    manifest = read_manifest(directory, kind=KIND)
    if manifest.schema != SCHEMA:
        raise ArtifactError(
            f"{directory}: expected schema {SCHEMA} of kind '{KIND}', found {manifest.schema}. Run `figureground classify` again"
        )
    summary = read_json(directory, FILE, dict, kind="classify")
    worst = as_text(summary.get("worst_group"))
    samples = number(summary.get("samples"))
    return AnswersArtifact(
        manifest=manifest,
        failures=tuple(read_json(directory, "failures.json", list, kind="classify")) if manifest.failures else (),
        sentence=as_text(summary.get("sentence")),
        model=as_text(summary.get("model")),
        data=as_text(manifest.details.get("data")),
        classes=tuple(as_text(name) for name in as_list(summary.get("classes"))),
        samples=None if samples is None else round(samples),
        level=number(summary.get("level")),
        accuracies={key: measure(summary.get(key)) for key in ACCURACIES},
        worst_group=worst,
        groups=tuple(_group(row, worst) for row in as_rows(summary.get("groups"))),
        contrasts=tuple(_contrast(row) for row in as_rows(summary.get("contrasts"))),
        asked_for_flips=isinstance(summary.get("flip_rate"), Mapping),
        flip_rates=_flip_rates(summary),
        counts=_counts(_table(directory, "answers", ("label", "answer"))),
        flipped=_flipped(directory),
        pictures_kept=(directory / "pictures.parquet").is_file(),
    )


def _group(row: Mapping[str, Any], worst: str) -> Group:
    kind, name = as_text(row.get("kind")), as_text(row.get("group"))
    return Group(
        name=name,
        label=as_text(row.get("label")),
        context=as_text(row.get("context")),
        samples=as_whole(row.get("samples")) or 0,
        right=as_whole(row.get("right")) or 0,
        accuracy=measure({"value": row.get("accuracy"), "low": row.get("low"), "high": row.get("high")}),
        kind=kind if kind in KINDS else "",
        worst=bool(worst) and name == worst,
    )


def _contrast(row: Mapping[str, Any]) -> Contrast:
    parts = {key: measure(row.get(key)) for key in (*KINDS, "gap")}
    return Contrast(label=as_text(row.get("label")), context=as_text(row.get("context")), **parts)


def _flip_rates(summary: Mapping[str, Any]) -> tuple[FlipRate, ...]:
    found = summary.get("flip_rate")
    if not isinstance(found, Mapping):
        return ()
    classes = summary.get("flip_rates")
    rows = {"": found, **(classes if isinstance(classes, Mapping) else {})}
    return tuple(
        FlipRate(label=as_text(label), figures=as_whole(row.get("figures")) or 0, rate=measure(row))
        for label, row in rows.items()
        if isinstance(row, Mapping)
    )


def _counts(table: pa.Table) -> dict[tuple[str, str], int]:
    if table.num_rows == 0:
        return {}
    counted = table.group_by(["label", "answer"]).aggregate([([], "count_all")]).to_pylist()
    return {(as_text(row["label"]), as_text(row["answer"])): int(row["count_all"]) for row in counted}


def _flipped(directory: Path) -> tuple[Flipped, ...]:
    kept = _table(directory, "pictures", ("figure", "id", "picture", "width", "height")).to_pylist()
    if not kept:
        return ()
    answers = _answers_to(directory, [row["id"] for row in kept])
    counted = {row["figure"]: row for row in _table(directory, "flips", ("figure", "pictures", "pairs", "flipped")).to_pylist()}
    figures: dict[str, list[Shown]] = {}
    for row in kept:
        figures.setdefault(as_text(row["figure"]), []).append(_shown(row, answers.get(row["id"], {})))
    return tuple(
        Flipped(
            name=name, shown=tuple(shown), **{key: as_whole(counted.get(name, {}).get(key)) for key in ("pairs", "flipped", "pictures")}
        )
        for name, shown in figures.items()
    )


def _shown(kept: Mapping[str, Any], told: Mapping[str, Any]) -> Shown:
    answer = as_text(told.get("answer"))
    return Shown(
        id=as_text(kept["id"]),
        **{key: as_text(told.get(key)) for key in ("label", "context")},
        answer=answer,
        probability=number(told.get(f"p_{answer}")),
        content=kept["picture"] if isinstance(kept["picture"], bytes) else b"",
        width=as_whole(kept["width"]) or 4,
        height=as_whole(kept["height"]) or 3,
    )


def _answers_to(directory: Path, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """What was answered to some samples: label, context, answer and the probability of each answer."""
    told = _table(directory, "answers", ("id", "label", "context", "answer"))
    if told.num_rows == 0:
        return {}
    wanted = set(ids)
    chosen = pa.array([sample in wanted for sample in told["id"].to_pylist()])
    rows = told.filter(chosen)
    names = sorted({f"p_{name}" for name in rows["answer"].to_pylist()})
    sure = _table(directory, "answers", names)
    beside = sure.filter(chosen).to_pylist() if sure.num_rows == told.num_rows else [{}] * rows.num_rows
    return {row["id"]: row | of for row, of in zip(rows.to_pylist(), beside, strict=True)}


def _table(directory: Path, name: str, columns: Sequence[str]) -> pa.Table:
    """Columns of a table of the artifact; without rows where the file or one of the columns is absent."""
    path = directory / f"{name}.parquet"
    nothing = pa.table({column: pa.array([], pa.string()) for column in columns})
    if not path.is_file():
        return nothing
    try:
        file = pq.ParquetFile(path)
        return file.read(columns=list(columns)) if set(columns) <= set(file.schema_arrow.names) else nothing
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path}: cannot be read as Parquet ({error}). Run `figureground classify` again") from error
