"""A review of its own for the mask screen: pictures, models, a server in a process that can be killed, and a look into the database."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage
from sqlalchemy import select

from figureground.review.options import ReviewOptions
from figureground.review.project import open_project
from figureground.review.store import checks, masks, people, tables
from figureground.review.store.database import Database, open_database

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
NETWORKS = ("espnetv2_s_2.0", "dicenet_s_1.75", "espnetv2_s_1.0")
EIGHT = np.ones((3, 3), int)
START = """
import sys
from pathlib import Path
from figureground.review.options import ReviewOptions
from figureground.review.server.serve import Where, serve
queue, out, port, pictures, *models = sys.argv[1:]
options = ReviewOptions(models=tuple(models), worst=0, pictures=int(pictures))
serve(queue, out=Path(out), options=options, where=Where(port=int(port)), browser=False, reviewer="ada")
"""


@dataclass
class Desk:
    """A running review."""

    queue: str
    models: tuple[str, ...]
    folder: Path
    pictures: int = 0
    port: int = 0
    process: subprocess.Popen | None = None
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.project = open_project(self.queue, options=ReviewOptions(models=self.models, worst=0, pictures=self.pictures))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Desk:
        arguments = [self.queue, str(self.folder / "labels"), str(self.port), str(self.pictures), *self.models]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-c", START, *arguments], stdout=log, stderr=log)
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return self
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.1)
        raise AssertionError("the server does not start")

    def kill(self) -> None:
        """As if the machine had lost its power."""
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The database, beside the server."""
        opened = open_database(f"sqlite:///{self.folder / 'labels.sqlite'}", self.project)
        try:
            yield opened
        finally:
            opened.close()

    def stored(self, place: int) -> tuple[masks.Mask, np.ndarray]:
        """What the database holds of a picture: the mask and its layer."""
        with self.database() as database, database.read() as connection:
            (found,) = masks.of_place(connection, place)
            return found, masks.layer(connection, found.number)

    def leases(self) -> list[tuple]:
        """Who is at what."""
        with self.database() as database, database.read() as connection:
            return [tuple(row) for row in connection.execute(select(tables.lease))]

    def send_back(self, place: int, *, comment: str, marks: list[tuple[int, int, checks.Kind]]) -> None:
        """A checker returns the mask of a picture."""
        self._check(place, "returned", comment, [checks.Mark(x=x, y=y, kind=kind) for x, y, kind in marks])

    def accept(self, place: int) -> None:
        """A checker accepts the mask of a picture."""
        self._check(place, "accepted", "", [])

    def _check(self, place: int, verdict: checks.Verdict, comment: str, marks: list[checks.Mark]) -> None:
        with self.database() as database, database.write() as connection:
            checker, _ = people.add(connection, "eve", role="checker")
            (found,) = masks.of_place(connection, place)
            said = {"verdict": verdict, "comment": comment, "marks": marks}
            checks.save(connection, checker.number, mask=found.number, version=found.version, **said)

    def layer_of(self, place: int, model: int) -> np.ndarray:
        found = self.project.layer_of(place, model)
        assert found is not None
        return found


def region_at(layer: np.ndarray, x: int, y: int) -> np.ndarray:
    """bool: the largest set of pixels of the value at a point that touch at sides or corners, by scipy."""
    labels, _ = ndimage.label(layer == layer[y, x], EIGHT)
    return labels == labels[y, x]


def inside_of(region: np.ndarray) -> tuple[int, int]:
    """x, y of the pixel that is farthest from the region's edge."""
    distance = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(distance.argmax()), distance.shape)
    return int(x), int(y)


def largest(layer: np.ndarray, *, background: int = 0) -> np.ndarray:
    """The largest region that is not background, bool."""
    best = np.zeros(layer.shape, bool)
    for value in set(np.unique(layer).tolist()) - {background, 255}:
        labels, _ = ndimage.label(layer == value, EIGHT)
        sizes = np.bincount(labels.ravel())[1:]
        if sizes.max() > best.sum():
            best = labels == 1 + int(sizes.argmax())
    return best


def generated_review(folder: Path, *, size_hw: tuple[int, int] = (300, 420), pictures: int = 8) -> tuple[str, tuple[str, ...]]:
    """Pictures of discs and boxes, and three models: the first has the regions right and the names wrong, the others see less."""
    height, width = size_hw
    rng = np.random.default_rng(0)
    names = ["background", "cat", "dog", "sheep", "horse", "cow", "bird", "bear", "zebra", "giraffe", "boat"]
    for model in "abc":
        (folder / model).mkdir(parents=True)
    (folder / "images").mkdir()
    rows = ["id,image"]
    y, x = np.mgrid[:height, :width]
    for number in range(pictures):
        truth = np.zeros(size_hw, np.uint8)
        centre = rng.uniform(0.25, 0.4, 2) * size_hw
        truth[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < (0.16 * height) ** 2] = 1
        truth[int(0.6 * height) : int(0.85 * height), int(0.5 * width) : int(0.9 * width)] = 2
        truth[int(0.1 * height) : int(0.2 * height), int(0.75 * width) : int(0.9 * width)] = 3
        colours = np.array([[90, 110, 90], [200, 150, 60], [60, 90, 200], [220, 220, 220]], np.int16)
        picture = np.clip(colours[truth] + rng.integers(-20, 20, (*size_hw, 3)), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / "images" / f"p{number}.png"), picture[..., ::-1])
        flipped = np.array([0, 4, 2, 5], np.uint8)[truth]
        smaller = np.where(cv2.erode((truth > 0).astype(np.uint8), np.ones((9, 9))) > 0, np.array([0, 1, 6, 3], np.uint8)[truth], 0)
        third = np.where(truth == 3, 7, 0) if number else rng.integers(0, len(names), size_hw)  # noise: as many regions as there can be
        for model, found in {"a": flipped, "b": smaller, "c": third}.items():
            cv2.imwrite(str(folder / model / f"p{number}.png"), found.astype(np.uint8))
        rows.append(f"p{number},images/p{number}.png")
    (folder / "samples.csv").write_text("\n".join(rows) + "\n")
    listed = ", ".join(f'"{name}"' for name in names)
    (folder / "dataset.toml").write_text(f'[classes]\nnames = [{listed}]\nbackground = 0\nignore = 255\n[samples]\ntable = "samples.csv"\n')
    return str(folder), tuple(f"{model}=png:{folder / model}" for model in "abc")


def real_review() -> tuple[str, tuple[str, ...]]:
    """Photographs, and what three published networks saw in them."""
    return str(DATA / "voc21"), tuple(f"{name}=png:{DATA / 'predictions' / name / 'voc21'}" for name in NETWORKS)


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
