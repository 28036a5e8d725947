"""Patch labels: a grid of cells over the picture, each foreground or background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, Row, func, insert, select, update

from figureground.core.errors import InputError
from figureground.review.store.clock import now
from figureground.review.store.people import hold
from figureground.review.store.ratings import check_seconds
from figureground.review.store.refusals import Absent, Conflict
from figureground.review.store.tables import patch, sample

MOST_CELLS = 256
"""In a row or a column."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patches:
    """The cells of one picture by one reviewer."""

    place: int
    reviewer: int
    cells: np.ndarray
    """bool [rows, columns], True = foreground."""
    version: int
    """Number of saves."""
    seconds: float
    created: str
    updated: str


def load(connection: Connection, place: int, *, reviewer: int, rows: int, columns: int) -> Patches | None:
    """What a reviewer said of a picture with such a grid; None where he has not."""
    found = connection.execute(select(patch).where(*_of(place, reviewer, rows, columns))).one_or_none()
    return None if found is None else _patches(found)


def save(connection: Connection, place: int, *, reviewer: int, cells: np.ndarray, version: int, seconds: float) -> int:
    """Stores the cells and returns their new version; the same cells sent again after a lost answer change nothing.

    Args:
        connection: in a write.
        place: of the picture.
        reviewer: his number.
        cells: bool [rows, columns], True = foreground; 1 to 256 each way.
        version: the one they were changed from; 0 = there was none.
        seconds: spent since the last save.

    Raises:
        Conflict: another version is stored.
        InputError: no such grid.
        Absent: no such place or reviewer.
    """
    if cells.ndim != 2 or cells.dtype != np.bool_ or not all(1 <= side <= MOST_CELLS for side in cells.shape):
        raise InputError(f"cells are bool [rows, columns], 1 to {MOST_CELLS} each way; got {cells.dtype} {list(cells.shape)}")
    check_seconds(seconds)
    hold(connection, reviewer)
    if connection.scalar(select(sample.c.place).where(sample.c.place == place)) is None:
        raise Absent(f"there is no place {place} in this project")
    of, content, moment = _of(place, reviewer, *cells.shape), np.packbits(cells).tobytes(), now()
    found = connection.execute(select(patch.c.version, patch.c.cells, patch.c.seconds).where(*of)).one_or_none()
    stored = 0 if found is None else found.version
    if found is not None and stored == version + 1 and bytes(found.cells) == content:
        return stored
    if stored != version:
        raise Conflict(f"the grid of place {place}", version=stored)
    if found is None:
        values = {"place": place, "reviewer": reviewer, "rows": cells.shape[0], "columns": cells.shape[1], "created": moment}
        connection.execute(insert(patch).values(**values, cells=content, version=1, seconds=seconds, updated=moment))
    else:
        total = found.seconds + seconds
        connection.execute(update(patch).where(*of).values(cells=content, version=version + 1, seconds=total, updated=moment))
    return version + 1


def next_places(
    connection: Connection, reviewer: int, *, places: Sequence[int], rows: int, columns: int, labellers: int = 1, count: int = 1
) -> list[int]:
    """The next places without a grid of this size by this reviewer, and by fewer than `labellers` others, in the order given."""
    asked = select(patch.c.place, func.count(), func.max(patch.c.place).filter(patch.c.reviewer == reviewer))
    asked = asked.where(patch.c.rows == rows, patch.c.columns == columns).group_by(patch.c.place)
    done = {place for place, people, own in connection.execute(asked) if people >= labellers or own is not None}
    return [place for place in places if place not in done][:count]


def table(connection: Connection) -> list[Patches]:
    """Every grid, by place and reviewer."""
    order = (patch.c.place, patch.c.reviewer, patch.c.rows, patch.c.columns)
    return [_patches(row) for row in connection.execute(select(patch).order_by(*order))]


def _of(place: int, reviewer: int, rows: int, columns: int) -> tuple:
    return (patch.c.place == place, patch.c.reviewer == reviewer, patch.c.rows == rows, patch.c.columns == columns)


def _patches(row: Row) -> Patches:
    bits = np.frombuffer(row.cells, np.uint8)
    cells = np.unpackbits(bits, count=row.rows * row.columns).astype(bool).reshape(row.rows, row.columns)
    said = {name: getattr(row, name) for name in ("place", "reviewer", "version", "seconds", "created", "updated")}
    return Patches(cells=cells, **said)
