"""Checks: by another than who drew, of the version that was seen, once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from figureground.core.errors import InputError
from figureground.review.store import checks, masks, people
from figureground.review.store.checks import Mark, claim, save
from figureground.review.store.refusals import Absent, Conflict, NotAllowed

SMALL = np.zeros((40, 60), np.uint8)


def submitted(c, who, place=0):
    found = masks.open_(c, place, reviewer=who, start=SMALL)
    return found.number, masks.submit(c, found.number, version=found.version)


def test_who_labelled_never_checks_his_own(database, team):
    """Not even an admin: it is not offered to him, and not stored from him; to others it is."""
    with database.write() as c:
        number, version = submitted(c, team.cleo)
        assert claim(c, team.cleo) is None
        with pytest.raises(NotAllowed, match="nobody checks his own mask"):
            save(c, team.cleo, mask=number, version=version, verdict="accepted")
        assert checks.table(c) == []
        found = claim(c, team.bob)
        assert found is not None
        assert (found.number, found.version) == (number, version)
        save(c, team.bob, mask=number, version=version, verdict="accepted")
        assert masks.by_number(c, number).status == "accepted"


def test_a_reviewer_does_not_check(database, team):
    """It takes the role of a checker, in the store too."""
    with database.write() as c:
        number, version = submitted(c, team.bob)
        with pytest.raises(NotAllowed, match="'Ann' is a reviewer"):
            save(c, team.ann, mask=number, version=version, verdict="accepted")


def test_back_and_forth_until_it_is_right(database, team):
    """Returned with marks, mended, submitted, accepted: every verdict is kept with the version it was about."""
    marks = [Mark(x=59, y=39, kind="boundary", comment="zu weit, 猫"), Mark(x=0, y=0, kind="extra")]
    with database.write() as c:
        number, version = submitted(c, team.ann)
        first = save(c, team.bob, mask=number, version=version, verdict="returned", comment='"quoted"\n', marks=marks)
        assert (masks.by_number(c, number).status, claim(c, team.bob)) == ("returned", None)
        assert masks.claim(c, team.ann, places=[5]) == 0
        version = masks.save_boxes(c, number, key="k", version=version, boxes=[(0, 0, SMALL + 1)], actions=1, seconds=1)
        assert masks.by_number(c, number).status == "returned"
        version = masks.submit(c, number, version=version)
        second = save(c, team.cleo, mask=number, version=version, verdict="accepted")
        told = checks.for_mask(c, number)
        assert [(check.number, check.reviewer, check.verdict, check.mask_version) for check in told] == [
            (first, team.bob, "returned", 2),
            (second, team.cleo, "accepted", 4),
        ]
        assert (told[0].comment, told[0].marks) == ('"quoted"\n', tuple(marks))
        assert checks.table(c) == told


def test_a_verdict_sent_twice_is_one(database, team):
    """The same again after a lost answer is the same check; another verdict, or another checker's, is a conflict."""
    with database.write() as c:
        number, version = submitted(c, team.ann)
        said = {"mask": number, "version": version, "verdict": "returned", "comment": "see", "marks": [Mark(x=1, y=1, kind="missing")]}
        first = save(c, team.bob, **said)
        assert save(c, team.bob, **said) == first
        for who, other in ((team.bob, {"verdict": "accepted"}), (team.bob, {"comment": ""}), (team.cleo, {})):
            with pytest.raises(Conflict):
                save(c, who, **said | other)
        assert len(checks.table(c)) == 1


def test_only_what_was_submitted_and_seen_is_checked(database, team):
    """A draft, an older or a newer version, and one that was changed since: a conflict, and no check."""
    with database.write() as c:
        draft = masks.open_(c, 3, reviewer=team.ann, start=SMALL)
        number, version = submitted(c, team.ann)
        cases = [(draft.number, 1), (number, version - 1), (number, version + 1), (number, 2**40)]
        for mask, seen in cases:
            with pytest.raises(Conflict):
                save(c, team.bob, mask=mask, version=seen, verdict="accepted")
        masks.save_boxes(c, number, key="k", version=version, boxes=[], actions=0, seconds=0)
        with pytest.raises(Conflict) as conflict:
            save(c, team.bob, mask=number, version=version, verdict="accepted")
        assert conflict.value.version == version + 1
        assert checks.table(c) == []


def test_two_checkers_are_not_given_one_mask(database, team):
    """The one that waited longest first; each checker another; his own again until it is done; then free after the lease."""
    with database.write() as c:
        dora = people.add(c, "Dora", role="checker")[0].number
        first, second = (submitted(c, team.ann, place)[0] for place in (4, 1))
        taken = [claim(c, who) for who in (team.bob, dora, team.cleo, team.bob)]
        assert [mask and mask.number for mask in taken] == [first, second, None, first]
        assert claim(c, team.bob, passed=[first, 10**12]) is None
        given = claim(c, team.cleo)
        assert given is not None
        assert given.number == first, "what is passed over is free for others at once"
        assert claim(c, team.bob) is None
        assert claim(c, team.cleo, passed=[first]) is None
        claim(c, team.bob, minutes=-1)
        free = claim(c, team.cleo)
        assert free is not None
        assert free.number == first
        save(c, dora, mask=second, version=2, verdict="accepted")
        assert claim(c, dora) is None


def test_what_is_no_check_is_refused(database, team):
    """Marks outside the picture or of no kind, too many, unknown verdicts, texts that cannot be kept, and what is not there."""
    with database.write() as c:
        number, version = submitted(c, team.ann)
    good = {"mask": number, "version": version, "verdict": "returned", "comment": "", "marks": []}
    outside = [Mark(x=60, y=0, kind="extra"), Mark(x=0, y=40, kind="extra"), Mark(x=-1, y=0, kind="extra")]
    wrong = [{"marks": [mark]} for mark in [*outside, Mark(x=0, y=0, kind="ugly"), Mark(x=0, y=0, kind="extra", comment="\0")]]  # type: ignore[arg-type]
    wrong += [{"verdict": "perhaps"}, {"comment": "x" * 4001}, {"comment": "a\0b"}, {"comment": "\ud800"}]
    wrong += [{"marks": [Mark(x=0, y=0, kind="extra")] * 1001}, {"seconds": -1}, {"seconds": math.nan}]
    for bad in wrong:
        with pytest.raises(InputError), database.write() as c:
            save(c, team.bob, **good | bad)
    for bad in ({"mask": 99}, {"mask": 2**40}):
        with pytest.raises(Absent), database.write() as c:
            save(c, team.bob, **good | bad)
    with pytest.raises(Absent), database.write() as c:
        save(c, 99, **good)
    with database.read() as c:
        assert checks.table(c) == []
