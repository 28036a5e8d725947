"""What tests of several rooms run with: a reporter that watches a run and can end it, and a child process that hears Ctrl-C."""

from __future__ import annotations

import signal


class Watcher:
    """A reporter that keeps what it is told and counts steps, and ends the run, as Ctrl-C would, once `stop_after` are taken."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.said: list[str] = []
        self.tracked: list[str] = []
        self.steps, self.stop_after = 0, stop_after

    def say(self, text: str) -> None:
        self.said.append(text)

    def track(self, what: str, *, total: int | None, unit: str, done: int = 0) -> Watcher:
        self.tracked.append(what)
        return self

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def advance(self, amount: int = 1) -> None:
        self.steps += amount
        if self.stop_after is not None and self.steps >= self.stop_after:
            raise KeyboardInterrupt


def hear_ctrl_c() -> None:
    """For `preexec_fn`: a shell's background jobs, as the tests may be, ignore Ctrl-C and pass that on to their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
