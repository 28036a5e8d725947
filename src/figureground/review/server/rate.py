"""Ratings: what to rate next, a rating, and taking one back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from figureground.review.schedule import schedule
from figureground.review.server.room import MOST, Here, Room, Visit, Visitor
from figureground.review.store import ratings
from figureground.review.store.limits import LONGEST_SECONDS

router = APIRouter(prefix="/api", tags=["rate"])


class Rating(BaseModel):
    """One rating: a score from 1 (bad) to 5 (excellent), or out of domain."""

    model_config = ConfigDict(strict=True, extra="forbid")

    place: Annotated[int, Field(ge=0, le=MOST)]
    showing: Annotated[int, Field(ge=0, le=1)] = 0
    score: Annotated[int, Field(ge=1, le=5)] | None = None
    out_of_domain: bool = False
    seconds: Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)] = 0.0


@router.get("/rate/next")
def due(here: Here, visit: Visitor, count: Annotated[int, Query(ge=1, le=50)] = 3) -> dict[str, Any]:
    """The next pictures for the reviewer, in the order that is his alone."""
    with here.database.read() as connection:
        found = ratings.next_items(connection, visit.reviewer.number, plan=plan(here, visit), count=count, quorum=here.options.quorum)
    return {"items": [_shown(here, *one) for one in found.items], "left": found.left, "done": found.done}


@router.post("/ratings")
def rate(given: Rating, here: Here, visit: Visitor) -> dict[str, bool]:
    """Notes a rating; the same again changes nothing, another one replaces it."""
    here.together.write(lambda connection: ratings.save(connection, visit.reviewer.number, **given.model_dump()))
    return {"saved": True}


@router.post("/ratings/undo")
def undo(here: Here, visit: Visitor) -> dict[str, Any]:
    """Takes the reviewer's last rating back and says which picture it was of; `place` null = there is none left."""
    found = here.together.write(lambda connection: ratings.undo(connection, visit.reviewer.number))
    return _shown(here, *found) if found is not None else {"place": None, "showing": None}


def plan(here: Room, visit: Visit) -> list[tuple[int, int]]:
    """The order of pictures of a reviewer, worked out once."""
    key = ("rate", visit.reviewer.number)
    if key not in here.kept:
        options = here.options
        here.kept[key] = schedule(
            seed=options.seed, reviewer_seed=visit.reviewer.seed, count=len(here.project.items), repeats=options.repeats
        )
    return here.kept[key]


def _shown(here: Room, place: int, showing: int) -> dict[str, int]:
    height, width = here.project.items[place].size_hw
    return {"place": place, "showing": showing, "width": width, "height": height}
