"""Styles, scripts and icons: read once from the package into a table, so that no path from a client reaches the disk."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Header, Response
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)
MEDIA = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@cache
def static_files() -> dict[str, tuple[bytes, str, str]]:
    """Content, media type and entity tag of each file under `static/`, by its name there."""
    root = resources.files("figureground.review") / "static"
    found: dict[str, tuple[bytes, str, str]] = {}
    waiting = [("", root)]
    while waiting:
        name, place = waiting.pop()
        if place.is_dir():
            waiting += [(f"{name}/{entry.name}" if name else entry.name, entry) for entry in place.iterdir()]
        elif (media := MEDIA.get(name.rpartition(".")[2])) is not None:
            content = place.read_bytes()
            found[name] = content, media, f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    return found


@router.get("/static/{name:path}")
async def static(name: str, if_none_match: Annotated[str, Header()] = "") -> Response:
    """One file of the page's own."""
    if name not in static_files():
        raise HTTPException(404, "there is no such file. Reload the page")
    content, media, tag = static_files()[name]
    headers = {"etag": tag, "cache-control": "no-cache"}
    return Response(status_code=304, headers=headers) if if_none_match == tag else Response(content, media_type=media, headers=headers)


@router.get("/favicon.ico")
async def favicon() -> Response:
    """The mark, for browsers that ask for it unasked."""
    content, media, tag = static_files()["mark.svg"]
    return Response(content, media_type=media, headers={"etag": tag, "cache-control": "max-age=3600"})
