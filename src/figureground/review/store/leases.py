"""Leases: who is at what, so that two people are not given the same work."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection, delete, insert, select, update

from figureground.review.store.clock import now
from figureground.review.store.tables import lease

Task = Literal["patches", "mask", "check"]


def take(connection: Connection, reviewer: int, *, task: Task, item: int, minutes: float) -> None:
    """Leases an item to a reviewer from now on; whoever else has a lease of it keeps that.

    Args:
        connection: in a write.
        reviewer: his number.
        task: what for.
        item: place of the picture; of a check, number of the mask.
        minutes: how long.
    """
    end(connection, reviewer, task=task, item=item)
    connection.execute(insert(lease).values(task=task, item=item, reviewer=reviewer, until=now(minutes=minutes)))


def extend(connection: Connection, reviewer: int, *, task: Task, item: int, minutes: float) -> None:
    """Lets a lease last at least so long from now; without a lease nothing happens."""
    until = now(minutes=minutes)
    connection.execute(update(lease).where(*_of(reviewer, task, item), lease.c.until < until).values(until=until))


def end(connection: Connection, reviewer: int, *, task: Task, item: int) -> None:
    """Ends a lease; one that has ended already is no error."""
    connection.execute(delete(lease).where(*_of(reviewer, task, item)))


def of_others(connection: Connection, reviewer: int, *, task: Task) -> dict[int, set[int]]:
    """Item -> who else is at it now."""
    found: dict[int, set[int]] = {}
    asked = select(lease.c.item, lease.c.reviewer).where(lease.c.task == task, lease.c.until > now(), lease.c.reviewer != reviewer)
    for item, who in connection.execute(asked):
        found.setdefault(item, set()).add(who)
    return found


def _of(reviewer: int, task: Task, item: int) -> tuple:
    return (lease.c.task == task, lease.c.item == item, lease.c.reviewer == reviewer)
