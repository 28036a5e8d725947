"""The mask screen worked through in a real browser against the real server; what counts is the layer that the database holds."""

from __future__ import annotations

import numpy as np
import pytest
from tests.review.painter.desk import DATA, Desk, generated_review, inside_of, largest, real_review, region_at

pytestmark = [pytest.mark.slow, pytest.mark.browser]
DOG, CAT, BOAT, VOID = 2, 1, 10, 255


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("painter")
    queue, models = generated_review(folder / "data", pictures=24)
    desk = Desk(queue, models, folder).start()
    yield desk
    desk.kill()


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    if not (DATA / "voc21" / "dataset.toml").exists():
        pytest.skip("the real pictures are not here")
    queue, models = real_review()
    desk = Desk(queue, models, tmp_path_factory.mktemp("painter"), pictures=24).start()
    yield desk
    desk.kill()


@pytest.fixture(params=["generated", "real"])
def desk(request):
    return request.getfixturevalue(request.param)


PLACES = iter(range(1000))


@pytest.fixture
def fresh():
    """A picture that no other test works on."""
    return 1 + next(PLACES) % 23


@pytest.fixture
def visit(chromium):
    """`visit(desk, place)`: the mask screen of a picture in a browser of its own; the page must not have complained at the end."""
    contexts, complaints = [], []

    def opened(desk, place=None, *, context=None, **settings):
        if context is None:
            context = chromium.new_context(**{"viewport": {"width": 1280, "height": 720}, **settings})
            contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
        page.goto(f"{desk.url}/mask" + ("" if place is None else f"?place={place}"))
        ready(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def ready(page):
    page.locator("#loading").wait_for(state="hidden", timeout=30_000)
    page.locator("#proposals button").first.wait_for()


def saved(page):
    page.locator("#saved[data-state=saved]").wait_for(timeout=30_000)


def spot(page, desk, place, x, y):
    """Where the middle of a pixel of the picture lies in the window, as long as the whole picture is shown."""
    box = page.locator("#stage").bounding_box()
    height, width = desk.project.items[place].size_hw
    stage_width, stage_height = page.evaluate(
        "() => { const s = document.getElementById('stage'); return [s.clientWidth, s.clientHeight]; }"
    )
    scale = min((stage_width - 24) / width, (stage_height - 24) / height)
    left, top = (stage_width - width * scale) / 2, (stage_height - height * scale) / 2
    return box["x"] + left + (x + 0.5) * scale, box["y"] + top + (y + 0.5) * scale


def with_figure(desk, start, model=0):
    """The first place from `start` on where a model sees a figure of some size."""
    for place in [*range(start, len(desk.project.items)), *range(start)]:
        layer = desk.layer_of(place, model)
        if largest(layer).sum() > 0.01 * layer.size:
            return place
    raise AssertionError("no model sees anything")


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


def middle_of(layer):
    """Where the key N puts the crosshair first: the middle of the longest run of the largest figure, else of the background."""
    region = largest(layer) if (layer != 0).any() else layer == 0
    best, long = (0, 0), 0
    for y in range(layer.shape[0]):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], region[y].astype(np.int8), [0]])))
        for x0, x1 in zip(edges[::2], edges[1::2], strict=True):
            if x1 - x0 > long:
                best, long = (int(x0 + (x1 - x0) // 2), y), x1 - x0
    return best


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
    assert ((striped == VOID).sum(0)[20:190] == 24).all()  # the brush is 24 pixels wide
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
    with page.expect_response(lambda answer: "/api/superpixels/" in answer.url) as found:
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


def test_what_was_not_sent_is_there_after_a_reload(generated, fresh, visit):
    start = generated.layer_of(fresh, 0)
    x, y = inside_of(largest(start))
    page = visit(generated, fresh)
    page.route("**/boxes", lambda route: route.abort())
    page.mouse.move(*spot(page, generated, fresh, x, y))
    page.keyboard.press("9")
    page.locator("#saved[data-state=offline]").wait_for()
    page.keyboard.press("b")
    page.mouse.click(*spot(page, generated, fresh, 10, 290))
    page.reload()
    np.testing.assert_array_equal(generated.stored(fresh)[1], start)
    page.unroute("**/boxes")
    page.reload()
    ready(page)
    saved(page)
    layer = generated.stored(fresh)[1]
    assert layer[290, 10] == 9
    assert (layer[region_at(start, x, y)] == 9).all()
    rest = layer != 9
    np.testing.assert_array_equal(layer[rest], start[rest])


def test_a_save_whose_answer_was_lost_is_done_once(generated, fresh, visit):
    start = generated.layer_of(fresh, 0)
    x, y = inside_of(largest(start))
    page = visit(generated, fresh)

    def lose(route):
        route.fetch()  # it arrives, and the page never hears of it
        route.abort()

    page.route("**/boxes", lose)
    page.mouse.move(*spot(page, generated, fresh, x, y))
    page.keyboard.press("9")
    page.locator("#saved[data-state=offline]").wait_for()
    page.reload()
    page.unroute("**/boxes")
    page.reload()
    ready(page)
    page.mouse.move(*spot(page, generated, fresh, x, y))
    page.keyboard.press("8")
    saved(page)
    mask, layer = generated.stored(fresh)
    np.testing.assert_array_equal(layer, np.where(region_at(start, x, y), 8, start))
    assert mask.version == 3  # begun, 9, 8
    assert mask.actions == 2
    assert page.locator("#conflict").is_hidden()


def test_a_server_killed_in_mid_work_loses_nothing(tmp_path, visit):
    queue, models = generated_review(tmp_path / "data", pictures=3)
    desk = Desk(queue, models, tmp_path).start()
    try:
        start = desk.layer_of(0, 0)
        page = visit(desk)
        x, y = inside_of(largest(start))
        page.mouse.move(*spot(page, desk, 0, x, y))
        page.keyboard.press("9")
        saved(page)
        desk.kill()
        page.keyboard.press("8")
        page.locator("#saved[data-state=offline]").wait_for()
        page.keyboard.press("b")
        page.mouse.click(*spot(page, desk, 0, 12, 12))
        page.keyboard.press("Control+Enter")  # not while the server is away
        page.locator("#status", has_text="Not handed in").wait_for()
        desk.start()
        saved(page)
        layer = desk.stored(0)[1]
        assert (layer[region_at(start, x, y)] == 8).all()
        assert layer[12, 12] == 8
        np.testing.assert_array_equal(layer[layer != 8], start[layer != 8])
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**/mask?place=1")
        ready(page)
        assert desk.stored(0)[0].status == "submitted"
    finally:
        desk.kill()


@pytest.mark.parametrize("mine", [True, False])
def test_two_tabs_do_not_overwrite_each_other(generated, fresh, visit, mine):
    start = generated.layer_of(fresh, 0)
    x, y = inside_of(largest(start))
    first = visit(generated, fresh)
    second = visit(generated, fresh, context=first.context)
    second.locator("#status", has_text="another tab").wait_for()
    first.mouse.move(*spot(first, generated, fresh, x, y))
    first.keyboard.press("9")
    saved(first)
    second.keyboard.press("b")
    second.keyboard.press("8")
    second.mouse.click(*spot(second, generated, fresh, 12, 280))
    second.locator("#conflict").wait_for()
    after_first = np.where(region_at(start, x, y), 9, start)
    np.testing.assert_array_equal(generated.stored(fresh)[1], after_first)
    second.locator("#mine" if mine else "#theirs").click()
    saved(second)
    second.locator("#conflict").wait_for(state="hidden")
    layer = generated.stored(fresh)[1]
    dab = layer == 8
    assert dab[280, 12] == mine
    assert dab.sum() == (0 if not mine else dab.sum())
    np.testing.assert_array_equal(layer[~dab], after_first[~dab])


def test_a_tab_that_was_closed_leaves_its_drafts_to_the_next(generated, fresh, visit):
    start = generated.layer_of(fresh, 0)
    x, y = inside_of(largest(start))
    first = visit(generated, fresh)
    first.route("**/boxes", lambda route: route.abort())
    first.mouse.move(*spot(first, generated, fresh, x, y))
    first.keyboard.press("9")
    first.locator("#saved[data-state=offline]").wait_for()
    context = first.context
    first.close()
    second = visit(generated, fresh, context=context)
    saved(second)
    np.testing.assert_array_equal(generated.stored(fresh)[1], np.where(region_at(start, x, y), 9, start))


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
    assert painted.any(0).sum() == 24
    assert len(rows) > 24
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


def test_a_map_in_very_many_pieces_is_sent_in_several_saves(generated, visit):
    page = visit(generated, 0)
    noise = generated.layer_of(0, 2)
    with page.expect_request(lambda request: request.url.endswith("/boxes")):
        for _ in range(3):
            page.keyboard.press(".")
        page.keyboard.press("m")
    saved(page)
    mask, layer = generated.stored(0)
    np.testing.assert_array_equal(layer, noise)
    assert mask.version > 2
    page.keyboard.press("z")
    saved(page)
    np.testing.assert_array_equal(generated.stored(0)[1], generated.layer_of(0, 0))


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
