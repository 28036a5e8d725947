"""What one network of a sweep shows on the test samples: six figures, and replicates of each over resamples of the samples.

Source: the quantities of arXiv 2604.13326.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from figureground.core.errors import ArtifactError, InputError
from figureground.core.ties import Common
from figureground.core.types import ClassTable
from figureground.metrics.groups import gap_plan, group_index, group_kinds, iou_gaps
from figureground.metrics.overlap import nan_mean
from figureground.metrics.resample import bootstrap_sums, bootstrap_weights
from figureground.metrics.selective import deciles, scored_pairs
from figureground.stages.audit.features import audit_features
from figureground.stages.audit.grouping import cluster_numbers
from figureground.stages.audit.statistics import BASE, class_iou, statistics

FIGURES = ("gap_iou", "counterfactual_flip", "common_flip", "foreground_iou", "class_iou", "top_decile_share")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """One network's audit, as far as a row needs it."""

    classes: ClassTable
    ids: tuple[str, ...]
    features: np.ndarray
    """float64 [samples, features], of the audit stage."""
    label: tuple[str, ...]
    context: tuple[str, ...]
    risk: np.ndarray
    """float64 [samples], NaN where there is none."""
    unit: np.ndarray
    """int64 [samples], what is drawn: samples of one unit (a figure that several pictures show) are drawn together."""


def read_outcome(audit: Path, classes: ClassTable, *, cluster: str = "") -> Outcome:
    """What a row needs from an audit artifact of one prediction, samples in order of ids.

    Args:
        audit: the artifact.
        classes: of its data set.
        cluster: attribute whose values are drawn as a whole; empty = each sample on its own. A sample without a value is on its own.

    Raises:
        InputError: the data set has no such attribute.
    """
    samples, features = audit_features(audit, classes)
    ids = samples["id"].to_pylist()
    risk = pc.fill_null(samples["risk"].cast("double"), np.nan).to_numpy()
    label, context = (tuple(value or "" for value in samples[name].to_pylist()) for name in ("class", "context"))
    if cluster and cluster not in samples.column_names:
        raise InputError(f"`cluster`: the data have no attribute '{cluster}'. Known: {', '.join(samples.column_names)}")
    unit = cluster_numbers(ids, samples[cluster].to_pylist()) if cluster else np.arange(len(ids))
    return Outcome(classes=classes, ids=tuple(ids), features=features, label=label, context=context, risk=risk, unit=unit)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """The figures of several networks on the same samples, in the order of `FIGURES`; NaN where one is undefined."""

    values: np.ndarray
    """float64 [networks, figures]."""
    replicates: np.ndarray
    """float64 [networks, resamples, figures]; a resample draws the same samples for every network."""


def measure(runs: Sequence[Outcome], *, common: Common, resamples: int = 1000, seed: int = 0) -> Measured:
    """The figures of networks that were tested on the same samples.

    Args:
        runs: at least one.
        common: class -> context or contexts that training ties it to.
        resamples: of the samples, or of the clusters they come from; may be 0.
        seed: of the resampling; results measured with the same seed can be compared resample by resample.

    Raises:
        ArtifactError: the runs were tested on different samples.
    """
    if any(run.ids != runs[0].ids or run.context != runs[0].context for run in runs):
        raise ArtifactError("the runs of one row were tested on different samples. Remove the directory of the sweep and run it again")
    return Measured(
        values=np.stack([_figures(run, common) for run in runs]),
        replicates=np.stack([_replicates(run, common, resamples, seed) for run in runs]),
    )


def _figures(run: Outcome, common: Common) -> np.ndarray:
    groups, evaluate = _plan(run, common)
    sums = np.stack([run.features[members].sum(0) for members in groups])
    return np.append(evaluate(sums[:, None])[0], _top_share(run.risk, _loss(run.features)))


def _replicates(run: Outcome, common: Common, resamples: int, seed: int) -> np.ndarray:
    """float64 [resamples, figures]; the same samples are drawn for every run."""
    if not resamples:
        return np.empty((0, len(FIGURES)))
    groups, evaluate = _plan(run, common)
    pooled = bootstrap_sums(run.features, groups=groups, clusters=run.unit, resamples=resamples, seed=seed, reduce=evaluate)
    loss, places, units = _loss(run.features), np.arange(len(run.ids)), int(run.unit.max()) + 1
    shares = np.empty(resamples)
    for number in range(resamples):
        weights = bootstrap_weights(units, resamples=1, seed=seed, start=number)[0].astype(np.int64)
        drawn = np.repeat(places, weights[run.unit])
        shares[number] = _top_share(run.risk[drawn], loss[drawn])
    return np.column_stack([pooled, shares])


def _plan(run: Outcome, common: Common) -> tuple[list[np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """Sample indices of each group, and what turns their sums [groups, resamples, features] into figures [resamples, 5]."""
    index = group_index({"class": run.label, "context": run.context})
    kinds, plan = group_kinds(index, common), gap_plan(index, common)
    crossed = [group.members for group in index.groups]
    tied = {kind: [m for m, k in zip(crossed, kinds, strict=True) if k == kind] for kind in ("counterfactual", "common")}
    ties = [np.concatenate(found) if found else np.empty(0, np.int64) for found in tied.values()]
    own = [run.classes.names.index(group.values[0]) for group in index.groups]
    foreground = [run.classes.ids.index(i) for i in run.classes.foreground]

    def evaluate(sums: np.ndarray) -> np.ndarray:
        ious = np.stack([class_iou(sums[i])[..., column] for i, column in enumerate(own)])
        gap = nan_mean(np.moveaxis(iou_gaps(plan, ious), 0, -1))
        pooled = statistics(sums[-3:])
        counterfactual, usual = pooled["flipped"][:2]
        return np.stack([gap, counterfactual, usual, pooled["foreground_iou"][2], nan_mean(class_iou(sums[-1])[..., foreground])], axis=-1)

    return [*crossed, *ties, np.arange(len(run.ids))], evaluate


def _loss(features: np.ndarray) -> np.ndarray:
    """Flipped share of each sample's foreground, NaN without any."""
    return np.where(features[:, BASE.index("has_foreground")] > 0, features[:, BASE.index("flip_fraction")], np.nan)


def _top_share(risk: np.ndarray, loss: np.ndarray) -> float:
    known_risk, known_loss, _ = scored_pairs(risk, loss)
    return deciles(known_risk, known_loss).top_share if known_risk.size else float("nan")
