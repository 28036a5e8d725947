"""The annotator on pictures whose fewest actions are known, and polygons alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from figureground.review.effort.annotator import Tools, pick_and_rename
from figureground.review.effort.polygons import CLOSE, NAME, actions, drawn_layer, polygons
from figureground.review.effort.score import mean_iou

PICKS = Tools(brush=False, snap=False, polygon=False)


def box(*boxes, shape=(60, 80)):
    """A layer with rectangles: left, top, right, bottom, value."""
    layer = np.zeros(shape, np.uint8)
    for left, top, right, bottom, value in boxes:
        layer[top:bottom, left:right] = value
    return layer


ONE, OTHER = (10, 10, 30, 40), (45, 15, 70, 45)


def test_a_flipped_region_is_renamed_with_one_key():
    work = pick_and_rename(box((*ONE, 1)), box((*ONE, 2)), [])
    assert work.cost(0.95) == 1
    assert [one.kind for one in work.actions] == ["rename"]
    assert work.miou == 1
    assert work.cost(0.95, hover=1) == 2
    assert mean_iou(box((*ONE, 1)), work.actions[0].layer) == 1


def test_two_flipped_regions_take_two_keys():
    work = pick_and_rename(box((*ONE, 1), (*OTHER, 3)), box((*ONE, 2), (*OTHER, 4)), [])
    assert work.cost(0.95) == 2


def test_a_figure_in_pieces_is_renamed_with_one_key_only_where_the_page_has_it():
    truth = box((*ONE, 1))
    pieces = box((10, 10, 30, 20, 2), (10, 20, 30, 30, 3), (10, 30, 30, 40, 4))
    assert pick_and_rename(truth, pieces, []).cost(0.95) == 1
    assert pick_and_rename(truth, pieces, [], tools=Tools(figure=False, brush=False, snap=False, polygon=False)).cost(0.95) == 3


def test_what_only_a_rival_sees_is_taken_with_a_click_after_the_key_that_shows_the_rival():
    truth = box((*ONE, 1), (*OTHER, 3))
    work = pick_and_rename(truth, box((*ONE, 1)), [box((*OTHER, 3))], tools=PICKS)
    assert [(one.kind, one.cost) for one in work.actions] == [("take", 2)]
    assert work.cost(0.95, hover=1) == 2


def test_a_rivals_region_is_taken_and_named_at_once():
    truth = box((*ONE, 1), (*OTHER, 3))
    work = pick_and_rename(truth, box((*ONE, 1)), [box((*OTHER, 2))], tools=PICKS)
    assert [(one.kind, one.cost) for one in work.actions] == [("rename", 2)]


def test_an_added_region_is_erased_with_one_key():
    assert pick_and_rename(box((*ONE, 1)), box((*ONE, 1), (*OTHER, 2)), []).cost(0.95) == 1


def test_a_better_whole_map_is_taken():
    """Two keys for the map of a rival against many for its regions."""
    boxes = [(x, y, x + 12, y + 12) for x in (2, 22, 42, 62) for y in (2, 22, 42)]
    truth = box(*((*place, 1 + n % 5) for n, place in enumerate(boxes)))
    work = pick_and_rename(truth, np.zeros_like(truth), [truth.copy()], tools=PICKS)
    assert [(one.kind, one.cost) for one in work.actions] == [("map", 2)]


def test_what_most_models_see_is_taken_by_one_key_while_the_layer_is_shown():
    boxes = [(x, y, x + 12, y + 12) for x in (2, 22, 42, 62) for y in (2, 22, 42)]
    truth = box(*((*place, 1 + n % 5) for n, place in enumerate(boxes)))
    work = pick_and_rename(truth, np.zeros_like(truth), [np.zeros_like(truth), truth.copy()], most=1, tools=PICKS)
    assert [(one.kind, one.cost, one.hand.source) for one in work.actions] == [("map", 1, -1)]


def test_a_border_beside_the_picture_is_fitted_by_one_key():
    """After the key that names the figure; without a picture there is nothing to fit it to."""
    truth = cv2.circle(np.zeros((90, 90), np.uint8), (45, 45), 26, 1, -1)
    picture = np.array([[60, 90, 160], [210, 140, 60]], np.uint8)[truth]
    target = 2 * cv2.circle(np.zeros_like(truth), (45, 45), 24, 1, -1)
    work = pick_and_rename(truth, target, [], picture=picture, tools=PICKS)
    assert [(one.kind, one.cost) for one in work.actions] == [("rename", 1), ("refine", 1)]
    assert pick_and_rename(truth, target, [], tools=PICKS).cost(0.95) is None


def test_what_no_map_knows_is_painted_with_a_stroke():
    """A disc of a brush's size: its tool, its class and the stroke; all the rest of its border is a few single pixels."""
    truth = cv2.circle(np.zeros((60, 80), np.uint8), (40, 30), 12, 1, -1)
    work = pick_and_rename(truth, np.zeros_like(truth), [])
    first = work.actions[0]
    assert (first.kind, first.cost, first.hand.diameter) == ("brush", 3, 25)
    assert first.miou > 0.94
    assert {one.kind for one in work.actions[1:]} <= {"brush"}
    assert work.miou >= 0.95


def test_a_class_beyond_those_with_keys_is_named_by_two_clicks():
    """The eighteenth has a key, the nineteenth a place in the list; hovering has no part in it."""
    costs = [pick_and_rename(box((*ONE, value)), box((*ONE, 2)), [], tools=PICKS) for value in (18, 19)]
    assert [work.cost(0.95) for work in costs] == [1, 2]
    assert [work.cost(0.95, hover=1) for work in costs] == [2, 2]


def test_keys_that_are_not_pressed_are_not_counted():
    """The class that a region was named is in hand; a whole map leaves the tool as it is; the right button paints ground."""
    flipped = box((*ONE, 2))
    work = pick_and_rename(box((*ONE, 1), (46, 20, 47, 21, 1)), flipped, [], mark=1.0)
    assert [(one.kind, one.cost) for one in work.actions] == [("rename", 1), ("brush", 3)]  # the tool, a brush of one pixel, the stroke
    spoilt = box((*ONE, 1))
    spoilt[10:40, 10:12] = 0
    truth = box((12, 10, 30, 40, 1))
    truth[20, 20] = 0
    work = pick_and_rename(truth, spoilt, [], mark=1.0)
    assert [(one.kind, one.cost) for one in work.actions] == [("brush", 3)]


def test_strokes_that_snap_need_the_key_that_makes_the_brush_snap():
    """From Pick: the brush, to snap, the class, and perhaps the size, then the stroke."""
    truth = box((0, 0, 40, 60, 1))
    segments = (np.arange(80) // 40 + np.zeros((60, 1), int)).astype(np.int32)
    work = pick_and_rename(truth, np.zeros_like(truth), [], segments=segments, tools=Tools(brush=False, polygon=False))
    first = work.actions[0]
    assert (first.kind, first.cost, first.hand.tool, first.hand.snaps) == ("snap", 4 + (first.hand.diameter != 25), "brush", True)
    assert work.miou == 1


def test_without_tools_that_help_the_mark_is_not_reached():
    truth = box((*ONE, 1))
    work = pick_and_rename(truth, np.zeros_like(truth), [], tools=PICKS)
    assert work.cost(0.95) is None
    assert work.miou < 0.95


def test_a_right_layer_costs_nothing():
    assert pick_and_rename(box((*ONE, 1)), box((*ONE, 1)), []).cost(0.95) == 0


def test_every_action_raises_the_mean_iou_as_counted_anew():
    """On noisy maps, twice the same."""
    noise = np.random.default_rng(0)
    truth = box((*ONE, 1), (*OTHER, 3))
    maps = [np.where(cv2.blur(noise.random(truth.shape), (5, 5)) > 0.55, noise.integers(0, 4), truth).astype(np.uint8) for _ in range(3)]
    works = [pick_and_rename(truth, maps[0], maps[1:]) for _ in range(2)]
    assert [one.words for one in works[0].actions] == [one.words for one in works[1].actions]
    for work in works:
        assert all(one.miou == mean_iou(truth, one.layer) for one in work.actions)
        assert work.miou >= 0.95


def test_a_rectangle_takes_a_polygon_of_four_corners():
    found = polygons(box((*ONE, 1)), (0.95, 1.0))
    chosen = found[0.95]
    assert chosen is not None
    assert actions(chosen) == 4 + CLOSE + NAME
    assert mean_iou(box((*ONE, 1)), drawn_layer(box((*ONE, 1)), chosen)) >= 0.95


@pytest.mark.parametrize("mark", [0.8, 0.95])
def test_polygons_reach_what_they_say(mark):
    """A disc with a hole beside a small box: the hole is drawn as background, and a lower mark never costs more."""
    truth = cv2.circle(np.zeros((80, 120), np.uint8), (40, 40), 30, 2, -1)
    cv2.circle(truth, (40, 40), 14, 0, -1)
    truth[60:72, 90:110] = 1
    found = polygons(truth, (0.8, mark))
    low, chosen = found[0.8], found[mark]
    assert low is not None
    assert chosen is not None
    assert mean_iou(truth, drawn_layer(truth, chosen)) >= mark
    assert actions(low) <= actions(chosen)
    assert {one.value for one in chosen} >= {1, 2}
