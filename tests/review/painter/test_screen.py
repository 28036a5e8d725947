"""The mask screen worked through in a real browser against the real server; what counts is the layer that the database holds."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.review.painter.desk import Desk, generated_review, inside_of, largest, middle_of, ready, region_at, saved, spot, with_figure

from figureground.review.effort.operations import refined
from figureground.review.regions import figures, votes

pytestmark = [pytest.mark.slow, pytest.mark.browser]
BOAT, VOID = 10, 255


def test_a_region_is_renamed_by_one_key_under_the_pointer(desk, fresh, visit):
    place = with_figure(desk, fresh)
    start = desk.layer_of(place, 0)
    figure = largest(start)
    x, y = inside_of(figure)
    page = visit(desk, place)
    page.mouse.move(*spot(page, desk, place, x, y))
    wanted = 9 if start[y, x] != 9 else 8
    page.keyboard.press(str(wanted))
    saved(page)
    mask, layer = desk.stored(place)
    np.testing.assert_array_equal(layer, np.where(region_at(start, x, y), wanted, start))
    assert mask.actions == 1
    assert mask.status == "draft"


def test_a_click_takes_a_rivals_region_and_a_key_names_it(desk, fresh, visit):
    place = with_figure(desk, fresh, model=1)
    start, rival = desk.layer_of(place, 0), desk.layer_of(place, 1)
    figure = largest(rival)
    x, y = inside_of(figure)
    page = visit(desk, place)
    page.mouse.move(*spot(page, desk, place, x, y))
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.locator("#proposals button[aria-pressed=true]").get_attribute("aria-label") == "Model B"
    assert page.locator("#proposals button[aria-pressed=true] .said").inner_text().strip() == desk.project.classes.names[rival[y, x]]
    page.mouse.click(*spot(page, desk, place, x, y))
    saved(page)
    taken = np.where(figure, rival[y, x], start)
    np.testing.assert_array_equal(desk.stored(place)[1], taken)
    page.keyboard.press("Shift+Digit1")
    saved(page)
    np.testing.assert_array_equal(desk.stored(place)[1], np.where(figure, BOAT, start))
    page.keyboard.press("Control+z")
    saved(page)
    np.testing.assert_array_equal(desk.stored(place)[1], taken)


def test_the_whole_way_by_keyboard_alone(desk, fresh, visit):
    place = with_figure(desk, fresh)
    start, rival = desk.layer_of(place, 0), desk.layer_of(place, 1)
    figure = largest(start)
    page = visit(desk, place)
    page.keyboard.press("n")  # the largest region of the layer
    page.keyboard.press("7")
    expected = np.where(figure, 7, start)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("n")
    target = largest(rival) if (rival != 0).any() else region_at(rival, *middle_of(rival))
    expected = np.where(target, rival[target][0], expected)
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("c")
    page.keyboard.type(desk.project.classes.names[3][:4])
    expected = np.where(region_at(expected, *middle_of(rival)), 3, expected)
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: not url.endswith(f"place={place}"))
    ready(page)
    mask, layer = desk.stored(place)
    np.testing.assert_array_equal(layer, expected)
    assert mask.status == "submitted"


def test_tools_paint_what_they_say(generated, fresh, visit):
    start = generated.layer_of(fresh, 0)
    page = visit(generated, fresh)

    def at(x, y):
        return spot(page, generated, fresh, x, y)

    page.keyboard.press("g")
    page.keyboard.press("3")
    for corner in ((20, 200), (120, 210), (60, 280), (20, 200)):
        page.mouse.click(*at(*corner))
    saved(page)
    layer = generated.stored(fresh)[1]
    changed = layer != start
    assert set(np.unique(layer[changed])) == {3}
    assert 0.9 * 4050 < changed.sum() < 1.1 * 4050
    page.keyboard.press("f")
    page.keyboard.press("6")
    page.mouse.click(*at(60, 230))
    saved(page)
    filled = generated.stored(fresh)[1]
    np.testing.assert_array_equal(filled, np.where(region_at(layer, 60, 230), 6, layer))
    page.keyboard.press("b")
    page.keyboard.press("v")
    page.mouse.move(*at(10, 20))
    page.mouse.down()
    page.mouse.move(*at(200, 20), steps=5)
    page.mouse.up()
    saved(page)
    striped = generated.stored(fresh)[1]
    assert (striped[20, 10:200] == VOID).all()
    assert ((striped == VOID).sum(0)[20:190] == 25).all()  # the brush is 25 pixels wide
    np.testing.assert_array_equal(striped[striped != VOID], filled[striped != VOID])
    page.keyboard.press("e")
    page.mouse.move(*at(10, 20))
    page.mouse.down()
    page.mouse.move(*at(200, 20), steps=3)
    page.mouse.up()
    page.keyboard.press("p")
    page.mouse.click(*at(60, 230), button="right")
    saved(page)
    erased = generated.stored(fresh)[1]
    assert (erased[8:32, 20:190] == 0).all()
    assert erased[230, 60] == 0
    for _ in range(5):
        page.keyboard.press("z")
    saved(page)
    np.testing.assert_array_equal(generated.stored(fresh)[1], start)
    for _ in range(5):
        page.keyboard.press("y")
    saved(page)
    np.testing.assert_array_equal(generated.stored(fresh)[1], erased)


def test_the_brush_takes_whole_superpixels(generated, fresh, visit):
    start = generated.layer_of(fresh, 0)
    page = visit(generated, fresh)
    with page.expect_response(lambda answer: f"/api/superpixels/{fresh}?" in answer.url) as found:
        page.keyboard.press("s")
    raw = found.value.body()
    n = int.from_bytes(raw[8:12], "little")
    lengths, numbers = np.frombuffer(raw, "<u4", n, 12), np.frombuffer(raw, "<u4", n, 12 + 4 * n)
    segments = np.repeat(numbers, lengths).reshape(start.shape)
    page.locator("#snap[aria-pressed=true]").wait_for()
    page.locator("#status", has_text="superpixels").wait_for()
    page.keyboard.press("b")
    page.keyboard.press("9")
    page.mouse.move(*spot(page, generated, fresh, 30, 250))
    page.mouse.down()
    page.mouse.move(*spot(page, generated, fresh, 90, 250), steps=4)
    page.mouse.up()
    saved(page)
    layer = generated.stored(fresh)[1]
    painted = layer == 9
    assert painted.sum() > 400
    touched = np.unique(segments[painted])
    np.testing.assert_array_equal(painted, np.isin(segments, touched))
    np.testing.assert_array_equal(layer[~painted], start[~painted])
    assert set(segments[250, 30:91].tolist()) & set(touched.tolist())


def test_a_whole_map_and_tidying_are_one_action_each(generated, fresh, visit):
    page = visit(generated, fresh)
    for _ in range(2):
        page.keyboard.press(".")
    page.keyboard.press("m")
    saved(page)
    mask, layer = generated.stored(fresh)
    np.testing.assert_array_equal(layer, generated.layer_of(fresh, 1))
    assert mask.actions == 1
    page.keyboard.press("b")
    page.keyboard.press("8")
    for _ in range(14):
        page.keyboard.press("[")
    page.mouse.click(*spot(page, generated, fresh, 15, 15))
    saved(page)
    assert 0 < (generated.stored(fresh)[1] == 8).sum() < 12
    page.keyboard.press("t")
    saved(page)
    np.testing.assert_array_equal(generated.stored(fresh)[1], layer)


def test_while_the_layer_is_shown_one_key_takes_what_most_models_see(generated, fresh, visit):
    maps = [generated.layer_of(fresh, model) for model in range(len(generated.project.models))]
    page = visit(generated, fresh)
    assert page.locator("#take-whose").inner_text() in ("Most", "Both")
    page.keyboard.press("m")
    saved(page)
    mask, layer = generated.stored(fresh)
    np.testing.assert_array_equal(layer, votes(maps)[0])
    assert mask.actions == 1


def test_a_tapped_figure_is_refined_by_the_button_and_nothing_without_one(generated, fresh, visit):
    start = generated.layer_of(fresh, 0)
    found = figures(start)
    number = int(found.area.argmax())
    x, y = inside_of(found.number == number)
    page = visit(generated, fresh, viewport={"width": 820, "height": 1180}, has_touch=True)
    page.locator("#refine").tap()
    page.locator("#status", has_text="Point at a figure").wait_for()
    page.touchscreen.tap(*spot(page, generated, fresh, x, y))
    page.locator("#status", has_text="chosen").wait_for()
    page.locator("#refine").tap()
    page.locator("#status", has_text=re.compile("Border fitted|Nothing to change")).wait_for()
    expected = refined(start, generated.project.pixels(fresh), found, number)
    saved(page)
    np.testing.assert_array_equal(generated.stored(fresh)[1], expected)


def test_by_fingers_a_region_is_chosen_and_named_in_the_list(generated, fresh, visit):
    start = generated.layer_of(fresh, 0)
    x, y = inside_of(largest(start))
    page = visit(generated, fresh, viewport={"width": 820, "height": 1180}, has_touch=True)
    page.touchscreen.tap(*spot(page, generated, fresh, x, y))
    page.locator("#status", has_text="chosen").wait_for()
    page.locator("#legend button", has_text="bear").tap()
    saved(page)
    np.testing.assert_array_equal(generated.stored(fresh)[1], np.where(region_at(start, x, y), 7, start))
    small = page.evaluate(
        "() => [...document.querySelectorAll('main button')].filter((b) => b.checkVisibility()).map((b) => [b.textContent, b.getBoundingClientRect()]).filter(([, r]) => r.height < 40 || r.width < 40).map(([t]) => t)"
    )
    assert small == []


def test_the_picture_is_zoomed_and_moved(generated, fresh, visit):
    start = generated.layer_of(fresh, 0)
    x, y = inside_of(largest(start))
    page = visit(generated, fresh)
    where = spot(page, generated, fresh, x, y)
    page.mouse.move(*where)
    for _ in range(4):
        page.mouse.wheel(0, -300)
    page.keyboard.press("b")
    page.keyboard.press("9")
    for _ in range(14):
        page.keyboard.press("[")
    page.mouse.click(*where)  # the pixel under the pointer stays under it
    page.keyboard.down(" ")
    page.mouse.down()
    page.mouse.move(where[0] - 200, where[1] - 90, steps=4)
    page.mouse.up()
    page.keyboard.up(" ")
    page.keyboard.press("8")
    page.mouse.click(where[0] - 200, where[1] - 90)  # the same pixel, moved along
    saved(page)
    layer = generated.stored(fresh)[1]
    assert layer[y, x] == 8
    assert (layer != start).sum() == (layer == 8).sum() <= 4
    page.keyboard.press("Home")
    page.keyboard.press("7")
    page.mouse.click(*where)
    saved(page)
    assert generated.stored(fresh)[1][y, x] == 7


def test_brush_and_polygon_by_keyboard(generated, fresh, visit):
    start = generated.layer_of(fresh, 0)
    page = visit(generated, fresh)
    page.keyboard.press("ArrowLeft")  # the crosshair appears in the middle
    page.keyboard.press("b")
    page.keyboard.press("9")
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")  # the pen is up
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    saved(page)
    first = generated.stored(fresh)[1]
    painted = first == 9
    rows = np.flatnonzero(painted.any(1))
    assert painted.any(0).sum() == 25
    assert len(rows) > 25
    np.testing.assert_array_equal(first[~painted], start[~painted])
    page.keyboard.press("g")
    page.keyboard.press("8")
    for key in ("Enter", "ArrowLeft", "Enter", "ArrowUp", "Enter", "Enter"):
        for _ in range(2 if key.startswith("Arrow") else 1):
            page.keyboard.press(key)
    saved(page)
    mask, second = generated.stored(fresh)
    assert mask.actions == 2
    assert 20 < (second == 8).sum() < 5000
    np.testing.assert_array_equal(second[second != 8], first[second != 8])


def test_tab_leaves_the_picture_after_escape(generated, fresh, visit):
    page = visit(generated, fresh)
    focus = "() => document.activeElement.id || document.activeElement.textContent"
    assert page.evaluate(focus) == "stage"
    page.keyboard.press("Tab")
    assert page.evaluate(focus) == "stage"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert "Brush" in page.evaluate(focus)
    page.keyboard.press("Tab")
    assert "Erase" in page.evaluate(focus)


def test_a_mask_that_was_sent_back_shows_why_and_the_end_is_told(tmp_path, visit):
    queue, models = generated_review(tmp_path / "data", pictures=2)
    desk = Desk(queue, models, tmp_path).start()
    try:
        page = visit(desk)
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**/mask?place=1")
        ready(page)
        desk.send_back(0, comment="the dog is a sheep", marks=[(40, 50, "wrong-class")])
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**/mask?place=0")
        ready(page)
        assert page.locator("#comment").inner_text() == "the dog is a sheep"
        assert page.locator("#remarks li").inner_text() == "wrong class"
        page.keyboard.press("Control+Enter")
        page.locator("#finished").wait_for()
        assert "drawn" in page.locator("#why").inner_text()
        assert desk.stored(0)[0].status == "submitted"
        assert page.locator("#stage").is_hidden()
    finally:
        desk.kill()


def test_a_picture_is_left_to_others_and_an_accepted_mask_is_only_looked_at(tmp_path, visit):
    queue, models = generated_review(tmp_path / "data", pictures=2)
    desk = Desk(queue, models, tmp_path).start()
    try:
        page = visit(desk)
        page.keyboard.press("x")
        page.wait_for_url("**/mask?place=1")
        ready(page)
        page.get_by_role("button", name="Skip").click()
        page.locator("#finished").wait_for()
        assert page.locator("#why").inner_text().endswith("or you passed it over.")
        assert desk.leases() == []
        page.get_by_role("link", name="Look again").click()
        page.wait_for_url("**/mask?place=0")
        ready(page)
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**/mask?place=1")
        ready(page)
        desk.accept(0)
        page = visit(desk, 0)
        before = desk.stored(0)
        page.mouse.move(*spot(page, desk, 0, *inside_of(largest(before[1]))))
        for key in ("9", "t", "Shift+a", "m", "Enter", "z", "y"):
            page.keyboard.press(key)
        page.locator("#status", has_text="Nothing to be redone").wait_for()
        page.keyboard.press("b")
        page.mouse.down()
        page.mouse.up()
        page.locator("#status", has_text="accepted: it is not changed any more").wait_for()
        assert page.locator("#saved").get_attribute("data-state") == "saved"
        after = desk.stored(0)
        assert (after[0], after[1].tolist()) == (before[0], before[1].tolist())
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**/mask?place=1")
        ready(page)
    finally:
        desk.kill()


def test_two_fingers_zoom_and_undo_what_the_first_began(generated, fresh, visit):
    start = generated.layer_of(fresh, 0)
    page = visit(generated, fresh, viewport={"width": 820, "height": 1180}, has_touch=True)
    page.keyboard.press("b")
    page.keyboard.press("9")
    for _ in range(14):
        page.keyboard.press("[")
    box = page.locator("#stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *points):
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": px, "y": y, "id": n} for n, px in enumerate(points)]})

    def apart():
        """Pixels of the picture between two dabs 100 pixels of the window apart."""
        page.mouse.click(x - 50, y)
        page.mouse.click(x + 50, y)
        saved(page)
        columns = np.flatnonzero((generated.stored(fresh)[1] != start).any(0))
        page.keyboard.press("z")
        page.keyboard.press("z")
        saved(page)
        np.testing.assert_array_equal(generated.stored(fresh)[1], start)
        return columns.max() - columns.min()

    before = apart()
    touch("touchStart", x - 40)
    touch("touchMove", x - 60)
    touch("touchStart", x - 60, x + 60)
    for reach in (80, 100, 120):
        touch("touchMove", x - reach, x + reach)
    touch("touchEnd")
    after = apart()
    assert before / after == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 720), (820, 1180), (1180, 820)], ids=["laptop", "tablet", "tablet on its side"])
def test_axe_finds_nothing_and_the_screen_fits(generated, fresh, visit, size, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

    def complaints():
        found = axe.run(page, options=rules).response["violations"]
        return [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found]

    look = {"color_scheme": "dark" if dark else "light", "has_touch": size != (1280, 720)}
    page = visit(generated, fresh, viewport={"width": size[0], "height": size[1]}, **look)
    page.keyboard.press("b")
    page.keyboard.press(".")
    page.mouse.move(size[0] / 2, size[1] / 3)
    assert complaints() == []
    assert page.evaluate(
        "() => document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight + 1"
    )
    stage, submit = page.locator("#stage").bounding_box(), page.locator("#submit").bounding_box()
    assert min(stage["width"], stage["height"]) > 300
    assert submit["y"] + submit["height"] <= size[1]
    page.keyboard.press("c")
    page.locator("#palette").wait_for()
    assert complaints() == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.locator("#keys").wait_for()
    assert complaints() == []
