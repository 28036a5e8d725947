"""Cross-checks: the next mask of somebody else, its pixels, and the verdict on it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from figureground.review.server.pictures import BYTES
from figureground.review.server.room import MOST, CheckerVisit, Here, Passed
from figureground.review.server.runs import MEDIA, encode_runs
from figureground.review.store import checks, masks
from figureground.review.store.limits import LONGEST_SECONDS

router = APIRouter(prefix="/api/checks", tags=["checks"])
Words = Annotated[str, Field(max_length=checks.LONGEST_COMMENT, pattern=r"^[^\x00]*$")]
"""A comment; databases do not keep the character NUL."""
HANDED_IN = ("submitted", "accepted", "returned")


class Mark(BaseModel):
    """One error in a mask: where, and of which kind."""

    model_config = ConfigDict(strict=True, extra="forbid")

    x: Annotated[int, Field(ge=0, le=MOST)]
    y: Annotated[int, Field(ge=0, le=MOST)]
    kind: checks.Kind
    comment: Words = ""


class Check(BaseModel):
    """The verdict on one version of a mask."""

    model_config = ConfigDict(strict=True, extra="forbid")

    mask: Annotated[int, Field(ge=1, le=MOST)]
    version: Annotated[int, Field(ge=0, le=MOST)]
    verdict: checks.Verdict
    comment: Words = ""
    marks: Annotated[list[Mark], Field(max_length=checks.MOST_MARKS)] = []
    seconds: Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)] = 0.0


@router.get("/next")
def due(here: Here, visit: CheckerVisit, passed: Passed) -> dict[str, Any]:
    """The mask of somebody else that has waited longest, kept for this checker for a while; `mask` null = none waits.

    Those that are `passed` are left to others.
    """
    number = visit.reviewer.number
    with here.database.write() as connection:
        found = checks.claim(connection, number, passed=passed)
        if found is None:
            more = " but those that you passed over" if passed else ""
            return {"mask": None, "why": f"No mask of another reviewer waits for a check{more}."}
        others = [m for m in masks.of_place(connection, found.place) if m.number != found.number and m.status in HANDED_IN]
        before = checks.for_mask(connection, found.number)
    height, width = found.size_hw
    return {
        "mask": found.number,
        "version": found.version,
        "place": found.place,
        "height": height,
        "width": width,
        "others": [{"mask": other.number, "mine": other.reviewer == number} for other in others],
        "before": [{"verdict": c.verdict, "comment": c.comment, "marks": [asdict(mark) for mark in c.marks]} for c in before],
    }


@router.get("/{mask}/layer", response_class=Response, responses=BYTES)
def layer(mask: Annotated[int, Path(ge=1, le=MOST)], here: Here, visit: CheckerVisit) -> Response:
    """The pixels of a mask: uint32 LE height, width, n, then n uint32 LE lengths, then n uint8 class places (255 = void)."""
    with here.database.read() as connection:
        pixels = masks.layer(connection, mask)
    return Response(encode_runs(pixels), media_type=MEDIA, headers={"cache-control": "no-store"})


@router.post("")
def check(given: Check, here: Here, visit: CheckerVisit) -> dict[str, int]:
    """Accepts a mask or sends it back; refused for one's own, and 409 where it was changed meanwhile."""
    marks = [checks.Mark(x=mark.x, y=mark.y, kind=mark.kind, comment=mark.comment) for mark in given.marks]
    with here.database.write() as connection:
        number = checks.save(
            connection,
            visit.reviewer.number,
            mask=given.mask,
            version=given.version,
            verdict=given.verdict,
            comment=given.comment,
            marks=marks,
            seconds=given.seconds,
        )
    return {"check": number}
