"""A review that runs as people run it, in a thread: `serve` from its start to its own end, and people who ask it over the network."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from tests.review.server.world import Asker, with_models

from figureground.review.options import ReviewOptions
from figureground.review.server.serve import Where, serve


@dataclass(eq=False)
class Running:
    """One `serve`; with `sign_in` people need their tokens."""

    pool: Path
    out: Path
    given: dict[str, Any]
    said: list[str] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)
    base: str = ""
    clients: list[httpx2.Client] = field(default_factory=list)

    def start(self) -> Running:
        """Begins, and waits until it answers or has ended."""
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        while self.thread.is_alive() and not self.base:
            self.base = next(iter(re.findall(r"^Review: (http://127\.0\.0\.1:\d+)/", "\n".join(self.said), re.MULTILINE)), "")
            time.sleep(0.02)
        return self

    def _serve(self) -> None:
        given = dict(self.given)
        options = with_models(given.pop("options", ReviewOptions()), self.pool)
        where = Where(port=0, sign_in=given.pop("sign_in", False))
        try:
            serve(
                str(self.pool),
                out=self.out,
                options=options,
                where=where,
                reviewer="ann",
                browser=given.pop("browser", False),
                say=self.said.append,
                **given,
            )
        except BaseException as error:  # noqa: BLE001 - raised in the thread of the test, by `ended`
            self.failed.append(error)

    def visitor(self, token: str = "") -> Asker:
        """Somebody at the page."""
        self.clients.append(httpx2.Client(base_url=self.base, timeout=30))
        asker = Asker(self.clients[-1])
        return asker.enter(token) if token else asker.learn()

    def ended(self, seconds: float = 60) -> bool:
        """Whether it has ended, after so many seconds at most; what went wrong there is raised."""
        self.thread.join(seconds)
        if self.failed:
            raise self.failed[0]
        return not self.thread.is_alive()

    def close(self) -> None:
        """The browsers are closed; it must have ended."""
        for client in self.clients:
            client.close()
        assert self.ended(0)
