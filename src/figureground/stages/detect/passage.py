"""Training pictures through the detector: decoding in threads, the network in batches, one grid a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import torch

from figureground.core.errors import Fault, FormatError, InputError
from figureground.core.types import Sample
from figureground.data.faults import refusal
from figureground.data.grids import grid_rows
from figureground.data.parquet import FAULTS
from figureground.data.paths import content_digest, read_bytes
from figureground.data.pixels import read_picture
from figureground.models.grid import GridNetwork
from figureground.models.inputs import normalised, resized
from figureground.models.predictor import PredictorSpec

THREADS = 2
"""Threads that decode pictures beside the network."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passage:
    """A detector that is ready to run."""

    network: GridNetwork
    """In evaluation mode, on `device`."""
    spec: PredictorSpec
    """How pictures become its inputs; of one size for all."""
    device: torch.device
    batch: int
    collect: bool
    """A picture with a fault becomes a row of the table `faults`; without, it raises."""

    def __call__(self, samples: Sequence[Sample]) -> dict[str, pa.Table]:
        """Tables `grids` and `faults` of some samples, rows in their order."""
        found = list(self.outcomes(samples))
        faults = [dataclasses.asdict(one) for _, one in found if isinstance(one, Fault)]
        grids = [(sample, one) for sample, one in found if isinstance(one, np.ndarray)]
        pictures = {sample.id: content_digest(read_bytes(sample.image, sample=sample.id)) for sample, _ in grids if sample.image}
        return {
            "grids": grid_rows(((sample.id, one) for sample, one in grids), pictures),
            "faults": pa.Table.from_pylist(faults, FAULTS),
        }

    def outcomes(self, samples: Sequence[Sample]) -> Iterator[tuple[Sample, np.ndarray | Fault]]:
        """Each sample with P(background), float32 [rows, columns], or with what is wrong with its picture; in their order.

        Raises:
            FormatError: a faulty picture, unless faults are collected.
            InputError: a network that gives numbers which are not finite.
        """
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(samples), self.batch):
                part = samples[start : start + self.batch]
                inputs = list(pool.map(self._input, part))
                grids = iter(self._grids([one for one in inputs if isinstance(one, np.ndarray)]))
                for sample, one in zip(part, inputs, strict=True):
                    yield sample, one if isinstance(one, Fault) else next(grids)

    def _input(self, sample: Sample) -> np.ndarray | Fault:
        """float32 [3, height, width]."""
        try:
            if sample.image is None:
                raise refusal("missing-file", "the sample has no picture", "Name its picture, or leave the sample out", sample=sample.id)
            picture = read_picture(sample.image, sample=sample.id)
        except FormatError as error:
            if not self.collect:
                raise
            return error.fault
        assert self.spec.size_hw is not None
        return normalised(resized(picture, self.spec.size_hw, self.spec.resize), self.spec)

    def _grids(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """float32 [pictures, rows, columns] in [0, 1]."""
        if not inputs:
            return np.empty((0, 1, 1), np.float32)
        with torch.inference_mode():
            found = self.network.cells(torch.from_numpy(np.stack(inputs)).to(self.device)).float().sigmoid().to("cpu").numpy()
        if not np.isfinite(found).all():
            raise InputError("the detector gives numbers that are not finite. Train it with a lower --lr, or with --precision fp32")
        return found
