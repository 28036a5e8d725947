"""Pictures through a network in batches: decoding and reducing in threads, the network in between, never more held than a few batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from figureground.core.errors import Fault, FormatError, InputError
from figureground.core.types import ClassTable, LabelSource, Sample
from figureground.data.faults import refusal
from figureground.data.paths import content_digest, read_bytes
from figureground.data.pixels import decode_picture
from figureground.models.inputs import InputPlan, network_planes, plan_input, window_inputs
from figureground.models.logits import WindowBlend, native_rows
from figureground.models.predictor import Predictor, PredictorSpec
from figureground.runs.executor import available_cores
from figureground.stages.predict.reduce import PictureReducer, Predicted, not_finite, tables_of

BAND_VALUES = 1 << 20
"""Logits at the size of the picture that a thread holds at a time; fewer cost calls, more bring nothing."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A picture on its way to the network."""

    sample: Sample
    digest: str
    """Of the content of the picture's file."""
    plan: InputPlan
    planes: np.ndarray
    """float32 [3, height, width], normalised."""


Outcome = Predicted | Fault


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchPredictor:
    """Predicts batches of samples.

    With `collect`, a sample whose picture or mask has a fault becomes a row of the table `faults`; without, it raises.
    """

    predictor: Predictor
    spec: PredictorSpec
    """How pictures become inputs; the predictor's own, or with another window."""
    classes: ClassTable
    batch: int
    threads: int
    """0 = one per core."""
    collect: bool
    masks: LabelSource | None = None
    """Masks of the samples, where there are any: not needed, but a faulty one is told here as everywhere."""

    def __call__(self, samples: Sequence[Sample]) -> dict[str, pa.Table]:
        """Tables `labels`, `regions` and `faults` of some samples, rows in their order."""
        threads = self.threads or available_cores()
        # a picture under a sliding window can be large, and keeps the network busy for long
        ahead = 2 * self.batch if self.spec.window == "none" else threads + 1
        done: dict[str, Future[Outcome]] = {}
        digests: dict[str, str] = {}
        with ThreadPoolExecutor(threads) as pool:
            prepared = _settled(map_ahead(pool, self._prepare, samples, ahead=ahead), done)
            pending: deque[Future[Outcome]] = deque()
            for group in same_size_groups(prepared, batch=self.batch):
                for picture, future in self._submit(pool, group):
                    done[picture.sample.id], digests[picture.sample.id] = future, picture.digest
                    pending.append(future)
                while len(pending) > ahead:
                    pending.popleft().result()
            outcomes = [done[sample.id].result() for sample in samples]
        return tables_of([o for o in outcomes if isinstance(o, Predicted)], [o for o in outcomes if isinstance(o, Fault)], digests)

    def holds(self, sample: Sample) -> bool:
        """Whether the mask of a sample, where there is one, is without fault."""
        try:
            self._check_mask(sample)
        except FormatError:
            return False
        return True

    def _prepare(self, sample: Sample) -> Prepared | Fault:
        try:
            if sample.image is None:
                raise refusal("missing-file", "the sample has no picture", "Name its picture, or leave the sample out", sample=sample.id)
            content = read_bytes(sample.image, sample=sample.id)
            picture = decode_picture(content, file=sample.image, sample=sample.id)
            self._check_mask(sample)
        except FormatError as error:
            return self._fault(error.fault)
        plan = plan_input((picture.shape[0], picture.shape[1]), self.spec)
        planes = network_planes(picture, plan, self.spec)
        return Prepared(sample=sample, digest=content_digest(content), plan=plan, planes=planes)

    def _check_mask(self, sample: Sample) -> None:
        if self.masks is None:
            return
        try:
            self.masks.read(sample.id)
        except FormatError as error:
            if error.fault.code != "missing-mask":  # pictures without a mask may be predicted
                raise

    def _submit(self, pool: ThreadPoolExecutor, group: Sequence[Prepared]) -> Iterator[tuple[Prepared, Future[Outcome]]]:
        """Runs the network over a group and leaves the rest to the threads."""
        if group[0].plan.windows > 1:
            for picture in group:
                yield picture, self._slide(pool, picture)
            return
        inputs = np.concatenate([window_inputs(picture.planes, picture.plan, 0) for picture in group])
        for picture, logits in zip(group, self._logits(inputs), strict=True):
            yield picture, pool.submit(self._reduce_whole, picture.sample, picture.plan, logits)

    def _slide(self, pool: ThreadPoolExecutor, picture: Prepared) -> Future[Outcome]:
        """Runs the network over the windows of a picture from the top down; each row of windows is reduced behind the one above it."""
        blend = WindowBlend(picture.plan, classes=len(self.classes), taper=self.spec.window == "taper")
        reducer = PictureReducer(picture.plan.native_hw, self.classes)
        earlier: Future[None] | None = None
        for place, top in enumerate(picture.plan.tops):
            logits = self._logits(window_inputs(picture.planes, picture.plan, top))
            if earlier is not None:
                earlier.result()  # one row waits while the next is computed, never more
            if not np.isfinite(logits).all():
                return pool.submit(self._fault, not_finite(picture.sample))
            earlier = pool.submit(_reduce_band, blend, reducer, place, logits)
        return pool.submit(self._finish, picture.sample, reducer, earlier)

    def _finish(self, sample: Sample, reducer: PictureReducer, last: Future[None] | None) -> Outcome:
        if last is not None:
            last.result()  # it was begun before this, so a free thread has it
        return reducer.finish(sample.id)

    def _reduce_whole(self, sample: Sample, plan: InputPlan, logits: np.ndarray) -> Outcome:
        if not np.isfinite(logits).all():
            return self._fault(not_finite(sample))
        reducer = PictureReducer(plan.native_hw, self.classes)
        height, width = plan.native_hw
        step = max(1, BAND_VALUES // (len(logits) * width))
        for first in range(0, height, step):
            reducer.add(native_rows(logits, plan, first, min(first + step, height)))
        return reducer.finish(sample.id)

    def _logits(self, inputs: np.ndarray) -> np.ndarray:
        """Logits of any number of inputs, `batch` at a time."""
        parts = [self._checked(inputs[start : start + self.batch]) for start in range(0, len(inputs), self.batch)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _checked(self, inputs: np.ndarray) -> np.ndarray:
        logits = self.predictor.forward(inputs)
        if logits.ndim != 4 or logits.shape[:2] != (len(inputs), len(self.classes)):
            raise InputError(
                f"{self.spec.kind}:{self.spec.where}: must give logits [{len(inputs)}, {len(self.classes)}, height, width] "
                f"for {len(inputs)} inputs and {len(self.classes)} classes; got {list(logits.shape)}"
            )
        return logits

    def _fault(self, fault: Fault) -> Fault:
        if not self.collect:
            raise FormatError(fault)
        return fault


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
    """Pictures with inputs of one size, `batch` at a time but for the last of a size; a picture of several windows comes alone.

    The groups depend on the order of the pictures alone, so that the same samples always meet in the same batch. Where many sizes wait,
    the one that waits longest goes first, so that no more than four batches are held.
    """
    waiting: dict[tuple[int, int], list[Prepared]] = {}
    for picture in pictures:
        if picture.plan.windows > 1:
            yield [picture]
            continue
        group = waiting.setdefault(picture.plan.input_hw, [])
        group.append(picture)
        if len(group) >= batch:
            yield waiting.pop(picture.plan.input_hw)
        elif sum(map(len, waiting.values())) >= 4 * batch:
            yield waiting.pop(next(iter(waiting)))
    yield from waiting.values()


def _settled(items: Iterable[Prepared | Fault], done: dict[str, Future[Outcome]]) -> Iterator[Prepared]:
    """The pictures that could be read; the faults of the others are put into `done`."""
    for item in items:
        if isinstance(item, Fault):
            future: Future[Outcome] = Future()
            future.set_result(item)
            done[item.sample or ""] = future
        else:
            yield item


def _reduce_band(blend: WindowBlend, reducer: PictureReducer, place: int, logits: np.ndarray) -> None:
    reducer.add(blend.add(place, logits))
