"""The painter's modules in a real browser: served as they lie, under a name that leads nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from figureground import review

CHROMIUM = Path("/usr/bin/chromium")
STATIC = Path(review.__file__).parent / "static" / "mask"
KINDS = {".js": "text/javascript", ".css": "text/css"}


@pytest.fixture(scope="session")
def chromium():
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as runner:
        browser = runner.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def modules(chromium):
    """`modules(body, argument)`: the value of an async function body with every pure module in `m` and the argument in `given`."""
    context = chromium.new_context()
    page = context.new_page()

    def serve(route):
        name = route.request.url.rpartition("/")[2]
        file = STATIC / name
        if file.suffix in KINDS and file.is_file():
            route.fulfill(body=file.read_text(), content_type=KINDS[file.suffix])
        else:
            route.fulfill(body="<!doctype html><title>modules</title>", content_type="text/html")

    page.route("http://painter.test/**", serve)
    page.goto("http://painter.test/")
    names = ["runs", "shapes", "layer", "history", "regions", "tidy", "painter"]
    page.evaluate(
        "async (names) => { window.m = Object.assign({}, ...await Promise.all(names.map((name) => import(`/${name}.js`)))); }", names
    )
    yield lambda body, given=None: page.evaluate(f"async (given) => {{ {body} }}", given)
    context.close()
