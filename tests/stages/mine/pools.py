"""Generated pools for tests of mining: a target and rivals whose maps disagree as planted, with ties, as arrays and on disk."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from figureground.core.errors import Fault
from figureground.core.types import ClassTable, Sample
from figureground.data.dataset import Dataset
from figureground.data.labelmap import encode_runs
from figureground.data.pool import Pool, pool_of
from figureground.data.prediction_stream import PredictionStream, stream_predictions
from figureground.metrics.risk import SCORES
from figureground.stages.mine.options import MineOptions
from figureground.stages.mine.stage import run_mine
from figureground.stages.predict.reduce import Predicted, tables_of

CLASSES = ClassTable(names=("ground", "cat", "dog", "bird", "rare"), ids=(0, 1, 2, 5, 9))
"""Ids with gaps. The last class is in few maps or none."""
MODELS = ("target", "twin", "apart", "blind")

Maps = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Generated:
    """Maps of all models of one pool."""

    ids: tuple[str, ...]
    maps: Mapping[str, Maps]
    """Model -> id -> uint8 [height, width]; the target first."""
    scores: Mapping[str, Mapping[str, float]]
    """Column -> id -> score of the target, NaN where it has none."""
    classes: ClassTable = CLASSES


def generated(count: int, *, seed: int = 0, models: Sequence[str] = MODELS) -> Generated:
    """Maps of 12 to 24 pixels a side with up to three rectangles; the id says nothing of the map.

    `twin` differs from the target now and then, `apart` often, `blind` often sees nothing. A third of the samples are of a few maps that
    come again and again, so that scores tie.
    """
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(count)
    ids = tuple(f"{'ab'[n % 2]}{n:05d}" for n in numbers.tolist())
    often = [_picture(rng, (16, 16)) for _ in range(4)]
    maps: dict[str, dict[str, np.ndarray]] = {name: {} for name in models}
    for i in ids:
        base = often[rng.integers(4)] if rng.random() < 0.3 else _picture(rng, tuple(rng.integers(12, 25, 2).tolist()))
        tie = rng.random() < 0.2
        for place, name in enumerate(models):
            maps[name][i] = base if place == 0 or tie else _disagreeing(rng, base, name)
    steps = rng.integers(0, 40, (len(SCORES), count)) / 40  # few values, so that they tie
    scores = {column: dict(zip(ids, own.tolist(), strict=True)) for column, own in zip(SCORES, steps, strict=True)}
    for own in scores.values():
        own.update(dict.fromkeys(rng.choice(ids, count // 20, replace=False).tolist(), float("nan")))
    return Generated(ids=ids, maps=maps, scores=scores)


def _picture(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    found = np.zeros(size_hw, np.uint8)
    for _ in range(rng.integers(0, 4)):
        top, left = rng.integers(0, size_hw[0] - 2), rng.integers(0, size_hw[1] - 2)
        high, wide = rng.integers(2, 12, 2)
        found[top : top + high, left : left + wide] = 9 if rng.random() < 0.02 else rng.choice((1, 2, 5))
    return found


def _disagreeing(rng: np.random.Generator, base: np.ndarray, name: str) -> np.ndarray:
    own = base.copy()
    if name == "blind" and rng.random() < 0.4:
        return np.zeros_like(base)
    if rng.random() < (0.3 if name == "twin" else 0.8):
        kind = rng.integers(4)
        if kind == 0:
            own[base == 1] = 2
        elif kind == 1:
            own = np.roll(base, 2, axis=1)
        elif kind == 2:
            own = _picture(rng, base.shape)
        else:
            own[base == 5] = 0
    return own


def write_artifact(
    where: Path,
    maps: Maps,
    *,
    classes: ClassTable = CLASSES,
    scores: Mapping[str, Mapping[str, float]] | None = None,
    shard: int = 64,
    failed: Sequence[Fault] = (),
) -> Path:
    """Predictions on disk as `predict` writes them: shards of one row group, a manifest, and failures."""
    (where / "labels").mkdir(parents=True)
    ids = list(maps)
    for number, start in enumerate(range(0, len(ids), shard)):
        predicted = [
            Predicted(
                id=i,
                runs=encode_runs(np.ascontiguousarray(maps[i])),
                scores=np.array([(scores or {}).get(column, {}).get(i, np.nan) for column in SCORES]),
                region_classes=np.empty(0, np.int64),
                region_risks=np.empty(0),
            )
            for i in ids[start : start + shard]
        ]
        pq.write_table(tables_of(predicted, [])["labels"], where / "labels" / f"{number:05d}.parquet")
    details = {"classes": list(classes.names), "ids": list(classes.ids), "background": classes.background}
    (where / "manifest.json").write_text(json.dumps({"kind": "predictions", "details": details}))
    (where / "failures.json").write_text(json.dumps([dataclasses.asdict(fault) for fault in failed]))
    return where


def write_folder(where: Path, maps: Maps) -> Path:
    """Predictions as a folder of label maps."""
    where.mkdir(parents=True)
    for i, own in maps.items():
        Image.fromarray(own).save(where / f"{i}.png")
    return where


def write_all(folder: Path, data: Generated, *, shard: int = 64) -> list[Path]:
    """An artifact for each model; the target's has the scores."""
    return [
        write_artifact(folder / name, maps, classes=data.classes, scores=data.scores if place == 0 else None, shard=shard)
        for place, (name, maps) in enumerate(data.maps.items())
    ]


def pool(data: Generated, *, images: Mapping[str, str] | None = None) -> Pool:
    """The samples as a pool, in an order of their own."""
    samples = tuple(Sample(id=i, image=(images or {}).get(i)) for i in data.ids)
    return pool_of(Dataset(name="drawn", classes=data.classes, samples=samples, masks=None))


def streams(specs: Sequence[Path | str], classes: ClassTable = CLASSES, *, raw: Sequence[str] = ()) -> list[PredictionStream]:
    """The predictions that are named; a folder is called like its last part."""
    names = [str(spec).rpartition("/")[2] for spec in specs]
    return [stream_predictions(str(spec), classes, name=name, raw=name in raw) for spec, name in zip(specs, names, strict=True)]


def mined(out: Path, where: Pool, specs: Sequence[Path | str], *, raw: Sequence[str] = (), executor=None, reporter=None, **options) -> Path:
    """Mines with the first of some predictions as the target."""
    opened = streams(specs, where.classes, raw=raw)
    chosen = MineOptions(**{"sheet": 0, **options})
    return run_mine(where, opened[0], opened[1:], options=chosen, out=out, executor=executor, reporter=reporter)


def rows_of(out: Path, name: str = "queue") -> list[dict]:
    """The rows of a table of an artifact."""
    return pq.read_table(out / f"{name}.parquet").to_pylist()


def write_training(folder: Path, masks: Maps, images: Mapping[str, np.ndarray] | None = None, *, classes: ClassTable = CLASSES) -> Path:
    """A training set in the project's own form; a sample may have a mask, a picture or both."""
    folder.mkdir(parents=True)
    lines = ["id,image,mask"]
    for i in dict.fromkeys([*masks, *(images or {})]):
        for kind, own in (("mask", masks), ("image", images or {})):
            if i in own:
                Image.fromarray(own[i]).save(folder / f"{i}-{kind}.png")
        lines.append(f"{i},{f'{i}-image.png' if i in (images or {}) else ''},{f'{i}-mask.png' if i in masks else ''}")
    (folder / "samples.csv").write_text("\n".join(lines) + "\n")
    names, ids = json.dumps(list(classes.names)), json.dumps(list(classes.ids))
    text = f'name = "trained"\n[classes]\nnames = {names}\nids = {ids}\nbackground = {classes.background}\nignore = 255\n'
    (folder / "dataset.toml").write_text(text + '[samples]\ntable = "samples.csv"\n')
    return folder


def write_pool_table(folder: Path, ids: Sequence[str], *, images: Mapping[str, str] | None = None, group: int = 100) -> Path:
    """A pool whose samples stay in a Parquet table."""
    folder.mkdir(parents=True)
    columns: dict[str, list] = {"id": list(ids)}
    if images is not None:
        columns["image"] = [images.get(i) for i in ids]
    pq.write_table(pa.table(columns), folder / "samples.parquet", row_group_size=group)
    names, numbers = json.dumps(list(CLASSES.names)), json.dumps(list(CLASSES.ids))
    head = f'name = "drawn"\n[classes]\nnames = {names}\nids = {numbers}\n[samples]\ntable = "samples.parquet"\n'
    (folder / "dataset.toml").write_text(head)
    return folder
