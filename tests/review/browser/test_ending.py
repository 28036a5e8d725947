"""The last screen of a review that ends by itself: the page says so before its server is gone, to those too who did not answer last."""

from __future__ import annotations

import re

import pytest
from tests.review.browser.live import until
from tests.review.browser.test_screens import ready_to_rate
from tests.review.server.running import Running

from figureground.data.labels import read_labels
from figureground.review.done import waiting
from figureground.review.options import ReviewOptions

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def running(pool, tmp_path):
    """A review of six pictures, with the waits that people get; ann and bob have tokens."""
    given = {"until": "rated", "options": ReviewOptions(repeats=0.0), "sign_in": True, "add": ["ann:admin", "bob:reviewer"]}
    review = Running(pool, tmp_path / "labels", given).start()
    yield review, dict(re.findall(r"Token of '(\w+)' .*: (\S+)", "\n".join(review.said)))
    review.close()


def test_who_answered_last_and_who_did_not_are_told_that_it_has_ended(running, open_page):
    """Ann rates all by keys and sees that nothing is left; then she and bob, who was about to rate, read that it has ended."""
    review, tokens = running
    idle = ready_to_rate(open_page(review, "/rate", token=tokens["bob"]))
    idle.get_by_role("button", name="Keys").click()
    page = ready_to_rate(open_page(review, "/rate", token=tokens["ann"]))
    for key in "12345x":
        ready_to_rate(page).keyboard.press(key)
    page.wait_for_selector("#finished:not([hidden])")
    assert page.locator("#ended").is_hidden()
    for one in (page, idle):
        one.wait_for_selector("#ended[open]")
        assert one.locator("#ended").inner_text().startswith("All is answered. Thank you.")
        assert one.locator("#keys").is_hidden()
        one.keyboard.press("Escape")
        one.keyboard.press("3")
        one.keyboard.press("u")
        assert one.locator("#ended").is_visible()
    assert review.ended()
    page.wait_for_timeout(2500)
    for one in (page, idle):
        assert one.locator("#ended").is_visible()
        assert one.locator("#status").inner_text() == ""
    labels = read_labels(review.out)
    assert waiting(labels, [f"p{number}" for number in range(6)], kind="rated") == []
    assert [rating.score for rating in labels.ratings] == [1, 2, 3, 4, 5, None]


def test_a_page_that_slept_through_the_end_names_it_where_the_connection_is_gone(running, open_page):
    """The question whether it has ended never came through, as on a laptop that was shut."""
    review, tokens = running
    page = open_page(review, "/rate", token=tokens["bob"], expected=("Failed to load resource", "net::ERR"))
    ready_to_rate(page)
    page.route("**/api/ending", lambda route: route.abort())
    ann = review.visitor(tokens["ann"])
    for place in range(6):
        ann.post("/api/ratings", {"place": place, "showing": 0, "score": 3, "out_of_domain": False, "seconds": 1.0})
    assert review.ended()
    page.keyboard.press("4")
    until(page, "document.getElementById('status').textContent.includes('If all is answered, this review has ended.')")
