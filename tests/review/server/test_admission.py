"""Who may come in: people, roles and tokens given at the start, and starts that are refused."""

from __future__ import annotations

import re
from functools import partial

import pytest
from tests.review.server.starting import served

from figureground.core.errors import FormatError, InputError
from figureground.review.options import ReviewOptions
from figureground.review.server.serve import Where, serve
from figureground.review.store import people


def test_beyond_this_machine_somebody_must_be_able_to_come_in(pool, tmp_path):
    """Nothing is left behind by a start that was refused."""
    with pytest.raises(InputError, match="--add NAME:admin"):
        serve(str(pool), out=tmp_path / "new" / "labels", options=ReviewOptions(), where=Where(port=0, sign_in=True), browser=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["ann", "ann:king", ":admin", "a/b:admin", " ann:admin", f"{'x' * 65}:admin"])
def test_who_is_added_has_a_name_and_a_role(pool, tmp_path, text):
    with pytest.raises(InputError, match=r"^--add '"):
        serve(str(pool), out=tmp_path / "labels", options=ReviewOptions(), where=Where(port=0), add=[text], browser=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"options": ReviewOptions(gold="gold.csv")}, r"gold\.csv"),
        ({"reviewer": "a/b"}, "a reviewer's name"),
        ({"new_token": ["ann"]}, "--new-token 'ann': nobody of this name takes part. Let somebody in with --add"),
        ({"new_token": ["a/b"]}, "--new-token 'a/b': a reviewer's name"),
        ({"new_token": ["ann"], "add": ["bob:admin"]}, "nobody of this name takes part. There is 'bob'"),
    ],
)
def test_a_start_that_is_refused_leaves_nothing_behind(pool, tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    more = {"options": ReviewOptions(), "where": Where(port=0), "browser": False, **given}
    with pytest.raises((InputError, FormatError), match=said):
        serve(str(pool), out=tmp_path / "labels", **more)
    assert list(tmp_path.iterdir()) == []


def test_a_role_is_given_to_who_is_there_and_a_lost_token_is_replaced(pool, tmp_path, monkeypatch):
    """The advice that the page gives is what helps: who is the only admin gets in again too."""
    start = partial(served, pool, tmp_path / "labels", monkeypatch, tokens=True)
    said = start(add=["ann:reviewer"])
    assert "Token of 'ann' (reviewer), shown this once: " in said[0]
    assert "Nobody is an admin" in said[1]
    assert start(add=["ann:admin"])[0] == "'ann' was reviewer and is admin now; the token stays as it is"
    assert start(add=["ann:admin"])[0] == "'ann' takes part already, as admin; the token stays as it is"
    assert not [words for words in start() if "Nobody" in words]

    entered = []

    def enter(app, _):
        with app.state.room.database.read() as connection:
            entered.append([people.by_token(connection, token) is not None for token in (old, new)])

    old = said[0].rpartition(": ")[2]
    new = re.search(r"^New token of 'ann' \(admin\), shown this once: (\S+)\. The old one has ended$", start(new_token=["ann"])[0])[1]
    start(asked=enter)
    assert entered == [[False, True]]


def test_who_was_revoked_does_not_come_back_by_the_same_command(pool, tmp_path, monkeypatch):
    """A command that adds somebody is given again and again; only a new token lets in who was shown the door."""

    def revoke(app, _):
        with app.state.room.database.write() as connection:
            people.revoke(connection, people.by_name(connection, "bob").number)

    start = partial(served, pool, tmp_path / "labels", monkeypatch, tokens=True, add=["bob:checker", "ann:admin"])
    start(asked=revoke)
    assert start()[0] == "'bob' takes part already, as checker, but was revoked: only --new-token 'bob' lets in again"
    assert "New token of 'bob' (checker)" in start(add=[], new_token=["bob"])[0]


def test_who_had_no_token_gets_one(pool, tmp_path, monkeypatch):
    """The local reviewer of yesterday signs in today."""
    served(pool, tmp_path / "labels", monkeypatch)
    said = served(pool, tmp_path / "labels", monkeypatch, tokens=True, add=["me:admin"])
    assert said[0].startswith("'me' takes part already, as admin. Token, shown this once: ")
    assert not [words for words in said if "Nobody" in words]
