"""Is it the context, or something else? The facts of each group, how far groups differ in them, and how label and context hang together.

A shortcut is only shown to be the context where everything else is the same in every group. The balance table compares what else there is:
the size and place of the object, the pieces it is in, its contact with the border, and the light.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, nan

import numpy as np

from figureground.core.errors import InputError
from figureground.metrics.association import cramers_v, mutual_information
from figureground.stages.shift.balance_difference import (
    Column,
    Difference,
    GroupFacts,
    cluster_numbers,
    difference,
    group_column,
    number_text,
)
from figureground.stages.shift.facts import FACTS, PictureFacts, measure_picture

__all__ = [
    "FACTS",
    "THRESHOLD",
    "BalanceTable",
    "Difference",
    "GroupFacts",
    "PictureFacts",
    "balance_table",
    "measure_picture",
    "number_text",
]

THRESHOLD = 0.1
"""A standardised mean difference above this is a warning. Source: Austin 2009, the customary mark for covariate balance."""
COLUMNS = ("row", "fact", "class", "context", "n", "mean", "sd", "other_class", "other_context", "other_n", "other_mean", "other_sd")
COLUMNS += ("value", "se", "warning")
WORDS = {"objects": "pieces"}
"""What a fact is called where that is not its name."""
_LIGHT = ("brightness", "sharpness")


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceTable:
    """Facts by group, their differences, and the association of label and context."""

    groups: tuple[GroupFacts, ...]
    """Every fact of every group that has samples, then of every class over all contexts; in order of label, context and fact."""
    differences: tuple[Difference, ...]
    """Every fact of every pair of groups, and of every pair of classes over all contexts."""
    sizes: Mapping[tuple[str, str], int]
    """Samples of each label and context that occur together."""
    mutual_information: float
    """Of label and context in nats, in [0, ln of the smaller number of values]; 0 = independent. NaN without samples."""
    cramers_v: float
    """Cramer's V of label and context, in [0, 1]; NaN where there is one label or one context only."""
    left_out: int
    """Samples without a label or without a context, which are in no group."""
    threshold: float

    @property
    def warnings(self) -> tuple[Difference, ...]:
        """Differences above the threshold, those that chance alone would rarely make before the others.

        Among either, facts of the object come before those of the light, which often are what a context is; then the largest first.
        """
        found = [one for one in self.differences if abs(one.d) > self.threshold]
        return tuple(sorted(found, key=lambda one: (one.by_chance, one.fact in _LIGHT, -abs(one.d))))

    def find(self, fact: str, label: str, context: str = "") -> GroupFacts:
        """One fact of one group, or of a class over all contexts; an unknown one raises `InputError`."""
        for one in self.groups:
            if (one.fact, one.label, one.context) == (fact, label, context):
                return one
        raise InputError(f"there is no fact '{fact}' of class '{label}' and context '{context}' in this table")

    def rows(self) -> list[dict[str, str | int | float]]:
        """All that the table holds as rows with the keys `COLUMNS`; what does not apply is the empty text, what is undefined NaN."""
        associations = (("mutual_information", self.mutual_information), ("cramers_v", self.cramers_v))
        found: list[dict[str, str | int | float]] = [
            {"row": "association", "fact": name, "n": sum(self.sizes.values()), "value": value} for name, value in associations
        ]
        found += [{"row": "group", "fact": g.fact, **_columns(g)} for g in self.groups]
        for one in self.differences:
            warning = one.sentence if abs(one.d) > self.threshold else ""
            against = {f"other_{key}": value for key, value in _columns(one.other).items()}
            found.append(
                {"row": one.kind, "fact": one.fact, **_columns(one.first), **against, "value": one.d, "se": one.se, "warning": warning}
            )
        return [{name: row.get(name, "") for name in COLUMNS} for row in found]

    def to_csv(self) -> str:
        """The rows as CSV with a header line; an undefined number is an empty cell."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([_cell(value) for value in row.values()] for row in self.rows())
        return text.getvalue()

    def to_text(self, *, most: int = 20) -> str:
        """What the table says as plain lines: the association, the groups, and at most `most` warnings."""
        lines = [association_sentence(self)]
        for (label, context), n in self.sizes.items():
            facts = ", ".join(
                f"{WORDS.get(fact, fact.replace('_', ' '))} {number_text(self.find(fact, label, context).mean)}" for fact in FACTS
            )
            lines.append(f"{label}-{context}: n {n}, {facts}")
        lines.append(warning_sentence(self))
        lines += [f"warning: {one.sentence}" for one in self.warnings[:most]]
        if (more := len(self.warnings) - most) > 0:
            lines.append(f"... and {more} more")
        return "\n".join(lines) + "\n"


def balance_table(
    facts: Sequence[PictureFacts],
    label: Sequence[str],
    context: Sequence[str],
    *,
    cluster: Sequence[str] | None = None,
    threshold: float = THRESHOLD,
) -> BalanceTable:
    """Compares the facts of pictures between the groups that share class and context.

    The standardised mean difference of two groups is d = (m1 - m2) / sqrt((s1^2 + s2^2) / 2), with sample standard deviations (n - 1). It
    does not depend on the sizes of the groups, so it stays what it is when the correlation is turned. Where both deviations are 0 it is 0
    for equal means and infinite, with the sign of the difference, for others; with fewer than two samples on a side it is NaN. Facts that
    are NaN (no mask, no picture, no object) are left out of their own group and fact only.

    The standard error takes samples as independent. Where some share a cluster it is that of clusters, sqrt(sum over c of (sum of u_i)^2)
    with u_i = g / ((g - 1) n) (+-(x_i - m) / s - d (n (x_i - m)^2 / (n - 1) - s_k^2) / (4 s^2)), + in the first group and - in the
    second; n, g, m, s_k are samples, clusters, mean and deviation of the sample's own group, s is the pooled deviation. In groups of fewer
    than 20 samples or clusters, or without spread, a difference is beyond chance only where dealing them out again says so too (`dealt_p`).

    Args:
        facts: of each sample.
        label: class of each sample; empty = none.
        context: context of each sample; empty = none.
        cluster: what samples share that belong together, such as a patient; empty = a sample on its own. None = each on its own.
        threshold: differences above it are warnings, at least 0.

    Raises:
        InputError: they are not of one length, or the threshold is below 0.

    Source: Austin 2009 (Statistics in Medicine 28:3083) for d and its mark of 0.1; Bonett 2008 for its standard error, Liang and Zeger 1986
    for that over clusters; Cramer 1946 for V.

    Example:
        >>> facts = [PictureFacts(object_area=area) for area in (0.1, 0.3, 0.5, 0.7)]
        >>> table = balance_table(facts, ["cat"] * 4, ["in", "in", "out", "out"])
        >>> round(table.differences[0].d, 3), table.warnings[0].sentence
        (-2.828, 'object area differs between cat-in and cat-out: 0.20 against 0.60, d = 2.83, which chance alone can do')
    """
    if not len(facts) == len(label) == len(context):
        raise InputError(
            f"`facts`, `label` and `context` must have one entry per sample; got {len(facts)}, {len(label)} and {len(context)} entries"
        )
    if cluster is not None and len(cluster) != len(facts):
        raise InputError(f"`cluster` must have one entry per sample; got {len(cluster)} for {len(facts)} samples")
    if not threshold >= 0:
        raise InputError(f"`threshold` must be at least 0; got {threshold}")
    kept = [i for i in range(len(facts)) if label[i] and context[i]]
    values = np.array([[getattr(facts[i], name) for name in FACTS] for i in kept], np.float64).reshape(len(kept), len(FACTS))
    members: dict[tuple[str, str], list[int]] = {}
    for place, i in enumerate(kept):
        members.setdefault((label[i], context[i]), []).append(place)
    members = dict(sorted(members.items()))
    sizes = {key: len(places) for key, places in members.items()}
    whole = {(name, ""): [p for key, places in members.items() if key[0] == name for p in places] for name, _ in members}
    clusters = None if cluster is None else cluster_numbers([cluster[i] for i in kept])
    crossed = {key: _columns_of(values, clusters, places, key) for key, places in members.items()}
    classes = {key: _columns_of(values, clusters, places, key) for key, places in whole.items()}
    pairs = [*itertools.combinations(crossed.values(), 2), *itertools.combinations(classes.values(), 2)]
    return BalanceTable(
        groups=tuple(column.facts for group in (*crossed.values(), *classes.values()) for column in group),
        differences=tuple(difference(a, b) for first, other in pairs for a, b in zip(first, other, strict=True)),
        sizes=sizes,
        mutual_information=mutual_information(_contingency(sizes)),
        cramers_v=cramers_v(_contingency(sizes)),
        left_out=len(facts) - len(kept),
        threshold=threshold,
    )


def warning_sentence(table: BalanceTable) -> str:
    """How many differences are above the threshold, in words."""
    surely = sum(not one.by_chance for one in table.warnings)
    return f"{len(table.warnings)} of {len(table.differences)} differences are above {table.threshold:g}, {surely} of them beyond chance"


def association_sentence(table: BalanceTable) -> str:
    """How label and context hang together, in words."""
    n = sum(table.sizes.values())
    v = "undefined" if np.isnan(table.cramers_v) else f"{table.cramers_v:.3f}"
    most = log(max(1, min(len({key[0] for key in table.sizes}), len({key[1] for key in table.sizes})))) if table.sizes else nan
    shared = "undefined" if np.isnan(table.mutual_information) else f"{table.mutual_information:.3f} of at most {most:.3f} nats"
    left = f"; {table.left_out} without label or context are left out" if table.left_out else ""
    return f"label and context: Cramer's V {v}, mutual information {shared}, {n} samples{left}"


def _columns_of(values: np.ndarray, clusters: np.ndarray | None, places: Sequence[int], group: tuple[str, str]) -> tuple[Column, ...]:
    """Every fact of the samples at some places of float64 [samples, facts]."""
    some = None if clusters is None else clusters[places]
    return tuple(
        group_column(column, some, fact=fact, label=group[0], context=group[1])
        for fact, column in zip(FACTS, values[places].T, strict=True)
    )


def _contingency(sizes: Mapping[tuple[str, str], int]) -> np.ndarray:
    """int64 [labels, contexts]."""
    labels, contexts = (sorted({key[part] for key in sizes}) for part in (0, 1))
    return np.array([[sizes.get((a, b), 0) for b in contexts] for a in labels], np.int64).reshape(len(labels), len(contexts))


def _columns(group: GroupFacts) -> dict[str, str | int | float]:
    return {"class": group.label, "context": group.context, "n": group.n, "mean": group.mean, "sd": group.sd}


def _cell(value: str | int | float) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return str(value)
