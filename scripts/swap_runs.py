"""What the runs of swap_results.py say: figures over seeds, and the rows of docs/results/swap.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from over_seeds import Over, over
from swap_methods import METHODS, SEGMENTED, World, proof


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one data set, one world a seed, with minority or without."""

    data: str
    minority: bool
    worlds: Sequence[World]

    def each(self, method: str, what: str) -> list[float]:
        """A figure of the answers of a method, a fraction, for each seed."""
        return [float(_json(world, "answers", method)[what]["value"]) for world in self.worlds]

    def figure(self, method: str, what: str = "worst_group_accuracy") -> Over:
        """The same over seeds, within [0, 1]."""
        return within(over(self.each(method, what)))

    def difference(self, method: str, other: str, what: str = "worst_group_accuracy") -> Over:
        """Of two methods, paired by seed."""
        return certain(over(a - b for a, b in zip(self.each(method, what), self.each(other, what), strict=True)))

    def samples(self, method: str) -> tuple[int, int]:
        """Fewest and most pictures of a seed that a method answered."""
        found = [int(_json(world, "answers", method)["samples"]) for world in self.worlds]
        return min(found), max(found)

    def proofs(self, method: str, *keys: str) -> Over:
        """A figure of what the written swaps of a method say of themselves."""
        return certain(over(_within_proof(proof(world, method), keys) for world in self.worlds))

    def verdict(self, method: str, what: str, kind: str = "counterfactual") -> list[float]:
        """Of a segmentation network, part of the figures' pixels with a verdict, mean over the groups of a kind, for each seed."""
        return [float(np.mean([group[what] for group in _groups(world, method) if group["kind"] == kind])) for world in self.worlds]

    def named(self, method: str) -> list[float]:
        """Of a segmentation network, part of the figures' pixels that is found and named rightly, mean over all groups, for each seed."""
        return [float(np.mean([group["correct"] for group in _groups(world, method)])) for world in self.worlds]


def certain(found: Over | None) -> Over:
    """A figure that every seed has."""
    assert found is not None
    return found


def within(found: Over | None) -> Over:
    """A rate's interval cut to [0, 1]."""
    rate = certain(found)
    return Over(rate.value, max(rate.low, 0.0), min(rate.high, 1.0))


def read_runs(worlds: Sequence[World]) -> list[Runs]:
    """Those of every data set, without minority first."""
    kinds = dict.fromkeys((str(world.recipe["name"]), world.minority) for world in worlds)
    return [Runs(name, minority, [w for w in worlds if (w.recipe["name"], w.minority) == (name, minority)]) for name, minority in kinds]


def rows(found: Sequence[Runs]) -> list[dict[str, Any]]:
    """What `swap.json` holds."""
    made = [
        {
            "data": runs.data,
            "minority": runs.minority,
            "task": "classify",
            "method": method,
            "seeds": len(runs.worlds),
            "worst_group": runs.figure(method).plain(),
            "accuracy": runs.figure(method, "accuracy").plain(),
            "flip_rate": runs.figure(method, "flip_rate").plain(),
        }
        for runs in found
        for method in METHODS
    ]
    return made + [_segmented(runs, method) for runs in found if not runs.minority for method in SEGMENTED]


def _segmented(runs: Runs, method: str) -> dict[str, Any]:
    """A row of a segmentation network: the part of figures that is found and named rightly, as a mean over groups and in the worst."""
    row = {"data": runs.data, "minority": False, "task": "segment", "method": method, "seeds": len(runs.worlds)}
    correct = [[group["correct"] for group in _groups(world, method)] for world in runs.worlds]
    worst, mean = (within(over(reduce(groups) for groups in correct)).plain() for reduce in (np.min, np.mean))
    return {**row, "worst_group": worst, "accuracy": mean, "flip_rate": within(over(runs.verdict(method, "flipped"))).plain()}


def _groups(world: World, method: str) -> list[dict[str, Any]]:
    """The groups of class and context of a network's audit."""
    table = pq.read_table(world.place / "segment" / f"{method}-audit" / "groups.parquet")
    return [group for group in table.to_pylist() if group["kind"]]


def _json(world: World, *parts: str) -> dict[str, Any]:
    return json.loads(world.place.joinpath(*parts, "summary.json").read_text(encoding="utf-8"))


def _within_proof(found: Any, keys: Sequence[str]) -> float:
    for key in keys:
        found = found[key]
    return float(found)
