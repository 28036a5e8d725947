"""What every route works with: the project, the database, who is asking, and what they may do.

A route takes `here: Here` (the room) and `visit: Visitor`, `CheckerVisit` or `AdminVisit` (who asks; a change without the page's mark is
refused before the route runs), opens `here.database.read()` or `.write()`, calls one function of the store, and answers.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from fastapi import Depends, Path, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from figureground.review.options import ReviewOptions
from figureground.review.project import Item, Project
from figureground.review.server.ending import Ending
from figureground.review.server.security import CSRF_HEADER, SAFE, Access, Attempts, csrf_mark, new_secret, same_mark
from figureground.review.server.together import Together
from figureground.review.store import people
from figureground.review.store.database import Database

MOST = 2**31 - 1
"""The largest whole number that every database keeps."""
REMEMBERED_S = 5.0
"""How long a sign-in is believed without asking the database: another server on the same database may have ended it."""
RANKS = {"reviewer": 0, "checker": 1, "admin": 2}


class Exporter(Protocol):
    """Writes the labels artifact."""

    def __call__(self) -> dict[str, Any]:
        """Writes what the database holds now; says `where` and how much."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Who asks, and the mark that their page sends with each change."""

    reviewer: people.Reviewer
    csrf: str
    key: str | None = None
    """Secret key of the session; None for the local reviewer."""

    def may(self, role: str) -> bool:
        """True where the reviewer's role is this one or above it."""
        return RANKS[self.reviewer.role] >= RANKS[role]


@dataclass(slots=True, kw_only=True)
class Room:
    """One running review: what `create_app` was given, and what is remembered between requests."""

    project: Project
    database: Database
    options: ReviewOptions
    access: Access
    exporter: Exporter | None = None
    ending: Ending | None = None
    """None = only people end it."""
    secret: str = field(default_factory=new_secret)
    attempts: Attempts = field(default_factory=Attempts)
    together: Together = field(init=False)
    """For small writes that come by the hundred."""
    local: people.Reviewer | None = None
    kept: dict[Any, Any] = field(default_factory=dict)
    """Room for what a route works out once, such as a reviewer's order; keys begin with the name of the route's file."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: dict[str, tuple[float, Visit]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.together = Together(self.database)

    @property
    def cookie(self) -> str:
        """Name of the session cookie: of this project, since cookies do not tell ports apart."""
        return f"figureground_{self.project.digest[:8]}"

    def remembered(self, key: str) -> Visit | None:
        """The visit of a session that was looked up a moment ago."""
        at, visit = self._seen.get(key, (0.0, None))
        return visit if time.monotonic() - at < REMEMBERED_S else None

    def look_up(self, key: str) -> Visit | None:
        """The visit of a session as the database has it."""
        with self.database.read() as connection:
            reviewer = people.by_session(connection, key)
        if reviewer is None:
            self._seen.pop(key, None)
            return None
        visit = Visit(reviewer=reviewer, csrf=csrf_mark(key), key=key)
        if len(self._seen) > 10_000:
            self._seen.clear()
        self._seen[key] = (time.monotonic(), visit)
        return visit

    def forget_visits(self) -> None:
        """Every sign-in is looked up again: somebody left or was revoked."""
        self._seen.clear()

    def local_visit(self) -> Visit | None:
        """The visit of the local reviewer; None where everybody signs in."""
        return Visit(reviewer=self.local, csrf=csrf_mark(self.secret)) if self.local is not None else None


def room_of(request: Request) -> Room:
    """The room of the app that was asked."""
    return request.app.state.room


async def _here(request: Request) -> Room:
    return room_of(request)


async def find_visit(request: Request) -> Visit | None:
    """Who asks: by session cookie, else the local reviewer; None where nobody is signed in."""
    room = room_of(request)
    if key := request.cookies.get(room.cookie):
        visit = room.remembered(key) or await run_in_threadpool(room.look_up, key)
        if visit is not None:
            return visit
    return room.local_visit()


async def _visitor(request: Request) -> Visit:
    """Who asks; refuses strangers, and changes that do not bear the mark of the asker's own page."""
    visit = await find_visit(request)
    if visit is None:
        raise HTTPException(401, "you are not signed in. Open /enter and give your token")
    if request.method not in SAFE and not same_mark(request.headers.get(CSRF_HEADER, ""), visit.csrf):
        raise HTTPException(403, "the request lacks the mark of this page (header X-CSRF-Token). Reload the page")
    return visit


async def _checker(visit: Annotated[Visit, Depends(_visitor)]) -> Visit:
    if not visit.may("checker"):
        raise HTTPException(403, "checking masks needs the role checker or admin. Ask an admin")
    return visit


async def _admin(visit: Annotated[Visit, Depends(_visitor)]) -> Visit:
    if not visit.may("admin"):
        raise HTTPException(403, "this needs the role admin. Ask an admin")
    return visit


async def _item(request: Request, place: Annotated[int, Path(ge=0, le=MOST)]) -> Item:
    items = room_of(request).project.items
    if place >= len(items):
        raise HTTPException(404, f"there is no sample at place {place}: the project has {len(items)}. Reload the page")
    return items[place]


Here = Annotated[Room, Depends(_here)]
Visitor = Annotated[Visit, Depends(_visitor)]
CheckerVisit = Annotated[Visit, Depends(_checker)]
AdminVisit = Annotated[Visit, Depends(_admin)]
Passed = Annotated[list[Annotated[int, Field(ge=0, le=MOST)]], Query(default_factory=list, max_length=200)]
"""What somebody leaves to others."""
ItemAt = Annotated[Item, Depends(_item)]
"""The sample at the path's `{place}`; 404 where there is none."""
