"""How far two groups differ in one fact, in standard deviations, and how far chance would move that.

Pictures that belong together (of one patient, one video, one drawn figure) say less than as many that do not. Where clusters are named, the
standard error lets whole clusters stray instead of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, isnan, nan, sqrt

import numpy as np

from figureground.stages.shift.balance_chance import dealt_p

_CHANCE = 1.96
_RARE = 0.05
_FEW = 20
"""Groups of fewer samples or clusters are dealt out again, for which 1.96 standard errors hold no longer."""
_WORDS = {"objects": "number of pieces"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """One fact of the samples of a class and a context; an empty class or context stands for all of them."""

    fact: str
    label: str
    context: str
    n: int
    """Samples that have the fact."""
    mean: float
    """NaN where `n` is 0."""
    sd: float
    """Standard deviation with n - 1; NaN where `n` is below 2."""

    @property
    def name(self) -> str:
        """`cat-indoor`, or the class or context alone where it stands for all of the other."""
        return "-".join(part for part in (self.label, self.context) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far two groups differ in one fact, in standard deviations."""

    first: GroupFacts
    other: GroupFacts
    d: float
    """Mean of `first` minus mean of `other` by the pooled standard deviation; NaN where either has fewer than two samples with the fact."""
    se: float
    """Standard error of `d`; infinite where a group is of one cluster, else NaN where `d` is not finite."""
    p: float = nan
    """How often chance alone does as much (`dealt_p`); NaN where no group is small or without spread, or `se` says enough."""

    @property
    def fact(self) -> str:
        """Name of the fact."""
        return self.first.fact

    @property
    def kind(self) -> str:
        """`context` where the two are contexts of one class, `class` where they are classes of one context (or of all), else `both`."""
        if self.first.label == self.other.label:
            return "context"
        return "class" if self.first.context == self.other.context else "both"

    @property
    def by_chance(self) -> bool:
        """True where groups drawn alike would often differ so far: `d` is within 1.96 standard errors of 0, or `p` is 0.05 or above."""
        return abs(self.d) <= _CHANCE * self.se or self.p >= _RARE

    @property
    def sentence(self) -> str:
        """The difference in words."""
        a, b = number_text(self.first.mean), number_text(self.other.mean)
        doubt = ", which chance alone can do" if self.by_chance else ""
        return (
            f"{_WORDS.get(self.fact, self.fact.replace('_', ' '))} differs between {self.first.name} and {self.other.name}: "
            f"{a} against {b}, d = {abs(self.d):.2f}{doubt}"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One fact of the samples of a group, and what each cluster adds to its mean and to its variance."""

    facts: GroupFacts
    clusters: np.ndarray
    """int64 [clusters], different numbers; empty where each sample is on its own."""
    of_mean: np.ndarray
    """float64 [clusters], sums of (x - m) / n; empty without clusters."""
    of_variance: np.ndarray
    """float64 [clusters], sums of ((x - m)^2 n / (n - 1) - sd^2) / n; empty without clusters."""
    known: np.ndarray
    """float64 [samples], the fact of those that have it."""
    cluster: np.ndarray
    """int64 [samples], the cluster of each of them; empty without clusters."""


def group_column(values: np.ndarray, clusters: np.ndarray | None, *, fact: str, label: str, context: str) -> Column:
    """One fact of a group.

    Args:
        values: float64 [samples], NaN where a sample lacks the fact.
        clusters: int64 [samples], or None where each sample is on its own.
        fact: its name.
        label: the class, or empty.
        context: the context, or empty.
    """
    seen = ~np.isnan(values)
    known, n = values[seen], int(seen.sum())
    same = n > 0 and known.min() == known.max()  # then rounding must not make a deviation
    mean = float(known[0] if same else known.mean()) if n else nan
    sd = nan if n < 2 else 0.0 if same else float(known.std(ddof=1))
    facts = GroupFacts(fact=fact, label=label, context=context, n=n, mean=mean, sd=sd)
    if clusters is None or n < 2:
        none = np.empty(0, np.int64)
        return Column(facts=facts, clusters=none, of_mean=np.empty(0), of_variance=np.empty(0), known=known, cluster=none)
    numbers, place = np.unique(clusters[seen], return_inverse=True)
    apart = known - mean
    of_mean, of_variance = (np.bincount(place, weights=one / n) for one in (apart, apart**2 * (n / (n - 1)) - sd**2))
    return Column(facts=facts, clusters=numbers, of_mean=of_mean, of_variance=of_variance, known=known, cluster=clusters[seen])


def difference(first: Column, other: Column) -> Difference:
    """How far two groups differ in a fact: d and its standard error as `balance_table` says."""
    d = _standardised(first.facts, other.facts)
    plain = Difference(first=first.facts, other=other.facts, d=d, se=_standard_error(d, first, other))
    small = min(one.clusters.size or one.facts.n for one in (first, other)) < _FEW or 0.0 in (first.facts.sd, other.facts.sd)
    if isnan(d) or plain.by_chance or not small:
        return plain
    if first.cluster.size:
        units = first.cluster, other.cluster
    else:
        units = np.arange(first.known.size), np.arange(first.known.size, first.known.size + other.known.size)
    return replace(plain, p=dealt_p(first.known, other.known, *units))


def cluster_numbers(names: Sequence[str]) -> np.ndarray | None:
    """One number for each different name, int64 [samples]; an empty name is shared with nobody. None where no two samples share one."""
    numbers: dict[object, int] = {}
    found = [numbers.setdefault(name or place, len(numbers)) for place, name in enumerate(names)]
    return np.array(found, np.int64) if len(numbers) < len(found) else None


def number_text(value: float) -> str:
    """Two decimals for fractions and counts, two digits for what is smaller."""
    if np.isnan(value):
        return "unknown"
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"


def _standardised(first: GroupFacts, other: GroupFacts) -> float:
    if first.n < 2 or other.n < 2:
        return nan
    apart, pooled = first.mean - other.mean, sqrt((first.sd**2 + other.sd**2) / 2)
    if pooled == 0:
        return 0.0 if apart == 0 else inf if apart > 0 else -inf
    return apart / pooled


def _standard_error(d: float, first: Column, other: Column) -> float:
    clusters = min(first.clusters.size, other.clusters.size)
    if clusters == 1 and not isnan(d):
        return inf
    if not isfinite(d):
        return nan
    pooled = (first.facts.sd**2 + other.facts.sd**2) / 2
    if pooled == 0:
        return 0.0
    return _error_of_clusters(d, pooled, first, other) if clusters else _error_of_samples(d, pooled, first.facts, other.facts)


def _error_of_samples(d: float, pooled: float, first: GroupFacts, other: GroupFacts) -> float:
    """Of d: sqrt(d^2 (s1^4 / f1 + s2^4 / f2) / (8 s^4) + (s1^2 / f1 + s2^2 / f2) / s^2), f = n - 1, s^2 the pooled variance."""
    parts = [(one.sd**2 / pooled, one.n - 1) for one in (first, other)]
    return sqrt(d**2 / 8 * sum(v**2 / f for v, f in parts) + sum(v / f for v, f in parts))


def _error_of_clusters(d: float, pooled: float, first: Column, other: Column) -> float:
    """Root of the sum over clusters of the squared sum of what their samples in either group add to d, enlarged by g / (g - 1)."""
    numbers, added = [], []
    for sign, column in ((1, first), (-1, other)):
        enlarged = column.clusters.size / (column.clusters.size - 1)
        numbers.append(column.clusters)
        added.append(enlarged * (sign * column.of_mean / sqrt(pooled) - d * column.of_variance / (4 * pooled)))
    place = np.unique(np.concatenate(numbers), return_inverse=True)[1]
    return sqrt(float((np.bincount(place, weights=np.concatenate(added)) ** 2).sum()))
