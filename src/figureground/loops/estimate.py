"""What is left of a loop would cost: pictures, seconds of the machine and minutes of people, round by round."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from figureground.core.types import Sample
from figureground.data.labels import Labels, read_labels
from figureground.loops.material import Material
from figureground.loops.places import Places, RoundPlaces, version_name
from figureground.loops.questions import is_predictions, read_question
from figureground.loops.recipe import TARGET, Recipe
from figureground.loops.state import is_ranked
from figureground.models.predictor import open_predictor
from figureground.runs.artifact import is_artifact, read_manifest
from figureground.stages.predict.stage import chosen_spec
from figureground.stages.predict.stream import BatchPredictor
from figureground.stages.repair.options import learning_rates

SAMPLED = 8
"""Pictures that are timed for each model."""
BACKWARD = 3.0
"""A step of training as passes of the network over its pictures: one forward, two of the size of one back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundCost:
    """One round, as far as it is not done."""

    round: int
    retest: bool
    pictures: int
    """Passes of one picture through one network."""
    machine_seconds: float
    ratings: int
    """At most: how many pictures are queued is only known once they are."""
    masks: int
    people_minutes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What is left of a loop."""

    rounds: tuple[RoundCost, ...]
    timed: dict[str, float]
    """Seconds a picture of each model, measured now on a few pictures of the pool."""
    assumed: tuple[str, ...]
    """What the figures rest on, in sentences."""


def estimate(recipe: Recipe, material: Material, places: Places) -> Cost:
    """What is left of the loop; nothing is written.

    Args:
        recipe: of the loop.
        material: its data.
        places: its directories.
    """
    specs = {TARGET: recipe.target, **{name: spec for name, spec in recipe.rivals.items() if not is_predictions(spec)}}
    timed = {name: _seconds_a_picture(spec, recipe, material) for name, spec in specs.items()}
    seconds = _people_seconds(recipe, places)
    rounds = []
    for here in places.rounds(recipe.loop.rounds, retest=recipe.loop.retest):
        if not is_ranked(here):
            rounds.append(_round(recipe, material, places, here, timed, seconds))
    return Cost(rounds=tuple(rounds), timed=timed, assumed=_assumed(recipe, places, seconds))


def _round(
    recipe: Recipe,
    material: Material,
    places: Places,
    here: RoundPlaces,
    timed: dict[str, float],
    seconds: dict[str, float],
) -> RoundCost:
    loop, number, retest = recipe.loop, here.number, here.retest
    held = len(material.val) + (len(material.audit) if material.audit else 0)
    passes = dict.fromkeys(timed, 0)
    for name in timed:
        place = places.predictions(version_name(number - 1) if name == TARGET else name)
        if not is_artifact(place) and (name == TARGET or number == 1):
            passes[name] += len(material.pool) + (held if name == TARGET else len(material.val))
    if not retest and not is_artifact(here.repaired):
        passes[TARGET] += round(_repair_passes(recipe, material, learned=number * loop.learn))
    queued = _queued(recipe, material, places, here)
    rated, masked = (read_question(recipe, places, here, state) for state in ("rating", "labelling"))
    ratings = (len(rated.waiting()) if rated else queued) * recipe.people.quorum if loop.rate else 0
    wanted = len(masked.waiting()) if masked else min(queued, loop.test + (0 if retest else loop.learn))
    masks = wanted * recipe.people.labellers
    checks = masks if recipe.people.checked else 0
    minutes = (ratings * seconds["rating"] + masks * seconds["mask"] + checks * seconds["check"]) / 60
    return RoundCost(
        round=number,
        retest=retest,
        pictures=sum(passes.values()),
        machine_seconds=sum(passes[name] * timed[name] for name in timed),
        ratings=ratings,
        masks=masks,
        people_minutes=minutes,
    )


def _repair_passes(recipe: Recipe, material: Material, *, learned: int) -> float:
    """Passes of one picture that a repair takes, at every learning rate."""
    options = recipe.repair_options()
    kept = learned * (1 - options.held_out)
    replayed = kept * (1 / options.share - 1) if options.mixing == "ratio" else options.replay or len(material.train)
    judged = len(material.val) + learned * options.held_out
    return len(learning_rates(options)) * options.epochs * (BACKWARD * (kept + replayed) + judged)


def _queued(recipe: Recipe, material: Material, places: Places, here: RoundPlaces) -> int:
    """Samples of the round's queue: its own where it is mined, else that of the round before, else the most there can be."""
    for one in (here, *reversed(places.before(here))):
        if is_artifact(one.queue):
            return read_manifest(one.queue).counts["queued"]
    bound = 2 * len(recipe.rivals) * len(material.pool.classes.foreground) * recipe.loop.top
    return min(len(material.pool), bound)


def _seconds_a_picture(spec: str, recipe: Recipe, material: Material) -> float:
    """Timed on a few pictures, after they went through once."""
    predictor = open_predictor(spec, device=recipe.predict.device)
    worker = BatchPredictor(
        predictor=predictor,
        spec=chosen_spec(predictor.spec, recipe.predict),
        classes=material.pool.classes,
        batch=recipe.predict.batch,
        threads=recipe.predict.workers,
        collect=False,
    )
    samples: Sequence[Sample] = material.pool.samples[:SAMPLED]
    worker(samples)
    start = time.perf_counter()
    worker(samples)
    return (time.perf_counter() - start) / len(samples)


def _people_seconds(recipe: Recipe, places: Places) -> dict[str, float]:
    """Median seconds of a rating, a mask and a check so far; what was assumed where none was timed."""
    people = recipe.people
    found = {"rating": people.rating_seconds, "mask": people.mask_seconds, "check": people.check_seconds}
    labels = _labels(places, recipe)
    said: dict[str, Callable[[Labels], list[float]]] = {
        "rating": lambda one: [rating.seconds for rating in one.ratings],
        "mask": lambda one: [mask.seconds for mask in one.masks],
        "check": lambda one: [check.seconds for check in one.checks],
    }
    for name, read in said.items():
        if times := [seconds for one in labels for seconds in read(one) if seconds > 0]:
            found[name] = median(times)
    return found


def _labels(places: Places, recipe: Recipe) -> list[Labels]:
    rounds = places.rounds(recipe.loop.rounds, retest=recipe.loop.retest)
    return [read_labels(place) for here in rounds for place in (here.ratings, here.labels) if is_artifact(place)]


def _assumed(recipe: Recipe, places: Places, seconds: dict[str, float]) -> tuple[str, ...]:
    timed = any(rating.seconds > 0 for one in _labels(places, recipe) for rating in one.ratings)
    where = "as people took so far" if timed else "as [review] assumes"
    return (
        f"Each network was timed on {SAMPLED} pictures of the pool; a step of training counts as {BACKWARD:g} passes of its pictures.",
        f"A rating takes {seconds['rating']:.0f} s, a mask {seconds['mask']:.0f} s and a check {seconds['check']:.0f} s, {where}.",
        "How many pictures are rated is a bound: what is queued is known once it is mined.",
    )
