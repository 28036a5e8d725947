"""What tests of the review page share: small projects, and a fresh database of each kind, PostgreSQL from a real server of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pg8000.dbapi
import pytest

from figureground.core.types import ClassTable
from figureground.review.store.database import Database, open_database
from figureground.review.store.tables import meta

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
CLASSES = ClassTable(names=("background", "cat", "dog"), ids=(0, 3, 7))
NAMES = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallItem:
    place: int
    id: str
    size_hw: tuple[int, int]
    image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallProject:
    """As much of a project as the store asks for."""

    name: str
    digest: str
    classes: ClassTable
    items: tuple[SmallItem, ...]
    models: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    target: tuple[str, ...] = ()


def small_project(
    *,
    samples: int = 12,
    size_hw: tuple[int, int] = (40, 60),
    name: str = "queue",
    digest: str = "d" * 64,
    classes: ClassTable = CLASSES,
    models: tuple[str, ...] = (),
    target: tuple[str, ...] = (),
) -> SmallProject:
    items = tuple(SmallItem(place=place, id=f"s{place:03d}", size_hw=size_hw) for place in range(samples))
    sources = tuple(f"png:{model}" for model in models)
    return SmallProject(name=name, digest=digest, classes=classes, items=items, models=models, sources=sources, target=target)


class Cluster:
    """A PostgreSQL server in a folder of its own, reached by a Unix socket in that folder only."""

    def __init__(self, *, durable: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="figureground-pg-"))
        self._binaries, self._reused = BINARIES[-1].parent, None
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", self.folder / "data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N")
        settings = [f"-k {self.folder}", "-c listen_addresses=", "-c max_connections=200", "-c shared_buffers=32MB"]
        if not durable:
            settings += ["-c fsync=off", "-c synchronous_commit=off", "-c full_page_writes=off"]
        options = " ".join(settings)
        self._run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-t", "60", "-o", options, "start")
        # Stops it when the tests are over, and also when they are killed: either way this pipe ends.
        ends = f"cat; {self._binaries}/pg_ctl -D {self.folder}/data -m immediate stop; rm -rf {self.folder}/*"
        self._ender = subprocess.Popen(self._command("sh", "-c", ends), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd="/")

    def new_database(self) -> str:
        """The URL of a database in which nothing is."""
        name = f"review_{os.getpid()}_{next(NAMES)}"
        self._tell("postgres", f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def emptied_database(self) -> str:
        """The URL of one database that is used again and again: its tables are there, and nothing is in them."""
        if self._reused is None:
            self._reused = self.new_database()
            open_database(self._reused, small_project()).close()
        tables = ", ".join(name for name in meta.tables if name != "schema_version")
        name = self._reused.partition("@/")[2].partition("?")[0]
        self._tell(name, "SET lock_timeout = '20s'", f"TRUNCATE {tables} RESTART IDENTITY")
        return self._reused

    def _tell(self, database: str, *commands: str) -> None:
        connection = pg8000.dbapi.connect("postgres", unix_sock=str(self.folder / ".s.PGSQL.5432"), database=database)
        connection.autocommit = True
        for command in commands:
            connection.cursor().execute(command)
        connection.close()

    def stop(self) -> None:
        self._ender.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: object) -> None:
        command = self._command(str(self._binaries / program), *map(str, arguments))
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=120)

    def _command(self, *command: str) -> list[str]:
        """The server refuses to run as root."""
        return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else list(command)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """One server for the whole session."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed: there is no /usr/lib/postgresql/*/bin")
    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database."""
    return request.param


@pytest.fixture
def database_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a database is in which nothing is, once of each kind."""
    return f"sqlite:///{tmp_path}/review.db" if kind == "sqlite" else request.getfixturevalue("postgresql").new_database()


@pytest.fixture
def make_project() -> Callable[..., SmallProject]:
    return small_project


@pytest.fixture
def project() -> SmallProject:
    """Twelve samples of 40 x 60 pixels; classes background, cat (3) and dog (7)."""
    return small_project()


@pytest.fixture
def database(kind: str, request: pytest.FixtureRequest, tmp_path: Path, project: SmallProject) -> Iterator[Database]:
    """The project in a database without people, once of each kind."""
    url = f"sqlite:///{tmp_path}/review.db" if kind == "sqlite" else request.getfixturevalue("postgresql").emptied_database()
    opened = open_database(url, project)
    yield opened
    opened.close()
