"""What the annotator of docs/results/effort.md does is done by hand on the page: with so many keys and clicks, and to the same layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.review.painter.desk import DATA, Desk, saved, spot

from figureground.data.dataset import open_dataset
from figureground.review.effort.annotator import LAYER, Action, Hand, Tools, pick_and_rename
from figureground.review.effort.strokes import DIAMETERS
from figureground.review.layers import VOID, to_layer
from figureground.review.regions import votes
from figureground.review.superpixels import segment_size, superpixels

pytestmark = [pytest.mark.slow, pytest.mark.browser]


class Worker:
    """Does actions on the page and counts keys and clicks; pointing is free."""

    def __init__(self, page, desk: Desk, place: int) -> None:
        self.page, self.desk, self.place, self.spent = page, desk, place, 0

    def press(self, keys: str) -> None:
        self.page.keyboard.press(keys)
        self.spent += 1

    def point(self, at) -> tuple[float, float]:
        where = spot(self.page, self.desk, self.place, *at)
        self.page.mouse.move(*where)
        return where

    def click(self, *, button="left", alt=False) -> None:
        if alt:
            self.page.keyboard.down("Alt")
        self.page.mouse.down(button=button)
        self.page.mouse.up(button=button)
        if alt:
            self.page.keyboard.up("Alt")
        self.spent += 1

    def do(self, action: Action, before: Hand) -> int:
        """Does it; what it took."""
        self.spent, value = 0, int(action.words.rsplit(" ", 1)[1]) if action.at and action.kind != "refine" else 0
        if action.hand.source != before.source:
            self.press(self.source_key(action.hand.source))
        if action.hand.tool != before.tool:
            self.press({"pick": "p", "brush": "b"}[action.hand.tool])
        if action.kind in ("map", "tidy"):
            self.press(action.kind[0])
        elif action.kind == "refine":
            self.point(action.at[0])
            self.press("r")
            self.page.locator("#status", has_text="Border fitted").wait_for()
        elif action.kind in ("take", "rename"):
            self.choose(action, value)
        else:
            self.stroke(action, before, value)
        return self.spent

    def source_key(self, source: int) -> str:
        models = len(self.desk.project.models)
        return "Backquote" if source == LAYER else f"Shift+{'ABC'[source]}" if source < models else ("q", "Shift+Q")[source - models]

    def choose(self, action: Action, value: int) -> None:
        figure = action.words.startswith("figure")
        self.point(action.at[0])
        if action.kind == "take":
            self.click()
        elif value == 0:
            self.click(button="right", alt=figure)
        else:
            assert value <= 18
            self.press("Alt+" * figure + "Shift+" * (value > 9) + f"Digit{(value - 1) % 9 + 1}")

    def stroke(self, action: Action, before: Hand, value: int) -> None:
        if action.hand.snaps != before.snaps:
            self.press("s")
            said = "takes whole superpixels" if action.hand.snaps else "paints freely"  # once the superpixels are there
            self.page.locator("#status", has_text=said).wait_for()
        if value and value != before.value:
            self.press("Shift+" * (value > 9) + f"Digit{(value - 1) % 9 + 1}")
        if action.hand.diameter != before.diameter:
            box = self.page.locator("#size").bounding_box()
            stop = DIAMETERS.index(action.hand.diameter) / 11
            self.page.mouse.move(box["x"] + 8 + (box["width"] - 16) * stop, box["y"] + box["height"] / 2)
            self.click()
        self.point(action.at[0])
        self.page.mouse.down(button="left" if value else "right")
        for at in action.at[1:]:
            self.point(at)
        self.page.mouse.up(button="left" if value else "right")
        self.spent += 1


PICKS = Tools(refine=False, brush=False, snap=False, polygon=False)


def work_on(desk: Desk, place: int, truth: np.ndarray, tools: Tools):
    maps = [desk.layer_of(place, model) for model in range(len(desk.project.models))]
    picture = desk.project.pixels(place)
    segments = superpixels(picture, segment_size(*truth.shape)) if tools.snap else None
    rivals, most = [*maps[1:], *votes(maps)], len(maps) - 1 if len(maps) > 1 else None
    return pick_and_rename(truth, maps[0], rivals, most=most, picture=picture, segments=segments, mark=0.97, tools=tools)


def done_by_hand(page, desk: Desk, place: int, work) -> None:
    worker, hand = Worker(page, desk, place), Hand()
    for number, action in enumerate(work.actions):
        assert worker.do(action, hand) == action.cost, (number, action.words)
        saved(page)
        np.testing.assert_array_equal(desk.stored(place)[1], action.layer, err_msg=f"{number}: {action.words}")
        hand = replace(action.hand)


def test_names_wrong_and_things_missing_and_too_much(generated, fresh, visit):
    truth = np.array([0, 0, 2, 0, 1, 3], np.uint8)[generated.layer_of(fresh, 0)]
    truth[230:270, 20:100] = 9
    truth[np.nonzero(truth == 2)[0].min() :, np.nonzero(truth == 2)[1].min() : np.nonzero(truth == 2)[1].min() + 30] = 0
    work = work_on(generated, fresh, truth, Tools(polygon=False, most=12))
    assert {"rename", "brush"} <= {one.kind for one in work.actions}
    done_by_hand(visit(generated, fresh), generated, fresh, work)


@pytest.mark.parametrize(
    ("wanted", "tools"),
    [
        ("figure of", Tools(polygon=False, refine=False, brush=False, most=12)),
        ("model", Tools(polygon=False, refine=False, most=8, legs=3)),
        ("fitted", Tools(polygon=False, brush=False, snap=False, most=8)),
    ],
    ids=["a figure, then strokes that snap", "maps of others, then strokes of several legs", "borders fitted to the picture"],
)
def test_photographs_with_maps_of_several_models(real, visit, wanted, tools):
    """The first picture that is begun so."""
    dataset = open_dataset(str(DATA / "voc21"))
    assert dataset.masks is not None
    for item in real.project.items:
        truth = to_layer(dataset.masks.read(item.id).dense(), dataset.classes)
        begun = work_on(real, item.place, truth, PICKS if wanted != "fitted" else tools)
        if truth[truth < VOID].max() <= 18 and any(wanted in one.words for one in begun.actions):
            work = work_on(real, item.place, truth, tools)
            if any(wanted in one.words for one in work.actions) and {"brush", "snap", "refine"} & {one.kind for one in work.actions}:
                done_by_hand(visit(real, item.place), real, item.place, work)
                return
    pytest.fail(f"no picture is begun with '{wanted}'")
