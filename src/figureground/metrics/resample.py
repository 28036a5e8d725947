"""Resamples as matrix products: weights times the samples' sums.

Every rate here is a ratio of sums over samples. A resample with replacement is a row of multinomial weights, so the sums of all resamples
are one matrix product, W @ X. The weights of a resample depend on the seed, its number and the number of units alone: two predictions on
the same samples meet the same weights, so the replicates of their difference are the differences of their replicates (paired), and the
same holds for all groups. A declared cluster (patient, scene, video) is drawn as a whole.

Sources: Efron & Tibshirani 1993; the generator is splitmix64.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from figureground.core.errors import InputError

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

BLOCK_BYTES = 1 << 23
"""Weights are made in blocks of about this size, so memory does not grow with the number of resamples."""

MOST_THREADS = 8
"""More threads would hold more blocks than they save time."""


def bootstrap_sums(
    features: np.ndarray,
    *,
    groups: Sequence[np.ndarray] | None = None,
    clusters: np.ndarray | None = None,
    resamples: int = 1000,
    seed: int = 0,
    reduce: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Sums of features over each group in each resample of the samples.

    Samples (or whole clusters) are drawn with replacement from all, as many as there are; a group's sums are those of its drawn members,
    so groups of one call belong together and their size varies as it would in new data. However many groups overlap, each weight meets
    each sample once.

    Args:
        features: int or float64 [samples, features], finite; integers stay exact up to 2^53.
        groups: sample indices of each group; default one group of all samples.
        clusters: int [samples], samples with the same number are drawn together; default each on its own.
        resamples: how many, at least 1.
        seed: the same seed gives the same weights whatever the features and groups.
        reduce: applied to blocks float64 [groups, resamples of the block, features]; gives [..., resamples of the block, values], joined
            over the blocks. Turns sums into statistics at once, so that memory stays small.

    Returns:
        float64 [groups, resamples, features], or what `reduce` makes of it. A group that was not drawn, or has no sample, has sums 0.

    Raises:
        InputError: no sample, a shape that does not fit, features that are not finite, or an index outside [0, samples).

    Source: defined here.
    """
    table = _checked_features(features)
    samples = table.shape[0]
    unit, units = _units(clusters, samples)
    atom, members = _atoms(groups, samples)
    rows, row_unit, first = _rows(table, atom, unit, len(members), units)
    used = np.flatnonzero(rows.any(0))
    rows = np.ascontiguousarray(rows[:, used]) if used.size < rows.shape[1] else rows
    block = int(np.clip(BLOCK_BYTES // (8 * max(len(rows), members.shape[0] * used.size, 1)), 8, resamples))
    natural = _is_natural(row_unit, units)
    seat = _seats(members)
    whole = None if reduce else np.zeros((members.shape[1], resamples, table.shape[1]))
    own = threading.local()  # each thread writes its blocks where it wrote the ones before

    def one_block(start: int) -> np.ndarray | None:
        size = min(block, resamples - start)
        if not hasattr(own, "weights"):
            own.weights = np.empty((block, len(rows)))
            own.scratch = np.empty((int((seat < 0).sum()), block, used.size))
            own.packed = np.empty((members.shape[1], block, used.size))
            own.sums = np.zeros((members.shape[1], block if reduce else 0, table.shape[1]))
        _draw(own.weights[:size], row_unit, natural, units, np.uint64(seed % 2**64), np.uint64(start))
        here = own.sums[:, :size] if whole is None else whole[:, start : start + size]
        out = here if used.size == table.shape[1] else own.packed[:, :size]
        _group_sums(own.weights[:size], rows, first, members, seat, own.scratch[:, :size], out)
        if out is not here:
            here[:, :, used] = out
        return np.array(reduce(here)) if reduce else None  # a copy, since the next block is written where this one was

    parts = _in_threads(one_block, range(0, resamples, block))
    return whole if whole is not None else np.concatenate([part for part in parts if part is not None], axis=-2)


def _in_threads(work: Callable[[int], np.ndarray | None], starts: Sequence[int]) -> list[np.ndarray | None]:
    """Results in order, one thread per core, each with products of one thread: many small products share their threads badly."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(cores, len(starts), MOST_THREADS)
    if workers < 2:
        return [work(start) for start in starts]
    with _libraries().limit(limits=1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, starts))


@cache
def _libraries() -> ThreadpoolController:
    """The libraries that have threads of their own; finding them takes longer than telling them."""
    from threadpoolctl import ThreadpoolController  # importing it sets a variable of the environment

    return ThreadpoolController()


def bootstrap_weights(units: int, *, resamples: int = 1000, seed: int = 0, start: int = 0) -> np.ndarray:
    """The weights `bootstrap_sums` uses: how often each unit is drawn, float64 [resamples, units], each row summing to `units`.

    Args:
        units: samples or clusters, at least 1.
        resamples: how many rows.
        seed: as for `bootstrap_sums`.
        start: number of the first resample; rows are a pure function of seed and number.
    """
    weights = np.empty((resamples, units))
    _draw(weights, np.arange(units, dtype=np.uint32), True, units, np.uint64(seed % 2**64), np.uint64(start))
    return weights


def leave_one_out_sums(features: np.ndarray, *, clusters: np.ndarray | None = None) -> np.ndarray:
    """Sums of features with one sample, or one cluster, left out: float64 [units, features]; the jackknife that BCa needs."""
    table = _checked_features(features)
    if clusters is not None:
        unit, units = _units(clusters, table.shape[0])
        grouped = np.zeros((units, table.shape[1]))
        np.add.at(grouped, unit, table)
        table = grouped
    return table.sum(0) - table


def _checked_features(features: np.ndarray) -> np.ndarray:
    table = np.asarray(features, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] == 0:
        raise InputError(f"`features` must be [samples, features] with at least one sample; got {list(table.shape)}")
    if not np.isfinite(table).all():
        row, column = (int(i[0]) for i in np.nonzero(~np.isfinite(table)))
        raise InputError(
            f"`features` must be finite; got {table[row, column]} for sample {row}, feature {column}. Sum a value and its count"
        )
    return table


def _atoms(groups: Sequence[np.ndarray] | None, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples that share all their groups: int [samples] index of the atom, -1 for no group; and bool [atoms, groups]."""
    if groups is None:
        return np.zeros(samples, dtype=np.int64), np.ones((1, 1), dtype=bool)
    if not len(groups):
        return np.full(samples, -1), np.ones((0, 0), dtype=bool)
    signature = np.zeros((samples, 8 * -(-len(groups) // 64)), dtype=np.uint8)
    for number, index in enumerate(groups):
        index = np.asarray(index, dtype=np.int64)
        if index.size and (index.min() < 0 or index.max() >= samples):
            raise InputError(f"group {number} holds a sample index outside [0, {samples})")
        signature[index, number // 8] |= 1 << (number % 8)
    words = signature.view(np.uint64)
    order = np.lexsort(words.T)
    fresh = np.append(True, (np.diff(words[order], axis=0) != 0).any(1))
    atom = np.empty(samples, dtype=np.int64)
    atom[order] = np.cumsum(fresh) - 1
    members = np.unpackbits(signature[order[fresh]], axis=1, bitorder="little")[:, : len(groups)].astype(bool)
    kept = np.flatnonzero(members.any(1))
    kept = kept[np.argsort(members[kept].argmax(1), kind="stable")]  # so that a partition has its groups for atoms, in order
    place = np.full(len(members), -1)
    place[kept] = np.arange(kept.size)
    return place[atom], members[kept]


def _units(clusters: np.ndarray | None, samples: int) -> tuple[np.ndarray, int]:
    """What is drawn: the unit of each sample, and how many units there are."""
    if clusters is None:
        return np.arange(samples), samples
    if np.shape(clusters) != (samples,):
        raise InputError(f"`clusters` must have one number per sample; got {list(np.shape(clusters))} for {samples} samples")
    names, unit = np.unique(clusters, return_inverse=True)
    return unit.reshape(-1), names.size


def _is_natural(row_unit: np.ndarray, units: int) -> bool:
    """Whether row and unit are one, so that weights need no rearranging."""
    return row_unit.size == units and bool((row_unit == np.arange(units)).all())


def _rows(table: np.ndarray, atom: np.ndarray, unit: np.ndarray, atoms: int, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows sorted by atom (samples of one atom and unit summed), the unit of each row, and the first row of each atom."""
    if atoms == 1 and (atom == 0).all() and _is_natural(unit, units):
        return table, unit.astype(np.uint32), np.array([0, units])
    inside = np.flatnonzero(atom >= 0)
    if _is_natural(unit, units):
        order = inside[np.argsort(atom[inside].astype(np.uint16 if atoms < 2**16 else np.int64), kind="stable")]
        return table[order], order.astype(np.uint32), np.searchsorted(atom[order], np.arange(atoms + 1))
    keys, place = np.unique(atom[inside] * units + unit[inside], return_inverse=True)
    rows = np.zeros((keys.size, table.shape[1]))
    if keys.size == place.size:
        rows[place.reshape(-1)] = table[inside]
    else:
        np.add.at(rows, place.reshape(-1), table[inside])
    return rows, (keys % units).astype(np.uint32), np.searchsorted(keys, np.arange(atoms + 1) * units)


def _seats(members: np.ndarray) -> np.ndarray:
    """Where the sums of each atom are put, int64 [atoms]: the group that is this atom alone, else -1, -2, ... for places apart."""
    seat = -np.arange(1, len(members) + 1)
    alone = np.flatnonzero(members.sum(0) == 1)
    if alone.size:
        seat[members[:, alone].argmax(0)] = alone
    seat[seat < 0] = -np.arange(1, (seat < 0).sum() + 1)
    return seat


def _group_sums(
    weights: np.ndarray, rows: np.ndarray, first: np.ndarray, members: np.ndarray, seat: np.ndarray, apart: np.ndarray, out: np.ndarray
) -> None:
    """Writes float64 [groups, resamples, features] to `out`: one product per atom, then sums of atoms for all groups but those alone."""
    for number, place in enumerate(seat):
        part = slice(first[number], first[number + 1])
        np.matmul(weights[:, part], rows[part], out=out[place] if place >= 0 else apart[-1 - place])
    for group in set(range(members.shape[1])) - set(seat.tolist()):
        _add_up(out[group], out, apart, seat[members[:, group]])


@njit(cache=True, nogil=True)
def _add_up(total, out, apart, seats):  # pragma: no cover - compiled
    """Sums what is at some seats, row by row, so that the row stays in cache."""
    for b in range(total.shape[0]):
        row = total[b]
        row[:] = 0
        for place in seats:
            more = out[place, b] if place >= 0 else apart[-1 - place, b]
            for i in range(row.size):
                row[i] += more[i]


@njit(cache=True, nogil=True)
def _mixed(z):  # pragma: no cover - compiled
    """The output function of splitmix64."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def _draw(weights, row_unit, natural, units, seed, start):  # pragma: no cover - compiled
    """Multinomial weights: as many uniform draws as units, counted in first-level cache, then laid out in the order of the rows."""
    golden, half, n = np.uint64(0x9E3779B97F4A7C15), np.uint64(32), np.uint64(units)
    drawn = np.empty(units, np.uint16)  # a weight above 65,535 has probability 0 to every digit of a float
    # numbers first and counting after, in small batches: the first loop is then vectorised
    batch = np.empty(512, np.uint64)
    for b in range(weights.shape[0]):
        key = _mixed(_mixed(seed + golden) + (start + np.uint64(b)) * golden)
        drawn[:] = 0
        for first in range(0, units, 2 * batch.size):
            pairs = min(batch.size, (units - first) // 2)
            for i in range(pairs):
                batch[i] = _mixed(key + np.uint64(first + 2 * i) * golden)
            for i in range(pairs):
                drawn[((batch[i] >> half) * n) >> half] += 1
                drawn[((batch[i] & np.uint64(0xFFFFFFFF)) * n) >> half] += 1
        if units % 2:
            drawn[((_mixed(key + n * golden) >> half) * n) >> half] += 1
        if natural:
            for p in range(units):
                weights[b, p] = drawn[p]
        else:
            for p in range(row_unit.size):
                weights[b, p] = drawn[row_unit[p]]
