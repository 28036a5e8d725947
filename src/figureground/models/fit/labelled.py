"""The samples of a split as training of a classifier reads them: pictures and the label of each, masks not needed."""

from __future__ import annotations

import numpy as np

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal, some
from figureground.models.fit.batch import IGNORE
from figureground.models.fit.samples import TrainData, context_values, group_numbers
from figureground.models.settings import NORMALISATIONS


def label_classes(dataset: Dataset) -> ClassTable:
    """The classes that a classifier learns: the labels that samples have, in the order of the data set's classes.

    It is a table for the loop: every name is a class of its own, and `background` means nothing.

    Raises:
        InputError: fewer than two labels.
    """
    found = {s.label for s in dataset.samples if s.label}
    names = tuple(name for name in dataset.classes.names if name in found)
    if len(names) < 2:
        raise InputError(
            f"{dataset.name}: a classifier needs samples of at least two classes to learn from; these have "
            f"{'only ' + names[0] if names else 'no label'}. Give a data set with a `label`, or another --train-split"
        )
    if len(names) > IGNORE:
        raise InputError(f"{dataset.name}: training takes at most {IGNORE} classes; there are {len(names)}")
    return ClassTable(names=names, ignore=None)


def labelled_data(dataset: Dataset, *, classes: ClassTable, size: int, norm: str, groups: str = "") -> TrainData:
    """The samples of a data set as a classifier reads them.

    Args:
        dataset: with a picture and a label for each sample.
        classes: from `label_classes` of the training samples, or of a trained classifier.
        size: side of the square that pictures are resized to, in pixels, at least 1.
        norm: `imagenet`, `half` or `none`.
        groups: column that is crossed with the label to make groups; empty = the data set's context, and where it has none the label alone.

    Raises:
        InputError: no samples, a sample without a label or with one that is no class, native size, or a column that is not there.
        FormatError: samples without a picture.
    """
    if not dataset.samples:
        raise InputError(f"{dataset.name}: there are no samples to read. Choose a split that has some")
    if size < 1:
        raise InputError("`size` must be at least 1 px for a classifier: padding to the largest picture of a batch would change answers")
    if norm not in NORMALISATIONS:
        raise InputError(f"`norm` must be one of {', '.join(NORMALISATIONS)}; got '{norm}'")
    if unlabelled := [s.id for s in dataset.samples if not s.label]:
        raise InputError(f"{dataset.name}: the samples {some(unlabelled)} have no label. Fill in the `label` column, or leave them out")
    if strange := [s for s in dataset.samples if s.label not in classes.names]:
        raise InputError(
            f"{dataset.name}: sample '{strange[0].id}' has the label '{strange[0].label}', which the classifier does not know; it knows "
            f"{', '.join(classes.names)}. Leave such samples out, or train on a data set that has them"
        )
    if pictureless := [s.id for s in dataset.samples if not s.image]:
        raise refusal("missing-file", f"the samples {some(pictureless)} name no picture", "Fill in the `image` column", file=dataset.name)
    labels = tuple(s.label or "" for s in dataset.samples)
    contexts = context_values(dataset, groups)
    numbers, names = group_numbers(labels, contexts) if contexts is not None else _class_groups(labels, classes)
    mean, std = NORMALISATIONS[norm]
    return TrainData(
        samples=dataset.ids,
        images=tuple(s.image or "" for s in dataset.samples),
        masks=None,
        labels=labels,
        contexts=contexts or ("",) * len(labels),
        groups=numbers,
        group_names=names,
        classes=classes,
        size_hw=(size, size),
        stride_px=1,
        mean=mean,
        std=std,
        targets=np.array([classes.names.index(label) for label in labels], np.int64),
    )


def group_shares(data: TrainData) -> dict[str, float]:
    """Part of the samples in each group, by its name."""
    counts = np.bincount(data.groups[data.groups >= 0], minlength=len(data.group_names))
    return {name: float(count / max(1, counts.sum())) for name, count in zip(data.group_names, counts, strict=True)}


def _class_groups(labels: tuple[str, ...], classes: ClassTable) -> tuple[np.ndarray, tuple[str, ...]]:
    names = tuple(name for name in classes.names if name in labels)
    return np.array([names.index(label) for label in labels], np.int64), names
