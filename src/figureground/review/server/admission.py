"""Who may come in: people who are let in, given another role or a new token when the server is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from figureground.core.errors import InputError
from figureground.data.faults import some
from figureground.data.labels import reviewer_name
from figureground.review.roles import ROLES, Role, name_and_role
from figureground.review.store import people
from figureground.review.store.database import Seen
from figureground.review.store.newcomers import Newcomer, let_in, read_newcomers
from figureground.review.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What was asked for at the start."""

    added: tuple[tuple[str, Role], ...] = ()
    """Name and role of those who are let in, or given that role."""
    renewed: tuple[str, ...] = ()
    """Names of those who are given a new token."""
    brought: tuple[Newcomer, ...] | None = None
    """People of an earlier review; None = nobody asked for them."""


def read_admission(add: Sequence[str], new_token: Sequence[str], *, seen: Seen | None, people_of: str = "") -> Admission:
    """What `--add NAME:ROLE`, `--new-token NAME` and `--people-of DATABASE` ask for.

    Args:
        add: texts of the first.
        new_token: texts of the second.
        seen: the database; None where there is none yet.
        people_of: URL of an earlier review's database; empty = of none.

    Raises:
        InputError: no such role, a name that cannot be one, a new token for nobody, or no review's database.
    """
    brought = read_newcomers(people_of) if people_of else None
    found = Admission(
        added=tuple(name_and_role(text, where="--add") for text in add),
        renewed=tuple(_name(text, "--new-token") for text in new_token),
        brought=brought,
    )
    known = (seen.people if seen else frozenset()) | {name for name, _ in found.added} | {one.name for one in brought or ()}
    for name in found.renewed:
        if name not in known:
            there = f"There {'is' if len(known) == 1 else 'are'} {some(sorted(known))}" if known else "Let somebody in with --add NAME:ROLE"
            raise InputError(f"--new-token '{name}': nobody of this name takes part. {there}")
    return found


def check_somebody(asked: Admission, *, seen: Seen | None) -> None:
    """Raise `InputError` where everybody needs a token and nobody has one."""
    there = seen.people if seen else frozenset[str]()
    comes = any(one.able and one.name not in there for one in asked.brought or ())
    if not (asked.added or asked.renewed or comes or (seen and seen.able)):
        raise InputError(
            "every reviewer needs a token here, and nobody has one yet. Let yourself in with --add NAME:admin, "
            f"others with --add NAME:ROLE; roles are {', '.join(ROLES)}"
        )


def admit(connection: Connection, asked: Admission) -> list[str]:
    """Does what was asked, and tells of each in a sentence; a token is told this once."""
    words = [] if asked.brought is None else [_bring(connection, asked.brought)]
    words += [_let_in(connection, name, role) for name, role in asked.added]
    return words + [_renew(connection, name) for name in asked.renewed]


def _name(text: str, flag: str) -> str:
    try:
        return reviewer_name(text)
    except InputError as error:
        raise InputError(f"{flag} '{text[:80]}': {error}") from error


def _bring(connection: Connection, brought: Sequence[Newcomer]) -> str:
    came = let_in(connection, brought)
    rest = f", {len(brought) - came:,} were there already" if len(brought) > came else ""
    return f"{counted(came, 'person', 'people')} of an earlier review came in with the tokens they have{rest}"


def _let_in(connection: Connection, name: str, role: Role) -> str:
    found = people.by_name(connection, name)
    if found is None:
        _, token = people.add(connection, name, role=role)
        return f"Token of '{name}' ({role}), shown this once: {token}"
    people.give_role(connection, found.number, role)
    now_is = f"'{name}' takes part already, as {role}" if found.role == role else f"'{name}' was {found.role} and is {role} now"
    if found.revoked is not None:
        return f"{now_is}, but was revoked: only --new-token '{name}' lets in again"
    if not people.has_token(connection, found.number):
        return f"{now_is}. Token, shown this once: {people.new_token(connection, found.number)}"
    return f"{now_is}; the token stays as it is"


def _renew(connection: Connection, name: str) -> str:
    found = people.by_name(connection, name)
    if found is None:
        raise InputError(f"--new-token '{name}': nobody of this name takes part")
    return f"New token of '{name}' ({found.role}), shown this once: {people.new_token(connection, found.number)}. The old one has ended"
