"""What mining takes from the training set: how large classes are in its masks, and what its pictures look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa

from figureground.core.errors import Fault, InputError
from figureground.core.types import ClassTable
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.parquet import FAULTS
from figureground.runs.artifact import ArtifactWriter
from figureground.runs.executor import Executor
from figureground.runs.progress import Reporter
from figureground.runs.shards import map_in_shards, read_shards
from figureground.stages.mine.areas import AreaMeter, check_same_classes, parts_by_class
from figureground.stages.mine.duplicates import hash_of

SHARD_SIZE = 128
_HASHES = pa.schema([("id", pa.string()), ("hash", pa.uint64())])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Training:
    """What is known of the training set."""

    parts: Mapping[int, np.ndarray] | None
    """Class id -> parts of the pictures that it takes; None where that was not asked for."""
    hashes: np.ndarray
    """uint64 [pictures], of those that can be read; none where they were not asked for."""
    names: tuple[str, ...]
    """Ids of those pictures."""
    faults: tuple[Fault, ...] = ()
    """Of pictures that cannot be read, so that nothing is compared with them."""


NOTHING = Training(parts=None, hashes=np.empty(0, np.uint64), names=())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    areas: AreaMeter
    masked: frozenset[str]
    """Samples whose masks are measured."""
    images: Mapping[str, str]
    """Pictures that are hashed."""

    def __call__(self, ids: Sequence[str]) -> dict[str, pa.Table]:
        areas = self.areas([i for i in ids if i in self.masked])
        found = [(i, hash_of(self.images[i], sample=i)) for i in ids if i in self.images]
        hashes = [{"id": i, "hash": one} for i, one in found if isinstance(one, int)]
        faults = [asdict(one) for _, one in found if isinstance(one, Fault)]
        return {"areas": areas, "hashes": pa.Table.from_pylist(hashes, _HASHES), "faults": pa.Table.from_pylist(faults, FAULTS)}


def open_training(spec: str, classes: ClassTable, *, masks: bool) -> Dataset:
    """The training set that a spec names.

    Args:
        spec: a DATA spec.
        classes: of the pool, which must be its own.
        masks: whether masks are needed.

    Raises:
        InputError: another class table, or no masks where they are needed.
        FormatError: a fault in the files.
    """
    dataset = open_dataset(spec)
    check_same_classes(classes, dict(zip(dataset.classes.names, dataset.classes.ids, strict=True)), what=f"--train {spec}")
    if masks and dataset.masks is None:
        raise InputError(f"--train {spec}: there are no masks to take the areas of classes from. Give --area LOW,HIGH, or a set with masks")
    return dataset


def read_training(
    dataset: Dataset, *, areas: bool, hashes: bool, writer: ArtifactWriter, executor: Executor, reporter: Reporter
) -> Training:
    """Measures masks and hashes pictures; a sample without a mask has no areas. Pictures that cannot be read are told."""
    named = frozenset(s.id for s in dataset.samples if s.mask)
    masked = (
        (named or frozenset(dataset.ids)) if areas else frozenset()
    )  # masks that are drawn from annotations have no file to be named by
    images = {s.id: s.image for s in dataset.samples if s.image} if hashes else {}
    worker = _Worker(areas=AreaMeter(masks=dataset.masks, classes=dataset.classes), masked=masked, images=images)
    told = {"what": "training set", "unit": "samples", "shard_size": SHARD_SIZE}
    ids = [i for i in dataset.ids if i in masked or i in images]
    shards = map_in_shards(ids, partial(_same, worker), writer=writer, executor=executor, reporter=reporter, **told)
    if not shards:
        return replace(NOTHING, parts={} if areas else None)
    table = read_shards(writer, "hashes", shards)
    parts = parts_by_class(read_shards(writer, "areas", shards)) if areas else None
    faults = tuple(Fault(**row) for row in read_shards(writer, "faults", shards).to_pylist())
    _say_unreadable(faults, reporter)
    return Training(parts=parts, hashes=table["hash"].to_numpy(), names=tuple(table["id"].to_pylist()), faults=faults)


def _say_unreadable(faults: Sequence[Fault], reporter: Reporter) -> None:
    if faults:
        count = f"{len(faults)} training pictures cannot be read" if len(faults) > 1 else "a training picture cannot be read"
        reporter.say(
            f"note: {count}, so near-duplicates of {'them' if len(faults) > 1 else 'it'} are not noticed; failures.json lists "
            f"{'them, first' if len(faults) > 1 else 'it:'} {faults[0]}"
        )


def _same(worker: _Worker) -> _Worker:
    return worker
