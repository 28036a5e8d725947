"""The screens as HTML, the facts of the project that their scripts ask for, signing in and out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from figureground.data.colours import class_colours
from figureground.review.layers import MOST_CLASSES, VOID
from figureground.review.options import grid_of
from figureground.review.server.room import CheckerVisit, Here, Room, Visit, Visitor
from figureground.review.store import people
from figureground.review.store.limits import DAY_S
from figureground.version import __version__

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One entry of the menu."""

    name: str
    title: str
    role: str
    says: str


SCREENS = (
    Screen(name="rate", title="Rate", role="reviewer", says="Say how good each prediction is, from bad to excellent, with one key."),
    Screen(name="patches", title="Patches", role="reviewer", says="Mark on a coarse grid what is figure and what is ground."),
    Screen(name="mask", title="Mask", role="reviewer", says="Choose whose region is right, name it, and mend what is left."),
    Screen(name="check", title="Check", role="checker", says="Look at masks that others have made; accept them or send them back."),
    Screen(name="progress", title="Progress", role="reviewer", says="What is done, how well people agree, what is left."),
    Screen(name="people", title="People", role="admin", says="Who may take part."),
)


@cache
def templates() -> Environment:
    """The template environment: everything is escaped, and an unknown name is an error."""
    return Environment(
        loader=PackageLoader("figureground.review"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def page(name: str, here: Room, visit: Visit | None, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A screen for somebody; `visit` None = not signed in. What is private is not kept by the browser."""
    screens = [] if visit is None else [s for s in SCREENS if visit.may(s.role) and (s.name != "mask" or here.project.can_mask)]
    html = (
        templates()
        .get_template(f"{name}.html")
        .render(
            page=name,
            project=here.project.name,
            count=len(here.project.items),
            visit=visit,
            screens=screens,
            local=visit and not visit.key,
            ends=visit is not None and here.ending is not None,
            **values,
        )
    )
    return HTMLResponse(html, status, headers={"cache-control": "no-store"})


def refuse_unpaintable(here: Room) -> None:
    """404 where a layer of one byte a pixel has no room for every class."""
    if not here.project.can_mask:
        raise HTTPException(404, f"a project with more than {MOST_CLASSES} classes cannot be painted. Rate it, or mark patches")


@router.get("/", include_in_schema=False)
def start(here: Here, visit: Visitor) -> Response:
    """Where to begin."""
    return page("start", here, visit)


@router.get("/rate", include_in_schema=False)
def rate(here: Here, visit: Visitor) -> Response:
    """The screen Rate."""
    return page("rate", here, visit, models=len(here.project.models))


@router.get("/patches", include_in_schema=False)
def patches(here: Here, visit: Visitor) -> Response:
    """The screen Patches."""
    return page("patches", here, visit, models=len(here.project.models))


@router.get("/mask", include_in_schema=False)
def mask(here: Here, visit: Visitor) -> Response:
    """The screen Mask."""
    refuse_unpaintable(here)
    return page("mask", here, visit)


@router.get("/check", include_in_schema=False)
def check(here: Here, visit: CheckerVisit) -> Response:
    """The screen Check."""
    return page("check", here, visit)


@router.get("/enter", include_in_schema=False)
def enter(here: Here) -> Response:
    """Where a token is given."""
    return page("enter", here, None)


class Token(BaseModel):
    """A reviewer's token."""

    token: Annotated[str, Field(max_length=200)]


@router.post("/enter", tags=["sign-in"])
def sign_in(given: Token, here: Here, request: Request) -> Response:
    """Opens a session for a token; one address may fail ten times a minute, which keeps nobody with a right token out."""
    address = request.client.host if request.client else ""
    with here.database.write() as connection:
        reviewer = people.by_token(connection, given.token.strip())
        key = people.open_session(connection, reviewer.number) if reviewer is not None else None
    if reviewer is None or key is None:
        if wait := here.attempts.wait_s(address):
            raise HTTPException(429, f"too many tokens were wrong. Wait {wait} seconds and try again", {"retry-after": str(wait)})
        here.attempts.note(address)
        raise HTTPException(401, "this token is not known, or it was revoked. Ask an admin for a new one")
    answer = JSONResponse({"name": reviewer.name, "role": reviewer.role})
    secure = request.url.scheme == "https"
    answer.set_cookie(here.cookie, key, max_age=people.SESSION_DAYS * DAY_S, path="/", secure=secure, httponly=True, samesite="strict")
    return answer


@router.post("/leave", tags=["sign-in"])
def leave(here: Here, visit: Visitor) -> Response:
    """Ends the session."""
    if visit.key is not None:
        with here.database.write() as connection:
            people.close_session(connection, visit.key)
        here.forget_visits()
    answer = JSONResponse({"left": visit.key is not None})
    answer.delete_cookie(here.cookie, path="/", httponly=True, samesite="strict")
    return answer


@router.get("/health", tags=["server"])
async def health() -> dict[str, str]:
    """Answers as soon as the page can be used; needs no sign-in."""
    return {"status": "ok", "version": __version__}


@router.get("/api/project", tags=["project"])
def project_facts(here: Here, visit: Visitor) -> dict[str, Any]:
    """Classes with colours, options and who asks: what every script begins with."""
    rows, columns = grid_of(here.options.grid)
    return {
        "name": here.project.name,
        "digest": here.project.version,
        "count": len(here.project.items),
        "classes": classes_with_colours(here),
        "void": VOID,
        "models": len(here.project.models),
        "options": {"rows": rows, "columns": columns, "quorum": here.options.quorum, "worst": here.options.worst},
        "reviewer": {"number": visit.reviewer.number, "name": visit.reviewer.name, "role": visit.reviewer.role},
        "csrf": visit.csrf,
    }


@router.get("/api/ending", tags=["project"])
def ending(here: Here, visit: Visitor) -> dict[str, bool]:
    """Whether all is answered and the server ends in a moment; open pages ask for it and say so."""
    return {"ended": here.ending is not None and here.ending.over}


def classes_with_colours(here: Room) -> list[Mapping[str, Any]]:
    """Place, name, colour and whether it is the background, of each class."""
    table = here.project.classes
    colours = ("#" + "".join(f"{part:02x}" for part in colour) for colour in class_colours(table).tolist())
    return [
        {"place": place, "name": name, "colour": colour, "background": table.ids[place] == table.background}
        for place, (name, colour) in enumerate(zip(table.names, colours, strict=True))
    ]
