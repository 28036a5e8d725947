"""Progress: what is done by whom, how well people agree, what is left; names are for admins only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Response

from figureground.review.options import grid_of
from figureground.review.server import pages
from figureground.review.server.room import Here, Room, Visit, Visitor
from figureground.review.store import progress, ratings
from figureground.review.store.ratings import Opinion

router = APIRouter()
STEP = 0.5
"""Width of a bar of the distribution of opinion scores."""
LISTED = 24
"""Pictures of the work list that are shown."""
NOT_YET = "not yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of the distribution."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that the screen says."""

    found: progress.Progress
    opinions: list[Opinion]
    worklist: list[int]


@router.get("/progress", include_in_schema=False)
def screen(here: Here, visit: Visitor) -> Response:
    """The screen Progress."""
    state = _state(here, visit)
    by_place = {opinion.place: opinion for opinion in state.opinions}
    return pages.page(
        "progress",
        here,
        visit,
        found=state.found,
        rows=[(whose(visit, one), one) for one in state.found.reviewers],
        bars=distribution(state.opinions),
        listed=[(here.project.items[place], by_place.get(place)) for place in state.worklist[:LISTED]],
        waiting=len(state.worklist),
        options=here.options,
        exports=here.exporter is not None,
        number=number_words,
        per_cent=share_words,
        hours=time_words,
    )


@router.get("/api/progress", tags=["progress"])
def facts(here: Here, visit: Visitor) -> dict[str, Any]:
    """The same as JSON; null = not yet. Opinions of unfinished pictures are for admins only."""
    state = _state(here, visit)
    said = asdict(state.found)
    for row, one in zip(said["reviewers"], state.found.reviewers, strict=True):
        row["reviewer"] = {"name": whose(visit, one), "me": one.reviewer.number == visit.reviewer.number}
    said["masks"] = dict(state.found.masks)
    said["opinions"] = [asdict(opinion) for opinion in state.opinions]
    said["worklist"] = state.worklist
    return _plain(said)


def whose(visit: Visit, one: progress.ReviewerProgress) -> str:
    """How a reviewer is called to this visitor."""
    if one.reviewer.number == visit.reviewer.number and not visit.may("admin"):
        return "you"
    return one.reviewer.name if visit.may("admin") else f"reviewer {one.reviewer.number}"


def distribution(opinions: list[Opinion]) -> list[Bar]:
    """Pictures by mean opinion score in half steps from 1 to 5; those out of domain and without a score are left out."""
    means = [opinion.mean for opinion in opinions if not opinion.vetoed and not math.isnan(opinion.mean)]
    lows = [1 + STEP * i for i in range(round(4 / STEP))]
    last = lows[-1]
    return [Bar(low=low, high=low + STEP, count=sum(low <= m < low + STEP or (low == last and m == 5) for m in means)) for low in lows]


def number_words(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """A number with a true minus; `not yet` for NaN."""
    if math.isnan(value):
        return NOT_YET
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "\N{MINUS SIGN}")


def share_words(value: float) -> str:
    """A share in percent; `not yet` for NaN."""
    return NOT_YET if math.isnan(value) else f"{100 * value:.0f}\N{NARROW NO-BREAK SPACE}%"


def time_words(seconds: float) -> str:
    """Hours and minutes."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def _state(here: Room, visit: Visit) -> State:
    """What somebody may see: who rates is told what others think only of pictures that nobody is asked about any more."""
    options = here.options
    with here.database.read() as connection:
        found = progress.progress(
            connection, quorum=options.quorum, worst=options.worst, labellers=options.labellers, grid=grid_of(options.grid)
        )
        opinions = [one for one in ratings.opinions(connection) if visit.may("admin") or one.vetoed or one.n >= options.quorum]
        return State(found=found, opinions=opinions, worklist=ratings.worklist(connection, worst=options.worst, quorum=options.quorum))


def _plain(value: Any) -> Any:
    """Numbers that are not finite become null: JSON has no word for them."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
