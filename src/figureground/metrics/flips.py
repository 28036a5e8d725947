"""The same figure on another ground: how often a classifier then gives another answer.

Pictures that show one figure in several contexts are a counterfactual test: the label is the same, so an answer that changes with the
ground was about the ground. A figure's flip rate is the part of its pairs of pictures in different contexts that have different answers;
that of a class, and of all, is the mean over its figures, each counting the same however many pictures it has. It is about answers and not
about truth: a classifier that gives one answer always never flips, so the rate stands beside accuracy and not in its place.

Source: counterfactual pairs by background, after Xiao et al., Noise or Signal (arXiv 2006.09994); rate by pairs and figures: defined here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.metrics.interval import Interval, exact_interval, percentile_interval
from figureground.metrics.resample import bootstrap_sums


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureFlips:
    """One figure that stands in at least two contexts."""

    figure: str
    label: str
    pictures: int
    """Pictures that show it."""
    pairs: int
    """Pairs of those in different contexts, at least 1."""
    flipped: int
    """Pairs with different answers."""

    @property
    def rate(self) -> float:
        """Part of the pairs with different answers, in [0, 1]."""
        return self.flipped / self.pairs


def figure_flips(answers: Sequence[str], figures: Sequence[str], contexts: Sequence[str], labels: Sequence[str]) -> tuple[FigureFlips, ...]:
    """The figures that stand in at least two contexts, sorted by name.

    Args:
        answers: answer to each picture.
        figures: figure that it shows; empty = none that is known, and the picture is left out.
        contexts: context of it; empty likewise.
        labels: class of it, the same for all pictures of a figure.

    Returns:
        One entry a figure. Figures in one context alone are in none: there is nothing to compare.

    Raises:
        InputError: lengths that differ, or a figure with two labels.

    >>> found = figure_flips(["cat", "dog", "cat"], ["f", "f", "f"], ["in", "out", "in"], ["cat", "cat", "cat"])
    >>> found[0].pairs, found[0].flipped
    (2, 2)
    """
    if len({len(answers), len(figures), len(contexts), len(labels)}) > 1:
        raise InputError(
            "`answers`, `figures`, `contexts` and `labels` must be of one length; got "
            f"{len(answers)}, {len(figures)}, {len(contexts)}, {len(labels)}"
        )
    members: dict[str, list[int]] = {}
    for place, (figure, context) in enumerate(zip(figures, contexts, strict=True)):
        if figure and context:
            members.setdefault(figure, []).append(place)
    found = []
    for figure in sorted(members):
        own = members[figure]
        if len(shown := sorted({labels[place] for place in own})) > 1:
            raise InputError(
                f"the figure '{figure}' has pictures of the labels {', '.join(shown[:3])}; one figure has one label. Name the column that "
                "says which figure a picture shows"
            )
        pairs, flipped = _pairs([(answers[place], contexts[place]) for place in own])
        if pairs:
            found.append(FigureFlips(figure=figure, label=shown[0], pictures=len(own), pairs=pairs, flipped=flipped))
    return tuple(found)


def flip_rate(found: Sequence[FigureFlips]) -> float:
    """Mean flip rate of figures, in [0, 1]; NaN where there are none."""
    return float(np.mean([one.rate for one in found])) if found else float("nan")


def flip_rate_interval(found: Sequence[FigureFlips], *, level: float, resamples: int, seed: int) -> Interval:
    """Bootstrap interval of the mean flip rate, whole figures being drawn; NaN without figures or resamples.

    Where all figures flip equally often, never or always for one, no resample differs, and the interval is the exact one of a part of so
    many figures instead: 0 flips of 10 figures do not prove that there are none.
    """
    rates = np.array([one.rate for one in found])
    if not rates.size or not resamples:
        return Interval(low=np.array(np.nan), high=np.array(np.nan), used=np.array(0))
    if rates.min() == rates.max():
        low, high = exact_interval(float(rates[0]), rates.size, level=level)
        return Interval(low=np.array(low), high=np.array(high), used=np.array(resamples))
    sums = bootstrap_sums(np.stack([rates, np.ones(rates.size)], axis=1), resamples=resamples, seed=seed)[0]
    return percentile_interval(sums[:, 0] / sums[:, 1], level=level)


def _pairs(pictures: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """Pairs of (answer, context) that differ in context, and those of them that differ in answer too."""
    answers, contexts = (Counter(part) for part in zip(*pictures, strict=True))
    both = Counter(pictures)
    pairs = _twos([len(pictures)]) - _twos(contexts.values())
    same = _twos(answers.values()) - _twos(both.values())
    return pairs, pairs - same


def _twos(counts: Iterable[int]) -> int:
    """Pairs within parts of these sizes."""
    return sum(n * (n - 1) // 2 for n in counts)
