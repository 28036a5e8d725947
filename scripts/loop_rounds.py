"""The rounds of loop_results.py: for each data set, seed and selector a loop that an oracle answers, and duels between the selectors' targets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from loop_networks import World

from figureground import rounds
from figureground.api import mine
from figureground.data.dataset import open_dataset
from figureground.data.labels import read_labels
from figureground.loops.oracle import open_oracle
from figureground.loops.places import Places, version_name
from figureground.loops.recipe import read_recipe
from figureground.review.exchange.labels import write_labels
from figureground.review.exchange.masks import LabelledMask
from figureground.stages.mine.options import MineOptions
from figureground.stages.rank.options import RankOptions
from figureground.sweeps.threads import one_thread

AGAINST = ("entropy", "random")
"""Selectors that mining competes with."""
SHARED = ("predictions", "validation", "audit")
"""Parts of a loop that are the same whatever selects: what models see before the first repair."""


def loop_place(world: World, selector: str) -> Path:
    """The directory of a loop."""
    return world.place / "loops" / selector


def run_loop(world: World, selector: str) -> str:
    """One loop to its end; what models see before the first repair is taken over from the loop that mines, where that has it."""
    file, place = write_recipe(world, selector), loop_place(world, selector)
    first = loop_place(world, "mad")
    for part in SHARED if selector != "mad" else ():
        for model in ("target-0", *list(world.networks)[1:]):
            if (first / part / model).exists() and not (place / part / model).exists():
                shutil.copytree(first / part / model, place / part / model)
    with one_thread():
        found = rounds.loop(file, out=place, oracle=True)
    return f"{world.name}, seed {world.seed}, {selector}: {found.outcome} {found.why}"


def write_recipe(world: World, selector: str) -> Path:
    """LOOP.toml of a loop."""
    given, (target, *rivals) = world.recipe["rounds"], world.networks
    lines = [f"name = {json.dumps(f'{world.name}, {selector}')}"]
    lines += [f"{role} = {json.dumps(world.data(name))}" for role, name in (("pool", "pool"), ("train", "tied"), ("audit", "audit"))]
    lines += [f"target = {json.dumps(f'weights:{world.weights(target)}')}", "", "[rivals]"]
    lines += [f"{name} = {json.dumps(f'weights:{world.weights(name)}')}" for name in rivals]
    tables: dict[str, dict[str, Any]] = {
        "loop": {**given["loop"], "selector": selector, "seed": world.seed},
        "predict": {"device": "cpu", "workers": 1},
        "mine": {"sheet": 0},
        "review": {"checked": False},
        "repair": given["repair"],
        "oracle": given["oracle"],
    }
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    file = world.place / "loops" / f"{selector}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def run_duel(world: World, other: str) -> str:
    """The target that learned what was mined against the one that learned what another selector chose, on pictures that neither learned."""
    last = version_name(world.recipe["rounds"]["loop"]["rounds"])
    pool, place = open_dataset(world.data("pool")), world.place / "duels" / other
    learned = {mask.id for selector in ("mad", other) for mask in _learned(world, selector)}
    left = pool.select(ids=[i for i in pool.ids if i not in learned])
    specs = [f"{name}={Places(out=loop_place(world, name)).predictions(last)}" for name in ("mad", other)]
    options = MineOptions(area=("0,1",), deduplicate=False, sheet=0, top=30)
    queue = mine(left, specs[0], specs[1:], out=place / "queue", options=options)
    asked = RankOptions(labels=(str(_truth(world)),), unknown="ignore", size=30, per_object=10)
    found = rounds.rank(queue, specs, out=place / "duel", options=asked, duel=True)
    return f"{world.name}, seed {world.seed}: {found.sentence}"


def _learned(world: World, selector: str) -> list[Any]:
    places = Places(out=loop_place(world, selector))
    count = world.recipe["rounds"]["loop"]["rounds"]
    return [mask for n in range(1, count + 1) for mask in read_labels(places.round(n).learned).masks]


def _truth(world: World) -> Path:
    """The masks of the pool as labels."""
    place = world.place / "duels" / "truth"
    dataset = open_oracle(read_recipe(write_recipe(world, "mad"))).truth
    assert dataset.masks is not None
    masks = [LabelledMask(id=s.id, image=s.image, runs=dataset.masks.read(s.id), by="truth") for s in dataset.samples]
    return write_labels(place, masks, dataset.classes, reviewer="truth", status="accepted", source="truth")
