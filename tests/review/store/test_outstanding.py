"""What is still waited for: by the database and by the labels it wrote it is the same, and the work list is that of the page."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from figureground.data.labels import read_labels
from figureground.review.done import waiting
from figureground.review.store import checks, masks, ratings
from figureground.review.store.labels import write_labels
from figureground.review.store.outstanding import at_work, outstanding

START = np.zeros((40, 60), np.uint8)


def rate(c, who, place, score):
    ratings.save(c, who, place=place, showing=0, score=score, out_of_domain=score is None, seconds=1)


def draw(c, who, place, status, *, checker):
    drawn = masks.open_(c, place, reviewer=who, start=START)
    if status == "draft":
        return
    version = masks.submit(c, drawn.number, version=drawn.version)
    if status != "submitted":
        checks.save(c, checker, mask=drawn.number, version=version, verdict=status)


def tell(c, team, seed):
    """Some ratings and masks of each status."""
    rng = np.random.default_rng(seed)
    for place in range(12):
        for who in (team.ann, team.bob, team.cleo)[: rng.integers(0, 4) if seed % 2 else 3]:
            rate(c, who, place, [None, 1, 2, 3, 4, 5][rng.integers(0 if rng.random() < 0.3 else 1, 6)])
        for who in (team.ann, team.cleo)[: rng.integers(0, 3)]:
            status = rng.choice(["draft", "submitted", "returned", "accepted", "accepted"])
            draw(c, who, place, str(status), checker=team.bob)


@pytest.mark.parametrize("seed", [1, 2])
def test_labels_and_their_database_say_the_same(database, project, team, tmp_path, seed):
    with database.write() as c:
        tell(c, team, seed)
    labels, ids = read_labels(write_labels(database, project, tmp_path / "labels")), [item.id for item in project.items]
    seen = set()
    for kind, quorum, worst, labellers, checked in product(("rated", "masked"), (1, 3), (0, 3, 100), (1, 2), (True, False)):
        asked = {"kind": kind, "quorum": quorum, "worst": worst, "labellers": labellers, "checked": checked}
        with database.read() as c:
            places = outstanding(c, **asked)
            listed = ratings.worklist(c, worst=worst, quorum=quorum)
            unrated = outstanding(c, **{**asked, "kind": "rated"})
        assert waiting(labels, ids, **asked) == [ids[place] for place in places]
        if kind == "masked":
            assert set(places) <= set(listed) | (set(unrated) if worst else set())
        seen.add(len(places))
    assert len(seen) > 3


def test_the_last_answer_leaves_nothing_and_taking_it_back_leaves_one(database, team):
    def left():
        with database.read() as c:
            return outstanding(c, kind="rated", quorum=1, worst=100, labellers=1, checked=True)

    with database.write() as c:
        for place in range(11):
            rate(c, team.ann, place, 3)
    assert left() == [11]
    with database.write() as c:
        rate(c, team.bob, 11, None)
    assert left() == []
    with database.write() as c:
        ratings.undo(c, team.bob)
    assert left() == [11]


def test_a_mask_that_was_handed_in_counts_where_none_is_checked(database, team):
    def left(*, checked):
        with database.read() as c:
            return outstanding(c, kind="masked", quorum=1, worst=0, labellers=1, checked=checked)

    with database.write() as c:
        for place, status in enumerate(("draft", "submitted", "returned", "accepted")):
            draw(c, team.ann, place, status, checker=team.bob)
    assert left(checked=True) == [0, 1, 2, *range(4, 12)]
    assert left(checked=False) == [0, 2, *range(4, 12)]


def test_who_rated_a_moment_ago_is_at_work(database, team):
    with database.write() as c:
        rate(c, team.bob, 0, 3)
    with database.read() as c:
        assert [person.number for person in at_work(c, seconds=30)] == [team.bob]
        assert at_work(c, seconds=-5) == []
