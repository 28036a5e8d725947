"""What a loop asks of people: the page it opens itself, and the command that opens it by hand."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from tests.support import run_program

from figureground.loops.asking import Asked
from figureground.loops.options import PeopleOptions
from figureground.loops.page import Page

serving = pytest.importorskip("figureground.review.server.serve", reason="the extra 'review' is not installed")

TEAM = PeopleOptions(
    quorum=2, labellers=2, repeats=0.1, host="0.0.0.0", port=9321, sign_in=True, checked=False, reviewers=("ann:admin", "bob:reviewer")
)
PARTS = ("out", "where", "add", "people_of", "until")
KEPT = {"rating": ("quorum", "repeats", "checked"), "labelling": ("worst", "labellers", "checked", "models")}


@pytest.mark.parametrize("known", [None, Path("round-1/labels.sqlite")])
@pytest.mark.parametrize("people", [PeopleOptions(), TEAM])
@pytest.mark.parametrize("state", ["rating", "labelling"])
def test_by_hand_it_is_the_page_that_the_loop_opens(monkeypatch, state, people, known):
    """At the same address, for the same people with the same tokens, asked the same."""
    opened = []
    monkeypatch.setattr(serving, "serve", lambda project, **how: opened.append((project, how)))
    asked = Asked(
        state=state, round=2, project=Path("round-2/work"), labels=Path("round-2/labels"), ids=("a",),
        models=() if state == "rating" else ("target=net", "rival=a b"), people=people, seed=0, known=known,
    )  # fmt: skip
    Page(say=lambda text: None).ask(asked)
    assert run_program(*shlex.split(asked.command)[1:])[0] == 0
    (own, how), (by_hand, typed) = opened
    assert own == by_hand
    assert [tuple(how[part]) if part == "add" else how[part] for part in PARTS] == [
        tuple(typed[part]) if part == "add" else typed[part] for part in PARTS
    ]
    assert [getattr(how["options"], name) for name in KEPT[state]] == [getattr(typed["options"], name) for name in KEPT[state]]
