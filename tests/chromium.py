"""The system's Chromium under playwright, which waits for ever for a browser that does not go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Error, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_S = 60


@contextmanager
def opened_chromium(patience_s: float = PATIENCE_S) -> Iterator[Any]:
    """A browser; one that takes longer to come or to go is killed. It may fail to come once, and an end brought about so is no failure."""
    try:
        runner, browser = _open(patience_s)
    except Error:
        runner, browser = _open(patience_s)
    try:
        yield browser
    finally:
        _end(browser.close, runner.stop, patience_s=patience_s)


def _open(patience_s: float) -> tuple[Any, Any]:
    with _killed_after(patience_s):
        runner = sync_playwright().start()
        try:
            return runner, runner.chromium.launch(
                executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            )
        except Error:
            _end(runner.stop, patience_s=patience_s)
            raise


def _end(*ends: Callable[[], None], patience_s: float) -> None:
    with _killed_after(patience_s):
        for end in ends:
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
