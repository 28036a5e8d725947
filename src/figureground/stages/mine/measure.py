"""What a worker does with a chunk of samples: reads every model's maps, compares them, and keeps the best candidates of each group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from figureground.core.errors import Fault
from figureground.core.types import ClassTable, RunBatch, batch_of
from figureground.data.align import Chunk
from figureground.data.faults import make_fault, written_size
from figureground.data.labelmap import resize_nearest
from figureground.data.prediction_stream import MapReader, ReadMaps
from figureground.metrics.discrepancy import Distance, class_areas, class_places, discrepancy, region_discrepancy, shared_areas
from figureground.metrics.overlap import ClassCounts
from figureground.stages.mine.coreset import centre_table
from figureground.stages.mine.groups import Group, members, sight
from figureground.stages.mine.selectors import Selection, selection_scores
from figureground.stages.mine.tops import COLUMNS, candidates, floors, merged


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """One model as a worker needs it."""

    name: str
    reader: MapReader
    table: np.ndarray | None = None
    """uint16 [65536]: its class ids -> those of the pool, where they differ; what is no class -> an id that is none."""

    def read(self, chunk: Chunk, place: int, scores: Sequence[str]) -> ReadMaps:
        """The maps of a chunk, of which this is the model at that place, with the pool's class ids."""
        found = self.reader.read(chunk.ids, chunk.rows[place], scores=scores)
        if self.table is None:
            return found
        return replace(found, batch=replace(found.batch, values=self.table[found.batch.values]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a chunk brings."""

    table: pa.Table
    """Candidates: group, score, id, and the sample's row in the chunk."""
    seen: np.ndarray
    """int64 [groups], samples that a group's defender sees the class in."""
    fitting: np.ndarray
    """int64 [groups], those of them that fulfil the content constraint."""
    apart: np.ndarray
    """bool [rivals]: the rival's maps differ from the target's somewhere."""
    unscored: int
    """Samples without the score that the selector goes by."""
    faults: tuple[Fault, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class ChunkMeter:
    """Measures chunks one after the other. It remembers the worst score that can still enter each group, and leaves out what is below."""

    models: tuple[Model, ...]
    """The target, then the rivals."""
    classes: ClassTable
    groups: tuple[Group, ...]
    keep: tuple[int, ...]
    """Candidates that each group keeps."""
    bounds: np.ndarray
    """float64 [classes, 2]."""
    distance: Distance
    selection: Selection
    resize: bool
    """Whether a rival's map of another size is brought to the target's."""
    _best: pa.Table | None = field(default=None, init=False)

    def __call__(self, chunk: Chunk) -> Found:
        """The best candidates of a chunk, with the numbers of samples and what was wrong with some."""
        read = [model.read(chunk, place, self.selection.columns if place == 0 else ()) for place, model in enumerate(self.models)]
        batches, faults = self._comparable(chunk.ids, read)
        good = np.array([i not in faults for i in chunk.ids], bool)
        parts, distances = self._compared(batches, good)
        scores = selection_scores(self.selection, chunk.ids, batches, read[0].scores, classes=self.classes)
        return self._found(chunk.ids, parts, distances, scores, good, faults)

    def _found(
        self,
        ids: Sequence[str],
        parts: np.ndarray,
        distances: np.ndarray,
        scores: np.ndarray | None,
        good: np.ndarray,
        faults: Mapping[str, Fault],
    ) -> Found:
        if self.selection.selector == "core-set":
            return self._centres(ids, parts[0], distances, good, faults)
        found = sight(parts, bounds=self.bounds)
        floor = floors(self._best, keep=self.keep) if self._best is not None else np.full(len(self.groups), -np.inf)
        seen, fitting, tables = np.zeros(len(self.groups), np.int64), np.zeros(len(self.groups), np.int64), [COLUMNS.empty_table()]
        for number, group in enumerate(self.groups):
            if group.rival is None:
                sees, fits, own = good, good, scores
            else:
                (sees, fits), own = members(group, found, classes=self.classes), distances[group.rival]
            assert own is not None
            seen[number], fitting[number] = np.count_nonzero(good & sees), np.count_nonzero(good & fits)
            rows = np.flatnonzero(good & fits & (own >= floor[number]))
            if rows.size:
                tables.append(candidates(number, own, ids, rows=rows, keep=self.keep[number]))
        table = pa.concat_tables(tables)
        self._best = merged([table] if self._best is None else [self._best, table], keep=self.keep)
        return Found(
            table=table,
            seen=seen,
            fitting=fitting,
            apart=_apart(distances, good),
            unscored=0 if scores is None else int((good & np.isnan(scores)).sum()),
            faults=tuple(faults.values()),
        )

    def _centres(
        self, ids: Sequence[str], parts: np.ndarray, distances: np.ndarray, good: np.ndarray, faults: Mapping[str, Fault]
    ) -> Found:
        """The centres of a chunk, by the features given or by the square roots of the target's class areas."""
        known = self.selection.features
        places: list[int] = [row for row in np.flatnonzero(good).tolist() if known is None or ids[row] in known]
        rows, own = np.array(places, np.int64), [ids[row] for row in places]
        features = np.sqrt(parts[rows]) if known is None else np.array([known[i] for i in own]).reshape(len(own), -1)
        table = centre_table(features.astype(np.float32), own, rows, k=self.keep[0])
        number = np.array([np.count_nonzero(good)])
        return Found(
            table=table,
            seen=number,
            fitting=np.array([rows.size]),
            apart=_apart(distances, good),
            unscored=int(number[0] - rows.size),
            faults=tuple(faults.values()),
        )

    def _comparable(self, ids: Sequence[str], read: Sequence[ReadMaps]) -> tuple[list[RunBatch], dict[str, Fault]]:
        """The maps of all models, of one size for each sample; and by id what is wrong with some."""
        faults: dict[str, Fault] = {}
        for one in read:
            faults |= {fault.sample: fault for fault in one.faults if fault.sample and fault.sample not in faults}
        sizes, batches = read[0].batch.sizes_hw, [read[0].batch]
        for model, one in zip(self.models[1:], read[1:], strict=True):
            differing = np.flatnonzero((one.batch.sizes_hw != sizes).any(1)).tolist()
            other = [row for row in differing if ids[row] not in faults]
            if self.resize and other:
                batches.append(_resized(one.batch, sizes, other))
                continue
            for row in other:
                faults[ids[row]] = _size_fault(ids[row], self.models[0].name, sizes[row], model.name, one.batch.sizes_hw[row])
            batches.append(one.batch)
        places = class_places(self.classes.ids)
        for model, batch in zip(self.models, batches, strict=True):
            filled = class_areas(batch, places, classes=len(self.classes)).sum(1)
            for row in np.flatnonzero(filled != batch.sizes_hw.prod(1)).tolist():
                faults.setdefault(ids[row], _map_fault(ids[row], model, batch, row, self.classes))
        return batches, faults

    def _compared(self, batches: Sequence[RunBatch], good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Parts of the picture, float64 [models, samples, classes], and discrepancies, float64 [rivals, samples].

        Those of samples that are not good mean nothing.
        """
        places, classes = class_places(self.classes.ids), len(self.classes)
        areas = [class_areas(batch, places, classes=classes) for batch in batches]
        pixels = np.maximum(batches[0].sizes_hw.prod(1), 1)[:, None]
        distances = np.zeros((len(batches) - 1, len(good)))
        for r, rival in enumerate(batches[1:]):
            if self.distance == "region":
                distances[r, good] = [self._by_region(batches[0], rival, row) for row in np.flatnonzero(good).tolist()]
                continue
            shared = shared_areas(batches[0], rival, places, classes=classes)
            counts = ClassCounts(ids=self.classes.ids, hits=shared, truth=areas[0], predicted=areas[r + 1])
            distances[r] = discrepancy(counts, distance=self.distance, background=self.classes.background)
        return np.stack(areas) / pixels, distances

    def _by_region(self, target: RunBatch, rival: RunBatch, row: int) -> float:
        return region_discrepancy(target.map_of(row), rival.map_of(row), background=self.classes.background)


def _apart(distances: np.ndarray, good: np.ndarray) -> np.ndarray:
    return np.asarray((distances[:, good] > 0).any(axis=1)).reshape(-1)


def _resized(batch: RunBatch, sizes: np.ndarray, rows: Sequence[int]) -> RunBatch:
    """The batch with some maps brought to the sizes given."""
    others = set(rows)
    empty = np.flatnonzero((batch.sizes_hw == 0).any(1)).tolist()
    maps = [None if place in empty else batch.map_of(place) for place in range(len(batch))]
    return batch_of([resize_nearest(m, tuple(sizes[place].tolist())) if m and place in others else m for place, m in enumerate(maps)])


def _size_fault(sample_id: str, target: str, target_hw: np.ndarray, rival: str, rival_hw: np.ndarray) -> Fault:
    (h, w), (high, wide) = target_hw.tolist(), rival_hw.tolist()
    return make_fault(
        "size-mismatch",
        f"the map of '{target}' is {written_size((h, w))} and that of '{rival}' {written_size((high, wide))}",
        "Predict both at the size of the picture, or choose `--resize nearest`",
        sample=sample_id,
    )


def _map_fault(sample_id: str, model: Model, batch: RunBatch, row: int, classes: ClassTable) -> Fault:
    """Why the classes of a map do not add up to its pixels."""
    runs = slice(batch.offsets[row], batch.offsets[row + 1])
    unknown = sorted(set(np.unique(batch.values[runs]).tolist()) - set(classes.ids))
    if unknown:
        return make_fault(
            "unknown-class-id",
            f"the map of '{model.name}' holds {unknown[0]}, which is no class id of the pool",
            "Declare the classes that the model knows, or give a --class-map",
            sample=sample_id,
        )
    filled, size = int(batch.lengths[runs].sum(dtype=np.int64)), tuple(batch.sizes_hw[row].tolist())
    return make_fault(
        "corrupt-file",
        f"the runs of '{model.name}' fill {filled} pixels of a map that is {written_size(size)}",
        "Predict again",
        sample=sample_id,
    )
