"""The second look at a mask by somebody who did not draw it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Connection, Row, insert, select, update

from figureground.core.errors import InputError
from figureground.review.store import leases, masks, people
from figureground.review.store.clock import now
from figureground.review.store.database import one_at_a_time
from figureground.review.store.limits import check_seconds, check_text, is_number
from figureground.review.store.masks import Mask
from figureground.review.store.refusals import Conflict, NotAllowed
from figureground.review.store.tables import check
from figureground.review.store.tables import mask as mask_table

Verdict = Literal["accepted", "returned"]
Kind = Literal["wrong-class", "boundary", "missing", "extra"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_MARKS = 1000
LONGEST_COMMENT = 4000
LEASE_MINUTES = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One error in a mask, shown where it is."""

    x: int
    """Column in pixels."""
    y: int
    """Row in pixels."""
    kind: Kind
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One verdict on one version of a mask."""

    number: int
    mask: int
    mask_version: int
    reviewer: int
    """Number of who checked."""
    verdict: Verdict
    comment: str
    marks: tuple[Mark, ...]
    seconds: float
    """From seeing the mask to the verdict."""
    created: str


def claim(connection: Connection, checker: int, *, passed: Sequence[int] = (), minutes: float = LEASE_MINUTES) -> Mask | None:
    """The submitted mask that has waited longest, is not his own, and nobody else is looking at; leased to him. None where there is none.

    Args:
        connection: in a write.
        checker: his number.
        passed: masks that he leaves to others; what he has of them is given back.
        minutes: how long nobody else is given it.
    """
    one_at_a_time(connection, "lease")
    people.hold(connection, checker)
    for mask in filter(is_number, passed):
        leases.end(connection, checker, task="check", item=mask)
    taken = {*leases.of_others(connection, checker, task="check"), *passed}
    asked = select(mask_table.c.number).where(mask_table.c.status == "submitted", mask_table.c.reviewer != checker)
    waiting = connection.scalars(asked.order_by(mask_table.c.updated, mask_table.c.number))
    number = next((number for number in waiting if number not in taken), None)
    if number is None:
        return None
    leases.take(connection, checker, task="check", item=number, minutes=minutes)
    return masks.by_number(connection, number)


def save(
    connection: Connection,
    checker: int,
    *,
    mask: int,
    version: int,
    verdict: Verdict,
    comment: str = "",
    marks: Sequence[Mark] = (),
    seconds: float = 0.0,
) -> int:
    """Accepts a mask or returns it, and returns the number of the check; sent again after a lost answer it changes nothing.

    Args:
        connection: in a write.
        checker: number of who checks.
        mask: its number.
        version: the one he saw.
        verdict: `accepted` or `returned`.
        comment: to who drew it, up to 4000 characters.
        marks: where the errors are.
        seconds: from seeing the mask to the verdict.

    Raises:
        NotAllowed: it is his own mask, or he is no checker.
        Conflict: the mask was changed, or somebody else was faster.
        InputError: a mark outside the picture, an unknown word, or too much.
        Absent: no such mask or checker.
    """
    found = masks.held(connection, mask)
    _check_person(connection, checker, found)
    _check_words(found, verdict, comment, marks)
    check_seconds(seconds)
    before = next((check for check in for_mask(connection, mask) if check.mask_version == version), None)
    if before is not None and (before.reviewer, before.verdict, before.comment, before.marks) == (checker, verdict, comment, tuple(marks)):
        return before.number
    if before is not None or found.version != version or found.status != "submitted":
        raise Conflict(f"mask {mask}", version=found.version)
    listed = json.dumps([{"x": m.x, "y": m.y, "kind": m.kind, "comment": m.comment} for m in marks], ensure_ascii=False)
    said = {"verdict": verdict, "comment": comment, "marks_json": listed, "seconds": seconds, "created": now()}
    values = {"mask": mask, "mask_version": version, "reviewer": checker, **said}
    number = connection.execute(insert(check).values(**values).returning(check.c.number)).scalar_one()
    connection.execute(update(mask_table).where(mask_table.c.number == mask).values(status=verdict, updated=now()))
    leases.end(connection, checker, task="check", item=mask)
    return number


def for_mask(connection: Connection, mask: int) -> list[Check]:
    """Every check of a mask, the first one first."""
    return [_check(row) for row in connection.execute(select(check).where(check.c.mask == mask).order_by(check.c.number))]


def table(connection: Connection) -> list[Check]:
    """Every check, in the order they came."""
    return [_check(row) for row in connection.execute(select(check).order_by(check.c.number))]


def _check_person(connection: Connection, checker: int, found: Mask) -> None:
    person = people.by_number(connection, checker)
    if found.reviewer == checker:
        raise NotAllowed("nobody checks his own mask. Leave it to another reviewer")
    if person.role == "reviewer":
        raise NotAllowed(f"'{person.name}' is a reviewer, and masks are checked by a checker. Ask an admin for that role")


def _check_words(found: Mask, verdict: str, comment: str, marks: Sequence[Mark]) -> None:
    if verdict not in get_args(Verdict):
        raise InputError(f"a verdict is accepted or returned; got '{verdict[:80]}'")
    if len(marks) > MOST_MARKS:
        raise InputError(f"a check has up to {MOST_MARKS} marks; got {len(marks)}")
    for text in (comment, *(mark.comment for mark in marks)):
        check_text(text, what="a comment", most=LONGEST_COMMENT)
    height, width = found.size_hw
    for mark in marks:
        if mark.kind not in KINDS:
            raise InputError(f"a mark is one of {', '.join(KINDS)}; got '{mark.kind[:80]}'")
        if not (0 <= mark.x < width and 0 <= mark.y < height):
            raise InputError(f"a mark at {mark.x}, {mark.y} is outside the picture of {width} x {height} px")


def _check(row: Row) -> Check:
    said = dict(row._mapping)
    return Check(marks=tuple(Mark(**mark) for mark in json.loads(said.pop("marks_json"))), **said)
