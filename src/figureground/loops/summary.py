"""The artifact `loop`: all rounds so far as one JSON, with pictures before and after, for the report and for whoever counts on."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figureground.core.errors import FormatError
from figureground.core.progress import Reporter
from figureground.core.whole_file import write_atomically
from figureground.data.labels import Labels, read_labels
from figureground.data.predictions import open_predictions
from figureground.loops.examples import largest_changes, strip
from figureground.loops.figures import MIOU, RATES, Figures, measure
from figureground.loops.material import Material, images_of
from figureground.loops.models import AUDIT, VALIDATION
from figureground.loops.places import Places, RoundPlaces, version_name
from figureground.loops.plan import Plan, read_plan
from figureground.loops.recipe import TARGET, Recipe
from figureground.loops.sentence import finding
from figureground.models.trained import read_card
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, is_artifact, read_manifest, to_json
from figureground.stages.rank.result import open_ranking

KIND, SCHEMA = "loop", 1
KEYS = (*("name", "sentence", "state", "why", "classes", "rounds", "models", "validation", "gains", "verdicts", "examples", "labels"),)
"""What `loop.json` holds."""
ROUND_KEYS = (
    *("round", "retest", "selector", "queued", "rated", "ratings", "oracle", "vetoed", "learned", "tested", "masks", "seconds", "ranking"),
    *("stability", "repaired", "lr", "limit", "validation", "after", "test_change"),
)
"""What it holds of a round."""
Row = dict[str, Any]


def write_summary(recipe: Recipe, places: Places, material: Material, *, result: tuple[str, str], reporter: Reporter) -> Path:
    """Writes the artifact `loop` from what the rounds left, and returns its directory.

    `loop.json` holds the rounds, each model on each test set, what was gained and forgotten, verdicts by group and labels spent;
    `examples/` pictures before and after.

    Args:
        recipe: of the loop.
        places: its directories.
        material: its data.
        result: outcome and why.
        reporter: where progress is told.
    """
    found = _Summary(recipe=recipe, places=places, material=material)
    summary = found.everything(*result)
    pictures = dict(found.pictures())
    summary["examples"] = [row for row in summary["examples"] if row["file"] in pictures]
    text = to_json(summary).encode()
    inputs = {"summary": hashlib.sha256(text).hexdigest()} | {name: hashlib.sha256(body).hexdigest() for name, body in pictures.items()}
    settings = _settings(recipe, oracle=summary["labels"]["oracle"])
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=settings)
    if finished(places.report, kind=KIND, key=key):
        return places.report
    writer = ArtifactWriter(places.report, kind=KIND, schema=SCHEMA, key=key, reporter=_Hushed(reporter))
    write_atomically(writer.path / "loop.json", text)
    (writer.path / "examples").mkdir(exist_ok=True)
    for name, body in pictures.items():
        write_atomically(writer.path / name, body)
    counts = {"rounds": len(summary["rounds"]), "models": len(summary["models"]), "masks": summary["labels"]["masks"]}
    writer.finish(options=settings, inputs=inputs, counts=counts, seed=recipe.loop.seed)
    return places.report


def _settings(recipe: Recipe, *, oracle: bool) -> Row:
    """What the loop was asked for, by table of LOOP.toml; the noise of an oracle only where one answered."""
    tables = {"loop": recipe.loop, "repair": recipe.repair_options(), **({"oracle": recipe.oracle} if oracle else {})}
    found = {f"{name}.{key}": value for name, table in tables.items() for key, value in dataclasses.asdict(table).items()}
    people = {f"review.{name}": getattr(recipe.people, name) for name in ("quorum", "labellers", "checked")}
    return {**found, **people, **{f"mine.{key}": value for key, value in recipe.mine.items()}, "rivals": list(recipe.rivals)}


class _Hushed:
    """A reporter that does not tell that an older summary is replaced: that is what happens each time."""

    def __init__(self, reporter: Reporter) -> None:
        self.track = reporter.track

    def say(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Summary:
    recipe: Recipe
    places: Places
    material: Material

    def begun(self) -> list[tuple[Plan, RoundPlaces]]:
        """Rounds that have a test set and its ranking."""
        every = self.places.rounds(self.recipe.loop.rounds, retest=self.recipe.loop.retest)
        return [(read_plan(here.plan), here) for here in every if here.plan.exists() and is_artifact(here.before)]

    def _former(self) -> list[RoundPlaces]:
        """Re-tests that more rounds followed: they count for what was spent, and for nothing else."""
        last = self.places.rounds(self.recipe.loop.rounds, retest=self.recipe.loop.retest)[-1]
        return [here for here in self.places.before(last) if here.retest and is_artifact(here.before)]

    def versions(self) -> list[int]:
        """Versions of the target that were measured."""
        last = self.recipe.loop.rounds
        return [v for v in range(last + 1) if is_artifact(self.places.measured(version_name(v), VALIDATION) / "audit")]

    def everything(self, outcome: str, why: str) -> Row:
        """The content of `loop.json`, without checking which pictures can be read."""
        measured = {v: self._measured(version_name(v)) for v in self.versions()}
        rounds = [self._round(plan, here, measured) for plan, here in self.begun()]
        summary: Row = {
            "name": self.recipe.name,
            "state": {"finished": "finished", "ended early": "ended early"}.get(outcome, "under way"),
            "why": why,
            "classes": list(self.material.pool.classes.names),
            "rounds": rounds,
            "models": list(self._models(rounds, measured)),
            "validation": list(_forgetting(measured)),
            "gains": list(_gains(measured, self.material.pool.classes.names)),
            "verdicts": list(_verdicts(measured)),
            "examples": [row for plan, here in self.begun() for row in self._examples(plan, here)],
            "labels": _spent([*rounds, *(self._round(read_plan(here.plan), here, measured) for here in self._former())]),
        }
        summary["sentence"] = finding(summary, level=self.recipe.rank_options().level)
        return {name: summary[name] for name in KEYS}

    def _measured(self, model: str) -> dict[str, dict[str, Figures]]:
        """Data -> group -> figures of a model."""
        rank = self.recipe.rank_options()
        told = {"resamples": rank.resamples, "seed": rank.seed, "level": rank.level}
        audits = {data: self.places.measured(model, data) / "audit" for data in (VALIDATION, AUDIT)}
        return {data: measure(audit, self.material.pool.classes, **told) for data, audit in audits.items() if is_artifact(audit)}

    def _round(self, plan: Plan, here: RoundPlaces, measured: Mapping[int, Mapping[str, Mapping[str, Figures]]]) -> Row:
        work, labels = read_manifest(here.work).details, read_labels(here.labels)
        ratings = read_labels(here.ratings) if is_artifact(here.ratings) else None
        row: Row = {
            "round": plan.round,
            "retest": plan.retest,
            "selector": plan.loop["selector"],
            "queued": read_manifest(here.queue).counts["queued"],
            "rated": len(ratings.opinions) if ratings else 0,
            "ratings": len(ratings.ratings) if ratings else 0,
            "oracle": bool(read_manifest(here.labels).options.get("oracle")),
            "vetoed": sum(opinion.vetoed for opinion in ratings.opinions) if ratings else 0,
            "learned": len(work["learn"]),
            "tested": len(work["test"]),
            "masks": len(labels.masks),
            "seconds": _seconds(ratings, labels),
            "ranking": self._ranking(here.before),
            "stability": {"before": open_ranking(here.before).summary["stability"], "after": None},  # type: ignore[index]
            **dict.fromkeys(("repaired", "lr", "limit", "validation", "after", "test_change")),
        }
        if not plan.retest and is_artifact(here.after) and is_artifact(here.gain):
            entry = read_card(here.repaired)["repair"]
            row |= {"repaired": entry["repaired"], "lr": entry["lr"], "limit": entry["limit"]}
            was, now = (measured[v][VALIDATION]["all"] for v in (plan.round - 1, plan.round))
            row["validation"] = {"before": was.told(MIOU), "after": now.told(MIOU), "change": now.change(was, MIOU)}
            row["after"] = self._ranking(here.after)
            row["stability"]["after"] = open_ranking(here.after).summary["stability"]  # type: ignore[index]
            pairs = open_ranking(here.gain).summary["pairs"]  # type: ignore[index]
            row["test_change"] = next(p["difference"] for p in pairs if p["model"] == version_name(plan.round))
        return {name: row[name] for name in ROUND_KEYS}

    def _ranking(self, place: Path) -> list[Row]:
        summary = open_ranking(place).summary
        assert summary is not None
        return [
            {
                "model": one["model"],
                "role": "target" if one["model"] == TARGET else "rival",
                "place": one["place"]["miou"],
                **{name: one[name] for name in ("miou", "perron", "thurstone")},
            }
            for one in summary["models"]
        ]

    def _models(self, rounds: Sequence[Row], measured: Mapping[int, Mapping[str, Mapping[str, Figures]]]) -> Iterator[Row]:
        """Each model's mIoU on the validation data, T0, and on every fresh test set."""
        rivals = list(dict.fromkeys(one["model"] for row in rounds for one in row["ranking"] if one["role"] == "rival"))
        for model in (TARGET, *rivals):
            found = measured.get(0, {}) if model == TARGET else self._measured(model)
            first = found.get(VALIDATION, {}).get("all")
            sets: list[Row] = []
            if first is not None:
                sets.append({"set": "T0", "miou": first.told(MIOU), "samples": first.samples, "place": None})
            for row in rounds:
                if own := next((one for one in row["ranking"] if one["model"] == model), None):
                    sets.append({"set": f"T{row['round']}", "miou": own["miou"], "samples": row["tested"], "place": own["place"]})
            for one in sets:
                one["version"] = max(0, int(one["set"][1:]) - 1) if model == TARGET else None
            yield {"model": model, "role": "target" if model == TARGET else "rival", "sets": sets}

    def _examples(self, plan: Plan, here: RoundPlaces) -> Iterator[Row]:
        if plan.retest or not is_artifact(here.gain):
            return
        masks = read_labels(here.labels).best_masks("accepted", "submitted")
        found = largest_changes(here.gain, now=version_name(plan.round), was=version_name(plan.round - 1))
        for number, one in enumerate(found, start=1):
            classes = self.material.pool.classes
            seen = [classes.name_of(i) for i in classes.foreground if i in masks[one.id].runs.values]
            file = f"examples/{plan.round}-{number:02d}.jpg"
            yield {"id": one.id, "round": plan.round, "class": ", ".join(seen), "file": file, "before": one.before, "after": one.after}

    def pictures(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of each picture; one that cannot be read any more is left out."""
        images, classes = images_of(self.material.pool), self.material.pool.classes
        for plan, here in self.begun():
            rows = list(self._examples(plan, here))
            if not rows:
                continue
            masks = {mask.id: mask.runs for mask in read_labels(here.labels).best_masks("accepted", "submitted").values()}
            places = [self.places.predictions(version_name(v)) for v in (plan.round - 1, plan.round)]
            versions = [open_predictions(str(place), classes) for place in places]
            for row in rows:
                try:
                    maps = [masks[row["id"]], *(one.source.read(row["id"]) for one in versions)]
                    yield row["file"], strip(images[row["id"]], maps, classes)
                except (FormatError, KeyError):
                    continue


def _gains(measured: Mapping[int, Mapping[str, Mapping[str, Figures]]], names: Sequence[str]) -> Iterator[Row]:
    """IoU of each class, of the first and the last version."""
    if len(measured) < 2:
        return
    first, last = measured[min(measured)], measured[max(measured)]
    for data in (AUDIT, VALIDATION):
        if data not in first or data not in last:
            continue
        was, now = first[data]["all"], last[data]["all"]
        for name in names:
            if not math.isnan(was.value[f"iou:{name}"]):
                before, after = (one.told(f"iou:{name}") for one in (was, now))
                yield {"class": name, "set": data, "before": before, "after": after, "change": now.change(was, f"iou:{name}")}


def _forgetting(measured: Mapping[int, Mapping[str, Mapping[str, Figures]]]) -> Iterator[Row]:
    """MIoU on the validation data of each version, and its paired change from the first."""
    for version, found in measured.items():
        first, own = measured[min(measured)][VALIDATION]["all"], found[VALIDATION]["all"]
        yield {"version": version, "miou": own.told(MIOU), "change": own.change(first, MIOU)}


def _verdicts(measured: Mapping[int, Mapping[str, Mapping[str, Figures]]]) -> Iterator[Row]:
    for version, found in measured.items():
        for data in (AUDIT, VALIDATION):
            for group, figures in found.get(data, {}).items():
                first = measured[min(measured)][data][group]
                rates = {name: figures.told(name) for name in RATES}
                change = {name: figures.change(first, name) for name in RATES}
                yield {"set": data, "group": group, "version": version, "samples": figures.samples, **rates, "change": change}


def _seconds(ratings: Labels | None, labels: Labels) -> Row:
    """Time people took, as the page recorded it; None where it did not."""
    times = {
        "ratings": [rating.seconds for rating in ratings.ratings] if ratings else [],
        "masks": [mask.seconds for mask in labels.masks],
        "checks": [check.seconds for check in labels.checks],
    }
    return {name: sum(found) or None for name, found in times.items()}


def _spent(rounds: Sequence[Row]) -> Row:
    found: Row = {name: sum(row[name] for row in rounds) for name in ("ratings", "masks", "learned", "tested", "vetoed")}
    found["oracle"] = any(row["oracle"] for row in rounds)
    found["seconds"] = sum(value or 0 for row in rounds for value in row["seconds"].values()) or None
    return found
