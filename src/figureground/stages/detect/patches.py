"""Patch labels of training pictures: as people gave them, or pooled from masks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal, some
from figureground.data.grid_text import grid_of
from figureground.data.labelmap import figure_of
from figureground.data.labels import PatchGrid, read_labels
from figureground.stages.detect.options import DetectOptions

DEFAULT_GRID = "16x16"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatchLabels:
    """Patch labels of some pictures, in the order in which they are held out and learned."""

    figures: Mapping[str, np.ndarray]
    """Id -> bool [rows, columns], True = figure."""
    rows: int
    columns: int
    source: str
    """`labels` or `masks`."""
    notes: tuple[str, ...] = ()

    def digest(self) -> str:
        """sha256 over ids and patches."""
        found = hashlib.sha256(f"{self.rows}x{self.columns}".encode())
        for name, cells in sorted(self.figures.items()):
            found.update(repr(name).encode() + np.packbits(cells).tobytes())
        return found.hexdigest()


def ranked(ids: Sequence[str], *, seed: int) -> list[str]:
    """The ids by digests of seed and id: an order that knows nothing of the data, and to which more ids change nothing."""
    return sorted(ids, key=lambda name: (hashlib.sha256(f"{seed}\t{name}".encode()).digest(), name))


def find_labels(folders: Sequence[str], *, data: Dataset, training: Dataset, options: DetectOptions) -> PatchLabels:
    """The patch labels that the options name.

    Args:
        folders: labels artifacts; none where masks are pooled.
        data: the whole data set.
        training: its training pictures.
        options: `masks`, `count`, `foreground`, `grid` and `seed` are looked at.

    Raises:
        InputError: labels and masks both or neither, labels of another grid, of other pictures than training ones, or all of one class.
        ArtifactError: no labels artifact.
        FormatError: a faulty table or mask.
    """
    if bool(folders) == (options.masks == "truth"):
        raise InputError("patch labels come from --labels, or with --masks truth from the masks of the data set. Give one of the two")
    found = _pooled(training, options) if options.masks == "truth" else _given(folders, data, training, options)
    kinds = {bool(value) for cells in found.figures.values() for value in np.unique(cells)}
    if len(kinds) == 1:
        word = "figure" if True in kinds else "background"
        hint = "Give another --foreground" if found.source == "masks" else "Label pictures that show both"
        raise InputError(f"every patch of all {len(found.figures)} labelled pictures is {word}: there is nothing to tell apart. {hint}")
    return found


def _given(folders: Sequence[str], data: Dataset, training: Dataset, options: DetectOptions) -> PatchLabels:
    """What people said; of several people, a patch is figure where at least half of them say so."""
    grids: list[tuple[str, PatchGrid]] = [(folder, grid) for folder in folders for grid in read_labels(folder).patches]
    if not grids:
        raise InputError(f"{', '.join(folders)}: holds no patch labels. Label patches in the review page, or give --masks truth")
    known = set(training.ids)
    if outside := next(((folder, grid.id) for folder, grid in grids if grid.id not in known), None):
        raise _outside(*outside, data)
    shapes = sorted({grid.cells.shape for _, grid in grids})
    rows, columns = grid_of(options.grid) if options.grid else shapes[0]
    if (rows, columns) not in shapes or (len(shapes) > 1 and not options.grid):
        names, asked = [f"{high}x{wide}" for high, wide in shapes], f", and {options.grid} was asked for" if options.grid else ""
        remedy = f"Name theirs: --grid {' or --grid '.join(names)}"
        raise InputError(f"{', '.join(folders)}: the patch labels are of grids {' and '.join(names)}{asked}. {remedy}")
    said: dict[str, list[np.ndarray]] = {}
    for _, grid in grids:
        if grid.cells.shape == (rows, columns):
            said.setdefault(grid.id, []).append(grid.cells)
    other = sorted({grid.id for _, grid in grids} - set(said))
    notes = (f"left out, since their labels are of another grid: {some(other)}",) if other else ()
    figures = {name: np.mean(said[name], axis=0) >= 0.5 for name in ranked(tuple(said), seed=options.seed)}
    return PatchLabels(figures=figures, rows=rows, columns=columns, source="labels", notes=notes)


def _outside(folder: str, sample: str, data: Dataset) -> Exception:
    """The refusal of a labelled sample that is no training picture."""
    remedy = "A detector learns from training pictures alone: label those, or name their split with --train-split"
    splits = {one.id: one.split or "" for one in data.samples}
    if sample in splits:
        return InputError(f"{folder}: sample '{sample}' has patch labels and is in split '{splits[sample]}'. {remedy}")
    if sample in data.left_out:
        return InputError(f"{folder}: sample '{sample}' has patch labels and is left out of {data.name}. {remedy}")
    return refusal("unknown-sample", f"it has patch labels, and {data.name} does not have it", remedy, file=folder, sample=sample)


def _pooled(training: Dataset, options: DetectOptions) -> PatchLabels:
    if training.masks is None:
        raise InputError(f"{training.name}: there are no masks to pool. Give --labels with patches that people labelled")
    rows, columns = grid_of(options.grid or DEFAULT_GRID)
    chosen = ranked(training.ids, seed=options.seed)[: options.count or None]
    figures = {}
    for name in chosen:
        figure, counted = figure_pixels(training, name)
        figures[name] = coverage_of(figure, counted, (rows, columns)) > options.foreground
    return PatchLabels(figures=figures, rows=rows, columns=columns, source="masks")


def figure_pixels(data: Dataset, sample: str) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels of a sample's mask are its figure, and which count (are not void), both bool [height, width]."""
    assert data.masks is not None
    found = data.masks.read(sample).dense()
    counted = np.ones(found.shape, bool) if data.classes.ignore is None else found != data.classes.ignore
    return figure_of(found, data.sample(sample).label, data.classes), counted


def coverage_of(figure: np.ndarray, counted: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The part of the counted pixels of each patch that is figure, float64 [rows, columns]; 0 for a patch without any.

    Pixel y lies in row floor(y * rows / height), as where grids become pixels again. A picture with fewer pixels than patches is enlarged
    by whole factors first.

    Example:
        >>> coverage_of(np.array([[True, False, True, True]]), np.ones((1, 4), bool), (1, 2)).tolist()
        [[0.5, 1.0]]
    """
    times = [-(-cells // size) for cells, size in zip(grid, figure.shape, strict=True)]
    figure, counted = (part.repeat(times[0], 0).repeat(times[1], 1) for part in (figure, counted))
    rows, columns = (np.arange(size) * cells // size for size, cells in zip(figure.shape, grid, strict=True))
    place = (rows[:, None] * grid[1] + columns[None]).ravel()
    sums = [np.bincount(place, part.ravel(), grid[0] * grid[1]).reshape(grid) for part in (figure & counted, counted)]
    return sums[0] / np.maximum(sums[1], 1)
