"""The test set of a round: which candidates of a queue are in it, and why each of the others is not.

A candidate is out where somebody called it out of domain or a model was trained on it. The others are taken one after another, in an order
that says nothing of how well any model does, while fewer than the limit have its main object. So the set is a function of the queue, of
what was trained on and of those vetoes: a mask that arrives later changes nothing. One more veto or training sample takes at most one
sample out and at most one in: what may be taken together, a limit for each main object and one for all, is a matroid, and taking in
order is its greedy choice.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from figureground.core.errors import InputError
from figureground.data.faults import some
from figureground.data.spec import nearest

Kind = Literal["in", "out of domain", "trained on", "object", "full", "not given"]
"""What became of a candidate, in a word."""
IN = "in the test set"
VETOED = "a reviewer called it out of domain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A sample of the queue, and what decides whether it may test."""

    id: str
    main_object: str | None = None
    """Class of the main object; None = no foreground."""
    said_by: str = "models"
    """Who says what the main object is: `models` or `mask`."""
    vetoed: bool = False
    used: str | None = None
    """How it was used for training, in words; None = it was not."""
    discrepancy: float = math.nan
    """Of target and rival; NaN where the queue was not mined by it."""
    direction: str | None = None
    """`target` or `rival`: whose prediction queued it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A candidate in or out."""

    candidate: Candidate
    place: int | None
    """Place in the test set, from 1; None = it is out."""
    kind: Kind
    reason: str
    """The same in a sentence, with what decided it."""


def choose_test_set(
    candidates: Iterable[Candidate], *, size: int = 30, per_object: int = 4, seed: int = 0, duel: bool = False
) -> list[Decision]:
    """The test set, then the candidates that are not in it, each with the reason.

    Args:
        candidates: with distinct ids, in any order.
        size: samples wanted; fewer where there are not so many.
        per_object: most samples of one main object, those without foreground being one more such group; 0 = no limit.
        seed: of the order in which candidates are taken: by sha256 of seed and id, so that it does not depend on what else is there.
        duel: take them by discrepancy instead, the most first, as many that the target's prediction queued as that the rival's did, as
            far as there are; ties by id.

    Returns:
        One decision a candidate, those of the test set first, by place, then the others by id.

    Source: doi 10.1007/s10994-021-06110-7, section 3.4: no sample out of domain, four of one main object, none that was trained on, 30.
    """
    lanes = _duel_lanes(candidates) if duel else [sorted(candidates, key=lambda one: (_turn(seed, one.id), one.id))]
    chosen: list[Decision] = []
    left: list[Decision] = []
    objects: Counter[str | None] = Counter()
    taken: Counter[int] = Counter()
    while open_lanes := [number for number, lane in enumerate(lanes) if lane]:
        lane = min(open_lanes, key=lambda number: (taken[number], number))
        one = lanes[lane].pop(0)
        if barred := _barred(one):
            left.append(barred)
        elif len(chosen) >= size:
            left.append(Decision(candidate=one, place=None, kind="full", reason=f"{size} samples are in already"))
        elif per_object and objects[one.main_object] >= per_object:
            reason = f"{per_object} with {_named(one.main_object)} are in already"
            left.append(Decision(candidate=one, place=None, kind="object", reason=reason))
        else:
            objects[one.main_object] += 1
            taken[lane] += 1
            chosen.append(Decision(candidate=one, place=len(chosen) + 1, kind="in", reason=IN))
    return [*chosen, *sorted(left, key=lambda decision: decision.candidate.id)]


def given_test_set(candidates: Sequence[Candidate], ids: Sequence[str], *, where: str) -> list[Decision]:
    """A test set that was chosen before, as decisions on the candidates.

    Args:
        candidates: of the queue.
        ids: of the test set, in order. Those that somebody has called out of domain since are out, and nothing takes their place.
        where: where the ids are from, for messages.

    Raises:
        InputError: a sample that the queue does not have, or that was used for training.
    """
    known = {one.id: one for one in candidates}
    if strange := [i for i in ids if i not in known]:
        raise InputError(
            f"{where}: {len(strange)} of its {len(ids)} samples are not in the queue, such as '{strange[0]}'.{nearest(strange[0], known)} "
            "Give the queue that the test set was chosen from"
        )
    if used := [i for i in ids if known[i].used and not known[i].vetoed]:
        raise InputError(
            f"{where}: the test set overlaps with training: {some(used)}, {len(used)} of {len(ids)}; {known[used[0]].used}. "
            "What was trained on cannot test: choose a new test set without --test, or train without these samples"
        )
    taken = [known[i] for i in ids if not known[i].vetoed]
    inside = {one.id for one in taken}
    left = sorted((one for one in candidates if one.id not in inside), key=lambda one: one.id)
    outside = "not in the test set that was given"
    return [
        *(Decision(candidate=one, place=place, kind="in", reason=IN) for place, one in enumerate(taken, start=1)),
        *(_barred(one) or Decision(candidate=one, place=None, kind="not given", reason=outside) for one in left),
    ]


def _barred(one: Candidate) -> Decision | None:
    """Why a candidate may not test, whatever else is there."""
    if one.vetoed:
        return Decision(candidate=one, place=None, kind="out of domain", reason=VETOED)
    return Decision(candidate=one, place=None, kind="trained on", reason=one.used) if one.used else None


def _named(main_object: str | None) -> str:
    return f"main object '{main_object}'" if main_object else "no foreground"


def _turn(seed: int, sample_id: str) -> bytes:
    return hashlib.sha256(f"{seed}\t{sample_id}".encode()).digest()


def _duel_lanes(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """Those that the target's prediction queued and those that the rival's did, each by discrepancy."""
    best = sorted(candidates, key=lambda one: (-one.discrepancy, one.id))
    return [[one for one in best if (one.direction == "target") is own] for own in (True, False)]
