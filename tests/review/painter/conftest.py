"""The painter's modules in a real browser: served as they lie, under a name that leads nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.review.painter.desk import DATA, Desk, generated_review, ready, real_review

from figureground import review

STATIC = Path(review.__file__).parent / "static" / "mask"
KINDS = {".js": "text/javascript", ".css": "text/css"}


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
    names = ["runs", "shapes", "layer", "history", "regions", "tidy", "votes", "painter"]
    page.evaluate(
        "async (names) => { window.m = Object.assign({}, ...await Promise.all(names.map((name) => import(`/${name}.js`)))); }", names
    )
    yield lambda body, given=None: page.evaluate(f"async (given) => {{ {body} }}", given)
    context.close()


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
