"""Live reviews of generated pictures, and pages in the system's Chromium."""

from __future__ import annotations

import pytest
from tests.review.browser.live import SIZES, Live, Watch
from tests.review.server.world import open_world, write_pool


@pytest.fixture(scope="session")
def pool(tmp_path_factory):
    return write_pool(tmp_path_factory.mktemp("browser") / "pool", count=6, size_hw=(240, 320))


@pytest.fixture
def make_live(pool, tmp_path):
    """`make_live(options=..., access=...)`: a server that answers."""
    made = []

    def make(**given):
        given.setdefault("url", f"sqlite:///{tmp_path}/review{len(made)}.db")
        made.append(Live(open_world(given.pop("pool", pool), **given)).start())
        return made[-1]

    yield make
    for live in made:
        live.stop()
        live.world.database.close()


@pytest.fixture
def live(make_live):
    return make_live()


@pytest.fixture
def open_page(chromium):
    """`open_page(live, path, size=..., dark=..., token=...)`; at the end no page has complained or asked elsewhere."""
    made = []

    def opened(live, path="/", *, size="wide", dark=False, token="", expected=()):
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            has_touch=size == "tablet",
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        page, watch = context.new_page(), Watch(expected=tuple(expected))
        watch.listen(page)
        made.append((context, watch, live.base))
        if token:
            page.goto(f"{live.base}/enter#{token}")
            page.wait_for_url(f"{live.base}/")
        page.goto(live.base + path)
        return page

    yield opened
    for context, _, _ in made:
        context.close()
    for _, watch, base in made:
        watch.check(base)
