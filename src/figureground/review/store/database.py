"""A database of one project: opened, brought to the version of this code, and read and written in transactions.

On SQLite writes go through one lock in the process and take the database's own write lock at once (BEGIN IMMEDIATE), so that a write never
fails half-way because another process wrote meanwhile; readers see the last whole state and wait for nobody (WAL). What was committed
is on the disk (synchronous=FULL). On PostgreSQL each function locks the row it changes.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError, DisconnectionError

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.review.store.address import Address, read_address
from figureground.review.store.clock import now
from figureground.review.store.steps import steps
from figureground.review.store.tables import meta, project, sample, schema_version

_CONNECTIONS = 20
_IDLE_S = 5.0
_PATIENCE_S = 60
_LOCK_SPACE = 0x66696772  # so that our advisory locks are not those of another program on the same server


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


class Database:
    """An open database; `read` and `write` give a connection in a transaction. Threads may share it."""

    def __init__(self, engine: Engine, *, shown: str) -> None:
        self.engine, self.shown = engine, shown
        self._lock = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A connection that sees one state of the database for as long as the block lasts, and writes nothing."""
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """A connection whose changes are all kept when the block ends, and on the disk then; none of them when it fails."""
        with self._lock, self.engine.connect().execution_options(figureground_writes=True) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Gives every connection back; the object is of no use afterwards."""
        self.engine.dispose()


def open_database(url: str, project: ReviewedProject) -> Database:
    """The database of a project, made where it is not there yet, and brought to the version of this code.

    Args:
        url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST:PORT/NAME`; see `read_address`.
        project: what is reviewed.

    Raises:
        InputError: it cannot be reached, is none of ours, is newer than this code, or belongs to another project.
    """
    address = read_address(url)
    engine = _engine(address)
    database = Database(engine, shown=address.shown)
    try:
        with database.write() as connection:
            one_at_a_time(connection, "schema")
            migrate(connection, shown=address.shown)
            _enrol(connection, project, shown=address.shown)
    except DBAPIError as error:
        engine.dispose()
        raise InputError(
            f"--database {address.shown}: it cannot be opened ({_cause(error)}). Correct the address, or ask who runs it"
        ) from error
    except BaseException:
        engine.dispose()
        raise
    return database


def migrate(connection: Connection, *, shown: str = "", upto: int | None = None) -> int:
    """Applies every migration that was not applied, and returns the version.

    Args:
        connection: in a transaction, so that all of it happens or nothing.
        shown: address for messages.
        upto: last version to go to; default the newest.

    Raises:
        InputError: the database is newer than this code, or holds tables of something else.
    """
    known = steps()
    there = inspect(connection).get_table_names()
    if schema_version.name not in there:
        if ours := sorted(set(there) & set(meta.tables)):
            raise InputError(f"--database {shown}: it has a table '{ours[0]}' that figureground did not make. Give a database of its own")
        schema_version.create(connection)
    version = connection.scalar(select(func.max(schema_version.c.number))) or 0
    if version > len(known):
        raise InputError(
            f"--database {shown}: it is of version {version} and this figureground knows versions up to {len(known)}. "
            "Update figureground, or give another database"
        )
    for step in known[version : len(known) if upto is None else upto]:
        step.up(connection)
        connection.execute(insert(schema_version).values(number=step.number, name=step.name, applied=now()))
        version = step.number
    return version


def one_at_a_time(connection: Connection, what: str) -> None:
    """Waits until no other transaction of that word runs; ends with the transaction. On SQLite writes are one at a time anyway."""
    if connection.dialect.name == "postgresql":
        words = ("schema", "lease")
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK_SPACE, words.index(what))))


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


def _engine(address: Address) -> Engine:
    lasting = address.url.get_backend_name() == "postgresql"
    engine = create_engine(
        address.url,
        connect_args=address.arguments,
        pool_size=_CONNECTIONS,
        max_overflow=2 * _CONNECTIONS,
    )
    if lasting:
        event.listen(engine, "checkout", _try_out)
        event.listen(engine, "checkin", _note_use)
    else:
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _: object) -> None:
    """What every SQLite connection is told; transactions are begun by `_begin`, not by the driver."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {1000 * _PATIENCE_S}")
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:  # several open a new file at once: to this change SQLite's own patience does not apply
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _try_out(connection: Any, record: Any, _: object) -> None:
    """Whether a connection that was idle for a while still reaches its server, which may have been started again meanwhile."""
    used = record.info.get("used")
    if used is None or time.monotonic() - used < _IDLE_S:
        return
    try:
        connection.cursor().execute("SELECT 1")
        connection.rollback()
    except Exception as error:
        raise DisconnectionError from error  # the pool opens another


def _note_use(_: object, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("figureground_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _enrol(connection: Connection, reviewed: ReviewedProject, *, shown: str) -> None:
    """Notes the project in a new database; in one that has a project, checks that it is this one."""
    found = connection.execute(select(project.c.name, project.c.digest)).one_or_none()
    if found is None:
        classes = write_classes(reviewed.classes)
        values = {"name": reviewed.name, "digest": reviewed.digest, "classes_json": classes, "created": now()}
        connection.execute(insert(project).values(number=1, **values))
        rows = [{"place": i.place, "id": i.id, "height": i.size_hw[0], "width": i.size_hw[1]} for i in reviewed.items]
        if rows:
            connection.execute(insert(sample), rows)
    elif found.digest != reviewed.digest:
        raise InputError(
            f"--database {shown}: it is of the project '{found.name}' ({found.digest[:12]}), not of '{reviewed.name}' "
            f"({reviewed.digest[:12]}). Give the queue it was made for, or another database"
        )


def _cause(error: DBAPIError) -> str:
    """What the driver says, in a few words; what a server said before it hung up stands behind the driver's own error."""
    said, link = [], error.orig
    while link is not None:
        said.append(link.args[0] if link.args else link)
        link = link.__cause__ or link.__context__
    told: Any = next((one for one in said if isinstance(one, dict)), said[0] if said else error)
    return " ".join(str(told.get("M", told) if isinstance(told, dict) else told).split())[:160]
