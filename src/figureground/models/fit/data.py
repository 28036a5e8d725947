"""Training data: the samples of a split, and the batches of each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from figureground.models.fit.batch import IGNORE, Batch
from figureground.models.fit.loader import Loader
from figureground.models.fit.options import FitOptions
from figureground.models.fit.order import batch_edges
from figureground.models.fit.samples import TrainData, train_data

__all__ = ["IGNORE", "Batch", "Loader", "TrainData", "batch_count", "batches", "train_data"]


def batches(data: TrainData, *, options: FitOptions, epoch: int, start: int = 0, train: bool) -> Iterator[Batch]:
    """The batches of one epoch; see `Loader`, which keeps its threads or processes from one epoch to the next.

    Args:
        data: the samples.
        options: `batch`, `seed`, `balance`, `augment`, `cutmix` and `workers` are looked at.
        epoch: number of the epoch, from 0; without meaning where `train` is false.
        start: batches to leave out, so that a stopped epoch goes on where it was.
        train: shuffled, balanced, weighed and augmented; otherwise each sample once, in order, as it is, with weight 1.

    Raises:
        FormatError: a faulty picture or mask, when its batch is reached.
        InputError: `balance` without groups, or an epoch or start below 0.
    """
    with Loader(data, options=options, train=train) as loader:
        yield from loader.epoch(epoch, start=start)


def batch_count(data: Sized, options: FitOptions) -> int:
    """Batches of an epoch, of training, of a mixture and of validation alike: samples / batch, rounded up."""
    return len(batch_edges(len(data), options.batch)) - 1
