"""Whole figures, votes and direct keys on the mask screen, by keyboard, by mouse and by fingers, against the rules in Python."""

from __future__ import annotations

import numpy as np
import pytest
from tests.review.painter.desk import inside_of, largest, saved, spot

from figureground.review.effort.annotator import Hand
from figureground.review.regions import figures, regions, votes

pytestmark = [pytest.mark.slow, pytest.mark.browser]
SHOWN = "#proposals button[aria-pressed=true]"


def striped(page, desk, place):
    """Paints a stripe of class 9 over the largest figure: two classes that touch. The layer then, and a pixel of the first class."""
    start = desk.layer_of(place, 0)
    figure = largest(start)
    x, y = inside_of(figure)
    page.keyboard.press("b")
    page.keyboard.press("9")
    page.keyboard.press("[")
    page.mouse.move(*spot(page, desk, place, x - 40, y))
    page.mouse.down()
    page.mouse.move(*spot(page, desk, place, x + 40, y), steps=3)
    page.mouse.up()
    page.keyboard.press("p")
    saved(page)
    layer = desk.stored(place)[1]
    above = figure & (layer != 9)
    above[y:] = False
    return layer, inside_of(above)


def named(layer, x, y, value, *, source=None):
    """The layer after the figure at a point of a map was named."""
    pieces = figures(layer if source is None else source)
    assert pieces.at(x, y) >= 0
    return np.where(pieces.number == pieces.at(x, y), np.uint8(value), layer)


def test_alt_and_a_digit_name_the_whole_figure(generated, fresh, visit):
    page = visit(generated, fresh)
    layer, (x, y) = striped(page, generated, fresh)
    page.mouse.move(*spot(page, generated, fresh, x, y))
    page.keyboard.press("Alt+Digit3")
    saved(page)
    expected = named(layer, x, y, 3)
    assert (expected != layer).sum() > (regions(layer).number == regions(layer).at(x, y)).sum()
    np.testing.assert_array_equal(generated.stored(fresh)[1], expected)
    assert generated.stored(fresh)[0].actions == 2
    page.keyboard.press("Control+z")
    for keys, value in (("Alt+Shift+Digit1", 10), ("Alt+v", 255), ("Alt+Delete", 0), ("Alt+Digit0", 0)):
        page.keyboard.press(keys)
        saved(page)
        np.testing.assert_array_equal(generated.stored(fresh)[1], named(layer, x, y, value))
        page.keyboard.press("Control+z")
    page.keyboard.press("Alt+c")
    assert page.locator("#palette h2").inner_text() == "Name this figure"
    page.keyboard.type("cow")
    page.keyboard.press("Enter")
    saved(page)
    np.testing.assert_array_equal(generated.stored(fresh)[1], named(layer, x, y, 5))
    page.mouse.move(*spot(page, generated, fresh, 2, 2))
    page.keyboard.press("Alt+Digit3")
    assert "No figure here" in page.locator("#status").inner_text()


def test_option_names_figures_on_a_mac_where_it_writes_other_letters(generated, fresh, visit):
    page = visit(generated, fresh)
    layer, (x, y) = striped(page, generated, fresh)
    page.mouse.move(*spot(page, generated, fresh, x, y))
    press = "([key, code, shiftKey]) => document.getElementById('stage').dispatchEvent(new KeyboardEvent('keydown', { key, code, shiftKey, altKey: true, bubbles: true, cancelable: true }))"
    for key, code, shift, value in (("£", "Digit3", False, 3), ("⁄", "Digit1", True, 10), ("√", "KeyV", False, 255)):
        assert page.evaluate(press, [key, code, shift]) is False  # ours: the browser does nothing with it
        saved(page)
        np.testing.assert_array_equal(generated.stored(fresh)[1], named(layer, x, y, value))
        page.keyboard.press("Control+z")
        saved(page)


def test_holding_alt_shows_the_figure_until_it_is_let_go(generated, fresh, visit):
    page = visit(generated, fresh)
    _, (x, y) = striped(page, generated, fresh)
    page.mouse.move(*spot(page, generated, fresh, x, y))
    frames = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"

    def marks():
        """What is drawn over the picture, two frames on."""
        page.evaluate(frames)
        return page.locator("#stage canvas.marks").evaluate("(canvas) => canvas.toDataURL()")

    region = marks()
    page.keyboard.down("Alt")
    figure = marks()
    assert figure != region
    assert page.locator("#whole").get_attribute("aria-pressed") == "true"
    page.keyboard.up("Alt")
    assert marks() == region
    page.keyboard.down("Alt")
    page.evaluate("() => window.dispatchEvent(new Event('blur'))")
    assert marks() == region
    assert page.locator("#whole").get_attribute("aria-pressed") == "false"
    page.keyboard.up("Alt")
    prevented = "(kind) => !document.getElementById('stage').dispatchEvent(new KeyboardEvent(kind, { key: 'Alt', code: 'AltLeft', altKey: kind === 'keydown', bubbles: true, cancelable: true }))"
    assert [page.evaluate(prevented, kind) for kind in ("keydown", "keyup")] == [True, True]
    page.keyboard.press("w")
    assert marks() == figure
    assert page.locator("#whole").get_attribute("aria-pressed") == "true"


def test_by_mouse_alone_a_figure_is_taken_named_and_erased(generated, fresh, visit):
    page = visit(generated, fresh)
    layer, (x, y) = striped(page, generated, fresh)
    page.locator("#whole").click()
    page.mouse.click(*spot(page, generated, fresh, x, y))
    page.locator("#status", has_text="Figure chosen").wait_for()
    page.locator("#legend button", has_text="bear").click()
    saved(page)
    np.testing.assert_array_equal(generated.stored(fresh)[1], named(layer, x, y, 7))
    page.mouse.click(*spot(page, generated, fresh, x, y), button="right")
    saved(page)
    erased = generated.stored(fresh)[1]
    np.testing.assert_array_equal(erased, named(layer, x, y, 0))
    page.get_by_role("button", name="Any: ").click()
    page.mouse.click(*spot(page, generated, fresh, x, y))
    saved(page)
    anyone = votes([generated.layer_of(fresh, model) for model in range(3)])[1]
    figure = figures(anyone).number == figures(anyone).at(x, y)
    np.testing.assert_array_equal(generated.stored(fresh)[1], np.where(figure, anyone, erased))


def test_by_fingers_a_figure_is_named_in_the_list(generated, fresh, visit):
    page = visit(generated, fresh, viewport={"width": 820, "height": 1180}, has_touch=True)
    layer, (x, y) = striped(page, generated, fresh)
    page.locator("#whole").tap()
    page.touchscreen.tap(*spot(page, generated, fresh, x, y))
    page.locator("#status", has_text="Figure chosen").wait_for()
    page.locator("#legend button", has_text="cow").tap()
    saved(page)
    np.testing.assert_array_equal(generated.stored(fresh)[1], named(layer, x, y, 5))


def test_a_crosshair_and_alt_name_a_models_figure(desk, fresh, visit):
    page = visit(desk, fresh)
    start, rival = desk.layer_of(fresh, 0), desk.layer_of(fresh, 1)
    page.keyboard.press("Shift+B")
    page.keyboard.press("n")
    page.keyboard.press("Alt+Digit2")
    saved(page)
    number = figures(rival).number
    after = desk.stored(fresh)[1]
    if not (number >= 0).any():
        np.testing.assert_array_equal(after, start)
        return
    changed = [piece for piece in range(number.max() + 1) if (after[number == piece] == 2).all()]
    ways = [np.where(number == piece, np.uint8(2), start) for piece in changed]
    assert any((after == way).all() for way in ways)


def test_votes_are_maps_like_those_of_models(desk, fresh, visit):
    """Their names hide what the models are called; a key shows each at once; they are taken whole."""
    page = visit(desk, fresh)
    assert page.locator("#proposals .whose").all_inner_texts() == ["Mine", "A", "B", "C", "Most", "Any"]
    maps = [desk.layer_of(fresh, model) for model in range(3)]
    for key, label, wanted in (("q", "Most", votes(maps)[0]), ("Shift+Q", "Any", votes(maps)[1]), ("Shift+C", "Model C", maps[2])):
        page.keyboard.press(key)
        assert page.locator(SHOWN).get_attribute("aria-label").startswith(label)
        page.keyboard.press("m")
        saved(page)
        np.testing.assert_array_equal(desk.stored(fresh)[1], wanted)
    page.keyboard.press("Backquote")
    assert page.locator(SHOWN).get_attribute("aria-label") == "The layer"
    page.keyboard.press("Shift+Z")
    page.keyboard.press("Shift+Tab")
    assert page.locator(SHOWN).get_attribute("aria-label").startswith("Any")
    assert not any(name in page.content() for name in ("espnet", "dicenet"))


def test_the_slider_has_a_stop_for_every_brush(generated, fresh, visit):
    page = visit(generated, fresh)
    page.keyboard.press("b")
    assert page.locator("#size-said").inner_text() == f"{Hand().diameter} px"
    box = page.locator("#size").bounding_box()
    said = []
    for stop in range(12):
        page.mouse.click(box["x"] + 8 + (box["width"] - 16) * stop / 11, box["y"] + box["height"] / 2)
        said.append(page.locator("#size-said").inner_text())
    assert said == [f"{size} px" for size in (1, 3, 5, 9, 15, 25, 41, 65, 101, 161, 255, 401)]
    assert page.locator("#size").get_attribute("aria-valuetext") == "401 pixels"


def test_every_picture_begins_with_pick_and_the_own_layer(generated, visit):
    page = visit(generated)
    first = page.url
    page.keyboard.press("b")
    page.keyboard.press("q")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != first)
    page.locator("#loading").wait_for(state="hidden")
    assert page.locator("button[data-tool][aria-pressed=true]").inner_text().startswith("Pick")
    assert page.locator(SHOWN).get_attribute("aria-label") == "The layer"
