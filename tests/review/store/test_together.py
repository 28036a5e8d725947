"""Many people at once: nothing is lost, nothing is there twice, nobody is given what another has."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from figureground.review.schedule import schedule
from figureground.review.store import checks, masks, patches, people, ratings
from figureground.review.store.database import open_database
from figureground.review.store.refusals import Conflict

SMALL = np.zeros((40, 60), np.uint8)


def at_once(count: int, work: Callable[[int], object]) -> list:
    """What `work` gives for each number, all started together in threads of their own; what one raises is raised."""
    results: list = [None] * count
    failed: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait()
            results[number] = work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return results


def crowd(database, count: int, *, role="reviewer") -> list[int]:
    with database.write() as c:
        return [people.add(c, f"person {n}", role=role)[0].number for n in range(count)]


def rate_the_plan(database, who: int, count: int) -> int:
    """What a page does: ask what is next, rate it, each in its own transaction; sends every third rating twice."""
    plan = schedule(seed=0, reviewer_seed=who, count=count, repeats=0)
    given = 0
    while True:
        with database.read() as c:
            due = ratings.next_items(c, who, plan=plan, count=3, quorum=10**6)
        if not due.items:
            return given
        place, showing = due.items[0]
        for _ in range(2 if given % 3 == 0 else 1):
            with database.write() as c:
                ratings.save(c, who, place=place, showing=showing, score=(who + place) % 5 + 1, out_of_domain=False, seconds=1)
        given += 1


@pytest.mark.slow
def test_fifty_rate_at_once(database):
    """Each of fifty rates four pictures: two hundred ratings, each once and as it was given."""
    everybody = crowd(database, 50)
    at_once(50, lambda n: rate_the_plan(database, everybody[n], 4))
    with database.read() as c:
        found = {(r.reviewer, r.place): r.score for r in ratings.table(c, live=False)}
        assert len(ratings.table(c, live=False)) == 200
        assert [opinion.n for opinion in ratings.opinions(c)] == [50] * 4
    assert found == {(who, place): (who + place) % 5 + 1 for who in everybody for place in range(4)}


@pytest.mark.slow
def test_ten_thousand_ratings(database_url, make_project):
    """Fifty reviewers, two hundred pictures, all at once: ten thousand ratings, each once."""
    opened = open_database(database_url, make_project(samples=200))
    everybody = crowd(opened, 50)
    assert at_once(50, lambda n: rate_the_plan(opened, everybody[n], 200)) == [200] * 50
    with opened.read() as c:
        found = ratings.table(c, live=False)
    opened.close()
    assert len(found) == 10_000
    assert {(r.reviewer, r.place): r.score for r in found} == {(w, p): (w + p) % 5 + 1 for w in everybody for p in range(200)}


def test_one_person_in_ten_tabs(database, team):
    """Ten tabs rate and take back the same pictures: at any time one live rating of each, and every save is either live or withdrawn."""

    def tab(n: int) -> int:
        written = 0
        for step in range(6):
            with database.write() as c:
                written += ratings.save(c, team.ann, place=step % 3, showing=0, score=(n + step) % 5 + 1, out_of_domain=False, seconds=n)
            if step % 3 == 2:
                with database.write() as c:
                    ratings.undo(c, team.ann)
        return written

    written = at_once(10, tab)
    with database.read() as c:
        everything, live = ratings.table(c, live=False), ratings.table(c)
    assert len(everything) == sum(written)
    assert max(Counter(r.place for r in live).values(), default=1) == 1


def test_nobody_is_given_what_another_has(database):
    """Twenty ask at once for one of twelve pictures to draw, and for one to patch: twelve get one each, eight get none."""
    everybody = crowd(database, 20)
    ask = {"places": range(12), "minutes": 5.0}

    def asks(n: int) -> tuple[int | None, tuple[int, ...]]:
        with database.write() as c:
            place = masks.claim(c, everybody[n], **ask)
        with database.write() as c:
            return place, tuple(patches.claim(c, everybody[n], rows=4, columns=4, **ask)[:1])

    given = at_once(20, asks)
    assert Counter(got[0] for got in given) == {None: 8, **dict.fromkeys(range(12), 1)}
    assert Counter(got[1] for got in given) == {(): 8, **dict.fromkeys(((place,) for place in range(12)), 1)}


def test_tabs_that_save_one_mask_lose_nothing(database, team):
    """Six tabs save into one mask; who meets a conflict loads again and sends anew: every save is in it once."""
    with database.write() as c:
        number = masks.open_(c, 0, reviewer=team.ann, start=SMALL).number

    def tab(n: int) -> int:
        met = 0
        for step in range(4):
            box = [(n * 10, step * 10, np.full((10, 10), n % 2 + 1, np.uint8))]
            while True:
                with database.read() as c:
                    version = masks.by_number(c, number).version
                try:
                    with database.write() as c:
                        masks.save_boxes(c, number, key=f"{n} {step}", version=version, boxes=box, actions=1, seconds=0)
                    break
                except Conflict:
                    met += 1
        return met

    at_once(6, tab)
    with database.read() as c:
        found = masks.by_number(c, number)
        assert (found.version, found.actions) == (25, 24)
        columns = np.repeat(np.arange(6) % 2 + 1, 10)
        assert (masks.layer(c, number) == columns[None, :]).all()


def test_one_save_sent_by_eight(database, team):
    """The same key at the same moment, as when a browser sends again too early: one save, and all are told its version."""
    with database.write() as c:
        number = masks.open_(c, 0, reviewer=team.ann, start=SMALL).number

    def send(_: int) -> int:
        with database.write() as c:
            return masks.save_boxes(c, number, key="same", version=1, boxes=[], actions=7, seconds=1)

    assert at_once(8, send) == [2] * 8
    with database.read() as c:
        assert masks.by_number(c, number).actions == 7


def test_one_mask_opened_by_eight_tabs(database, team):
    """It is begun once."""

    def begin(_: int) -> int:
        with database.write() as c:
            return masks.open_(c, 0, reviewer=team.ann, start=SMALL).number

    assert len(set(at_once(8, begin))) == 1


def test_one_verdict_of_many_checkers(database, team):
    """Ten checkers at the same mask, none of whom asked first: one verdict stands, nine meet a conflict."""
    checkers = crowd(database, 10, role="checker")
    with database.write() as c:
        number = masks.open_(c, 0, reviewer=team.ann, start=SMALL).number
        masks.submit(c, number, version=1)

    def verdict(n: int) -> bool:
        try:
            with database.write() as c:
                checks.save(c, checkers[n], mask=number, version=2, verdict="accepted" if n % 2 else "returned")
        except Conflict:
            return False
        return True

    assert sum(at_once(10, verdict)) == 1
    with database.read() as c:
        (check,) = checks.table(c)
        assert masks.by_number(c, number).status == check.verdict


def test_a_change_and_a_verdict_at_once(database, team):
    """The labeller saves while the checker accepts: either the change or the verdict is there, never a verdict on what he did not see."""
    for place in range(8):
        with database.write() as c:
            number = masks.open_(c, place, reviewer=team.ann, start=SMALL).number
            masks.submit(c, number, version=1)

        def act(n: int, number: int = number) -> bool:
            try:
                with database.write() as c:
                    if n:
                        checks.save(c, team.bob, mask=number, version=2, verdict="accepted")
                    else:
                        masks.save_boxes(c, number, key="k", version=2, boxes=[(0, 0, SMALL + 1)], actions=1, seconds=0)
            except (Conflict, ValueError):
                return False
            return True

        assert sum(at_once(2, act)) == 1
        with database.read() as c:
            found = masks.by_number(c, number)
            assert (found.status, int(masks.layer(c, number).max())) in (("accepted", 0), ("draft", 1))
