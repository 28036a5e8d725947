"""Predictions that are there already: what the same model said of a picture that has not changed is not worked out again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from figureground.core.types import ClassTable, Sample
from figureground.data.paths import stamp
from figureground.models.predictor import PredictorSpec, predictor_spec_to_json
from figureground.runs.artifact import is_artifact, read_manifest, to_json
from figureground.version import __version__

MODEL_KEY = "model_key"
"""Where the manifest of predictions says which model and settings they are of."""


def model_key(spec: PredictorSpec, classes: ClassTable, *, batch: int) -> str | None:
    """A digest of all that decides what a model says of a picture; None where its weights have no digest, so that nobody can tell."""
    if spec.sha256 is None:
        return None
    body = {"model": predictor_spec_to_json(spec), "sha256": spec.sha256, "classes": repr(classes), "batch": batch, "version": __version__}
    return hashlib.sha256(to_json({**body, "device": spec.device}, indent=None).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Rows of earlier predictions that still hold."""

    places: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Sample id -> file of label maps, and the row in it."""

    def __len__(self) -> int:
        return len(self.places)

    def tables(self, samples: Sequence[Sample]) -> dict[str, pa.Table]:
        """The rows `labels` and `regions` of some samples, those of a file together."""
        by_file: dict[str, list[int]] = {}
        for sample in samples:
            file, row = self.places[sample.id]
            by_file.setdefault(file, []).append(row)
        labels, regions = [], []
        for file, rows in by_file.items():
            found = pq.read_table(file).take(pa.array(rows))
            labels.append(found)
            own = pq.read_table(Path(file).parent.parent / "regions" / Path(file).name)
            regions.append(own.filter(pc.field("id").isin(found["id"].to_pylist())))
        return {"labels": pa.concat_tables(labels), "regions": pa.concat_tables(regions)}


def kept_predictions(folders: Sequence[Path], key: str | None, samples: Sequence[Sample]) -> Kept:
    """What may be taken over from earlier predictions.

    Args:
        folders: where predictions may stand; what is none, or is of another model, is passed over.
        key: from `model_key`.
        samples: those that are wanted.

    Returns:
        The rows of samples whose id, and whose picture's size and time of change, are the same.
    """
    found: dict[str, tuple[str, int]] = {}
    own = [folder for folder in folders if key and is_artifact(folder) and read_manifest(folder).details.get(MODEL_KEY) == key]
    if not own:
        return Kept()
    stamps = {sample.id: stamp(sample.image) for sample in samples if sample.image}
    for folder in own:
        for file in sorted((folder / "labels").glob("*.parquet")):
            table = pq.read_table(file, columns=["id", "picture"])
            for row, (sample_id, picture) in enumerate(zip(*(column.to_pylist() for column in table.columns), strict=True)):
                if picture is not None and stamps.get(sample_id) == picture:
                    found[sample_id] = (str(file), row)
    return Kept(places=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReusingWorker:
    """Predicts the samples of a batch that are new, and takes the rows of the others over; the order is that of the samples."""

    predict: Callable[[Sequence[Sample]], dict[str, pa.Table]]
    holds: Callable[[Sample], bool]
    """Whether a sample's mask, where it has one, is without fault: others go the way of new ones, which tells the fault."""
    kept: Kept

    def __call__(self, samples: Sequence[Sample]) -> dict[str, pa.Table]:
        """Tables `labels`, `regions` and `faults`."""
        old = [sample for sample in samples if sample.id in self.kept.places and self.holds(sample)]
        taken = {sample.id for sample in old}
        tables = self.predict([sample for sample in samples if sample.id not in taken])
        if not old:
            return tables
        order = {sample.id: place for place, sample in enumerate(samples)}
        kept = self.kept.tables(old)
        return {
            **tables,
            **{name: _ordered(pa.concat_tables([tables[name], kept[name].cast(tables[name].schema)]), order) for name in kept},
        }


def _ordered(table: pa.Table, order: Mapping[str, int]) -> pa.Table:
    """The rows by the place of their sample; rows of one sample keep their order."""
    places = [order[i] for i in table["id"].to_pylist()]
    return table.take(pa.array(sorted(range(len(places)), key=places.__getitem__), pa.int64()))
