"""What ranking reads of a queue: its classes, its samples, and what each model saw in them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from figureground.core.errors import ArtifactError, InputError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data.labelmap import columns_to_runs
from figureground.data.parquet import READ_FAULTS
from figureground.runs.artifact import Manifest, read_manifest

_AGAIN = "Mine again with the same command"
_COLUMNS = ("id", "rank", "direction", "discrepancy", "image")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Queue:
    """The samples that `mine` chose."""

    where: Path
    manifest: Manifest
    classes: ClassTable
    rows: tuple[Mapping[str, Any], ...]
    """`id, rank, direction, discrepancy, image`, in the order of the queue."""
    maps: Mapping[str, Mapping[str, LabelRuns]]
    """Id -> model -> what it saw; the target first."""

    @property
    def images(self) -> dict[str, str]:
        """Id -> picture, for samples that have one."""
        return {row["id"]: row["image"] for row in self.rows if row["image"]}

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the target and of its rivals."""
        details = self.manifest.details
        return details["target"], *(rival["name"] for rival in details["rivals"])


def read_queue(where: Path) -> Queue:
    """The queue of a directory that `mine` wrote.

    Raises:
        ArtifactError: there is none, it is of another kind, or it cannot be read.
        InputError: it has no samples.
    """
    manifest = read_manifest(where, kind="queue")
    details = manifest.details
    try:
        classes = ClassTable(
            names=tuple(details["classes"]), ids=tuple(details["ids"]), background=details["background"], ignore=details["ignore"]
        )
        table = pq.read_table(where / "queue.parquet", columns=list(_COLUMNS))
        maps = _maps(where / "maps.parquet")
        rows = tuple(sorted(table.to_pylist(), key=lambda row: row["rank"]))
    except InputError as error:
        raise ArtifactError(f"{where}: the queue cannot be read ({str(error)[:80]}). {_AGAIN}") from error
    except READ_FAULTS as error:
        raise ArtifactError(f"{where}: the queue cannot be read ({str(error)[:80]}). {_AGAIN}") from error
    if not rows:
        raise InputError(
            f"{where}: the queue is empty, so nothing can test. Mine a larger pool, or with a larger --top, --budget or --area"
        )
    if without := [row["id"] for row in rows if not maps.get(row["id"])]:
        raise ArtifactError(f"{where / 'maps.parquet'}: sample '{without[0]}' has no map of any model. {_AGAIN}")
    return Queue(where=where, manifest=manifest, classes=classes, rows=rows, maps=maps)


def _maps(file: Path) -> dict[str, dict[str, LabelRuns]]:
    found: dict[str, dict[str, LabelRuns]] = {}
    table = pq.read_table(file)
    for i, model, runs in zip(table["id"].to_pylist(), table["model"].to_pylist(), columns_to_runs(table), strict=True):
        found.setdefault(i, {})[model] = runs
    return found


def main_object(maps: Sequence[LabelRuns], classes: ClassTable) -> str | None:
    """The class that most maps give more of the picture than any other foreground class; None where most see no foreground.

    Every map has one vote, none weighs more for seeing more. Ties go to the class with the larger area over all maps, then to the first in
    the class table; where as many see nothing as see a class, the class has it.

    Args:
        maps: of one picture, such as the models' maps of it, or its mask alone.
        classes: of the maps; what is `ignore` is no foreground.
    """
    areas = np.array([[int(m.lengths[m.values == i].sum(dtype=np.int64)) for i in classes.foreground] for m in maps])
    votes = Counter(int(own.argmax()) for own in areas if own.any())
    blind = len(maps) - votes.total()
    total = areas.sum(0)
    best = max(votes, key=lambda place: (votes[place], total[place], -place), default=None)
    if best is None or votes[best] < blind:
        return None
    return classes.name_of(classes.foreground[best])


def fingerprint(queue: Queue) -> str:
    """sha256 over the manifest's key and the bytes of both tables that are read."""
    digest = hashlib.sha256(queue.manifest.key.encode())
    for name in ("queue.parquet", "maps.parquet"):
        digest.update((queue.where / name).read_bytes())
    return digest.hexdigest()
