"""Foreground truth in three parts, correct + flipped + missed, and what was added where the truth is background.

Overlap scores hide which kind of error was made. The parts do not: a flipped pixel was found and misnamed, a missed one was not found.
All parts are integers taken from joint pixel counts, so they sum exactly. Source: arXiv 2604.13326 (two classes); any number of
classes, added, confusable sets and coarser labellings are defined here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from figureground.core.errors import InputError
from figureground.metrics.arrays import host_array
from figureground.metrics.joint import EMPTY, JointCounts, merge

PARTS = ("correct", "flipped", "missed", "added", "foreground", "background")
"""The columns of `sample_parts`."""


def ratio(part: Any, whole: Any) -> np.ndarray:
    """`part / whole` as float64, NaN where `whole` is 0; broadcasts and never warns."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    shape = np.broadcast_shapes(part.shape, whole.shape)
    return np.divide(part, whole, out=np.full(shape, np.nan), where=np.broadcast_to(whole != 0, shape))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassParts:
    """The truth of one foreground class in three parts, and what was called by its name wrongly. All in pixels."""

    id: int
    pixels: int
    """Pixels of truth: correct + flipped + missed."""
    correct: int
    flipped: int
    """Truth of this class, predicted as another foreground class."""
    missed: int
    taken: int
    """Truth of another foreground class, predicted as this one: flips received."""
    added: int
    """Background truth predicted as this class."""

    @property
    def correct_rate(self) -> float:
        """Part of the class's truth with the right name; NaN without truth, as the next two."""
        return _rate(self.correct, self.pixels)

    @property
    def flipped_rate(self) -> float:
        """Part of the class's truth with the name of another foreground class."""
        return _rate(self.flipped, self.pixels)

    @property
    def missed_rate(self) -> float:
        """Part of the class's truth predicted as background."""
        return _rate(self.missed, self.pixels)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipPair:
    """Pixels of one foreground class that were given the name of another."""

    truth: int
    predicted: int
    pixels: int
    rate: float
    """As a part of the truth class's pixels, in (0, 1]."""
    share: float
    """As a part of all flipped pixels, in (0, 1]."""


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """Correct, flipped, missed (together the foreground) and added, in pixels; the rates are fractions, NaN for 0 / 0."""

    correct: int
    flipped: int
    missed: int
    added: int
    """Background truth predicted as foreground."""
    background_pixels: int
    """Pixels of background truth, which `added` is a part of."""
    classes: tuple[ClassParts, ...]
    """Each foreground class that occurs in truth or prediction, by id."""
    flips: tuple[FlipPair, ...]
    """Every pair with flipped pixels, most pixels first, then by ids."""

    @property
    def foreground(self) -> int:
        """Pixels of foreground truth."""
        return self.correct + self.flipped + self.missed

    @property
    def pixels(self) -> int:
        """All counted pixels; ignored ones were never counted."""
        return self.foreground + self.background_pixels

    @property
    def correct_rate(self) -> float:
        """Part of the foreground truth with the right class; NaN without foreground, as the next two."""
        return _rate(self.correct, self.foreground)

    @property
    def flipped_rate(self) -> float:
        """Part of the foreground truth with another foreground class."""
        return _rate(self.flipped, self.foreground)

    @property
    def missed_rate(self) -> float:
        """Part of the foreground truth predicted as background."""
        return _rate(self.missed, self.foreground)

    @property
    def added_rate(self) -> float:
        """Added as a part of background truth, not of foreground truth."""
        return _rate(self.added, self.background_pixels)

    @property
    def conditional_flip(self) -> float:
        """Flipped among what was found, flipped / (correct + flipped); NaN where nothing of the truth was found."""
        return _rate(self.flipped, self.correct + self.flipped)

    @property
    def foreground_iou(self) -> float:
        """Overlap of "any foreground" in truth and prediction, whatever the label; NaN where neither has any."""
        return _rate(self.correct + self.flipped, self.foreground + self.added)

    @cached_property
    def macro_flipped_rate(self) -> float:
        """Mean of the classes' flipped rates over the classes with truth; NaN without foreground truth."""
        rates = [part.flipped_rate for part in self.classes if part.pixels]
        return float(np.mean(rates)) if rates else float("nan")

    def most_confused(self, n: int) -> tuple[FlipPair, ...]:
        """The `n` pairs with the most flipped pixels, fewer where there are fewer."""
        return self.flips[: max(n, 0)]


def decompose(counts: JointCounts | np.ndarray, *, background: int = 0) -> Decomposition:
    """Correct, flipped, missed and added pixels of joint counts.

    With y the truth and p the prediction of a pixel and b the background: correct: y = p != b; flipped: y != p, neither is b;
    missed: y != b = p; added: y = b != p. Hence correct + flipped + missed = pixels with y != b, exactly.

    Args:
        counts: joint counts, or int64 [K, K] with the truth in rows, the prediction in columns and class ids 0 to K - 1.
        background: id of the class that is ground. It need not occur.

    Returns:
        The parts over all pixels, per class and per pair. Empty counts give zeros, and NaN for every rate.

    Raises:
        InputError: a matrix that is not square, not of integers, or has a negative entry.

    Source: arXiv 2604.13326, section 3 (FG-Corr, FG-Flip, FG-Miss); `added` and the parts per class are defined here.

    >>> d = decompose(np.array([[5, 1, 0], [1, 6, 2], [0, 0, 3]]))
    >>> d.correct, d.flipped, d.missed, d.added, d.foreground
    (9, 2, 1, 1, 12)
    """
    truth, predicted, pixels = _columns(counts)
    kind = pixel_kind(truth, predicted, background=background)
    correct, flipped, missed, added = (int(pixels[kind == part].sum()) for part in range(4))
    return Decomposition(
        correct=correct,
        flipped=flipped,
        missed=missed,
        added=added,
        background_pixels=int(pixels[truth == background].sum()),
        classes=_class_parts(truth, predicted, pixels, kind, background),
        flips=_flip_pairs(truth, predicted, pixels, kind == 1),
    )


def pixel_kind(truth: np.ndarray, predicted: np.ndarray, *, background: int = 0) -> np.ndarray:
    """0 correct, 1 flipped, 2 missed, 3 added, 4 background in both, as int8, for each pair of class ids."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    figure, found = truth != background, predicted != background
    return np.select([figure & (truth == predicted), figure & found, figure, found], [0, 1, 2, 3], 4).astype(np.int8)


def sample_parts(
    sample: np.ndarray, truth: np.ndarray, predicted: np.ndarray, pixels: np.ndarray, *, samples: int, background: int = 0
) -> np.ndarray:
    """The parts of many samples at once, from their joint counts stacked into four columns.

    Args:
        sample: int [rows], index of the sample of each row, in [0, samples).
        truth: int [rows], class id of the truth.
        predicted: int [rows], class id of the prediction.
        pixels: int64 [rows].
        samples: how many samples there are; those without rows get zeros.
        background: id of the class that is ground.

    Returns:
        int64 [samples, 6], the columns in the order of `PARTS`. Sums over samples are the parts of the whole.
    """
    kind = pixel_kind(truth, predicted, background=background)
    table = np.zeros((samples, 6), dtype=np.int64)
    np.add.at(table, (sample, np.where(kind == 4, 5, kind)), pixels)
    table[:, 5] += table[:, 3]
    table[:, 4] = table[:, 0] + table[:, 1] + table[:, 2]
    return table


def coarsen(counts: JointCounts, groups: Mapping[int, int], *, background: int = 0) -> JointCounts:
    """The same counts at a coarser labelling: each class id that `groups` names is replaced by its new id.

    Merging foreground classes moves pixels from flipped to correct and never changes missed or added. An id that is not in
    `groups` stays as it is.

    Raises:
        InputError: a foreground class would become background, or the background a foreground class.
    """
    for old, new in groups.items():
        if (old == background) != (new == background):
            raise InputError(f"`groups` sends class {old} to {new}, and {background} is background. Merge foreground classes only")
    ids = np.unique(np.concatenate([counts.truth, counts.predicted]))
    renamed = np.array([groups.get(int(i), int(i)) for i in ids], dtype=np.int64)
    truth, predicted = renamed[np.searchsorted(ids, counts.truth)], renamed[np.searchsorted(ids, counts.predicted)]
    return merge(EMPTY, JointCounts(truth=truth, predicted=predicted, pixels=counts.pixels))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusableFlips:
    """Flipped pixels between classes of one confusable set, and between classes that no set has together."""

    within: int
    cross: int
    foreground: int

    @property
    def within_rate(self) -> float:
        """As a part of foreground truth; NaN without any."""
        return _rate(self.within, self.foreground)

    @property
    def cross_rate(self) -> float:
        """As a part of foreground truth; NaN without any."""
        return _rate(self.cross, self.foreground)


def confusable_flips(counts: JointCounts | np.ndarray, sets: Sequence[Collection[int]], *, background: int = 0) -> ConfusableFlips:
    """Flips inside and across sets of classes that are easily taken for one another; within + cross = flipped.

    A class in no set is a set of its own, so each of its flips is across.

    Raises:
        InputError: a class in two sets, or the background in one.
    """
    set_of = {int(class_id): number for number, members in enumerate(sets) for class_id in members}
    if len(set_of) != sum(len(set(members)) for members in sets) or background in set_of:
        raise InputError("confusable sets must have no class in common and must not hold the background")
    truth, predicted, pixels = _columns(counts)
    kind = pixel_kind(truth, predicted, background=background)
    left = np.array([set_of.get(int(i), -1) for i in truth], dtype=np.int64)
    right = np.array([set_of.get(int(i), -2) for i in predicted], dtype=np.int64)
    within = int(pixels[(kind == 1) & (left == right)].sum())
    return ConfusableFlips(within=within, cross=int(pixels[kind == 1].sum()) - within, foreground=int(pixels[truth != background].sum()))


def _rate(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _columns(counts: JointCounts | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if isinstance(counts, JointCounts):
        return counts.truth, counts.predicted, counts.pixels
    matrix = host_array(counts)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.dtype.kind not in "iu" or (matrix < 0).any():
        raise InputError(f"`counts` must be joint counts or a square matrix of integers >= 0; got {matrix.dtype} {list(matrix.shape)}")
    truth, predicted = np.nonzero(matrix)
    return truth, predicted, matrix[truth, predicted].astype(np.int64)


def _class_parts(truth: np.ndarray, predicted: np.ndarray, pixels: np.ndarray, kind: np.ndarray, background: int) -> tuple[ClassParts, ...]:
    ids = np.unique(np.concatenate([truth, predicted]))
    ids = ids[ids != background]

    def by_class(side: np.ndarray, part: int) -> list[int]:
        total = np.zeros(ids.size, dtype=np.int64)
        np.add.at(total, np.searchsorted(ids, side[kind == part]), pixels[kind == part])
        return total.tolist()

    columns = (by_class(truth, 0), by_class(truth, 1), by_class(truth, 2), by_class(predicted, 1), by_class(predicted, 3))
    return tuple(
        ClassParts(id=class_id, pixels=c + f + m, correct=c, flipped=f, missed=m, taken=t, added=a)
        for class_id, c, f, m, t, a in zip(ids.tolist(), *columns, strict=True)
    )


def _flip_pairs(truth: np.ndarray, predicted: np.ndarray, pixels: np.ndarray, flipped: np.ndarray) -> tuple[FlipPair, ...]:
    total = int(pixels[flipped].sum())
    of_class = {int(t): int(pixels[truth == t].sum()) for t in np.unique(truth[flipped])}
    rows = np.flatnonzero(flipped)
    rows = rows[np.lexsort((predicted[rows], truth[rows], -pixels[rows]))]
    return tuple(
        FlipPair(truth=t, predicted=p, pixels=n, rate=n / of_class[t], share=n / total)
        for t, p, n in zip(truth[rows].tolist(), predicted[rows].tolist(), pixels[rows].tolist(), strict=True)
    )
