"""Patch labels: grids kept cell by cell, changed from the version that was seen, given out once."""

from __future__ import annotations

import numpy as np
import pytest

from figureground.core.errors import InputError
from figureground.review.store import leases, patches
from figureground.review.store.refusals import Absent, Conflict

RNG = np.random.default_rng(8)


def put(c, who, place, cells, version, seconds=1.0):
    return patches.save(c, place, reviewer=who, cells=cells, version=version, seconds=seconds)


def test_every_cell_comes_back(database, team):
    """Grids of any size, also those that do not fill their last byte; each size is a grid of its own, and so is each reviewer's."""
    with database.write() as c:
        for rows, columns in ((1, 1), (16, 16), (3, 5), (1, 128), (128, 128), (7, 9)):
            cells = RNG.random((rows, columns)) < 0.4
            assert put(c, team.ann, 2, cells, 0) == 1
            found = patches.load(c, 2, reviewer=team.ann, rows=rows, columns=columns)
            assert found is not None
            assert (found.cells == cells).all()
            assert (found.cells.shape, found.version) == ((rows, columns), 1)
            assert patches.load(c, 2, reviewer=team.ann, rows=rows, columns=columns + 1) is None
            assert patches.load(c, 2, reviewer=team.bob, rows=rows, columns=columns) is None


def test_two_tabs(database, team):
    """What was changed from an old version is a conflict that tells the new one; time adds up; a lost answer sent again changes nothing."""
    first, second, third = (RNG.random((4, 4)) < 0.5 for _ in range(3))
    with database.write() as c:
        assert put(c, team.ann, 0, first, 0, seconds=2) == 1
        assert put(c, team.ann, 0, first, 0, seconds=2) == 1
        assert put(c, team.ann, 0, second, 1, seconds=3) == 2
    for version in (0, 1, 3, 2**40):
        with pytest.raises(Conflict, match="version 2 now") as conflict, database.write() as c:
            put(c, team.ann, 0, third, version)
        assert conflict.value.version == 2
    with database.read() as c:
        found = patches.load(c, 0, reviewer=team.ann, rows=4, columns=4)
        assert found is not None
        assert (found.cells == second).all()
        assert found.seconds == 5
    with pytest.raises(Conflict) as conflict, database.write() as c:
        put(c, team.bob, 0, third, 1)
    assert conflict.value.version == 0


def test_two_people_are_not_given_one_picture(database, team):
    """Each gets another; one that was labelled is done; who has one keeps it; a lease that ran out is no lease; more labellers, more people."""
    ask = {"places": [4, 2, 7], "rows": 4, "columns": 4}
    grid = np.ones((4, 4), bool)
    with database.write() as c:
        assert patches.claim(c, team.ann, **ask) == [4, 2, 7]
        assert patches.claim(c, team.bob, **ask) == [2, 7]
        assert patches.claim(c, team.ann, **ask) == [4, 7]
        put(c, team.ann, 4, grid, 0)
        assert leases.of_others(c, team.bob, task="patches") == {}
        assert patches.claim(c, team.ann, **ask, minutes=-1) == [7]
        assert patches.claim(c, team.cleo, **ask) == [7]
        assert patches.claim(c, team.ann, **ask) == []
        assert patches.next_places(c, team.cleo, **ask, labellers=2) == [4, 2, 7]
        assert patches.next_places(c, team.ann, **ask, labellers=2) == [2, 7]
        assert patches.next_places(c, team.ann, places=[4], rows=8, columns=4) == [4]


def test_several_are_leased_at_once(database, team):
    """So many as are asked for, while all that are left are named."""
    ask = {"places": [4, 2, 7, 1], "rows": 4, "columns": 4}
    with database.write() as c:
        assert patches.claim(c, team.ann, **ask, count=3) == [4, 2, 7, 1]
        assert patches.claim(c, team.bob, **ask, count=3) == [1]
        assert patches.claim(c, team.cleo, **ask, count=3) == []
        assert patches.next_places(c, team.ann, **ask) == [4, 2, 7]


def test_what_is_no_grid_is_refused(database, team):
    """Empty, too fine, of other axes, or of numbers."""
    shapes = [np.ones(shape, bool) for shape in ((0, 4), (4, 0), (129, 1), (4,), (1, 1, 1))]
    for cells in [*shapes, np.ones((2, 2), np.uint8)]:
        with pytest.raises(InputError, match=r"bool|1 to 128"), database.write() as c:
            put(c, team.ann, 0, cells, 0)


def test_grids_of_nothing_and_of_nobody(database, team):
    """There is no such place, or no such person."""
    for who, place in ((team.ann, 12), (team.ann, 2**50), (99, 0)):
        with pytest.raises(Absent), database.write() as c:
            put(c, who, place, np.ones((2, 2), bool), 0)
    with database.write() as c:
        for place, rows, columns in ((2**50, 2, 2), (0, 2**50, 2), (-1, 2, 2), (0, 2, -1)):
            assert patches.load(c, place, reviewer=team.ann, rows=rows, columns=columns) is None
        for rows, columns in ((0, 2), (2, 129), (2**50, 2)):
            with pytest.raises(InputError, match="1 to 128"):
                patches.next_places(c, team.ann, places=[0], rows=rows, columns=columns)
