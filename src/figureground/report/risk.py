"""Risk: how well a score that needs no labels finds the flips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from figureground.report import words
from figureground.report.groups import round_end
from figureground.report.reading import Measure, PredictionAudit, measure, number

SCORES = {
    "top_decile_share": ("Top tenth", "part of all flipping in the tenth of the samples with the highest score; 0.1 = chance", True),
    "auroc": ("AUROC", "chance that the score ranks a flipped sample above another; 0.5 = guessing, 1 = always", True),
    "spearman": ("Spearman", "rank correlation of the score and flipped share; 0 = none, 1 = the same order", True),
    "aurc": ("AURC", "mean flipped share over all coverages, most certain samples first", False),
    "eaurc": ("E-AURC", "AURC above the best possible order of the samples", False),
    "augrc": ("AUGRC", "area under the flips accepted per sample of the whole set", False),
}
"""Title, meaning, and whether more is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decile:
    """A tenth of the scored samples, by rising risk."""

    place: int
    samples: int
    risk: float | None
    flip: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One score column with its quality; `best` names the scores in which it leads."""

    name: str
    is_risk: bool
    values: Mapping[str, Measure]
    best: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Flipped share of the samples kept, over the part kept; all in [0, 1]."""

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    best: tuple[float, ...]
    """The same samples in the best possible order; empty where the samples table cannot tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """All that the report says of one prediction's risk."""

    column: str
    scored: int
    unscored: int
    sentences: tuple[str, ...]
    deciles: tuple[Decile, ...]
    flip_end: float
    """Right end of the axis of the decile bars."""
    mean_flip: float | None
    scores: tuple[ScoreRow, ...]
    shown: tuple[str, ...]
    """Keys of `SCORES` that some column has."""
    curve: Curve | None


def risk(prediction: PredictionAudit) -> Risk | None:
    """The risk section; None where the prediction brought no score."""
    found = prediction.mapping("risk")
    if not found:
        return None
    deciles = tuple(_decile(place, row) for place, row in enumerate(found.get("deciles") or (), 1))
    flips = [d.flip for d in deciles if d.flip is not None]
    rows = {str(found.get("column") or "risk"): found, **(found.get("rivals") or {})}
    values = {name: _measures(row) for name, row in rows.items()}
    weighted = [(d.flip, d.samples) for d in deciles if d.flip is not None]
    return Risk(
        column=next(iter(rows)),
        scored=int(number(found.get("n_scored")) or 0),
        unscored=int(number(found.get("n_unscored")) or 0),
        sentences=words.risk_sentences(
            share=number(found.get("top_decile_share")),
            best=number(found.get("oracle_share")),
            auroc=number(found.get("auroc")),
            tau=number(found.get("tau")),
            spearman=number(found.get("spearman")),
        ),
        deciles=deciles,
        flip_end=min(1.0, round_end(max(flips, default=0.0))),
        mean_flip=sum(f * n for f, n in weighted) / sum(n for _, n in weighted) if sum(n for _, n in weighted) else None,
        scores=tuple(_score_row(name, place == 0, values) for place, name in enumerate(rows)),
        shown=tuple(key for key in SCORES if any(row[key].known for row in values.values())),
        curve=_curve(prediction, found),
    )


def _decile(place: int, row: Mapping[str, Any]) -> Decile:
    return Decile(place=place, samples=int(number(row.get("n")) or 0), risk=number(row.get("risk")), flip=number(row.get("flip")))


def _measures(row: Mapping[str, Any]) -> dict[str, Measure]:
    """The scores of one column, with intervals where the artifact has them."""
    intervals = row.get("intervals") or {}
    return {key: measure({"low": None, "high": None, **(intervals.get(key) or {}), "value": row.get(key)}) for key in SCORES}


def _score_row(name: str, is_risk: bool, values: Mapping[str, Mapping[str, Measure]]) -> ScoreRow:
    def leads(key: str) -> bool:
        known = [score for row in values.values() if (score := row[key].value) is not None]
        return len(set(known)) > 1 and values[name][key].value == (max(known) if SCORES[key][2] else min(known))

    return ScoreRow(name=name, is_risk=is_risk, values=values[name], best=frozenset(key for key in SCORES if leads(key)))


def _curve(prediction: PredictionAudit, found: Mapping[str, Any]) -> Curve | None:
    curve = found.get("curve") or {}
    pairs = [(number(c), number(r)) for c, r in zip(curve.get("coverage") or (), curve.get("risk") or (), strict=False)]
    known = [(c, r) for c, r in pairs if c is not None and r is not None]
    if len(known) < 2:
        return None
    return Curve(
        coverage=tuple(c for c, _ in known),
        risk=tuple(r for _, r in known),
        best=_best_curve(prediction, [c for c, _ in known], int(number(found.get("n_scored")) or 0)),
    )


def _best_curve(prediction: PredictionAudit, coverage: list[float], scored: int) -> tuple[float, ...]:
    """Running mean of the flipped shares of the scored samples, smallest first, at the coverages of the curve."""
    table = prediction.samples
    if not {"risk", "flip_fraction"} <= set(table.column_names):
        return ()
    score, flip = (table.column(name).to_numpy().astype(np.float64) for name in ("risk", "flip_fraction"))
    flip = np.sort(flip[np.isfinite(score) & np.isfinite(flip)])
    if len(flip) == 0 or len(flip) != scored:
        return ()
    kept = np.clip(np.round(np.array(coverage) * len(flip)), 1, len(flip)).astype(int)
    return tuple((np.cumsum(flip)[kept - 1] / kept).tolist())
