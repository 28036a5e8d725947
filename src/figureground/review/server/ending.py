"""The end of a review that ends by itself: seen in the database, told to the pages, and then the server stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from figureground.review.done import Kind
from figureground.review.options import ReviewOptions
from figureground.review.schedule import schedule
from figureground.review.store import ratings
from figureground.review.store.database import Database
from figureground.review.store.outstanding import at_work, outstanding

LOOK_EVERY_S = 1.0
BUSY_PART = 0.05
"""Of the time that is spent on looking, at most."""
GRACE_S = 4.0
"""From the last answer on it can be taken back."""
FAREWELL_S = 4.0
"""The pages, which ask every second, learn that it has ended."""
PAUSE_S = 30.0
"""Who rated within this time is at the page, and is let finish what comes a second time."""
_SAYS = {"rated": "every picture is rated", "masked": "every picture of the work list has its masks"}


@dataclass(slots=True, eq=False, kw_only=True)
class Ending:
    """When one review ends."""

    kind: Kind
    database: Database
    options: ReviewOptions
    count: int
    """Pictures of the project."""
    over: bool = False
    """True once the pages are told; from then on nothing keeps it from ending."""

    @property
    def reason(self) -> str:
        """Why it ends."""
        return _SAYS[self.kind]

    @property
    def condition(self) -> str:
        """When it ends."""
        if self.kind == "masked":
            return f"{self.reason}, {'accepted by somebody else' if self.options.checked else 'handed in'}"
        return self.reason

    def lacking(self) -> list[int]:
        """The places that still lack an answer."""
        with self.database.read() as connection:
            return self._lacking(connection)

    def answered(self) -> bool:
        """True where all is answered, and nobody is at the page who still rates some pictures a second time."""
        with self.database.read() as connection:
            return not self._lacking(connection) and not (self.kind == "rated" and self._rates_on(connection))

    def _lacking(self, connection: Connection) -> list[int]:
        asked = self.options
        return outstanding(
            connection, kind=self.kind, quorum=asked.quorum, worst=asked.worst, labellers=asked.labellers, checked=asked.checked
        )

    def _rates_on(self, connection: Connection) -> bool:
        asked = self.options
        for person in at_work(connection, seconds=PAUSE_S):
            plan = schedule(seed=asked.seed, reviewer_seed=person.seed, count=self.count, repeats=asked.repeats)
            if ratings.next_items(connection, person.number, plan=plan, count=1, quorum=asked.quorum).left:
                return True
        return False


def end_when_answered(ending: Ending, ended: threading.Event, *, end: Callable[[], None], say: Callable[[str], None]) -> None:
    """Calls `end` a few seconds after all is answered: the last answer may be taken back first, and the pages are told.

    Args:
        ending: looked at again and again, as other servers may write into the same database.
        ended: set where the server ends for another reason.
        end: ends the server.
        say: told that it ends.
    """
    since, pause = None, 0.0
    while not ended.wait(pause):
        begun = time.monotonic()
        since = (since or begun) if _answered(ending) else None
        if since is not None and begun - since >= GRACE_S:
            ending.over = True
            say(f"All is answered: {ending.reason}")
            ended.wait(FAREWELL_S)
            end()
            return
        pause = max(LOOK_EVERY_S, (time.monotonic() - begun) / BUSY_PART)


def _answered(ending: Ending) -> bool:
    """The same; False while the database does not answer, which the pages and the writer of labels tell."""
    try:
        return ending.answered()
    except SQLAlchemyError:
        return False
