"""Where a loop stands, read from its directory alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from figureground.loops.places import Places, RoundPlaces, version_name
from figureground.loops.plan import read_plan
from figureground.runs.artifact import is_artifact
from figureground.stages.rank.result import stands

Mark = Literal["done", "now", "open", "none"]
COLUMNS = ("predicted", "mined", "rating", "labelling", "repaired", "ranked")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundState:
    """The states of one round."""

    round: int
    retest: bool
    marks: dict[str, Mark]
    """State -> done, under way now, open, or none where the round has no such state."""

    @property
    def done(self) -> bool:
        """Nothing is left of it."""
        return all(mark in ("done", "none") for mark in self.marks.values())


def is_ranked(here: RoundPlaces) -> bool:
    """Whether a round is over: nothing of it is made again."""
    return all(is_artifact(place) and stands(place) for place in ([here.before] if here.retest else [here.before, here.after, here.gain]))


def read_states(out: Path, *, rounds: int, retest: bool, rate: bool) -> list[RoundState]:
    """The states of every round that was begun or is to come."""
    places, found, now = Places(out=out), list[RoundState](), False
    for here in places.rounds(rounds, retest=retest):
        asks = bool(read_plan(here.plan).loop["rate"]) if here.plan.exists() else rate
        there = {
            "predicted": is_artifact(places.predictions(version_name(here.number - 1))) and here.plan.exists(),
            "mined": is_artifact(here.queue),
            "rating": is_artifact(here.test) if asks else None,
            "labelling": is_artifact(here.repaired if not here.retest else here.before),
            "repaired": None if here.retest else is_artifact(here.repaired),
            "ranked": is_ranked(here),
        }
        marks: dict[str, Mark] = {}
        for name, made in there.items():
            marks[name] = "none" if made is None else "done" if made and not now else "open" if now else "now"
            now = now or marks[name] == "now"
        found.append(RoundState(round=here.number, retest=here.retest, marks=marks))
    return found
