"""The candidates of a repair: one run for each learning rate, of which the best on the validation samples is kept."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from figureground.models.fit.history import Epoch
from figureground.models.fit.loop import FitResult
from figureground.models.fit.replay import LABELLED, Replay

COLUMNS: tuple[str, ...] = ("lr", "kept", "why", "best_epoch", "epochs", "miou", "lost", "labelled_miou", "gained")
"""The columns of the table of candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What came of one learning rate."""

    lr: float
    result: FitResult | None
    """None where it diverged."""
    why: str
    """Why its weights cannot be kept; empty where they can."""

    @property
    def qualifies(self) -> bool:
        """True where its weights are better on labelled samples than those from before, and lost no more than the limit."""
        return not self.why


def judged(lr: float, result: FitResult, replay: Replay) -> Candidate:
    """A candidate that ran to its end."""
    return Candidate(lr=lr, result=result, why="" if result.best_epoch else _why_not(result.history, replay))


def choose(candidates: Sequence[Candidate]) -> Candidate | None:
    """The candidate with the best mIoU on validation samples, then on labelled ones, then the smaller rate; None where none qualifies."""
    able = [c for c in candidates if c.qualifies and c.result is not None]
    return max(able, key=lambda c: (*_scores(c.result), -c.lr)) if able else None


def candidates_csv(candidates: Sequence[Candidate], chosen: Candidate | None, replay: Replay) -> str:
    """One row a candidate, the columns of `COLUMNS`; what a candidate that diverged has not is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in candidate_rows(candidates, chosen, replay):
        writer.writerow("" if row[name] is None else row[name] for name in COLUMNS)
    return text.getvalue()


def candidate_rows(candidates: Sequence[Candidate], chosen: Candidate | None, replay: Replay) -> list[dict[str, Any]]:
    """The candidates as plain values; None for what there is not."""
    rows: list[dict[str, Any]] = []
    for one in candidates:
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {"lr": one.lr, "kept": "yes" if one is chosen else "no"}
        row["why"] = one.why or ("best on the validation samples" if one is chosen else "less on the validation samples")
        if one.result is not None and (found := one.result.segmented) and (own := one.result.judged):
            row |= {"best_epoch": one.result.best_epoch, "epochs": len(one.result.history), "miou": found.miou, "lost": replay.lost(found)}
            row |= {"labelled_miou": own.miou, "gained": own.miou - replay.before_judged.miou}
        rows.append(row)
    return rows


def _scores(result: FitResult | None) -> tuple[float, float]:
    if result is None or result.segmented is None or result.judged is None:
        return -math.inf, -math.inf
    return result.segmented.miou, result.judged.miou


def _why_not(history: Sequence[Epoch], replay: Replay) -> str:
    """Why none of the epochs can be kept: none was better on labelled samples, or those that were lost too much."""
    better = [line for line in history if line.more[f"{LABELLED}miou"] > replay.before_judged.miou]
    if not better:
        return "no epoch was better on the labelled samples"
    least = min(replay.before.miou - line.figures["miou"] for line in better)
    return f"every better epoch lost more than {replay.limit:g}, at least {least:.4f}"
