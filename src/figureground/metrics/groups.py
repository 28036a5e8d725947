"""Groups of samples by their attributes, the common and the counterfactual ones, and the gaps between them.

Training ties a class to a context when most of its samples show it there. Groups that keep that tie are common, groups that break it
counterfactual, and a model that reads the ground does worse on the second. Gaps are functions of sums, so the bootstrap evaluates them on
all resamples at once. Source: arXiv 2604.13326 (two classes, two contexts); any number of either is defined here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from figureground.core.errors import InputError
from figureground.core.ties import Tie, own_contexts
from figureground.metrics.decompose import ratio
from figureground.metrics.overlap import nan_mean

FEW = 20
"""A group with fewer samples is marked: its numbers say little."""

Kind = Literal["common", "counterfactual"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """The samples that share the values of some attributes."""

    values: tuple[str, ...]
    """One value per attribute, in the order of `GroupIndex.by`."""
    members: np.ndarray
    """int64 [samples of the group], sample indices in ascending order."""

    @property
    def few(self) -> bool:
        """Whether there are fewer than `FEW` samples."""
        return self.members.size < FEW


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupIndex:
    """The groups of a set of samples by some attributes, sorted by their values; groups without samples do not occur."""

    by: tuple[str, ...]
    groups: tuple[Group, ...]
    left_out: int
    """Samples that lack a value of some attribute and so are in no group."""

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def members(self) -> list[np.ndarray]:
        """The sample indices of each group, as `bootstrap_sums` takes them."""
        return [group.members for group in self.groups]

    def place(self, values: tuple[str, ...]) -> int | None:
        """Index of the group with these values; None where there is none."""
        return next((i for i, group in enumerate(self.groups) if group.values == values), None)

    def absent(self) -> list[tuple[str, ...]]:
        """Combinations of values that occur singly but never together, sorted."""
        seen = {group.values for group in self.groups}
        columns = [sorted({values[i] for values in seen}) for i in range(len(self.by))]
        return [values for values in product(*columns) if values not in seen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One class's groups for a gap: those in its common context or contexts, and those in all others."""

    label: str
    common: tuple[int, ...]
    """Indices of the groups, in the `GroupIndex`; at least one."""
    others: tuple[int, ...]
    """Indices of the groups in other contexts; empty where none has samples, and the gap is then NaN."""


def group_index(columns: Mapping[str, Sequence[str]]) -> GroupIndex:
    """The groups of samples by any number of attributes.

    Args:
        columns: attribute name -> value of each sample; an empty text means unknown.

    Returns:
        Groups sorted by their values. A sample with an unknown value is in no group and counted as left out. No samples give no groups.

    Raises:
        InputError: no attribute, or columns of unequal length.

    Source: defined here.

    >>> index = group_index({"class": ["cat", "dog", "cat"], "context": ["in", "in", "in"]})
    >>> [(group.values, group.members.tolist()) for group in index.groups]
    [(('cat', 'in'), [0, 2]), (('dog', 'in'), [1])]
    """
    if not columns or len({len(column) for column in columns.values()}) > 1:
        got = ", ".join(f"{name} [{len(column)}]" for name, column in columns.items()) or "none"
        raise InputError(f"groups need at least one attribute and columns of equal length; got {got}")
    members: dict[tuple[str, ...], list[int]] = {}
    left_out = 0
    for sample, values in enumerate(zip(*columns.values(), strict=True)):
        if "" in values:
            left_out += 1
        else:
            members.setdefault(values, []).append(sample)
    groups = tuple(Group(values=values, members=np.array(members[values], dtype=np.int64)) for values in sorted(members))
    return GroupIndex(by=tuple(columns), groups=groups, left_out=left_out)


def majority_contexts(labels: Sequence[str], contexts: Sequence[str]) -> dict[str, str | None]:
    """The context in which each class is seen most, among the given (training) samples.

    Returns:
        class -> context, sorted by class; None where two contexts tie, since then nothing is common. Samples with an empty label or
        context do not count; a class that has none left does not occur.

    Source: arXiv 2604.13326, where it is known by construction; counting it is defined here.
    """
    seen = Counter((label, context) for label, context in zip(labels, contexts, strict=True) if label and context)
    common: dict[str, str | None] = {}
    for label in sorted({label for label, _ in seen}):
        ranked = sorted(((n, context) for (name, context), n in seen.items() if name == label), reverse=True)
        tied = len(ranked) > 1 and ranked[0][0] == ranked[1][0]
        common[label] = None if tied else ranked[0][1]
    return common


def group_kinds(
    index: GroupIndex, common: Mapping[str, Tie | None], *, label: str = "class", context: str = "context"
) -> list[Kind | None]:
    """Whether each group keeps the tie of its class to a context (common) or breaks it (counterfactual).

    A class that is tied to several contexts keeps its tie in each of them. None for every group where the attributes do not hold both
    `label` and `context`, and for the groups of a class without a common context.
    """
    if label not in index.by or context not in index.by:
        return [None] * len(index)
    at_label, at_context = index.by.index(label), index.by.index(context)
    kinds: list[Kind | None] = []
    for group in index.groups:
        usual = own_contexts(common, group.values[at_label])
        kinds.append(None if not usual else "common" if group.values[at_context] in usual else "counterfactual")
    return kinds


def gap_plan(index: GroupIndex, common: Mapping[str, Tie | None], *, label: str = "class", context: str = "context") -> tuple[Gap, ...]:
    """The groups to compare for each class that has samples in a common context of its own, sorted by class.

    Raises:
        InputError: the groups are not by exactly these two attributes.
    """
    if sorted(index.by) != sorted((label, context)):
        raise InputError(f"gaps need groups by `{label}` and `{context}` alone; got {', '.join(index.by)}")
    at_label, kinds = index.by.index(label), group_kinds(index, common, label=label, context=context)
    plan = []
    for name in sorted({group.values[at_label] for group in index.groups}):
        of_class = [i for i, group in enumerate(index.groups) if group.values[at_label] == name]
        usual = tuple(i for i in of_class if kinds[i] == "common")
        if usual:
            plan.append(Gap(label=name, common=usual, others=tuple(i for i in of_class if kinds[i] == "counterfactual")))
    return tuple(plan)


def iou_gaps(plan: Sequence[Gap], iou: np.ndarray) -> np.ndarray:
    """IoU of each class in its common context minus the mean over its other contexts; positive = worse where the tie is broken.

    Of a class that is tied to several contexts, the mean over them stands for the common one.

    Args:
        plan: from `gap_plan`.
        iou: float64 [groups, ...], for each group the IoU of its own class, pooled over the samples of the group.

    Returns:
        float64 [classes of the plan, ...], in [-1, 1]. Contexts without a value are left out of their mean; NaN where no other has one,
        or no common one.

    Source: arXiv 2604.13326 for two contexts; the means over more are defined here.
    """
    iou = np.asarray(iou, dtype=np.float64)
    gaps = np.full((len(plan), *iou.shape[1:]), np.nan)
    for row, gap in enumerate(plan):
        if gap.others:
            usual, others = (nan_mean(np.moveaxis(iou[list(places)], 0, -1)) for places in (gap.common, gap.others))
            gaps[row] = usual - others
    return gaps


def flip_gap(kinds: Sequence[Kind | None], flipped: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """Flipped rate of the counterfactual groups together minus that of the common ones; positive = worse where the tie is broken.

    Args:
        kinds: from `group_kinds`.
        flipped: [groups, ...], flipped pixels of each group.
        foreground: [groups, ...], pixels of foreground truth of each group.

    Returns:
        float64 [...], in [-1, 1]; NaN where either side has no foreground.

    Source: arXiv 2604.13326, pooled over pixels.
    """
    rates = []
    for kind in ("counterfactual", "common"):
        rows = [i for i, k in enumerate(kinds) if k == kind]
        rates.append(ratio(np.asarray(flipped)[rows].sum(0), np.asarray(foreground)[rows].sum(0)))
    return rates[0] - rates[1]


def worst_group(rates: np.ndarray) -> tuple[int | None, float]:
    """Index and value of the largest rate that is not NaN, the first on a tie; (None, NaN) where all are NaN. Higher is worse."""
    rates = np.asarray(rates, dtype=np.float64)
    if rates.size == 0 or np.isnan(rates).all():
        return None, float("nan")
    worst = int(np.nanargmax(rates))
    return worst, float(rates[worst])
