"""The labels artifact as masks, one a sample: read for export, written by import; a queue gives the maps of its target."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.core.progress import QuietReporter, Reporter
from figureground.core.types import ClassTable, LabelRuns
from figureground.data.faults import refusal
from figureground.data.labelmap import RUN_FIELDS, check_runs, columns_to_runs, runs_to_columns
from figureground.data.labels import KIND, MASKS, SCHEMA, MaskStatus, read_labels, review_of, reviewer_name
from figureground.data.masks import check_ids
from figureground.data.prediction_artifact import READ_FAULTS
from figureground.review.exchange.masks import LabelledMask, checked
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, is_artifact, read_manifest

Which = Literal["accepted", "all"]
_BEST_FIRST: tuple[MaskStatus, ...] = ("accepted", "submitted", "returned", "draft")


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The masks of an artifact with the classes they are in."""

    name: str
    classes: ClassTable
    masks: tuple[LabelledMask, ...]
    notes: tuple[str, ...] = ()
    """What was left out or chosen, one sentence each."""


def open_labels(where: str | Path, *, which: Which = "accepted") -> Labels:
    """The masks of a `labels` artifact, or the target's maps of a `queue`, one a sample.

    Args:
        where: the artifact.
        which: `accepted` masks only, or `all`: for samples without one also what was submitted, returned or is a draft, in this order. Of
            several of one status the one changed last is taken. A draft to which nobody did anything is the model's map, and nobody's mask.

    Raises:
        ArtifactError: no artifact is there, or one of another kind.
        FormatError: a table that cannot be read, or runs that are no label map.
        InputError: no mask is accepted and only those are asked for.
    """
    folder = Path(where)
    manifest = read_manifest(folder)
    if manifest.kind == "queue":
        classes = _classes(manifest.details, folder)
        target = str(manifest.details.get("target", ""))
        return Labels(name=folder.name, classes=classes, masks=_queued(folder / "queue.parquet", classes, target))
    if manifest.kind != KIND:
        raise ArtifactError(f"{folder}: expected an artifact of kind 'labels' or 'queue', found '{manifest.kind}'")
    whole = read_labels(folder)
    found = replace(whole, masks=tuple(mask for mask in whole.masks if mask.status != "draft" or mask.actions))
    best = found.best_masks(*_BEST_FIRST[: 1 if which == "accepted" else None])
    if found.masks and not best:
        raise InputError(
            f"{folder}: none of the {len(found.masks)} masks is accepted. Have them checked, or take them as they are with --which all"
        )
    masks = tuple(
        LabelledMask(id=m.id, image=m.image, runs=m.runs, by=m.reviewer or "", created=m.updated or m.created or "") for m in best.values()
    )
    return Labels(name=folder.name, classes=found.classes, masks=masks, notes=tuple(_notes([m.id for m in found.masks], best)))


def _notes(ids: Sequence[str], taken: Collection[str]) -> list[str]:
    """What there is to say of masks that were not taken."""
    counts = Counter(ids)
    several, without = sum(counts[i] > 1 for i in taken), len(counts) - len(taken)
    notes = [f"samples with several masks: {several}; an accepted one is taken first, of several the newest"] if several else []
    return notes + ([f"samples without an accepted mask: {without}; --which all takes theirs too"] if without else [])


def with_images(masks: Iterable[LabelledMask], image_of: Mapping[str, str | None]) -> tuple[LabelledMask, ...]:
    """The same masks with the pictures of a data set where it knows them."""
    return tuple(replace(mask, image=image_of.get(mask.id) or mask.image) for mask in masks)


def write_labels(
    out: Path,
    masks: Iterable[LabelledMask],
    classes: ClassTable,
    *,
    reviewer: str,
    named: str | None = None,
    status: MaskStatus = "submitted",
    source: str,
    sources: Iterable[str] = (),
    reporter: Reporter | None = None,
) -> Path:
    """Writes a `labels` artifact that holds masks and nothing else.

    Args:
        out: directory of the artifact; there already with the same masks = nothing is done.
        masks: one a sample.
        classes: of the masks.
        reviewer: who made those masks that do not say it, the name of a tool or a person.
        named: who made them all, whatever they say.
        status: what the masks count as.
        source: where they come from, for the manifest.
        sources: files that are read meanwhile and must not lie in `out`.
        reporter: told what is there already; default nobody.

    Raises:
        ArtifactError: `out` holds the labels of a review, or something else.
        InputError: no mask, a name that no reviewer can have, or a directory that cannot be written.
        FormatError: a mask with a value that is no class id.
    """
    reporter = reporter or QuietReporter()
    if is_artifact(out) and (there := read_manifest(out)).kind == KIND and review_of(there.details) is not None:
        raise ArtifactError(
            f"{out}: holds what people said in a review, which masks alone would replace. Choose another --out, or remove it"
        )
    maker = reviewer_name(named or reviewer)
    kept = [replace(mask, by=maker if named else _maker(mask.by, maker)) for mask in checked(masks, classes, where=source)]
    table = _table(kept, status)
    inputs, options = {"masks": _digest(table, classes)}, {"source": source, "status": status}
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=options)
    if finished(out, kind=KIND, key=key):
        reporter.say(f"{out}: these labels are there already, nothing to do")
        return out
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=sources, reporter=reporter)
    try:
        pq.write_table(table, writer.path / "masks.parquet", compression="zstd")
        details = {"classes": list(classes.names), "ids": list(classes.ids), "background": classes.background, "ignore": classes.ignore}
        writer.finish(options=options, inputs=inputs, counts={"masks": len(kept)}, details=details)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error}). Make room, or choose another --out") from error
    return out


def _maker(by: str, otherwise: str) -> str:
    """Who made a mask, where that is a name that a reviewer can have."""
    try:
        return reviewer_name(by)
    except InputError:
        return otherwise


def _table(masks: Sequence[LabelledMask], status: str) -> pa.Table:
    """The rows of `masks.parquet`; what another tool does not tell is null."""
    columns: dict[str, Any] = {
        "id": [m.id for m in masks],
        "reviewer": [m.by for m in masks],
        "status": [status] * len(masks),
        "image": [m.image for m in masks],
        "created": [m.created for m in masks],
        "updated": [m.created for m in masks],
    }
    columns |= dict(zip((field.name for field in RUN_FIELDS), runs_to_columns([m.runs for m in masks]), strict=True))
    found = [columns.get(field.name, [None] * len(masks)) for field in MASKS]
    return pa.Table.from_arrays(
        [pa.array(c, f.type) if isinstance(c, list) else c for c, f in zip(found, MASKS, strict=True)], schema=MASKS
    )


def _digest(table: pa.Table, classes: ClassTable) -> str:
    found = hashlib.sha256(repr(classes).encode())
    for column in table.columns:
        found.update(repr(column.to_pylist()).encode())
    return found.hexdigest()


def _classes(details: Mapping[str, Any], folder: Path) -> ClassTable:
    """The class table that a manifest tells."""
    try:
        return ClassTable(
            names=tuple(details["classes"]), ids=tuple(details["ids"]), background=details["background"], ignore=details["ignore"]
        )
    except (KeyError, TypeError, InputError) as error:
        raise ArtifactError(f"{folder}: its manifest does not tell the classes ({error}). Write the artifact again") from error


def _queued(file: Path, classes: ClassTable, target: str) -> tuple[LabelledMask, ...]:
    table = _read(file, ("id", "height", "width", "target_values", "target_lengths"))
    maps = table.select(["height", "width", "target_values", "target_lengths"]).rename_columns(["height", "width", "values", "lengths"])
    ids, images = _texts(table, "id"), _texts(table, "image")
    found = _maps(maps, ids, file, classes)
    return tuple(LabelledMask(id=i, image=image or None, runs=runs, by=target) for i, image, runs in zip(ids, images, found, strict=True))


def _read(file: Path, needed: Iterable[str]) -> pa.Table:
    try:
        table = pq.read_table(file)
    except FileNotFoundError as error:
        raise refusal("missing-file", "there is no such table", "Name labels that hold masks", file=str(file)) from error
    except READ_FAULTS as error:
        raise _unreadable(file, error) from error
    if absent := [name for name in needed if name not in table.column_names]:
        raise refusal("bad-table", f"there is no column `{absent[0]}`", "Write the artifact again", file=str(file))
    return table


def _maps(table: pa.Table, ids: list[str], file: Path, classes: ClassTable) -> list[LabelRuns]:
    found: list[LabelRuns] = []
    try:
        for runs in columns_to_runs(table.combine_chunks()):
            check_runs(runs)
            found.append(check_ids(runs, classes, sample=ids[len(found)], file=str(file)))
    except FormatError:
        raise
    except (*READ_FAULTS, AttributeError) as error:
        sample = ids[len(found)] if len(found) < len(ids) else None
        problem = f"the runs are no label map: {str(error)[:120]}"
        raise refusal("corrupt-file", problem, "Write the artifact again", file=str(file), sample=sample) from error
    return found


def _texts(table: pa.Table, name: str) -> list[str]:
    if name not in table.column_names:
        return [""] * table.num_rows
    return ["" if value is None else str(value) for value in table[name].to_pylist()]


def _unreadable(file: Path, error: Exception) -> FormatError:
    return refusal("bad-table", f"the Parquet table cannot be read ({str(error)[:80]})", "Write it again from its source", file=str(file))
