"""The project that a database is about: noted when the database is made, compared whenever it is opened."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Row, insert, select, update

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.review.store.clock import now
from figureground.review.store.tables import project, rating, sample
from figureground.review.target import joined_marks, same_target


class ReviewedItem(Protocol):
    """One sample of a project."""

    @property
    def place(self) -> int:
        """Number of the sample, from 0."""
        ...

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def image(self) -> str | None:
        """Path or URL of its picture."""
        ...

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        ...


class ReviewedProject(Protocol):
    """What the store needs to know of a project."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def digest(self) -> str:
        """Changes where the samples or classes do."""
        ...

    @property
    def classes(self) -> ClassTable:
        """What a mask may hold."""
        ...

    @property
    def items(self) -> Sequence[ReviewedItem]:
        """Every sample, by place."""
        ...

    @property
    def models(self) -> Sequence[str]:
        """Names of the models, the target first."""
        ...

    @property
    def sources(self) -> Sequence[str]:
        """Where the maps of each model come from."""
        ...

    @property
    def target(self) -> tuple[str, ...]:
        """Marks of the target, see `review.target`; none without a model."""
        ...


def enrol(connection: Connection, reviewed: ReviewedProject, *, shown: str) -> str:
    """Notes the project in a new database; in one that has a project, checks that it is this one. Returns the database's identity.

    Args:
        connection: in a write.
        reviewed: the project.
        shown: address of the database for messages.

    Raises:
        InputError: the database is of other samples or classes, or its ratings are of another target.
    """
    found = connection.execute(select(project)).one_or_none()
    if found is None:
        return _note(connection, reviewed)
    if found.digest != reviewed.digest:
        other = _difference(connection, found, reviewed)
        named = f"of '{found.name}'" if found.name == reviewed.name else f"of '{found.name}', not of '{reviewed.name}'"
        raise InputError(f"--database {shown}: it is {named}: {other}. Give the queue or data set it was made for, or another database")
    _check_target(connection, found, reviewed, shown=shown)
    return found.identity


def classes_of(connection: Connection) -> ClassTable:
    """The classes of the project."""
    return read_classes(connection.execute(select(project.c.classes_json)).scalar_one())


def read_classes(content: str) -> ClassTable:
    """Classes from their JSON."""
    found: dict[str, Any] = json.loads(content)
    return ClassTable(names=tuple(found["names"]), ids=tuple(found["ids"]), background=found["background"], ignore=found["ignore"])


def write_classes(classes: ClassTable) -> str:
    """Classes as JSON: names, ids, background, ignore."""
    found = {"names": classes.names, "ids": classes.ids, "background": classes.background, "ignore": classes.ignore}
    return json.dumps(found, ensure_ascii=False)


def _note(connection: Connection, reviewed: ReviewedProject) -> str:
    identity = secrets.token_hex(16)
    values = {"name": reviewed.name, "digest": reviewed.digest, "classes_json": write_classes(reviewed.classes), "identity": identity}
    connection.execute(insert(project).values(number=1, **values, **_target(reviewed, reviewed.target), created=now()))
    rows = [{"place": i.place, "id": i.id, "height": i.size_hw[0], "width": i.size_hw[1]} for i in reviewed.items]
    if rows:
        connection.execute(insert(sample), rows)
    return identity


def _target(reviewed: ReviewedProject, marks: Sequence[str]) -> dict[str, Any]:
    return {"target_name": reviewed.models[0] if reviewed.models else None, "target_json": json.dumps(list(marks))}


def _check_target(connection: Connection, found: Row, reviewed: ReviewedProject, *, shown: str) -> None:
    """Raise `InputError` where ratings would be taken for those of another model; what is new of the same target is noted.

    A database from before targets were noted takes the one it is opened with, and so does one that was begun without a model, as long as
    nobody has rated.
    """
    known: list[str] | None = None if found.target_json is None else json.loads(found.target_json)
    if known is not None and same_target(known, reviewed.target):
        marks = joined_marks(known, reviewed.target)
    elif known is None or (not known and connection.execute(select(rating.c.number).limit(1)).first() is None):
        marks = reviewed.target
    else:
        begun = f"with '{found.target_name}'" if known else "without a model"
        given = f"'{reviewed.models[0]}' has other maps of them" if reviewed.models else "no model is given"
        raise InputError(
            f"--database {shown}: it is of the same pictures with another target: it was begun {begun}, and {given}. "
            "Give the same target first (--models; rivals come behind it), or review the other one with another --out"
        )
    if tuple(known or ()) != marks:
        connection.execute(update(project).values(**_target(reviewed, marks)))


def _difference(connection: Connection, found: Row, reviewed: ReviewedProject) -> str:
    """What is not the same, in a few words."""
    if read_classes(found.classes_json) != reviewed.classes:
        return "it has other classes"
    rows = connection.execute(select(sample.c.id, sample.c.height, sample.c.width).order_by(sample.c.place)).all()
    if [row.id for row in rows] == [item.id for item in reviewed.items]:
        return "some pictures had another size"
    known, ids = {row.id for row in rows}, {item.id for item in reviewed.items}
    if known == ids:
        return "the same samples stand in another order there"
    return f"it has other samples ({len(known):,}, of which {len(known & ids):,} are among the {len(ids):,} given)"
