"""The doctor: every fault of a data set and its predictions, found by the readers that every other verb uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import Fault, FormatError
from figureground.core.types import ClassTable, LabelRuns, Sample
from figureground.data.dataset import Dataset
from figureground.data.faults import make_fault, refusal
from figureground.data.pictures import picture_size
from figureground.data.predictions import Predictions, pairing_faults


@dataclass(slots=True)
class _Seen:
    """What the masks read so far hold, for the one fault that only the whole set shows."""

    foreground: bool = False
    ignored: int = 0


def find_faults(dataset: Dataset, predictions: Sequence[Predictions] = ()) -> Iterator[Fault]:
    """Every fault of a data set, and of predictions made for it, in the order of the samples.

    Each mask and prediction is read once and compared in size with the head of its picture and with one another. The walk goes on after a
    fault. A data set whose defining files are at fault cannot be opened in the first place: `open_dataset` raises that fault.
    """
    for given in predictions:
        yield from pairing_faults(dataset, given)
    predicted = [(given, set(given.ids)) for given in predictions]
    seen = _Seen()
    for sample in dataset.samples:
        size_hw = None
        if dataset.masks is not None:
            try:
                runs = dataset.masks.read(sample.id)
                size_hw = runs.size_hw
                _look(runs, dataset.classes, seen)
            except FormatError as error:
                yield error.fault
        yield from size_faults(sample, size_hw)
        for given, ids in predicted:
            if sample.id in ids:
                yield from _prediction_faults(given, sample.id, size_hw)
    if fault := void_fault(dataset, foreground=seen.foreground, ignored_masks=seen.ignored):
        yield fault


def void_fault(dataset: Dataset, *, foreground: bool, ignored_masks: int) -> Fault | None:
    """The fault of a set whose masks hold ignore but nowhere a foreground class: 0/255 figure masks read as class ids.

    Args:
        dataset: the set that was read.
        foreground: whether any mask holds a foreground class.
        ignored_masks: how many masks hold the ignore value.
    """
    if foreground or not ignored_masks:
        return None
    ignore = dataset.classes.ignore
    return make_fault(
        "binary-mask",
        f"no mask holds a foreground class, and {ignored_masks} of {len(dataset)} hold the ignore value {ignore}, as figure masks do",
        f"Write the class id instead of {ignore}, or declare `ids = [0, {ignore}]` with another `ignore`",
        file=dataset.files[0] if dataset.files else None,
    )


def check_same_size(truth: LabelRuns, predicted: LabelRuns, *, sample: str, name: str) -> None:
    """Raise the `size-mismatch` fault unless a mask and its prediction have one size."""
    if truth.size_hw != predicted.size_hw:
        raise refusal(
            "size-mismatch",
            f"the mask is {_size(truth.size_hw)} and the prediction of '{name}' {_size(predicted.size_hw)} (height x width)",
            "Predict at the size of the picture, or choose `--resize nearest`",
            sample=sample,
        )


def check_declared_size(sample: Sample, size_hw: tuple[int, int], declared_hw: tuple[int, int], *, what: str) -> None:
    """Raise the `size-mismatch` fault unless a mask has the size of its picture, or the one that is declared."""
    if size_hw != declared_hw:
        raise refusal(
            "size-mismatch",
            f"the mask is {_size(size_hw)} and {what} {_size(declared_hw)} (height x width)",
            "Bring the mask and picture that belong together; resize masks by nearest neighbour only",
            file=sample.mask,
            sample=sample.id,
        )


def _look(runs: LabelRuns, classes: ClassTable, seen: _Seen) -> None:
    present = set(np.unique(runs.values).tolist())
    seen.ignored += classes.ignore in present
    seen.foreground |= bool(present - {classes.background, classes.ignore})


def size_faults(sample: Sample, size_hw: tuple[int, int] | None) -> Iterator[Fault]:
    """The faults of a mask's size against its picture, whose head alone is read, and against its annotation."""
    try:
        picture_hw = picture_size(sample.image, sample=sample.id) if sample.image else None
        if size_hw and picture_hw:
            check_declared_size(sample, size_hw, picture_hw, what="its picture")
        if size_hw and sample.size_hw:
            check_declared_size(sample, size_hw, sample.size_hw, what="its annotation says")
    except FormatError as error:
        yield error.fault


def _prediction_faults(given: Predictions, sample_id: str, size_hw: tuple[int, int] | None) -> Iterator[Fault]:
    try:
        predicted = given.source.read(sample_id)
        if size_hw:
            height, width = size_hw
            truth = LabelRuns(height=height, width=width, values=predicted.values[:1], lengths=predicted.lengths[:1])
            check_same_size(truth, predicted, sample=sample_id, name=given.name)
    except FormatError as error:
        yield error.fault


def _size(size_hw: tuple[int, int]) -> str:
    return f"{size_hw[0]} x {size_hw[1]}"
