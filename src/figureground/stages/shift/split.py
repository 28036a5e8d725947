"""Which sample goes where: balanced validation and test sets for every correlation, and training sets of one size at each.

Everything is decided by the texts of ids and scenes and by the seed, never by the order of the samples. Source: the protocol of arXiv
2604.13326, with one test set for all correlations, exact sizes and scenes that stay together.
"""

from __future__ import annotations

import hashlib
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from figureground.core.errors import InputError
from figureground.core.ties import Common, own_contexts
from figureground.stages.shift.plan import check_rho, home_places, ties
from figureground.stages.shift.split_room import Room

Group = tuple[str, str]
_LISTED = 8
"""Groups that one message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a split needs to know of a sample."""

    id: str
    label: str
    context: str
    scene: str
    """Samples of one scene never stand in two splits; the sample's own id where it has no scene."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPlan:
    """The ids of every set, each in order of the ids."""

    classes: tuple[str, ...]
    contexts: tuple[str, ...]
    common: Common
    """Class -> the context, or contexts, it is tied to."""
    val: tuple[str, ...]
    test: tuple[str, ...]
    train: Mapping[float, tuple[str, ...]]
    """rho -> ids, in the order in which the rhos were asked for."""
    counts: Mapping[float, np.ndarray]
    """rho -> training samples of each group, int64 [classes, contexts]."""
    pool: np.ndarray
    """Samples of each group that could go to training, int64 [classes, contexts]."""
    exact: int
    """The largest size of training set, up to this one, that meets every rho exactly; 0 where none near it does."""
    unused: int
    """Candidates that are in no set at any rho."""

    def reached(self, rho: float) -> float:
        """The part of the training samples that truly stands in a context of its class: whole samples cannot give every rho."""
        own = [[context in own_contexts(self.common, name) for context in self.contexts] for name in self.classes]
        return float(self.counts[rho][np.array(own)].sum() / self.counts[rho].sum())


def plan_split(
    candidates: Sequence[Candidate],
    *,
    rhos: Sequence[float],
    val: int,
    test: int,
    train: int = 0,
    common: Common | None = None,
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> SplitPlan:
    """Divides samples into one test set, one validation set and a training set for each correlation.

    Test and validation have the same number of samples in every group and depend on neither rho nor `train`. The training sets have one
    size and the same number of samples of each class (the first ones get the remainder of `train`); in each group they take samples in one
    fixed order, so that from one rho to the next no more samples change than the counts demand, and a larger set holds a smaller one.

    Args:
        candidates: samples with a class and a context, in any order: the result does not depend on it.
        rhos: correlations, each in [0, 1], at least one; one given twice counts once.
        val: validation samples of each group, at least 0.
        test: test samples of each group, at least 0.
        train: training samples in all; 0 = as many as every rho allows, equally many of each class.
        common: class -> the context, or contexts, it is tied to, for every class; default: first class to first context and so on.
        classes: order of the classes; default sorted. Contexts are always sorted.
        seed: decides who goes where.

    Raises:
        InputError: fewer than two classes or contexts, rho outside [0, 1], or a group too small; the message says which group, how many it
            has, how many are needed, and what is possible.
    """
    for rho in rhos:
        check_rho(rho)
    if not rhos:
        raise InputError("`rho` must be given at least once, a number in [0, 1]")
    if min(val, test, train) < 0:
        raise InputError(f"`val`, `test` and `train` must be at least 0; got {val}, {test} and {train}")
    present = {c.label for c in candidates}
    ordered = tuple(sorted(present)) if classes is None else tuple(name for name in classes if name in present)
    contexts = tuple(sorted({c.context for c in candidates}))
    tied = ties(ordered, contexts, common)
    groups = [(label, context) for label in ordered for context in contexts]
    rank = {c.id: _rank(seed, "sample", c.id) for c in candidates}
    scenes = _Scenes(candidates, rank=rank, seed=seed)
    held = scenes.hold_out(groups, val=val, test=test)
    pools = scenes.rest(groups, held.taken)
    pool = np.array([len(pools[group]) for group in groups], np.int64).reshape(len(ordered), len(contexts))
    room = Room(classes=ordered, contexts=contexts, homes=home_places(ordered, contexts, tied), pool=pool)
    asked = tuple(dict.fromkeys(float(rho) for rho in rhos))
    counts = room.counts(train or room.largest_even(asked), asked)
    chosen = {rho: _first(pools, groups, counts[rho]) for rho in asked}
    used = len({i for ids in chosen.values() for i in ids}) + len(held.val) + len(held.test)
    return SplitPlan(
        classes=ordered,
        contexts=contexts,
        common=tied,
        val=held.val,
        test=held.test,
        train=chosen,
        counts=counts,
        pool=pool,
        exact=room.exact(int(counts[asked[0]].sum()), asked),
        unused=len(candidates) - used,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _HeldOut:
    """The validation and the test set, or which group cannot give its part of one of them."""

    test: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    taken: frozenset[str] = frozenset()
    """Scenes that are in either, or have samples that nobody may use because of that."""
    short: Group | None = None
    of: str = ""
    """`test` or `val` where a group is short."""


class _Scenes:
    """Scenes with the samples of each group in them."""

    def __init__(self, candidates: Iterable[Candidate], *, rank: Mapping[str, bytes], seed: int) -> None:
        self._rank = rank
        self._members: dict[str, dict[Group, list[str]]] = defaultdict(lambda: defaultdict(list))
        for one in candidates:
            self._members[one.scene][one.label, one.context].append(one.id)
        order = sorted(self._members, key=lambda scene: (_rank(seed, "scene", scene), scene))
        self._of_group: dict[Group, list[str]] = defaultdict(list)
        for scene in order:
            for group in self._members[scene]:
                self._of_group[group].append(scene)

    def hold_out(self, groups: Sequence[Group], *, val: int, test: int) -> _HeldOut:
        """`test` and then `val` samples of each group, from different scenes; a group that is too small raises `InputError`."""
        held = self._try(groups, val=val, test=test)
        if held.short is not None:
            raise InputError(self._refusal(groups, held.short, of=held.of, val=val, test=test))
        return held

    def rest(self, groups: Sequence[Group], taken: Set[str]) -> dict[Group, list[str]]:
        """Ids of each group in scenes that nobody took, in their fixed order."""
        free = {g: [i for scene in self._of_group[g] if scene not in taken for i in self._members[scene][g]] for g in groups}
        return {group: sorted(ids, key=self._key) for group, ids in free.items()}

    def _try(self, groups: Sequence[Group], *, val: int, test: int) -> _HeldOut:
        held = _HeldOut()
        for of, each in (("test", test), ("val", val)):
            got, taken, short = self._take(groups, each, held.taken)
            if short is not None:
                return _HeldOut(short=short, of=of)
            ids = tuple(sorted(i for some in got.values() for i in sorted(some, key=self._key)[:each]))
            held = replace(held, taken=taken, test=ids) if of == "test" else replace(held, taken=taken, val=ids)
        return held

    def _take(self, groups: Sequence[Group], each: int, taken: Set[str]) -> tuple[dict[Group, list[str]], frozenset[str], Group | None]:
        """`each` samples or more of each group, all scenes that are taken then, and the group that has too few, if one has.

        Scarce groups choose first. Scenes that fit go first, in random order, then the smallest.
        """
        got: dict[Group, list[str]] = {group: [] for group in groups}
        now = set(taken)

        def add(scene: str) -> None:
            now.add(scene)
            for group, ids in self._members[scene].items():
                if group in got:
                    got[group].extend(ids)

        for group in sorted(groups, key=lambda g: (self._count(g, taken), g)) if each else ():
            free = [scene for scene in self._of_group[group] if scene not in now]
            for scene in free:
                if len(self._members[scene][group]) <= each - len(got[group]):
                    add(scene)
            over = [scene for scene in free if scene not in now]
            while over and len(got[group]) < each:
                smallest = min(over, key=lambda scene: len(self._members[scene][group]))
                over.remove(smallest)
                add(smallest)
            if len(got[group]) < each:
                return got, frozenset(now), group
        return got, frozenset(now), None

    def _count(self, group: Group, taken: Set[str] = frozenset()) -> int:
        return sum(len(self._members[scene][group]) for scene in self._of_group[group] if scene not in taken)

    def _key(self, sample_id: str) -> tuple[bytes, str]:
        return self._rank[sample_id], sample_id

    def _refusal(self, groups: Sequence[Group], group: Group, *, of: str, val: int, test: int) -> str:
        short, remaining = self._short(groups, group, val=val, test=test)
        asked, other = (f"--val {val}", f"--test {test}") if of == "val" else (f"--test {test}", f"--val {val}")
        beside = f" beside {other}" if min(val, test) else ""
        possible = (
            f"Val and test together can have at most {min(map(self._count, groups))} of each group, without anything left for training"
        )
        if any(sum(map(len, members.values())) > 1 for members in self._members.values()):  # then only a trial tells
            possible = self._tried(groups, of=of, val=val, test=test)
        advice = "Ask for fewer, or leave the class or context out with --classes or --contexts"
        if len(remaining) > 1:
            flags = " ".join(f"--classes {shlex.quote(name)}" for name in remaining)
            advice = f"Ask for fewer, leave a context out with --contexts, or use the classes that have enough in every context: {flags}"
        elif len(short) > 1:
            which = f"only class '{remaining[0]}' has" if remaining else "no class has"
            advice = f"Ask for fewer, or leave contexts out with --contexts, for {which} enough in every context"
        if len(short) == 1:
            return f"group {_name(group)} is too small for {asked}{beside}: it has {self._has(group)}. {possible}. {advice}"
        listed = ", ".join(f"{_name(one)} ({self._has(one)})" for one in short[:_LISTED])
        more = f" and {len(short) - _LISTED} more" if len(short) > _LISTED else ""
        return f"{len(short)} groups are too small for {asked}{beside}: {listed}{more}. {possible}. {advice}"

    def _has(self, group: Group) -> str:
        has, scenes = self._count(group), len(self._of_group[group])
        where = f" in {scenes} scene{'s' if scenes != 1 else ''}, which stay whole" if scenes < has else ""
        return f"{has} sample{'s' if has != 1 else ''}{where}"

    def _short(self, groups: Sequence[Group], first: Group, *, val: int, test: int) -> tuple[list[Group], list[str]]:
        """Every group that is too small, and the classes with which a split would have its val and test."""
        sets = (val > 0) + (test > 0)
        short = {group for group in groups if self._count(group) < val + test or len(self._of_group[group]) < sets} | {first}
        while True:
            classes = {label for label, _ in groups} - {label for label, _ in short}
            left = [group for group in groups if group[0] in classes]
            found = self._try(left, val=val, test=test).short  # scenes can leave too little where the numbers would do
            if found is None:
                return [group for group in groups if group in short], list(dict.fromkeys(label for label, _ in left))
            short.add(found)

    def _tried(self, groups: Sequence[Group], *, of: str, val: int, test: int) -> str:
        """A size of the refused set that can be had, and the next one, which cannot."""
        other, size = ("val", val) if of == "test" else ("test", test)
        beside = f" beside --{other} {size}" if size else ""
        if of == "test" and self._try(groups, val=val, test=0).short is not None:
            beside, val = " without --val", 0
        fits, fails = 0, min(val if of == "val" else test, min(self._count(group) for group in groups) + 1)
        while fails - fits > 1:
            middle = (fits + fails) // 2
            possible = self._try(groups, **{"val": val, "test": test, of: middle}).short is None
            fits, fails = (middle, fails) if possible else (fits, middle)
        works = f"--{of} {fits} works{beside}, and --{of} {fails} is refused" if fits else f"not even --{of} 1 works{beside}"
        return f"With nothing left for training {works}"


def _first(pools: Mapping[Group, list[str]], groups: Sequence[Group], counts: np.ndarray) -> tuple[str, ...]:
    return tuple(sorted(i for group, n in zip(groups, counts.reshape(-1).tolist(), strict=True) for i in pools[group][:n]))


def _rank(seed: int, kind: str, text: str) -> bytes:
    """A random place that depends on nothing but the text and the seed."""
    return hashlib.sha256(f"{seed}\0{kind}\0{text}".encode()).digest()


def _name(group: Group) -> str:
    return "-".join(group)
