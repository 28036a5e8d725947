"""Nothing that was painted is lost: on reload, on a lost connection, when the server is killed, when two tabs save, when a tab is closed."""

from __future__ import annotations

import numpy as np
import pytest
from tests.review.painter.desk import Desk, generated_review, inside_of, largest, ready, region_at, saved, spot

pytestmark = [pytest.mark.slow, pytest.mark.browser]


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
        page.wait_for_event("requestfailed")  # one more try to save
        page.locator("#saved[data-state=offline]").wait_for()
        assert "No connection" not in page.locator("#status").inner_text(), "what was said once does not take the place of the rest"
        desk.start()
        page.locator("#status", has_text="The connection is back; everything is saved.").wait_for()
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
    assert dab.any() == mine
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
