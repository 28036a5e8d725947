"""Where figures are, as P(background) of each patch or pixel: from masks, from patch labels, from a detector's grids, or at random."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelSource, Sample
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.faults import some
from figureground.data.grid_text import grid_of
from figureground.data.grids import Thresholds, read_grids
from figureground.data.labelmap import figure_of
from figureground.data.labels import PatchGrid, read_labels
from figureground.stages.swap.options import LOOSE, TIGHT, InfillOptions

BETWEEN = 0.7
"""Of pixels that are neither the figure that is cut out nor ground: they are filled, and not cut out."""
CONTROL_GRID = 16
"""Rows and columns of random rectangles whose figure has no patches of its own."""


class GroundSource(Protocol):
    """P(background); picklable."""

    @property
    def thresholds(self) -> Thresholds:
        """Bounds for the two masks."""
        ...

    @property
    def judged(self) -> Mapping[str, Any] | None:
        """How good a detector is that it goes by, as the manifest of its grids says; None without one."""
        ...

    @property
    def pictures(self) -> Mapping[str, str]:
        """Digest of the bytes of the picture that a sample had when this was found out, where it is known."""
        ...

    def chances(self, sample: Sample) -> np.ndarray | None:
        """float32 [rows, columns] in [0, 1], of patches or of pixels; None where nothing is known of the sample."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthSource:
    """The masks of the data set: the class of the sample is the figure; other classes and void are filled, but not cut out."""

    masks: LabelSource
    classes: ClassTable
    judged: None = None

    @property
    def pictures(self) -> Mapping[str, str]:
        """A mask belongs to its sample."""
        return {}

    @property
    def thresholds(self) -> Thresholds:
        """Any between the three values would do."""
        return Thresholds(tight=TIGHT, loose=LOOSE)

    def chances(self, sample: Sample) -> np.ndarray:
        """float32 [height, width]; a faulty mask raises `FormatError`."""
        mask = self.masks.read(sample.id).dense()
        out = np.full(mask.shape, BETWEEN, np.float32)
        out[mask == self.classes.background] = 1.0
        out[figure_of(mask, sample.label, self.classes)] = 0.0
        return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridSource:
    """P(background) of patches."""

    grids: Mapping[str, np.ndarray]
    thresholds: Thresholds
    judged: Mapping[str, Any] | None = None
    pictures: Mapping[str, str] = field(default_factory=dict)

    def chances(self, sample: Sample) -> np.ndarray | None:
        """float32 [rows, columns]; None for a sample without patches."""
        return self.grids.get(sample.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSource:
    """A control: a rectangle of about as many patches as the figure has, at a random place; the patches around it are filled too."""

    like: GroundSource
    seed: int
    judged: None = None

    @property
    def pictures(self) -> Mapping[str, str]:
        """Those of what it goes by."""
        return self.like.pictures

    @property
    def thresholds(self) -> Thresholds:
        """Those for which the rectangle alone is cut out, and its surroundings are filled."""
        return Thresholds(tight=TIGHT, loose=LOOSE)

    def chances(self, sample: Sample) -> np.ndarray | None:
        """float32 [rows, columns] of 0 on the rectangle, 0.7 around it and 1 elsewhere; None where the figure is not known."""
        found = self.like.chances(sample)
        if found is None:
            return None
        part = float((found < self.like.thresholds.tight).mean())
        rows, columns = (min(side, CONTROL_GRID) for side in found.shape)
        if not (cells := round(part * rows * columns) or int(part > 0)):
            return np.ones((rows, columns), np.float32)
        rng = np.random.default_rng(sample_seed(self.seed, sample.id))
        return random_rectangle(rows, columns, cells, rng)


def random_rectangle(rows: int, columns: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    """P(background) of a rectangle of about so many cells, near to a square and anywhere on the grid; see `RandomSource`."""
    high = min(rows, max(1, round(np.sqrt(cells)), -(-cells // columns)))
    wide = min(columns, max(1, round(cells / high)))
    top, left = int(rng.integers(0, rows - high + 1)), int(rng.integers(0, columns - wide + 1))
    out = np.ones((rows, columns), np.float32)
    out[max(0, top - 1) : top + high + 1, max(0, left - 1) : left + wide + 1] = BETWEEN
    out[top : top + high, left : left + wide] = 0.0
    return out


def sample_seed(seed: int, sample_id: str) -> list[int]:
    """Seed of what is drawn for a sample, whatever its place in the data set."""
    return [seed, int.from_bytes(hashlib.sha256(sample_id.encode()).digest()[:8])]


def open_source(options: InfillOptions, dataset: Dataset, train: Dataset) -> tuple[GroundSource, dict[str, str]]:
    """What `--masks` names, and digests of what is read for it.

    Args:
        options: `masks`, `tight`, `loose`, `grid` and `seed` are looked at.
        dataset: all samples.
        train: those whose pictures may be used.

    Raises:
        InputError: an unknown kind, masks that are not there, thresholds for what has none, a grid of another size than asked, or patch
            labels on pictures that are not for training or not in the data set, or on none of those that are.
        ArtifactError: the directory is no such artifact.
        FormatError: its tables cannot be read.
    """
    kind, _, rest = options.masks.partition(":")
    if kind == "random":
        inner, digests = _plain(rest or "truth", options, dataset, train)
        return RandomSource(like=inner, seed=options.seed), digests
    return _plain(options.masks, options, dataset, train)


def _plain(spec: str, options: InfillOptions, dataset: Dataset, train: Dataset) -> tuple[GroundSource, dict[str, str]]:
    kind, _, where = spec.partition(":")
    if kind == "truth" and not where:
        if dataset.masks is None:
            raise InputError(f"{dataset.name}: there are no masks to cut figures out by. Give --masks labels:DIR or grids:DIR")
        if idle := [name for name, given in (("tight", options.tight), ("loose", options.loose), ("grid", options.grid)) if given]:
            raise InputError(f"`{idle[0]}` is for patches, and --masks {options.masks} goes by exact masks. Leave it out")
        if options.refine != "none" and options.masks == spec:
            raise InputError(f"`refine` fits the edges of patches, and --masks {spec} is exact. Leave it out")
        return TruthSource(masks=dataset.masks, classes=dataset.classes), {}
    if kind == "labels" and where:
        grids = _labelled(where, dataset, train, options)
        return GridSource(grids=grids, thresholds=_thresholds(options, None)), {"labels": _digest(grids)}
    if kind == "grids" and where:
        found = read_grids(where)
        grids = {i: found.grid(i) for i in train.ids if i in found}
        if not grids:
            raise InputError(f"{where}: has no grid of a picture that {dataset.name} has for training. Detect on its training pictures")
        _check_size(grids, options, where)
        as_judged = not (options.tight or options.loose) and options.refine == "none"  # of other masks its figures say nothing
        judged = found.details.get("judged") if as_judged else None
        source = GridSource(grids=grids, thresholds=_thresholds(options, found.thresholds), judged=judged, pictures=found.pictures)
        first = next(s for s in train.samples if s.id in grids)  # of other data nothing is even begun
        if first.image:
            check_picture(source, first, paths.content_digest(paths.read_bytes(first.image, sample=first.id)), spec=spec)
        return source, {"grids": _digest(grids)}
    raise InputError(f"`masks` must be truth, labels:DIR, grids:DIR, or random before one of them; got '{options.masks}'")


def check_picture(source: GroundSource, sample: Sample, digest: str, *, spec: str) -> None:
    """Raise `InputError` where what is known of a sample is of another picture than it has."""
    if source.pictures.get(sample.id, digest) != digest:
        raise InputError(
            f"--masks {spec}: was made of other data: the picture of sample '{sample.id}' is not {sample.image}. Run `swap detect` on this "
            "data set, or give the one it was made of"
        )


def _thresholds(options: InfillOptions, said: Thresholds | None) -> Thresholds:
    tight, loose = (said.tight, said.loose) if said else (TIGHT, LOOSE)
    found = {"tight": options.tight or tight, "loose": options.loose or loose}
    if found["tight"] > found["loose"] and not (options.tight and options.loose):
        given, other = ("tight", "loose") if options.tight else ("loose", "tight")
        whose = "the grids name" if said else "is the default"
        raise InputError(
            f"`{given}` {found[given]:g} and the `{other}` of {found[other]:g} that {whose} do not go together: what is cut out must be "
            f"filled, too, so `tight` may not be above `loose`. Give `{other}` as well"
        )
    return Thresholds(tight=found["tight"], loose=found["loose"])


def _labelled(where: str, dataset: Dataset, train: Dataset, options: InfillOptions) -> dict[str, np.ndarray]:
    """P(background) by the patch labels of all reviewers: one minus the part of them that says figure."""
    by_id: dict[str, list[PatchGrid]] = {}
    for grid in read_labels(Path(where)).patches:
        by_id.setdefault(grid.id, []).append(grid)
    if not by_id:
        raise InputError(f"{where}: no picture in it has patch labels. Label some with `figureground review`")
    if strangers := sorted(i for i in by_id if i not in dataset.ids):
        raise InputError(
            f"{where}: patch labels are of pictures that {dataset.name} does not have: {some(strangers)}. Give the data "
            "set that was labelled"
        )
    held = set(train.ids)
    if outside := sorted(i for i in by_id if i not in held):
        raise InputError(
            f"{where}: patch labels are on pictures that are not for training: {some(outside)}. They would leak into it: leave them out, "
            "or give the --split that they are in"
        )
    for sample_id, grids in by_id.items():
        if len({grid.cells.shape for grid in grids}) > 1:
            raise InputError(f"{where}: sample '{sample_id}' was labelled on grids of different sizes. Keep one of them")
    found = {i: np.stack([~grid.cells for grid in grids]).mean(axis=0, dtype=np.float32) for i, grids in by_id.items()}
    _check_size(found, options, where)
    if len(shapes := sorted({grid.shape for grid in found.values()})) > 1:
        told = " and ".join(f"{rows} x {columns}" for rows, columns in shapes)
        raise InputError(f"{where}: the patch labels are of grids {told}. Keep those of one of them")
    return found


def _check_size(grids: Mapping[str, np.ndarray], options: InfillOptions, where: str) -> None:
    asked = grid_of(options.grid) if options.grid else None
    wrong = next((i for i, grid in grids.items() if asked and grid.shape != asked), None)
    if wrong is not None:
        rows, columns = grids[wrong].shape
        raise InputError(
            f"{where}: sample '{wrong}' has {rows} x {columns} patches, and --grid asks for {options.grid}. Label or "
            "detect on that grid, or leave --grid out"
        )


def _digest(grids: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for sample_id, grid in sorted(grids.items()):
        digest.update(repr((sample_id, grid.shape)).encode() + np.ascontiguousarray(grid).tobytes())
    return digest.hexdigest()
