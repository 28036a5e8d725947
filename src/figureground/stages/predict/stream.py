"""Pictures through a network in batches: decoding and reducing in threads, the network in between, never more held than a few batches."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from figureground.core.errors import Fault, FormatError, InputError
from figureground.core.types import ClassTable, LabelRuns, Sample
from figureground.data.faults import refusal
from figureground.data.labelmap import RUN_FIELDS, encode_runs, runs_to_columns
from figureground.metrics.regions import component_runs
from figureground.metrics.risk import SCORES, reduce_logits, region_means
from figureground.models.inputs import InputPlan, native_logits, network_inputs, plan_input
from figureground.models.pictures import read_picture
from figureground.models.predictor import Predictor, PredictorSpec

LABEL_SCHEMA = pa.schema([pa.field("id", pa.string(), nullable=False), *RUN_FIELDS, *((name, pa.float64()) for name in SCORES)])
REGION_SCHEMA = pa.schema([("id", pa.string()), ("region", pa.int32()), ("class_id", pa.int32()), ("flip_risk", pa.float64())])
FAULT_SCHEMA = pa.schema([(name, pa.string()) for name in ("code", "problem", "remedy", "sample", "file")])

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A picture on its way to the network."""

    sample: Sample
    plan: InputPlan
    inputs: np.ndarray
    """float32 [windows, 3, height, width]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """All that is kept of one picture."""

    id: str
    runs: LabelRuns
    scores: tuple[float, ...]
    """In the order of `SCORES`; NaN where nothing is predicted foreground."""
    region_classes: np.ndarray
    """int64 [regions], class id."""
    region_risks: np.ndarray
    """float64 [regions], mean flip-risk; regions as `component_runs` numbers them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchPredictor:
    """Predicts batches of samples. With `collect`, a picture with a fault becomes a row of the table `faults`; without, it raises."""

    predictor: Predictor
    spec: PredictorSpec
    """How pictures become inputs; the predictor's own, or with another window."""
    classes: ClassTable
    batch: int
    threads: int
    collect: bool

    def __call__(self, samples: Sequence[Sample]) -> dict[str, pa.Table]:
        """Tables `labels`, `regions` and `faults` of some samples, rows in their order."""
        with ThreadPoolExecutor(self.threads or os.cpu_count() or 1) as pool:
            prepared = map_ahead(pool, self._prepare, samples, ahead=2 * self.batch)
            done: dict[str, Future[Predicted | Fault] | Fault] = {}
            pending: deque[Future[Predicted | Fault]] = deque()
            for picture, logits in self._forward(_only_prepared(prepared, done)):
                done[picture.sample.id] = future = pool.submit(self._reduce, picture, logits)
                pending.append(future)
                if len(pending) > 2 * self.batch:
                    pending.popleft().result()
            found = [done[sample.id] for sample in samples]
            results = [one.result() if isinstance(one, Future) else one for one in found]
        return _tables([r for r in results if isinstance(r, Predicted)], [r for r in results if isinstance(r, Fault)])

    def _prepare(self, sample: Sample) -> Prepared | Fault:
        try:
            if sample.image is None:
                raise refusal("missing-file", "the sample has no picture", "Name its picture, or leave the sample out", sample=sample.id)
            picture = read_picture(sample.image, sample=sample.id)
        except FormatError as error:
            if not self.collect:
                raise
            return error.fault
        plan = plan_input((picture.shape[0], picture.shape[1]), self.spec)
        return Prepared(sample=sample, plan=plan, inputs=network_inputs(picture, plan, self.spec))

    def _forward(self, pictures: Iterable[Prepared]) -> Iterator[tuple[Prepared, np.ndarray]]:
        """Each picture with the logits of its windows."""
        for group in same_size_groups(pictures, batch=self.batch):
            inputs = group[0].inputs if len(group) == 1 else np.concatenate([picture.inputs for picture in group])
            parts = [self._checked(inputs[start : start + self.batch]) for start in range(0, len(inputs), self.batch)]
            logits = parts[0] if len(parts) == 1 else np.concatenate(parts)
            first = 0
            for picture in group:
                yield picture, logits[first : first + len(picture.inputs)]
                first += len(picture.inputs)

    def _checked(self, inputs: np.ndarray) -> np.ndarray:
        logits = self.predictor.forward(inputs)
        if logits.ndim != 4 or logits.shape[:2] != (len(inputs), len(self.classes)):
            raise InputError(
                f"{self.spec.kind}:{self.spec.where}: must give logits [{len(inputs)}, {len(self.classes)}, height, width] "
                f"for {len(inputs)} inputs and {len(self.classes)} classes; got {list(logits.shape)}"
            )
        return logits

    def _reduce(self, picture: Prepared, logits: np.ndarray) -> Predicted | Fault:
        if not np.isfinite(logits).all():
            fault = _not_finite(picture.sample)
            if not self.collect:
                raise FormatError(fault)
            return fault
        native = native_logits(logits, picture.plan, self.spec)
        reduced = reduce_logits(native, background=self.classes.background, ids=self.classes.ids)
        runs = encode_runs(reduced.label_map)
        regions = component_runs(runs, background=self.classes.background, ignore=None)
        return Predicted(
            id=picture.sample.id,
            runs=runs,
            scores=tuple(reduced.scores[name] for name in SCORES),
            region_classes=regions.class_id,
            region_risks=region_means(reduced.risk, regions),
        )


def map_ahead(pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], *, ahead: int) -> Iterator[Result]:
    """Results in the order of the items, at most `ahead` of them begun before they are asked for."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def same_size_groups(pictures: Iterable[Prepared], *, batch: int) -> Iterator[list[Prepared]]:
    """Pictures with inputs of one size, together at least `batch` inputs but for the last of a size.

    The groups depend on the order of the pictures alone, so that the same samples always meet in the same batch. Where many sizes wait,
    the one that waits longest goes first, so that no more than four batches are held.
    """
    waiting: dict[tuple[int, int], list[Prepared]] = {}
    for picture in pictures:
        group = waiting.setdefault(picture.plan.input_hw, [])
        group.append(picture)
        if _inputs(group) >= batch:
            yield waiting.pop(picture.plan.input_hw)
        elif sum(map(_inputs, waiting.values())) >= 4 * batch:
            yield waiting.pop(next(iter(waiting)))
    yield from waiting.values()


def _inputs(group: Sequence[Prepared]) -> int:
    return sum(len(picture.inputs) for picture in group)


def _only_prepared(items: Iterable[Prepared | Fault], done: dict[str, Future[Predicted | Fault] | Fault]) -> Iterator[Prepared]:
    """The pictures that could be read; the faults of the others are put into `done`."""
    for item in items:
        if isinstance(item, Fault):
            done[item.sample or ""] = item
        else:
            yield item


def _not_finite(sample: Sample) -> Fault:
    return Fault(
        code="bad-logits",
        problem="the network gives logits that are not finite for this picture",
        remedy="Check its weights and the normalisation in the model spec; a network in half precision can overflow",
        sample=sample.id,
        file=sample.image,
    )


def _tables(predicted: Sequence[Predicted], faults: Sequence[Fault]) -> dict[str, pa.Table]:
    scores = np.array([p.scores for p in predicted], np.float64).reshape(len(predicted), len(SCORES))
    columns = [
        pa.array([p.id for p in predicted], pa.string()),
        *runs_to_columns([p.runs for p in predicted]),
        *(pa.array(column, pa.float64(), from_pandas=True) for column in scores.T),
    ]
    regions = [
        pa.array([p.id for p in predicted for _ in p.region_risks], pa.string()),
        pa.array(_joined([np.arange(p.region_risks.size) for p in predicted]), pa.int32()),
        pa.array(_joined([p.region_classes for p in predicted]), pa.int32()),
        pa.array(_joined([p.region_risks for p in predicted]), pa.float64()),
    ]
    return {
        "labels": pa.Table.from_arrays(columns, schema=LABEL_SCHEMA),
        "regions": pa.Table.from_arrays(regions, schema=REGION_SCHEMA),
        "faults": pa.Table.from_pylist([asdict(fault) for fault in faults], FAULT_SCHEMA),
    }


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
