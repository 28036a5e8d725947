"""A mined round to rank on: a pool with pictures, the maps of models, the queue of `mine`, and labels as people would leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tests.stages.mine.pools import CLASSES, Generated, generated, mined, pool, write_artifact

from figureground.core.types import ClassTable
from figureground.data.labelmap import encode_runs, runs_to_columns
from figureground.data.labels import KIND, MASKS, OPINIONS, RATINGS, SCHEMA
from figureground.data.predictions import Predictions, open_predictions
from figureground.runs.artifact import ArtifactWriter, artifact_key
from figureground.stages.rank.options import RankOptions
from figureground.stages.rank.queue import read_queue
from figureground.stages.rank.result import Ranking, open_ranking
from figureground.stages.rank.stage import run_rank

MODELS = ("target", "twin", "apart", "blind")
"""The target is the truth but for what `twin` sees otherwise: the last is worst."""


@dataclass(frozen=True, kw_only=True)
class Mined:
    """What is on disk after `mine`."""

    folder: Path
    data: Generated
    truth: Mapping[str, np.ndarray]
    """Id -> mask, with void pixels."""
    images: Mapping[str, str]

    @property
    def queue(self) -> Path:
        return self.folder / "queue"

    @property
    def specs(self) -> list[str]:
        return [str(self.folder / name) for name in self.data.maps]

    @property
    def candidates(self) -> list[str]:
        return pq.read_table(self.queue / "queue.parquet")["id"].to_pylist()


def make_round(folder: Path, *, count: int = 120, seed: int = 0, top: int = 5) -> Mined:
    """A pool of pictures, each of bytes of its own; its queue; and masks which the target meets best and `blind` worst."""
    data = generated(count, seed=seed)
    rng = np.random.default_rng(seed)
    images, truth = {}, {}
    (folder / "pictures").mkdir(parents=True)
    for i in data.ids:
        mask = data.maps["target"][i].copy()
        mask[:1, : rng.integers(1, 4)] = 255
        truth[i] = np.where(rng.random(mask.shape) < 0.05, 0, mask).astype(np.uint8)
        images[i] = str(folder / "pictures" / f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (*mask.shape, 3), dtype=np.uint8)).save(images[i])
    specs = [write_artifact(folder / name, maps, classes=data.classes) for name, maps in data.maps.items()]
    mined(folder / "queue", pool(data, images=images), specs, top=top, deduplicate=False)
    return Mined(folder=folder, data=data, truth=truth, images=images)


def write_labels(
    where: Path,
    masks: Mapping[str, np.ndarray],
    *,
    classes: ClassTable = CLASSES,
    status: str | Mapping[str, str] = "accepted",
    vetoed: Sequence[str] = (),
    withdrawn: Sequence[str] = (),
    images: Mapping[str, str] | None = None,
) -> Path:
    """A labels artifact as `review` writes it: masks, and ratings in which some samples are out of domain."""
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs={"masks": f"{sorted(masks)}{status}{vetoed}{withdrawn}"}, options={})
    writer = ArtifactWriter(where, kind=KIND, schema=SCHEMA, key=key)
    maps = [encode_runs(np.ascontiguousarray(m)) for m in masks.values()]
    columns: dict[str, Any] = {name: [None] * len(masks) for name in MASKS.names}
    columns |= dict(zip(("height", "width", "values", "lengths"), runs_to_columns(maps), strict=True))
    columns |= {"id": list(masks), "reviewer": ["ann"] * len(masks), "updated": ["2026-01-01"] * len(masks)}
    columns |= {"status": [status if isinstance(status, str) else status[i] for i in masks], "actions": [1] * len(masks)}
    columns |= {"image": [(images or {}).get(i) for i in masks]}
    pq.write_table(
        pa.table({n: pa.array(c, MASKS.field(n).type) if isinstance(c, list) else c for n, c in columns.items()}),
        writer.path / "masks.parquet",
    )
    rated = [
        {"id": i, "reviewer": "bob", "showing": 0, "score": None, "out_of_domain": True, "seconds": 1.0, "created": "2026-01-01"}
        for i in (*vetoed, *withdrawn)
    ]
    rated = [{**row, "withdrawn": "2026-01-02" if row["id"] in withdrawn else None} for row in rated]
    pq.write_table(pa.Table.from_pylist(rated, RATINGS), writer.path / "ratings.parquet")
    pq.write_table(OPINIONS.empty_table(), writer.path / "opinions.parquet")
    details = {"classes": list(classes.names), "ids": list(classes.ids), "background": classes.background, "ignore": classes.ignore}
    writer.finish(options={}, inputs={}, counts={"masks": len(masks)}, details=details)
    return where


def models_of(mined_round: Mined, names: Sequence[str] | None = None) -> list[Predictions]:
    return [open_predictions(spec, CLASSES) for spec in mined_round.specs if names is None or Path(spec).name in names]


def ranked(
    mined_round: Mined, out: Path, *, names: Sequence[str] | None = None, models=None, duel: bool = False, reporter=None, **options
) -> Ranking:
    """Ranks some of the models; 50 resamples unless said otherwise."""
    chosen = RankOptions(**{"resamples": 50, **options})
    given = models_of(mined_round, names) if models is None else models
    return open_ranking(run_rank(read_queue(mined_round.queue), given, options=chosen, out=out, duel=duel, reporter=reporter))


def labelled(mined_round: Mined, where: Path, ids: Sequence[str] | None = None, **said) -> Path:
    """Labels with the true masks of some samples, default of all candidates."""
    wanted = mined_round.candidates if ids is None else ids
    return write_labels(where, {i: mined_round.truth[i] for i in wanted}, **said)


def renamed(classes: ClassTable, old: str, new: str) -> ClassTable:
    return replace(classes, names=tuple(new if name == old else name for name in classes.names))
