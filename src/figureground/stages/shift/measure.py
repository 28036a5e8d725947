"""The facts of the pictures of a data set, measured in worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelSource, Sample
from figureground.data.dataset import Dataset
from figureground.data.pixels import read_picture
from figureground.runs.executor import Executor
from figureground.runs.progress import Reporter
from figureground.stages.shift.facts import FACTS, PictureFacts, measure_picture
from figureground.stages.shift.ground_features import FEATURES, ground_features

BATCH = 32
FACT_SCHEMA = pa.schema([("id", pa.string()), *((name, pa.float64()) for name in FACTS)])


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsMeter:
    """Measures batches of samples; picklable, one is built per worker."""

    masks: LabelSource | None
    classes: ClassTable

    def __call__(self, samples: Sequence[Sample]) -> list[PictureFacts]:
        """The facts of each sample; a faulty mask or picture raises `FormatError`."""
        return [self.facts(sample) for sample in samples]

    def facts(self, sample: Sample) -> PictureFacts:
        """The facts of one sample, its object being the pixels of its label; what it has no mask or no picture for is NaN."""
        runs = None if self.masks is None else self.masks.read(sample.id)
        rgb = read_picture(sample.image, sample=sample.id) if sample.image else None
        figure = self.classes.id_of(sample.label) if sample.label else None
        return measure_picture(rgb, runs, background=self.classes.background, ignore=self.classes.ignore, figure=figure)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundMeter:
    """Describes the grounds of batches of samples; picklable, one is built per worker."""

    masks: LabelSource
    classes: ClassTable

    def __call__(self, samples: Sequence[Sample]) -> np.ndarray:
        """float64 [samples, FEATURES]; a faulty mask or picture raises `FormatError`."""
        return np.stack([self._features(sample) for sample in samples])

    def _features(self, sample: Sample) -> np.ndarray:
        assert sample.image is not None
        ground = self.masks.read(sample.id).dense() == self.classes.background
        return ground_features(read_picture(sample.image, sample=sample.id), ground)


def facts_of(dataset: Dataset, *, executor: Executor, reporter: Reporter) -> list[PictureFacts]:
    """The facts of every sample, in order."""
    meter = partial(FactsMeter, masks=dataset.masks, classes=dataset.classes)
    found: list[PictureFacts] = []
    with reporter.track("measure", total=len(dataset), unit="pictures") as progress:
        for facts in executor.map_batches(meter, _batches(dataset.samples)):
            found += facts
            progress.advance(len(facts))
    return found


def grounds_of(dataset: Dataset, *, executor: Executor, reporter: Reporter) -> np.ndarray:
    """The features of the ground of every sample in order, float64 [samples, FEATURES].

    Raises:
        InputError: the data set has no masks, or a sample has no picture.
    """
    if dataset.masks is None:
        raise InputError(
            f"{dataset.name} has no masks, so nobody can say which pixels are ground. Give masks, or a column with the context"
        )
    if bare := next((s.id for s in dataset.samples if not s.image), None):
        raise InputError(f"{dataset.name}: sample '{bare}' has no picture, and contexts are found in pictures. Name the pictures")
    meter = partial(GroundMeter, masks=dataset.masks, classes=dataset.classes)
    found = [np.empty((0, FEATURES))]
    with reporter.track("look at grounds", total=len(dataset), unit="pictures") as progress:
        for features in executor.map_batches(meter, _batches(dataset.samples)):
            found.append(features)
            progress.advance(len(features))
    return np.concatenate(found)


def facts_to_table(ids: Sequence[str], facts: Sequence[PictureFacts]) -> pa.Table:
    """One row a sample; NaN stays NaN."""
    columns = [[getattr(one, name) for one in facts] for name in FACTS]
    return pa.Table.from_arrays([pa.array(ids, pa.string()), *(pa.array(c, pa.float64()) for c in columns)], schema=FACT_SCHEMA)


def table_to_facts(table: pa.Table) -> dict[str, PictureFacts]:
    """Sample id -> facts."""
    return {row["id"]: PictureFacts(**{name: row[name] for name in FACTS}) for row in table.to_pylist()}


def _batches(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    return [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
