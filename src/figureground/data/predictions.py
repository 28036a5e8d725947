"""Predictions: label maps of a model by sample id, with the risk scores that came with them."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from figureground.core.errors import Fault, InputError
from figureground.core.registry import Registry
from figureground.core.types import ClassTable
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.faults import make_fault, refusal, some
from figureground.data.map_folder import map_files
from figureground.data.sources import MaskFiles, StampedSource, file_of, maps_in_memory
from figureground.data.spec import Spec, check_keys, nearest, parse_spec
from figureground.data.tables import TextTable, read_table, unique_ids

RISK = "flip_risk"
"""The score column that is the risk."""

COUNT_SUFFIX = "_pixels"
"""How a column of counts is called, such as `foreground_pixels`; it ranks samples by size and is no score."""

PREDICTION_KINDS = Registry(
    "kind of predictions",
    group="figureground.predictions",
    builtin={
        "png": "figureground.data.predictions:open_png_folder",
        "npy": "figureground.data.predictions:open_npy_folder",
        "artifact": "figureground.data.prediction_artifact:open_artifact",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Label maps that a model gave, read one at a time when asked for."""

    name: str
    source: StampedSource
    ids: tuple[str, ...]
    """Ids that have a label map, in order."""
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Column -> id -> value, higher = worse; NaN or absent = the sample has none. `flip_risk` is the risk."""
    region_scores: Mapping[str, Mapping[int, float]] | None = None
    """Id -> region number -> risk, where the model gave it."""
    manifest: Mapping[str, Any] | None = None
    """Manifest of the artifact that they were read from."""
    files: tuple[str, ...] = ()
    """Score tables that belong to them."""
    where: str | None = None
    """The folder that they were read from."""

    def every_file(self) -> Iterator[str]:
        """Paths and URLs of all that is read: score tables and label maps; what is held in memory has none."""
        yield from self.files
        yield from filter(None, (file_of(self.source, i) for i in self.ids))

    def fingerprint(self) -> str:
        """sha256 over ids, scores, and size and time of change of every file."""
        digest = hashlib.sha256()
        for i, text in zip(self.ids, self.source.stamps(self.ids), strict=True):
            digest.update(f"{i}\n{text}\n".encode())
        for column, values in sorted(self.scores.items()):
            digest.update(repr((column, sorted((i, v) for i, v in values.items() if not math.isnan(v)))).encode())
        return digest.hexdigest()


def open_predictions(spec: str, classes: ClassTable, *, name: str | None = None) -> Predictions:
    """The predictions that a spec names.

    `png:DIR` and `npy:DIR` are folders of label maps `<id>.png` or `<id>.npy` (ids may hold `/`); a plain directory is a predictions
    artifact. `?scores=FILE` joins a CSV or Parquet table by its `id` column: numeric columns become scores, except counts, whose names
    end in `_pixels`. `?risk=COLUMN` says which of them is the risk (default `flip_risk`, else `risk`). `NAME=SPEC` gives the name under
    which they are reported.

    Args:
        spec: `[NAME=]KIND:WHERE?key=value`, or a directory.
        classes: the classes of the data set.
        name: wins over the name in the spec.

    Raises:
        InputError: an unknown kind or option.
        FormatError: a fault in the folder or the score table; faults of single maps are raised when they are read.
    """
    parsed = parse_predictions(str(spec))
    paths.check_name(parsed.where)
    check_keys(parsed.options, ("scores", "risk"), where=parsed.where)
    opened: Predictions = PREDICTION_KINDS.resolve(parsed.kind or "artifact")(parsed.where, classes)
    if "scores" in parsed.options:
        table = read_table(_score_path(parsed.options["scores"], parsed.where))
        opened = replace(opened, scores={**opened.scores, **_scores(table, opened.ids)}, files=(table.file,))
    opened = replace(opened, scores=_with_risk(opened.scores, parsed.options.get("risk"), parsed.where))
    return replace(opened, name=name or parsed.name or paths.leaf(parsed.where))


def predictions_from_arrays(
    maps: Mapping[str, np.ndarray],
    classes: ClassTable,
    *,
    name: str = "predictions",
    scores: Mapping[str, Mapping[str, float]] | None = None,
) -> Predictions:
    """Predictions held in memory: sample id -> integer array [height, width].

    Raises:
        FormatError: a value that is no class id.
        InputError: no label map at all.
    """
    if not maps:
        raise InputError("`predictions` must hold at least one label map by sample id; got none")
    return Predictions(name=name, source=maps_in_memory(maps, classes, role="prediction"), ids=tuple(maps), scores=scores or {})


def open_png_folder(where: str, classes: ClassTable) -> Predictions:
    """Label maps `<id>.png` of a folder."""
    return _open_folder(where, classes, suffix=".png")


def open_npy_folder(where: str, classes: ClassTable) -> Predictions:
    """Label maps `<id>.npy` of a folder."""
    return _open_folder(where, classes, suffix=".npy")


def pairing_faults(dataset: Dataset, predictions: Predictions) -> Iterator[Fault]:
    """The faults of ids: each sample without a prediction, and predictions for ids that the data set does not have."""
    predicted, known = set(predictions.ids), set(dataset.ids) | dataset.left_out
    extra = [i for i in predictions.ids if i not in known]
    for sample_id in dataset.ids:
        if sample_id not in predicted:
            yield make_fault(
                "missing-prediction",
                f"there is no prediction for this sample in '{predictions.name}'",
                f"Predict it, or leave the sample out.{nearest(sample_id, extra[:200])}",
                sample=sample_id,
                file=predictions.where,
            )
    for sample_id in extra:
        yield make_fault(
            "unknown-sample",
            f"'{predictions.name}' has a prediction for an id that the data set does not have",
            "Remove it, or correct its id (ids are texts: leading zeros count)",
            sample=sample_id,
            file=file_of(predictions.source, sample_id) or predictions.where,
        )


def unique_names(specs: Sequence[str]) -> list[str]:
    """Short, distinct names for several prediction specs: given ones as they are, else the part of the path that tells them apart.

    >>> unique_names(["png:out/small/voc", "png:out/large/voc", "mine=png:x"])
    ['small', 'large', 'mine']

    Raises:
        InputError: one name is given to two of them.
    """
    parsed = [parse_predictions(str(spec)) for spec in specs]
    given = [p.name for p in parsed if p.name]
    if len(set(given)) != len(given):
        raise InputError(f"the name '{Counter(given).most_common(1)[0][0]}' is given to two predictions. Give each its own")
    parts = {n: [part for part in re.split(r"[/\\]", p.where) if part] or [p.where] for n, p in enumerate(parsed) if not p.name}
    while len(parts) > 1 and all(len(p) > 1 for p in parts.values()) and len({p[-1] for p in parts.values()}) == 1:
        parts = {n: p[:-1] for n, p in parts.items()}
    names = [p.name or "" for p in parsed]
    depth = dict.fromkeys(parts, 1)
    for _ in range(max((len(p) for p in parts.values()), default=0)):
        for n, p in parts.items():
            names[n] = "/".join(p[-depth[n] :])
        counts = Counter(names)
        depth = {n: d + (counts[names[n]] > 1) for n, d in depth.items()}
    return _numbered(names)


def _numbered(names: list[str]) -> list[str]:
    """The same names, later twins with `-2`, `-3`, ... behind."""
    result: list[str] = []
    for name in names:
        twin, number = name, 1
        while twin in result:
            number += 1
            twin = f"{name}-{number}"
        result.append(twin)
    return result


def parse_predictions(text: str) -> Spec:
    """The parts of a spec of predictions; `NAME=` may stand in front unless that is how a path begins."""
    return parse_spec(text, named=not paths.exists(text))


def _open_folder(where: str, classes: ClassTable, *, suffix: str) -> Predictions:
    files = map_files(where, suffix=suffix)
    source = MaskFiles(files=files, classes=classes, role="prediction")
    return Predictions(name=paths.leaf(where), source=source, ids=tuple(files), where=where)


def _score_path(given: str, where: str) -> str:
    """The table as named from here, or from the folder of predictions, or from beside it."""
    candidates = (given, paths.join(where, given), paths.join(paths.parent(where), given))
    return next((c for c in candidates if paths.exists(c)), given)


def _scores(table: TextTable, ids: Sequence[str]) -> dict[str, dict[str, float]]:
    rows = dict(zip(unique_ids(table), table.rows, strict=True))
    if rows and not set(rows) & set(ids):
        raise refusal(
            "unknown-sample",
            f"none of its {len(rows)} ids has a prediction, such as {some(list(rows))}",
            "Correct the ids (they are texts: leading zeros count)",
            file=table.file,
        )
    numeric = {column: _numbers(rows, column, table.file) for column in table.columns if column != "id"}
    return {column: values for column, values in numeric.items() if values is not None}


def _numbers(rows: Mapping[str, Mapping[str, str]], column: str, file: str) -> dict[str, float] | None:
    """The values of a column, empty cells as NaN; None if it is no column of numbers."""
    values = {i: _number(row[column]) for i, row in rows.items()}
    if any(v is None for v in values.values()):
        wrong = [i for i, v in values.items() if v is None]
        if len(wrong) < len(values) / 2:
            raise refusal(
                "bad-table",
                f"column `{column}` holds '{rows[wrong[0]][column]}' among numbers",
                "Write a finite number, or leave the cell empty where there is no score",
                file=file,
                sample=wrong[0],
            )
        return None
    return {i: v for i, v in values.items() if v is not None}


def _number(text: str) -> float | None:
    """NaN for an empty cell, None for what is no finite number."""
    if text.strip().lower() in ("", "nan"):
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _with_risk(scores: Mapping[str, Mapping[str, float]], column: str | None, where: str) -> dict[str, Mapping[str, float]]:
    """The scores with the risk under its name; counts of pixels are none, unless one is named as the risk."""
    if column is not None and column not in scores:
        raise InputError(f"{where}: there is no score column `{column}`.{nearest(column, scores)} Known: {', '.join(scores) or 'none'}")
    source = column or next((c for c in (RISK, "risk") if c in scores), None)
    rest = {c: v for c, v in scores.items() if c not in (source, RISK) and not c.endswith(COUNT_SUFFIX)}
    return rest if source is None else {RISK: scores[source], **rest}
