"""Masks that were made elsewhere: brought into the database of a review once, to be checked there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data.faults import refusal, some, written_size
from figureground.data.labels import GivenMask, read_labels, reviewer_name
from figureground.review.layers import MOST_CLASSES, to_layer
from figureground.review.store import masks, people
from figureground.review.store.project import ReviewedProject
from figureground.review.words import counted

_UNKNOWN = "import"
"""Who drew a mask of which the labels do not say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comer:
    place: int
    reviewer: str
    runs: LabelRuns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Incoming:
    """The masks of some labels that fit a project."""

    where: Path
    classes: ClassTable
    """Of the masks."""
    comers: tuple[_Comer, ...]
    elsewhere: int
    """Masks of samples that the project does not have."""
    begun: int
    """Drafts, which nobody has handed on."""


def read_incoming(where: Path, project: ReviewedProject) -> Incoming:
    """The masks of a labels artifact that fit a project, before anything is stored.

    Masks of other samples are left out, for a queue is a part of its pool, and so are drafts.

    Raises:
        ArtifactError: there are no labels.
        FormatError: a table that cannot be read, or a mask of another size than its picture.
        InputError: no mask, none of a sample of the project, other classes, or too many of them to be painted.
    """
    found = read_labels(where)
    _check_classes(where, found.classes, project.classes)
    places = {item.id: item for item in project.items}
    here = [mask for mask in found.masks if mask.id in places]
    if not here:
        whose = f"none of its {counted(len(found.masks), 'mask')} is" if found.masks else "it holds no mask"
        such = f" of a sample of the project: there are {some([mask.id for mask in found.masks], 1)}" if found.masks else ""
        raise InputError(f"--masks {where}: {whose}{such}. Give labels of these pictures")
    ready = [mask for mask in here if mask.status != "draft"]
    for mask in ready:
        _check_size(where, mask, places[mask.id].size_hw)
    comers = (_Comer(place=places[m.id].place, reviewer=reviewer_name(m.reviewer or _UNKNOWN), runs=m.runs) for m in ready)
    elsewhere, begun = len(found.masks) - len(here), len(here) - len(ready)
    return Incoming(where=where, classes=found.classes, comers=tuple(comers), elsewhere=elsewhere, begun=begun)


def take_in(connection: Connection, incoming: Incoming) -> str:
    """Stores each mask as one that its reviewer has handed on, where he has none of that picture yet; the sentence that tells of it.

    Reviewers who are not there are made; they have no token.

    Args:
        connection: in a write.
        incoming: of the project of this database.
    """
    numbers = {name: people.known(connection, name).number for name in dict.fromkeys(comer.reviewer for comer in incoming.comers)}
    came = sum(_take(connection, comer, numbers[comer.reviewer], incoming.classes) for comer in incoming.comers)
    said = f"Masks of {incoming.where}: {came:,} came to be checked, {len(incoming.comers) - came:,} were there already"
    rest = [
        words
        for number, words in (
            (incoming.elsewhere, f"{incoming.elsewhere:,} of other pictures"),
            (incoming.begun, counted(incoming.begun, "draft")),
        )
        if number
    ]
    return f"{said}; left out: {' and '.join(rest)}" if rest else said


def _take(connection: Connection, comer: _Comer, reviewer: int, classes: ClassTable) -> bool:
    """Whether a mask was stored."""
    if masks.find(connection, comer.place, reviewer=reviewer) is not None:
        return False
    made = masks.open_(connection, comer.place, reviewer=reviewer, start=_layer(comer.runs, classes))
    masks.submit(connection, made.number, version=made.version)
    return True


def _layer(runs: LabelRuns, classes: ClassTable) -> np.ndarray:
    return to_layer(runs.dense(), classes)


def _check_classes(where: Path, given: ClassTable, classes: ClassTable) -> None:
    if len(classes) > MOST_CLASSES:
        raise InputError(f"--masks {where}: masks are for up to {MOST_CLASSES} classes, and the project has {len(classes)}")
    ours, theirs = ([*zip(table.names, table.ids, strict=True), ("the background", table.background)] for table in (classes, given))
    if ours == theirs:
        return
    place = next((n for n, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), min(len(ours), len(theirs)))
    shown = [f"{table[place][0]} = {table[place][1]}" if place < len(table) else "nothing" for table in (ours, theirs)]
    raise InputError(
        f"--masks {where}: the labels have other classes than the project: {shown[1]} where it has {shown[0]}. "
        "Import them with --data of the same classes"
    )


def _check_size(where: Path, mask: GivenMask, size_hw: tuple[int, int]) -> None:
    if mask.runs.size_hw != size_hw:
        raise refusal(
            "size-mismatch",
            f"the mask is {written_size(mask.runs.size_hw)} and its picture {written_size(size_hw)}",
            "Bring the masks that belong to these pictures",
            file=str(where / "masks.parquet"),
            sample=mask.id,
        )
