"""What a round began with: kept to from the first question to people until it ends, whatever is changed in LOOP.toml meanwhile."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from figureground.core.errors import ArtifactError, InputError
from figureground.core.progress import Reporter
from figureground.core.whole_file import write_atomically
from figureground.loops.material import Material, class_lines, pool_digest
from figureground.loops.options import LoopOptions
from figureground.loops.places import RoundPlaces
from figureground.loops.recipe import Recipe
from figureground.runs.artifact import to_json
from figureground.stages.repair.target import open_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What decides whom a round asks about what; the rest of LOOP.toml may change while it runs."""

    round: int
    retest: bool
    """Only tests: nothing is learned after it."""
    pool: str
    """Digest."""
    classes: tuple[str, ...]
    target: str
    """Digest of the weights that the loop began with."""
    rivals: Mapping[str, str]
    loop: Mapping[str, Any]
    mine: Mapping[str, Any]

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe as this round knows it."""
        return replace(recipe, rivals=self.rivals, loop=LoopOptions(**self.loop), mine=self.mine)


def begin(here: RoundPlaces, recipe: Recipe, material: Material, *, reporter: Reporter) -> Plan:
    """The plan of a round: the one it began with, or one as the recipe says now, which is written, where nobody was asked anything yet.

    Raises:
        InputError: the pool or the classes are no longer those the round began with.
        ArtifactError: the plan cannot be read.
    """
    file, number, loop = here.plan, here.number, dataclasses.asdict(recipe.loop)
    now = Plan(
        round=number,
        retest=here.retest,
        pool=pool_digest(material.pool),
        classes=tuple(class_lines(material.pool.classes)),
        target=open_target(recipe.target).card["sha256"],
        rivals=dict(recipe.rivals),
        loop=loop,
        mine=dict(recipe.mine),
    )
    first = here.folder.parent / "round-1" / "plan.json"
    if first.exists() and read_plan(first).target != now.target:
        raise InputError(
            f"the loop began with another target: the weights of {recipe.target} are not those. Name the one it began with (what it has "
            "learned is in the rounds), or begin anew with another --out"
        )
    if not file.exists():
        _write(now, file)
        return now
    plan = read_plan(file)
    if plan.classes != now.classes:
        raise InputError(
            f"round {number} began with the classes {', '.join(plan.classes)}, and now they are {', '.join(now.classes)}. What people "
            "said is about the former: give data with these, or begin anew with another --out"
        )
    if not (here.asked_for_ratings or here.asked_for_masks):
        if plan != now:
            reporter.say(f"note: nobody was asked in round {number} yet: it begins again as {recipe.file.name} and the pool are now")
            _write(now, file)
        return now
    if plan.pool != now.pool:
        raise InputError(
            f"round {number} began with another pool: samples were added, removed or moved. Give the same one, or begin anew with another "
            "--out; a pool may change between rounds"
        )
    _tell(plan, now, reporter)
    return plan


def _write(plan: Plan, file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, to_json(dataclasses.asdict(plan)).encode())
    except OSError as error:
        raise InputError(f"{file}: cannot write there ({error.strerror}). Choose another --out") from error


def read_plan(file: Path) -> Plan:
    """The plan that a round began with; one that cannot be read raises `ArtifactError`."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Plan(**{**content, "classes": tuple(content["classes"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{file}: the plan of the round cannot be read ({str(error)[:60]}). Put it back; or, if LOOP.toml and the pool are as they "
            "were when the round began, remove it: it is written again"
        ) from error


def _tell(plan: Plan, now: Plan, reporter: Reporter) -> None:
    """What is different now and takes effect in the next round."""
    if new := [name for name in now.rivals if name not in plan.rivals]:
        reporter.say(f"note: round {plan.round} goes on with the rivals it began with; {', '.join(new)} takes part from the next one on")
    if gone := [name for name in plan.rivals if name not in now.rivals]:
        reporter.say(f"note: round {plan.round} still compares with {', '.join(gone)}, with which it began")
    if other := [name for name, spec in now.rivals.items() if plan.rivals.get(name, spec) != spec]:
        reporter.say(f"note: round {plan.round} goes on with the {', '.join(other)} it began with; give another model another name")
    differing = [key for key in plan.loop if plan.loop[key] != now.loop.get(key)]
    if changed := [f"[loop] {key}" for key in differing if key not in ("rounds", "retest")] + ["[mine]"] * (plan.mine != now.mine):
        reporter.say(f"note: round {plan.round} goes on as it began; changes of {', '.join(changed)} take effect in the next one")
