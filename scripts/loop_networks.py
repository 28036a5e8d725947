"""The data sets and networks of loop_results.py: what is composed for each seed, and which networks are trained on it.

Below the directory of a data set and seed: `tied` (splits train and val, class and ground tied), `pool` (the tie is weaker; its masks are what
the oracle knows), `audit` (every class on every ground equally often), `weights/<network>`. Figures and grounds of train, val, pool and
audit are disjoint.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from figureground import api
from figureground.core.options import make_options
from figureground.core.types import Sample
from figureground.data.dataset import open_dataset
from figureground.data.write import write_table_and_toml
from figureground.models.fit.options import make_fit_options
from figureground.stages.shift.compose_options import ComposeOptions
from figureground.stages.shift.ingredients import find_scenes, hold_out
from figureground.sweeps.threads import one_thread

RECIPES = Path(__file__).resolve().parent / "recipes"
PARTS = ("train", "val", "pool", "audit")
SETS = {"tied": ("train", "val"), "pool": ("pool",), "audit": ("audit",)}
"""Data set -> the parts that are its splits."""
ALL_BUT_ONE = 0.9
"""Part of the figures and scenes of the audit that it may use: `compose` always leaves some for training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One data set and seed: what is composed and trained, and where it stands."""

    recipe: Mapping[str, Any]
    seed: int
    place: Path

    @property
    def name(self) -> str:
        """The name of the data set."""
        return self.recipe["name"]

    @property
    def networks(self) -> Mapping[str, str]:
        """Name -> architecture; the first is the target."""
        return self.recipe["networks"]

    def data(self, name: str) -> str:
        """One of the data sets of `SETS`."""
        return str(self.place / name)

    def weights(self, network: str) -> Path:
        """Where a network's weights stand."""
        return self.place / "weights" / network


def read_recipe(name: str, data: Path | None) -> dict[str, Any]:
    """A recipe with the place of the photographs filled in."""
    text = (RECIPES / f"loop-{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text.replace("{data}", str(data.resolve()) if data else ""))


def make_data(world: World) -> None:
    """Composes what is missing of a world's data sets."""
    for name, parts in SETS.items():
        if not (world.place / name / "dataset.toml").exists():
            made = {part: compose_part(world, part) for part in parts}
            write_set(world.place / name, made)


def compose_part(world: World, part: str) -> Path:
    """One part, as `compose` writes it."""
    parts, given = world.recipe["parts"], dict(world.recipe["compose"])
    if "shares" in world.recipe:
        given |= ingredients(world, part)
    elsewhere = {"train": 0, "val": 0, "test": 0, "seed": 10 * world.seed + PARTS.index(part)}
    if part == "audit":
        counts = {"test": parts[part]} | ({"held_test": ALL_BUT_ONE} if "shares" in world.recipe else {})
    else:
        counts = {"train": parts[part], "rho": parts["pool_rho" if part == "pool" else "rho"]}
    given["common"] = tuple(given.get("common", ()))
    options = make_options(ComposeOptions, given, elsewhere, counts)
    return api.compose(world.place / "parts" / part, options=options, workers=1)


def ingredients(world: World, part: str) -> dict[str, str]:
    """The figures and scenes that a part may use: no other part of the world has them."""
    given, place = world.recipe["compose"], world.place / "ingredients" / part
    figures, common = open_dataset(given["figures"]), dict(pair.split("=") for pair in given["common"])
    scenes, _ = find_scenes(given["scenes"], tuple(common.values()))

    def own(names: list[str], what: str) -> list[int]:
        return list(hold_out(names, seed=world.seed, what=what, parts=world.recipe["shares"])[part])

    cut: list[Sample] = []
    for label in common:
        some = [sample for sample in figures.samples if sample.label == label]
        chosen = (some[i] for i in own([one.id for one in some], f"figures '{label}'"))
        cut += [replace(one, split=None, mask=str(Path(given["figures"], one.mask or "")), attributes={}) for one in chosen]
    stood = [
        Sample(id=scenes[context][i].name, image=scenes[context][i].image, attributes={"context": context})
        for context in common.values()
        for i in own([one.name for one in scenes[context]], f"scenes '{context}'")
    ]
    for kind, samples, context in (("figures", cut, None), ("scenes", stood, "context")):
        (place / kind).mkdir(parents=True, exist_ok=True)
        write_table_and_toml(place / kind, name=kind, classes=figures.classes, samples=samples, common={}, context=context)
    return {"figures": str(place / "figures"), "scenes": str(place / "scenes")}


def write_set(folder: Path, parts: Mapping[str, Path]) -> None:
    """A data set of composed parts: each a split, with ids that no other part has."""
    samples: list[Sample] = []
    opened = {part: open_dataset(str(made)) for part, made in parts.items()}
    for part, dataset in opened.items():
        for number, sample in enumerate(dataset.samples):
            files = {kind: os.path.relpath(parts[part] / (getattr(sample, kind) or ""), folder) for kind in ("image", "mask")}
            samples.append(replace(sample, id=f"{part}_{number:06d}", split=part, **files))
    first = next(iter(opened.values()))
    folder.mkdir(parents=True, exist_ok=True)
    write_table_and_toml(folder, name=f"{first.name}, {folder.name}", classes=first.classes, samples=samples, common=first.common)


def train_network(world: World, name: str) -> Path:
    """The weights of one network of a world; there already = nothing is done."""
    given = {"architecture": world.networks[name], "seed": 100 * world.seed + list(world.networks).index(name), "device": "cpu"}
    with one_thread():
        return api.train(world.data("tied"), out=world.weights(name), options=make_fit_options(world.recipe["train"], given)).path
