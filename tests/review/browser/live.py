"""A real server in a thread of its own, and a real browser on it that must stay silent and at home."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from sqlalchemy import select
from tests.review.server.world import World

from figureground.review.server.serve import listen
from figureground.review.store.tables import meta

SIZES = {"wide": (1280, 720), "tablet": (820, 1180)}


@dataclass(eq=False)
class Live:
    """The server of a world; it can be stopped and started again at the same address."""

    world: World
    port: int = 0
    server: Any = None
    thread: threading.Thread | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Live:
        listener: socket.socket = listen("127.0.0.1", self.port)
        self.port = listener.getsockname()[1]
        self.server = uvicorn.Server(
            uvicorn.Config(self.world.app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=1)
        )
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive(), "the server ended before it answered"
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=20)

    def rows(self, table: str) -> list[Any]:
        """What a table holds now, as mappings."""
        with self.world.database.read() as connection:
            return [row._mapping for row in connection.execute(select(meta.tables[table]))]

    def wait_for(self, table: str, count: int, *, where: Any = lambda row: True) -> list[Any]:
        """The rows, as soon as there are so many; fails after ten seconds."""
        for _ in range(200):
            found = [row for row in self.rows(table) if where(row)]
            if len(found) >= count:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{table} has {len(found)} rows, not {count}")


def until(page: Any, expression: str, given: Any = None, *, seconds: float = 15) -> None:
    """Waits until an expression holds in the page; asked from outside, as the page's policy forbids it to evaluate text itself."""
    for _ in range(round(seconds / 0.05)):
        if page.evaluate(expression, given):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {expression}; the page says {page.locator('#status').inner_text()!r}")


@dataclass(eq=False)
class Watch:
    """What pages said and asked for."""

    expected: tuple[str, ...] = ()
    """Parts of messages that a test brings about on purpose."""
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def listen(self, page: Any) -> None:
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def check(self, base: str) -> None:
        unexpected = [text for text in self.said if not any(part in text for part in self.expected)]
        assert unexpected == []
        assert [url for url in self.asked if not url.startswith((base, "blob:", "data:"))] == []
