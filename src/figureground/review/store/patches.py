"""Patch labels: a grid of cells over the picture, each foreground or background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, Row, insert, select, update

from figureground.core.errors import InputError
from figureground.review.store import leases
from figureground.review.store.clock import now
from figureground.review.store.database import one_at_a_time
from figureground.review.store.limits import MOST_CELLS, check_seconds, is_number, size_of_place
from figureground.review.store.people import hold
from figureground.review.store.refusals import Conflict
from figureground.review.store.tables import patch

LEASE_MINUTES = 5.0


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
    if not all(map(is_number, (place, rows, columns))):
        return None
    found = connection.execute(select(patch).where(*_of(place, reviewer, rows, columns))).one_or_none()
    return None if found is None else _patches(found)


def save(connection: Connection, place: int, *, reviewer: int, cells: np.ndarray, version: int, seconds: float) -> int:
    """Stores the cells and returns their new version; the same cells sent again after a lost answer change nothing.

    Args:
        connection: in a write.
        place: of the picture.
        reviewer: his number.
        cells: bool [rows, columns], True = foreground; 1 to 128 each way.
        version: the one they were changed from; 0 = there was none.
        seconds: spent since the last save.

    Raises:
        Conflict: another version is stored.
        InputError: no such grid.
        Absent: no such place or reviewer.
    """
    if cells.ndim != 2 or cells.dtype != np.bool_:
        raise InputError(f"cells are bool [rows, columns]; got {cells.dtype} {list(cells.shape)}")
    _check_grid(*cells.shape)
    check_seconds(seconds)
    hold(connection, reviewer)
    size_of_place(connection, place)
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
    leases.end(connection, reviewer, task="patches", item=place)
    return version + 1


def next_places(connection: Connection, reviewer: int, *, places: Sequence[int], rows: int, columns: int, labellers: int = 1) -> list[int]:
    """The places that are left for a reviewer, in the order given: without such a grid by him, and with fewer than `labellers` others.

    Others are those who have given such a grid and those who are at the picture now.

    Raises:
        InputError: no such grid.
    """
    _check_grid(rows, columns)
    asked = select(patch.c.place, patch.c.reviewer).where(patch.c.rows == rows, patch.c.columns == columns)
    people = leases.of_others(connection, reviewer, task="patches")
    own: set[int] = set()
    for place, who in connection.execute(asked):
        if who == reviewer:
            own.add(place)
        else:
            people.setdefault(place, set()).add(who)
    return [place for place in places if place not in own and len(people.get(place, ())) < labellers]


def claim(
    connection: Connection,
    reviewer: int,
    *,
    places: Sequence[int],
    rows: int,
    columns: int,
    labellers: int = 1,
    count: int = 1,
    minutes: float = LEASE_MINUTES,
) -> list[int]:
    """All of `next_places`, the first few of them leased to the reviewer; empty where nothing is left for him.

    Args:
        connection: in a write.
        reviewer: his number.
        places: the work list.
        rows: of the grid.
        columns: of the grid.
        labellers: people that each picture needs.
        count: how many are leased.
        minutes: how long nobody else is given it.
    """
    one_at_a_time(connection, "lease")
    hold(connection, reviewer)
    found = next_places(connection, reviewer, places=places, rows=rows, columns=columns, labellers=labellers)
    for place in found[:count]:
        leases.take(connection, reviewer, task="patches", item=place, minutes=minutes)
    return found


def table(connection: Connection) -> list[Patches]:
    """Every grid, by place and reviewer."""
    order = (patch.c.place, patch.c.reviewer, patch.c.rows, patch.c.columns)
    return [_patches(row) for row in connection.execute(select(patch).order_by(*order))]


def _check_grid(rows: int, columns: int) -> None:
    if not (1 <= rows <= MOST_CELLS and 1 <= columns <= MOST_CELLS):
        raise InputError(f"a grid has 1 to {MOST_CELLS} rows and columns; got {rows} x {columns}")


def _of(place: int, reviewer: int, rows: int, columns: int) -> tuple:
    return (patch.c.place == place, patch.c.reviewer == reviewer, patch.c.rows == rows, patch.c.columns == columns)


def _patches(row: Row) -> Patches:
    bits = np.frombuffer(row.cells, np.uint8)
    cells = np.unpackbits(bits, count=row.rows * row.columns).astype(bool).reshape(row.rows, row.columns)
    said = {name: getattr(row, name) for name in ("place", "reviewer", "version", "seconds", "created", "updated")}
    return Patches(cells=cells, **said)
