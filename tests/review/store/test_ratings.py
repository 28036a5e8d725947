"""Ratings: kept, replaced, taken back; opinions and the work list made from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from figureground.core.errors import InputError
from figureground.review.schedule import schedule
from figureground.review.store import people, ratings
from figureground.review.store.ratings import next_items, opinions, save, undo, worklist
from figureground.review.store.refusals import Absent


def rate(c, who, place, score, *, showing=0, seconds=1.0):
    return save(c, who, place=place, showing=showing, score=score, out_of_domain=score is None, seconds=seconds)


def live(c):
    return {(r.reviewer, r.place, r.showing): r.score for r in ratings.table(c)}


def test_the_same_again_changes_nothing_and_another_value_replaces(database, team):
    """A double click is one rating; a change of mind leaves the old one, withdrawn, beside the new one."""
    with database.write() as c:
        assert rate(c, team.ann, 3, 4)
        assert not rate(c, team.ann, 3, 4, seconds=9)
        assert rate(c, team.ann, 3, None)
        assert not rate(c, team.ann, 3, None)
        assert rate(c, team.ann, 3, 4)
        assert live(c) == {(team.ann, 3, 0): 4}
        assert [(r.score, r.withdrawn is None) for r in ratings.table(c, live=False)] == [(4, False), (None, False), (4, True)]


def test_a_walk_of_saves_and_undos_is_that_of_a_plain_list(database, team):
    """Whatever is rated, changed and taken back in whatever order: what stands is what a list of live ratings says."""
    rng = np.random.default_rng(5)
    model: dict[int, dict[tuple[int, int], int | None]] = {team.ann: {}, team.bob: {}}
    with database.write() as c:
        for _ in range(250):
            who = int(rng.choice([team.ann, team.bob]))
            mine = model[who]
            if rng.random() < 0.35:
                last = next(reversed(mine), None)
                assert undo(c, who) == last
                mine.pop(last, None)
            else:
                key, score = (int(rng.integers(6)), int(rng.integers(2))), [1, 2, 3, 4, 5, None][rng.integers(6)]
                changed = key not in mine or mine[key] != score
                assert rate(c, who, key[0], score, showing=key[1]) == changed
                if changed:
                    mine.pop(key, None)
                    mine[key] = score
        assert live(c) == {(who, *key): score for who, mine in model.items() for key, score in mine.items()}
        while undo(c, team.ann) is not None:
            model[team.ann].popitem()
        assert model[team.ann] == {}
        assert {who for who, _, _ in live(c)} == {team.bob}


def test_a_whole_plan_is_worked_off(database, team):
    """From the first picture to the last, always the next three; repeats come, each once, and at the end nothing is left."""
    plan = schedule(seed=0, reviewer_seed=1, count=12, repeats=0.25)
    seen = []
    with database.write() as c:
        while (due := next_items(c, team.ann, plan=plan, count=3, quorum=1)).items:
            assert (due.done, due.left) == (len(seen), 15 - len(seen)), "no step of the count tells which pictures come again"
            assert due.items[0] not in seen
            place, showing = due.items[0]
            rate(c, team.ann, place, 3, showing=showing)
            seen.append((place, showing))
        assert seen == plan
        assert (due.left, due.done) == (0, 15)


def test_after_an_undo_the_picture_is_next(database, team):
    """Taking back goes back along the plan, and forward again."""
    plan = schedule(seed=0, reviewer_seed=1, count=12, repeats=0)
    with database.write() as c:
        for place, _ in plan[:4]:
            rate(c, team.ann, place, 2)
        assert [undo(c, team.ann) for _ in range(2)] == [plan[3], plan[2]]
        due = next_items(c, team.ann, plan=plan, count=2, quorum=1)
        assert (due.items, due.left, due.done) == (tuple(plan[2:4]), 10, 2)


def test_what_has_its_quorum_is_passed_over(database, team):
    """With a quorum of two, what two others rated is settled, and what one vetoed; gold is for everybody, repeats for whom they are due."""
    plan = [(place, 0) for place in range(6)] + [(0, 1), (5, 1)]
    with database.write() as c:
        ratings.set_gold(c, {1: 5})
        for who in (team.bob, team.cleo):
            rate(c, who, 0, 3)
            rate(c, who, 1, 3)
        rate(c, team.bob, 2, 3)
        rate(c, team.bob, 3, None)
        due = next_items(c, team.ann, plan=plan, count=9, quorum=2)
        assert due.items == ((1, 0), (2, 0), (4, 0), (5, 0))
        # Of bob's own plan: the repeat of 0, which he rated; 5 again only once he has rated it.
        due = next_items(c, team.bob, plan=plan, count=9, quorum=2)
        assert due.items == ((4, 0), (5, 0), (0, 1))
        rate(c, team.bob, 5, 1)
        assert next_items(c, team.bob, plan=plan, count=9, quorum=2).items == ((4, 0), (0, 1), (5, 1))
        assert (next_items(c, team.ann, plan=plan, count=0, quorum=2).items, due.done) == ((), 4)


def test_a_veto_that_is_taken_back_is_no_veto(database, team):
    """Only what stands counts."""
    with database.write() as c:
        rate(c, team.ann, 0, None)
        assert opinions(c)[0].vetoed
        undo(c, team.ann)
        assert opinions(c) == []
        assert next_items(c, team.bob, plan=[(0, 0)], count=1, quorum=1).left == 1


def test_opinions_by_hand(database, team):
    """Mean, deviation and Student's interval of 2, 3 and 3; cut to the scale; one score has no interval; repeats do not count."""
    with database.write() as c:
        for who, score in ((team.ann, 2), (team.bob, 3), (team.cleo, 3)):
            rate(c, who, 7, score)
        rate(c, team.ann, 7, 5, showing=1)
        rate(c, team.ann, 2, 1)
        rate(c, team.bob, 2, 5)
        rate(c, team.ann, 4, 4)
        rate(c, team.bob, 4, None)
        rate(c, team.ann, 9, None)
        found = {opinion.place: opinion for opinion in opinions(c)}
    assert list(found) == [2, 4, 7, 9]
    half = stats.t.ppf(0.975, 2) * stats.sem([2, 3, 3])
    seven = found[7]
    assert (seven.n, seven.mean, seven.sd, seven.vetoed) == (3, pytest.approx(8 / 3), pytest.approx(np.std([2, 3, 3], ddof=1)), False)
    assert (seven.low, seven.high) == (pytest.approx(8 / 3 - half), pytest.approx(8 / 3 + half))
    assert (found[2].mean, found[2].low, found[2].high) == (3, 1, 5)
    assert (found[4].n, found[4].mean, found[4].vetoed, math.isnan(found[4].sd), math.isnan(found[4].low)) == (1, 4, True, True, True)
    assert (found[9].n, math.isnan(found[9].mean), found[9].vetoed) == (0, True, True)


def test_the_worst_become_the_work_list(database, team):
    """Lowest mean first, ties by place; without quorum or with a veto not at all; 0 = everything but vetoed, in queue order."""
    with database.write() as c:
        scores = {8: (2, 2), 1: (1, 3), 5: (1, 1), 6: (5, 5), 0: (1,), 3: (1, None)}
        for place, given in scores.items():
            for who, score in zip((team.ann, team.bob), given, strict=False):
                rate(c, who, place, score)
        assert worklist(c, worst=3, quorum=2) == [5, 1, 8]
        assert worklist(c, worst=100, quorum=2) == [5, 1, 8, 6]
        assert worklist(c, worst=100, quorum=1) == [0, 5, 1, 8, 6]
        assert worklist(c, worst=0, quorum=2) == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]
        assert worklist(c, worst=100, quorum=3) == []


def test_gold_is_replaced_whole(database, team):
    """The new list is the list; a place that is not there or a score that is none leaves the old one."""
    with database.write() as c:
        ratings.set_gold(c, {1: 5, 2: None})
        ratings.set_gold(c, {3: 1, 2: None})
    for wrong, error in (({99: 3}, Absent), ({1: 6}, InputError), ({1: 0}, InputError)):
        with pytest.raises(error), database.write() as c:
            ratings.set_gold(c, wrong)
    with database.write() as c:
        assert ratings.gold_scores(c) == {2: None, 3: 1}
        ratings.set_gold(c, {})
        assert ratings.gold_scores(c) == {}


WRONG = [
    ({"score": 0}, "1 to 5; got 0"),
    ({"score": 6}, "1 to 5; got 6"),
    ({"score": None}, "one of the two"),
    ({"out_of_domain": True}, "one of the two"),
    ({"showing": 2}, "got 2"),
    ({"showing": -1}, "got -1"),
    ({"seconds": -1.0}, "seconds are 0"),
    ({"seconds": math.nan}, "got nan"),
    ({"seconds": math.inf}, "got inf"),
    ({"place": 12}, "no place 12"),
    ({"place": -1}, "no place -1"),
    ({"place": 2**31}, "no place"),
    ({"place": 2**70}, "no place"),
]


def test_what_is_no_rating_is_refused(database, team):
    """Each in a sentence, and nothing is written."""
    good = {"place": 0, "showing": 0, "score": 3, "out_of_domain": False, "seconds": 1.0}
    for wrong, said in WRONG:
        with pytest.raises(InputError, match=said), database.write() as c:
            save(c, team.ann, **good | wrong)
    with database.read() as c:
        assert ratings.table(c, live=False) == []


def test_nobody_rates_as_nobody(database, team):
    """A number that is nobody's is refused for ratings and for taking back."""
    with pytest.raises(Absent), database.write() as c:
        rate(c, 99, 0, 3)
    with pytest.raises(Absent), database.write() as c:
        undo(c, 99)


def test_ratings_of_somebody_who_was_revoked_still_count(database, team):
    """What was said while it was allowed was said."""
    with database.write() as c:
        rate(c, team.ann, 0, 2)
        people.revoke(c, team.ann)
        assert [opinion.mean for opinion in opinions(c)] == [2]
