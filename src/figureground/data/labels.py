"""The labels artifact: what people said of the samples of a project, as tables that later stages read without the review page.

One directory with a manifest, whose `details` hold the classes, and these Parquet tables; one that is absent has no rows.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data.faults import refusal
from figureground.data.labelmap import RUN_FIELDS, check_runs, columns_to_runs
from figureground.data.manifests import read_manifest_of
from figureground.data.masks import check_ids
from figureground.data.prediction_artifact import READ_FAULTS

KIND, SCHEMA = "labels", 1
MaskStatus = Literal["draft", "submitted", "returned", "accepted"]
_LONGEST_NAME = 64
_FORBIDDEN = frozenset("/\\<>\"'")
_WRITE_AGAIN = "Write the labels again"


def _fields(kind: pa.DataType, names: str) -> list[pa.Field]:
    return [pa.field(name, kind) for name in names.split()]


_TEXT, _FLOAT, _INT, _BOOL = pa.string(), pa.float64(), pa.int32(), pa.bool_()
_MARK = pa.struct([*_fields(_INT, "x y"), *_fields(_TEXT, "kind comment")])

RATINGS = pa.schema(
    [
        *_fields(_TEXT, "id reviewer"),
        *_fields(_INT, "showing score"),
        pa.field("out_of_domain", _BOOL),
        pa.field("seconds", _FLOAT),
        *_fields(_TEXT, "created withdrawn"),
    ]
)
OPINIONS = pa.schema([pa.field("id", _TEXT), pa.field("n", _INT), *_fields(_FLOAT, "mean sd low high"), pa.field("vetoed", _BOOL)])
PATCHES = pa.schema(
    [
        *_fields(_TEXT, "id reviewer"),
        *_fields(_INT, "rows columns"),
        pa.field("cells", pa.list_(_BOOL)),
        pa.field("version", _INT),
        pa.field("seconds", _FLOAT),
        *_fields(_TEXT, "created updated"),
    ]
)
MASKS = pa.schema(
    [
        *_fields(_TEXT, "id reviewer status"),
        *RUN_FIELDS,
        pa.field("image", _TEXT),
        *_fields(_INT, "version actions"),
        pa.field("seconds", _FLOAT),
        *_fields(_TEXT, "created updated"),
    ]
)
CHECKS = pa.schema(
    [
        *_fields(_TEXT, "id labeller checker"),
        pa.field("mask_version", _INT),
        *_fields(_TEXT, "verdict comment"),
        pa.field("marks", pa.list_(_MARK)),
        pa.field("seconds", _FLOAT),
        pa.field("created", _TEXT),
    ]
)
REVIEWERS = pa.schema(_fields(_TEXT, "name role created revoked"))
TABLES = {"ratings": RATINGS, "opinions": OPINIONS, "patches": PATCHES, "masks": MASKS, "checks": CHECKS, "reviewers": REVIEWERS}
"""Schema of each table, by the name of its file without `.parquet`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRating:
    """One rating of one picture."""

    id: str
    reviewer: str
    showing: int
    """0, or 1 where the picture was shown a second time to see whether one says the same."""
    score: int | None
    """1 bad ... 5 excellent; None with `out_of_domain`."""
    out_of_domain: bool
    seconds: float
    created: str
    withdrawn: str | None
    """When it was taken back or replaced; None = it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanOpinion:
    """What the reviewers together say of a picture."""

    id: str
    n: int
    """Scores."""
    mean: float
    """Mean opinion score in [1, 5]; NaN without a score."""
    sd: float
    """NaN below two scores."""
    low: float
    """Low end of the 95 % interval of the mean; NaN below two scores."""
    high: float
    vetoed: bool
    """Somebody said out of domain."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatchGrid:
    """The patch labels of one picture by one reviewer."""

    id: str
    reviewer: str
    cells: np.ndarray
    """bool [rows, columns], True = foreground; the cells part the picture evenly."""
    version: int
    seconds: float
    created: str
    updated: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GivenMask:
    """The mask of one picture by one reviewer."""

    id: str
    reviewer: str
    status: MaskStatus
    runs: LabelRuns
    """Class ids, `ignore` of the classes for void."""
    image: str | None
    """Path or URL of the picture, where it is known."""
    version: int
    actions: int
    seconds: float
    created: str
    updated: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMark:
    """An error that a checker marked."""

    x: int
    """Column in pixels."""
    y: int
    """Row in pixels."""
    kind: str
    """`wrong-class`, `boundary`, `missing` or `extra`."""
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskCheck:
    """One verdict on a mask, by somebody who did not draw it."""

    id: str
    labeller: str
    checker: str
    mask_version: int
    verdict: str
    """`accepted` or `returned`."""
    comment: str
    marks: tuple[ErrorMark, ...]
    seconds: float
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A reviewer."""

    name: str
    role: str
    """`reviewer`, `checker` or `admin`."""
    created: str
    revoked: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """All that a labels artifact holds, in the order of its tables."""

    classes: ClassTable
    """With the `ignore` that void pixels of the masks have."""
    ratings: tuple[GivenRating, ...]
    opinions: tuple[MeanOpinion, ...]
    patches: tuple[PatchGrid, ...]
    masks: tuple[GivenMask, ...]
    checks: tuple[MaskCheck, ...]
    reviewers: tuple[Person, ...]

    def best_masks(self, *statuses: MaskStatus) -> dict[str, GivenMask]:
        """One mask of each sample that has any: the one whose status is named first, of several the one changed last.

        Args:
            statuses: which masks count, the best first; none named = only those that were accepted.
        """
        order = statuses or ("accepted",)
        best: dict[str, GivenMask] = {}
        for mask in sorted((m for m in self.masks if m.status in order), key=lambda m: m.updated, reverse=True):
            found = best.get(mask.id)
            if found is None or order.index(mask.status) < order.index(found.status):
                best[mask.id] = mask
        return {mask.id: best[mask.id] for mask in self.masks if mask.id in best}


def review_of(details: Mapping[str, Any]) -> str | None:
    """Identity of the review database that labels were written from, by the `details` of their manifest; None where they were imported.

    It is empty where they were written before databases had one.
    """
    return details.get("review", "") if "project" in details else None


def reviewer_name(name: str) -> str:
    r"""The name, normalised (NFC), where a reviewer can have it: 1 to 64 printable characters, none of `/ \\ < > " '`, no blank at an end.

    Raises:
        InputError: it cannot.
    """
    name = unicodedata.normalize("NFC", name)
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip() or _FORBIDDEN & set(name):
        raise InputError(
            f"a reviewer's name has 1 to {_LONGEST_NAME} printable characters, none of / \\ < > \" ' and no blank at either end; "
            f"got {name[:80]!r}"
        )
    return name


def read_labels(directory: str | Path) -> Labels:
    """What people said, from a labels artifact.

    Raises:
        ArtifactError: there is no labels artifact, or one of a later schema.
        FormatError: a table that cannot be read, lacks a column, or holds what cannot be.
    """
    folder = Path(directory)
    classes = _classes(folder)
    return Labels(
        classes=classes,
        ratings=tuple(_records(folder, "ratings", GivenRating)),
        opinions=tuple(_records(folder, "opinions", _opinion)),
        patches=tuple(_records(folder, "patches", _grid)),
        masks=tuple(_masks(folder, classes)),
        checks=tuple(_records(folder, "checks", _mask_check)),
        reviewers=tuple(_records(folder, "reviewers", Person)),
    )


def _classes(folder: Path) -> ClassTable:
    details = read_manifest_of(folder, kind=KIND, schema=SCHEMA, writer="review", remedy=_WRITE_AGAIN)["details"]
    try:
        names, ids = tuple(details["classes"]), tuple(details["ids"])
        return ClassTable(names=names, ids=ids, background=details["background"], ignore=details["ignore"])
    except (KeyError, TypeError, InputError) as error:
        raise ArtifactError(f"{folder / 'manifest.json'}: it does not tell the classes ({str(error)[:80]}). {_WRITE_AGAIN}") from error


def _table(folder: Path, name: str) -> pa.Table:
    """A table with all its columns; those that are not needed to read it, and are not there, are null."""
    file = folder / f"{name}.parquet"
    if not file.exists():
        return TABLES[name].empty_table()
    try:
        table = pq.read_table(file)
        for field in TABLES[name]:
            if field.name in _OPTIONAL and field.name not in table.column_names:
                table = table.append_column(field.name, pa.nulls(table.num_rows, field.type))
        absent = [column for column in TABLES[name].names if column not in table.column_names]
        if not absent:
            return table.select(TABLES[name].names).cast(TABLES[name]).combine_chunks()
    except READ_FAULTS as error:
        raise _unreadable(file, error) from error
    raise refusal("bad-table", f"there is no column `{absent[0]}`", _WRITE_AGAIN, file=str(file))


_OPTIONAL = ("image", "version", "actions", "seconds")
"""What masks that come from another tool need not have, and checks from before their time was kept do not."""


def _records(folder: Path, name: str, make: Callable[..., Any]) -> list[Any]:
    try:
        return [make(**row) for row in _table(folder, name).to_pylist()]
    except FormatError:
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise _unreadable(folder / f"{name}.parquet", error) from error


def _opinion(*, mean: float | None, sd: float | None, low: float | None, high: float | None, **said: Any) -> MeanOpinion:
    number = [math.nan if value is None else value for value in (mean, sd, low, high)]
    return MeanOpinion(mean=number[0], sd=number[1], low=number[2], high=number[3], **said)


def _grid(*, rows: int, columns: int, cells: Sequence[bool], **said: Any) -> PatchGrid:
    return PatchGrid(cells=np.array(cells, bool).reshape(rows, columns), **said)


def _mask_check(*, marks: Sequence[dict[str, Any]] | None, seconds: float | None, **said: Any) -> MaskCheck:
    return MaskCheck(marks=tuple(ErrorMark(**mark) for mark in marks or ()), seconds=seconds or 0.0, **said)


def _masks(folder: Path, classes: ClassTable) -> list[GivenMask]:
    file, table = folder / "masks.parquet", _table(folder, "masks")
    runs_of, rest = table.select([field.name for field in RUN_FIELDS]), table.drop_columns([field.name for field in RUN_FIELDS])
    found: list[GivenMask] = []
    try:
        for runs, said in zip(columns_to_runs(runs_of), rest.to_pylist(), strict=True):
            check_runs(runs)
            known = {**said, **{name: said[name] or 0 for name in ("version", "actions", "seconds")}}
            found.append(GivenMask(runs=check_ids(runs, classes, sample=said["id"], file=str(file)), **known))
    except FormatError:
        raise
    except (*READ_FAULTS, AttributeError) as error:
        sample = table["id"][len(found)].as_py()
        raise refusal(
            "corrupt-file", f"the runs are no label map: {str(error)[:80]}", _WRITE_AGAIN, file=str(file), sample=sample
        ) from error
    return found


def _unreadable(file: Path, error: Exception) -> FormatError:
    return refusal("bad-table", f"the table cannot be read ({str(error)[:80]})", _WRITE_AGAIN, file=str(file))
