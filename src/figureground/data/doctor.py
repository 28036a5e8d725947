"""The doctor: every fault of a data set and its predictions, found by the readers that every other verb uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from figureground.core.errors import Fault, FormatError
from figureground.core.types import LabelRuns, Sample
from figureground.data.dataset import Dataset, no_samples
from figureground.data.faults import make_fault, size_mismatch
from figureground.data.masks import binary_remedy
from figureground.data.pictures import check_picture_end, picture_size
from figureground.data.predictions import Predictions, pairing_faults
from figureground.data.sources import file_of


def find_faults(dataset: Dataset, predictions: Sequence[Predictions] | Predictions | None = None) -> Iterator[Fault]:
    """Every fault of a data set, and of predictions made for it, in the order of the samples.

    Each mask and prediction is read once and compared in size with one another and with the head of its picture, which must not end early.
    The walk goes on after a fault. A data set whose defining files are at fault cannot be opened in the first place: `open_dataset` raises
    that fault.
    """
    if not dataset.samples:
        yield no_samples(dataset).fault
    given = () if predictions is None else (predictions,) if isinstance(predictions, Predictions) else tuple(predictions)
    for one in given:
        yield from pairing_faults(dataset, one)
    predicted = [(one, frozenset(one.ids)) for one in given]
    foreground, ignored = False, 0
    for sample in dataset.samples:
        truth, faults = _read_truth(dataset, sample)
        yield from faults
        if truth is not None:
            present = set(np.unique(truth.values).tolist())
            ignored += dataset.classes.ignore in present
            foreground |= bool(present - {dataset.classes.background, dataset.classes.ignore})
        for one, ids in predicted:
            if sample.id in ids:
                yield from _prediction_faults(one, sample.id, truth)
    if fault := void_fault(dataset, foreground=foreground, ignored_masks=ignored):
        yield fault


def void_fault(dataset: Dataset, *, foreground: bool, ignored_masks: int) -> Fault | None:
    """The fault of a set whose masks hold ignore but nowhere a foreground class: 0/255 figure masks read as class ids.

    Args:
        dataset: the set that was read.
        foreground: whether any mask holds a foreground class.
        ignored_masks: how many masks hold the ignore value.
    """
    if foreground or not ignored_masks or dataset.classes.ignore is None:
        return None
    return make_fault(
        "binary-mask",
        f"no mask holds a foreground class, and {ignored_masks} of {len(dataset)} hold the ignore value {dataset.classes.ignore}, "
        "as figure masks do",
        binary_remedy(dataset.classes, dataset.classes.ignore),
        file=dataset.files[0] if dataset.files else dataset.name,
    )


def _read_truth(dataset: Dataset, sample: Sample) -> tuple[LabelRuns | None, list[Fault]]:
    """The mask of a sample if it is sound, and the faults of mask and picture."""
    truth, faults = None, []
    if dataset.masks is not None:
        try:
            truth = dataset.masks.read(sample.id)
        except FormatError as error:
            faults.append(error.fault)
    if sample.image:
        try:
            picture_size(sample.image, sample=sample.id)
            check_picture_end(sample.image, sample=sample.id)
        except FormatError as error:
            faults.append(error.fault)
    return truth, faults


def _prediction_faults(given: Predictions, sample_id: str, truth: LabelRuns | None) -> Iterator[Fault]:
    try:
        predicted = given.source.read(sample_id)
    except FormatError as error:
        yield error.fault
        return
    if truth is not None and truth.size_hw != predicted.size_hw:
        file = file_of(given.source, sample_id)
        yield size_mismatch(truth.size_hw, predicted.size_hw, sample=sample_id, prediction=given.name, file=file)
