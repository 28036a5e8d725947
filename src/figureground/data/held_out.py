"""Samples that a training leaves out, for what is done with its network later: a pure function of ids, labels, seed and part."""

from __future__ import annotations

import hashlib

from figureground.core.errors import InputError
from figureground.data.dataset import Dataset


def held_out(dataset: Dataset, *, part: float, seed: int) -> tuple[Dataset, Dataset]:
    """The samples that are learned from, and those that are left out.

    Of each class `part` of the samples is left out, rounded down: those whose ids come first when ordered by a digest of seed and id, so
    that the order of the table, and samples of other classes, make no difference.

    Args:
        dataset: the samples of training.
        part: in (0, 1).
        seed: of the training.

    Raises:
        InputError: no sample would be left out.
    """
    members: dict[str, list[str]] = {}
    for sample in dataset.samples:
        members.setdefault(sample.label or "", []).append(sample.id)
    chosen: set[str] = set()
    for ids in members.values():
        ordered = sorted(ids, key=lambda one: hashlib.sha256(f"{seed}\n{one}".encode()).digest())
        chosen |= set(ordered[: int(part * len(ids))])
    if not chosen:
        raise InputError(f"{dataset.name}: `held_out` {part:g} leaves out no sample of {len(dataset)}. Give a larger part")
    return dataset.select(ids=[one for one in dataset.ids if one not in chosen]), dataset.select(
        ids=[i for i in dataset.ids if i in chosen]
    )
