"""Grids of a detector: for every patch of a picture the probability that it is background, in `grids.parquet` of a `grids` artifact.

A picture is parted evenly into rows x columns patches. The manifest's `details.thresholds` hold two bounds on P(background): a patch is
part of the cut-out (tight) or of the hole to fill (loose) where its probability lies below that bound.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import ArtifactError, InputError
from figureground.core.whole_file import whole_file, write_atomically
from figureground.data.faults import refusal
from figureground.data.manifests import read_manifest_of
from figureground.data.parquet import READ_FAULTS, unreadable
from figureground.version import __version__

KIND, SCHEMA = "grids", 1
FILE = "grids.parquet"
GRIDS = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("rows", pa.int32()),
        pa.field("columns", pa.int32()),
        pa.field("background", pa.list_(pa.float32())),
        pa.field("picture", pa.string()),
    ]
)
"""Schema of `grids.parquet`; `background` is row-major, rows * columns numbers in [0, 1]; `picture` may be absent or null."""
_AGAIN = "Write the grids again: `figureground swap detect`, given the same command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Bounds on P(background), each in (0, 1]: a patch with a lower probability is figure."""

    tight: float
    """Of what is cut out and pasted: few patches, so that little background comes along."""
    loose: float
    """Of what is taken out of a background and filled: many patches, so that nothing of the figure stays. Never below `tight`."""

    def __post_init__(self) -> None:
        if not 0 < self.tight <= self.loose <= 1:  # NaN, too, is refused
            raise InputError(
                f"thresholds are bounds on P(background) with 0 < tight <= loose <= 1; got tight {self.tight} and loose {self.loose}"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grids:
    """The grids of some pictures, in the order of the table."""

    thresholds: Thresholds
    details: Mapping[str, Any]
    """What else the manifest tells, such as the detector."""
    where: str
    """The directory, for messages."""
    by_id: Mapping[str, np.ndarray]
    """float32 [rows, columns] of each sample, read-only."""
    pictures: Mapping[str, str]
    """Digest of the bytes of the picture that a grid is of, where the table says it."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The samples that have a grid."""
        return tuple(self.by_id)

    def __contains__(self, sample: object) -> bool:
        return sample in self.by_id

    def __len__(self) -> int:
        return len(self.by_id)

    def grid(self, sample: str) -> np.ndarray:
        """P(background) of each patch of a picture.

        Returns:
            float32 [rows, columns] in [0, 1], read-only.

        Raises:
            InputError: there is no grid of it.
        """
        if sample not in self.by_id:
            raise InputError(f"{self.where}: has no grid of sample '{sample}'. Detect again on the data set that has it")
        return self.by_id[sample]

    def figure(self, sample: str, *, size_hw: tuple[int, int], bound: float) -> np.ndarray:
        """Which pixels of a picture are figure: those whose patch has P(background) < bound, each pixel taking its patch (nearest).

        Args:
            sample: id.
            size_hw: height and width of the picture in pixels.
            bound: such as `thresholds.tight`.

        Returns:
            bool [height, width].
        """
        return to_pixels(self.grid(sample) < bound, size_hw)


def to_pixels(cells: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Cells [rows, columns, ...] at the size of a picture: pixel y takes row floor(y * rows / height), and columns likewise.

    Example:
        >>> to_pixels(np.array([[1, 2]]), (1, 5)).tolist()
        [[1, 1, 1, 2, 2]]
    """
    rows, columns = (np.arange(size) * cells.shape[axis] // size for axis, size in enumerate(size_hw))
    return cells[rows[:, None], columns[None, :]]


def grid_rows(grids: Iterable[tuple[str, np.ndarray]], pictures: Mapping[str, str] | None = None) -> pa.Table:
    """Rows of `grids.parquet`.

    Args:
        grids: id, and float [rows, columns] in [0, 1], of each picture.
        pictures: id -> digest of the bytes of the picture, where it is known.

    Raises:
        InputError: an array that is no grid of probabilities.
    """
    ids, arrays = [], []
    for sample, grid in grids:
        if fault := _fault_of(grid):
            raise InputError(f"sample '{sample}': {fault}; expected P(background) in [0, 1], float [rows, columns]")
        ids.append(sample)
        arrays.append(np.ascontiguousarray(grid, np.float32))
    columns = [
        pa.array(ids, pa.string()),
        pa.array([grid.shape[0] for grid in arrays], pa.int32()),
        pa.array([grid.shape[1] for grid in arrays], pa.int32()),
        pa.array([grid.ravel() for grid in arrays], pa.list_(pa.float32())),
        pa.array([(pictures or {}).get(name) for name in ids], pa.string()),
    ]
    return pa.table(columns, schema=GRIDS)


def write_grids(
    directory: str | Path,
    grids: Mapping[str, np.ndarray],
    *,
    thresholds: Thresholds,
    details: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a whole `grids` artifact, such as one whose grids another tool made, and returns its directory.

    Args:
        directory: absent or empty.
        grids: id -> P(background), float [rows, columns] in [0, 1].
        thresholds: of the manifest.
        details: what else it tells; JSON values.

    Raises:
        InputError: an array that is no grid of probabilities, or a directory that holds something or cannot be written.
    """
    folder, table = Path(directory), grid_rows(grids.items())
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty, and is left alone. Choose another directory, or empty it")
    told = {**(details or {}), "thresholds": {"tight": thresholds.tight, "loose": thresholds.loose}}
    digest = hashlib.sha256(repr((sorted(told.items()), table.to_pydict())).encode()).hexdigest()
    manifest = {
        "kind": KIND, "schema": SCHEMA, "key": digest, "options": {}, "seed": None, "inputs": {"grids": digest},
        "versions": {"figureground": __version__}, "counts": {"pictures": len(table)}, "failures": 0,
        "created": datetime.now(UTC).isoformat(timespec="seconds"), "details": told,
        "names": sorted((FILE, "failures.json", "manifest.json")),
    }  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / FILE) as file:
            pq.write_table(table, file, compression="zstd")
        write_atomically(folder / "failures.json", b"[]")
        write_atomically(folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False).encode())
    except OSError as error:
        raise InputError(f"{folder}: cannot write there ({error.strerror or error}). Choose another directory") from error
    return folder


def read_grids(directory: str | Path) -> Grids:
    """The grids of a `grids` artifact.

    Raises:
        ArtifactError: there is no such artifact, or one of a later schema.
        FormatError: a table that cannot be read, lacks a column, gives an id twice, or holds what is no grid of probabilities.
    """
    folder = Path(directory)
    details = _details(folder)
    file = folder / FILE
    if not file.is_file():
        raise refusal("missing-file", "there is no such file", _AGAIN, file=str(file))
    try:
        table = pq.read_table(file)
    except READ_FAULTS as error:
        raise unreadable(str(file), error, remedy=_AGAIN) from error
    if "picture" not in table.column_names:
        table = table.append_column(GRIDS.field("picture"), pa.nulls(len(table), pa.string()))
    for field in GRIDS:
        if field.name not in table.column_names:
            raise refusal("bad-table", f"there is no column `{field.name}`", _AGAIN, file=str(file))
    try:
        table = table.select(GRIDS.names).cast(GRIDS)
    except READ_FAULTS as error:
        raise refusal(
            "bad-table", f"the columns are not of the types they should be ({str(error)[:80]})", _AGAIN, file=str(file)
        ) from error
    found: dict[str, np.ndarray] = {}
    for sample, grid in _each(table, str(file)):
        if sample in found:
            raise refusal("duplicate-id", "the sample has two grids", _AGAIN, file=str(file), sample=sample)
        found[sample] = grid
    said = details.pop("thresholds")
    pictures = {sample: digest for sample, digest in zip(table["id"].to_pylist(), table["picture"].to_pylist(), strict=True) if digest}
    return Grids(thresholds=said, details=details, where=str(folder), by_id=found, pictures=pictures)


def _each(table: pa.Table, file: str) -> Iterator[tuple[str, np.ndarray]]:
    """Id and grid of each row, checked."""
    for batch in table.to_batches(max_chunksize=1024):
        for sample, rows, columns, cells in zip(*(batch[name] for name in GRIDS.names[:4]), strict=True):
            shape = rows.as_py(), columns.as_py()
            values = None if not cells.is_valid else cells.values.to_numpy(zero_copy_only=False)
            whole = values is not None and None not in shape and min(shape) > 0 and shape[0] * shape[1] == len(values)
            grid = values.astype(np.float32, copy=False).reshape(shape) if whole and values is not None else None
            if (
                fault := "the id is empty"
                if not sample.as_py()
                else "rows x columns is not the number of patches"
                if grid is None
                else _fault_of(grid)
            ):
                raise refusal("bad-table", fault, _AGAIN, file=file, sample=sample.as_py())
            assert grid is not None
            grid.flags.writeable = False
            yield sample.as_py(), grid


def _fault_of(grid: np.ndarray) -> str:
    """What is wrong with an array that should be a grid; empty where nothing is."""
    if grid.ndim != 2 or grid.size == 0 or grid.dtype.kind != "f":
        return f"the grid is {grid.dtype} {list(grid.shape)}"
    low, high = float(grid.min()), float(grid.max())
    return (
        "" if low >= 0 and high <= 1 else "a patch has no probability" if math.isnan(low) else f"a patch has {low if low < 0 else high:.4g}"
    )


def _details(folder: Path) -> dict[str, Any]:
    """`details` of the manifest, the thresholds among them as `Thresholds`."""
    details = dict(read_manifest_of(folder, kind=KIND, schema=SCHEMA, writer="swap detect", remedy=_AGAIN)["details"])
    try:
        said = details["thresholds"]
        details["thresholds"] = Thresholds(tight=float(said["tight"]), loose=float(said["loose"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{folder / 'manifest.json'}: it does not tell the thresholds ({str(error)[:120]}). {_AGAIN}") from error
    return details
