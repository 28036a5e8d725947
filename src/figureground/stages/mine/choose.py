"""Which candidates are taken: every group in turn takes its best one that is left, until its quota is full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

from figureground.stages.mine.groups import Group


class Admission(Protocol):
    """Who may be taken."""

    def prepare(self, ids: Sequence[str]) -> None:
        """Told of the samples that are asked for next, so that their pictures can be read together."""
        ...

    def refusal(self, sample_id: str) -> str | None:
        """Why a sample may not be taken, or None; what may be taken is taken."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class Chosen:
    """A sample that was taken."""

    id: str
    row: int
    """Row in the table of candidates by which it was taken."""
    group: int
    others: list[int] = field(default_factory=list)
    """Further groups whose quota it fills."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """What was taken, in order, and what was not."""

    chosen: tuple[Chosen, ...]
    refused: Mapping[str, str]
    """Id -> why; only samples whose turn came."""
    filled: np.ndarray
    """int64 [groups], samples that count for the quota of a group."""


def choose(table: pa.Table, groups: Sequence[Group], *, budget: int, admission: Admission) -> Choice:
    """Fills the quotas of groups from their candidates.

    In every round each group whose quota is not full asks for its best candidate that is left; the best of these comes first (ties go to
    the id that sorts first), so that the first samples of the queue are of all groups. A sample that another group took counts for both.

    Args:
        table: candidates, best first in each group; as `tops.merged` gives it.
        groups: the quotas.
        budget: samples in all; 0 = no limit.
        admission: asked once for each sample whose turn comes.
    """
    ids, scores = table["id"].to_pylist(), table["score"].to_numpy()
    first = np.searchsorted(table["group"].to_numpy(), np.arange(len(groups) + 1))
    following, filled = first[:-1].copy(), np.zeros(len(groups), np.int64)
    taken: dict[str, Chosen] = {}
    refused: dict[str, str] = {}
    while True:
        asked = [(g, int(following[g])) for g, group in enumerate(groups) if filled[g] < group.quota and following[g] < first[g + 1]]
        if not asked or (budget and len(taken) >= budget):
            return Choice(chosen=tuple(taken.values()), refused=refused, filled=filled)
        asked.sort(key=lambda one: (-scores[one[1]], ids[one[1]], one[0]))
        admission.prepare([i for i in dict.fromkeys(ids[row] for _, row in asked) if i not in taken and i not in refused])
        for g, row in asked:
            following[g] += 1
            sample_id = ids[row]
            if sample_id in taken:
                taken[sample_id].others.append(g)
                filled[g] += 1
            elif sample_id not in refused and not (budget and len(taken) >= budget):
                if (why := admission.refusal(sample_id)) is None:
                    taken[sample_id] = Chosen(id=sample_id, row=row, group=g)
                    filled[g] += 1
                else:
                    refused[sample_id] = why
