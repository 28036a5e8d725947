"""The page in a real browser: silent, offline, sorted, usable with the keyboard, readable on a phone and in the dark."""

from __future__ import annotations

import pytest

from figureground.report import write_report

pytestmark = [pytest.mark.slow, pytest.mark.browser]
TWENTY_ONE = ("background", *(f"class {i:02d}" for i in range(1, 21)))

CONTRASTS = """() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => { pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); const d = pen.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const ground = (node) => { for (; node; node = node.parentElement) { const c = rgba(getComputedStyle(node).backgroundColor); if (c[3] > 0.99) return c; } return rgba(getComputedStyle(document.body).backgroundColor); };
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const seen = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.closest("script, style, .hidden") || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(rgba(node.closest("svg") ? style.fill : style.color)), light(ground(node))].sort((x, y) => y - x);
    const key = node.tagName + "." + (node.getAttribute("class") || "");
    const ratio = (a + 0.05) / (b + 0.05);
    if (!(key in seen) || ratio < seen[key]) seen[key] = ratio;
  }
  return seen;
}"""


@pytest.fixture
def open_page(chromium):
    """`open_page(path, width=..., dark=...)`; at the end, the page has said nothing and asked for nothing."""
    contexts, complaints, requests = [], [], []

    def opened(path, *, width=1280, dark=False, javascript=True):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", java_script_enabled=javascript
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.fixture(scope="module")
def single(make_audit):
    return write_report(make_audit())


@pytest.fixture(scope="module")
def several(make_audit):
    return write_report(make_audit(predictions=3, classes=TWENTY_ONE, samples=150, contexts=("indoor", "outdoor", "studio")))


@pytest.fixture(scope="module")
def rounds(make_loop):
    return write_report(make_loop())


@pytest.fixture(scope="module")
def replies(make_answers):
    return write_report(make_answers(contexts=("indoor", "meadow", "shore", "street"), figures=8, pictures=8))


@pytest.mark.parametrize("report", ["single", "several", "replies"])
def test_every_picture_loads_and_the_console_is_silent(report, open_page, request):
    page = open_page(request.getfixturevalue(report))
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].filter(i => i.checkVisibility()).every(i => i.complete)")
    assert page.evaluate("[...document.images].filter(i => i.checkVisibility()).every(i => i.naturalWidth > 0)")
    assert page.evaluate("document.images.length") > 20


def shown(page, key):
    return page.eval_on_selector_all(".card:not([hidden])", f"cards => cards.map(card => card.dataset.{key})")


def test_the_contact_sheet_sorts(single, open_page):
    page = open_page(single)
    flipped = [float(v) for v in shown(page, "flipped")]
    assert flipped == sorted(flipped, reverse=True)
    page.get_by_label("Sort by").select_option("risk")
    risk = [float(v or "-inf") for v in shown(page, "risk")]
    assert risk == sorted(risk, reverse=True)
    assert risk != [float(v or "-inf") for v in sorted(shown(page, "risk"))]
    page.get_by_label("Sort by").select_option("id")
    assert shown(page, "id") == sorted(shown(page, "id"))
    page.get_by_label("Sort by").select_option("group")
    assert shown(page, "group") == sorted(shown(page, "group"))
    page.get_by_label("Sort by").select_option("flipped")
    assert [float(v) for v in shown(page, "flipped")] == flipped


def test_the_contact_sheet_filters_by_group_and_says_how_many(single, open_page):
    page = open_page(single)
    groups = shown(page, "group")
    chosen = groups[0]
    assert 0 < groups.count(chosen) < len(groups)
    page.locator("[data-control=filter]").select_option(chosen)
    assert set(shown(page, "group")) == {chosen}
    assert page.locator(".shown").inner_text() == f"{groups.count(chosen)} of {len(groups)} shown"
    page.locator("[data-control=filter]").select_option("")
    assert len(shown(page, "id")) == len(groups)


def tab_stops(page, most=120):
    """What has the focus after each press of Tab, until the page is left."""
    found = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            "(() => { const e = document.activeElement; return e === document.body ? null : e.tagName + '.' + e.className + '#' + (e.id || e.getAttribute('href') || e.dataset.control || ''); })()"
        )
        if stop is None:
            break
        found.append(stop)
    return found


def test_tab_reaches_every_control_and_starts_at_the_skip_link(single, open_page):
    page = open_page(single)
    stops = tab_stops(page)
    assert stops[0] == "A.skip##content"
    assert "SELECT.#sort" in stops
    assert "SELECT.#filter" in stops
    assert sum(stop.startswith("SUMMARY") for stop in stops) == page.locator("summary").count()
    assert sum(stop.startswith("TD.") for stop in stops) == 1, "the matrix is one stop"


def test_the_skip_link_shows_itself_and_leads_to_the_content(single, open_page):
    page = open_page(single)
    page.keyboard.press("Tab")
    assert page.locator(".skip").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_the_focus_can_be_seen(single, open_page):
    page = open_page(single)
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle === 'solid' && parseFloat(s.outlineWidth) >= 2; })()"
        )


def test_the_matrix_is_read_with_the_arrow_keys(several, open_page):
    page = open_page(several)
    page.locator("#panel-1 .matrix td").first.focus()
    readout = page.locator("#panel-1 .readout")
    first = readout.inner_text()
    assert "correct" in first
    page.keyboard.press("ArrowRight")
    assert readout.inner_text() != first
    page.keyboard.press("End")
    assert "missed, called background" in readout.inner_text()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    assert readout.inner_text() == first


@pytest.mark.parametrize("javascript", [True, False])
def test_predictions_are_chosen_by_tabs_with_the_keyboard_and_without_script(several, open_page, javascript):
    page = open_page(several, javascript=javascript)
    panels = page.locator(".panel")
    assert [panels.nth(i).is_visible() for i in range(3)] == [True, False, False]
    page.locator("#tab-1").focus()
    page.keyboard.press("ArrowRight")
    assert [panels.nth(i).is_visible() for i in range(3)] == [False, True, False]
    page.locator(".tabs").get_by_text("network c").click()
    assert [panels.nth(i).is_visible() for i in range(3)] == [False, False, True]


def test_a_link_into_a_prediction_that_is_hidden_shows_it(several, open_page):
    page = open_page(several)
    page.locator(".compare a[href='#panel-3']").click()
    assert page.locator("#panel-3").is_visible()
    assert page.locator("#tab-3").is_checked()


def test_without_script_everything_but_the_controls_is_there(single, open_page):
    page = open_page(single, javascript=False)
    assert page.locator(".card").count() == 24
    assert page.locator(".card").last.is_visible()
    assert not page.locator(".controls").is_visible()
    assert not page.locator(".readout").is_visible()


NASTY = "averyveryveryverylongname" * 6


@pytest.mark.parametrize("report", ["single", "several", "rounds", "replies", "nasty", "nasty rounds", "nasty replies"])
def test_the_page_never_scrolls_sideways(report, open_page, request, make_audit, make_loop, make_answers):
    if report == "nasty":
        path = write_report(
            make_audit(
                predictions=2,
                classes=("background", NASTY, NASTY + "2"),
                contexts=(NASTY, "b"),
                id_format=NASTY + "{:02d}",
                names=(NASTY + "x", NASTY + "y"),
            )
        )
    elif report == "nasty rounds":
        path = write_report(
            make_loop(
                classes=("background", NASTY, NASTY + "2"), target=NASTY, rivals=(NASTY + "x", "b"), extra={"name": NASTY, "why": NASTY}
            )
        )
    elif report == "nasty replies":
        path = write_report(make_answers(classes=(NASTY, "b"), contexts=(NASTY + "x", "c"), id_format=NASTY + "{}", extra={"model": NASTY}))
    else:
        path = request.getfixturevalue(report)
    page = open_page(path)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in (1280, 768, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("report", ["single", "several", "rounds", "replies"])
def test_text_has_the_contrast_of_wcag_aa(report, dark, open_page, request):
    page = open_page(request.getfixturevalue(report), dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is not dark
    found = page.evaluate(CONTRASTS)
    assert len(found) > 20
    assert {key: round(ratio, 2) for key, ratio in found.items() if ratio < 4.5} == {}


def test_verdict_colours_are_the_same_in_light_and_dark(single, open_page):
    def colours(*, dark):
        page = open_page(single, dark=dark)
        return {
            word: page.evaluate(f"getComputedStyle(document.querySelector('.swatch.{word}')).backgroundColor")
            for word in ("correct", "flipped", "missed", "added")
        }

    assert (
        colours(dark=False)
        == colours(dark=True)
        == {"correct": "rgb(0, 158, 115)", "flipped": "rgb(213, 94, 0)", "missed": "rgb(127, 127, 127)", "added": "rgb(204, 121, 167)"}
    )


def test_bars_are_as_long_as_their_numbers(single, open_page):
    page = open_page(single)
    for row in page.locator(".groups tbody tr").all():
        bar = row.locator(".stack").first.bounding_box()["width"]
        part = row.locator(".stack").first.locator(".flipped").bounding_box()["width"]
        said = float(row.locator("td[data-label='flipped'] .num").inner_text().split("\u202f")[0])
        assert part / bar == pytest.approx(said / 100, abs=0.002)


def test_print_shows_every_prediction(several, open_page):
    page = open_page(several)
    page.emulate_media(media="print")
    assert all(panel.is_visible() for panel in page.locator(".panel").all())
    assert not page.locator(".tabs").is_visible()


def test_the_examples_of_a_loop_are_shown_in_halves_that_stand_below_one_another_on_a_phone(rounds, open_page):
    for width, rows in ((1280, 1), (390, 2)):
        page = open_page(rounds, width=width)
        halves = page.locator(".card .halves svg")
        assert halves.count() == 12
        boxes = [halves.nth(k).bounding_box() for k in range(2)]
        assert all(box["width"] > 150 and box["height"] > 50 for box in boxes)
        assert len({round(box["y"]) for box in boxes}) == rows
        shown = page.evaluate("[...document.querySelectorAll('.halves image, .halves use')].every(e => e.getBBox().width > 0)")
        assert shown


def test_labels_and_answers_are_read_with_the_arrow_keys(replies, open_page):
    page = open_page(replies)
    page.locator(".matrix td").first.focus()
    readout = page.locator(".readout")
    assert "cat:" in readout.inner_text()
    assert "of 32 pictures" in readout.inner_text()
    page.keyboard.press("ArrowRight")
    assert "called dog" in readout.inner_text()


def test_the_pictures_of_one_figure_stand_in_one_row(replies, open_page):
    page = open_page(replies)
    boxes = [image.bounding_box() for image in page.locator(".card").first.locator("img").all()]
    assert len(boxes) == 4
    assert len({round(box["y"]) for box in boxes}) == 1
    assert all(box["width"] > 120 for box in boxes)
