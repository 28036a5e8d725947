"""Every reported number as a function of summed features, so that one matrix product serves all bootstrap resamples.

A feature is what one sample contributes to a sum; a statistic is a ratio of sums. The arrays may have any leading axes: none for the
estimate, resamples for an interval, samples for a jackknife.
"""

from __future__ import annotations

import numpy as np

from figureground.metrics.decompose import ratio
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
    ground = table.background
    truth_figure, predicted_figure, same = table.truth != ground, table.predicted != ground, table.truth == table.predicted
    classes = table.class_sums()
    columns = {
        "correct": table.sums(truth_figure & same),
        "flipped": table.sums(truth_figure & predicted_figure & ~same),
        "missed": table.sums(truth_figure & ~predicted_figure),
        "added": table.sums(~truth_figure & predicted_figure),
        "background": table.sums(~truth_figure),
        "hit": table.sums(same),
    }
    foreground = columns["correct"] + columns["flipped"] + columns["missed"]
    both, union, size = classes[..., 0], classes[..., 1] + classes[..., 2] - classes[..., 0], classes[..., 1] + classes[..., 2]
    present = union > 0
    columns["flip_fraction"] = np.nan_to_num(ratio(columns["flipped"], foreground))
    columns["has_foreground"] = foreground > 0
    columns["macro_iou"] = _mean_present(ratio(both, union), present)
    columns["macro_dice"] = _mean_present(ratio(2 * both, size), present)
    columns["has_classes"] = present.any(axis=1)
    columns.update(zip(BOUNDARY, table.boundary.T, strict=True))
    base = np.stack([columns[name].astype(np.float64) for name in BASE], axis=1)
    return np.concatenate([base, classes.reshape(table.samples, -1).astype(np.float64)], axis=1)


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
    both, truth, predicted = _class_columns(sums)
    return ratio(both, truth + predicted - both)


def boundary_f(matched_truth: np.ndarray, truth: np.ndarray, matched_predicted: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Harmonic mean of boundary recall and precision of pooled counts; 0 where only one side has a boundary, NaN where neither has."""
    recall, precision = ratio(matched_truth, truth), ratio(matched_predicted, predicted)
    one_sided = np.isnan(recall) != np.isnan(precision)
    total = np.nan_to_num(recall) + np.nan_to_num(precision)
    f = np.where(total > 0, ratio(2 * recall * precision, recall + precision), np.where(np.isnan(recall), np.nan, 0.0))
    return np.where(one_sided, 0.0, f)


def _overlaps(sums: np.ndarray, f: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    both, truth, predicted = _class_columns(sums)
    union, size = truth + predicted - both, truth + predicted
    return {
        "miou_micro": ratio(both.sum(-1), union.sum(-1)),
        "miou_macro": _mean_present(ratio(both, union), union > 0, empty=np.nan),
        "miou_macro-imagewise": ratio(f["macro_iou"], f["has_classes"]),
        "dice_micro": ratio(2 * both.sum(-1), size.sum(-1)),
        "dice_macro": _mean_present(ratio(2 * both, size), union > 0, empty=np.nan),
        "dice_macro-imagewise": ratio(f["macro_dice"], f["has_classes"]),
        "accuracy_micro": ratio(f["hit"], truth.sum(-1)),
        "accuracy_macro": _mean_present(ratio(both, truth), truth > 0, empty=np.nan),
    }


def _class_columns(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    classes = sums[..., len(BASE) :].reshape(*sums.shape[:-1], -1, 3)
    return classes[..., 0], classes[..., 1], classes[..., 2]


def _mean_present(values: np.ndarray, present: np.ndarray, *, empty: float = 0.0) -> np.ndarray:
    """Mean over the last axis of the values that are present; `empty` where none is."""
    mean = ratio(np.where(present, values, 0.0).sum(-1), present.sum(-1))
    return mean if np.isnan(empty) else np.nan_to_num(mean, nan=empty)
