"""People of an earlier review, who are let into this one with the tokens that they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import DBAPIError

from figureground.core.errors import InputError
from figureground.review.roles import Role
from figureground.review.store import people
from figureground.review.store.address import read_address
from figureground.review.store.database import cause, glance
from figureground.review.store.tables import reviewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A person as another database knows them."""

    name: str
    role: Role
    token_hash: str | None
    """Of the token; None = had none, and was revoked."""
    created: str
    revoked: str | None

    @property
    def able(self) -> bool:
        """True where the token opens the page."""
        return self.token_hash is not None and self.revoked is None


def read_newcomers(url: str) -> tuple[Newcomer, ...]:
    """The people of a review database who were given a token or were revoked, in the order they came; nothing is changed there.

    The local reviewer of a page without tokens is not among them, nor are those who are known by masks from elsewhere alone.

    Raises:
        InputError: it cannot be reached, or is no review's.
    """
    try:
        address = read_address(url)
    except InputError as error:
        raise InputError(str(error).replace("--database", "--people-of", 1)) from error  # whose words these are elsewhere
    try:
        with glance(address) as connection:
            if connection is not None and inspect(connection).has_table(reviewer.name):
                rows = connection.execute(select(reviewer).order_by(reviewer.c.number)).all()
                known = (row for row in rows if row.token_hash is not None or row.revoked is not None)
                return tuple(Newcomer(**{name: row._mapping[name] for name in Newcomer.__slots__}) for row in known)
    except DBAPIError as error:
        raise InputError(
            f"--people-of {address.shown}: it cannot be read ({cause(error)}). Correct the address, or ask who runs it"
        ) from error
    raise InputError(f"--people-of {address.shown}: no review's database is there. Give the --database of an earlier review")


def let_in(connection: Connection, newcomers: Sequence[Newcomer]) -> int:
    """Adds those whose name is not there yet, as they were: role, token, and whether they were revoked. Returns how many came.

    Args:
        connection: in a write.
        newcomers: of another database.
    """
    known = {person.name for person in people.everyone(connection)}
    fresh = [one for one in newcomers if one.name not in known]
    for one in fresh:
        people.bring(
            connection,
            one.name,
            role=cast(Role, one.role),
            token_hash=one.token_hash,
            created=one.created,
            revoked=one.revoked,
        )
    return len(fresh)
