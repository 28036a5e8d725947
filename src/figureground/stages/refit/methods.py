"""The two ways to fit a last layer again: on balanced groups, and on all samples with those that are wrong weighing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from figureground.core.errors import InputError
from figureground.core.progress import Reporter
from figureground.metrics.answers import GroupAccuracy, group_accuracy
from figureground.stages.refit.options import RefitOptions, values
from figureground.stages.refit.solve import Head, held_logistic, l1_logistic, mean_head

_CHOICE, _RESULT = 0, 1  # branches of the seed
COLUMNS = ("C", "gamma", "pull", "worst_group_accuracy", "mean_group_accuracy", "chosen")
"""Of `choices.csv`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Samples as a last layer sees them."""

    features: np.ndarray
    """float64 [samples, features]."""
    targets: np.ndarray
    """int64 [samples], index of the class."""
    groups: np.ndarray
    """int64 [samples], index into `names`, -1 = in none."""
    names: tuple[str, ...]
    """Of the groups."""

    def accuracy(self, head: Head) -> GroupAccuracy:
        """How often a head is right, the groups' parts being those of these samples."""
        shares = np.bincount(self.groups[self.groups >= 0], minlength=len(self.names))
        return group_accuracy(head.answers(self.features) == self.targets, self.groups, shares=shares.tolist())

    def rows(self, chosen: np.ndarray) -> Points:
        """The samples of some places."""
        return Points(features=self.features[chosen], targets=self.targets[chosen], groups=self.groups[chosen], names=self.names)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refitted:
    """A new head and how its settings were chosen."""

    head: Head
    chosen: Mapping[str, float]
    """The settings by name."""
    rows: tuple[Mapping[str, float | bool], ...]
    """Every setting that was tried, with its accuracies; the keys are among `COLUMNS`."""


def refit_dfr(points: Points, options: RefitOptions, reporter: Reporter) -> Refitted:
    """Logistic regression on standardised features of as many samples of each group as its smallest has.

    Each value of C is judged on halves: in each of `draws` draws every group is cut in two, balanced samples of one half are fitted, and
    the worst group of the other half counts. With the value whose mean is best, `draws` balanced sets of all samples are fitted, and the
    mean of those heads is the result, brought back to features as they are.
    Source: deep feature reweighting, arXiv 2204.02937, section 4 and its appendix on tuning.

    Raises:
        InputError: a group with fewer than two samples, or no groups.
    """
    strengths, classes = values(options.strengths, name="strengths", positive=True), int(points.targets.max()) + 1
    known = points.rows(np.flatnonzero(points.groups >= 0))
    sizes = np.bincount(known.groups, minlength=len(points.names))
    if not len(sizes) or sizes.min() < 2:
        small = points.names[int(sizes.argmin())] if len(sizes) else "no group"
        raise InputError(f"dfr needs at least two samples of every group to fit on and to judge by; {small} has less. Give another --split")
    centre, spread = known.features.mean(0), known.features.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    known = Points(features=(known.features - centre) / spread, targets=known.targets, groups=known.groups, names=known.names)
    found = np.zeros((options.draws, len(strengths), 2))
    with reporter.track("refit", total=2 * options.draws, unit="fits", done=0) as progress:
        for draw in range(options.draws):
            rng = np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=(_CHOICE, draw)))
            fitted, judged = _halves(known.groups, rng)
            learned, head = known.rows(balanced(known.groups, fitted, rng)), None
            for place, strength in enumerate(strengths):
                head = l1_logistic(learned.features, learned.targets, classes=classes, strength=strength, start=head)
                accuracy = known.rows(judged).accuracy(head)
                found[draw, place] = accuracy.worst, accuracy.mean
            progress.advance(1)
        means = found.mean(0)
        best, heads = int(np.lexsort((-means[:, 1], -means[:, 0]))[0]), []
        for draw in range(options.draws):
            rng = np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=(_RESULT, draw)))
            learned = known.rows(balanced(known.groups, np.arange(len(known.groups)), rng))
            heads.append(l1_logistic(learned.features, learned.targets, classes=classes, strength=strengths[best]))
            progress.advance(1)
    mean = mean_head(heads)
    weight = mean.weight / spread
    rows = [
        {"C": one, "worst_group_accuracy": means[k, 0], "mean_group_accuracy": means[k, 1], "chosen": k == best}
        for k, one in enumerate(strengths)
    ]
    return Refitted(head=Head(weight=weight, bias=mean.bias - weight @ centre), chosen={"C": strengths[best]}, rows=tuple(rows))


def refit_afr(points: Points, val: Points, before: Head, options: RefitOptions, reporter: Reporter) -> Refitted:
    """The head before, moved towards the samples to whose truth it gives a low probability; groups only choose the two settings.

    Source: automatic feature reweighting, arXiv 2306.11074, section 4; the settings are those with the best worst group of `val`, among
    equals those with the best mean of groups, then the strongest pull.

    Raises:
        InputError: no validation sample is in a group.
    """
    gammas, pulls = values(options.gammas, name="gammas", positive=False), values(options.pulls, name="pulls", positive=False)
    if not (val.groups >= 0).any():
        raise InputError("afr chooses by the worst group of the validation samples, and none is in a group. Give --groups, or --val-split")
    found: list[tuple[tuple[float, ...], Head, dict[str, float]]] = []
    with reporter.track("refit", total=len(gammas), unit="fits", done=0) as progress:
        for gamma in gammas:
            weights = reweighted(before, points, gamma=gamma)
            told = {"before": before, "pulls": pulls, "steps": options.steps, "rate": options.rate}
            for pull, head in zip(pulls, held_logistic(points.features, points.targets, weights, **told), strict=True):
                accuracy = val.accuracy(head)
                row = {"gamma": gamma, "pull": pull, "worst_group_accuracy": accuracy.worst, "mean_group_accuracy": accuracy.mean}
                found.append(((accuracy.worst, accuracy.mean, pull, -gamma), head, row))
            progress.advance(1)
    best = max(range(len(found)), key=lambda place: found[place][0])
    row = found[best][2]
    if row["worst_group_accuracy"] < (worst := val.accuracy(before).worst):
        reporter.say(
            f"note: no choice is as good as the layer before: on the validation its worst group was {100 * worst:.1f} %, that of the best "
            f"choice is {100 * row['worst_group_accuracy']:.1f} %. Smaller `gammas`, from 0 on, forget less"
        )
    rows = tuple({**one, "chosen": place == best} for place, (_, _, one) in enumerate(found))
    return Refitted(head=found[best][1], chosen={"gamma": row["gamma"], "pull": row["pull"]}, rows=rows)


def reweighted(before: Head, points: Points, *, gamma: float) -> np.ndarray:
    """What each sample weighs, float64 [samples], together 1: `exp(-gamma p_i) / n_y`, p_i the probability of its truth before.

    n_y is the number of samples of its class (arXiv 2306.11074, equation 3).
    """
    truth = softmax(before.logits(points.features), axis=1)[np.arange(len(points.targets)), points.targets]
    weights = np.exp(-gamma * (truth - truth.min())) / np.bincount(points.targets)[points.targets]  # a common factor goes away
    return weights / weights.sum()


def balanced(groups: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Places among `chosen`, as many of every group as the smallest has there, int64, drawn without replacement."""
    members = [chosen[groups[chosen] == group] for group in np.unique(groups[chosen])]
    smallest = min(map(len, members))
    return np.concatenate([rng.choice(own, smallest, replace=False) for own in members])


def _halves(groups: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Places of two halves, every group being cut in two at random."""
    shuffled = [rng.permutation(np.flatnonzero(groups == group)) for group in np.unique(groups)]
    return np.concatenate([own[: len(own) // 2] for own in shuffled]), np.concatenate([own[len(own) // 2 :] for own in shuffled])
