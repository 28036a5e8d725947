"""Joint pixel counts of two label maps: the small table from which every other number is arithmetic.

`C[a, b]` is the number of counted pixels whose truth is `a` and whose prediction is `b`. Counts are exact integers, ignore pixels of the
truth are never counted, and tables merge by addition, so they stream and distribute. Source: the confusion counts behind FG-Corr, FG-Flip
and FG-Miss of arXiv 2604.13326, kept per sample and sparse (defined here).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from figureground.core.errors import InputError
from figureground.core.types import MAX_CLASS_ID, LabelRuns
from figureground.metrics.arrays import host_array

DENSE_SIDE = 2048
"""Up to this many ids a square scratch table is used; above it, keys are sorted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointCounts:
    """Sparse joint counts: one row per pair of class ids that occurs, sorted by (truth, predicted)."""

    truth: np.ndarray
    """int64 [rows], class ids."""
    predicted: np.ndarray
    """int64 [rows], class ids."""
    pixels: np.ndarray
    """int64 [rows], each at least 1."""

    @property
    def total(self) -> int:
        """Number of counted pixels."""
        return int(self.pixels.sum())

    def matrix(self, ids: Sequence[int]) -> np.ndarray:
        """Dense int64 [classes, classes], rows truth and columns prediction, in the order of `ids`."""
        place = {class_id: index for index, class_id in enumerate(ids)}
        dense = np.zeros((len(ids), len(ids)), np.int64)
        for truth, predicted, pixels in zip(self.truth.tolist(), self.predicted.tolist(), self.pixels.tolist(), strict=True):
            if truth not in place or predicted not in place:
                raise InputError(f"counts hold class id {truth if truth not in place else predicted}, which is not in `ids`")
            dense[place[truth], place[predicted]] += pixels
        return dense

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, JointCounts)
            and np.array_equal(self.truth, other.truth)
            and np.array_equal(self.predicted, other.predicted)
            and np.array_equal(self.pixels, other.pixels)
        )


EMPTY = JointCounts(truth=np.empty(0, np.int64), predicted=np.empty(0, np.int64), pixels=np.empty(0, np.int64))
"""Counts of no pixel: the neutral element of `merge`."""


def joint_counts(
    truth: LabelRuns | Any, predicted: LabelRuns | Any, *, classes: int | Sequence[int], ignore: int | None = 255
) -> JointCounts:
    """Joint pixel counts of a truth and a prediction.

    Two run-encoded maps are merged in one pass over their runs; two arrays are compared eight pixels at a time.

    Args:
        truth: class id per pixel, as `LabelRuns` or an integer array (or tensor) of any shape.
        predicted: likewise, of the same shape.
        classes: the number K of classes (ids 0 ... K - 1), or the ids themselves, each at most 65,535.
        ignore: id of void pixels in the truth, which are left out; None = there are none.

    Returns:
        The counts; no rows where every pixel is ignored.

    Raises:
        InputError: shapes differ, an array is not of integers, or an id is neither a class nor (in the truth) `ignore`.

    Source: defined here.

    Example:
        >>> joint_counts([[0, 1, 1]], [[0, 1, 2]], classes=3).pixels.tolist()
        [1, 1, 1]
    """
    ids = range(classes) if isinstance(classes, int) else classes
    if isinstance(truth, LabelRuns) and isinstance(predicted, LabelRuns):
        _check_shapes(truth.size_hw, predicted.size_hw)
        _check_ids(predicted.values, ids, "predicted")
        counts = counts_of_runs(truth, predicted, ignore=ignore)
        _check_ids(counts.truth, ids, "truth")
        return counts
    dense_truth, dense_predicted = _as_label_array(truth, "truth"), _as_label_array(predicted, "predicted")
    _check_shapes(dense_truth.shape, dense_predicted.shape)
    counts = counts_of_arrays(dense_truth, dense_predicted, ignore=ignore)
    _check_ids(counts.truth, ids, "truth")
    _check_ids(counts.predicted, ids, "predicted")
    return counts


def merge(a: JointCounts, b: JointCounts) -> JointCounts:
    """Counts of both together; associative and commutative, with `EMPTY` neutral."""
    return merge_rows(*(np.concatenate([getattr(a, name), getattr(b, name)]) for name in ("truth", "predicted", "pixels")))


def merge_rows(truth: np.ndarray, predicted: np.ndarray, pixels: np.ndarray) -> JointCounts:
    """Counts from rows in any order, in which pairs may repeat; all int64 [rows]."""
    return _from_keys(truth << 16 | predicted, pixels)


def counts_of_runs(truth: LabelRuns, predicted: LabelRuns, *, ignore: int | None) -> JointCounts:
    """Joint counts of two run-encoded maps of equal size whose ids are known to be good."""
    side = _side(truth.values, predicted.values)
    if side > DENSE_SIDE:
        t, p, lengths = merged_runs(truth, predicted)
        keep = slice(None) if ignore is None else t != ignore
        return _from_keys(t[keep].astype(np.int64) << 16 | p[keep], lengths[keep])
    return _counted(_count_runs, (truth.values, truth.lengths, predicted.values, predicted.lengths), ignore, side)


def counts_of_arrays(truth: np.ndarray, predicted: np.ndarray, *, ignore: int | None) -> JointCounts:
    """Joint counts of two uint8 or uint16 arrays of equal shape."""
    if truth.size == 0:
        return EMPTY
    t, p = np.ascontiguousarray(truth).reshape(-1), np.ascontiguousarray(predicted).reshape(-1)
    if t.size >= 2**32:  # the kernel's indices have 32 bits
        half = t.size // 2
        return merge(*(counts_of_arrays(t[part], p[part], ignore=ignore) for part in (slice(half), slice(half, None))))
    side = _side(t, p)
    if side > DENSE_SIDE:
        void = np.zeros(t.size, bool) if ignore is None else t == ignore
        keys, pixels = np.unique((t.astype(np.int64) << 16 | p)[~void], return_counts=True)
        return _from_keys(keys, pixels.astype(np.int64))
    whole = t.size - t.size % 8 if t.dtype == p.dtype == np.uint8 else 0
    return _counted(_count_arrays, (t, p, t[:whole].view(np.uint64), p[:whole].view(np.uint64)), ignore, side)


def merged_runs(truth: LabelRuns, predicted: LabelRuns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both maps laid over one another: truth ids, predicted ids and int64 lengths of the stretches in which neither changes."""
    most = truth.values.size + predicted.values.size
    t, p, lengths = np.empty(most, truth.values.dtype), np.empty(most, predicted.values.dtype), np.empty(most, np.int64)
    n = _merge_runs(truth.values, truth.lengths, predicted.values, predicted.lengths, t, p, lengths)
    return t[:n], p[:n], lengths[:n]


def _check_shapes(truth: tuple[int, ...], predicted: tuple[int, ...]) -> None:
    if tuple(truth) != tuple(predicted):
        raise InputError(f"`truth` and `predicted` must have one shape; got {list(truth)} and {list(predicted)}. Resize nearest before")


def _as_label_array(values: Any, name: str) -> np.ndarray:
    """The array in uint8 or uint16; anything that is not of integers in [0, 65,535] raises."""
    array = values.dense() if isinstance(values, LabelRuns) else host_array(values)
    if array.dtype in (np.uint8, np.uint16):
        return array
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"`{name}` must hold integer class ids; got {array.dtype} {list(array.shape)}. Take the argmax of logits first")
    if array.size and (array.min() < 0 or array.max() > MAX_CLASS_ID):
        raise InputError(f"`{name}` must hold class ids in [0, {MAX_CLASS_ID}]; got {array.min()} ... {array.max()}")
    return array.astype(np.uint8 if array.size == 0 or array.max() <= 255 else np.uint16)


def _check_ids(found: np.ndarray, ids: Sequence[int], name: str) -> None:
    if isinstance(ids, range) and ids.start == 0 and ids.step == 1 and int(found.max(initial=0)) < ids.stop:
        return
    known = np.zeros(MAX_CLASS_ID + 1, bool)
    known[np.asarray(ids, np.int64)] = True
    bad = found[~known[found]]
    if bad.size:
        shown = f"0 ... {ids.stop - 1}" if isinstance(ids, range) else ", ".join(map(str, list(ids)[:12]))
        raise InputError(f"`{name}` holds class id {int(bad[0])}; expected one of {shown}. Declare the class, or set `ignore`")


def _from_keys(keys: np.ndarray, pixels: np.ndarray) -> JointCounts:
    unique, inverse = np.unique(keys, return_inverse=True)
    total = np.zeros(unique.size, np.int64)
    np.add.at(total, inverse, pixels)
    return JointCounts(truth=unique >> 16, predicted=unique & 0xFFFF, pixels=total)


_NO_TABLE = np.zeros(0, np.int64)


class _Scratch(threading.local):
    """A table of zeros per thread: making one takes longer than counting on runs. Who counts in it leaves zeros behind."""

    table: np.ndarray = _NO_TABLE


_scratch = _Scratch()


def _side(truth: np.ndarray, predicted: np.ndarray) -> int:
    """Rows and columns that a table needs."""
    if truth.dtype == predicted.dtype == np.uint8:
        return 256
    return 1 + max(int(truth.max()), int(predicted.max()))


def _counted(kernel: Callable[..., np.ndarray], maps: tuple[np.ndarray, ...], ignore: int | None, side: int) -> JointCounts:
    table = _scratch.table if _scratch.table.size >= side * side else np.zeros(side * side, np.int64)
    _scratch.table = _NO_TABLE  # taken out while in use, so that no error in between leaves counts behind
    truth, predicted, pixels = kernel(*maps, -1 if ignore is None else ignore, np.uint64(side), table)
    _scratch.table = table
    return JointCounts(truth=truth, predicted=predicted, pixels=pixels)


# The kernels count in unsigned numbers throughout: an index that cannot be negative is taken as it is, which is a third of their time.
_0, _1, _7, _8, _56 = (np.uint64(n) for n in (0, 1, 7, 8, 56))
_LOW, _HIGH = np.uint64(0x7F7F7F7F7F7F7F7F), np.uint64(0x8080808080808080)
_GATHER = np.uint64(0x0102040810204080)
"""Times the lowest bits of eight bytes, the upper byte tells which of them are set, the first byte's lowest."""
_SET = np.zeros((256, 8), np.uint32)
"""Such a byte -> the numbers of the bytes that are set, in order, and then anything."""
_HOW_MANY = np.array([n.bit_count() for n in range(256)], np.uint64)
for _mask in range(256):
    _SET[_mask, : _HOW_MANY[_mask]] = [_byte for _byte in range(8) if _mask >> _byte & 1]


@njit(cache=True, nogil=True)
def _drained(table, touched, met, ignore, side):  # pragma: no cover - compiled
    """int64 [3, rows] truth, predicted, pixels in order of keys, without `ignore`; `table` is zeros again."""
    keys = np.sort(touched[:met])
    rows = np.empty((3, keys.size), np.int64)
    n = 0
    for key in keys:
        truth = np.int64(key // side)
        if truth != ignore:
            rows[0, n], rows[1, n], rows[2, n] = truth, np.int64(key % side), table[key]
            n += 1
        table[key] = 0
    return rows[:, :n]


@njit(cache=True, nogil=True)
def _count_runs(tv, tl, pv, pl, ignore, side, table):  # pragma: no cover - compiled
    """Overlaps of two run lists, as `_drained` gives them; which list is ahead decides no branch, for it cannot be foretold."""
    size = _0
    for length in tl:
        size += np.uint64(length)
    touched = np.empty(min(side * side, np.uint64(tv.size + pv.size)), np.uint64)
    i = j = met = at = _0
    end_t, end_p = np.uint64(tl[0]), np.uint64(pl[0])
    while True:
        to = min(end_t, end_p)
        key = np.uint64(tv[i]) * side + np.uint64(pv[j])
        if table[key] == 0:
            touched[met] = key
            met += _1
        table[key] += np.int64(to - at)
        if to == size:
            return _drained(table, touched, met, ignore, side)
        at = to
        next_t, next_p = np.uint64(end_t == to), np.uint64(end_p == to)
        i += next_t
        j += next_p
        end_t += next_t * np.uint64(tl[i])
        end_p += next_p * np.uint64(pl[j])


@njit(cache=True, nogil=True)
def _merge_runs(tv, tl, pv, pl, t, p, lengths):  # pragma: no cover - compiled
    """Writes the overlaid stretches; returns how many."""
    i = j = n = 0
    left_t, left_p = np.int64(tl[0]), np.int64(pl[0])
    while True:
        step = min(left_t, left_p)
        t[n], p[n], lengths[n] = tv[i], pv[j], step
        n += 1
        left_t -= step
        left_p -= step
        if left_t == 0:
            i += 1
            if i == tv.size:
                return n
            left_t = np.int64(tl[i])
        if left_p == 0:
            j += 1
            left_p = np.int64(pl[j])


@njit(cache=True, nogil=True)
def _changed_words(t_words, p_words, id_t, id_p):  # pragma: no cover - compiled
    """Indices of the words in which a byte of either map differs from the byte before it, found without a branch."""
    words = np.uint64(t_words.size)
    changed = np.empty(words + _1, np.uint32)
    n = _0
    if words > _0:
        changed[0] = 0
        n = np.uint64(((t_words[0] ^ (t_words[0] << _8 | id_t)) | (p_words[0] ^ (p_words[0] << _8 | id_p))) != _0)
    for w in range(_1, words):
        here_t, here_p = t_words[w], p_words[w]
        before_t, before_p = t_words[w - _1] >> _56, p_words[w - _1] >> _56
        changed[n] = w
        n += np.uint64(((here_t ^ (here_t << _8 | before_t)) | (here_p ^ (here_p << _8 | before_p))) != _0)
    return changed[:n]


@njit(cache=True, nogil=True)
def _changes(t, p, t_words, p_words):  # pragma: no cover - compiled
    """uint32 indices at which either map differs from the pixel before, without a branch for each; room for one more is left."""
    words = _changed_words(t_words, p_words, np.uint64(t[0]), np.uint64(p[0]))
    tail = t_words.size * 8
    at = np.empty(words.size * 8 + t.size - tail + 1, np.uint32)
    n = _0
    for word in words:
        w, first = np.uint64(word), np.uint64(word) * _8
        before = max(first, _1) - _1  # the first pixel is no change
        last_t, last_p = np.uint64(t[before]), np.uint64(p[before])
        differs = (t_words[w] ^ (t_words[w] << _8 | last_t)) | (p_words[w] ^ (p_words[w] << _8 | last_p))
        mask = (((((differs & _LOW) + _LOW) | differs) & _HIGH) >> _7) * _GATHER >> _56
        for k in range(8):
            at[n + np.uint64(k)] = np.uint32(first) + _SET[mask, k]
        n += _HOW_MANY[mask]
    for i in range(max(tail, 1), t.size):
        at[n] = i
        n += np.uint64((t[i] != t[i - 1]) | (p[i] != p[i - 1]))
    return at[: n + _1], n


@njit(cache=True, nogil=True)
def _count_arrays(t, p, t_words, p_words, ignore, side, table):  # pragma: no cover - compiled
    """As `_count_runs` on dense arrays: only words with a change are looked into, and each change is found by arithmetic."""
    at, n = _changes(t, p, t_words, p_words)
    at[n] = t.size
    touched = np.empty(min(side * side, n + _1) + _1, np.uint64)
    met = start = _0
    for i in range(n + _1):
        key = np.uint64(t[start]) * side + np.uint64(p[start])
        touched[met] = key
        met += np.uint64(table[key] == 0)
        table[key] += np.int64(np.uint64(at[i]) - start)
        start = np.uint64(at[i])
    return _drained(table, touched, met, ignore, side)
