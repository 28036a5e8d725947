"""Mining by brute force: dense maps, plain sorting, nothing kept from step to step. Shares no code with the stage."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage
from scipy.fft import dctn

from figureground.core.types import ClassTable


def slow_distance(a: np.ndarray, b: np.ndarray, distance: str, ground: int) -> float:
    """The definitions of the discrepancies, pixel by pixel, to twelve digits."""
    one, other = a != ground, b != ground
    either, both = np.count_nonzero(one | other), np.count_nonzero(one & other)
    differing = a != b
    if distance == "pixel":
        return round(float(differing.mean()), 12)
    if distance == "foreground":
        return round(1 - both / either, 12) if either else 0.0
    if distance == "flip":
        return round(np.count_nonzero(one & other & differing) / either, 12) if either else 0.0
    if distance == "miou":
        agreed, own, others = (np.bincount(m.ravel(), minlength=256) for m in (a[~differing], a, b))
        union = own + others - agreed
        return round(1 - float((agreed[union > 0] / union[union > 0]).mean()), 12)
    parts = []
    for mine, theirs in ((a, b), (b, a)):
        for c in set(np.unique(mine).tolist()) - {ground}:
            regions, n = ndimage.label(mine == c, structure=np.ones((3, 3)))
            area = np.bincount(regions.ravel(), minlength=n + 1)[1:]
            parts += (np.bincount(regions[theirs != c], minlength=n + 1)[1:] / area).tolist()
    return round(math.fsum(parts) / len(parts), 12) if parts else 0.0


def slow_votes(maps: Sequence[np.ndarray], weights: Sequence[float], ground: int) -> float:
    """Mean entropy of votes over the pixels in which some model sees foreground, to twelve digits."""
    stack = np.stack(maps)
    figure = (stack != ground).any(0)
    if not figure.any():
        return 0.0
    entropy = np.zeros(figure.shape)
    for c in np.unique(stack).tolist():
        p = np.tensordot(np.asarray(weights) / sum(weights), (stack == c).astype(float), 1)
        entropy -= p * np.log(np.where(p > 0, p, 1))
    return round(float(entropy[figure].mean()) / math.log(len(maps)), 12)


def slow_random(sample_id: str, seed: int) -> float:
    """The draw of a sample."""
    return int.from_bytes(hashlib.blake2b(sample_id.encode(), digest_size=8, key=seed.to_bytes(8, "little")).digest(), "little") / 2**64


def slow_hash(grey: np.ndarray) -> np.ndarray:
    """64 bits of a grey picture of 32 x 32 pixels."""
    low = dctn(grey.astype(np.float64), norm="ortho")[:8, :8].ravel()
    return low > np.median(low[1:])


def nearest(label_map: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Each new pixel takes the old one under its centre."""
    rows, columns = (((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(size_hw, label_map.shape, strict=True))
    return label_map[rows][:, columns]


def training_bounds(masks: Sequence[np.ndarray], rule: str, classes: ClassTable) -> dict[int, tuple[float, float]]:
    """Bounds of the classes that the masks have."""
    found = {}
    for c in classes.foreground:
        parts = np.array([(m == c).mean() for m in masks if (m == c).any()])
        if parts.size and rule == "quartiles":
            found[c] = (float(np.quantile(parts, 0.25)), float(np.quantile(parts, 0.75)))
        elif parts.size:
            found[c] = (max(parts.mean() - parts.std(), parts.min()), min(parts.mean() + parts.std(), parts.max()))
    return found


@dataclass(kw_only=True)
class Round:
    """What is mined, all of it in memory."""

    ids: Sequence[str]
    maps: Mapping[str, Mapping[str, np.ndarray]]
    """Model -> id -> map; the target first."""
    classes: ClassTable
    distance: str = "miou"
    top: int = 25
    bounds: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    one_sided: bool = True
    weights: Mapping[str, float] = field(default_factory=dict)
    budget: int = 0
    refused: Callable[[str, list[str]], bool] = lambda _id, _taken: False
    """Whether an id may not be taken, given those that are taken."""
    scores: Mapping[str, float] | None = None
    """Scores of another selector than maximum discrepancy."""

    def groups(self) -> list[dict]:
        """Every quota, with its candidates, best first."""
        if self.scores is not None:
            quota = self.budget or self.top * len(self.classes.foreground)
            able = [i for i in self.ids if not math.isnan(self.scores[i])]
            ranked = sorted((-self.scores[i], i) for i in able)
            return [_group(quota=quota, seen=len(self.ids), fitting=len(self.ids), ranked=ranked)]
        target, *rivals = self.maps
        plain, sided = [], []
        shared = 0.0
        for rival in rivals:
            before, shared = math.floor(self.top * shared + 0.5), round(shared + self.weights.get(rival, 1.0), 9)
            quota = max(1, math.floor(self.top * shared + 0.5) - before)
            apart = {i: self.apart(rival, i) for i in self.ids}
            for direction, seer, other in (("target", target, rival), ("rival", rival, target)):
                told = {"rival": rival, "direction": direction, "quota": quota}
                for c in self.classes.foreground:
                    seen = [i for i in self.ids if c in self.parts[seer][i]]
                    fitting = [i for i in seen if self._fits(seer, i, c)]
                    plain.append(self._ranked(fitting, apart, seen, **told, **{"class": self.classes.name_of(c)}))
                if self.one_sided:
                    seen = [i for i in self.ids if self.parts[seer][i] and not self.parts[other][i]]
                    fitting = [i for i in seen if any(self._fits(seer, i, c) for c in self.parts[seer][i])]
                    sided.append(self._ranked(fitting, apart, seen, **told, one_sided=True))
        return plain + sided

    def apart(self, rival: str, sample_id: str) -> float:
        """The discrepancy of the target and a rival."""
        target = next(iter(self.maps))
        return slow_distance(self.maps[target][sample_id], self.maps[rival][sample_id], self.distance, self.classes.background)

    def queue(self) -> tuple[list[dict], list[dict], set[str]]:
        """Rows of the queue, rows of the groups, and the ids that were passed over."""
        groups = self.groups()
        taken: dict[str, dict] = {}
        passed: set[str] = set()
        turns = [0] * len(groups)
        while not (self.budget and len(taken) >= self.budget):
            asking = [
                (*group["ranked"][turns[g]], g)
                for g, group in enumerate(groups)
                if group["filled"] < group["quota"] and turns[g] < len(group["ranked"])
            ]
            if not asking:
                break
            for score, sample_id, g in sorted(asking):
                turns[g] += 1
                if sample_id in taken:
                    taken[sample_id]["also"].append(g)
                    groups[g]["filled"] += 1
                elif sample_id in passed or (self.budget and len(taken) >= self.budget):
                    continue
                elif self.refused(sample_id, list(taken)):
                    passed.add(sample_id)
                else:
                    taken[sample_id] = {"id": sample_id, "group": g, "score": -score, "also": []}
                    groups[g]["filled"] += 1
        rows = [self._row(one, rank, groups) for rank, one in enumerate(taken.values(), start=1)]
        return rows, groups, passed

    def _row(self, one: dict, rank: int, groups: list[dict]) -> dict:
        group, (target, *rivals) = groups[one["group"]], self.maps
        rival = group["rival"]
        if rival is None and rivals:
            rival = max(rivals, key=lambda name: (self.apart(name, one["id"]), -rivals.index(name)))
        seer = rival if group["direction"] == "rival" else target
        name = group["class"]
        if name is None and (seen := self.parts[seer][one["id"]]):
            name = self.classes.name_of(max(seen, key=lambda c: (seen[c], -c)))
        parts = {
            m: None if name is None or m is None else self.parts[m][one["id"]].get(self.classes.id_of(name), 0.0) for m in (target, rival)
        }
        return {
            "id": one["id"],
            "rank": rank,
            "score": one["score"],
            "class": name,
            "rival": rival,
            "direction": group["direction"],
            "also": [_words(groups[g]) for g in one["also"]],
            "discrepancy": None if rival is None else self.apart(rival, one["id"]),
            "target_area": parts[target],
            "rival_area": parts[rival],
        }

    def _ranked(self, fitting: list[str], apart: Mapping[str, float], seen: list[str], **told) -> dict:
        ranked = sorted((-apart[i], i) for i in fitting if apart[i] > 0)
        return _group(seen=len(seen), fitting=len(fitting), ranked=ranked, **told)

    @functools.cached_property
    def parts(self) -> dict[str, dict[str, dict[int, float]]]:
        """Model -> id -> foreground class -> the part of the picture that it takes."""
        return {model: {i: self._parts_of(m) for i, m in maps.items()} for model, maps in self.maps.items()}

    def _parts_of(self, label_map: np.ndarray) -> dict[int, float]:
        present, counts = np.unique(label_map, return_counts=True)
        found = dict(zip(present.tolist(), (counts / label_map.size).tolist(), strict=True))
        return {c: part for c, part in found.items() if c != self.classes.background}

    def _fits(self, model: str, sample_id: str, c: int) -> bool:
        low, high = self.bounds.get(c, (0, 1))
        return low <= self.parts[model][sample_id][c] <= high


def _group(**told) -> dict:
    return {"rival": None, "direction": None, "class": None, "one_sided": False, "filled": 0, **told}


def _words(group: dict) -> str:
    if group["rival"] is None:
        return "all"
    what = "one-sided" if group["one_sided"] else f"class {group['class']}"
    return f"rival {group['rival']}, {what}, by the {group['direction']}"
