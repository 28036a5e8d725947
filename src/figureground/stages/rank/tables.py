"""The tables of a ranking: candidates with their reasons, models, pairs, scores and stability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from figureground.metrics.ranking import places
from figureground.metrics.standings import FIGURES, Standings, difference, first_share
from figureground.stages.rank.testset import Decision

CANDIDATES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        ("place", pa.int32()),
        ("decision", pa.string()),
        ("reason", pa.string()),
        ("main_object", pa.string()),
        ("said_by", pa.string()),
        ("direction", pa.string()),
        ("discrepancy", pa.float64()),
        ("image", pa.string()),
    ]
)
_ENDS = [(f"{name}{end}", pa.float64()) for name in FIGURES for end in ("", "_low", "_high")]
MODELS = pa.schema(
    [pa.field("model", pa.string(), nullable=False), *((f"place_{name}", pa.int32()) for name in FIGURES), *_ENDS, ("first", pa.float64())]
)
PAIRS = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("rival", pa.string(), nullable=False),
        ("wins", pa.float64()),
        ("samples", pa.int64()),
        ("mean", pa.float64()),
        ("rival_mean", pa.float64()),
        ("mean_samples", pa.int64()),
        ("dominance", pa.float64()),
        *((f"difference{end}", pa.float64()) for end in ("", "_low", "_high")),
    ]
)
SCORES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        ("place", pa.int32()),
        ("miou", pa.float64()),
    ]
)
STABILITY = pa.schema([("samples", pa.int64()), ("spearman", pa.float64())])


def candidate_table(decisions: Sequence[Decision], images: dict[str, str]) -> pa.Table:
    """One row a candidate, the test set first."""
    rows = [
        {
            "id": d.candidate.id,
            "place": d.place,
            "decision": d.kind,
            "reason": d.reason,
            "main_object": d.candidate.main_object,
            "said_by": d.candidate.said_by,
            "direction": d.candidate.direction,
            "discrepancy": _known(d.candidate.discrepancy),
            "image": images.get(d.candidate.id),
        }
        for d in decisions
    ]
    return pa.Table.from_pylist(rows, CANDIDATES)


def model_table(found: Standings, names: Sequence[str]) -> pa.Table:
    """One row a model, by mIoU, the best first; ties by name."""
    rank, first = {name: places(found.value[row]) for row, name in enumerate(FIGURES)}, first_share(found)
    rows = []
    for m, model in sorted(enumerate(names), key=lambda entry: (int(rank["miou"][entry[0]]), entry[1])):
        row: dict[str, object] = {"model": model, "first": _known(first[m])}
        for number, name in enumerate(FIGURES):
            row |= {f"place_{name}": int(rank[name][m]), name: _known(found.value[number, m])}
            row |= {f"{name}_low": _known(found.low[number, m]), f"{name}_high": _known(found.high[number, m])}
        rows.append(row)
    return pa.Table.from_pylist(rows, MODELS)


def pair_table(found: Standings, names: Sequence[str], members: np.ndarray, *, level: float) -> pa.Table:
    """One row a model and rival, both ways round, in the order in which the models were named."""
    known = ~np.isnan(found.scores)
    rows = []
    for i, model in enumerate(names):
        for j, rival in enumerate(names):
            if i == j:
                continue
            shared = known[:, i] & known[:, j]
            value, low, high = difference(found, i, j, level=level)
            rows.append(
                {
                    "model": model,
                    "rival": rival,
                    "wins": float(found.wins[i, j]),
                    "samples": int(shared.sum()),
                    "mean": _known(found.means[i, j]),
                    "rival_mean": _known(found.means[j, i]),
                    "mean_samples": int((shared & members[:, i, j]).sum()),
                    "dominance": float(found.dominance[i, j]),
                    "difference": _known(value),
                    "difference_low": _known(low),
                    "difference_high": _known(high),
                }
            )
    return pa.Table.from_pylist(rows, PAIRS)


def score_table(found: Standings, names: Sequence[str], ids: Sequence[str]) -> pa.Table:
    """One row a sample and model, in the order of the test set."""
    rows = [
        {"id": i, "model": model, "place": place, "miou": _known(found.scores[place - 1, m])}
        for place, i in enumerate(ids, start=1)
        for m, model in enumerate(names)
    ]
    return pa.Table.from_pylist(rows, SCORES)


def stability_table(found: Standings) -> pa.Table:
    """One row for every number of first samples."""
    curve = found.stability.spearman.tolist()
    return pa.Table.from_pylist([{"samples": k, "spearman": _known(value)} for k, value in enumerate(curve, start=1)], STABILITY)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
