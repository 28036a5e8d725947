"""What tests of the store share: three people, and a program that can be killed while it writes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from figureground.review.store import people
from figureground.review.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Numbers of three people."""

    ann: int
    """A reviewer."""
    bob: int
    """A checker."""
    cleo: int
    """An admin."""


@pytest.fixture
def team(database: Database) -> Team:
    """Ann, Bob and Cleo in the database."""
    with database.write() as c:
        roles = {"Ann": "reviewer", "Bob": "checker", "Cleo": "admin"}
        ann, bob, cleo = (people.add(c, name, role=role)[0].number for name, role in roles.items())
    return Team(ann=ann, bob=bob, cleo=cleo)
