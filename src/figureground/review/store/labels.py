"""The labels artifact, written from the database: one state of everything, in class ids and names of people."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, Select, select

from figureground.core.errors import ArtifactError, InputError
from figureground.core.progress import Reporter
from figureground.core.types import ClassTable
from figureground.data.labelmap import runs_to_columns
from figureground.data.labels import CHECKS, KIND, MASKS, OPINIONS, PATCHES, RATINGS, REVIEWERS, SCHEMA, review_of
from figureground.review.layers import VOID, layer_to_runs
from figureground.review.store import checks, masks, patches, people, ratings, tables
from figureground.review.store.database import Database
from figureground.review.store.project import ReviewedProject
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, is_artifact, read_manifest

_MASKS_A_GROUP = 64
_one_writer = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """What the numbers of the database stand for."""

    ids: Sequence[str]
    images: Sequence[str | None]
    people: Mapping[int, str]


def write_labels(
    database: Database,
    project: ReviewedProject,
    out: Path,
    *,
    options: Mapping[str, Any] | None = None,
    sources: Iterable[str | Path] = (),
    reporter: Reporter | None = None,
) -> Path:
    """Writes all that people said as a labels artifact, and returns its directory.

    It is one state of the database, whatever is rated or drawn meanwhile. Without a change since the last time nothing is written.
    Void pixels have the `ignore` of the classes, or where these have none, an id that no class has, which the manifest tells.

    Args:
        database: of the project.
        project: gives ids, pictures, classes and models.
        out: directory of the artifact; an older one of this database there is replaced.
        options: what people were asked, for the manifest; see `review.options.asked`.
        sources: files that are read for the project, and must not lie in `out`.
        reporter: told what is replaced; default nobody.

    Raises:
        ArtifactError: `out` holds something else, or labels from elsewhere.
        InputError: `out` cannot be written.
    """
    asked = dict(options or {})
    with _one_writer, database.read() as connection:
        check_origin(out, identity=database.identity, digest=project.digest)
        classes = with_void(project.classes)
        inputs = {"project": project.digest, "database": _state(connection)}
        details = _details(database, project, classes)
        told = hashlib.sha256(json.dumps(details, sort_keys=True).encode()).hexdigest()
        key = artifact_key(kind=KIND, schema=SCHEMA, inputs={**inputs, "details": told}, options=asked)
        if finished(out, kind=KIND, key=key):
            return out
        writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=sources, reporter=reporter)
        try:
            counts = {"samples": len(project.items), **_write(connection, project, classes, writer.path)}
            writer.finish(options=asked, inputs=inputs, seed=asked.get("seed"), counts=counts, details=details)
        except OSError as error:
            raise InputError(f"{out}: cannot write there ({error.strerror or error}). Choose another --out") from error
    return out


def check_origin(out: Path, *, identity: str, digest: str) -> None:
    """Raise `ArtifactError` where `out` holds labels that are not from this database, so that nobody's work is replaced.

    Args:
        out: where labels are to be written.
        identity: of the database; empty where there is none yet.
        digest: of its project, by which labels from before identities are known.
    """
    if not is_artifact(out):
        return
    manifest = read_manifest(out, kind=KIND)
    origin = review_of(manifest.details)
    if origin is None:
        raise ArtifactError(
            f"{out}: holds masks that `labels import` wrote, which a review would replace. Choose another --out "
            f"(--masks {out} brings these masks into the review), or remove it"
        )
    if origin != identity if origin else not digest or manifest.inputs.get("project") != digest:
        raise ArtifactError(
            f"{out}: holds labels from another review database, which would be replaced. "
            "Give the --database that they were written from, choose another --out, or remove it"
        )


def _details(database: Database, project: ReviewedProject, classes: ClassTable) -> dict[str, Any]:
    """What the labels are about: for the manifest."""
    marks = hashlib.sha256("\n".join(project.target).encode()).hexdigest()
    models = [{"name": name, "source": source} for name, source in zip(project.models, project.sources, strict=True)]
    return {
        "review": database.identity,
        "project": project.name,
        "models": [{**model, "digest": marks if number == 0 else None} for number, model in enumerate(models)],
        "classes": list(classes.names),
        "ids": list(classes.ids),
        "background": classes.background,
        "ignore": classes.ignore,
    }


def with_void(classes: ClassTable) -> ClassTable:
    """The same classes with an id for void pixels: their `ignore`, else 255, else the highest id that no class has."""
    if classes.ignore is not None:
        return classes
    free = VOID if VOID not in classes.ids else max(set(range(np.iinfo(np.uint16).max + 1)) - set(classes.ids))
    return ClassTable(names=classes.names, ids=classes.ids, background=classes.background, ignore=free)


def _write(connection: Connection, project: ReviewedProject, classes: ClassTable, folder: Path) -> dict[str, int]:
    known = people.everyone(connection)
    names = _Names(
        ids=[item.id for item in project.items],
        images=[item.image for item in project.items],
        people={person.number: person.name for person in known},
    )
    rows: dict[str, tuple[pa.Schema, list[dict[str, Any]]]] = {
        "ratings": (RATINGS, [_named(asdict(rating), names) for rating in ratings.table(connection, live=False)]),
        "opinions": (OPINIONS, [_named(asdict(opinion), names) for opinion in ratings.opinions(connection)]),
        "patches": (PATCHES, [_grid(grid, names) for grid in patches.table(connection)]),
        "checks": (CHECKS, _checked(connection, names)),
        "reviewers": (REVIEWERS, [asdict(person) for person in known]),
    }
    for name, (schema, found) in rows.items():
        columns = [pa.array([row[field.name] for row in found], field.type, from_pandas=True) for field in schema]
        pq.write_table(pa.table(columns, schema=schema), folder / f"{name}.parquet", compression="zstd")
    drawn = masks.everything(connection)
    with pq.ParquetWriter(folder / "masks.parquet", MASKS, compression="zstd") as file:
        for start in range(0, max(len(drawn), 1), _MASKS_A_GROUP):
            file.write_table(_mask_rows(connection, drawn[start : start + _MASKS_A_GROUP], classes, names))
    return {**{name: len(found) for name, (_, found) in rows.items()}, "masks": len(drawn)}


def _mask_rows(connection: Connection, drawn: Sequence[masks.Mask], classes: ClassTable, names: _Names) -> pa.Table:
    runs = [layer_to_runs(masks.layer(connection, mask.number), classes) for mask in drawn]
    columns: dict[str, Any] = dict(zip(("height", "width", "values", "lengths"), runs_to_columns(runs), strict=True))
    rows = [_named(asdict(mask), names) for mask in drawn]
    for field in MASKS:
        if field.name not in columns:
            columns[field.name] = pa.array([row[field.name] for row in rows], field.type)
    return pa.table([columns[name] for name in MASKS.names], schema=MASKS)


def _named(row: dict[str, Any], names: _Names) -> dict[str, Any]:
    """A row with the sample's id and the reviewer's name."""
    place = row["place"]
    return {**row, "id": names.ids[place], "image": names.images[place], "reviewer": names.people.get(row.get("reviewer", -1))}


def _grid(grid: patches.Patches, names: _Names) -> dict[str, Any]:
    rows, columns = grid.cells.shape
    return _named({**asdict(grid), "rows": rows, "columns": columns, "cells": grid.cells.ravel().tolist()}, names)


def _checked(connection: Connection, names: _Names) -> list[dict[str, Any]]:
    drawn = {mask.number: mask for mask in masks.everything(connection)}
    return [
        {
            **asdict(check),
            "id": names.ids[drawn[check.mask].place],
            "labeller": names.people[drawn[check.mask].reviewer],
            "checker": names.people[check.reviewer],
        }
        for check in checks.table(connection)
    ]


def _state(connection: Connection) -> str:
    """Digest of the state of the database: what changes whenever something that is written out does."""
    found = hashlib.sha256()
    for row in _marks_of_state(connection):
        found.update(json.dumps(row).encode() + b"\n")
    return found.hexdigest()


def _marks_of_state(connection: Connection) -> Iterator[list[Any]]:
    rating, patch, mask, check, person = tables.rating, tables.patch, tables.mask, tables.check, tables.reviewer
    asked: list[Select[*tuple[Any, ...]]] = [
        select(rating.c.number, rating.c.withdrawn).order_by(rating.c.number),
        select(*(patch.c[name] for name in ("place", "reviewer", "rows", "columns", "version"))).order_by(
            patch.c.place, patch.c.reviewer, patch.c.rows, patch.c.columns
        ),
        select(mask.c.number, mask.c.version, mask.c.status).order_by(mask.c.number),
        select(check.c.number).order_by(check.c.number),
        select(person.c.number, person.c.role, person.c.revoked).order_by(person.c.number),
    ]
    for number, query in enumerate(asked):
        for row in connection.execute(query):
            yield [number, *row]
