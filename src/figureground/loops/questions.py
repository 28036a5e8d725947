"""The questions of a round, from what stands on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from figureground.data.predictions import PREDICTION_KINDS
from figureground.data.spec import parse_spec
from figureground.loops.asking import Asked
from figureground.loops.places import Places, RoundPlaces, version_name
from figureground.loops.recipe import TARGET, Recipe
from figureground.runs.artifact import is_artifact, read_manifest
from figureground.stages.rank.queue import read_queue

Asking = Literal["rating", "labelling"]


def question(recipe: Recipe, places: Places, here: RoundPlaces, state: Asking, ids: tuple[str, ...]) -> Asked:
    """What a round asks of some samples.

    Args:
        recipe: as the round's plan has it.
        places: of the loop.
        here: those of the round.
        state: whether ratings or masks are asked for.
        ids: of the samples.
    """
    rating = state == "rating"
    models = (f"{TARGET}={seen(recipe, places, version_name(here.number - 1))}", *(f"{n}={seen(recipe, places, n)}" for n in recipe.rivals))
    return Asked(
        state=state,
        round=here.number,
        project=here.queue if rating else here.work,
        labels=here.ratings if rating else here.labels,
        ids=ids,
        models=() if rating else models,  # a queue holds the maps of its models
        people=recipe.people,
        seed=recipe.loop.seed,
        known=_database_before(places, here, state),
    )


def read_question(recipe: Recipe, places: Places, here: RoundPlaces, state: Asking) -> Asked | None:
    """The same for what was written already; None where it was not."""
    if state == "rating" and is_artifact(here.queue):
        if not read_manifest(here.queue).counts["queued"]:
            return None  # it ends the loop
        ids = [row["id"] for row in read_queue(here.queue).rows]
    elif state == "labelling" and is_artifact(here.work):
        details = read_manifest(here.work).details
        ids = [*details["test"], *details["learn"]]
    else:
        return None
    return question(recipe, places, here, state, tuple(ids))


def is_predictions(spec: str) -> bool:
    """Whether a spec names predictions rather than a model."""
    parsed = parse_spec(spec)
    if parsed.kind is not None:
        return parsed.kind in PREDICTION_KINDS.names()
    return is_artifact(Path(parsed.where)) and read_manifest(Path(parsed.where)).kind == "predictions"


def seen(recipe: Recipe, places: Places, model: str) -> str:
    """Spec of the predictions of the pool by a rival, or by a version of the target."""
    given = recipe.rivals.get(model, "")
    return given if given and is_predictions(given) else str(places.predictions(model))


def _database_before(places: Places, here: RoundPlaces, state: Asking) -> Path | None:
    """The newest database of an earlier review of the loop."""
    asked = [labels for one in places.before(here) for labels in (one.ratings, one.labels)]
    asked += [here.ratings] if state == "labelling" else []
    databases = [Path(f"{labels}.sqlite") for labels in asked]
    return next((database for database in reversed(databases) if database.exists()), None)
