"""The loop: round after round until all repairs are done, people are needed, or there is nothing more to ask.

State is what stands on disk: each step finds what it made before, so the same command goes on wherever it was stopped.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from figureground.core.errors import InputError
from figureground.core.progress import QuietReporter, Reporter
from figureground.loops.asking import Answers, Asked, Nobody
from figureground.loops.material import open_material
from figureground.loops.models import Machine, check_models
from figureground.loops.places import Places, RoundPlaces
from figureground.loops.plan import begin
from figureground.loops.recipe import Recipe
from figureground.loops.state import is_ranked
from figureground.loops.steps import STATES, Ended, Round, Waiting
from figureground.loops.summary import write_summary
from figureground.models.fit.devices import ACCELERATE
from figureground.models.fit.networks import find_architecture
from figureground.models.torch_network import find_device
from figureground.report.page import NAME, write_report
from figureground.runs.artifact import tidy
from figureground.runs.executor import ENGINES
from figureground.stages.repair.target import open_target

Outcome = Literal["finished", "waiting", "ended early", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopResult:
    """Where a loop stands when the command ends."""

    path: Path
    """Directory of the loop."""
    outcome: Outcome
    round: int
    why: str
    """In a sentence; empty where it is finished."""
    asked: Asked | None = None
    """What people are asked, where it waits for them."""
    left: int = 0
    """Samples that wait."""

    @property
    def report(self) -> Path:
        """The artifact of all rounds so far, with `report.html` in it."""
        return Places(out=self.path).report


def run_loop(
    recipe: Recipe,
    *,
    out: Path,
    answers: Answers | None = None,
    until: str = "",
    machine: Machine | None = None,
    reporter: Reporter | None = None,
) -> LoopResult:
    """Goes on with a loop as far as it comes.

    Args:
        recipe: what it is made of. Rivals, budgets and options that were changed take effect in the next round.
        out: directory of the loop.
        answers: who is asked; default nobody: it stops where people are needed.
        until: a state to stop after, `mined`, or one of a round, `2.mined`; empty = none.
        machine: where predictions and mining run.
        reporter: where progress is told; default nowhere.

    Returns:
        Where it stands; the report of all rounds so far is written.

    Raises:
        InputError: data, models, labels and options that do not fit together, or a repair that diverged.
        FormatError: a fault in the files.
        ArtifactError: something else stands in `out`.
    """
    reporter, machine = _Terse(reporter or QuietReporter()), machine or Machine()
    until_round, until_state = parse_until(until)
    check_out(out)
    ENGINES.resolve(machine.engine.partition(":")[0])
    material = open_material(recipe)
    places = Places(out=out)
    check_models(recipe, places)
    find_architecture(open_target(recipe.target).architecture.text)
    if material.trained_on:
        count = len(material.trained_on)
        reporter.say(f"note: {count} pictures of the pool are training pictures, and are left out, such as '{material.trained_on[0]}'")
    _check_devices(recipe)
    answers = answers or Nobody()
    every = places.rounds(recipe.loop.rounds, retest=recipe.loop.retest)
    _check_until(until_round, until_state, every, rate=recipe.loop.rate)
    _check_whole(every)
    tidy(out)
    result = LoopResult(path=out, outcome="finished", round=every[-1].number, why="")
    for here in every:
        if is_ranked(here):
            if until_round == here.number:
                result = _stopped(out, here.number, "ranked")
                break
            continue
        plan = begin(here, recipe, material, reporter=reporter)
        one = Round(
            here=here,
            plan=plan,
            recipe=plan.applied(recipe),
            material=material,
            places=places,
            machine=machine,
            answers=answers,
            reporter=reporter,
        )
        if (found := _round(one, out, until_round, until_state)) is not None:
            result = found
            break
    summary = write_summary(recipe, places, material, result=(result.outcome, result.why), reporter=reporter)
    if not (summary / NAME).exists():  # a summary that is there already has its page
        write_report(summary)
    return result


def _round(one: Round, out: Path, until_round: int | None, until_state: str) -> LoopResult | None:
    """One round; None where it came to its end."""
    try:
        for state, step in one.steps():
            one.reporter.say(f"round {one.here.number}: {_WORDS[state]}")
            step()
            if state == until_state and until_round in (None, one.here.number):
                return _stopped(out, one.here.number, state)
    except Ended as ended:
        return LoopResult(path=out, outcome="ended early", round=one.here.number, why=f"Round {one.here.number} ends the loop: {ended}.")
    except Waiting as waiting:
        asked, left = waiting.asked, len(waiting.left)
        why = f"Round {one.here.number} waits for {asked.what} of {left} of {len(asked.ids)} pictures, first '{waiting.left[0]}'."
        return LoopResult(path=out, outcome="waiting", round=one.here.number, why=why, asked=asked, left=left)
    return None


class _Terse:
    """A reporter that does not tell of each step that was done before: going on passes over all of them."""

    def __init__(self, reporter: Reporter) -> None:
        self.heard, self.track = reporter, reporter.track

    def say(self, text: str) -> None:
        """A line, unless it says that nothing is to do."""
        if not text.endswith("nothing to do"):
            self.heard.say(text)


_WORDS = {
    "predicted": "predictions",
    "mined": "mining",
    "rating": "ratings",
    "labelling": "masks",
    "repaired": "repair",
    "ranked": "ranking on a test set that nothing was trained on",
}


def _stopped(out: Path, number: int, state: str) -> LoopResult:
    return LoopResult(path=out, outcome="stopped", round=number, why=f"Round {number} is {_done(state)}, as far as was asked for.")


def _done(state: str) -> str:
    return {"rating": "rated", "labelling": "labelled"}.get(state, state)


def parse_until(text: str) -> tuple[int | None, str]:
    """Round and state that `--until` names; anything else raises `InputError`.

    >>> parse_until("mined"), parse_until("2.ranked")
    ((None, 'mined'), (2, 'ranked'))
    """
    number, dot, state = text.rpartition(".")
    if not text:
        return None, ""
    if state not in STATES or (dot and not (number.isdecimal() and int(number) > 0)):
        raise InputError(f"--until must be a state, {', '.join(STATES)}, or one of a round such as 2.mined; got '{text}'")
    return (int(number) if dot else None), state


def _check_until(number: int | None, state: str, every: Sequence[RoundPlaces], *, rate: bool) -> None:
    if number is not None and number > every[-1].number:
        raise InputError(f"--until {number}.{state}: there are {every[-1].number} rounds, the re-test counted. Raise [loop] rounds")
    if state == "rating" and not rate:
        raise InputError("--until rating: nothing is rated in this loop, [loop] rate is false")
    if state == "repaired" and number is not None and every[number - 1].retest:
        raise InputError(f"--until {number}.repaired: round {number} is the re-test, after which nothing is repaired")


def _check_whole(every: Sequence[RoundPlaces]) -> None:
    """Raise `InputError` where a round is gone that later ones build on."""
    begun = [here.plan.exists() for here in every]
    for here, later in itertools.pairwise(every):
        if not here.plan.exists() and any(begun[every.index(later) :]):
            raise InputError(
                f"{here.folder}: the plan of round {here.number} is gone, and later rounds build on it. Put the directory back, or begin "
                "anew with another --out"
            )


def _check_devices(recipe: Recipe) -> None:
    """Raise `InputError` where a device is not there: the repair comes after people have answered."""
    for table, name in (("predict", recipe.predict.device), ("repair", recipe.repair_options().device)):
        try:
            if name != ACCELERATE:
                find_device(name)
        except InputError as error:
            raise InputError(f"[{table}] {error}") from error


def check_out(out: Path) -> None:
    """Raise `InputError` where a directory holds something else than a loop."""
    if not out.exists():
        return
    known = ("round-", "retest-", "predictions", "validation", "audit", "report", ".")
    strange = [entry.name for entry in out.iterdir() if not entry.name.startswith(known)] if out.is_dir() else [out.name]
    if strange:
        raise InputError(f"{out}: holds {strange[0]}, which is no part of a loop. Choose another --out")
