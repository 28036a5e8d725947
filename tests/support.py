"""What tests of several rooms run with: the program itself, a reporter that watches a run, and a child process that hears Ctrl-C."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
from pathlib import Path
from unittest import mock

from figureground.__main__ import main


def run_program(*arguments: object, cwd: Path | None = None) -> tuple[int, str, str]:
    """Runs the command line in this process, which spares the imports; returns exit code, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["figureground", *map(str, arguments)]),
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return code, out.getvalue(), err.getvalue()


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
