"""The content of `audit.json`: every reported number of one prediction, with its interval, and the finding in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from figureground.core.types import ClassTable
from figureground.metrics.decompose import Decomposition, decompose
from figureground.metrics.groups import Gap, GroupIndex, gap_plan, iou_gaps, worst_group
from figureground.metrics.groups import Group as MetricGroup
from figureground.metrics.interval import simultaneous_intervals, worst_group_interval
from figureground.stages.audit.estimates import RATES, Estimates, group_estimates, overall_estimates, with_interval
from figureground.stages.audit.grouping import Group, Grouping
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.relabel import confusable_summary, merged_summary
from figureground.stages.audit.risk import risk_summary
from figureground.stages.audit.sentence import finding
from figureground.stages.audit.statistics import BASE, class_iou, sample_features
from figureground.stages.audit.table import SampleTable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """One prediction: the summary, and the estimates it was made from."""

    summary: dict[str, Any]
    overall: Estimates
    groups: Estimates
    features: np.ndarray
    """float64 [samples, features]."""


def summarise(
    table: SampleTable,
    grouping: Grouping,
    *,
    ignored: int,
    scores: dict[str, np.ndarray],
    clusters: np.ndarray | None,
    options: AuditOptions,
) -> Findings:
    """All numbers of one prediction.

    Args:
        table: counts of all samples.
        grouping: from `build_groups`.
        ignored: pixels whose truth is void.
        scores: score column -> float64 [samples], NaN where a sample has none.
        clusters: int64 [samples] or None.
        options: how to estimate.
    """
    features, names = sample_features(table), table.classes.names
    overall = overall_estimates(features, classes=names, options=options, clusters=clusters)
    ties = [np.concatenate(found) for kind in ("counterfactual", "common") if (found := _of_kind(grouping, kind))]
    members = [*(g.members for g in grouping.groups), *(ties if len(ties) == 2 else [])]
    own = np.array([_own_class(g, table.classes) for g in grouping.groups] + [-1] * (len(members) - len(grouping.groups)), np.int64)
    estimated = group_estimates(features, members, own, options=options, clusters=clusters)
    parts = decompose(table.counts(), background=table.classes.background)
    summary: dict[str, Any] = {
        "samples": table.samples,
        "pixels": {"counted": parts.pixels, "ignored": ignored, "foreground": parts.foreground, "background": parts.background_pixels},
        "rates": {name: overall.of(0, name) for name in RATES},
        "flip_image_mean": overall.of(0, "flip_image_mean") | {"samples": int(features[:, BASE.index("has_foreground")].sum())},
        "conditional_flip": overall.of(0, "conditional_flip"),
        "macro_flipped": parts.macro_flipped_rate,
        **_overlap(overall, table.classes, features),
        "boundary_f": overall.of(0, "boundary_f") | {"tolerance": options.boundary_tolerance},
        "classes": _classes(parts, table.classes),
        "flips": _flips(parts, table.classes),
        "by": list(grouping.by),
        "groups": [_group(g, i, estimated, table, features) for i, g in enumerate(grouping.groups)],
        "gaps": _gaps(grouping, estimated, options),
        "confusable": confusable_summary(table, options),
        "merged": merged_summary(table, options),
        "risk": risk_summary(scores, features, options, clusters),
    }
    summary["notes"] = _notes(summary, table, grouping)
    summary["sentence"] = finding(summary)
    return Findings(summary=summary, overall=overall, groups=estimated, features=features)


def _own_class(group: Group, classes: ClassTable) -> int:
    name = group.attributes.get("class", "")
    return classes.names.index(name) if name in classes.names else -1


def _overlap(overall: Estimates, classes: ClassTable, features: np.ndarray) -> dict[str, Any]:
    totals = features.sum(0)[len(BASE) :].reshape(-1, 3)
    present = (totals[:, 1] + totals[:, 2]) > 0
    return {
        "iou": {name: overall.of(0, f"iou:{name}") | {"present": bool(p)} for name, p in zip(classes.names, present, strict=True)},
        "miou": {kind: overall.of(0, f"miou_{kind}") for kind in ("micro", "macro", "macro-imagewise")},
        "dice": {kind: overall.of(0, f"dice_{kind}") for kind in ("micro", "macro", "macro-imagewise")},
        "accuracy": {kind: overall.of(0, f"accuracy_{kind}") for kind in ("micro", "macro")},
        "foreground_iou": overall.of(0, "foreground_iou"),
    }


def _classes(parts: Decomposition, classes: ClassTable) -> list[dict[str, Any]]:
    return [
        {
            "name": classes.name_of(part.id),
            "pixels": part.pixels,
            "correct": part.correct_rate,
            "flipped": part.flipped_rate,
            "missed": part.missed_rate,
            "taken_pixels": part.taken,
            "added_pixels": part.added,
        }
        for part in parts.classes
    ]


def _flips(parts: Decomposition, classes: ClassTable) -> list[dict[str, Any]]:
    return [
        {
            "truth": classes.name_of(pair.truth),
            "predicted": classes.name_of(pair.predicted),
            "pixels": pair.pixels,
            "rate": pair.rate,
            "share": pair.share,
        }
        for pair in parts.flips
    ]


def _group(group: Group, place: int, estimated: Estimates, table: SampleTable, features: np.ndarray) -> dict[str, Any]:
    parts = decompose(table.counts(group.members), background=table.classes.background)
    iou = class_iou(features[group.members].sum(0))
    return {
        "by": list(group.by),
        "attributes": group.attributes,
        "samples": int(group.members.size),
        "few": group.few,
        "kind": group.kind,
        "pixels": {"counted": parts.pixels, "foreground": parts.foreground},
        "rates": {name: estimated.of(place, name) for name in RATES},
        "conditional_flip": estimated.of(place, "conditional_flip"),
        "flip_image_mean": estimated.of(place, "flip_image_mean"),
        "foreground_iou": estimated.of(place, "foreground_iou"),
        "boundary_f": estimated.of(place, "boundary_f"),
        "iou": {name: float(value) for name, value in zip(table.classes.names, iou, strict=True) if not np.isnan(value)},
        "flips": _flips(parts, table.classes)[:5],
    }


def _of_kind(grouping: Grouping, kind: str) -> list[np.ndarray]:
    return [grouping.groups[i].members for i in grouping.paired() if grouping.groups[i].kind == kind]


def _gaps(grouping: Grouping, estimated: Estimates, options: AuditOptions) -> dict[str, Any]:
    """IoU gap of each class, flip gap, and the worst group; each empty or None where training's ties or the groups do not say."""
    flipped, replicates = estimated.column("flipped")
    gap = None
    if estimated.value.shape[0] > len(grouping.groups):  # the last two are the counterfactual and the common groups together
        gap = with_interval(float(flipped[-2] - flipped[-1]), replicates[-2] - replicates[-1], level=options.level)
    return {
        "iou": _iou_gaps(grouping, estimated, options),
        "flip": gap,
        "worst_group": _worst_group(grouping, flipped, replicates, options),
    }


def _iou_gaps(grouping: Grouping, estimated: Estimates, options: AuditOptions) -> list[dict[str, Any]]:
    places = grouping.paired()
    if not places or not grouping.common:
        return []
    paired = [grouping.groups[i] for i in places]
    index = GroupIndex(by=paired[0].by, groups=tuple(MetricGroup(values=g.values, members=g.members) for g in paired), left_out=0)
    plan = gap_plan(index, grouping.common)
    value, replicates = (array[places] for array in estimated.column("own_iou"))
    found, resampled = iou_gaps(plan, value), iou_gaps(plan, replicates)
    return [
        {
            "class": gap.label,
            "common": paired[gap.common[0]].attributes if len(gap.common) == 1 else [paired[i].attributes for i in gap.common],
            "counterfactual": [paired[i].attributes for i in gap.others],
            "few": any(paired[i].few for i in (*gap.common, *gap.others)),
            **with_interval(float(found[row]), resampled[row] if _several(paired, gap) else resampled[row][:0], level=options.level),
        }
        for row, gap in enumerate(plan)
        if gap.others
    ]


def _several(paired: list[Group], gap: Gap) -> bool:
    """Whether each group of a gap has units enough to say how much others would differ."""
    return all(paired[i].units > 1 for i in (*gap.common, *gap.others))


def _worst_group(grouping: Grouping, flipped: np.ndarray, replicates: np.ndarray, options: AuditOptions) -> dict[str, Any] | None:
    """The crossed group with the highest flipped rate, its interval holding whichever is worst; small groups count only if all are."""
    crossed = [i for i in grouping.crossed() if not np.isnan(flipped[i])]
    chosen = [i for i in crossed if not grouping.groups[i].few] or crossed
    if len(chosen) < 2:
        return None
    worst, value = worst_group(flipped[chosen])
    low = high = float("nan")
    if options.resamples and all(grouping.groups[i].units > 1 for i in chosen):
        found = simultaneous_intervals(flipped[chosen], replicates[chosen], level=options.level, bounds=(0.0, 1.0))
        low, high = worst_group_interval(found)
    return {"attributes": grouping.groups[chosen[worst or 0]].attributes, "value": value, "low": low, "high": high, "groups": len(chosen)}


def _notes(summary: dict[str, Any], table: SampleTable, grouping: Grouping) -> list[str]:
    notes = []
    if absent := [name for name, iou in summary["iou"].items() if not iou["present"]]:
        of = f"{len(absent)} of {len(table.classes)} classes"
        notes.append(f"{of} are in neither truth nor prediction and are left out of means: {', '.join(absent)}")
    without = table.samples - summary["flip_image_mean"]["samples"]
    if without:
        notes.append(f"{without} of {table.samples} samples have no counted foreground and are left out of the image-mean flip")
    if few := [g for g in summary["groups"] if g["few"]]:
        notes.append(f"{len(few)} of {len(summary['groups'])} groups have fewer than 20 samples; their intervals say little")
    if grouping.left_out:
        crossed = " x ".join(grouping.by)
        notes.append(f"{grouping.left_out} of {table.samples} samples lack a value of {crossed} and are in none of its groups")
    return notes
