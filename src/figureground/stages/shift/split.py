"""Which sample goes where: balanced validation and test sets for every correlation, and training sets of one size at each.

Everything is decided by the texts of ids and scenes and by the seed, never by the order of the samples. Source: the protocol of arXiv
2604.13326, with one test set for all correlations, exact sizes and scenes that stay together.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.stages.shift.plan import check_rho, group_counts, ties

Group = tuple[str, str]


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
    common: Mapping[str, str]
    """Class -> the context it is tied to."""
    val: tuple[str, ...]
    test: tuple[str, ...]
    train: Mapping[float, tuple[str, ...]]
    """rho -> ids, in the order in which the rhos were asked for."""
    counts: Mapping[float, np.ndarray]
    """rho -> training samples of each group, int64 [classes, contexts]."""
    pool: np.ndarray
    """Samples of each group that could go to training, int64 [classes, contexts]."""
    unused: int
    """Candidates that are in no set at any rho."""

    def reached(self, rho: float) -> float:
        """The part of the training samples that truly stands in the context of its class: whole samples cannot give every rho."""
        counts = self.counts[rho]
        return float(counts[np.arange(len(self.classes)), _homes(self.classes, self.contexts, self.common)].sum() / counts.sum())


def plan_split(
    candidates: Sequence[Candidate],
    *,
    rhos: Sequence[float],
    val: int,
    test: int,
    train: int = 0,
    common: Mapping[str, str] | None = None,
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
        common: class -> the context it is tied to, for every class; default: first class to first context and so on.
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
    chosen_test = scenes.take(groups, test, what=f"--test {test}", beside=f"--val {val}" if val else "")
    chosen_val = scenes.take(groups, val, what=f"--val {val}", beside=f"--test {test}" if test else "")
    pools = scenes.rest(groups)
    pool = np.array([len(pools[group]) for group in groups], np.int64).reshape(len(ordered), len(contexts))
    room = _Room(classes=ordered, contexts=contexts, homes=_homes(ordered, contexts, tied), pool=pool)
    asked = tuple(dict.fromkeys(float(rho) for rho in rhos))
    counts = room.counts(train or room.largest(asked), asked)
    chosen = {rho: _first(pools, groups, counts[rho]) for rho in asked}
    used = len({i for ids in chosen.values() for i in ids}) + len(chosen_val) + len(chosen_test)
    return SplitPlan(
        classes=ordered,
        contexts=contexts,
        common=tied,
        val=chosen_val,
        test=chosen_test,
        train=chosen,
        counts=counts,
        pool=pool,
        unused=len(candidates) - used,
    )


class _Scenes:
    """Scenes with the samples of each group in them, and which of them are taken."""

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
        self._taken: set[str] = set()

    def take(self, groups: Sequence[Group], each: int, *, what: str, beside: str) -> tuple[str, ...]:
        """`each` samples of each group from scenes that nobody has; scenes that fit go first, in random order, then the smallest."""
        got: dict[Group, list[str]] = {group: [] for group in groups}
        for group in sorted(groups, key=lambda g: (self._available(g), g)) if each else ():
            free = [scene for scene in self._of_group[group] if scene not in self._taken]
            for scene in free:
                if len(self._members[scene][group]) <= each - len(got[group]):
                    self._add(scene, got)
            over = [scene for scene in free if scene not in self._taken]
            while over and len(got[group]) < each:
                smallest = min(over, key=lambda scene: len(self._members[scene][group]))
                over.remove(smallest)
                self._add(smallest, got)
            if len(got[group]) < each:
                self._refuse(group, what, beside)
        return tuple(sorted(i for ids in got.values() for i in sorted(ids, key=self._key)[:each]))

    def rest(self, groups: Sequence[Group]) -> dict[Group, list[str]]:
        """Ids of each group in scenes that nobody took, in their fixed order."""
        free = {g: [i for scene in self._of_group[g] if scene not in self._taken for i in self._members[scene][g]] for g in groups}
        return {group: sorted(ids, key=self._key) for group, ids in free.items()}

    def _add(self, scene: str, got: dict[Group, list[str]]) -> None:
        self._taken.add(scene)
        for group, ids in self._members[scene].items():
            got[group].extend(ids)

    def _available(self, group: Group) -> int:
        return sum(len(self._members[scene][group]) for scene in self._of_group[group] if scene not in self._taken)

    def _key(self, sample_id: str) -> tuple[bytes, str]:
        return self._rank[sample_id], sample_id

    def _refuse(self, group: Group, what: str, beside: str) -> None:
        has = sum(len(self._members[scene][group]) for scene in self._of_group[group])
        scenes = len(self._of_group[group])
        where = f" in {scenes} scene{'s' if scenes != 1 else ''}, which stay whole" if scenes < has else ""
        least = min(((self._total(g), g) for g in self._of_group), default=(0, group))
        raise InputError(
            f"group {_name(group)} is too small for {what}{f' beside {beside}' if beside else ''}: it has {has} samples{where}. "
            f"Val and test together can have at most {least[0] if has else 0} of each group, without anything left for training. "
            "Ask for fewer, or leave the class or context out with --classes or --contexts"
        )

    def _total(self, group: Group) -> int:
        return sum(len(self._members[scene][group]) for scene in self._of_group[group])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """How many training samples the groups allow."""

    classes: tuple[str, ...]
    contexts: tuple[str, ...]
    homes: list[int]
    pool: np.ndarray

    def counts(self, total: int, rhos: Sequence[float]) -> dict[float, np.ndarray]:
        """Samples of each group at each rho; a group too small for one raises `InputError`."""
        found = {rho: self._table(total, rho) for rho in rhos}
        for rho, table in found.items():
            if (table > self.pool).any():
                self._refuse(total, rho, table, rhos)
        return found

    def largest(self, rhos: Sequence[float]) -> int:
        """The largest size that every rho allows with equally many samples of each class; none at all raises `InputError`."""
        most = self._most(rhos)
        if not most:
            total = len(self.classes)
            self.counts(total, rhos)
        return most

    def _most(self, rhos: Sequence[float]) -> int:
        low, high = 0, int(self.pool.sum(1).min())  # counts only grow with the size, so what fits is found by halving
        while low < high:
            middle = (low + high + 1) // 2
            fits = all((self._table(middle * len(self.classes), rho) <= self.pool).all() for rho in rhos)
            low, high = (middle, high) if fits else (low, middle - 1)
        return low * len(self.classes)

    def _table(self, total: int, rho: float) -> np.ndarray:
        per_class, more = divmod(total, len(self.classes))
        small, large = (group_counts(n, rho=rho, contexts=len(self.contexts), own=self.homes) for n in (per_class, per_class + 1))
        return np.concatenate([large[:more], small[more:]])

    def _possible(self, total: int) -> tuple[float, float]:
        """Lowest and highest rho at this size; the first is above the second where there is none."""
        per_class, more = divmod(total, len(self.classes))
        lows, highs = [0.0], [1.0]
        for row, home in enumerate(self.homes):
            if not (n := per_class + (row < more)):
                continue
            others = np.arange(len(self.contexts)) != home
            low, high = 0, n + 1
            while low < high:
                middle = (low + high) // 2
                table = group_counts(n, rho=min(1.0, middle / n), contexts=len(self.contexts), own=self.homes)
                enough = middle <= n and (table[row, others] <= self.pool[row, others]).all()
                low, high = (low, middle) if enough else (middle + 1, high)
            lows.append(low / n)
            highs.append(min(n, int(self.pool[row, home])) / n)
        return max(lows), min(highs)

    def _refuse(self, total: int, rho: float, table: np.ndarray, rhos: Sequence[float]) -> None:
        short = table - self.pool
        row, column = np.unravel_index(int(short.argmax()), short.shape)
        more = int((short > 0).sum()) - 1
        low, high = self._possible(total)
        span = f"rho from {np.ceil(low * 1e4) / 1e4:g} to {np.floor(high * 1e4) / 1e4:g}" if low <= high else "no rho"
        asked = " and ".join(f"{r:g}" for r in rhos)
        beside = f" ({more} more group{'s are' if more > 1 else ' is'} too small)" if more else ""
        raise InputError(
            f"group {self.classes[row]}-{self.contexts[column]} is too small for rho = {rho:g} with {total} training samples: "
            f"{table[row, column]} are needed and it has {self.pool[row, column]} that are not in val or test{beside}. Possible with "
            f"{total} samples: {span}; possible at rho = {asked}: at most {self._most(rhos)} samples. Change --rho or --train, or make "
            "--val and --test smaller"
        )


def _first(pools: Mapping[Group, list[str]], groups: Sequence[Group], counts: np.ndarray) -> tuple[str, ...]:
    return tuple(sorted(i for group, n in zip(groups, counts.reshape(-1).tolist(), strict=True) for i in pools[group][:n]))


def _homes(classes: Sequence[str], contexts: Sequence[str], common: Mapping[str, str]) -> list[int]:
    return [list(contexts).index(common[name]) for name in classes]


def _rank(seed: int, kind: str, text: str) -> bytes:
    """A random place that depends on nothing but the text and the seed."""
    return hashlib.sha256(f"{seed}\0{kind}\0{text}".encode()).digest()


def _name(group: Group) -> str:
    return "-".join(group)
