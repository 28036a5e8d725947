"""The backgrounds artifact: for each training picture its figure's mask, its infilled background, and why one of them cannot be used.

One directory with a manifest: `grounds.parquet`, one row a sample, and `images/`, the infilled backgrounds.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import InputError
from figureground.core.types import LabelRuns
from figureground.data.cutout import cover
from figureground.data.faults import refusal, some
from figureground.data.labelmap import RUN_FIELDS, columns_to_runs, encode_runs
from figureground.data.manifests import read_manifest_of
from figureground.data.parquet import READ_FAULTS
from figureground.data.paths import content_digest, read_bytes
from figureground.data.pixels import read_picture
from figureground.data.swap_options import SwapOptions

KIND, SCHEMA = "backgrounds", 2
CACHE_BYTES = 2**30
"""Most that one process keeps of decoded backgrounds: 1 GiB is 7,100 of 224 x 224."""
TABLE = "grounds.parquet"
GATES = {
    "no-mask": "nothing says where the figure is: the picture is kept as it is, and is no background",
    "empty-tight": "no figure is left to cut out: the picture is kept as it is",
    "small": "the figure's part of the picture is below the stated range: the picture is kept as it is, and is no background",
    "large": "the figure's part of the picture is above the stated range: the picture is kept as it is",
    "empty-loose": "no figure was found, so it would stay in the background: it is none",
    "full-loose": "too little ground is left to fill from: the picture is no background",
}
"""Every reason, with what comes of it, in the order in which they are told."""
GROUNDS = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "label", "context", "image", "picture")),
        ("cut", pa.bool_()),
        ("gates", pa.list_(pa.string())),
        *((name, pa.float64()) for name in ("coverage", "filled", "iou", "kept", "hidden", "leakage")),
        *RUN_FIELDS,
    ]
)
_WRITE_AGAIN = "Write it again with `figureground swap infill`"


class GroundCache:
    """Decoded backgrounds by row, first come, first kept, until the limit is reached; safe to share between threads.

    A copy in another process starts empty.

    Args:
        limit_bytes: most that is kept; 0 keeps nothing.
    """

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._kept: dict[int, np.ndarray] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[GroundCache], tuple[int]]:
        return type(self), (self.limit_bytes,)

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, row: int) -> np.ndarray | None:
        """The background of a row; None where it is not kept."""
        return self._kept.get(row)

    def keep(self, row: int, ground: np.ndarray) -> np.ndarray:
        """The same background, read-only from now on, and kept if there is room."""
        ground.setflags(write=False)
        with self._lock:
            if row not in self._kept and self._bytes + ground.nbytes <= self.limit_bytes:
                self._kept[row] = ground
                self._bytes += ground.nbytes
        return ground


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backgrounds:
    """What `swap infill` wrote; picklable, so that worker processes can read."""

    folder: str
    ids: tuple[str, ...]
    labels: tuple[str, ...]
    contexts: tuple[str, ...]
    """Empty where it is not known."""
    images: tuple[str, ...]
    """Path of the background below `folder`; empty where there is none."""
    pictures: tuple[str, ...]
    """Digest of the file of each sample's picture."""
    figures: tuple[LabelRuns | None, ...]
    """1 where the figure is, at the size of its picture; None where there is nothing to cut out."""
    details: Mapping[str, Any]
    key: str
    """That of the artifact."""
    rows: Mapping[str, int] = field(repr=False)
    """Sample id -> row."""
    pools: Mapping[str, np.ndarray] = field(repr=False)
    """Class -> int64 rows of its backgrounds; classes in order, none of them empty."""
    size_hw: tuple[int, int] | None = None
    """What every background is scaled to cover, and cut to, when it is read; None = as large as it was made."""
    cache: GroundCache = field(default_factory=GroundCache, repr=False)

    def figure(self, sample_id: str) -> np.ndarray | None:
        """Bool [height, width] of the figure of a sample; None where it is to be shown as it is, or is not known here."""
        row = self.rows.get(sample_id)
        runs = None if row is None else self.figures[row]
        return None if runs is None else runs.dense().astype(bool)

    def read_ground(self, row: int) -> np.ndarray:
        """The background of a row, uint8 [height, width, 3], read-only; one that cannot be read raises `FormatError`."""
        found = self.cache.find(row)
        if found is not None:
            return found
        ground = read_picture(f"{self.folder}/{self.images[row]}", sample=self.ids[row])
        return self.cache.keep(row, ground if self.size_hw is None else cover(ground, self.size_hw))

    def drawn(self, rng: np.random.Generator) -> int:
        """A row: a class, each as likely as any other, then one of its backgrounds. Always takes two numbers from the generator."""
        one, other = rng.random(2)
        pools = list(self.pools.values())
        pool = pools[min(int(one * len(pools)), len(pools) - 1)]
        return int(pool[min(int(other * len(pool)), len(pool) - 1)])

    def at(self, size_hw: tuple[int, int]) -> Backgrounds:
        """The same, each as large as the pictures that it is shown in, so that what is kept needs no scaling any more."""
        return replace(self, size_hw=size_hw, cache=GroundCache(self.cache.limit_bytes))

    def of(self, samples: Sequence[str]) -> Backgrounds:
        """The same, drawing from the backgrounds of these samples alone, so that none of a held-out picture gets into training."""
        own = {self.rows[i] for i in samples if i in self.rows}
        if len(own) == len(self.ids):
            return self
        pools = {name: np.array([row for row in pool if row in own], np.int64) for name, pool in self.pools.items()}
        return replace(self, pools={name: pool for name, pool in pools.items() if pool.size})

    def check_known(self, samples: Sequence[str], *, labels: Sequence[str | None] = (), images: Sequence[str | None] = ()) -> None:
        """Raise `InputError` where a sample, its label or its picture is not among those that it was made of.

        Args:
            samples: ids.
            labels: of the samples; empty = not looked at, as is a sample without one.
            images: files of their pictures, each of which is read once; empty = not looked at.
        """
        if unknown := [i for i in samples if i not in self.rows]:
            raise InputError(
                f"{self.folder}: does not know {len(unknown)} of {len(samples)} samples, the first '{unknown[0]}'. Give the training "
                "samples that it was made of; where its failures.json lists them as unreadable, mend them and fill again, leave them out, "
                "or train on what `swap build` writes, which is without them"
            )
        for sample, label in zip(samples, labels, strict=False):
            if label and label != self.labels[self.rows[sample]]:
                raise self._other(f"sample '{sample}' is of class '{self.labels[self.rows[sample]]}' there and '{label}' here")
        for sample, image in zip(samples, images, strict=False):
            if image and content_digest(read_bytes(image, sample=sample)) != self.pictures[self.rows[sample]]:
                raise self._other(f"sample '{sample}' has another picture there than {image}")

    def _other(self, what: str) -> InputError:
        remedy = "Run `swap infill` on this data set, or give the one it was made of"
        return InputError(f"{self.folder}: was made of other data, {what}. {remedy}")

    def _without_missing(self) -> str:
        """What else can be done where a class has no background: nothing where fewer than two have some."""
        return f", or draw from {', '.join(self.pools)} alone with `allow_missing`" if len(self.pools) > 1 else ""

    def check(self, labels: Collection[str], options: SwapOptions) -> None:
        """Raise `InputError` where a class has no background and that was not allowed, or where there is no background at all."""
        if not self.pools:
            raise InputError(f"{self.folder}: there is no background in it. See `gates` in its {TABLE}, and use other masks or thresholds")
        missing = [name for name in sorted(set(labels)) if name and name not in self.pools]
        if missing and not options.allow_missing:
            raise InputError(
                f"{self.folder}: no background is of the class {some(missing)}, so the ground would tell that class. Bring masks for some "
                f"of its pictures{self._without_missing()}"
            )
        if len(self.pools) < 2:
            raise InputError(
                f"{self.folder}: all backgrounds are of the class '{next(iter(self.pools))}'. Swapping needs two classes at least"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutFigures:
    """What a swap cuts out, as label maps of 0 = ground and 1 = figure; a sample without a figure is all ground, of one pixel."""

    grounds: Backgrounds

    def read(self, sample_id: str) -> LabelRuns:
        """The label map of a sample."""
        runs = self.grounds.figures[self.grounds.rows[sample_id]]
        return encode_runs(np.zeros((1, 1), np.uint8)) if runs is None else runs


def read_backgrounds(directory: str | Path) -> Backgrounds:
    """The backgrounds artifact of a directory.

    Raises:
        ArtifactError: there is none, or one of a later schema.
        FormatError: its table cannot be read.
    """
    folder = Path(directory)
    manifest = read_manifest_of(folder, kind=KIND, schema=SCHEMA, writer="swap infill", remedy=_WRITE_AGAIN)
    file = folder / TABLE
    try:
        table = pq.read_table(file, columns=GROUNDS.names).cast(GROUNDS)
        runs = list(columns_to_runs(table.select([f.name for f in RUN_FIELDS])))
    except FileNotFoundError as error:
        raise refusal("missing-file", "there is no such table", _WRITE_AGAIN, file=str(file)) from error
    except (*READ_FAULTS, InputError) as error:
        raise refusal("bad-table", f"the table cannot be read ({str(error)[:80]})", _WRITE_AGAIN, file=str(file)) from error
    columns = {name: table[name].to_pylist() for name in ("id", "label", "context", "image", "picture", "cut")}
    return _backgrounds(folder, columns, runs, manifest)


def _backgrounds(folder: Path, columns: Mapping[str, list[Any]], runs: list[LabelRuns], manifest: Mapping[str, Any]) -> Backgrounds:
    ids, labels = tuple(columns["id"]), tuple(name or "" for name in columns["label"])
    if twice := [i for i, n in Counter(ids).items() if n > 1]:
        raise refusal("duplicate-id", f"the ids {some(twice)} stand for more than one row", _WRITE_AGAIN, file=str(folder / TABLE))
    images = tuple(name or "" for name in columns["image"])
    usable = [row for row, image in enumerate(images) if image and labels[row]]
    names = sorted({labels[row] for row in usable})
    return Backgrounds(
        folder=str(folder.absolute()),
        ids=ids,
        labels=labels,
        contexts=tuple(name or "" for name in columns["context"]),
        images=images,
        pictures=tuple(columns["picture"]),
        figures=tuple(one if cut else None for one, cut in zip(runs, columns["cut"], strict=True)),
        details=manifest["details"],
        key=manifest["key"],
        rows={sample_id: row for row, sample_id in enumerate(ids)},
        pools={name: np.array([row for row in usable if labels[row] == name], np.int64) for name in names},
    )
