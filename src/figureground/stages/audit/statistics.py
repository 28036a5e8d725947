"""Every reported number as a function of summed features, so that one matrix product serves all bootstrap resamples.

A feature is what one sample contributes to a sum; a statistic is a ratio of sums. The arrays may have any leading axes: none for the
estimate, resamples for an interval, samples for a jackknife.
"""

from __future__ import annotations

import numpy as np

from figureground.metrics.decompose import PARTS, ratio, sample_parts
from figureground.metrics.overlap import ClassCounts, Score, class_counts, nan_mean, overlap_terms
from figureground.stages.audit.table import BOUNDARY, SampleTable

BASE = (
    "correct",
    "flipped",
    "missed",
    "added",
    "background",
    "hit",  # pixels whose truth and prediction agree, background included
    "flip_fraction",  # flipped / foreground of the sample, 0 where it has no foreground
    "has_foreground",
    "macro_iou",  # mean IoU over the classes present in the sample
    "macro_dice",
    "has_classes",
    *BOUNDARY,
)
"""Names of the leading feature columns; three columns a class follow: pixels both, truth, predicted."""

DIFFERENCES = ("correct", "flipped", "missed", "added", "conditional_flip", "flip_image_mean", "foreground_iou", "boundary_f", "miou_macro")
"""Statistics whose paired differences between predictions are reported."""


def sample_features(table: SampleTable) -> np.ndarray:
    """float64 [samples, features]: what each sample contributes to each sum. Pixel counts stay exact below 2**53."""
    rows = (table.sample, table.truth, table.predicted, table.pixels)
    parts = sample_parts(*rows, samples=table.samples, background=table.classes.background)
    classes = class_counts(*rows, samples=table.samples, ids=table.classes.ids)
    columns: dict[str, np.ndarray] = dict(zip(PARTS, parts.T, strict=True))
    iou, dice = (_imagewise(score, classes) for score in ("iou", "dice"))
    columns["hit"] = classes.hits.sum(1)
    columns["flip_fraction"] = np.nan_to_num(ratio(columns["flipped"], columns["foreground"]))
    columns["has_foreground"] = columns["foreground"] > 0
    columns["macro_iou"], columns["macro_dice"] = np.nan_to_num(iou), np.nan_to_num(dice)
    columns["has_classes"] = ~np.isnan(iou)
    columns.update(zip(BOUNDARY, table.boundary.T, strict=True))
    base = np.stack([columns[name].astype(np.float64) for name in BASE], axis=1)
    per_class = np.stack([classes.hits, classes.truth, classes.predicted], axis=2).reshape(table.samples, -1)
    return np.concatenate([base, per_class.astype(np.float64)], axis=1)


def statistics(sums: np.ndarray) -> dict[str, np.ndarray]:
    """All pooled statistics of summed features [..., features]; NaN where one is undefined.

    Sources: correct, flipped, missed, their image mean and the any-label IoU: arXiv 2604.13326; IoU, Dice and accuracy by their
    usual definitions, reductions named as in segmentation_models.pytorch; added and the boundary F: defined here.
    """
    f = {name: sums[..., place] for place, name in enumerate(BASE)}
    foreground, found = f["correct"] + f["flipped"] + f["missed"], f["correct"] + f["flipped"]
    out = {name: ratio(f[name], foreground) for name in ("correct", "flipped", "missed")}
    out["added"] = ratio(f["added"], f["background"])
    out["conditional_flip"] = ratio(f["flipped"], found)
    out["flip_image_mean"] = ratio(f["flip_fraction"], f["has_foreground"])
    out["foreground_iou"] = ratio(found, foreground + f["added"])
    out["boundary_f"] = boundary_f(*(f[name] for name in BOUNDARY))
    out.update(_overlaps(sums, f))
    return out


def class_iou(sums: np.ndarray) -> np.ndarray:
    """Pooled IoU of every class, [..., classes]; NaN where a class is in neither truth nor prediction."""
    return ratio(*overlap_terms("iou", *_class_columns(sums)))


def boundary_f(matched_truth: np.ndarray, truth: np.ndarray, matched_predicted: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Harmonic mean of pooled boundary recall and precision; 0 where only one side has a boundary, NaN where neither has."""
    recall, precision = np.nan_to_num(ratio(matched_truth, truth)), np.nan_to_num(ratio(matched_predicted, predicted))
    f = np.nan_to_num(ratio(2 * recall * precision, recall + precision))
    return np.where((truth == 0) & (predicted == 0), np.nan, f)


def _overlaps(sums: np.ndarray, f: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    out: dict[str, np.ndarray] = {}
    names: dict[Score, str] = {"iou": "miou", "dice": "dice", "accuracy": "accuracy"}
    for score, name in names.items():
        top, bottom = overlap_terms(score, *_class_columns(sums))
        out[f"{name}_micro"] = ratio(top.sum(-1), bottom.sum(-1))
        out[f"{name}_macro"] = nan_mean(ratio(top, bottom))
    out["miou_macro-imagewise"] = ratio(f["macro_iou"], f["has_classes"])
    out["dice_macro-imagewise"] = ratio(f["macro_dice"], f["has_classes"])
    return out


def _imagewise(score: Score, counts: ClassCounts) -> np.ndarray:
    """[samples], mean over the classes present in each sample; NaN where none is."""
    return nan_mean(ratio(*overlap_terms(score, counts.hits, counts.truth, counts.predicted)))


def _class_columns(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    classes = sums[..., len(BASE) :].reshape(*sums.shape[:-1], -1, 3)
    return classes[..., 0], classes[..., 1], classes[..., 2]
