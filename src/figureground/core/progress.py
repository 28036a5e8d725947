"""How work tells of itself while it runs: the ports that every room may speak through, and the one that says nothing."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """What a stage tells about how far it is."""

    def advance(self, amount: int = 1) -> None:
        """So many more units are done."""
        ...


class Reporter(Protocol):
    """Where a stage speaks while it runs."""

    def say(self, text: str) -> None:
        """One line for the person who waits."""
        ...

    def track(self, what: str, *, total: int, unit: str, done: int = 0) -> AbstractContextManager[Progress]:
        """A context with a `Progress`."""
        ...


class QuietReporter:
    """Says nothing: the default of library calls."""

    def say(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def track(self, what: str, *, total: int, unit: str, done: int = 0) -> Generator[Progress]:
        """A progress nobody sees."""
        yield _Silent()


class _Silent:
    def advance(self, amount: int = 1) -> None:
        """Nothing."""
