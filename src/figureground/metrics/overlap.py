"""IoU, Dice and pixel accuracy from per-sample, per-class counts, with the reductions named as in segmentation_models.pytorch.

Everything is a ratio of sums of three counts: hits, truth and predicted. A class that is in neither truth nor prediction has no
overlap to speak of: it is NaN and left out of means, here and in every reduction. Source: defined here; where smp, torchmetrics and
scikit-learn differ stands in docs/ideas/agreement.md, each line with its test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from figureground.core.errors import InputError
from figureground.metrics.decompose import ratio
from figureground.metrics.joint import JointCounts

Score = Literal["iou", "dice", "accuracy"]
Reduction = Literal["micro", "macro", "micro-imagewise", "macro-imagewise", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCounts:
    """Counts per sample and class; the sum of any set of rows is the counts of those samples together."""

    ids: tuple[int, ...]
    """The classes, in the order of the columns; the background is a class among them."""
    hits: np.ndarray
    """int64 [samples, classes], pixels where truth and prediction are this class."""
    truth: np.ndarray
    """int64 [samples, classes], pixels whose truth is this class."""
    predicted: np.ndarray
    """int64 [samples, classes], counted pixels predicted as this class."""


def class_counts(
    sample: np.ndarray, truth: np.ndarray, predicted: np.ndarray, pixels: np.ndarray, *, samples: int, ids: Sequence[int]
) -> ClassCounts:
    """Hits, truth and predicted of many samples at once, from their joint counts stacked into four columns.

    Args:
        sample: int [rows], index of the sample of each row, in [0, samples).
        truth: int [rows], class id of the truth.
        predicted: int [rows], class id of the prediction.
        pixels: int64 [rows].
        samples: how many samples there are; those without rows get zeros.
        ids: the class ids, in the order wanted.

    Raises:
        InputError: a class id in the rows that is not in `ids`.
    """
    table = np.zeros((3, samples, len(ids)), dtype=np.int64)
    if np.size(pixels):
        truth, predicted, pixels = np.asarray(truth), np.asarray(predicted), np.asarray(pixels)
        place = np.full(int(max(truth.max(), predicted.max(), *ids)) + 1, -1, dtype=np.int64)
        place[np.asarray(ids)] = np.arange(len(ids))
        t, p = place[truth], place[predicted]
        if (t < 0).any() or (p < 0).any():
            unknown = truth[t < 0][0] if (t < 0).any() else predicted[p < 0][0]
            raise InputError(f"class id {int(unknown)} is not one of the {len(ids)} in `ids`")
        hit = t == p
        np.add.at(table[0], (sample[hit], t[hit]), pixels[hit])
        np.add.at(table[1], (sample, t), pixels)
        np.add.at(table[2], (sample, p), pixels)
    return ClassCounts(ids=tuple(int(i) for i in ids), hits=table[0], truth=table[1], predicted=table[2])


def counts_by_class(counts: Sequence[JointCounts], *, ids: Sequence[int]) -> ClassCounts:
    """`class_counts` of a list of joint counts, one a sample."""
    if not counts:
        return class_counts(*[np.empty(0, np.int64)] * 4, samples=0, ids=ids)
    return class_counts(
        np.repeat(np.arange(len(counts)), [c.pixels.size for c in counts]),
        np.concatenate([c.truth for c in counts]),
        np.concatenate([c.predicted for c in counts]),
        np.concatenate([c.pixels for c in counts]),
        samples=len(counts),
        ids=ids,
    )


def overlap_terms(score: Score, hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numerator and denominator of a score; both are linear in the counts, so they may be summed first or last.

    IoU: hits / (truth + predicted - hits). Dice: 2 hits / (truth + predicted). Accuracy: hits / truth, the part of a class's truth that is
    found; its micro form is the pixel accuracy.

    Raises:
        InputError: an unknown score.
    """
    if score == "iou":
        return hits, truth + predicted - hits
    if score == "dice":
        return 2 * hits, truth + predicted
    if score == "accuracy":
        return hits, truth
    raise InputError(f"`score` must be one of {', '.join(get_args(Score))}; got '{score}'")


def overlap(
    counts: ClassCounts, *, score: Score = "iou", reduction: Reduction = "macro", classes: Sequence[int] | None = None
) -> np.ndarray:
    """IoU, Dice or accuracy of a stack of samples, in [0, 1]; higher is better.

    Reductions:
        none: float64 [classes], from counts summed over samples.
        macro: mean of `none` over the classes that are not NaN.
        micro: one ratio of the counts summed over samples and classes. For all classes together, micro Dice is the pixel accuracy.
        micro-imagewise: counts summed over classes, one ratio a sample, mean over the samples that have one.
        macro-imagewise: mean over the classes of a sample that are not NaN, then mean over the samples that have one, so that each sample
            weighs the same.

    Args:
        counts: per-sample, per-class counts.
        score: `iou`, `dice` or `accuracy`.
        reduction: as above.
        classes: restrict to these ids, for example the foreground; default all.

    Returns:
        float64, a scalar array, or [classes] for `none`. A class without truth and without prediction is NaN (for accuracy: without
        truth); a mean over nothing is NaN. Samples without counted pixels are left out of imagewise means.

    Raises:
        InputError: an unknown score, reduction or class.

    Source: names of segmentation_models.pytorch; absent classes as defined here.
    """
    columns = _columns(counts, classes)
    top, bottom = overlap_terms(score, counts.hits[:, columns], counts.truth[:, columns], counts.predicted[:, columns])
    if reduction == "none":
        return ratio(top.sum(0), bottom.sum(0))
    if reduction == "macro":
        return nan_mean(ratio(top.sum(0), bottom.sum(0)))
    if reduction == "micro":
        return ratio(top.sum(), bottom.sum())
    if reduction == "micro-imagewise":
        return nan_mean(ratio(top.sum(1), bottom.sum(1)))
    if reduction == "macro-imagewise":
        return nan_mean(nan_mean(ratio(top, bottom)))
    raise InputError(f"`reduction` must be one of {', '.join(get_args(Reduction))}; got '{reduction}'")


def nan_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of the entries that are not NaN; NaN where there are none. Never warns."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(-1), known.sum(-1))


def _columns(counts: ClassCounts, classes: Sequence[int] | None) -> list[int]:
    if classes is None:
        return list(range(len(counts.ids)))
    if unknown := [c for c in classes if c not in counts.ids]:
        raise InputError(f"class id {unknown[0]} is not one of the {len(counts.ids)} counted")
    return [counts.ids.index(c) for c in classes]
