"""A data set of generated pictures, the real app over it, and people who ask it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import select
from starlette.testclient import TestClient

from figureground.review.options import ReviewOptions
from figureground.review.project import Project, open_project
from figureground.review.server.app import create_app
from figureground.review.server.room import Room
from figureground.review.server.security import Access
from figureground.review.store import masks, people
from figureground.review.store.database import Database, open_database
from figureground.review.store.tables import meta

NAMES = ("ground", "cat", "dog")
SIZE_HW = (48, 64)
BASE = "http://127.0.0.1:8765"


def picture(seed: int, size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    """A shaded ground with a bright disc: something to look at."""
    height, width = size_hw
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    ground = np.stack([40 + 90 * y / height, 60 + 80 * x / width, np.full(size_hw, 90.0)], -1)
    centre, radius = rng.uniform(0.3, 0.7, 2) * size_hw, 0.28 * min(size_hw)
    disc = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
    return np.where(disc[..., None], rng.integers(120, 256, 3), ground).astype(np.uint8)


def label_map(seed: int, size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    """Blocks of classes, uint8 [height, width]."""
    cells = np.random.default_rng(seed).integers(0, 3, (3, 4), np.uint8)
    return np.kron(cells, np.ones((size_hw[0] // 3, size_hw[1] // 4), np.uint8))


def write_pool(folder: Path, *, count: int = 12, size_hw: tuple[int, int] = SIZE_HW) -> Path:
    """A data set of generated pictures, with the label maps of a target and a rival beside it."""
    (folder / "images").mkdir(parents=True)
    lines = ["id,image,label"]
    for n in range(count):
        Image.fromarray(picture(n, size_hw)).save(folder / "images" / f"p{n}.png")
        lines.append(f"p{n},images/p{n}.png,{NAMES[1 + n % 2]}")
    (folder / "samples.csv").write_text("\n".join(lines) + "\n")
    (folder / "dataset.toml").write_text('[classes]\nnames = ["ground", "cat", "dog"]\n[samples]\ntable = "samples.csv"\n')
    for number, name in enumerate(("target", "rival")):
        (folder / name).mkdir()
        for n in range(count):
            Image.fromarray(label_map(1000 * number + n, size_hw)).save(folder / name / f"p{n}.png")
    return folder


def with_models(options: ReviewOptions, pool: Path) -> ReviewOptions:
    """The options with both models of such a pool."""
    return replace(options, models=tuple(f"{name}=png:{pool / name}" for name in ("target", "rival")))


@dataclass(eq=False)
class Asker:
    """Somebody with a browser: keeps cookies, and sends the mark of the page with every change."""

    client: TestClient
    csrf: str = ""

    def enter(self, token: str) -> Asker:
        answer = self.client.post("/enter", json={"token": token})
        assert answer.status_code == 200, answer.text
        return self.learn()

    def learn(self) -> Asker:
        self.csrf = self.get("/api/project")["csrf"]
        return self

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The whole answer."""
        headers = {"x-csrf-token": self.csrf, **more.pop("headers", {})}
        return self.client.request(method, path, json=body, headers=headers, **more)

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.ask("POST", path, body)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()


@dataclass(eq=False)
class World:
    """A running review."""

    project: Project
    database: Database
    app: Any
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def room(self) -> Room:
        return self.app.state.room

    def stranger(self, base: str = BASE) -> Asker:
        return Asker(TestClient(self.app, base_url=base, raise_server_exceptions=False))

    def local(self) -> Asker:
        """The local reviewer, where no token is wanted."""
        return self.stranger().learn()

    def add(self, name: str, role: people.Role) -> str:
        with self.database.write() as connection:
            self.tokens[name] = people.add(connection, name, role=role)[1]
        return self.tokens[name]

    def visitor(self, name: str, role: people.Role = "reviewer") -> Asker:
        """Somebody signed in, let in on first use."""
        return self.stranger().enter(self.tokens.get(name) or self.add(name, role))

    def draw(self, asker: Asker, place: int, layer: np.ndarray | None = None) -> int:
        """A submitted mask by somebody, as the store makes it; its number."""
        number = asker.get("/api/project")["reviewer"]["number"]
        start = self.project.layer_of(place, 0) if layer is None else layer
        assert start is not None
        with self.database.write() as connection:
            made = masks.open_(connection, place, reviewer=number, start=start)
            masks.submit(connection, made.number, version=made.version)
            return made.number

    def content(self) -> dict[str, list[tuple]]:
        """Every row of every table but sessions."""
        with self.database.read() as connection:
            return {
                name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
                for name, table in meta.tables.items()
                if name != "session"
            }


def open_world(pool: Path, url: str, *, options: ReviewOptions | None = None, access: Access | None = None, exporter: Any = None) -> World:
    """The app over a pool and a database."""
    options = with_models(options or ReviewOptions(), pool)
    project = open_project(str(pool), options=options)
    database = open_database(url, project)
    return World(project, database, create_app(project, database, options, access=access, exporter=exporter))
