"""The sheet of held-out pictures: which are shown, with which figures, and what every panel is made of."""

from __future__ import annotations

import io

import numpy as np
import pytest

pytest.importorskip("timm", reason="timm is not installed")

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.stages.detect.world import make_data, quick, true_cells

from figureground.data.dataset import open_dataset
from figureground.data.grids import Thresholds
from figureground.stages.detect import sheet
from figureground.stages.detect.sheet import Example, caption_of, detector_sheet, example_parts, heat_of, picture_rates
from figureground.swaps import swap_detect


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("sheet") / "data")


ious = st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), min_size=0, max_size=40)


@given(ious, st.integers(0, 6))
def test_the_best_the_middle_and_the_worst_are_shown_once_each_and_in_order(values, most):
    ids = [f"i{place:02d}" for place in range(len(values))]
    found = example_parts(ids, values, most=most)
    names = [name for name, _ in found]
    known = sorted((name for name, value in zip(ids, values, strict=True) if value == value), key=lambda n: (-values[ids.index(n)], n))
    assert len(set(names)) == len(names) == min(len(known), 3 * most)
    assert names == [name for name in known if name in names]
    assert [part for _, part in found] == sorted((part for _, part in found), key=sheet.PARTS.index)
    if len(known) > 3 * most:
        assert names[:most] == known[:most]
        assert names[len(names) - most :] == known[len(known) - most :]
        if most:
            before, after = known.index(names[most]), len(known) - 1 - known.index(names[2 * most - 1])
            assert abs(before - after) <= 1, "the middle is in the middle"


def test_the_rates_of_one_picture_by_hand():
    """Two of three figure patches called figure, one ground patch called so: IoU 2/4; of two cut out one leaks; all three are filled."""
    figure = np.array([[True, True, True], [False, False, False]])
    background = np.array([[0.1, 0.4, 0.8], [0.2, 0.9, 0.95]], np.float32)
    rates = picture_rates(figure, background, Thresholds(tight=0.3, loose=0.85))
    assert (rates["mask_iou"], rates["leakage"], rates["coverage"]) == (0.5, 0.5, 1.0)


def example(picture, figure, background, **more):
    rates = picture_rates(figure, background, Thresholds(tight=0.3, loose=0.85))
    return Example(**{"id": "a", "part": "best", **more}, picture=picture, figure=figure, background=background, rates=rates)


def cell(drawn, column, *, row=0, size=(sheet.SIDE_PX, sheet.SIDE_PX)):
    wide, top = sheet.SIDE_PX + sheet.GAP_PX, 2 * sheet.TEXT_PX
    left = sheet.GAP_PX + column * wide
    return drawn[top + row * wide : top + row * wide + size[0], left : left + size[1]]


def test_every_panel_shows_what_its_head_says():
    """A 2 x 2 grid: the labelled patch keeps its colours, heat is that of the grid, and outlines lie where the bounds put them."""
    picture = np.full((84, 84, 3), (200, 40, 40), np.uint8)
    figure = np.array([[True, False], [False, False]])
    background = np.array([[0.1, 0.5], [0.95, 0.99]], np.float32)
    drawn = detector_sheet([example(picture, figure, background)], Thresholds(tight=0.3, loose=0.85))
    half = sheet.SIDE_PX // 2
    assert (cell(drawn, 0) == (200, 40, 40)).all()
    labelled = cell(drawn, 1)
    assert (labelled[:half, :half] == (200, 40, 40)).all()
    assert not (labelled[half:, :] == (200, 40, 40)).all(-1).any()
    assert np.ptp(labelled[half:].astype(int), axis=-1).max() == 0, "grey"
    heat = cell(drawn, 2)
    for (row, column), value in np.ndenumerate(background):
        assert (heat[row * half : (row + 1) * half, column * half : (column + 1) * half] == heat_of(np.float32(value))).all()
    lines = cell(drawn, 3)
    tight, loose = (lines == sheet.TIGHT).all(-1), (lines == sheet.LOOSE).all(-1)
    inside = np.zeros((2 * half, 2 * half), bool)
    inside[:half, :half] = True
    assert tight.any()
    assert not (tight & ~inside).any()
    core = np.zeros_like(inside)
    core[2 * sheet.LINE_PX : half - sheet.LINE_PX, 2 * sheet.LINE_PX : half - sheet.LINE_PX] = True
    assert not (tight & core).any(), "an outline, no area"
    assert loose[half : half + sheet.LINE_PX].all(), "around what is filled, the two upper patches"
    assert loose[: sheet.LINE_PX].all(), "and along the border of the picture"
    assert not loose[half + sheet.LINE_PX :].any()
    assert tight[2 * sheet.LINE_PX - 1, sheet.LINE_PX : half].all(), "inside it"


def test_bright_is_figure_and_dark_is_ground():
    light = heat_of(np.linspace(0, 1, 11)).astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(light) < 0).all()


@pytest.mark.parametrize("size", [(40, 400), (400, 40), (5, 5), (1, 300), (2, 1)])
def test_pictures_of_any_form_fit_into_their_cells(size):
    figure, background = np.eye(4, dtype=bool), np.full((4, 4), 0.2, np.float32)
    one = example(np.zeros((*size, 3), np.uint8), figure, background, id="x" * 90)
    drawn = detector_sheet([one, one], Thresholds(tight=0.3, loose=0.85))
    scale = sheet.SIDE_PX / max(size)
    height, width = (max(1, round(side * scale)) for side in size)
    assert (cell(drawn, 0, size=(height, width)) == 0).all()
    assert (cell(drawn, 2, row=1, size=(height, width)) == heat_of(np.float32(0.2))).all()


def test_what_cannot_be_divided_is_a_dash_and_long_ids_are_cut():
    figure, background = np.ones((2, 2), bool), np.full((2, 2), 0.4, np.float32)
    found = caption_of(example(np.zeros((8, 8, 3), np.uint8), figure, background, id="x" * 90 + "17"))
    assert found[0] == "best"
    assert found[1].endswith("xx17")
    assert len(found[1]) == sheet.LONGEST
    assert found[2:] == ("IoU 100.0 %", "leaked -", "covered 100.0 %")


@pytest.mark.slow
def test_the_stage_shows_held_out_pictures_alone(data, tmp_path):
    """Four held-out pictures, best first; the picture, the labels and the grid in each row are those of the sample."""
    found = swap_detect(data, out=tmp_path / "grids", options=quick(curve="0"))
    with Image.open(io.BytesIO((found.path / "sheet.jpg").read_bytes())) as opened:
        drawn = np.asarray(opened.convert("RGB")).astype(int)
    dataset, grids = open_dataset(data), found.grids()
    rows = (drawn.shape[0] - 2 * sheet.TEXT_PX - 4 * sheet.TEXT_PX) // (sheet.SIDE_PX + sheet.GAP_PX)
    assert rows == found.summary["held_out"] == 4
    matched = []
    for row in range(rows):
        heat = cell(drawn, 2, row=row)[21::42, 21::42]
        apart = {name: np.abs(heat - heat_of(grids.grid(name))).mean() for name in grids.ids}
        matched.append(min(apart, key=lambda name: apart[name]))
        assert apart[matched[-1]] < 12, "JPEG"
    assert len(set(matched)) == rows
    values = [picture_rates(true_cells(dataset, name), grids.grid(name), found.thresholds)["mask_iou"] for name in matched]
    assert values == sorted(values, reverse=True)


@pytest.mark.slow
def test_without_a_sheet_there_is_no_file(data, tmp_path):
    assert not (swap_detect(data, out=tmp_path / "grids", options=quick(curve="0", sheet=0)).path / "sheet.jpg").exists()
