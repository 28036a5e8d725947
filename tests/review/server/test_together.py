"""Writes that share a transaction: each is there or refused on its own, and none is answered before it is on the disk."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from figureground.core.errors import InputError
from figureground.review.server.together import Together
from figureground.review.store import people, ratings


def save(reviewer, place, score):
    return lambda c: ratings.save(c, reviewer, place=place, showing=0, score=score, out_of_domain=False, seconds=1.0)


@pytest.fixture
def reviewers(database):
    with database.write() as connection:
        return [people.add(connection, f"reviewer {n}", role="reviewer")[0].number for n in range(20)]


def test_many_threads_lose_nothing_and_the_refused_take_nothing_with_them(database, reviewers):
    together = Together(database)

    def rate(number):
        said = [together.write(save(number, place, 1 + place % 5)) for place in range(12)]
        with pytest.raises(InputError, match="a score is 1 to 5"):
            together.write(save(number, 0, 9))
        with pytest.raises(InputError, match="no place 99"):
            together.write(save(number, 99, 3))
        return said

    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(rate, reviewers)) == [[True] * 12] * 20
    with database.read() as connection:
        assert sorted((r.reviewer, r.place, r.score) for r in ratings.table(connection)) == [
            (number, place, 1 + place % 5) for number in reviewers for place in range(12)
        ]


@pytest.mark.parametrize("kind", ["sqlite"])
def test_those_who_wait_share_a_transaction(database, reviewers):
    together, commits = Together(database), []
    event.listen(database.engine, "commit", lambda connection: commits.append(1))
    entered, go = threading.Event(), threading.Event()

    def slow(connection):
        entered.set()
        assert go.wait(20)

    with ThreadPoolExecutor(20) as threads:
        first = threads.submit(together.write, slow)
        assert entered.wait(20)
        rest = [threads.submit(together.write, save(number, 0, 3)) for number in reviewers[:10]]
        while len(together._waiting) < 10:
            pass
        go.set()
        assert [one.result(20) for one in (first, *rest)] == [None] + [True] * 10
    assert len(commits) == 1


@pytest.mark.parametrize("kind", ["sqlite"])
def test_where_the_whole_fails_everybody_is_told_and_nothing_is_kept(database, reviewers):
    together = Together(database)

    def fail(connection):
        raise OSError("the disk is full")

    event.listen(database.engine, "commit", fail)
    with pytest.raises(OSError, match="disk is full"):
        together.write(save(reviewers[0], 0, 3))
    event.remove(database.engine, "commit", fail)
    with database.read() as connection:
        assert ratings.table(connection) == []
    assert together.write(save(reviewers[0], 0, 3)) is True


@pytest.mark.parametrize("kind", ["sqlite"])
def test_where_nothing_can_be_begun_everybody_is_told(database, reviewers, monkeypatch):
    together = Together(database)

    def broken():
        raise OSError("no more files")

    monkeypatch.setattr(type(database), "write", lambda self: broken())
    with ThreadPoolExecutor(8) as threads:
        found = [threads.submit(together.write, save(number, 0, 3)) for number in reviewers[:8]]
        assert [str(one.exception(20)) for one in found] == ["no more files"] * 8
