"""Every screen worked through by keyboard and by mouse in a real browser, with a real server and database behind it."""

from __future__ import annotations

import numpy as np
import pytest
from tests.review.browser.live import until
from tests.review.server.world import write_pool

from figureground.review.options import ReviewOptions
from figureground.review.server.security import Access

pytestmark = [pytest.mark.slow, pytest.mark.browser]
BROKEN = ("Failed to load resource", "net::ERR")
GRID = "[...document.querySelectorAll('#grid [role=gridcell]')].map((cell) => +(cell.getAttribute('aria-selected') === 'true')).join('')"


def ready_to_rate(page):
    until(page, "document.querySelector('#sheet img')?.complete && !document.querySelector('.score').disabled")
    return page


def ahead(page, count):
    """Waits until so many pictures after the shown one are prepared, to be there without the server."""
    until(page, f"document.getElementById('stage').dataset.ahead >= {count}")


def asked_in(page):
    """The requests that are on their way, from now on."""
    asking = set()
    page.on("request", lambda request: asking.add(request))
    for end in ("requestfinished", "requestfailed"):
        page.on(end, lambda request: asking.discard(request))
    return asking


def come_true(page, holds, *, running=1):
    """Waits until something holds so many times running, asked every 50 ms."""
    times = 0
    for _ in range(300):
        times = times + 1 if holds() else 0
        if times == running:
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came true")


def rated(live, count):
    return live.wait_for("rating", count, where=lambda row: row["withdrawn"] is None)


def test_rating_by_keys_alone(make_live, open_page):
    live = make_live(options=ReviewOptions(repeats=0.0))
    page = ready_to_rate(open_page(live, "/rate"))
    for key in "12345x":
        ready_to_rate(page).keyboard.press(key)
    page.wait_for_selector("#finished:not([hidden])")
    rows = rated(live, 6)
    assert [row["score"] for row in rows] == [1, 2, 3, 4, 5, None]
    assert all(row["seconds"] >= 0 for row in rows)
    assert page.locator("#count").inner_text() == "6 rated, 0 left"
    page.keyboard.press("u")
    page.wait_for_selector("#finished", state="hidden")
    ready_to_rate(page).keyboard.press("3")
    assert [row["score"] for row in rated(live, 6)] == [1, 2, 3, 4, 5, 3]


def test_the_end_is_seen_though_the_count_of_the_server_is_older_than_the_last_rating(make_live, open_page):
    live = make_live(options=ReviewOptions(repeats=0.0))
    page = ready_to_rate(open_page(live, "/rate"))
    asking = asked_in(page)
    for key in "12345":
        ready_to_rate(page).keyboard.press(key)
    rated(live, 5)
    until(page, "document.querySelector('#count').textContent === '5 rated, 1 left'")
    come_true(page, lambda: not asking, running=10)
    held = {}
    page.route("**/api/ratings", lambda route: held.update(rating=route))
    page.route("**/api/rate/next*", lambda route: held.update(next=route, answer=route.fetch()))
    page.keyboard.press("x")
    come_true(page, lambda: len(held) == 3)
    assert held["answer"].json()["left"] == 1
    with page.expect_response("**/api/ratings"):
        held["rating"].continue_()
    until(page, "Object.entries(localStorage).every(([name, text]) => !name.endsWith(':ratings') || text === '[]')")
    assert not page.locator("#finished").is_hidden()
    held["next"].fulfill(response=held["answer"])
    page.wait_for_timeout(100)
    assert page.locator("#finished").is_visible()
    assert page.locator("#count").inner_text() == "6 rated, 0 left"


def test_digits_are_keys_on_every_keyboard(live, open_page):
    page = ready_to_rate(open_page(live, "/rate"))
    event = "new KeyboardEvent('keydown', { key: '\u00e9', code: 'Digit2', bubbles: true, cancelable: true })"
    page.evaluate(f"document.body.dispatchEvent({event}) && null")
    assert [row["score"] for row in rated(live, 1)] == [2]


def test_rating_by_mouse_alone(live, open_page):
    page = ready_to_rate(open_page(live, "/rate"))
    page.get_by_role("button", name="fair").click()
    ready_to_rate(page)
    page.get_by_role("button", name="out of domain").click()
    assert [row["score"] for row in rated(live, 2)] == [3, None]
    page.get_by_role("button", name="Undo").click()
    until(page, "document.getElementById('last').textContent === 'was: out of domain'")
    page.get_by_role("button", name="good").click()
    assert [row["score"] for row in rated(live, 2)] == [3, 4]


def test_the_overlay_is_the_prediction_and_yields_to_space_and_slider(live, open_page):
    page = ready_to_rate(open_page(live, "/rate"))
    place = live.world.project.items[0].place
    found = page.evaluate("fetch('/api/rate/next?count=1').then((answer) => answer.json())")["items"][0]["place"]
    layer = live.world.project.layer_of(found, 0)
    painted = page.evaluate(
        "(() => { const c = document.querySelector('#sheet canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; return Array.from({ length: c.width * c.height }, (_, i) => +(d[4 * i + 3] > 0)); })()"
    )
    np.testing.assert_array_equal(np.reshape(painted, layer.shape), layer != 0)
    assert place == 0
    canvas = page.locator("#sheet canvas")
    page.keyboard.press("Space")
    assert not canvas.is_visible()
    page.keyboard.press("Space")
    assert canvas.is_visible()
    before = float(canvas.evaluate("node => getComputedStyle(node).opacity"))
    page.keyboard.press("+")
    assert float(canvas.evaluate("node => getComputedStyle(node).opacity")) == pytest.approx(before + 0.1)
    page.keyboard.press("Space")
    ahead(page, 1)
    page.keyboard.press("4")
    assert page.locator("#sheet canvas").is_visible(), "the next picture comes with its prediction"


def test_a_picture_that_is_gone_is_no_picture_to_rate(make_live, open_page, tmp_path):
    pool = write_pool(tmp_path / "pool", count=2, size_hw=(48, 64))
    live = make_live(pool=pool, options=ReviewOptions(repeats=0.0))
    for file in (pool / "images").iterdir():
        file.unlink()
    page = open_page(live, "/rate", expected=BROKEN)
    assert "Only x can be said of it" in page.locator(".absent").inner_text()
    page.keyboard.press("5")
    assert "cannot be rated" in page.locator("#status").inner_text()
    page.keyboard.press("x")
    assert [row["score"] for row in rated(live, 1)] == [None]


def test_the_next_picture_is_there_at_once(live, open_page):
    page = ready_to_rate(open_page(live, "/rate", expected=BROKEN))
    ahead(page, 1)
    page.context.set_offline(True)
    page.keyboard.press("4")
    assert page.evaluate("document.querySelector('#sheet img').complete && document.querySelector('#sheet img').naturalWidth") == 320
    page.context.set_offline(False)
    rated(live, 1)


def test_ratings_go_on_without_a_server_and_arrive_once_each(live, open_page):
    page = ready_to_rate(open_page(live, "/rate", expected=BROKEN))
    ahead(page, 4)
    live.stop()
    for key in "123":
        page.keyboard.press(key)
    until(page, "document.getElementById('status').textContent.includes('No connection')")
    assert live.rows("rating") == []
    live.start()
    until(page, "document.getElementById('status').textContent.includes('everything is saved')", seconds=30)
    assert [row["score"] for row in rated(live, 3)] == [1, 2, 3]


def cut(page):
    """No rating reaches the server any more; true of the very next one."""
    page.route("**/api/ratings", lambda route: route.abort())
    until(page, "fetch('/api/ratings', { method: 'POST' }).then(() => false, () => true)")


def test_unsent_ratings_outlive_a_reload_and_a_new_mark(live, open_page):
    page = ready_to_rate(open_page(live, "/rate", expected=(*BROKEN, "403")))
    cut(page)
    page.keyboard.press("5")
    until(page, "document.getElementById('status').textContent.includes('No connection')")
    page.reload()
    page.unroute("**/api/ratings")
    live.world.room.secret = "another, as after a restart"
    assert [row["score"] for row in rated(live, 1)] == [5]
    ready_to_rate(page).keyboard.press("1")
    assert [row["score"] for row in rated(live, 2)] == [5, 1]


def test_an_unsent_rating_is_taken_back_without_the_server(live, open_page):
    page = ready_to_rate(open_page(live, "/rate", expected=BROKEN))
    ahead(page, 1)
    shown = page.get_attribute("#sheet img", "src")
    cut(page)
    page.keyboard.press("5")
    until(page, "document.getElementById('status').textContent.includes('No connection')")
    page.keyboard.press("u")
    until(page, "(src) => document.querySelector('#sheet img').src === src", shown)
    page.keyboard.press("2")
    page.unroute("**/api/ratings")
    assert [row["score"] for row in rated(live, 1)] == [2]
    assert [row["score"] for row in live.rows("rating")] == [2], "the one that was taken back was never sent"


def grids(live, count):
    """Cells as text by place, once so many are saved."""
    rows = live.wait_for("patch", count)
    return {row["place"]: "".join(map(str, np.unpackbits(np.frombuffer(row["cells"], np.uint8))[:16])) for row in rows}


@pytest.fixture
def patching(make_live):
    return make_live(options=ReviewOptions(grid="4x4"))


def ready_to_patch(page):
    until(page, "document.getElementById('picture').complete && document.querySelector('#grid .cursor')")
    return page


def test_patches_by_keys_alone(patching, open_page):
    page = ready_to_patch(open_page(patching, "/patches"))
    for key in ("Space", "Shift+ArrowRight", "ArrowUp", "Space", "Enter"):
        page.keyboard.press(key)
    assert grids(patching, 1) == {0: "0000000100110000"}
    until(page, "location.hash === '#1'")
    page.keyboard.press("m")
    until(page, f"{GRID}.includes('1')")
    layer = patching.world.project.layer_of(1, 0)
    share = (layer != 0).reshape(4, 60, 4, 80).mean((1, 3))
    expected = "".join(str(int(value >= 0.25)) for value in share.ravel())
    assert page.evaluate(GRID) == expected
    page.keyboard.press("i")
    page.keyboard.press("u")
    assert page.evaluate(GRID) == expected
    page.keyboard.press("Enter")
    assert grids(patching, 2)[1] == expected
    until(page, "location.hash === '#2'")
    page.keyboard.press("b")
    until(page, "location.hash === '#1'")
    assert page.evaluate(GRID) == expected


def test_patches_by_mouse_alone(patching, open_page):
    page = ready_to_patch(open_page(patching, "/patches"))
    box = page.locator("#grid").bounding_box()
    at = lambda row, column: (box["x"] + (column + 0.5) * box["width"] / 4, box["y"] + (row + 0.5) * box["height"] / 4)  # noqa: E731
    page.mouse.move(*at(0, 0))
    page.mouse.down()
    page.mouse.move(*at(0, 3))
    page.mouse.move(*at(3, 3))
    page.mouse.up()
    assert page.evaluate(GRID) == "1111000100010001"
    page.mouse.click(*at(0, 1))
    page.mouse.click(*at(3, 3), button="right")
    assert page.evaluate(GRID) == "1011000100010000"
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Done, next").click()
    assert grids(patching, 1) == {0: "1011000100010001"}
    until(page, "location.hash === '#1'")
    page.get_by_role("button", name="Invert").click()
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Done, next").click()
    assert grids(patching, 2)[1] == "0" * 16


def test_patches_are_saved_as_they_grow_and_come_back_after_a_reload(patching, open_page):
    page = ready_to_patch(open_page(patching, "/patches"))
    page.keyboard.press("Space")
    until(page, "document.getElementById('saved').textContent === 'Saved'")
    assert grids(patching, 1) == {0: "0000000000100000"}
    page.reload()
    ready_to_patch(page)
    assert page.evaluate(GRID) == "0000000000100000"


def test_patches_outlive_a_server_that_goes_away(patching, open_page):
    page = ready_to_patch(open_page(patching, "/patches", expected=BROKEN))
    page.wait_for_timeout(500)
    patching.stop()
    page.keyboard.press("Space")
    until(page, "document.getElementById('status').textContent.includes('No connection')")
    patching.start()
    assert grids(patching, 1) == {0: "0000000000100000"}


def test_the_same_grid_in_two_windows_loses_nothing(patching, open_page):
    first = ready_to_patch(open_page(patching, "/patches", expected=("409",)))
    second = ready_to_patch(open_page(patching, "/patches"))
    second.keyboard.press("Space")
    until(second, "document.getElementById('saved').textContent === 'Saved'")
    first.keyboard.press("i")
    until(first, "document.getElementById('status').textContent.includes('another window')")
    assert first.evaluate(GRID) == "0000000000100000"
    first.keyboard.press("u")
    until(first, "document.getElementById('saved').textContent === 'Saved'")
    assert grids(patching, 1) == {0: "1" * 16}


def with_masks(live):
    """Two masks of one picture by two people, and a checker's token."""
    ann, bob = live.world.visitor("ann"), live.world.visitor("bob")
    live.world.draw(ann, 1)
    live.world.draw(bob, 1, live.world.project.layer_of(1, 1))
    live.world.draw(ann, 2)
    return live.world.add("eve", "checker")


def ready_to_check(page):
    page.wait_for_selector("#sheet:not([hidden])")
    until(page, "document.getElementById('picture').complete")
    return page


def test_checking_by_keys_alone(live, open_page):
    page = ready_to_check(open_page(live, "/check", token=with_masks(live)))
    for key in ("ArrowLeft", "Shift+ArrowUp", "3", "ArrowRight", "2", "u"):
        page.keyboard.press(key)
    page.keyboard.press("r")
    row = live.wait_for("check_", 1)[0]
    assert (row["verdict"], row["marks_json"]) == ("returned", '[{"x": 156, "y": 88, "kind": "missing", "comment": ""}]')
    assert 0 < row["seconds"] < 600
    ready_to_check(page)
    until(page, "!document.getElementById('accept').disabled && document.querySelectorAll('#list li').length === 0")
    page.keyboard.press("c")
    page.keyboard.type("a good one, 5 of 5")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    row = live.wait_for("check_", 2)[1]
    assert (row["verdict"], row["comment"], row["marks_json"]) == ("accepted", "a good one, 5 of 5", "[]")


def test_a_mask_is_left_to_another_checker(live, open_page):
    page = ready_to_check(open_page(live, "/check", token=with_masks(live)))
    said = page.locator("#said").inner_text()
    for _ in range(3):
        until(page, "!document.getElementById('accept').disabled")
        page.keyboard.press("s")
    page.wait_for_selector("#finished:not([hidden])")
    assert page.locator("#why").inner_text() == "No mask of another reviewer waits for a check but those that you passed over."
    assert live.rows("lease") == []
    page.get_by_role("button", name="Look again").click()
    ready_to_check(page)
    assert page.locator("#said").inner_text() == said


def test_checking_by_mouse_alone_and_the_difference(live, open_page):
    page = ready_to_check(open_page(live, "/check", token=with_masks(live)))
    differ = (live.world.project.layer_of(1, 0) != live.world.project.layer_of(1, 1)).mean()
    assert f"{round(100 * differ)} % of the pixels differ" in page.locator("#differs").inner_text()
    page.get_by_role("button", name="Difference").click()
    assert not page.locator("#difference").is_visible()
    page.get_by_role("button", name="Send back").click()
    until(page, "document.getElementById('status').textContent.includes('Say what is wrong')")
    assert live.rows("check_") == []
    page.get_by_role("button", name="boundary").click()
    box = page.locator("#sheet").bounding_box()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"])
    page.get_by_role("button", name="Remove mark 2").click()
    page.locator("#list input").fill("too wide")
    page.get_by_role("button", name="Send back").click()
    assert live.wait_for("check_", 1)[0]["marks_json"] == '[{"x": 80, "y": 120, "kind": "boundary", "comment": "too wide"}]'
    ready_to_check(page)


def test_marks_outlive_a_reload(live, open_page):
    page = ready_to_check(open_page(live, "/check", token=with_masks(live)))
    page.keyboard.press("4")
    page.reload()
    ready_to_check(page)
    page.wait_for_selector("#list li")
    assert page.locator("#list label").inner_text() == "extra"


def test_progress_and_exports(make_live, open_page, tmp_path):
    live = make_live()
    with_masks(live)
    from figureground.review.server.labels_writer import LabelsWriter

    live.world.room.exporter = LabelsWriter(live.world.database, live.world.project, tmp_path / "labels", live.world.room.options)
    page = ready_to_rate(open_page(live, "/rate", expected=("409",)))
    for key in "1245":
        ready_to_rate(page).keyboard.press(key)
    rated(live, 4)
    page.goto(f"{live.base}/progress")
    assert page.get_by_role("row", name="ann").count() == 1
    assert "1 to 1.5: 1" in page.locator("svg.bars title").text_content()
    page.keyboard.press("e")
    until(page, "document.getElementById('exported').textContent.startsWith('Written to')")
    assert (tmp_path / "labels" / "manifest.json").is_file()
    with page.expect_download() as taken:
        page.get_by_role("link", name="COCO").click()
    assert taken.value.suggested_filename == "coco.json"
    page.get_by_label("Masks", exact=True).select_option("accepted")
    with page.expect_event("console", lambda message: "409" in message.text):
        page.get_by_role("link", name="CVAT").click()
    until(page, "document.getElementById('status').textContent.includes('nothing to export')")


def test_people_are_let_in_and_sent_away(make_live, open_page):
    live = make_live(access=Access(tokens=True))
    admin = open_page(live, "/people", token=live.world.add("root", "admin"))
    admin.keyboard.press("n")
    admin.keyboard.type("Zoë")
    admin.keyboard.press("Tab")
    admin.keyboard.type("checker")
    admin.keyboard.press("Enter") if admin.evaluate("document.activeElement.tagName") == "INPUT" else admin.get_by_role(
        "button", name="Add"
    ).click()
    admin.wait_for_selector("#token:not([hidden])")
    token = admin.locator("#token-text").inner_text()
    assert admin.locator("#token-link").inner_text() == f"{live.base}/enter#{token}"
    zoe = open_page(live, "/check", token=token, expected=("401",))
    assert zoe.locator(".who bdi").inner_text() == "Zoë"
    with admin.expect_event("load"):
        admin.get_by_role("button", name="I have handed it on").click()
    admin.get_by_role("button", name="Revoke Zoë").click()
    admin.get_by_role("button", name="Yes").click()
    admin.get_by_text("ended 20").wait_for()
    assert token not in admin.content()
    zoe.goto(f"{live.base}/rate")
    assert zoe.url == f"{live.base}/enter"
    zoe.get_by_label("Token").fill(token)
    zoe.get_by_role("button", name="Sign in").click()
    zoe.get_by_text("not known, or it was revoked").wait_for()


def test_the_address_that_is_handed_on_is_one_that_others_reach(make_live, open_page):
    live = make_live(access=Access(tokens=True, elsewhere="http://ann-laptop:8765/"))
    admin = open_page(live, "/people", token=live.world.add("root", "admin"))
    admin.get_by_label("Name").fill("Zoë")
    admin.get_by_role("button", name="Add").click()
    admin.wait_for_selector("#token:not([hidden])")
    assert admin.locator("#token-link").inner_text() == f"http://ann-laptop:8765/enter#{admin.locator('#token-text').inner_text()}"


def test_leaving_by_the_menu(make_live, open_page):
    live = make_live(access=Access(tokens=True))
    page = open_page(live, "/", token=live.world.add("ann", "reviewer"))
    assert page.locator(".screens a").all_inner_texts() == ["Rate", "Patches", "Mask", "Progress"]
    page.get_by_role("button", name="Leave").click()
    page.wait_for_url(f"{live.base}/enter")
    page.goto(f"{live.base}/rate")
    assert page.url == f"{live.base}/enter"
    assert page.context.cookies() == []


@pytest.mark.parametrize("path", ["/", "/rate", "/patches", "/check", "/progress", "/people"])
def test_a_question_mark_shows_the_keys_and_takes_them_away(live, open_page, path):
    page = open_page(live, path)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    before = len(live.rows("rating"))
    page.keyboard.press("3")
    page.keyboard.press("?")
    assert not page.get_by_role("dialog", name="Keys").is_visible()
    page.get_by_role("button", name="Keys").click()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog", name="Keys").is_visible()
    assert len(live.rows("rating")) == before


def test_digits_lead_from_the_start_to_the_screens(live, open_page):
    page = open_page(live, "/")
    page.keyboard.press("5")
    page.wait_for_url("**/progress")


def test_a_role_is_changed_after_a_question(make_live, open_page):
    live = make_live(access=Access(tokens=True))
    live.world.add("ann", "reviewer")
    page = open_page(live, "/people", token=live.world.add("root", "admin"))
    roles = lambda: {row["name"]: row["role"] for row in live.rows("reviewer")}  # noqa: E731
    choice = page.get_by_label("Role of ann")
    assert page.get_by_label("Role of root").count() == 0
    choice.select_option("checker")
    page.get_by_role("button", name="No").click()
    assert (choice.input_value(), roles()) == ("reviewer", {"ann": "reviewer", "root": "admin"})
    choice.select_option("admin")
    page.get_by_role("button", name="Yes").click()
    until(page, "document.getElementById('status').textContent.includes('ann is admin now')")
    assert (choice.input_value(), roles()) == ("admin", {"ann": "admin", "root": "admin"})
