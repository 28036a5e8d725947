"""Models' maps of the test set against its masks and against one another, as counts and distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from figureground.core.errors import FormatError, InputError
from figureground.core.types import ClassTable, LabelRuns, batch_of
from figureground.data.faults import refusal, size_mismatch
from figureground.data.labelmap import resize_nearest
from figureground.data.predictions import Predictions
from figureground.data.sources import file_of
from figureground.data.spec import nearest
from figureground.metrics.discrepancy import discrepancy, pair_counts
from figureground.metrics.joint import counts_of_runs
from figureground.metrics.overlap import ClassCounts, counts_by_class
from figureground.stages.rank.queue import Queue


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """What is known of the models on the test set."""

    counts: tuple[ClassCounts, ...]
    """Of each model with the masks; samples in the order of the test set."""
    distances: np.ndarray
    """float64 [samples, models, models]: 1 - mIoU of the maps of two models, in [0, 1]."""


def read_maps(model: Predictions, ids: Sequence[str]) -> list[LabelRuns]:
    """A model's maps of some samples; one that it lacks, or that is faulty, raises `FormatError`."""
    there = set(model.ids)
    if absent := [i for i in ids if i not in there]:
        more = f" and of {len(absent) - 1} more of the test set" if len(absent) > 1 else ""
        raise refusal(
            "missing-prediction",
            f"there is no prediction for this sample{more} in '{model.name}'",
            f"Predict the pool that the queue is from, or leave the model out.{nearest(absent[0], model.ids[:1000])}",
            file=model.where,
            sample=absent[0],
        )
    return [model.source.read(i) for i in ids]


def score(
    models: Sequence[Predictions],
    maps: Sequence[Sequence[LabelRuns]],
    masks: Mapping[str, LabelRuns],
    *,
    classes: ClassTable,
    ignore: int | None,
    resize: Literal["refuse", "nearest"],
) -> Scored:
    """Compares every model with the masks and with every other model.

    Args:
        models: their names and files are for messages.
        maps: of each model, one a mask, in the order of the masks.
        masks: id -> mask, in the order of the test set.
        classes: of masks and maps.
        ignore: value of void pixels in the masks.
        resize: what to do with a map of another size than its mask.

    Raises:
        FormatError: a map of another size, unless it may be resized.
        InputError: no mask has a pixel that counts.
    """
    fitted = [
        [_fitted(own, mask, i, model=model, resize=resize) for own, (i, mask) in zip(of_model, masks.items(), strict=True)]
        for model, of_model in zip(models, maps, strict=True)
    ]
    counts = tuple(
        counts_by_class(
            [counts_of_runs(mask, own, ignore=ignore) for mask, own in zip(masks.values(), of_model, strict=True)], ids=classes.ids
        )
        for of_model in fitted
    )
    if not counts[0].truth.any():
        raise InputError("every pixel of the masks is void, so that nothing can be scored. Label what the pictures show")
    batches = [batch_of(of_model) for of_model in fitted]
    distances = np.zeros((len(masks), len(models), len(models)))
    for one, other in combinations(range(len(models)), 2):
        apart = discrepancy(pair_counts(batches[one], batches[other], ids=classes.ids))
        distances[:, one, other] = distances[:, other, one] = apart
    return Scored(counts=counts, distances=distances)


def check_duel(queue: Queue, models: Sequence[Predictions], maps: Sequence[Sequence[LabelRuns]], ids: Sequence[str]) -> None:
    """Raise `InputError` unless a queue was mined of exactly these two models, as their maps of the test set show."""
    details = queue.manifest.details
    told = f"{queue.where}: the queue was mined of {' and '.join(repr(name) for name in queue.models)}"
    remedy = f"Mine the one against the other: figureground mine POOL --target {models[0].name} --rival {models[1].name}"
    if len(queue.models) != 2 or queue.manifest.options.get("selector") != "mad":
        raise InputError(f"{told} by {queue.manifest.options.get('selector')}, and a duel needs two models and mad. {remedy}")
    sides = (details["target"], details["rivals"][0]["name"])
    found = [_mismatch(queue, order, models, maps, ids) for order in (sides, sides[::-1])]
    if None not in found:
        raise InputError(f"{told}, and {found[0]}. {remedy}")


def _mismatch(
    queue: Queue, sides: tuple[str, str], models: Sequence[Predictions], maps: Sequence[Sequence[LabelRuns]], ids: Sequence[str]
) -> str | None:
    """What speaks against two models being those of the queue, in this order; None where nothing does."""
    for side, model, own in zip(sides, models, maps, strict=True):
        if sample := _differing(queue, side, own, ids):
            return f"'{model.name}' has another map of sample '{sample}' than '{side}' had"
    return None


def _differing(queue: Queue, side: str, maps: Sequence[LabelRuns], ids: Sequence[str]) -> str | None:
    """The first sample whose map is not the one the queue holds; None where all are."""
    for i, own in zip(ids, maps, strict=True):
        there = queue.maps[i][side]
        if (own if own.size_hw == there.size_hw else resize_nearest(own, there.size_hw)) != there:
            return i
    return None


def _fitted(own: LabelRuns, mask: LabelRuns, sample: str, *, model: Predictions, resize: Literal["refuse", "nearest"]) -> LabelRuns:
    if own.size_hw == mask.size_hw:
        return own
    if resize == "refuse":
        file = file_of(model.source, sample)
        raise FormatError(size_mismatch(mask.size_hw, own.size_hw, sample=sample, prediction=model.name, file=file))
    return resize_nearest(own, mask.size_hw)
