"""People of an earlier review: they come as they were, and nobody who is there is changed."""

from __future__ import annotations

import pytest
from tests.review.conftest import small_project

from figureground.core.errors import InputError
from figureground.review.store import people
from figureground.review.store.database import open_database
from figureground.review.store.newcomers import let_in, read_newcomers


@pytest.fixture
def earlier(tmp_path):
    """A review of other pictures: Ann and Bob, Cleo who was revoked, the local reviewer, and Lin whose masks were imported."""
    url = f"sqlite:///{tmp_path}/earlier.db"
    database = open_database(url, small_project(samples=3, digest="e" * 64))
    with database.write() as c:
        tokens = {name: people.add(c, name, role=role)[1] for name, role in (("Ann", "reviewer"), ("Bob", "checker"), ("Cleo", "admin"))}
        people.revoke(c, people.by_name(c, "Cleo").number)
        people.local(c, "me")
        people.known(c, "Lin")
    yield url, tokens
    database.close()


def everyone(database):
    with database.read() as c:
        return {person.name: person for person in people.everyone(c)}


def test_a_token_opens_the_next_review_and_that_of_who_was_revoked_does_not(database, earlier):
    url, tokens = earlier
    newcomers = read_newcomers(url)
    assert [(one.name, one.role, one.able) for one in newcomers] == [
        ("Ann", "reviewer", True),
        ("Bob", "checker", True),
        ("Cleo", "admin", False),
    ]
    with database.write() as c:
        assert let_in(c, newcomers) == 3
    with database.read() as c:
        assert [getattr(people.by_token(c, tokens[name]), "role", None) for name in ("Ann", "Bob", "Cleo")] == ["reviewer", "checker", None]
    found = everyone(database)
    assert {one.name: (one.created, one.revoked) for one in newcomers} == {name: (p.created, p.revoked) for name, p in found.items()}
    assert found["Cleo"].revoked is not None
    with database.write() as c:
        assert let_in(c, newcomers) == 0


def test_who_is_there_stays_as_they_are(database, team, earlier):
    """Ann, Bob and Cleo are here with tokens of their own; Bob was revoked here, Cleo there."""
    url, tokens = earlier
    with database.write() as c:
        people.revoke(c, team.bob)
        renewed = people.new_token(c, team.ann)
    before = everyone(database)
    with database.write() as c:
        assert let_in(c, read_newcomers(url)) == 0
    assert everyone(database) == before
    with database.read() as c:
        assert people.by_token(c, renewed).number == team.ann
        assert [people.by_token(c, token) for token in tokens.values()] == [None] * 3


def test_what_is_no_review_is_one_sentence(tmp_path):
    (tmp_path / "empty.db").write_bytes(b"")
    (tmp_path / "text.db").write_text("no database, but long enough to be taken for one " * 50)
    for url, problem in (
        (f"sqlite:///{tmp_path}/absent.db", "no review's database is there"),
        (f"sqlite:///{tmp_path}/empty.db", "no review's database is there"),
        (f"sqlite:///{tmp_path}/text.db", "cannot be read"),
        ("mysql://db/review", "expected sqlite:///FILE or postgresql"),
        (f"sqlite:///{tmp_path}/nowhere/x.db", "there is no folder"),
    ):
        with pytest.raises(InputError, match=f"^--people-of.*{problem}"):
            read_newcomers(url)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.db", "text.db"]
