"""Common against counterfactual groups: is a class answered worse where its context is not the one that training shows it in?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from figureground.core.ties import Common, own_contexts
from figureground.data.dataset import Dataset
from figureground.metrics.answers import GroupAccuracy
from figureground.metrics.groups import majority_contexts
from figureground.stages.classify.answered import Answered
from figureground.stages.classify.bounds import UNKNOWN, Bounds, Part, bounds, difference_bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Accuracy in the common and in the counterfactual groups of one class, or of all that have both."""

    label: str
    """Empty = of all classes."""
    context: str
    """The common one, or several with commas between them; empty for all classes."""
    common: float
    of_common: Bounds
    counterfactual: float
    of_counterfactual: Bounds
    of_gap: Bounds

    @property
    def gap(self) -> float:
        """Common minus counterfactual; above 0 = an unusual context makes the answers worse."""
        return self.common - self.counterfactual


def common_contexts(dataset: Dataset, *, groups: str, trained: Mapping[str, Any], labels: Sequence[str]) -> Common:
    """Class -> context that training ties it to: as the data set declares, else where the network saw most of it, else the training split.

    Args:
        dataset: before a split is selected.
        groups: column that is crossed with the label; empty = the context of the data set.
        trained: `column` and `shares` of the training of the network, where its card tells.
        labels: classes.

    Returns:
        Without a class that two contexts share evenly; empty where nothing is known.
    """
    column = dataset.context_attribute if groups in ("", "context") else groups
    if not column:
        return {}
    if dataset.common and column == dataset.context_attribute:
        return dict(dataset.common)
    if trained.get("shares") and trained.get("column") == column:
        return _most_seen(trained["shares"], labels)
    training = [s for s in dataset.samples if s.split == "train"]
    found = majority_contexts([s.label or "" for s in training], [dataset.attribute(s, column) for s in training])
    return {label: context for label, context in found.items() if context is not None}


def _most_seen(shares: Mapping[str, float], labels: Sequence[str]) -> dict[str, str]:
    """From the part of training in each group, by its name `label, context`."""
    seen: dict[str, dict[str, float]] = {}
    for name, share in shares.items():
        label = max((one for one in labels if name.startswith(f"{one}, ")), key=len, default=None)
        if label is not None:
            seen.setdefault(label, {})[name.removeprefix(f"{label}, ")] = share
    most = {label: [context for context, share in of.items() if share == max(of.values())] for label, of in seen.items()}
    return {label: contexts[0] for label, contexts in most.items() if len(contexts) == 1}


def group_kinds(values: Sequence[tuple[str, str]], common: Common) -> tuple[str, ...]:
    """`common`, `counterfactual` or, where that is not known, the empty text, of each (label, context)."""
    return tuple("" if not context or label not in common else _kind(context in own_contexts(common, label)) for label, context in values)


def _kind(same: bool) -> str:
    return "common" if same else "counterfactual"


def contrasts(
    answered: Answered, found: GroupAccuracy, kinds: Sequence[str], sums: np.ndarray | None, *, level: float
) -> tuple[Contrast, ...]:
    """One for all classes with pictures in common and in counterfactual groups, then one for each of them; none where no class has both.

    Args:
        answered: the answers.
        found: their accuracy by group.
        kinds: from `group_kinds`.
        sums: right answers and pictures of each group in each resample, float64 [groups, resamples, 2]; None = no intervals.
        level: coverage that intervals aim at.
    """
    members: dict[str, dict[str, list[int]]] = {}
    for g, ((label, _), kind) in enumerate(zip(answered.group_values, kinds, strict=True)):
        if kind and found.counts[g]:
            members.setdefault(label, {}).setdefault(kind, []).append(g)
    both = {label: of for label, of in members.items() if len(of) == 2}
    if not both:
        return ()
    whole = {kind: [g for of in both.values() for g in of[kind]] for kind in ("common", "counterfactual")}
    return tuple(_contrast(answered, found, label, of, sums, level) for label, of in {"": whole, **both}.items())


def _contrast(
    answered: Answered, found: GroupAccuracy, label: str, of: Mapping[str, list[int]], sums: np.ndarray | None, level: float
) -> Contrast:
    usual, other = (_part(answered, found, of[kind], sums) for kind in ("common", "counterfactual"))
    known = sums is not None
    return Contrast(
        label=label,
        context=", ".join(answered.group_values[group][1] for group in of["common"]) if label else "",
        common=usual.value,
        of_common=bounds(usual, level=level) if known else UNKNOWN,
        counterfactual=other.value,
        of_counterfactual=bounds(other, level=level) if known else UNKNOWN,
        of_gap=difference_bounds(usual, other, level=level) if known else UNKNOWN,
    )


def _part(answered: Answered, found: GroupAccuracy, groups: list[int], sums: np.ndarray | None) -> Part:
    """Right answers of some groups together."""
    counts = found.counts[groups]
    value = float(np.rint(found.groups[groups] * counts).sum() / counts.sum())
    if sums is None:
        return Part(value=value, replicates=np.empty(0), clusters=0)
    drawn = sums[groups].sum(0)
    replicates = np.divide(drawn[:, 0], drawn[:, 1], out=np.full(len(drawn), np.nan), where=drawn[:, 1] > 0)
    return Part(value=value, replicates=replicates, clusters=answered.clusters_of(groups))
