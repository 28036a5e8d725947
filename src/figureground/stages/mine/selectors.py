"""The selectors beside maximum discrepancy: each gives a sample one score, higher = chosen first."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.types import ClassTable, RunBatch
from figureground.metrics.discrepancy import class_places
from figureground.metrics.votes import vote_entropy
from figureground.stages.mine.compare import DIGITS

SCORE_COLUMNS = {"entropy": "entropy", "margin": "one_minus_margin", "flip-risk": "flip_risk"}
"""Selectors that go by a score of the target, and its column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A selector with what it needs."""

    selector: str
    seed: int = 0
    weights: tuple[float, ...] = ()
    """Of the target and the rivals, for the votes of a committee."""
    features: Mapping[str, tuple[float, ...]] | None = None
    """Id -> numbers, for a core-set; None = the areas of the target's classes."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Score columns of the target that are read."""
        return (SCORE_COLUMNS[self.selector],) if self.selector in SCORE_COLUMNS else ()


def selection_scores(
    selection: Selection, ids: Sequence[str], batches: Sequence[RunBatch], columns: Mapping[str, np.ndarray], *, classes: ClassTable
) -> np.ndarray | None:
    """The score of each sample, NaN where it has none; None where the selector has no score of its own.

    Args:
        selection: the selector.
        ids: of the samples.
        batches: label maps of the target and the rivals, with the class ids of the pool.
        columns: scores of the target by column.
        classes: of the pool.
    """
    if selection.selector == "random":
        return np.array([random_score(i, seed=selection.seed) for i in ids])
    if selection.selector in SCORE_COLUMNS:
        return columns[SCORE_COLUMNS[selection.selector]]
    if selection.selector == "committee":
        votes = vote_entropy(batches, place=class_places(classes.ids), background=classes.background, weights=selection.weights)
        return votes.round(DIGITS)
    if selection.selector == "core-set":  # the score is a distance that is not known yet; whoever has no features has none
        return np.array([0.0 if selection.features is None or i in selection.features else np.nan for i in ids])
    return None


def random_score(sample_id: str, *, seed: int) -> float:
    """A number in [0, 1) that seed and id alone decide, so that neither the order of a pool nor the number of workers changes a draw."""
    digest = hashlib.blake2b(sample_id.encode(), digest_size=8, key=seed.to_bytes(8, "little")).digest()
    return int.from_bytes(digest, "little") / 2**64
