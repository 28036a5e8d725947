"""Predictions that are there already: what the same model said of a picture of the same content is not worked out again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from figureground.core.errors import FormatError
from figureground.core.types import ClassTable, Sample
from figureground.data.paths import content_digest, read_bytes, strict_stamp
from figureground.models.predictor import PredictorSpec, predictor_spec_to_json
from figureground.runs.artifact import is_artifact, read_manifest, to_json
from figureground.runs.executor import available_cores
from figureground.version import __version__

MODEL_KEY = "model_key"
"""Where the manifest of predictions says which model and settings they are of."""
FILES = "files"
"""Where it has the digest of each table, by which a damaged one is told."""
TABLES = ("labels", "regions")
TAKEN = "taken"
"""The table of shards that says how many pictures were taken over."""
_BLOCK = 1 << 22


def model_key(spec: PredictorSpec, classes: ClassTable, *, batch: int) -> str | None:
    """A digest of all that decides what a model says of a picture; None where its weights have no digest, so that nobody can tell."""
    if spec.sha256 is None:
        return None
    body = {"model": predictor_spec_to_json(spec), "sha256": spec.sha256, "classes": repr(classes), "batch": batch, "version": __version__}
    return hashlib.sha256(to_json({**body, "device": spec.device}, indent=None).encode()).hexdigest()


def table_digests(folder: Path) -> dict[str, str]:
    """Path below `folder` -> digest of every table of predictions; one that cannot be read has none."""
    found: dict[str, str] = {}
    for file in sorted(file for name in TABLES for file in (folder / name).glob("*.parquet")):
        digest = hashlib.blake2b(digest_size=16)
        try:
            with file.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    digest.update(block)
        except OSError:
            continue
        found[f"{file.parent.name}/{file.name}"] = digest.hexdigest()
    return found


def damaged_tables(folder: Path) -> list[str]:
    """The tables of predictions, as paths below `folder`, that are not as they were written, or gone."""
    written: dict[str, str] = read_manifest(folder).details.get(FILES) or {}
    found = table_digests(folder)
    return [name for name, digest in written.items() if found.get(name) != digest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Rows of earlier predictions of the same model."""

    places: Mapping[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    """Sample id and digest of its picture's content -> file of label maps, and the row in it."""
    ids: Collection[str] = ()
    """Samples that have such rows, of whatever content."""

    def tables(self, samples: Sequence[tuple[str, str]]) -> dict[str, pa.Table]:
        """The rows `labels` and `regions` of some samples, given by id and digest; those of a file together."""
        by_file: dict[str, list[int]] = {}
        for sample in samples:
            file, row = self.places[sample]
            by_file.setdefault(file, []).append(row)
        labels, regions = [], []
        for file, rows in by_file.items():
            all_labels, all_regions = _both_tables(file, strict_stamp(file))
            labels.append(all_labels.take(pa.array(rows)))
            regions.append(all_regions.filter(pc.field("id").isin(labels[-1]["id"].to_pylist())))
        return {"labels": pa.concat_tables(labels), "regions": pa.concat_tables(regions)}


def kept_predictions(folders: Sequence[Path], key: str | None, samples: Sequence[Sample]) -> Kept:
    """What may be taken over from earlier predictions, if the contents of the pictures are the same.

    Args:
        folders: where predictions may stand; what is none, or is of another model, is passed over, and so are damaged tables.
        key: from `model_key`.
        samples: those that are wanted.
    """
    wanted = {sample.id for sample in samples}
    found: dict[tuple[str, str], tuple[str, int]] = {}
    for folder in folders:
        if not key or not is_artifact(folder) or read_manifest(folder).details.get(MODEL_KEY) != key:
            continue
        broken = {Path(name).name for name in damaged_tables(folder)}
        for file in sorted(file for file in (folder / "labels").glob("*.parquet") if file.name not in broken):
            table = pq.read_table(file, columns=["id", "picture"])
            for row, (sample_id, digest) in enumerate(zip(*(column.to_pylist() for column in table.columns), strict=True)):
                if digest is not None and sample_id in wanted:
                    found[sample_id, digest] = (str(file), row)
    return Kept(places=found, ids=frozenset(sample_id for sample_id, _ in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReusingWorker:
    """Predicts the samples of a batch that are new, and takes the rows of the others over; the order is that of the samples."""

    predict: Callable[[Sequence[Sample]], dict[str, pa.Table]]
    holds: Callable[[Sample], bool]
    """Whether a sample's mask, where it has one, is without fault: others go the way of new ones, which tells the fault."""
    kept: Kept

    def __call__(self, samples: Sequence[Sample]) -> dict[str, pa.Table]:
        """Tables `labels`, `regions` and `faults`, and `taken`: how many pictures were taken over."""
        old = self._old(samples)
        tables: dict[str, Any] = self.predict([sample for sample in samples if sample.id not in old])
        tables[TAKEN] = pa.table({"pictures": pa.array([len(old)], pa.int64())})
        if not old:
            return tables
        order = {sample.id: place for place, sample in enumerate(samples)}
        kept = self.kept.tables(list(old.items()))
        return {
            **tables,
            **{name: _ordered(pa.concat_tables([tables[name], kept[name].cast(tables[name].schema)]), order) for name in kept},
        }

    def _old(self, samples: Sequence[Sample]) -> dict[str, str]:
        """Id -> digest of the samples whose rows can be taken over; their pictures are read for it."""
        known = [sample for sample in samples if sample.id in self.kept.ids]
        if not known:
            return {}
        with ThreadPoolExecutor(available_cores()) as pool:
            digests = dict(zip((sample.id for sample in known), pool.map(_digest_of, known), strict=True))
        places = self.kept.places
        return {s.id: digest for s in known if (digest := digests[s.id]) and (s.id, digest) in places and self.holds(s)}


@lru_cache(maxsize=1)
def _both_tables(file: str, stamp: str) -> tuple[pa.Table, pa.Table]:
    """Labels and regions of a file, which the batches of a worker mostly share; `stamp` tells another file of that name."""
    del stamp
    return pq.read_table(file), pq.read_table(Path(file).parent.parent / "regions" / Path(file).name)


def _digest_of(sample: Sample) -> str | None:
    """The digest of a picture's content; None where it cannot be read, which predicting it will tell."""
    try:
        return content_digest(read_bytes(sample.image, sample=sample.id)) if sample.image else None
    except FormatError:
        return None


def _ordered(table: pa.Table, order: Mapping[str, int]) -> pa.Table:
    """The rows by the place of their sample; rows of one sample keep their order."""
    places = [order[i] for i in table["id"].to_pylist()]
    return table.take(pa.array(sorted(range(len(places)), key=places.__getitem__), pa.int64()))
