"""The card of refitted weights: that of the network before, and what its last layer was fitted to, how, and what came of it."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import Any

from figureground.data.dataset import Dataset
from figureground.models.fit.card import content_digest
from figureground.stages.refit.methods import COLUMNS, Points, Refitted
from figureground.stages.refit.options import RefitOptions
from figureground.stages.refit.solve import Head, cross_entropy

KEYS = ("from", "method", "data", "groups", "chosen", "expected", "options")
"""What the entry `refit` of a card holds."""


def refit_of_card(found: Refitted, *, source: Mapping[str, str], data: Dataset, points: Points, options: RefitOptions) -> dict[str, Any]:
    """The entry `refit` of `card.json`, as plain values."""
    sizes = [int((points.groups == group).sum()) for group in range(len(points.names))]
    row = next(one for one in found.rows if one["chosen"])
    return {
        "from": dict(source),
        "method": options.method,
        "data": {"name": data.name, "samples": len(data), "sha256": content_digest(data)},
        "groups": dict(zip(points.names, sizes, strict=True)),
        "chosen": dict(found.chosen),
        "expected": {name: row[name] for name in ("worst_group_accuracy", "mean_group_accuracy")},
        "options": dataclasses.asdict(options),
    }


def figures_with(head: Head, val: Points, names: Sequence[str], shares: Mapping[str, float]) -> dict[str, Any]:
    """The validation of a head in the form of a card's `figures`."""
    found = val.accuracy(head)
    right = head.answers(val.features) == val.targets
    known = [shares.get(name, 0.0) if found.counts[place] else 0.0 for place, name in enumerate(val.names)]
    each = {name: float(found.groups[place]) for place, name in enumerate(val.names)}
    adjusted = sum(share * each[name] for share, name in zip(known, val.names, strict=True) if share) / sum(known) if sum(known) else None
    return {
        "loss": cross_entropy(head, val.features, val.targets),
        "accuracy": found.accuracy,
        "adjusted_accuracy": adjusted,
        "mean_group_accuracy": found.mean,
        "worst_group_accuracy": found.worst,
        "worst_group": val.names[found.worst_group] if found.worst_group >= 0 else "",
        "class_accuracy": {name: float(right[val.targets == k].mean()) for k, name in enumerate(names) if (val.targets == k).any()},
        "group_accuracy": each,
        "group_samples": {name: int(found.counts[place]) for place, name in enumerate(val.names)},
    }


def refit_text(refit: Mapping[str, Any]) -> str:
    """What the card says of the refit, as Markdown for people; comes before the rest of the card."""
    chosen = ", ".join(f"{name} {value:g}" for name, value in refit["chosen"].items())
    rows = "".join(f"| {name} | {count} |\n" for name, count in refit["groups"].items())
    return (
        f"# Refitted: {refit['from']['name']}\n\nThe last layer was fitted again by {refit['method']} ({chosen}), the rest is from weights "
        f"`{refit['from']['sha256']}`. Samples it was fitted to, of {refit['data']['name']}:\n\n| group | samples |\n| --- | --- |\n{rows}"
    )


def choices_csv(found: Refitted) -> str:
    """Every setting that was tried, one row each; what a method has not is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list[str](COLUMNS), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**one, "chosen": str(bool(one["chosen"])).lower()} for one in found.rows)
    return text.getvalue()
