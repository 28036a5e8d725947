"""What `loop` prints: the table of models by test set, where it stands, and what it would cost."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from figureground.cli.summary import interval_cell
from figureground.cli.terminal import make_console, print_json, print_table
from figureground.loops.places import Places
from figureground.loops.questions import Asking, read_question
from figureground.loops.state import COLUMNS, RoundState, read_states
from figureground.runs.artifact import is_artifact

if TYPE_CHECKING:
    from figureground.loops.asking import Asked
    from figureground.loops.estimate import Cost
    from figureground.loops.recipe import Recipe
    from figureground.loops.run import LoopResult

MARKS = {"done": "done", "now": "now", "open": "-", "none": ""}


def print_result(found: LoopResult, *, json_output: bool) -> None:
    """Prints what was found so far, and what to do next."""
    summary: dict[str, Any] = json.loads((found.report / "loop.json").read_text(encoding="utf-8"))
    if json_output:
        asked = None if found.asked is None else _asked(found.asked, found.left)
        print_json({"path": found.path, "outcome": found.outcome, "round": found.round, "why": found.why, "waits": asked, **summary})
        return
    console = make_console()
    if summary["rounds"]:
        console.print(summary["sentence"], markup=False, soft_wrap=True)
        print_table(_models(summary))
    if found.why:
        console.print(found.why, markup=False, soft_wrap=True)
    if found.asked is not None:
        console.print(f"Answer them:  {found.asked.command}", markup=False, soft_wrap=True)
        console.print("Then the same command again; it goes on from there.", markup=False, soft_wrap=True)
    console.print(f"Report: {found.report / 'report.html'}", markup=False, soft_wrap=True)


def _asked(asked: Asked, left: int) -> dict[str, Any]:
    return {
        "state": asked.state,
        "pictures": len(asked.ids),
        "left": left,
        "address": asked.address,
        "command": asked.command,
        "labels": asked.labels,
    }


def _models(summary: Mapping[str, Any]) -> Table:
    """MIoU of each model on each test set."""
    sets = list(dict.fromkeys(one["set"] for model in summary["models"] for one in model["sets"]))
    table = Table("model", box=None, header_style="bold", pad_edge=False)
    for name in sets:
        table.add_column(name, justify="right")
    for model in summary["models"]:
        own = {one["set"]: one for one in model["sets"]}
        table.add_row(escape(model["model"]), *(interval_cell(own[name]["miou"]) if name in own else "" for name in sets))
    return table


def print_status(recipe: Recipe, place: Path, *, json_output: bool) -> None:
    """Prints the states of every round, and what is waited for with the page's address."""
    loop = recipe.loop
    states = read_states(place, rounds=loop.rounds, retest=loop.retest, rate=loop.rate)
    now = next((one for one in states if not one.done), None)
    waits = _waits(recipe, Places(out=place), now)
    if now is not None and now.marks["labelling"] == "now" and waits is None and _asked_for_masks(place, now):
        following = "ranked" if now.retest else "repaired"
        now.marks.update({"labelling": "done", following: "now"})
    ended = "" if now is None else _ended(place, now)
    if json_output:
        print_json({"path": place, "rounds": [dataclasses.asdict(one) for one in states], "waits": waits, "ended": ended or None})
        return
    console = make_console()
    table = Table("round", box=None, header_style="bold", pad_edge=False)
    for name in COLUMNS:
        table.add_column(name)
    for one in states:
        title = f"{one.round} (re-test)" if one.retest else str(one.round)
        table.add_row(title, *(MARKS[one.marks[name]] for name in COLUMNS))
    print_table(table)
    if now is None:
        console.print(f"Finished. Report: {place / 'report' / 'report.html'}", markup=False, soft_wrap=True)
    elif ended:
        console.print(f"{ended} Report: {place / 'report' / 'report.html'}", markup=False, soft_wrap=True)
    elif waits:
        text = f"Round {now.round} waits for {waits['what']} of {waits['left']} of {waits['pictures']} pictures: {waits['address']}"
        console.print(text, markup=False, soft_wrap=True)
        console.print(f"The page is open while the loop runs, or by hand: {waits['command']}", markup=False, soft_wrap=True)
    else:
        state = next(name for name, mark in now.marks.items() if mark == "now")
        out = "" if place == Path(recipe.file).with_suffix("") else f" --out {place}"
        console.print(
            f"Round {now.round}: next it is {state}. Go on with: figureground loop {recipe.file}{out}", markup=False, soft_wrap=True
        )


def _ended(place: Path, now: RoundState) -> str:
    """Why the round that is not done ended the loop, as its report says; empty where it did not."""
    report = Places(out=place).report
    if not is_artifact(report):
        return ""
    summary = json.loads((report / "loop.json").read_text(encoding="utf-8"))
    why = summary["why"] or ""
    return why if summary["state"] == "ended early" and why.startswith(f"Round {now.round} ") else ""


def _asked_for_masks(place: Path, now: RoundState) -> bool:
    """Whether the pictures that need masks are chosen; where none of them waits, all are there."""
    places = Places(out=place)
    return is_artifact((places.retest(now.round - 1) if now.retest else places.round(now.round)).work)


def _waits(recipe: Recipe, places: Places, now: RoundState | None) -> dict[str, Any] | None:
    """What people are asked, where the loop is at such a state and what is asked stands on disk."""
    states: tuple[Asking, ...] = ("rating", "labelling")
    state: Asking | None = next((name for name in states if now is not None and now.marks[name] == "now"), None)
    here = None if now is None else places.retest(now.round - 1) if now.retest else places.round(now.round)
    if here is None or state is None or (asked := read_question(recipe, places, here, state)) is None:
        return None
    left = asked.waiting()
    return {**_asked(asked, len(left)), "what": asked.what} if left else None


def print_cost(cost: Cost, *, json_output: bool) -> None:
    """Prints what is left of a loop would cost."""
    if json_output:
        print_json(dataclasses.asdict(cost))
        return
    console = make_console()
    if not cost.rounds:
        console.print("Every round is done: nothing is left to pay for.", markup=False)
        return
    table = Table("round", box=None, header_style="bold", pad_edge=False)
    for name in ("pictures through networks", "machine", "ratings, at most", "masks", "people"):
        table.add_column(name, justify="right")
    for one in cost.rounds:
        title = f"{one.round} (re-test)" if one.retest else str(one.round)
        cells = f"{one.pictures:,}", _time(one.machine_seconds), f"{one.ratings:,}", f"{one.masks:,}", _time(60 * one.people_minutes)
        table.add_row(title, *cells)
    print_table(table)
    for sentence in cost.assumed:
        console.print(sentence, markup=False, soft_wrap=True)


def _time(seconds: float) -> str:
    """Such as `40 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
