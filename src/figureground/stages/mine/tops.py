"""The best candidates of every group so far: a table that merges with any other, so that a pool is gone through once, in any order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

COLUMNS = pa.schema([("group", pa.int32()), ("score", pa.float64()), ("id", pa.string()), ("row", pa.int32())])
"""A candidate: its group, its score (higher = chosen first), its id, and its row in the chunk it was found in."""


def candidates(group: int, scores: np.ndarray, ids: Sequence[str], *, rows: np.ndarray, keep: int) -> pa.Table:
    """The best `keep` of some samples for a group, and all that tie with the last of them; NaN scores are no candidates.

    Args:
        group: number of the group.
        scores: float64 [samples of the chunk].
        ids: of the samples of the chunk.
        rows: int [candidates], those samples that the group may choose from.
        keep: most candidates that the group needs.
    """
    own = scores[rows]
    rows = rows[~np.isnan(own)]
    if rows.size > keep:
        own = scores[rows]
        rows = rows[own >= np.partition(own, own.size - keep)[own.size - keep]]
    columns = [np.full(rows.size, group), scores[rows], [ids[row] for row in rows.tolist()], rows]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, COLUMNS, strict=True)], schema=COLUMNS)


def merged(tables: Sequence[pa.Table], *, keep: Sequence[int]) -> pa.Table:
    """The best candidates of each group, best first; ties go to the id that sorts first.

    Args:
        tables: candidates, at least one table, in any order.
        keep: how many of each group.
    """
    order = [("group", "ascending"), ("score", "descending"), ("id", "ascending")]
    whole = pa.concat_tables(tables).sort_by(order)
    group = whole["group"].to_numpy()
    place = np.arange(group.size) - np.searchsorted(group, group)
    return whole.filter(pa.array(place < np.asarray(keep, np.int64)[group]))


def floors(table: pa.Table, *, keep: Sequence[int]) -> np.ndarray:
    """float64 [groups]: the score below which nothing can enter any more; -inf where a group is not full.

    Args:
        table: from `merged`.
        keep: how many of each group.
    """
    found = np.full(len(keep), -np.inf)
    group, score = table["group"].to_numpy(), table["score"].to_numpy()
    full = np.bincount(group, minlength=len(keep)) >= np.asarray(keep)
    last = np.flatnonzero(np.append(group[1:] != group[:-1], True)) if group.size else np.empty(0, np.int64)
    found[group[last]] = np.where(full[group[last]], score[last], -np.inf)
    return found
