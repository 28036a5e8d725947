"""The app: routes put together, errors as one sentence of JSON, the shield around it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from figureground.core.errors import FiguregroundError, FormatError, InputError, StateError
from figureground.review.options import ReviewOptions
from figureground.review.project import Project
from figureground.review.server import assets, checks, export, masks, pages, patches, pictures, progress, rate
from figureground.review.server import people as people_routes
from figureground.review.server.ending import Ending
from figureground.review.server.room import Exporter, Room, find_visit, room_of
from figureground.review.server.security import NO_SCREENS, Access, Shield
from figureground.review.store import people
from figureground.review.store.database import Database
from figureground.review.store.refusals import Absent, Conflict, NotAllowed
from figureground.version import __version__

ROUTES = (assets, pages, pictures, rate, patches, masks, checks, progress, people_routes, export)

_PLAIN: dict[str, Any] = {
    "openapi_url": "/api/openapi.json",
    "docs_url": None,  # that page loads its scripts from elsewhere
    "redoc_url": None,
    "telemetry": {"tracing": False, "metrics": False, "logs": False, "auto_configure": False},  # nothing leaves the machine
}


def create_app(
    project: Project,
    database: Database,
    options: ReviewOptions,
    *,
    access: Access | None = None,
    exporter: Exporter | None = None,
    ending: Ending | None = None,
) -> FastAPI:
    """The review page of a project as an ASGI app.

    Args:
        project: what is reviewed.
        database: an open database of this project.
        options: quorum, grid and the like.
        access: which hosts are ours and whether people sign in; default loopback, without tokens.
        exporter: writes the labels artifact; None = the button for it is not there.
        ending: how the review ends by itself; None = it does not.
    """
    access = access or Access()
    room = Room(project=project, database=database, options=options, access=access, exporter=exporter, ending=ending)
    if not access.tokens:
        with database.write() as connection:
            room.local = people.local(connection, access.local)
    app = FastAPI(title="figureground review", version=__version__, **_PLAIN)
    app.state.room = room
    for module in ROUTES:
        app.include_router(module.router)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_request)
    app.add_exception_handler(FiguregroundError, _refused)
    app.add_exception_handler(DBAPIError, _no_database)
    app.add_exception_handler(Exception, _our_fault)
    app.add_middleware(Shield, access=access)
    return app


def _said(status: int, problem: str, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": problem}, status, headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    screen = request.method == "GET" and not request.url.path.startswith(NO_SCREENS)
    if screen and error.status_code == 401:
        return RedirectResponse("/enter", 303)
    if screen and "text/html" in request.headers.get("accept", ""):
        visit = await find_visit(request)
        return pages.page("problem", room_of(request), visit, status=error.status_code, words=_words(error))
    return _said(error.status_code, _words(error), error.headers)


def _words(error: HTTPException) -> str:
    """Our own words for what the framework says in one."""
    if error.status_code == 404 and error.detail == "Not Found":
        return "there is nothing at this address. Go back to the start page"
    if error.status_code == 405:
        return "this address cannot be asked in this way. Go back to the start page"
    return str(error.detail)


async def _wrong_request(request: Request, error: Exception) -> Response:
    """A request that does not fit: strangers learn nothing from it, others where it is wrong."""
    assert isinstance(error, RequestValidationError)
    if request.url.path.startswith("/api/") and await find_visit(request) is None:
        return _said(401, "you are not signed in. Open /enter and give your token")
    return _said(422, complaint(error.errors()))


def complaint(errors: Sequence[Any]) -> str:
    """What is wrong with a request, in one sentence."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return "the body is no valid JSON. Reload the page and try again"
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "path", "query"))
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"`{where or 'body'}`: {first['msg'][:200]}{more}. Reload the page and try again".encode("utf-8", "replace").decode()


async def _refused(request: Request, error: Exception) -> Response:
    """Errors raised on purpose; paths on this machine stay on it."""
    if isinstance(error, FormatError):
        return _said(422, f"{error.fault.problem}. {error.fault.remedy}")
    if isinstance(error, Conflict):
        return JSONResponse({"error": str(error), "version": error.version}, 409)
    kinds = ((Absent, 404), (NotAllowed, 403), (InputError, 422), (StateError, 409))
    return _said(next((status for kind, status in kinds if isinstance(error, kind)), 500), str(error))


async def _our_fault(request: Request, error: Exception) -> Response:
    """Anything else: what went wrong stands in the log, not in the answer."""
    return _said(500, "something went wrong in the server; it is written to its log. Please report it")


async def _no_database(request: Request, error: Exception) -> Response:
    """The database is busy or away: nothing was saved, and the page asks again by itself."""
    return _said(503, "the database does not answer. Nothing was saved; the page tries again", {"retry-after": "2"})
