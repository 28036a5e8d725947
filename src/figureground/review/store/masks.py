"""Masks being drawn: kept as packed tiles, changed by boxes, each save done once, and never over somebody else's."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from figureground.core.errors import InputError
from figureground.review.layers import MOST_CLASSES, VOID
from figureground.review.store import leases
from figureground.review.store.clock import now
from figureground.review.store.database import one_at_a_time
from figureground.review.store.limits import check_actions, check_seconds, check_text, is_number, size_of_place
from figureground.review.store.people import can_work, hold
from figureground.review.store.project import classes_of
from figureground.review.store.refusals import Absent, Conflict
from figureground.review.store.tables import mask as masks
from figureground.review.store.tables import mask_save, mask_tile, sample
from figureground.review.store.tables import reviewer as person

TILE_PX = 256
LEASE_MINUTES = 30.0
LONGEST_KEY = 64
Status = Literal["draft", "submitted", "returned", "accepted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A mask, without its pixels."""

    number: int
    place: int
    reviewer: int
    """Number of who draws it."""
    version: int
    """Rises with every save and with every submission; 1 when it is new."""
    status: Status
    actions: int
    """Clicks, strokes and keys it took so far."""
    seconds: float
    created: str
    updated: str
    size_hw: tuple[int, int]


Box = tuple[int, int, np.ndarray]
"""Left column, upper row, and class places uint8 [height, width] from there."""


def find(connection: Connection, place: int, *, reviewer: int) -> Mask | None:
    """The mask of a picture by a reviewer; None where he has begun none."""
    if not is_number(place):
        return None
    row = connection.execute(_select().where(masks.c.place == place, masks.c.reviewer == reviewer)).one_or_none()
    return None if row is None else _mask(row)


def by_number(connection: Connection, number: int) -> Mask:
    """A mask; `Absent` where there is none of that number."""
    row = connection.execute(_select().where(masks.c.number == number)).one_or_none() if is_number(number) else None
    if row is None:
        raise Absent(f"there is no mask number {number}")
    return _mask(row)


def of_place(connection: Connection, place: int) -> list[Mask]:
    """The masks of a picture by all reviewers, in the order they were begun."""
    if not is_number(place):
        return []
    return [_mask(row) for row in connection.execute(_select().where(masks.c.place == place).order_by(masks.c.number))]


def everything(connection: Connection) -> list[Mask]:
    """All masks, by place and number."""
    return [_mask(row) for row in connection.execute(_select().order_by(masks.c.place, masks.c.number))]


def open_(connection: Connection, place: int, *, reviewer: int, start: np.ndarray) -> Mask:
    """The reviewer's mask of a picture, made from `start` on first use; one that is there stays as it is.

    Args:
        connection: in a write.
        place: of the picture.
        reviewer: his number.
        start: uint8 [height, width], class places and 255 for void.

    Raises:
        InputError: `start` is of another size than the picture, or holds no class's place.
        Absent: no such place or reviewer.
    """
    hold(connection, reviewer)
    if (found := find(connection, place, reviewer=reviewer)) is not None:
        return found
    size = size_of_place(connection, place)
    if start.dtype != np.uint8 or start.shape != size:
        raise InputError(f"a layer must be uint8 {list(size)}; got {start.dtype} {list(start.shape)}")
    _check_classes(start, _class_count(connection))
    moment = now()
    values = {"place": place, "reviewer": reviewer, "version": 1, "status": "draft", "actions": 0, "seconds": 0.0}
    made = connection.execute(insert(masks).values(**values, created=moment, updated=moment).returning(masks.c.number))
    number = made.scalar_one()
    tiles = [{"mask": number, "row": r, "column": c, "content": _pack(start[_tile(r, c)])} for r, c in _tiles_of(0, 0, *start.shape)]
    connection.execute(insert(mask_tile), tiles)
    return by_number(connection, number)


def layer(connection: Connection, mask: int) -> np.ndarray:
    """What is painted: uint8 [height, width], class places and 255 for void; `Absent` where there is no such mask."""
    whole = np.empty(by_number(connection, mask).size_hw, np.uint8)
    of_mask = mask_tile.c.mask == mask
    for row, column, content in connection.execute(select(mask_tile.c.row, mask_tile.c.column, mask_tile.c.content).where(of_mask)):
        _unpack(content, whole[_tile(row, column)])
    return whole


def save_boxes(connection: Connection, mask: int, *, key: str, version: int, boxes: Sequence[Box], actions: int, seconds: float) -> int:
    """Paints boxes over what is stored and returns the new version; a key that was saved before changes nothing and returns its version.

    A mask that was submitted becomes a draft again. The reviewer's lease, if he has one, goes on from now.

    Args:
        connection: in a write.
        mask: its number.
        key: made by the page for this save, up to 64 characters.
        version: the one the boxes were painted on.
        boxes: in the order they are painted; none = only actions and seconds are added.
        actions: further clicks, strokes and keys since the last save.
        seconds: further time since the last save.

    Raises:
        Conflict: another version is stored.
        InputError: a box that leaves the picture or holds no class's place, a bad key or number, or a mask that was accepted.
        Absent: no such mask.
    """
    check_text(key, what="the key of a save", most=LONGEST_KEY)
    check_actions(actions)
    check_seconds(seconds)
    found = held(connection, mask)
    done = connection.scalar(select(mask_save.c.version).where(mask_save.c.mask == mask, mask_save.c.key == key))
    if done is not None:
        return done
    _check_open(found, version)
    _check_boxes(connection, found, boxes)
    _paint(connection, found, boxes)
    moment, status = now(), "draft" if found.status == "submitted" else found.status
    values = {"version": version + 1, "status": status, "actions": found.actions + actions, "seconds": found.seconds + seconds}
    connection.execute(update(masks).where(masks.c.number == mask).values(**values, updated=moment))
    connection.execute(insert(mask_save).values(mask=mask, key=key, version=version + 1))
    leases.extend(connection, found.reviewer, task="mask", item=found.place, minutes=LEASE_MINUTES)
    return version + 1


def submit(connection: Connection, mask: int, *, version: int) -> int:
    """Hands a mask on to be checked and returns its new version; sent again after a lost answer it changes nothing.

    Raises:
        Conflict: another version is stored.
        InputError: the mask was accepted.
        Absent: no such mask.
    """
    found = held(connection, mask)
    if found.status == "submitted" and found.version in (version, version + 1):
        return found.version
    _check_open(found, version)
    values = {"version": version + 1, "status": "submitted", "updated": now()}
    connection.execute(update(masks).where(masks.c.number == mask).values(**values))
    leases.end(connection, found.reviewer, task="mask", item=found.place)
    return version + 1


def claim(
    connection: Connection, reviewer: int, *, places: Sequence[int], labellers: int = 1, minutes: float = LEASE_MINUTES
) -> int | None:
    """The picture that a reviewer draws next, leased to him; None where nothing is left for him.

    First what came back to him, then what he has begun, then the first of `places` that has fewer than `labellers` others, who have drawn
    it or are at it. Somebody whose lease ran out before he submitted is not at it any more.

    Args:
        connection: in a write.
        reviewer: his number.
        places: the work list, the most urgent first.
        labellers: masks that each picture needs.
        minutes: how long nobody else is given it.
    """
    one_at_a_time(connection, "lease")
    hold(connection, reviewer)
    asked = select(masks.c.place, masks.c.status).where(masks.c.reviewer == reviewer)
    own: dict[int, str] = {row.place: row.status for row in connection.execute(asked)}
    others = _others(connection, reviewer)
    free = [place for place in places if place not in own and len(others.get(place, ())) < labellers]
    back = [place for place, status in own.items() if status == "returned"]
    begun = [place for place in places if own.get(place) == "draft" and len(others.get(place, ())) < labellers]
    chosen = next(iter([*sorted(back), *begun, *free]), None)
    if chosen is not None:
        leases.take(connection, reviewer, task="mask", item=chosen, minutes=minutes)
    return chosen


def release(connection: Connection, reviewer: int, *, place: int) -> None:
    """Gives a picture back, for others to draw; one that was given back already is no error."""
    if is_number(place):
        leases.end(connection, reviewer, task="mask", item=place)


def _others(connection: Connection, own: int) -> dict[int, set[int]]:
    """Place -> who else has drawn it, or is at it now."""
    staying = or_(masks.c.status.in_(("submitted", "accepted")), and_(masks.c.status == "returned", can_work()))
    drawn = select(masks.c.place, masks.c.reviewer).join(person, person.c.number == masks.c.reviewer)
    found = leases.of_others(connection, own, task="mask")
    for place, who in connection.execute(drawn.where(staying, masks.c.reviewer != own)):
        found.setdefault(place, set()).add(who)
    return found


def _select():
    return select(masks, sample.c.height, sample.c.width).join(sample, sample.c.place == masks.c.place)


def _mask(row: Row) -> Mask:
    said = dict(row._mapping)
    return Mask(size_hw=(said.pop("height"), said.pop("width")), **said)


def held(connection: Connection, number: int) -> Mask:
    """A mask that no other transaction changes before this one ends; `Absent` where there is none of that number."""
    if is_number(number):
        connection.execute(select(masks.c.number).where(masks.c.number == number).with_for_update(key_share=True))
    return by_number(connection, number)


def _check_open(found: Mask, version: int) -> None:
    if found.version != version:
        raise Conflict(f"mask {found.number}", version=found.version)
    if found.status == "accepted":
        raise InputError(f"mask {found.number} was accepted and is finished. Choose another picture")


def _check_boxes(connection: Connection, found: Mask, boxes: Sequence[Box]) -> None:
    (height, width), known = found.size_hw, _class_count(connection)
    for x, y, piece in boxes:
        if piece.dtype != np.uint8 or piece.ndim != 2 or 0 in piece.shape:
            raise InputError(f"a box must be uint8 [height, width], not empty; got {piece.dtype} {list(piece.shape)}")
        if x < 0 or y < 0 or x + piece.shape[1] > width or y + piece.shape[0] > height:
            raise InputError(f"a box of {piece.shape[1]} x {piece.shape[0]} px at {x}, {y} leaves the picture of {width} x {height} px")
        _check_classes(piece, known)


def _class_count(connection: Connection) -> int:
    known = len(classes_of(connection))
    if known > MOST_CLASSES:
        raise InputError(f"masks are for up to {MOST_CLASSES} classes, and the project has {known}. Rate pictures or label patches instead")
    return known


def _check_classes(piece: np.ndarray, known: int) -> None:
    used = np.bincount(piece.ravel(), minlength=VOID + 1)
    if used[known:VOID].any():
        wrong = known + int(np.flatnonzero(used[known:VOID])[0])
        raise InputError(f"{wrong} is no class's place: there are {known} classes, from 0, and {VOID} for void")


def _paint(connection: Connection, found: Mask, boxes: Sequence[Box]) -> None:
    height, width = found.size_hw
    touched = sorted({tile for x, y, piece in boxes for tile in _tiles_of(x, y, *piece.shape)})
    for row, column in touched:
        of_tile = and_(mask_tile.c.mask == found.number, mask_tile.c.row == row, mask_tile.c.column == column)
        top, left = row * TILE_PX, column * TILE_PX
        tile = np.empty((min(TILE_PX, height - top), min(TILE_PX, width - left)), np.uint8)
        _unpack(connection.execute(select(mask_tile.c.content).where(of_tile)).scalar_one(), tile)
        for x, y, piece in boxes:
            _overlay(tile, piece, y - top, x - left)
        connection.execute(update(mask_tile).where(of_tile).values(content=_pack(tile)))


def _overlay(tile: np.ndarray, piece: np.ndarray, y: int, x: int) -> None:
    """Paints the part of a piece that lies in a tile; `y` and `x` are where the piece begins, seen from the tile."""
    y0, x0 = max(y, 0), max(x, 0)
    y1, x1 = min(y + piece.shape[0], tile.shape[0]), min(x + piece.shape[1], tile.shape[1])
    if y0 < y1 and x0 < x1:
        tile[y0:y1, x0:x1] = piece[y0 - y : y1 - y, x0 - x : x1 - x]


def _tiles_of(x: int, y: int, height: int, width: int) -> Iterator[tuple[int, int]]:
    """Row and column of each tile that a box touches."""
    for row in range(y // TILE_PX, (y + height - 1) // TILE_PX + 1):
        for column in range(x // TILE_PX, (x + width - 1) // TILE_PX + 1):
            yield row, column


def _tile(row: int, column: int) -> tuple[slice, slice]:
    return slice(row * TILE_PX, (row + 1) * TILE_PX), slice(column * TILE_PX, (column + 1) * TILE_PX)


def _pack(tile: np.ndarray) -> bytes:
    return zlib.compress(np.ascontiguousarray(tile).tobytes(), 1)


def _unpack(content: bytes, out: np.ndarray) -> None:
    out[...] = np.frombuffer(zlib.decompress(content), np.uint8).reshape(out.shape)
