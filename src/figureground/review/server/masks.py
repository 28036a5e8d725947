"""Masks: which picture to draw next, one's own layer of it, its changed boxes, superpixels, and borders that fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from figureground.core.errors import FormatError
from figureground.review.fitting import fitted
from figureground.review.project import Item
from figureground.review.server.pages import refuse_unpaintable
from figureground.review.server.pictures import BYTES, kept
from figureground.review.server.room import MOST, Here, ItemAt, Passed, Room, Visit, Visitor
from figureground.review.server.runs import MEDIA, encode_runs
from figureground.review.store import checks, masks, ratings
from figureground.review.store.limits import LONGEST_SECONDS, MOST_ACTIONS
from figureground.review.superpixels import LARGEST, SMALLEST, segment_size, superpixels

router = APIRouter(prefix="/api", tags=["masks"])
MOST_BOXES = 20_000
KEPT_SUPERPIXELS = 8
"""Pictures whose superpixels are remembered: one reviewer needs two at a time."""
Pixel = Annotated[int, Field(ge=0, le=MOST)]
Side = Annotated[int, Field(ge=1, le=MOST)]


class Box(BaseModel):
    """A changed box as runs, row by row within the box."""

    model_config = ConfigDict(strict=True, extra="forbid")

    x: Pixel
    y: Pixel
    width: Side
    height: Side
    values: list[Annotated[int, Field(ge=0, le=255)]]
    lengths: list[Side]


class Boxes(BaseModel):
    """One save: what changed since the last one; `actions` and `seconds` are those spent since then."""

    model_config = ConfigDict(strict=True, extra="forbid")

    key: Annotated[str, Field(min_length=1, max_length=64, pattern="^[0-9A-Za-z_-]+$")]
    version: Annotated[int, Field(ge=0, le=MOST)]
    actions: Annotated[int, Field(ge=0, le=MOST_ACTIONS)] = 0
    seconds: Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)] = 0.0
    boxes: Annotated[list[Box], Field(max_length=MOST_BOXES)]


class Figure(BaseModel):
    """A figure of the layer at hand: a pixel of it, and the box of it and what surrounds it."""

    model_config = ConfigDict(strict=True, extra="forbid")

    x: Pixel
    y: Pixel
    box: Box


class Submission(BaseModel):
    """The version that is handed on."""

    model_config = ConfigDict(strict=True, extra="forbid")

    version: Annotated[int, Field(ge=0, le=MOST)]


@router.get("/masks/next")
def due(here: Here, visit: Visitor, passed: Passed, skip: Annotated[int, Query(ge=-1, le=MOST)] = -1) -> dict[str, Any]:
    """The picture to draw next, leased to the reviewer; `place` null and `why` where there is none.

    `skip` names the picture at hand: a page that loads the one after it in good time. Those that are `passed` are left to others.
    """
    refuse_unpaintable(here)
    with here.database.write() as connection:
        places = ratings.worklist(connection, worst=here.options.worst, quorum=here.options.quorum)
        for one in passed:
            masks.release(connection, visit.reviewer.number, place=one)
        others = [place for place in places if place != skip and place not in passed]
        place = masks.claim(connection, visit.reviewer.number, places=others, labellers=here.options.labellers)
    if place is None or place == skip:
        return {"place": None, "why": _why_nothing(len(places), passed=len(passed)), "left": len(places)}
    height, width = here.project.items[place].size_hw
    return {"place": place, "why": "", "height": height, "width": width, "id": here.project.items[place].id, "left": len(places)}


@router.get("/masks/{place}", response_class=Response, responses=BYTES)
def read(item: ItemAt, here: Here, visit: Visitor) -> Response:
    """The reviewer's own layer as runs, begun from the target's label map on first use.

    The headers `X-Version`, `X-Status` and `X-Sample` (its id, quoted) say what it is.
    """
    refuse_unpaintable(here)
    with here.database.read() as connection:
        found = masks.find(connection, item.place, reviewer=visit.reviewer.number)
    if found is None:
        start = _start(here, item)
        with here.database.write() as connection:
            found = masks.open_(connection, item.place, reviewer=visit.reviewer.number, start=start)
    with here.database.read() as connection:
        found = masks.by_number(connection, found.number)
        layer = masks.layer(connection, found.number)
    headers = {"x-version": str(found.version), "x-status": found.status, "x-sample": quote(item.id), "cache-control": "no-store"}
    return Response(encode_runs(layer), media_type=MEDIA, headers=headers)


@router.get("/masks/{place}/notes")
def notes(item: ItemAt, here: Here, visit: Visitor) -> dict[str, Any]:
    """What the last check said of the reviewer's mask: verdict, comment and marks; verdict '' where it was not checked."""
    with here.database.read() as connection:
        found = masks.find(connection, item.place, reviewer=visit.reviewer.number)
        said = checks.for_mask(connection, found.number) if found is not None else []
    if not said:
        return {"verdict": "", "comment": "", "marks": []}
    last = said[-1]
    marks = [{"x": mark.x, "y": mark.y, "kind": mark.kind, "comment": mark.comment} for mark in last.marks]
    return {"verdict": last.verdict, "comment": last.comment, "marks": marks}


@router.post("/masks/{place}/boxes", responses={409: {"description": "another version is stored"}})
def save(item: ItemAt, given: Boxes, here: Here, visit: Visitor) -> dict[str, int]:
    """Paints changed boxes over the stored layer; the same key again changes nothing; 409 with the stored version on a conflict."""
    boxes = [(box.x, box.y, piece) for box, piece in zip(given.boxes, _pieces(given.boxes, item), strict=True)]
    more = {"actions": given.actions, "seconds": given.seconds}
    with here.database.write() as connection:
        number = _own(connection, item, visit)
        version = masks.save_boxes(connection, number, key=given.key, version=given.version, boxes=boxes, **more)
    return {"version": version}


@router.post("/masks/{place}/submit", responses={409: {"description": "another version is stored"}})
def submit(item: ItemAt, given: Submission, here: Here, visit: Visitor) -> dict[str, int]:
    """Hands the mask on to be checked; 409 with the stored version where it was changed elsewhere."""
    with here.database.write() as connection:
        version = masks.submit(connection, _own(connection, item, visit), version=given.version)
    return {"version": version}


@router.post("/masks/{place}/fit")
def fit(item: ItemAt, given: Figure, here: Here, visit: Visitor) -> dict[str, Any]:
    """The same box with the border of that figure fitted to the picture; nothing is saved by it."""
    (layer,) = _pieces([given.box], item)
    left, top = given.box.x, given.box.y
    picture = _pixels(here, item)[top : top + layer.shape[0], left : left + layer.shape[1]]
    classes = here.project.classes
    found = fitted(picture, layer, (given.x - left, given.y - top), background=classes.ids.index(classes.background)).reshape(-1)
    ends = np.append(np.flatnonzero(found[1:] != found[:-1]) + 1, found.size)
    said = {"values": found[ends - 1].tolist(), "lengths": np.diff(ends, prepend=0).tolist()}
    return {"x": left, "y": top, "width": layer.shape[1], "height": layer.shape[0], **said}


@router.get("/superpixels/{place}", response_class=Response, responses=BYTES)
def segments(
    item: ItemAt,
    here: Here,
    visit: Visitor,
    size: Annotated[int | None, Query(ge=SMALLEST, le=LARGEST)] = None,
    if_none_match: Annotated[str, Header()] = "",
    v: str = "",
) -> Response:
    """Segments that follow the picture's edges: uint32 LE height, width, n, then n uint32 LE lengths, then n uint32 LE segment numbers.

    Without a `size` they suit the picture: a fortieth of its longer side.
    """
    size = size or segment_size(*item.size_hw)
    key = ("masks", "superpixels", item.place, size)
    content = here.kept.get(key)
    if content is None:
        content = encode_runs(superpixels(_pixels(here, item), size), "<u4")
        with here.lock:
            ours = [known for known in here.kept if known[:2] == key[:2]]
            for old in ours[: max(0, len(ours) + 1 - KEPT_SUPERPIXELS)]:
                here.kept.pop(old, None)
            here.kept[key] = content
    return kept(content, MEDIA, if_none_match, lasting=v == here.project.version[:8])


def _pixels(here: Room, item: Item) -> np.ndarray:
    """The picture, uint8 [height, width, 3]; 404 where it cannot be read."""
    try:
        return here.project.pixels(item.place)
    except FormatError as error:
        raise HTTPException(404, f"the picture of '{item.id}' cannot be read: {error.fault.problem}") from error


def _why_nothing(listed: int, *, passed: int) -> str:
    if not listed:
        return "No picture is on the work list yet: rate some first; the lowest rated come here."
    more = ", or you passed it over" if passed else ""
    return f"Every picture of the work list is drawn, or somebody else is drawing it{more}."


def _start(here: Room, item: Item) -> np.ndarray:
    """The target's label map, or all background where there is none of it."""
    found = here.project.layer_of(item.place, 0) if here.project.models else None
    classes = here.project.classes
    return np.full(item.size_hw, classes.ids.index(classes.background), np.uint8) if found is None else found


def _own(connection: Any, item: Item, visit: Visit) -> int:
    """The number of the visitor's mask of a picture; 404 where it was not begun."""
    found = masks.find(connection, item.place, reviewer=visit.reviewer.number)
    if found is None:
        raise HTTPException(404, f"you have no mask of '{item.id}'. Open the picture first")
    return found.number


def _pieces(boxes: Sequence[Box], item: Item) -> list[np.ndarray]:
    """The dense pixels of boxes; 422 for one that leaves the picture, whose runs do not fill it, or that are far too many together."""
    height, width = item.size_hw
    for number, box in enumerate(boxes):
        if box.x + box.width > width or box.y + box.height > height:
            problem = f"it is {box.width} x {box.height} px at {box.x}, {box.y} and leaves the picture of {width} x {height} px"
        elif len(box.values) != len(box.lengths) or sum(box.lengths) != box.width * box.height:
            problem = f"{len(box.values)} values and {len(box.lengths)} lengths that sum to {sum(box.lengths)} px do not fill it"
        else:
            continue
        raise HTTPException(422, f"`boxes.{number}`: {problem}. Reload the page")
    if sum(box.width * box.height for box in boxes) > 4 * height * width:
        raise HTTPException(422, "`boxes`: together they are more than four times the picture. Send only what changed")
    return [np.repeat(np.array(box.values, np.uint8), box.lengths).reshape(box.height, box.width) for box in boxes]
