"""The Parquet tables of an audit, from what was measured and estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from figureground.core.types import ClassTable
from figureground.data.dataset import Dataset
from figureground.data.predictions import Predictions
from figureground.metrics.decompose import ratio
from figureground.stages.audit.estimates import RATES
from figureground.stages.audit.grouping import Group
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.statistics import BASE, boundary_f
from figureground.stages.audit.summary import Findings
from figureground.stages.audit.table import BOUNDARY, SampleTable, places, top_confusion

PARTS = ("correct", "flipped", "missed", "added", "background")


def region_rows(regions: pa.Table, classes: ClassTable, predictions: Sequence[Predictions]) -> pa.Table:
    """`regions.parquet`: class names in place of ids, and the risk of predicted regions where the model gave one."""
    names = pa.array(classes.names, pa.string())
    place = places(regions["class_id"], pa.array(classes.ids, pa.int64()))
    table = regions.set_column(regions.column_names.index("class_id"), "class", names.take(place))
    scored = {p.name: p.region_scores for p in predictions if p.region_scores}
    keys = zip(*(table[c].to_pylist() for c in ("prediction", "id", "side", "region")), strict=True) if scored else ()
    risks = [scored.get(name, {}).get(i, {}).get(region) if side == "predicted" else None for name, i, side, region in keys]
    return table.append_column("risk", pa.array(risks or [None] * table.num_rows, pa.float64()))


def sample_rows(
    dataset: Dataset,
    predictions: Sequence[Predictions],
    tables: Mapping[str, SampleTable],
    sizes: Mapping[str, np.ndarray],
    findings: Mapping[str, Findings],
    groups: Mapping[str, Sequence[str]],
    options: AuditOptions,
) -> pa.Table:
    """`samples.parquet`: one row a sample and prediction; rates are null where they are undefined."""
    parts = [_sample_rows(dataset, p, tables[p.name], sizes[p.name], findings[p.name].features, groups, options) for p in predictions]
    return pa.concat_tables(parts, promote_options="default")


def group_rows(groups: Sequence[Group], findings: Mapping[str, Findings]) -> pa.Table:
    """`groups.parquet`: one row a group and prediction, rates with the ends of their intervals."""
    rows = []
    for name, found in findings.items():
        for place, group in enumerate(groups):
            row = {
                "prediction": name,
                "by": " x ".join(group.by),
                "group": " x ".join(value or "(none)" for value in group.values),
                "samples": int(group.members.size),
                "few": group.few,
                "kind": group.kind,
            }
            for metric in (*RATES, "conditional_flip", "foreground_iou"):
                interval = found.groups.of(place, metric)
                row |= {metric: interval["value"], f"{metric}_low": interval["low"], f"{metric}_high": interval["high"]}
            rows.append({key: None if isinstance(v, float) and np.isnan(v) else v for key, v in row.items()})
    return pa.Table.from_pylist(rows, _group_schema())


def _group_schema() -> pa.Schema:
    texts = [(name, pa.string()) for name in ("prediction", "by", "group")]
    metrics = [(metric + end, pa.float64()) for metric in (*RATES, "conditional_flip", "foreground_iou") for end in ("", "_low", "_high")]
    return pa.schema([*texts, ("samples", pa.int64()), ("few", pa.bool_()), ("kind", pa.string()), *metrics])


def _sample_rows(
    dataset: Dataset,
    prediction: Predictions,
    table: SampleTable,
    sizes: np.ndarray,
    features: np.ndarray,
    groups: Mapping[str, Sequence[str]],
    options: AuditOptions,
) -> pa.Table:
    f = {name: features[:, place] for place, name in enumerate(BASE)}
    foreground, found = f["correct"] + f["flipped"] + f["missed"], f["correct"] + f["flipped"]
    pixels = foreground + f["background"]
    columns: dict[str, object] = {"prediction": [prediction.name] * table.samples, "id": list(dataset.ids)}
    columns |= _attributes(dataset, groups)
    columns |= {"height": sizes[:, 0], "width": sizes[:, 1], "pixels": pixels.astype(np.int64)}
    columns |= {"ignored": sizes.prod(axis=1) - pixels.astype(np.int64), "foreground": foreground.astype(np.int64)}
    columns |= {name: f[name].astype(np.int64) for name in (*PARTS, *BOUNDARY)}
    columns |= {
        "flip_fraction": _nullable(ratio(f["flipped"], foreground)),
        "miss_fraction": _nullable(ratio(f["missed"], foreground)),
        "foreground_iou": _nullable(ratio(found, foreground + f["added"])),
        "boundary_f": _nullable(boundary_f(*(f[name] for name in BOUNDARY))),
        "confused": [_pair(pair, table.classes) for pair in top_confusion(table)],
    }
    scores = {name: [values.get(i, np.nan) for i in dataset.ids] for name, values in prediction.scores.items()}
    columns["risk"] = _nullable(np.array(scores.get(options.risk, [np.nan] * table.samples), np.float64))
    columns |= {name: _nullable(np.array(values, np.float64)) for name, values in scores.items() if name not in columns}
    columns["image"] = [s.image for s in dataset.samples]
    return pa.table({name: pa.array(values, pa.string()) if name == "image" else values for name, values in columns.items()})


def _attributes(dataset: Dataset, groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The attribute columns of the samples; those that make groups as they were grouped."""
    names = [name for name in dataset.attributes if name not in ("class", "id")]
    columns = {name: [dataset.attribute(s, name) for s in dataset.samples] for name in names}
    return columns | {name: list(values) for name, values in groups.items()}


def _pair(pair: tuple[int, int] | None, classes: ClassTable) -> str:
    return f"{classes.name_of(pair[0])} > {classes.name_of(pair[1])}" if pair else ""


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values, pa.float64(), mask=np.isnan(values))
