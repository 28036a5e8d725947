"""Progress on stderr: a bar on a terminal, plain lines elsewhere, nothing when quiet. Results go to stdout, never here."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from figureground.core.progress import Progress, QuietReporter, Reporter

__all__ = ["BarReporter", "LineReporter", "Progress", "QuietReporter", "Reporter", "terminal_reporter"]

LINE_EVERY_S = 10.0


class LineReporter:
    """Plain lines for logs: the start, a line every ten seconds, the end with the rate."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr

    def say(self, text: str) -> None:
        """One line."""
        print(text, file=self.stream, flush=True)

    @contextmanager
    def track(self, what: str, *, total: int, unit: str, done: int = 0) -> Iterator[Progress]:
        """Lines about `total` units, of which `done` were there already."""
        lines = _Lines(self, what, total, unit, done)
        yield lines
        lines.finish()


class _Lines:
    def __init__(self, reporter: LineReporter, what: str, total: int, unit: str, done: int) -> None:
        self.reporter, self.what, self.total, self.unit, self.done, self.before = reporter, what, total, unit, done, done
        self.start = self.last = time.monotonic()
        if done:
            reporter.say(f"{what}: {done} of {total} {unit} were done before, continuing")

    def advance(self, amount: int = 1) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.last >= LINE_EVERY_S:
            self.last = now
            self.reporter.say(f"{self.what}: {self.done} of {self.total} {self.unit}")

    def finish(self) -> None:
        seconds, fresh = time.monotonic() - self.start, self.done - self.before
        rate = ""
        if seconds > 0.5 and fresh:
            rate = f", {fresh / seconds:.0f} a second" if fresh > seconds else f", {seconds / fresh:.0f} s each"
        self.reporter.say(f"{self.what}: {self.done} of {self.total} {self.unit} in {seconds:.1f} s{rate}")


class BarReporter:
    """A rich progress bar for people at a terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)

    def say(self, text: str) -> None:
        """One line above the bar."""
        self.console.print(text, markup=False, highlight=False)

    @contextmanager
    def track(self, what: str, *, total: int, unit: str, done: int = 0) -> Iterator[Progress]:
        """A bar that vanishes into one line when full."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with RichProgress(*columns, console=self.console) as bars:
            task = bars.add_task(what, total=total, completed=done)
            yield _Bar(bars, task)


class _Bar:
    def __init__(self, bars: object, task: object) -> None:
        self.bars, self.task = bars, task

    def advance(self, amount: int = 1) -> None:
        self.bars.advance(self.task, amount)  # type: ignore[attr-defined]


def terminal_reporter() -> Reporter:
    """A bar where stderr is a terminal, plain lines elsewhere."""
    return BarReporter() if sys.stderr.isatty() else LineReporter()
