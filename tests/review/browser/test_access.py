"""Every screen for everybody: accessible names and contrast by axe, both schemes, a laptop and a tablet, nothing cut off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.review.browser.live import until
from tests.review.browser.test_screens import ready_to_check, ready_to_patch, ready_to_rate, with_masks

pytestmark = [pytest.mark.slow, pytest.mark.browser]
READY = {"/rate": ready_to_rate, "/patches": ready_to_patch, "/check": ready_to_check}
SCREENS = ["/", "/rate", "/patches", "/check", "/progress", "/people", "/enter"]
SHOTS = os.environ.get("FIGUREGROUND_SHOTS", "")
"""A folder for pictures of all screens, for people to look at."""


def prepare(live, page, path):
    """The screen in the state in which most of it is to be seen."""
    READY.get(path, lambda page: page)(page)
    if path == "/check":
        page.keyboard.press("1")
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("3")
    if path == "/patches":
        page.keyboard.press("m")
        until(page, "document.querySelector('#grid [aria-selected=true]') !== null")
    if path == "/people":
        page.get_by_label("Name").fill("Zoë")
        page.get_by_role("button", name="Add").click()
        page.wait_for_selector("#token:not([hidden])")
    return page


@pytest.fixture
def reviewed(live):
    """A review in which something was done, something waits to be checked, and one picture to be rated."""
    with_masks(live)
    for name, shift in (("ann", 0), ("bob", 1)):
        asker = live.world.visitor(name)
        for place in range(len(live.world.project.items) - 1):  # the last is left to rate
            given = {"place": place, "showing": 0, "score": 1 + (place + shift) % 5, "out_of_domain": False, "seconds": 4.0}
            assert asker.post("/api/ratings", given)["saved"]
    return live


def complaints(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = axe.Axe().run(page, options=options).response["violations"]
    return [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "tablet"])
def test_axe_finds_nothing_and_nothing_is_cut_off(reviewed, open_page, tmp_path, size, dark):
    live = reviewed
    with live.world.database.write() as connection:
        connection.exec_driver_sql("UPDATE rating SET withdrawn = created WHERE place > 3")
    for path in SCREENS:
        page = prepare(live, open_page(live, path, size=size, dark=dark), path)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{path[1:] or 'start'}-{size}-{'dark' if dark else 'light'}.png")
        assert complaints(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than the screen"
        if page.evaluate("document.body.classList.contains('work')"):
            assert page.evaluate("document.documentElement.scrollHeight <= innerHeight + 1"), f"{path} is higher than the screen"
            sheet = page.evaluate(
                "(() => { const b = document.getElementById('sheet').getBoundingClientRect(); return [b.width, b.height]; })()"
            )
            assert min(sheet) >= 200, f"{path}: the picture is only {sheet}"
        page.keyboard.press("Escape")
        if path != "/enter":
            page.get_by_role("button", name="Keys").click()
            assert complaints(page) == [], f"{path} with the list of keys"
        page.context.close()


@pytest.mark.parametrize("path", SCREENS)
def test_tab_reaches_every_control_and_the_focus_is_seen(reviewed, open_page, path):
    page = open_page(reviewed, path)
    READY.get(path, lambda page: page.wait_for_load_state("networkidle"))(page)
    page.evaluate("document.activeElement.blur()")
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], button, input, select, textarea, summary')].filter((one) => !one.disabled && one.checkVisibility() && !one.closest('dialog')).length"
    )
    seen, bare = set(), []
    for _ in range(wanted + 30):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            "(() => { const e = document.activeElement; if (e === document.body) return null; e.dataset.stop ??= String(Math.random()); const s = getComputedStyle(e); return [e.dataset.stop, e.matches('a[href], button, input, select, textarea, summary'), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1, e.outerHTML.slice(0, 80)]; })()"
        )
        if stop is None:
            continue
        if stop[1]:
            seen.add(stop[0])
        if not stop[2]:
            bare.append(stop[3])
    assert len(seen) >= wanted
    assert bare == []


def test_a_finger_rates_and_paints(reviewed, open_page):
    page = ready_to_patch(open_page(reviewed, "/patches", size="tablet"))
    box = page.locator("#grid").bounding_box()
    page.touchscreen.tap(box["x"] + 5, box["y"] + 5)
    assert page.locator("#cell-0").get_attribute("aria-selected") == "true"
    for button in page.get_by_role("button").all():
        if button.is_visible():
            assert button.bounding_box()["height"] >= 24


def test_patches_speak(reviewed, open_page):
    page = ready_to_patch(open_page(reviewed, "/patches"))
    page.keyboard.press("Space")
    cell = page.locator("#grid .cursor")
    assert cell.get_attribute("aria-label") == "row 9, column 9, figure"
    assert page.locator("#grid").get_attribute("aria-activedescendant") == cell.get_attribute("id")
