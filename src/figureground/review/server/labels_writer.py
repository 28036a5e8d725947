"""Writing the labels of a running review: when it is asked for, every few minutes, and at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from figureground.core.errors import BusyError, FiguregroundError
from figureground.review.options import ReviewOptions, asked
from figureground.review.project import Project
from figureground.review.store.database import Database, cause
from figureground.review.store.labels import write_labels

WRITE_EVERY_S = 180.0
PATIENCE_S = 60.0
"""How long another server that writes the same labels is waited for."""


@dataclass(slots=True, eq=False)
class LabelsWriter:
    """Writes the labels artifact of a review, one at a time; what is written already is not written again.

    What is new is asked of the database and not counted here, for other servers may write into the same one.
    """

    database: Database
    project: Project
    out: Path
    options: ReviewOptions = field(default_factory=ReviewOptions)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> dict[str, Any]:
        """Writes it now."""
        until = time.monotonic() + PATIENCE_S
        with self.lock:
            while True:
                try:
                    write_labels(self.database, self.project, self.out, options=asked(self.options), sources=self.project.files)
                    return {"where": str(self.out)}
                except BusyError:
                    if time.monotonic() >= until:
                        raise
                time.sleep(0.1)


def write_now_and_then(writer: LabelsWriter, ended: threading.Event, say: Callable[[str], None]) -> None:
    """Writes every few minutes until it is ended; a failure, such as a database that is away for a while, is told and tried again."""
    while not ended.wait(WRITE_EVERY_S):
        try:
            writer()
        except SQLAlchemyError as error:
            say(f"the labels could not be written now, and are tried again: the database does not answer ({cause(error)})")
        except (FiguregroundError, OSError) as error:
            say(f"the labels could not be written now, and are tried again: {error}")
