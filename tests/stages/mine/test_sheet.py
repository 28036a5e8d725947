"""The contact sheet: letters of most alphabets, the reason in a line, colours beside class names, and borders that show on any ground."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image, ImageFont
from tests.stages.mine.pools import generated, pool, streams, write_all

from figureground.core.types import ClassTable
from figureground.data.colours import class_colours
from figureground.data.labelmap import encode_runs
from figureground.stages.mine import sheet, stage
from figureground.stages.mine.options import MineOptions
from figureground.stages.mine.sheet import FRAME, PAPER, Card, fitted, font_of, overlay, queue_sheet

CLASSES = ClassTable(names=("ground", "cat", "dog"))
COLOURS = class_colours(CLASSES)


def figure(height: int, width: int, class_id: int = 1) -> np.ndarray:
    found = np.zeros((height, width), np.uint8)
    found[height // 4 : height // 2, width // 4 : width // 2] = class_id
    return found


def card(height: int, width: int, *, grey: int = 128, title: str = "1. a", class_id: int = 1) -> Card:
    maps = (encode_runs(figure(height, width, class_id)), encode_runs(np.zeros((height, width), np.uint8)))
    picture = np.full((height, width, 3), grey, np.uint8)
    return Card(title=title, reason="discrepancy 1.00", names=("t", "r"), picture=picture, maps=maps)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Bäume/ключ/ÿ", "Bäume/ключ/ÿ"),
        ("a\u0308", "ä"),
        ("中文", "[4E2D][6587]"),
        ("two\nlines", "two[000A]lines"),
        ("a b", "a b"),
    ],
)
def test_letters_that_the_font_lacks_are_written_as_numbers(given, shown):
    """Accents that stand apart, as some systems write file names, are put on their letters."""
    assert fitted(given, 10_000, font_of(12)) == shown


def test_the_font_is_one_with_many_alphabets():
    font = font_of(12)
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert font.getname()[0] == "DejaVu Sans"


@pytest.mark.parametrize("text", ["x" * 5000, "中" * 300, "short"])
def test_what_is_too_wide_is_cut(text):
    assert font_of(12).getlength(fitted(text, 100, font_of(12))) <= 100


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_the_border_of_a_figure_shows_on_any_ground(grey):
    """White within, dark without: one of the two stands out from the ground by a quarter of the range."""
    picture = np.full((40, 40, 3), grey, np.uint8)
    seen = overlay(picture, encode_runs(figure(40, 40)), CLASSES, COLOURS)
    ground, inner, outer = (seen[place, 15, 0].astype(int) for place in (0, 10, 9))
    assert (inner, outer) == (255, 70)
    assert max(abs(ground - inner), abs(ground - outer)) >= 64


@pytest.mark.parametrize(("height", "width"), [(40, 400), (300, 100), (100, 100)])
def test_a_white_picture_has_a_frame_and_its_caption_is_near(height, width):
    """Below a wide picture too: the first dark letter of a caption is within a line of the frame."""
    made = queue_sheet([card(height, width, grey=255)], CLASSES, COLOURS, caption="c")
    frame = (made == FRAME).all(2)
    rows = np.flatnonzero(frame.sum(1) > 50)
    top, bottom = rows[0], rows[-1]
    assert bottom - top == sheet._thumbnail(np.zeros((height, width, 3), np.uint8)).shape[0] + 1
    inked = np.flatnonzero((made[bottom + 1 :].astype(int).sum(2) < 450).any(1))
    assert 0 < inked[0] < 16
    assert (made[-2:] == PAPER).all()


@pytest.mark.parametrize("class_id", [1, 2])
def test_the_colour_of_a_class_stands_beside_its_name(class_id):
    made = queue_sheet([card(40, 400, class_id=class_id)], CLASSES, COLOURS, caption="c")
    frame = np.flatnonzero(((made == FRAME).all(2)).sum(1) > 50)
    below = made[frame[-1] + 1 :].reshape(-1, 3)
    assert (below == COLOURS[class_id]).all(1).any()
    assert not (below == COLOURS[3 - class_id]).all(1).any()


@pytest.mark.parametrize("selector", ["mad", "entropy"])
def test_each_card_says_why_in_a_line(tmp_path, monkeypatch, selector):
    data = generated(60, seed=5, models=("target", "apart"))
    images = {}
    for i in data.ids:
        images[i] = str(tmp_path / f"{i}.png")
        Image.new("RGB", (16, 16)).save(images[i])
    seen: list[Card] = []
    monkeypatch.setattr(stage, "queue_sheet", lambda cards, *given, **named: seen.extend(cards) or queue_sheet(cards, *given, **named))
    options = MineOptions(top=4, sheet=30, selector=selector, area=("0,1",), deduplicate=False)
    opened = streams(write_all(tmp_path / "in", data))
    out = stage.run_mine(pool(data, images=images), opened[0], opened[1:], options=options, out=tmp_path / "out")
    assert (out / "sheet.jpg").exists()
    assert len(seen) > 3
    said = [one.reason for one in seen]
    if selector == "mad":
        pattern = r"discrepancy \d\.\d\d: (target|apart) sees \w+ on \d+ % of the picture, (target|apart) sees (no foreground|it on \d+ %)"
        assert all(re.fullmatch(pattern, text) for text in said)
        assert any("target sees no foreground" in text or "apart sees no foreground" in text for text in said)
    assert not any("\n" in text for text in said)
