"""Worlds: the app over one generated pool, with a fresh database each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.review.server.world import World, open_world, write_pool

from figureground.review.server.security import Access

BEYOND = Access(tokens=True, hosts=frozenset({"review.example"}))


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures under review."""
    return write_pool(tmp_path_factory.mktemp("review") / "pool")


@pytest.fixture
def make_world(pool: Path, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """`make_world(options=..., access=..., url=...)`; SQLite unless told."""
    made: list[World] = []

    def make(*, url: str = "", **given) -> World:
        made.append(open_world(pool, url or f"sqlite:///{tmp_path}/review{len(made)}.db", **given))
        return made[-1]

    yield make
    for world in made:
        world.database.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """On loopback, without tokens."""
    return make_world()


@pytest.fixture
def beyond(make_world: Callable[..., World]) -> World:
    """Reached from elsewhere: everybody signs in."""
    return make_world(access=BEYOND)
