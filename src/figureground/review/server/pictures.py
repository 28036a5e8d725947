"""Pictures and label maps, by place alone."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from starlette.exceptions import HTTPException

from figureground.core.errors import FormatError
from figureground.review.server.room import Here, ItemAt, Visitor
from figureground.review.server.runs import MEDIA, encode_runs

router = APIRouter(tags=["pictures"])
BYTES: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA: {"schema": {"type": "string", "format": "binary"}}}}}


@router.get("/pictures/{place}", response_class=Response, responses={200: {"content": {"image/*": {}}}})
def picture(item: ItemAt, here: Here, visit: Visitor, if_none_match: Annotated[str, Header()] = "", v: str = "") -> Response:
    """The picture of a sample, its pixels as the label maps have them; `v` makes an address that may be kept for an hour."""
    try:
        content, media = here.project.picture(item.place)
    except FormatError as error:
        raise HTTPException(404, f"the picture of '{item.id}' cannot be shown: {error.fault.problem}") from error
    return kept(content, media, if_none_match, lasting=v == here.project.version[:8])


@router.get("/api/maps/{place}/{model}", response_class=Response, responses=BYTES)
def label_map(
    item: ItemAt,
    model: Annotated[int, Path(ge=0, le=10_000)],
    here: Here,
    visit: Visitor,
    if_none_match: Annotated[str, Header()] = "",
    v: str = "",
) -> Response:
    """What a model predicts for a sample: uint32 LE height, width, n, then n uint32 LE lengths, then n uint8 class places (255 = void)."""
    layer = here.project.layer_of(item.place, model) if model < len(here.project.models) else None
    if layer is None:
        raise HTTPException(404, f"model {model} has no label map of '{item.id}'")
    lasting = model == 0 and v == here.project.version[:8]  # a rival may be another one next time, under the same address
    return kept(encode_runs(layer), MEDIA, if_none_match, lasting=lasting)


def kept(content: bytes, media: str, known: str, *, lasting: bool) -> Response:
    """Content with an entity tag; 304 where the browser has it already. Never kept by anything between the two."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "private, max-age=3600" if lasting else "private, no-cache"}
    return Response(status_code=304, headers=headers) if known == tag else Response(content, media_type=media, headers=headers)
