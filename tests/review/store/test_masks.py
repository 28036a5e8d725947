"""Masks: tiles are what a whole array would be, saves happen once, and two people do not draw one picture."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import update

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.review.store import leases, masks, people
from figureground.review.store.database import open_database
from figureground.review.store.masks import claim, find, layer, open_, save_boxes, submit
from figureground.review.store.refusals import Absent, Conflict
from figureground.review.store.tables import mask as mask_table

SMALL = np.zeros((40, 60), np.uint8)


def draw(c, number, key, version, boxes=(), actions=1, seconds=1.0):
    return save_boxes(c, number, key=key, version=version, boxes=boxes, actions=actions, seconds=seconds)


def random_boxes(rng, size_hw, count):
    for _ in range(count):
        y, x = (int(rng.integers(side)) for side in size_hw)
        height, width = (int(rng.integers(1, side - at + 1)) for side, at in zip(size_hw, (y, x), strict=True))
        yield x, y, rng.choice([0, 1, 2, 255], (height, width)).astype(np.uint8)


@pytest.fixture(params=[(1, 1), (256, 256), (257, 255), (300, 600), (40, 1030)])
def size_hw(request):
    return request.param


def test_tiles_are_a_whole_array(size_hw, make_project, tmp_path):
    """Boxes painted one after another, over borders of tiles and over one another, give what they give on one array; after each save."""
    rng = np.random.default_rng(3)
    opened = open_database(f"sqlite:///{tmp_path}/x.db", make_project(samples=2, size_hw=size_hw))
    with opened.write() as c:
        who = people.add(c, "Ann", role="reviewer")[0].number
        whole = rng.choice([0, 1, 2, 255], size_hw).astype(np.uint8)
        number = open_(c, 1, reviewer=who, start=whole).number
        assert (layer(c, number) == whole).all()
        for version in range(1, 9):
            boxes = list(random_boxes(rng, size_hw, int(rng.integers(4))))
            assert draw(c, number, f"save {version}", version, boxes) == version + 1
            for x, y, piece in boxes:
                whole[y : y + piece.shape[0], x : x + piece.shape[1]] = piece
            assert (layer(c, number) == whole).all()
    opened.close()


def test_a_mask_is_begun_once(database, team):
    """Opening it again, in another tab or with another start, gives what is there; another reviewer has his own."""
    with database.write() as c:
        start = np.full((40, 60), 2, np.uint8)
        mine = open_(c, 3, reviewer=team.ann, start=start)
        assert open_(c, 3, reviewer=team.ann, start=SMALL) == mine
        assert (layer(c, mine.number) == 2).all()
        his = open_(c, 3, reviewer=team.bob, start=SMALL)
        assert (mine.number != his.number, mine.version, mine.status, mine.size_hw) == (True, 1, "draft", (40, 60))
        assert masks.of_place(c, 3) == masks.everything(c) == [mine, his]
        assert (find(c, 3, reviewer=team.cleo), find(c, 3, reviewer=team.bob)) == (None, his)


def test_a_save_sent_twice_happens_once(database, team):
    """A lost answer sent again gives the version it gave, also after others; neither pixels nor actions nor seconds are added."""
    box = [(5, 6, np.full((3, 4), 1, np.uint8))]
    with database.write() as c:
        number = open_(c, 0, reviewer=team.ann, start=SMALL).number
        assert draw(c, number, "one", 1, box, actions=5, seconds=2.5) == 2
        assert draw(c, number, "one", 1, box, actions=5, seconds=2.5) == 2
        assert draw(c, number, "two", 2, [(5, 6, np.zeros((3, 4), np.uint8))], actions=1, seconds=0) == 3
        assert draw(c, number, "one", 1, box, actions=5, seconds=2.5) == 2
        found = masks.by_number(c, number)
        assert (found.version, found.actions, found.seconds, int(layer(c, number).sum())) == (3, 6, 2.5, 0)
        # A key is one of its mask: another mask may use the same.
        other = open_(c, 1, reviewer=team.ann, start=SMALL).number
        assert draw(c, other, "one", 1, box) == 2


def test_two_tabs(database, team):
    """A save from a version that is not the stored one is a conflict that tells it, and nothing of it is kept."""
    with database.write() as c:
        number = open_(c, 0, reviewer=team.ann, start=SMALL).number
        draw(c, number, "left", 1)
    for version in (0, 1, 3, 2**40, -5):
        with pytest.raises(Conflict, match="version 2 now") as conflict, database.write() as c:
            draw(c, number, f"right {version}", version, [(0, 0, np.ones((2, 2), np.uint8))])
        assert conflict.value.version == 2
    with database.read() as c:
        assert (masks.by_number(c, number).version, int(layer(c, number).sum())) == (2, 0)


def test_submitting_is_a_step_of_its_own(database, team):
    """It raises the version, so that a late save is a conflict; twice is once; a change afterwards makes it a draft again."""
    with database.write() as c:
        number = open_(c, 0, reviewer=team.ann, start=SMALL).number
        assert submit(c, number, version=1) == 2
        assert submit(c, number, version=1) == 2
        assert submit(c, number, version=2) == 2
        with pytest.raises(Conflict):
            draw(c, number, "late", 1)
        assert masks.by_number(c, number).status == "submitted"
        assert draw(c, number, "again", 2) == 3
        assert masks.by_number(c, number).status == "draft"
        with pytest.raises(Conflict):
            submit(c, number, version=2)
        c.execute(update(mask_table).values(status="accepted"))
        for wrong in (lambda: draw(c, number, "more", 3), lambda: submit(c, number, version=3)):
            with pytest.raises(InputError, match="was accepted"):
                wrong()


def test_two_people_do_not_draw_one_picture(database, team):
    """Each is given another, and keeps his; a lease that ran out frees it, a submission does not, giving back does."""
    places = [7, 2, 5]
    with database.write() as c:
        assert claim(c, team.ann, places=places) == 7
        assert claim(c, team.bob, places=places) == 2
        assert claim(c, team.ann, places=places) == 7
        number = open_(c, 7, reviewer=team.ann, start=SMALL).number
        assert claim(c, team.ann, places=places) == 7
        submit(c, number, version=1)
        assert leases.of_others(c, team.bob, task="mask") == {}
        assert claim(c, team.cleo, places=places) == 5
        masks.release(c, team.bob, place=2)
        assert claim(c, team.ann, places=places, minutes=-1) == 2
        assert claim(c, team.bob, places=places) == 2
        assert claim(c, team.ann, places=places) is None
        assert claim(c, team.ann, places=[]) is None


def test_what_came_back_comes_first_and_then_what_was_begun(database, team):
    """A returned mask is the most urgent, also where it left the list; a draft before a new picture."""
    with database.write() as c:
        draft = open_(c, 5, reviewer=team.ann, start=SMALL)
        assert claim(c, team.ann, places=[7, 5]) == 5
        back = open_(c, 9, reviewer=team.ann, start=SMALL)
        c.execute(update(mask_table).where(mask_table.c.number == back.number).values(status="returned"))
        assert claim(c, team.ann, places=[7, 5]) == 9
        submit(c, back.number, version=1)
        assert claim(c, team.ann, places=[7, 5]) == draft.place
        # Others are not given what came back, unless its labeller is gone.
        c.execute(update(mask_table).where(mask_table.c.number == back.number).values(status="returned"))
        assert claim(c, team.bob, places=[9]) is None
        people.revoke(c, team.ann)
        assert claim(c, team.bob, places=[9]) == 9


def test_several_labellers_of_one_picture(database, team):
    """With two wanted, two get it and a third gets the next; an abandoned draft is no labeller."""
    with database.write() as c:
        assert [claim(c, who, places=[3, 4], labellers=2) for who in (team.ann, team.bob, team.cleo)] == [3, 3, 4]
        for who in (team.ann, team.bob):
            masks.release(c, who, place=3)
        open_(c, 3, reviewer=team.bob, start=SMALL)
        submit(c, open_(c, 3, reviewer=team.ann, start=SMALL).number, version=1)
        masks.release(c, team.cleo, place=4)
        assert claim(c, team.cleo, places=[3, 4], labellers=2) == 3
        assert claim(c, team.bob, places=[3, 4], labellers=2) == 4


def test_drawing_keeps_the_lease(database, team):
    """Every save lets it go on; it never makes it shorter."""
    with database.write() as c:
        claim(c, team.ann, places=[0], minutes=-1)
        assert leases.of_others(c, team.bob, task="mask") == {}
        number = open_(c, 0, reviewer=team.ann, start=SMALL).number
        draw(c, number, "one", 1)
        assert leases.of_others(c, team.bob, task="mask") == {0: {team.ann}}
        claim(c, team.ann, places=[0], minutes=10_000)
        before = c.execute(leases.select(leases.lease)).one()
        draw(c, number, "two", 2)
        assert c.execute(leases.select(leases.lease)).one() == before


def test_what_is_no_box_is_refused(database, team):
    """Outside the picture, empty, of another type, of no class; bad keys and numbers; and nothing of the save is kept."""
    ones = np.ones((2, 2), np.uint8)
    with database.write() as c:
        number = open_(c, 0, reviewer=team.ann, start=SMALL).number
    boxes = [(-1, 0, ones), (0, -1, ones), (59, 0, ones), (0, 39, ones), (2**40, 0, ones), (0, 0, ones[:0]), (0, 0, ones[0])]
    boxes += [(0, 0, ones.astype(np.int64)), (0, 0, ones * 3), (0, 0, ones * 254)]
    for box in boxes:
        with pytest.raises(InputError), database.write() as c:
            draw(c, number, "bad", 1, [(0, 0, ones), box])
    for wrong in ({"actions": -1}, {"actions": 10**7}, {"seconds": float("nan")}, {"key": "x" * 65}, {"key": "a\0"}, {"key": "\ud800"}):
        with pytest.raises(InputError), database.write() as c:
            save_boxes(c, number, **{"key": "bad", "version": 1, "boxes": [(0, 0, ones)], "actions": 1, "seconds": 1.0, **wrong})
    with database.read() as c:
        assert (masks.by_number(c, number).version, int(layer(c, number).sum())) == (1, 0)


def test_what_is_no_start_is_refused(database, team):
    """Another size or type than the picture's, a class that is not there, a place that is not there."""
    for start in (SMALL[:-1], SMALL.astype(np.uint16), SMALL + 3, np.zeros((40, 60, 1), np.uint8)):
        with pytest.raises(InputError), database.write() as c:
            open_(c, 0, reviewer=team.ann, start=start)
    for place in (12, -1, 2**33):
        with pytest.raises(Absent), database.write() as c:
            open_(c, place, reviewer=team.ann, start=SMALL)
    with database.read() as c:
        assert masks.everything(c) == []


def test_there_is_no_such_mask(database, team):
    """Numbers that no database holds are no mask's either, and no place's."""
    asked = (layer, masks.by_number, lambda c, number: draw(c, number, "k", 1), lambda c, number: submit(c, number, version=1))
    with database.write() as c:
        for number in (0, 99, -1, 2**31, 2**64):
            for ask in asked:
                with pytest.raises(Absent, match="no mask number"):
                    ask(c, number)
            assert find(c, number, reviewer=team.ann) is None
            assert masks.of_place(c, number) == []
            masks.release(c, team.ann, place=number)


def test_too_many_classes_for_a_layer(make_project, tmp_path):
    """254 classes have room beside void; 255 are told so."""
    for count, fits in ((254, True), (255, False)):
        classes = ClassTable(names=tuple(f"c{n}" for n in range(count)), ignore=60_000)
        opened = open_database(f"sqlite:///{tmp_path}/{count}.db", make_project(classes=classes))
        with opened.write() as c:
            who = people.add(c, "Ann", role="reviewer")[0].number
            if fits:
                number = open_(c, 0, reviewer=who, start=np.full((40, 60), 253, np.uint8)).number
                assert (layer(c, number) == 253).all()
            else:
                with pytest.raises(InputError, match="up to 254 classes, and the project has 255"):
                    open_(c, 0, reviewer=who, start=SMALL)
        opened.close()
