"""An audit artifact as values: the door through which its JSON and tables come in.

Everything a report needs is looked up here once, so that the sections below deal with values only. Absent keys and null are the same
thing: the number is undefined.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from figureground.core.errors import ArtifactError
from figureground.runs.artifact import Manifest, read_manifest

KIND, SCHEMA = "audit", 1
HEX = re.compile(r"#[0-9a-fA-F]{6}")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number with its interval; None stands for undefined."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def known(self) -> bool:
        """The number is defined."""
        return self.value is not None

    @property
    def bounded(self) -> bool:
        """There is an interval."""
        return self.low is not None and self.high is not None

    @property
    def away_from_zero(self) -> bool:
        """The interval excludes 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def negated(self) -> Measure:
        """The same with its sign turned round."""

        def minus(x: float | None) -> float | None:
            return None if x is None else -x

        return Measure(value=minus(self.value), low=minus(self.high), high=minus(self.low))


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionAudit:
    """What the audit says of one prediction."""

    name: str
    numbers: Mapping[str, Any]
    """The keys of audit.json that belong to this prediction."""
    samples: pa.Table
    regions: pa.Table
    worst: pa.Table

    def mapping(self, key: str) -> Mapping[str, Any]:
        """A nested object of `numbers`; empty where it is absent or null."""
        value = self.numbers.get(key)
        return value if isinstance(value, Mapping) else {}

    def rows(self, key: str) -> Sequence[Mapping[str, Any]]:
        """A list of objects of `numbers`; empty where it is absent or null."""
        value = self.numbers.get(key)
        return [row for row in value if isinstance(row, Mapping)] if isinstance(value, Sequence) and not isinstance(value, str) else []

    @property
    def by(self) -> tuple[str, ...]:
        """The attributes that are crossed to groups."""
        return tuple(str(name) for name in self.numbers.get("by") or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditArtifact:
    """A whole audit: one prediction or several on the same samples."""

    manifest: Manifest
    failures: tuple[Mapping[str, Any], ...]
    """Samples that were left out, each with problem and remedy."""
    dataset: Mapping[str, Any]
    predictions: tuple[PredictionAudit, ...]
    differences: tuple[Mapping[str, Any], ...]
    interval: Mapping[str, Any]
    """How intervals were made; empty where the artifact does not say."""
    sentence: str | None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in id order."""
        entries = self.dataset.get("classes") or ()
        return tuple(str(entry) for entry in entries)

    @property
    def class_colours(self) -> Mapping[str, str]:
        """Colour of each class in the label maps of the contact sheet, as `#rrggbb`; empty where the artifact does not say."""
        colours = [str(colour) for colour in self.dataset.get("colours") or ()]
        return {name: colour for name, colour in zip(self.class_names, colours, strict=False) if HEX.fullmatch(colour)}


def number(value: object) -> float | None:
    """A finite number, else None."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def as_mapping(value: object) -> Mapping[str, Any]:
    """The mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> Sequence[Any]:
    """The list, else an empty one."""
    return value if isinstance(value, list) else ()


def as_rows(value: object) -> list[Mapping[str, Any]]:
    """What is a mapping of a list."""
    return [row for row in as_list(value) if isinstance(row, Mapping)]


def as_text(value: object) -> str:
    """Empty for None."""
    return "" if value is None else str(value)


def as_whole(value: object) -> int | None:
    """The nearest whole number, None for what is no finite number."""
    found = number(value)
    return None if found is None else round(found)


def measure(node: object) -> Measure:
    """A `{value, low, high}` object, a bare number or nothing, as a `Measure`."""
    if isinstance(node, Mapping):
        return Measure(value=number(node.get("value")), low=number(node.get("low")), high=number(node.get("high")))
    return Measure(value=number(node))


def read_audit(directory: Path) -> AuditArtifact:
    """The audit artifact in a directory.

    Raises:
        ArtifactError: no manifest, another kind or schema version, or files that cannot be read.
    """
    manifest = read_manifest(directory, kind=KIND)
    if manifest.schema != SCHEMA:
        raise ArtifactError(
            f"{directory}: expected schema {SCHEMA} of kind '{KIND}', found {manifest.schema}. Run `figureground audit` again"
        )
    audit = read_json(directory, "audit.json", dict)
    several = audit.get("predictions")
    per_name = several if isinstance(several, Mapping) else {str(audit.get("prediction") or "prediction"): audit}
    return AuditArtifact(
        manifest=manifest,
        failures=tuple(read_json(directory, "failures.json", list)) if manifest.failures else (),
        dataset=audit.get("dataset") or {},
        predictions=tuple(_predictions(directory, per_name)),
        differences=tuple(audit.get("differences") or ()),
        interval=audit.get("interval") or {},
        sentence=audit.get("sentence"),
    )


def _predictions(directory: Path, per_name: Mapping[str, Mapping[str, Any]]) -> Iterator[PredictionAudit]:
    tables = {name: _table(directory, f"{name}.parquet") for name in ("samples", "regions", "worst")}
    for name, numbers in per_name.items():
        own = {kind: _only(table, name) for kind, table in tables.items()}
        yield PredictionAudit(name=name, numbers=numbers, **own)


def read_json(directory: Path, name: str, form: type[T], *, kind: str = KIND) -> T:
    """A JSON file of an artifact; one that is absent, cannot be read or is of another form raises `ArtifactError`."""
    again = f"Run `figureground {kind}` again"
    try:
        value = json.loads((directory / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{directory}: `{name}` is missing, so this is no whole {kind}. {again}") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{directory / name}: cannot be read as JSON ({error}). {again}") from error
    if not isinstance(value, form):
        raise ArtifactError(f"{directory / name}: expected a JSON {form.__name__}, got {type(value).__name__}. {again}")
    return value


def _table(directory: Path, name: str) -> pa.Table:
    path = directory / name
    if not path.is_file():
        return pa.table({"prediction": pa.array([], pa.string()), "id": pa.array([], pa.string())})
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path}: cannot be read as Parquet ({error}). Run the audit again") from error


def _only(table: pa.Table, name: str) -> pa.Table:
    """The rows of one prediction; a table without that column has one prediction only."""
    if "prediction" not in table.column_names:
        return table
    return table.filter(pc.field("prediction") == name)
