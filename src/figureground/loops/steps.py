"""The steps of one round, each an artifact or two that are there afterwards; what is there already is not made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from figureground.core.errors import InputError
from figureground.core.progress import Reporter
from figureground.core.types import Sample
from figureground.data import paths
from figureground.data.dataset import open_dataset
from figureground.data.labels import Labels, read_labels
from figureground.data.pool import pool_of
from figureground.data.prediction_stream import PredictionStream, stream_predictions
from figureground.data.spec import parse_spec
from figureground.data.write import write_table_and_toml
from figureground.loops.asking import Answers, Asked
from figureground.loops.labels_file import write_answers
from figureground.loops.material import Material, images_of
from figureground.loops.models import Machine, Models
from figureground.loops.places import Places, RoundPlaces, version_name
from figureground.loops.plan import Plan
from figureground.loops.questions import Asking, question, seen
from figureground.loops.recipe import TARGET, Recipe, as_key_of
from figureground.models.fit.loop import Diverged
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, is_artifact, read_manifest
from figureground.runs.executor import open_executor
from figureground.stages.mine.stage import run_mine
from figureground.stages.rank.queue import read_queue
from figureground.stages.rank.stage import run_rank
from figureground.stages.repair.stage import run_repair

State = Literal["predicted", "mined", "rating", "labelling", "repaired", "ranked"]
STATES: tuple[State, ...] = get_args(State)
WORK, SCHEMA = "work", 1


class Ended(Exception):
    """The loop cannot go on: there is nothing to ask about."""


class Waiting(Exception):
    """People are needed."""

    def __init__(self, asked: Asked, left: Sequence[str]) -> None:
        super().__init__(asked.what)
        self.asked, self.left = asked, left


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round of a loop."""

    here: RoundPlaces
    """The directories of the round."""
    plan: Plan
    recipe: Recipe
    """As the plan of the round has it."""
    material: Material
    places: Places
    machine: Machine
    answers: Answers
    reporter: Reporter

    @property
    def models(self) -> Models:
        """Its models."""
        return Models(recipe=self.recipe, material=self.material, places=self.places, machine=self.machine, reporter=self.reporter)

    def steps(self) -> list[tuple[State, Callable[[], None]]]:
        """The states of the round in order, each with what brings it about."""
        found: list[tuple[State, Callable[[], None]]] = [("predicted", self.predict), ("mined", self.mine)]
        if self.recipe.loop.rate:
            found.append(("rating", self.rate))
        found.append(("labelling", self.label))
        if not self.plan.retest:
            found.append(("repaired", self.repair))
        return [*found, ("ranked", self.rank)]

    def predict(self) -> None:
        """Every model's predictions of the pool, and its figures on validation and audit data."""
        self.models.prepare(self.here.number - 1)

    def mine(self) -> None:
        """The queue by discrepancy, and that of another selector where one is asked for.

        Raises:
            Ended: no picture is left, or the models agree on all of them.
        """
        if is_artifact(self.here.queue) and (self.here.asked_for_ratings or self.here.asked_for_masks):
            return  # whatever has changed since, people were asked about this queue
        seen = already_asked(self.places, self.here)
        ids = [i for i in self.material.pool.ids if i not in seen]
        if not ids:
            raise Ended("every picture of the pool has been asked about")
        self._mine(ids, self.here.queue, selector="mad")
        if not read_manifest(self.here.queue).counts["queued"]:
            raise Ended(f"the models agree on all {len(ids)} pictures that are left of the pool")
        if (selector := self.recipe.loop.selector) != "mad" and not self.plan.retest:
            self._mine(ids, self.here.selection, selector=selector, budget=self.recipe.loop.learn + self.recipe.loop.test)

    def _mine(self, ids: Sequence[str], out: Path, **own: object) -> None:
        pool = pool_of(self.material.pool.select(ids=ids))
        streams = [self._stream(version_name(self.here.number - 1), TARGET), *(self._stream(name, name) for name in self.recipe.rivals)]
        executor = open_executor(self.machine.engine, workers=self.machine.workers)
        options = self.recipe.mine_options(train=self._learned_before(), **own)
        with as_key_of("mine"):
            run_mine(pool, streams[0], streams[1:], options=options, out=out, executor=executor, reporter=self.reporter)

    def _learned_before(self) -> str:
        """DATA spec of the samples that the target was trained on, without those it was validated on."""
        spec, split = self.recipe.train, self.recipe.repair_options().train_split
        options = parse_spec(spec).options
        if not split or "split" in options or not any(s.split for s in self.material.train.samples):
            return spec
        return f"{spec}{'&' if options else '?'}split={split}"

    def _stream(self, model: str, name: str) -> PredictionStream:
        renamed = {text.partition(":")[0] for text in self.recipe.mine.get("class_map", ())}
        return stream_predictions(seen(self.recipe, self.places, model), self.material.pool.classes, name=name, raw=name in renamed)

    def rate(self) -> None:
        """Ratings of the queue, unless masks were asked for already: no rating changes any more what they are asked of.

        Raises:
            Waiting: some are lacking.
        """
        ids = tuple(row["id"] for row in read_queue(self.here.queue).rows)
        if self._has_chosen():
            if question(self.recipe, self.places, self.here, "rating", ids).waiting():
                self.reporter.say(f"note: round {self.here.number} is at its masks: more ratings are asked for from the next one on")
            return
        self._answered("rating", ids)

    def label(self) -> None:
        """The choice of what tests and what is learned from, which stands once masks were asked for, and its masks.

        Raises:
            Ended: everything is out of domain.
            Waiting: some masks are lacking.
        """
        ids = self._chosen() if self._has_chosen() else self._choose()
        self._answered("labelling", ids)

    def repair(self) -> None:
        """The target's weights after learning from all masks so far."""
        self._write_learned()
        learned = [str(self.places.round(n).learned) for n in range(1, self.here.number + 1)]
        folders = [folder for folder in learned if read_manifest(Path(folder)).counts["masks"]]
        if not folders:
            raise Ended("there is no mask to learn from: every picture is in the test set. Ask for more: [loop] top, or a larger pool")
        options = self.recipe.repair_options()
        train, val = self.material.train, open_dataset(self.recipe.val)
        target = self.models.target(self.here.number - 1)
        try:
            run_repair(target, folders, data=train, val=val, options=options, out=self.here.repaired, reporter=self.reporter)
        except Diverged as error:
            raise InputError(f"round {self.here.number}: {error.what} Try in [repair]: {_as_toml(error.tries)}") from error
        except InputError as error:
            raise InputError(f"round {self.here.number}: {error}") from error

    def rank(self) -> None:
        """All models on the test set, with the target as it was and, where it was repaired, as it is now."""
        rivals, models = list(self.recipe.rivals), self.models
        self._rank([version_name(self.here.number - 1), *rivals], [TARGET, *rivals], self.here.before)
        if not self.plan.retest:
            models.predict_target(self.here.number)
            now, was = version_name(self.here.number), version_name(self.here.number - 1)
            self._rank([now, *rivals], [TARGET, *rivals], self.here.after)
            self._rank([now, was], [now, was], self.here.gain)

    def _rank(self, models: Sequence[str], names: Sequence[str], out: Path) -> None:
        opened = [self.models.open(model, name=name) for model, name in zip(models, names, strict=True)]
        labels = [*([self.here.ratings] if self.recipe.loop.rate else []), self.here.labels]
        options = self.recipe.rank_options(test=str(self.here.test), labels=[str(one) for one in labels])
        run_rank(read_queue(self.here.queue), opened, options=options, out=out, reporter=self.reporter)

    def _has_chosen(self) -> bool:
        return is_artifact(self.here.work) and is_artifact(self.here.test) and self.here.asked_for_masks

    def _chosen(self) -> tuple[str, ...]:
        """What was chosen before, written again only where the pictures lie elsewhere now."""
        chosen = {part: read_manifest(self.here.work).details[part] for part in ("test", "learn")}
        ids = self._order([*chosen["test"], *chosen["learn"]])
        self._write_work(ids, **chosen)
        return ids

    def _order(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Such that nobody sees which of them are to test."""
        return tuple(sorted(ids, key=lambda i: hashlib.sha256(f"{self.recipe.loop.seed}\t{i}".encode()).digest()))

    def _choose(self) -> tuple[str, ...]:
        """What needs masks: the test set, and beside it the samples to learn from; written as a data set that the page shows."""
        ratings = read_labels(self.here.ratings) if self.recipe.loop.rate else None
        vetoed = {opinion.id for opinion in ratings.opinions if opinion.vetoed} if ratings else set[str]()
        queue = read_queue(self.here.queue)
        if len(vetoed) >= len(queue.rows):
            raise Ended(f"all {len(queue.rows)} queued pictures are out of domain")
        rated = [str(self.here.ratings)] if ratings else []
        run_rank(queue, [], options=self.recipe.rank_options(labels=rated), out=self.here.test, reporter=self.reporter)
        test = list(read_manifest(self.here.test).details["test"])
        learn = [] if self.plan.retest else self._worst(ratings, out={*test, *vetoed})
        self._tell_few("test set", len(test), self.recipe.loop.test)
        if not self.plan.retest:
            self._tell_few("part to learn from", len(learn), self.recipe.loop.learn)
        ids = self._order([*test, *learn])
        self._write_work(ids, test=test, learn=learn)
        return ids

    def _tell_few(self, what: str, count: int, wanted: int) -> None:
        if count < wanted and not is_artifact(self.here.work):
            self.reporter.say(
                f"note: the {what} of round {self.here.number} has {count} of {wanted} samples: the queue holds no more. Raise `top`, "
                "or for a test set `per_object`, or give a larger pool"
            )

    def _worst(self, ratings: Labels | None, *, out: set[str]) -> list[str]:
        """The samples to learn from, best first: those rated worst, or the first that the selector chose."""
        own = self.recipe.loop.selector == "mad"
        order = [row["id"] for row in read_queue(self.here.queue if own else self.here.selection).rows]
        if own and ratings:
            mean = {opinion.id: opinion.mean for opinion in ratings.opinions}
            order = sorted((i for i in order if i in mean), key=lambda i: mean[i])  # sorting keeps the order of the queue among equals
        return [i for i in order if i not in out][: self.recipe.loop.learn]

    def _write_work(self, ids: Sequence[str], *, test: Sequence[str], learn: Sequence[str]) -> None:
        images = images_of(self.material.pool)
        details = {"test": list(test), "learn": list(learn), "images": [images[i] for i in ids]}
        inputs = {"samples": hashlib.sha256(repr((ids, details)).encode()).hexdigest()}
        key = artifact_key(kind=WORK, schema=SCHEMA, inputs=inputs, options={})
        if finished(self.here.work, kind=WORK, key=key):
            return
        writer = ArtifactWriter(self.here.work, kind=WORK, schema=SCHEMA, key=key, reporter=self.reporter)
        samples = [Sample(id=i, image=paths.absolute(images[i])) for i in ids]
        pool = self.material.pool
        name = f"{pool.name}, round {self.here.number}"
        write_table_and_toml(writer.path, name=name, classes=pool.classes, samples=samples, common={}, label=None, context=None)
        counts = {"samples": len(ids), "test": len(test), "learn": len(learn)}
        writer.finish(options={}, inputs=inputs, counts=counts, details={name: details[name] for name in ("test", "learn")})

    def _write_learned(self) -> None:
        """The masks of the samples to learn from as labels of their own, so that no mask of the test set comes near training."""
        learn = set(read_manifest(self.here.work).details["learn"])
        found, good = read_labels(self.here.labels), {"accepted"} if self.recipe.people.checked else {"accepted", "submitted"}
        kept = tuple(mask for mask in found.masks if mask.id in learn and mask.status in good)
        write_answers(self.here.learned, _masks_alone(found, kept), options={"from": "labels"})

    def _answered(self, state: Asking, ids: tuple[str, ...]) -> None:
        asked = question(self.recipe, self.places, self.here, state, ids)
        if not asked.waiting():
            return
        self.answers.ask(asked)
        if left := asked.waiting():
            raise Waiting(asked, left)


def already_asked(places: Places, here: RoundPlaces) -> set[str]:
    """Ids that other rounds had masks drawn of, or that somebody said are out of domain: nobody is asked about them again."""
    found: set[str] = set()
    for earlier in places.others(here):
        if not is_artifact(earlier.work):
            continue  # it was stopped before anybody was asked for a mask
        details = read_manifest(earlier.work).details
        found |= {*details["test"], *details["learn"]}
        if is_artifact(earlier.ratings):
            found |= {opinion.id for opinion in read_labels(earlier.ratings).opinions if opinion.vetoed}
    return found


def _as_toml(options: Mapping[str, str]) -> str:
    """Advice of the training loop as lines of LOOP.toml: `rates` are texts in a list there, numbers bare."""
    values = {name: value if value.isdecimal() else json.dumps(value) for name, value in options.items()}
    values |= {name: json.dumps([options[name]]) for name in ("rates",) if name in options}
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _masks_alone(labels: Labels, masks: tuple) -> Labels:
    return replace(labels, ratings=(), opinions=(), patches=(), masks=masks, checks=())
