"""What the mask screen asks of the server: the next picture, layers, changed boxes, superpixels, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from tests.review.server.world import SIZE_HW, World, open_world, write_pool

from figureground.review.effort.operations import refined
from figureground.review.fitting import surroundings
from figureground.review.options import ReviewOptions
from figureground.review.regions import figures
from figureground.review.server.runs import decode_runs
from figureground.review.store import checks, masks
from figureground.review.superpixels import segment_size, superpixels

EVERY = ReviewOptions(worst=0)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return write_pool(tmp_path_factory.mktemp("painter") / "pool", count=4)


@pytest.fixture
def world(pool, tmp_path):
    made = open_world(pool, f"sqlite:///{tmp_path}/review.db", options=EVERY)
    yield made
    made.database.close()


def layer_of(asker, place: int) -> tuple[np.ndarray, int, str]:
    answer = asker.client.get(f"/api/masks/{place}")
    assert answer.status_code == 200, answer.text
    return decode_runs(answer.content), int(answer.headers["x-version"]), answer.headers["x-status"]


def box(x: int, y: int, piece: np.ndarray) -> dict:
    """A box with one run a pixel: as good as any other."""
    height, width = piece.shape
    return {"x": x, "y": y, "width": width, "height": height, "values": piece.ravel().tolist(), "lengths": [1] * piece.size}


def save(asker, place: int, boxes: list[dict], *, key: str = "k", version: int = 1, **more):
    return asker.ask("POST", f"/api/masks/{place}/boxes", {"key": key, "version": version, "boxes": boxes, **more})


def test_a_mask_begins_with_what_the_target_saw(world: World):
    ann = world.local()
    layer, version, status = layer_of(ann, 2)
    np.testing.assert_array_equal(layer, world.project.layer_of(2, 0))
    assert (version, status) == (1, "draft")
    assert ann.client.get("/api/masks/2").headers["x-sample"] == "p2"


def test_boxes_are_painted_over_the_layer_once_per_key(world: World):
    ann = world.local()
    start, _, _ = layer_of(ann, 0)
    piece = np.random.default_rng(0).choice([0, 1, 2, 255], (5, 7)).astype(np.uint8)
    assert save(ann, 0, [box(3, 9, piece)], key="a", actions=2, seconds=1.5).json() == {"version": 2}
    assert save(ann, 0, [box(0, 0, np.full((2, 2), 2, np.uint8))], key="b", version=2, actions=1).json() == {"version": 3}
    assert save(ann, 0, [box(3, 9, 0 * piece)], key="a", actions=2).json() == {"version": 2}
    expected = start.copy()
    expected[9:14, 3:10] = piece
    expected[:2, :2] = 2
    layer, version, _ = layer_of(ann, 0)
    np.testing.assert_array_equal(layer, expected)
    with world.database.read() as connection:
        (mask,) = masks.of_place(connection, 0)
    assert (version, mask.actions, mask.seconds) == (3, 3, 1.5)


def test_a_save_on_another_version_is_a_conflict_that_names_the_stored_one(world: World):
    ann = world.local()
    layer_of(ann, 0)
    before = world.content()
    answer = save(ann, 0, [box(0, 0, np.ones((1, 1), np.uint8))], version=7)
    assert answer.status_code == 409
    assert answer.json()["version"] == 1
    assert ann.ask("POST", "/api/masks/0/submit", {"version": 7}).status_code == 409
    assert world.content() == before


BAD = {
    "outside": box(SIZE_HW[1] - 1, 0, np.ones((1, 2), np.uint8)),
    "below": box(0, SIZE_HW[0], np.ones((1, 1), np.uint8)),
    "too few runs": {"x": 0, "y": 0, "width": 2, "height": 2, "values": [1], "lengths": [3]},
    "too many values": {"x": 0, "y": 0, "width": 2, "height": 2, "values": [1, 2], "lengths": [4]},
    "an endless run": {"x": 0, "y": 0, "width": 2, "height": 2, "values": [1], "lengths": [2**31 - 1]},
    "an empty run": {"x": 0, "y": 0, "width": 2, "height": 2, "values": [1, 2], "lengths": [4, 0]},
    "no class": box(0, 0, np.full((1, 1), 3, np.uint8)),
    "a number too large": {"x": 0, "y": 0, "width": 1, "height": 1, "values": [256], "lengths": [1]},
    "a box of nothing": {"x": 0, "y": 0, "width": 0, "height": 0, "values": [], "lengths": []},
    "a word": {"x": "0", "y": 0, "width": 1, "height": 1, "values": [1], "lengths": [1]},
    "something more": {**box(0, 0, np.ones((1, 1), np.uint8)), "path": "/etc"},
}


@pytest.mark.parametrize("wrong", BAD.values(), ids=list(BAD))
def test_a_box_that_does_not_fit_is_refused_and_changes_nothing(world: World, wrong):
    ann = world.local()
    layer_of(ann, 0)
    before = world.content()
    answer = save(ann, 0, [box(0, 0, np.ones((1, 1), np.uint8)), wrong])
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert world.content() == before


def test_many_boxes_that_are_far_more_than_the_picture_are_refused(world: World):
    ann = world.local()
    layer_of(ann, 0)
    whole = {"x": 0, "y": 0, "width": SIZE_HW[1], "height": SIZE_HW[0], "values": [1], "lengths": [SIZE_HW[0] * SIZE_HW[1]]}
    assert save(ann, 0, [whole] * 5).status_code == 422
    assert save(ann, 0, [whole] * 4).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 65, "a b", "../up"])
def test_a_key_is_short_and_plain(world: World, key):
    ann = world.local()
    layer_of(ann, 0)
    assert save(ann, 0, [], key=key).status_code == 422


def test_a_mask_that_was_not_begun_is_neither_saved_nor_handed_in(world: World):
    ann = world.local()
    assert save(ann, 1, []).status_code == 404
    assert ann.ask("POST", "/api/masks/1/submit", {"version": 1}).status_code == 404
    assert ann.client.get("/api/masks/4").status_code == 404
    assert ann.client.get("/api/masks/-1").status_code == 422


def test_pictures_are_handed_out_one_after_another_and_never_to_two(world: World):
    ann, bob = world.visitor("ann"), world.visitor("bob")
    assert ann.get("/api/masks/next")["place"] == 0
    assert ann.get("/api/masks/next?skip=0")["place"] == 1
    assert bob.get("/api/masks/next")["place"] == 2, "the first two are with ann"
    layer_of(ann, 0)
    ann.post("/api/masks/0/submit", {"version": 1})
    assert layer_of(ann, 0)[1:] == (2, "submitted")
    assert ann.get("/api/masks/next")["place"] == 1
    for place in (1, 2, 3):
        world.draw(bob, place)
    found = ann.get("/api/masks/next")
    assert found["place"] is None
    assert "drawn" in found["why"]


def test_only_rated_pictures_are_on_the_work_list(pool, tmp_path):
    world = open_world(pool, f"sqlite:///{tmp_path}/rated.db", options=ReviewOptions(worst=1))
    try:
        ann = world.local()
        assert "rate" in ann.get("/api/masks/next")["why"]
        for place, score in ((1, 4), (3, 2)):
            ann.post("/api/ratings", {"place": place, "score": score})
        assert ann.get("/api/masks/next")["place"] == 3
    finally:
        world.database.close()


def test_what_a_checker_said_is_there_for_who_drew_it(world: World):
    ann, eve = world.visitor("ann"), world.visitor("eve", "checker")
    assert ann.get("/api/masks/1/notes") == {"verdict": "", "comment": "", "marks": []}
    number = world.draw(ann, 1)
    with world.database.write() as connection:
        mark = checks.Mark(x=3, y=4, kind="boundary", comment="frayed")
        who = eve.get("/api/project")["reviewer"]["number"]
        checks.save(connection, who, mask=number, version=2, verdict="returned", comment="look again", marks=[mark])
    found = ann.get("/api/masks/1/notes")
    assert found["verdict"] == "returned"
    assert found["comment"] == "look again"
    assert found["marks"] == [{"x": 3, "y": 4, "kind": "boundary", "comment": "frayed"}]
    assert eve.get("/api/masks/1/notes")["verdict"] == ""
    assert layer_of(ann, 1)[2] == "returned"
    assert ann.get("/api/masks/next")["place"] == 1


def test_superpixels_are_those_of_the_picture(world: World):
    ann = world.local()
    for size in (8, 16):
        answer = ann.client.get(f"/api/superpixels/3?size={size}")
        np.testing.assert_array_equal(decode_runs(answer.content, "<u4"), superpixels(world.project.pixels(3), size))
        again = ann.client.get(f"/api/superpixels/3?size={size}", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
    usual = superpixels(world.project.pixels(3), segment_size(*SIZE_HW))
    np.testing.assert_array_equal(decode_runs(ann.client.get("/api/superpixels/3").content, "<u4"), usual)
    assert ann.client.get("/api/superpixels/3?size=3").status_code == 422
    assert ann.client.get("/api/superpixels/99").status_code == 404
    for place in range(4):
        for size in (8, 9, 10):
            assert ann.client.get(f"/api/superpixels/{place}?size={size}").status_code == 200
    assert sum(key[:2] == ("masks", "superpixels") for key in world.room.kept) == 8


def test_a_border_is_fitted_and_nothing_saved(world: World):
    """The box around a figure comes back as the whole layer would be refined; what is stored stays; on the ground nothing changes."""
    ann = world.local()
    layer = layer_of(ann, 1)[0].copy()
    layer[:] = 0
    layer[12:30, 20:45] = 2
    found = figures(layer)
    left, top, right, bottom = surroundings(tuple(found.box[0].tolist()), layer.shape)
    expected = refined(layer, world.project.pixels(1), found, 0)
    for x, y, wanted in ((22, 13, expected), (left, top, layer)):
        answer = ann.ask("POST", "/api/masks/1/fit", {"x": x, "y": y, "box": box(left, top, layer[top:bottom, left:right])})
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert (said["x"], said["y"]) == (left, top)
        pixels = np.repeat(np.array(said["values"], np.uint8), said["lengths"]).reshape(said["height"], said["width"])
        np.testing.assert_array_equal(pixels, wanted[top:bottom, left:right])
    np.testing.assert_array_equal(layer_of(ann, 1)[0], world.project.layer_of(1, 0))


@pytest.mark.parametrize("wrong", [bad for name, bad in BAD.items() if name != "no class"])
def test_no_border_is_fitted_in_a_box_that_does_not_fit(world: World, wrong):
    answer = world.local().ask("POST", "/api/masks/0/fit", {"x": 1, "y": 1, "box": wrong})
    assert (answer.status_code, bool(answer.json()["error"])) == (422, True)
