"""A database of one project: opened, brought to the version of this code, and read and written in transactions.

On SQLite writes go through one lock in the process and take the database's own write lock at once (BEGIN IMMEDIATE), so that a write never
fails half-way because another process wrote meanwhile; readers see the last whole state and wait for nobody (WAL). What was committed
is on the disk (synchronous=FULL). On PostgreSQL each function locks the row it changes.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError, SQLAlchemyError

from figureground.core.errors import InputError
from figureground.review.store.address import Address, read_address
from figureground.review.store.clock import now
from figureground.review.store.project import ReviewedProject, enrol
from figureground.review.store.steps import steps
from figureground.review.store.tables import meta, project, reviewer, schema_version

_CONNECTIONS = 20
_IDLE_S = 5.0
_PATIENCE_S = 60
_LOCK_SPACE = 0x66696772  # so that our advisory locks are not those of another program on the same server


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a database tells before it is opened."""

    identity: str
    """Empty in one of a version before identities."""
    digest: str
    """Of its project."""
    people: frozenset[str]
    """Names of all who take part or did."""
    able: bool
    """Somebody's token opens the page."""


class Database:
    """An open database; `read` and `write` give a connection in a transaction. Threads may share it.

    Where the server of a database is away, both raise SQLAlchemy's `DBAPIError`, whatever the driver raises.
    """

    def __init__(self, engine: Engine, *, shown: str, identity: str = "") -> None:
        self.engine, self.shown = engine, shown
        self.identity = identity
        """Made with the database, and kept for as long as it is: labels say by it where they are from."""
        self._lock = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A connection that sees one state of the database for as long as the block lasts, and writes nothing."""
        with self._connect() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """A connection whose changes are all kept when the block ends, and on the disk then; none of them when it fails."""
        with self._lock, self._connect().execution_options(figureground_writes=True) as connection, connection.begin():
            yield connection

    def _connect(self) -> Connection:
        try:
            return self.engine.connect()
        except OSError as error:
            raise OperationalError("connect", None, error) from error

    def close(self) -> None:
        """Gives every connection back; the object is of no use afterwards."""
        self.engine.dispose()


def open_database(url: str, project: ReviewedProject) -> Database:
    """The database of a project, made where it is not there yet, and brought to the version of this code.

    Args:
        url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST:PORT/NAME`; see `read_address`.
        project: what is reviewed.

    Raises:
        InputError: it cannot be reached, is none of ours, is newer than this code, belongs to another project, or is of another target.
    """
    address = read_address(url)
    engine = _engine(address)
    database = Database(engine, shown=address.shown)
    try:
        with database.write() as connection:
            one_at_a_time(connection, "schema")
            migrate(connection, shown=address.shown)
            database.identity = enrol(connection, project, shown=address.shown)
    except DBAPIError as error:
        engine.dispose()
        raise _unopened(address, error) from error
    except BaseException:
        engine.dispose()
        raise
    return database


def look(url: str) -> Seen | None:
    """What a database says of itself, without making or changing anything; None where there is none of ours yet.

    Raises:
        InputError: it cannot be reached.
    """
    address = read_address(url)
    try:
        with glance(address) as connection:
            return _seen(connection) if connection is not None else None
    except DBAPIError as error:
        raise _unopened(address, error) from error


@contextmanager
def glance(address: Address) -> Generator[Connection | None]:
    """A connection that reads a database as it is, of whatever version; None where there is no file."""
    if address.url.get_backend_name() == "sqlite" and not Path(address.url.database or "").exists():
        yield None
        return
    database = Database(_engine(address), shown=address.shown)
    try:
        with database.read() as connection:
            yield connection
    finally:
        database.close()


def _seen(connection: Connection) -> Seen | None:
    there = inspect(connection)
    if not {schema_version.name, project.name, reviewer.name} <= set(there.get_table_names()):
        return None
    columns = {column["name"] for column in there.get_columns(project.name)}
    found = connection.execute(select(*(column for column in (project.c.digest, project.c.identity) if column.name in columns))).first()
    if found is None:
        return None
    people = connection.execute(select(reviewer.c.name, reviewer.c.token_hash, reviewer.c.revoked)).all()
    able = any(one.token_hash is not None and one.revoked is None for one in people)
    identity = str(found._mapping.get("identity", ""))
    return Seen(identity=identity, digest=found.digest, people=frozenset(one.name for one in people), able=able)


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
        event.listen(engine, "handle_error", _as_lost)
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


def _as_lost(context: ExceptionContext) -> Exception | None:
    """What the driver passes on of the network as it is, such as a reset connection, becomes an error like those that it wraps."""
    error = context.original_exception
    if not isinstance(error, OSError):
        return None
    context.is_disconnect = True
    return OperationalError(context.statement, None, error)


def _unopened(address: Address, error: DBAPIError) -> InputError:
    return InputError(f"--database {address.shown}: it cannot be opened ({cause(error)}). Correct the address, or ask who runs it")


def cause(error: SQLAlchemyError) -> str:
    """What the driver says, in a few words; what a server said before it hung up stands behind the driver's own error."""
    said, link = [], error.orig if isinstance(error, DBAPIError) else error
    while link is not None:
        said.append(link.args[0] if link.args else link)
        link = link.__cause__ or link.__context__
    told: Any = next((one for one in said if isinstance(one, dict)), said[0] if said else error)
    return " ".join(str(told.get("M", told) if isinstance(told, dict) else told).split())[:160]
