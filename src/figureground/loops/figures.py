"""What an audit of a version of the target says, with replicates, so that versions are compared on the same resampled pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from figureground.core.types import ClassTable
from figureground.metrics.resample import bootstrap_sums
from figureground.stages.audit.estimates import with_interval
from figureground.stages.audit.features import audit_features
from figureground.stages.audit.result import read_summary
from figureground.stages.audit.statistics import class_iou, statistics

RATES = ("correct", "flipped", "missed", "added")
MIOU = "miou_macro"
GROUPS = ("all", "common", "counterfactual")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figures:
    """Figures of one group of pictures."""

    samples: int
    value: Mapping[str, float]
    """Rates, mIoU and the IoU of each class, `iou:NAME`."""
    replicates: Mapping[str, np.ndarray]
    """float64 [resamples] of each."""
    level: float

    def told(self, name: str) -> dict[str, float]:
        """Value and interval."""
        return with_interval(self.value[name], self.replicates[name], level=self.level)

    def change(self, before: Figures, name: str) -> dict[str, float]:
        """How much more than before, and the interval of that, on the same pictures."""
        difference = self.replicates[name] - before.replicates[name]
        return with_interval(self.value[name] - before.value[name], difference, level=self.level)


def measure(audit: Path, classes: ClassTable, *, resamples: int, seed: int, level: float) -> dict[str, Figures]:
    """The figures of all pictures of an audit and, where training ties classes to contexts, of those that keep and break the tie.

    Args:
        audit: an artifact of one prediction.
        classes: of its data set.
        resamples: of the pictures; those of one seed are the same for every audit of the same pictures. 0 = no intervals.
        seed: of the resamples.
        level: coverage aimed at.

    Returns:
        Group -> figures; of `GROUPS` those that have pictures.
    """
    samples, features = audit_features(audit, classes)
    kinds = _kinds(samples, read_summary(audit))
    members = {name: np.flatnonzero(kinds == name) if name != "all" else np.arange(len(kinds)) for name in GROUPS}
    members = {name: places for name, places in members.items() if places.size}
    names = [*RATES, MIOU, *(f"iou:{name}" for name in classes.names)]

    def evaluate(sums: np.ndarray) -> np.ndarray:
        found = statistics(sums)
        return np.concatenate([np.stack([found[name] for name in (*RATES, MIOU)], axis=-1), class_iou(sums)], axis=-1)

    value = evaluate(np.stack([features[places].sum(0) for places in members.values()]))
    drawn = np.empty((len(members), 0, len(names)))
    if resamples:
        drawn = bootstrap_sums(features, groups=list(members.values()), resamples=resamples, seed=seed, reduce=evaluate)
    return {
        group: Figures(
            samples=places.size,
            value=dict(zip(names, value[row].tolist(), strict=True)),
            replicates=dict(zip(names, drawn[row].T, strict=True)),
            level=level,
        )
        for row, (group, places) in enumerate(members.items())
    }


def _kinds(samples: pa.Table, summary: Mapping[str, Any]) -> np.ndarray:
    """For each picture the kind of its group, class by context; empty where it has none."""
    kinds = np.full(samples.num_rows, "", object)
    for group in summary["groups"]:
        if group["kind"] in GROUPS and all(name in samples.column_names for name in group["by"]):
            inside = np.ones(samples.num_rows, bool)
            for name, value in group["attributes"].items():
                inside &= np.array([entry == value for entry in samples[name].to_pylist()])
            kinds[inside] = group["kind"]
    return kinds
