"""Which samples make which group, and which groups training ties together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.core.ties import Common, Tie, join_ties
from figureground.data.dataset import Dataset, open_dataset
from figureground.metrics.groups import FEW, group_index, group_kinds, majority_contexts
from figureground.stages.audit.options import AuditOptions

PAIR = ("class", "context")
"""The attributes whose ties make groups common or counterfactual."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """The samples that share the values of some attributes."""

    by: tuple[str, ...]
    values: tuple[str, ...]
    members: np.ndarray
    """int64, sample indices, at least one."""
    units: int
    """What is drawn in a resample and has a part in the group: its samples, or the clusters they come from."""
    kind: str | None = None
    """`common` where training ties the class to this context, `counterfactual` where it breaks the tie, None where neither is known."""

    @property
    def few(self) -> bool:
        """True below 20 units, where an interval says little."""
        return self.units < FEW

    @property
    def attributes(self) -> dict[str, str]:
        """Attribute -> value."""
        return dict(zip(self.by, self.values, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grouping:
    """All groups of an audit: those of the attributes crossed first, then those of each attribute alone."""

    by: tuple[str, ...]
    """The attributes that are crossed."""
    groups: tuple[Group, ...]
    left_out: int
    """Samples without a value of some crossed attribute; they are in none of the crossed groups."""
    common: Common
    """Class -> context or contexts that training ties it to; empty where that is not known."""

    def crossed(self) -> list[int]:
        """Indices of the crossed groups."""
        return [i for i, g in enumerate(self.groups) if g.by == self.by]

    def paired(self) -> list[int]:
        """Indices of the groups by class and context alone, in the order of `gap_plan`."""
        return [i for i, g in enumerate(self.groups) if sorted(g.by) == sorted(PAIR)]


def group_attributes(dataset: Dataset, options: AuditOptions, sole_class: Sequence[str]) -> dict[str, list[str]]:
    """The values, in sample order, of each attribute that makes groups; by default class and context, where any sample has them.

    A sample without a declared class has the class of its truth where that holds exactly one foreground class.
    """
    names = options.by or tuple(
        name
        for name, has in (("class", any(sole_class) or any(s.label for s in dataset.samples)), ("context", dataset.context_attribute))
        if has
    )
    columns = {"class" if name == "label" else name: [dataset.attribute(s, name) for s in dataset.samples] for name in names}
    if "class" in columns:
        columns["class"] = [declared or sole for declared, sole in zip(columns["class"], sole_class, strict=True)]
    return {name: values for name, values in columns.items() if options.by or any(values)}


def build_groups(columns: Mapping[str, Sequence[str]], common: Common, clusters: np.ndarray | None = None) -> Grouping:
    """The groups of all attributes crossed, of class and context where they are among more, and of each attribute alone.

    Args:
        columns: attribute -> value of each sample; the empty text = unknown.
        common: class -> context or contexts that training ties it to; may be empty.
        clusters: int64 [samples], or None where every sample is on its own.
    """
    by = tuple(columns)
    pair = tuple(name for name in by if name in PAIR)
    several = [by, *([pair] if len(pair) == 2 else [])] if by else []
    choices: list[tuple[str, ...]] = list(dict.fromkeys([*several, *((name,) for name in by)]))
    groups: list[Group] = []
    left_out = 0
    for chosen in choices:
        index = group_index({name: columns[name] for name in chosen})
        left_out = index.left_out if chosen == by else left_out
        kinds = group_kinds(index, common)
        groups += [
            Group(by=chosen, values=g.values, members=g.members, units=units_of(g.members, clusters), kind=kind)
            for g, kind in zip(index.groups, kinds, strict=True)
        ]
    return Grouping(by=by, groups=tuple(groups), left_out=left_out, common=common)


def cluster_numbers(ids: Sequence[str], values: Sequence[str]) -> np.ndarray:
    """int64 [samples], one number per cluster; a sample without a value is a cluster of its own."""
    names = [value or f"\0{sample}" for sample, value in zip(ids, values, strict=True)]
    return np.unique(names, return_inverse=True)[1].reshape(-1)


def units_of(members: np.ndarray, clusters: np.ndarray | None) -> int:
    """How many samples, or different clusters, some samples are."""
    return int(members.size if clusters is None else np.unique(clusters[members]).size)


def common_contexts(dataset: Dataset, whole: Dataset, options: AuditOptions) -> dict[str, Tie]:
    """Class -> what training ties it to: as declared by option, else by the data set, else the majority of the training split.

    Args:
        dataset: the samples under audit.
        whole: the data set before a split was selected.
        options: `common` and `train`.

    Raises:
        InputError: a declaration that is not CLASS=CONTEXT, is there twice, or is of a class that does not exist.
    """
    if options.common:
        return join_ties(_declared(text, whole) for text in options.common)
    if dataset.common:
        return dict(dataset.common)
    training = open_dataset(options.train) if options.train else whole
    samples = training.samples if options.train else [s for s in training.samples if s.split == "train"]
    if not training.context_attribute or not samples:
        return {}
    pairs = [(s.label, training.attribute(s, "context")) for s in samples]
    pairs = [(label, context) for label, context in pairs if label and context]
    found = majority_contexts([label for label, _ in pairs], [context for _, context in pairs])
    return {name: context for name, context in found.items() if context is not None}


def _declared(text: str, dataset: Dataset) -> tuple[str, str]:
    name, equals, context = text.partition("=")
    if not equals or not name or not context:
        raise InputError(f"`common` must be CLASS=CONTEXT; got '{text}'")
    dataset.classes.id_of(name)
    if not dataset.context_attribute:
        raise InputError(f"`common` = '{text}' needs a context, and {dataset.name} has none. Join one with --attributes")
    known = {dataset.attribute(s, "context") for s in dataset.samples} - {""}
    if context not in known:
        raise InputError(f"`common` names the context '{context}'; known: {', '.join(sorted(known))}")
    return name, context
