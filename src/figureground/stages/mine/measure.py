"""What a worker does with a chunk of samples: reads every model's maps, compares them, and keeps the best candidates of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from figureground.core.errors import Fault
from figureground.core.types import ClassTable, RunBatch, batch_of
from figureground.data.align import Chunk
from figureground.data.faults import make_fault, written_size
from figureground.data.labelmap import resize_nearest
from figureground.data.parquet import PREDICT_AGAIN
from figureground.data.prediction_stream import MapReader, ReadMaps
from figureground.metrics.discrepancy import Distance, class_areas, class_places
from figureground.stages.mine.compare import Comparison, compare
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

    def translated(self, batch: RunBatch) -> RunBatch:
        """Its maps with the class ids of the pool."""
        return batch if self.table is None else replace(batch, values=self.table[batch.values])


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
        columns = self.selection.columns
        read = [
            model.reader.read(chunk.ids, chunk.rows[place], scores=columns if place == 0 else ()) for place, model in enumerate(self.models)
        ]
        batches, faults = self._comparable(chunk, read)
        good = np.array([i not in faults for i in chunk.ids], bool)
        found = compare(batches, good, classes=self.classes, distance=self.distance if self.selection.selector == "mad" else None)
        scores = selection_scores(self.selection, chunk.ids, batches, read[0].scores, classes=self.classes)
        if self.selection.selector == "core-set":
            table, seen, fitting = self._centres(chunk.ids, found.parts[0], scores, good)
        else:
            table, seen, fitting = self._candidates(chunk.ids, found, scores, good)
        return Found(
            table=table,
            seen=seen,
            fitting=fitting,
            apart=np.asarray((found.differing & good).any(axis=1)),
            unscored=0 if scores is None else int((good & np.isnan(scores)).sum()),
            faults=tuple(faults.values()),
        )

    def _candidates(
        self, ids: Sequence[str], found: Comparison, scores: np.ndarray | None, good: np.ndarray
    ) -> tuple[pa.Table, np.ndarray, np.ndarray]:
        """The best candidates of each group, and how many samples it has and may choose from."""
        seer = sight(found.parts, bounds=self.bounds)
        floor = floors(self._best, keep=self.keep) if self._best is not None else np.full(len(self.groups), -np.inf)
        seen, fitting, tables = np.zeros(len(self.groups), np.int64), np.zeros(len(self.groups), np.int64), [COLUMNS.empty_table()]
        for number, group in enumerate(self.groups):
            if group.rival is None:
                sees, fits, own = good, good, scores
            else:
                (sees, fits), own = members(group, seer, classes=self.classes), found.distances[group.rival]
                own = np.where(own > 0, own, np.nan)  # where the two agree there is nothing to ask
            assert own is not None
            seen[number], fitting[number] = np.count_nonzero(good & sees), np.count_nonzero(good & fits)
            rows = np.flatnonzero(good & fits & (own >= floor[number]))  # NaN is no candidate
            if rows.size:
                tables.append(candidates(number, own, ids, rows=rows, keep=self.keep[number]))
        table = pa.concat_tables(tables)
        self._best = merged([table] if self._best is None else [self._best, table], keep=self.keep)
        return table, seen, fitting

    def _centres(
        self, ids: Sequence[str], parts: np.ndarray, scores: np.ndarray | None, good: np.ndarray
    ) -> tuple[pa.Table, np.ndarray, np.ndarray]:
        """The centres of a chunk, by the features given or by the square roots of the target's class areas."""
        assert scores is not None
        rows, known = np.flatnonzero(good & ~np.isnan(scores)), self.selection.features
        own = [ids[row] for row in rows.tolist()]
        features = np.sqrt(parts[rows]) if known is None else np.array([known[i] for i in own])
        table = centre_table(features, own, rows, k=self.keep[0])
        return table, np.array([np.count_nonzero(good)]), np.array([rows.size])

    def _comparable(self, chunk: Chunk, read: Sequence[ReadMaps]) -> tuple[list[RunBatch], dict[str, Fault]]:
        """The maps of all models, of one size for each sample; and by id what is wrong with some."""
        ids = chunk.ids
        faults: dict[str, Fault] = {}
        batches: list[RunBatch] = []

        def file(place: int, row: int) -> str | None:
            return self.models[place].reader.file_of(ids[row], chunk.rows[place], place=row)

        for place, (model, one) in enumerate(zip(self.models, read, strict=True)):
            faults |= {fault.sample: fault for fault in one.faults if fault.sample and fault.sample not in faults}
            batches.append(model.translated(one.batch))
            for row in self._unusable(batches[-1]):
                fault = _map_fault(ids[row], model, one.batch, batches[-1], row, self.classes)
                faults.setdefault(ids[row], replace(fault, file=file(place, row)))
        sizes = batches[0].sizes_hw
        for place, batch in enumerate(batches[1:], start=1):
            other = [row for row in np.flatnonzero((batch.sizes_hw != sizes).any(1)).tolist() if ids[row] not in faults]
            if self.resize and other:
                batches[place] = _resized(batch, sizes, other)
                continue
            for row in other:
                fault = _size_fault(ids[row], self.models[0].name, sizes[row], self.models[place].name, batch.sizes_hw[row])
                faults[ids[row]] = replace(fault, file=file(place, row))
        return batches, faults

    def _unusable(self, batch: RunBatch) -> list[int]:
        """Maps without pixels, that their runs do not fill, or with values that are no class."""
        filled = class_areas(batch, class_places(self.classes.ids), classes=len(self.classes)).sum(1)
        return np.flatnonzero((batch.sizes_hw < 1).any(1) | (filled != batch.sizes_hw.prod(1))).tolist()


def _resized(batch: RunBatch, sizes: np.ndarray, rows: Sequence[int]) -> RunBatch:
    """The batch with some maps brought to the sizes given; maps that cannot be used are empty in it."""
    wanted, lengths = set(rows), np.concatenate([[0], np.cumsum(batch.lengths, dtype=np.int64)])
    whole = (np.diff(lengths[batch.offsets]) == batch.sizes_hw.prod(1)) & (batch.sizes_hw > 0).all(1)
    maps = [batch.map_of(place) if whole[place] else None for place in range(len(batch))]
    return batch_of([resize_nearest(m, tuple(sizes[place].tolist())) if m and place in wanted else m for place, m in enumerate(maps)])


def _size_fault(sample_id: str, target: str, target_hw: np.ndarray, rival: str, rival_hw: np.ndarray) -> Fault:
    (h, w), (high, wide) = target_hw.tolist(), rival_hw.tolist()
    return make_fault(
        "size-mismatch",
        f"the map of '{target}' is {written_size((h, w))} and that of '{rival}' {written_size((high, wide))}",
        "Predict both at the size of the picture, or choose `--resize nearest`",
        sample=sample_id,
    )


def _map_fault(sample_id: str, model: Model, raw: RunBatch, batch: RunBatch, row: int, classes: ClassTable) -> Fault:
    """Why the classes of a map do not add up to its pixels; `raw` is the batch with the model's own class ids."""
    runs = slice(batch.offsets[row], batch.offsets[row + 1])
    unknown = np.unique(raw.values[runs][~np.isin(batch.values[runs], classes.ids)]).tolist()
    if unknown:
        return make_fault(
            "unknown-class-id",
            f"the map of '{model.name}' holds {unknown[0]}, which is no class id of the {'pool' if model.table is None else 'model'}",
            "Declare the classes that the model knows, or give a --class-map",
            sample=sample_id,
        )
    filled, size = int(batch.lengths[runs].sum(dtype=np.int64)), tuple(batch.sizes_hw[row].tolist())
    return make_fault(
        "corrupt-file",
        f"the runs of '{model.name}' fill {filled} pixels of a map that is {written_size(size)}",
        PREDICT_AGAIN,
        sample=sample_id,
    )
