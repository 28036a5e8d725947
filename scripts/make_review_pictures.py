"""The pictures of docs/how-to/review.md: the review page over what `figureground demo` drew, in the system's Chromium.

    python scripts/make_review_pictures.py demo-out

Needs Chromium and playwright, as the browser tests do. The reviewers and what they say are made up here, the same each time.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import sync_playwright

from figureground.review.options import ReviewOptions
from figureground.review.project import Project, open_project
from figureground.review.server.app import create_app
from figureground.review.server.serve import listen
from figureground.review.store import patches, people, ratings
from figureground.review.store.database import Database, open_database

ASSETS = Path(__file__).resolve().parents[1] / "docs" / "assets"
CHROMIUM, SIZE, QUALITY = "/usr/bin/chromium", {"width": 1280, "height": 720}, 82
PICTURES = 60


def main(demo: Path) -> None:
    """Draws each screen and writes `docs/assets/review-*.jpg`."""
    models = tuple(f"{name}={demo / 'predictions' / name}" for name in ("tied", "balanced"))
    options = ReviewOptions(models=models, pictures=PICTURES, quorum=3, worst=18)
    project = replace(open_project(f"{demo / 'data' / 'tied'}?split=test", options=options), name="animals")
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/review.sqlite", project)
        say(database, project)
        with served(project, database, options) as base, sync_playwright() as runner:
            browser = runner.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_context(viewport=SIZE, color_scheme="light").new_page()
            for name in ("rate", "patches", "mask", "progress"):
                page.goto(f"{base}/{name}")
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(800)
                if name == "patches":
                    page.keyboard.press("m")
                if name == "mask":
                    page.keyboard.press("n")  # to the largest region of the layer
                page.wait_for_timeout(3500)  # what the page says about a key goes away
                picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                picture.save(ASSETS / f"review-{name}.jpg", quality=QUALITY, optimize=True, progressive=True)
                print(f"review-{name}.jpg: {(ASSETS / f'review-{name}.jpg').stat().st_size / 1024:.0f} KiB")
            browser.close()
        database.close()


def say(database: Database, project: Project) -> None:
    """Three people rate most of the pictures, one of them is milder than the others; one marks some patches."""
    chance = random.Random(0)
    with database.write() as connection:
        numbers = [people.add(connection, name, role="reviewer")[0].number for name in ("Ada", "Ben", "Cleo")]
        for item in project.items[: PICTURES - 12]:
            share = (project.layer_of(item.place, 0) == project.layer_of(item.place, 1)).mean()  # type: ignore[union-attr]
            for lean, number in zip((0.0, 0.5, -0.2), numbers, strict=True):
                score = min(5, max(1, round(1 + 4 * share**6 + lean + chance.gauss(0, 0.5))))
                seconds = chance.uniform(2, 5)
                ratings.save(connection, number, place=item.place, showing=0, score=score, out_of_domain=False, seconds=seconds)
        for item in project.items[:9]:
            layer = project.layer_of(item.place, 0)
            assert layer is not None
            side = [length // 16 * 16 for length in layer.shape]
            cells = layer[: side[0], : side[1]].reshape(16, side[0] // 16, 16, side[1] // 16).any((1, 3))
            patches.save(connection, item.place, reviewer=numbers[0], cells=cells, version=0, seconds=chance.uniform(9, 16))


@contextmanager
def served(project: Project, database: Database, options: ReviewOptions) -> Iterator[str]:
    """The address of a server that runs meanwhile."""
    app: Any = create_app(project, database, options, exporter=lambda: {"where": "labels"})
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-out"))
