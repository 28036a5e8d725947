"""By what a database knows the model that its ratings are of: digests of what the target saw in a few samples."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from figureground.core.types import LabelRuns

MOST_MARKS = 32


class Maps(Protocol):
    """The label maps of one model."""

    def get(self, sample_id: str, /) -> LabelRuns | None:
        """The map of a sample; None where there is none."""
        ...

    def __contains__(self, sample_id: object, /) -> bool:
        """Whether there is a map of a sample."""
        ...


def target_marks(ids: Sequence[str], maps: Maps) -> tuple[str, ...]:
    """The marks of a model: one for each of up to 32 samples, evenly spread over all; '' where it has no map of that sample.

    A mark is 16 hex digits of the sha256 of the decoded map, so it stays the same when files are moved, copied or packed otherwise.

    Raises:
        FormatError: a map that cannot be read.
    """
    count = min(MOST_MARKS, len(ids))
    return tuple(_mark(maps.get(ids[turn * len(ids) // count])) for turn in range(count))


def same_target(first: Sequence[str], second: Sequence[str]) -> bool:
    """True where the marks agree in every sample of which both have a map; a target and none are never the same.

    So a target of which some maps were absent at first stays the same when they are there.
    """
    return len(first) == len(second) and all(one == other for one, other in zip(first, second, strict=True) if one and other)


def joined_marks(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """The marks of one target, known from either."""
    return tuple(one or other for one, other in zip(first, second, strict=True))


def _mark(runs: LabelRuns | None) -> str:
    if runs is None:
        return ""
    content = repr(runs.size_hw).encode() + runs.values.astype("<u2").tobytes() + runs.lengths.astype("<u4").tobytes()
    return hashlib.sha256(content).hexdigest()[:16]
