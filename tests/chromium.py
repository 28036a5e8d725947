"""The system's Chromium under playwright, which waits for ever for a browser that does not go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Error, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_S = 60


@contextmanager
def opened_chromium(patience_s: float = PATIENCE_S) -> Iterator[Any]:
    """A browser; one that takes longer to come or to go is killed, and an end that was brought about so is no failure."""
    with _killed_after(patience_s):
        runner = sync_playwright().start()
        browser = runner.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
    try:
        yield browser
    finally:
        with _killed_after(patience_s):
            for end in (browser.close, runner.stop):
                with suppress(Error):
                    end()


@contextmanager
def _killed_after(seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, _kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _kill() -> None:
    """Ends playwright's driver and all that it started."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if any("playwright" in word for word in child.cmdline()):
                for one in (*child.children(recursive=True), child):
                    one.kill()
