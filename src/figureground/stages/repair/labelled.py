"""The labelled samples of a repair: the masks of one or several labels artifacts, each with its picture."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelRuns, LabelSource, Sample
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.faults import some
from figureground.data.labels import GivenMask, read_labels
from figureground.data.sources import MapsInMemory, joined
from figureground.models.fit.batch import IGNORE
from figureground.models.fit.cache import PictureCache
from figureground.models.fit.samples import TrainData, class_indices
from figureground.stages.repair.target import Target, check_classes

_BEST_FIRST = ("accepted", "submitted", "returned", "draft")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """Samples that people labelled."""

    data: Dataset
    """Pictures and masks, the latter in class indices with `IGNORE` for void; in the order of the artifacts."""
    notes: tuple[str, ...]
    """What was left out or replaced, one sentence each."""
    counts: Mapping[str, int]
    """Masks that count, by artifact."""


def as_indices(runs: LabelRuns, classes: ClassTable, *, sample: str) -> LabelRuns:
    """A label map of class ids as one of class indices; a value that is no class raises `FormatError`."""
    return joined(class_indices(runs.values, classes, sample=sample), runs.lengths, size_hw=runs.size_hw)


def read_labelled(folders: Sequence[str], *, target: Target, pool: Dataset | None, which: str) -> Labelled:
    """All labelled samples so far; of a picture that was labelled again the mask of the artifact named last counts.

    Args:
        folders: labels artifacts, the oldest first.
        target: says the classes.
        pool: knows the pictures of samples by id; None = the labels say where they are.
        which: `accepted` masks only, or `all`.

    Raises:
        ArtifactError: no labels artifact.
        InputError: other classes, a picture that cannot be found, or no mask that counts and has a pixel that is not void.
        FormatError: a damaged table.
    """
    images = {s.id: s.image for s in pool.samples} if pool else {}
    found: dict[str, tuple[Sample, LabelRuns]] = {}
    counts, notes = dict[str, int](), list[str]()
    for folder in folders:
        labels = read_labels(folder)
        check_classes(target, labels.classes, what=str(folder))
        kept = replace(labels, masks=tuple(m for m in labels.masks if m.status != "draft" or m.actions))
        best = kept.best_masks(*(_BEST_FIRST if which == "all" else _BEST_FIRST[:1]))
        counts[str(folder)] = len(best)
        if kept.masks and not best:
            notes.append(f"{folder}: none of its {len(kept.masks)} masks is accepted; --which all takes them as they are")
        for mask in best.values():
            picture = _picture(mask, images, folder)
            digest = picture_digest(picture, sample=mask.id)
            if digest in found:
                notes.append(f"sample '{mask.id}' was labelled again: the mask of {folder} counts")
            found[digest] = Sample(id=mask.id, image=picture), as_indices(mask.runs, labels.classes, sample=mask.id)
    return _labelled(tuple(found.values()), target, counts, notes, folders)


def _labelled(
    found: Sequence[tuple[Sample, LabelRuns]], target: Target, counts: Mapping[str, int], notes: list[str], folders: Sequence[str]
) -> Labelled:
    """The samples that have a pixel to learn from, each under a name of its own."""
    samples, maps, void = list[Sample](), dict[str, LabelRuns](), list[str]()
    for row, runs in found:
        if (runs.values == IGNORE).all():
            void.append(row.id)
            continue
        name = unique(row.id, maps)
        samples.append(replace(row, id=name))
        maps[name] = runs
    if void:
        notes = [*notes, f"skipped, since every pixel of their masks is void: {some(void)}"]
    if not samples:
        told = f" ({'; '.join(notes)})" if notes else ""
        raise InputError(
            f"{', '.join(map(str, folders)) or 'no labels'}: there is no labelled sample to learn from{told}. "
            "Have masks drawn and accepted, or take them as they are with --which all"
        )
    data = Dataset(name="labelled", classes=target.indices, samples=tuple(samples), masks=MapsInMemory(maps=maps))
    return Labelled(data=data, notes=tuple(notes), counts=dict(counts))


def unique(name: str, taken: Mapping[str, object] | set[str]) -> str:
    """The name, with a number behind it where it is taken: ids of two data sets may be the same."""
    number, found = 2, name
    while found in taken:
        number, found = number + 1, f"{name} ({number})"
    return found


def _picture(mask: GivenMask, images: Mapping[str, str | None], folder: str | Path) -> str:
    picture = images.get(mask.id) or mask.image
    if picture and paths.exists(picture):
        return picture
    where = f"{picture} is not there" if picture else "the labels do not say where it is"
    raise InputError(f"{folder}: the picture of sample '{mask.id}' cannot be found: {where}. Name the data set that was labelled: --pool")


def picture_digest(picture: str, *, sample: str) -> str:
    """Digest of the file of a picture: the same picture under whatever name."""
    return paths.content_digest(paths.read_bytes(picture, sample=sample))


def hold_out(ids: Sequence[str], *, part: float, seed: int) -> frozenset[str]:
    """The samples that are not learned from: `round(part * samples)`, those whose digests of seed and id are the lowest.

    So most of those held out of some samples are held out of these and more, too. None where all or none would be.

    >>> sorted(hold_out(["a", "b", "c", "d", "e"], part=0.4, seed=0)) == sorted(hold_out(["e", "d", "c", "b", "a"], part=0.4, seed=0))
    True
    """
    count = round(part * len(ids))
    ranked = sorted(ids, key=lambda name: (hashlib.sha256(f"{seed}\t{name}".encode()).digest(), name))
    return frozenset(ranked[:count]) if count < len(ids) else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JoinedMasks:
    """Masks of several sources as one, all in class indices; picklable."""

    sources: Mapping[str, tuple[LabelSource, str, ClassTable]]
    """Name -> source, id there, and the classes of its masks."""

    def read(self, sample_id: str) -> LabelRuns:
        """The mask of a name."""
        source, own, classes = self.sources[sample_id]
        return as_indices(source.read(own), classes, sample=own)


def join_data(labelled: TrainData, replay: TrainData | None) -> TrainData:
    """Labelled samples and, behind them, training samples as one, read and normalised in one and the same way.

    Args:
        labelled: its masks are in class indices.
        replay: of the same classes, size, stride and norm; None = none.
    """
    sources: dict[str, tuple[LabelSource, str, ClassTable]] = {}
    images: tuple[str, ...] = ()
    for data in filter(None, (labelled, replay)):
        images += data.images
        assert data.masks is not None, "what is repaired has masks"
        for sample in data.samples:
            sources[unique(sample, sources)] = (data.masks, sample, data.classes)
    return replace(
        labelled,
        samples=tuple(sources),
        images=images,
        masks=JoinedMasks(sources=sources),
        labels=("",) * len(sources),
        contexts=("",) * len(sources),
        groups=np.full(len(sources), -1, np.int64),
        group_names=(),
        cache=PictureCache(),
    )
