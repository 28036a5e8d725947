"""Which samples of a data set are for training."""

from __future__ import annotations

from figureground.core.errors import InputError
from figureground.data.dataset import Dataset


def training_part(dataset: Dataset, split: str, flag: str = "--split") -> Dataset:
    """The samples of the split for training; all of a data set without splits.

    Args:
        dataset: with or without splits.
        split: the one for training.
        flag: where the user can name it, for the message.

    Raises:
        InputError: the data set has splits and not this one, or would be used whole though it has some.
    """
    known = sorted({s.split for s in dataset.samples if s.split})
    if not known:
        return dataset
    if split not in known:
        has = f"has no split '{split}'; it has {', '.join(known)}" if split else f"has the splits {', '.join(known)}"
        raise InputError(f"{dataset.name} {has}. Give {flag} the one for training: pictures of the others must not get into it")
    return dataset.select(split=split)
