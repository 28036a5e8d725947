"""People: names, roles, tokens and sessions. Of a token or a session's key only the SHA-256 is kept; both are 256 random bits."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from figureground.core.errors import InputError
from figureground.data.labels import reviewer_name
from figureground.review.roles import ROLES, Role
from figureground.review.store.clock import now
from figureground.review.store.limits import is_number
from figureground.review.store.refusals import Absent
from figureground.review.store.tables import reviewer as person
from figureground.review.store.tables import session

SESSION_DAYS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """A person of the project."""

    number: int
    name: str
    role: Role
    """`reviewer` rates and labels, `checker` also checks, `admin` also sees people and exports."""
    seed: int
    """Makes this person's order of pictures; it depends on the name only."""
    created: str
    revoked: str | None
    """When the right to enter ended; None = it has not."""


def add(connection: Connection, name: str, *, role: Role) -> tuple[Reviewer, str]:
    """A new person, and the token to enter with, which is told this once.

    Raises:
        InputError: the name cannot be one or is taken, or there is no such role.
    """
    name, token = reviewer_name(name), secrets.token_urlsafe(32)
    _check_role(role)
    if by_name(connection, name) is not None:
        raise InputError(f"there is a reviewer '{name}' already. Choose another name, or give a new token to this one")
    return _insert(connection, name, role=role, token_hash=_digest(token)), token


def new_token(connection: Connection, number: int) -> str:
    """A new token for somebody whose old one is lost; that one, and what was opened with it, ends. Who was revoked may enter again.

    Raises:
        Absent: nobody has that number.
    """
    token = secrets.token_urlsafe(32)
    by_number(connection, number)
    connection.execute(update(person).where(person.c.number == number).values(token_hash=_digest(token), revoked=None))
    connection.execute(delete(session).where(session.c.reviewer == number))
    return token


def local(connection: Connection, name: str) -> Reviewer:
    """The person of a page that only this machine reaches, who needs no token; made on first use, and an admin.

    Raises:
        InputError: the name cannot be one, or was revoked.
    """
    name = reviewer_name(name)
    found = by_name(connection, name)
    if found is None:
        return _insert(connection, name, role="admin", token_hash=None)
    if found.revoked is not None:
        raise InputError(f"the reviewer '{name}' was revoked. Give another --reviewer")
    if found.role != "admin":
        connection.execute(update(person).where(person.c.number == found.number).values(role="admin"))
    return by_number(connection, found.number)


def by_token(connection: Connection, token: str) -> Reviewer | None:
    """Whose token it is; None for nobody's, and for one of somebody who was revoked."""
    hashed = _digest(token)
    row = connection.execute(select(person).where(person.c.token_hash == hashed)).one_or_none()
    return _reviewer(row) if row is not None and row.revoked is None and hmac.compare_digest(row.token_hash, hashed) else None


def by_number(connection: Connection, number: int) -> Reviewer:
    """The person of a number; `Absent` where there is none."""
    row = connection.execute(select(person).where(person.c.number == number)).one_or_none() if is_number(number) else None
    if row is None:
        raise Absent(f"there is no reviewer number {number}")
    return _reviewer(row)


def everyone(connection: Connection) -> list[Reviewer]:
    """All people, also those who were revoked, in the order they came."""
    return [_reviewer(row) for row in connection.execute(select(person).order_by(person.c.number))]


def who_can_enter(connection: Connection) -> list[Reviewer]:
    """The people whose token opens the page, in the order they came."""
    able = (person.c.revoked.is_(None), person.c.token_hash.is_not(None))
    return [_reviewer(row) for row in connection.execute(select(person).where(*able).order_by(person.c.number))]


def by_name(connection: Connection, name: str) -> Reviewer | None:
    """The person of a name; None where there is none."""
    row = connection.execute(select(person).where(person.c.name == reviewer_name(name))).one_or_none()
    return None if row is None else _reviewer(row)


def has_token(connection: Connection, number: int) -> bool:
    """True where somebody was given a token: neither the local reviewer was, nor who is known by masks from elsewhere alone."""
    return connection.scalar(select(person.c.token_hash).where(person.c.number == number)) is not None


def give_role(connection: Connection, number: int, role: Role) -> None:
    """Gives a person another role, from the next request on.

    Raises:
        Absent: nobody has that number.
        InputError: there is no such role.
    """
    _check_role(role)
    by_number(connection, number)
    connection.execute(update(person).where(person.c.number == number).values(role=role))


def known(connection: Connection, name: str) -> Reviewer:
    """The person of a name, made where there is none yet: a reviewer without a token, who cannot enter before one is given.

    Raises:
        InputError: the name cannot be one.
    """
    return by_name(connection, name) or _insert(connection, reviewer_name(name), role="reviewer", token_hash=None)


def bring(connection: Connection, name: str, *, role: Role, token_hash: str | None, created: str, revoked: str | None) -> Reviewer:
    """A person of another database as they are there, so that their token opens this page too, or stays closed.

    Raises:
        InputError: the name cannot be one or is taken, or there is no such role.
    """
    _check_role(role)
    if by_name(connection, name) is not None:
        raise InputError(f"there is a reviewer '{name}' already")
    made = _insert(connection, reviewer_name(name), role=role, token_hash=token_hash)
    connection.execute(update(person).where(person.c.number == made.number).values(created=created, revoked=revoked))
    return by_number(connection, made.number)


def can_work() -> ColumnElement[bool]:
    """Of a query that joins people: those who can go on with what they began. Without a token that is the local reviewer, an admin."""
    return and_(person.c.revoked.is_(None), or_(person.c.token_hash.is_not(None), person.c.role == "admin"))


def revoke(connection: Connection, number: int) -> None:
    """Ends a person's right to enter at once; what he did stays.

    Raises:
        Absent: nobody has that number.
    """
    by_number(connection, number)
    connection.execute(update(person).where(person.c.number == number, person.c.revoked.is_(None)).values(revoked=now()))
    connection.execute(delete(session).where(session.c.reviewer == number))


def open_session(connection: Connection, number: int, *, days: float = SESSION_DAYS) -> str:
    """The key of a new session, for the browser; sessions that have ended are removed."""
    key, moment = secrets.token_urlsafe(32), now()
    connection.execute(delete(session).where(session.c.expires <= moment))
    values = {"key_hash": _digest(key), "reviewer": number, "created": moment, "expires": now(minutes=days * 24 * 60)}
    connection.execute(insert(session).values(values))
    return key


def by_session(connection: Connection, key: str) -> Reviewer | None:
    """Whose session it is; None where it is nobody's, has ended, or its person was revoked."""
    of_key = (session.c.key_hash == _digest(key), session.c.expires > now(), person.c.revoked.is_(None))
    row = connection.execute(select(person).join(session, session.c.reviewer == person.c.number).where(*of_key)).one_or_none()
    return None if row is None else _reviewer(row)


def close_session(connection: Connection, key: str) -> None:
    """Ends a session; one that has ended already is no error."""
    connection.execute(delete(session).where(session.c.key_hash == _digest(key)))


def hold(connection: Connection, number: int) -> None:
    """Lets no other transaction that holds this person go on before this one ends.

    Raises:
        Absent: nobody has that number.
    """
    asked = select(person.c.number).where(person.c.number == number).with_for_update(key_share=True)
    if not is_number(number) or connection.scalar(asked) is None:
        raise Absent(f"there is no reviewer number {number}")


def _insert(connection: Connection, name: str, *, role: Role, token_hash: str | None) -> Reviewer:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) >> 1
    values = {"name": name, "role": role, "token_hash": token_hash, "seed": seed, "created": now()}
    number = connection.execute(insert(person).values(values).returning(person.c.number)).scalar_one()
    return by_number(connection, number)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise InputError(f"there is no role '{role}'. Known: {', '.join(ROLES)}")


def _reviewer(row: Row) -> Reviewer:
    return Reviewer(number=row.number, name=row.name, role=row.role, seed=row.seed, created=row.created, revoked=row.revoked)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
