"""The audit stage: reads masks and predictions, measures every sample once, and writes tables, summary and thumbnails."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from figureground.core.errors import Fault, FormatError, InputError, check_failures, may_leave_out
from figureground.core.ties import Tie
from figureground.core.whole_file import write_atomically
from figureground.data.colours import class_colours
from figureground.data.dataset import Dataset
from figureground.data.doctor import void_fault
from figureground.data.predictions import RISK, Predictions, pairing_faults
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, to_json
from figureground.runs.executor import Executor
from figureground.runs.progress import Reporter
from figureground.runs.shards import map_in_shards, read_shards, write_table
from figureground.stages.audit.estimates import paired_difference
from figureground.stages.audit.grouping import PAIR, build_groups, cluster_numbers, common_contexts, group_attributes
from figureground.stages.audit.measure import SampleMeter
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.relabel import check_relabelling
from figureground.stages.audit.statistics import BASE, DIFFERENCES
from figureground.stages.audit.summary import Findings, summarise
from figureground.stages.audit.table import SampleTable, places, sample_table, sole_classes
from figureground.stages.audit.tables import group_rows, region_rows, sample_rows
from figureground.stages.audit.worst import worst_rows

KIND, SCHEMA = "audit", 1
SHARD_SIZES = (32, 256)
"""Least and most samples measured between two writes: what an interruption can cost per worker."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measurements:
    """What the workers found, put together per prediction."""

    tables: dict[str, SampleTable]
    sizes: dict[str, np.ndarray]
    """Prediction -> int64 [samples, 2], height and width."""
    regions: pa.Table
    counts: pa.Table


def run_audit(
    dataset: Dataset,
    predictions: Sequence[Predictions],
    *,
    options: AuditOptions,
    out: Path,
    executor: Executor,
    reporter: Reporter,
) -> Path:
    """Audits predictions against masks and writes the artifact `audit`.

    Args:
        dataset: the data set, before a split is selected.
        predictions: at least one, with distinct names.
        options: what to measure and how.
        out: directory of the artifact; there already with the same key = nothing is done.
        executor: where samples are measured.
        reporter: where progress is told.

    Raises:
        FormatError: a faulty mask, prediction or table, unless `max_failures` allows it.
        InputError: options that do not fit the data set.
    """
    chosen = _selected(dataset, options)
    common = common_contexts(chosen, dataset, options)
    _check_risk(predictions, options)
    inputs = {"dataset": chosen.fingerprint(), **{f"prediction:{p.name}": p.fingerprint() for p in predictions}}
    inputs["common"] = to_json(common, indent=None)  # resolved, so that another training set is another audit
    settings = dataclasses.asdict(options)
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=settings)
    if finished(out, kind=KIND, key=key):
        reporter.say(f"{out}: this audit is there already, nothing to do")
        return out
    faults = _pairing(chosen, predictions, options)
    lost = {fault.sample for fault in faults}
    ids = [i for i in chosen.ids if i not in lost]
    sources = (file for read in (chosen, *predictions) for file in read.every_file())
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=sources, reporter=reporter)
    meter = partial(_meter, chosen, predictions, options)
    told = {"what": "audit", "unit": "samples", "shard_size": shard_size(len(ids))}
    with may_leave_out():
        shards = map_in_shards(ids, meter, writer=writer, executor=executor, reporter=reporter, **told)
        faults += [Fault(**row) for row in read_shards(writer, "faults", shards).to_pylist()]
        check_failures(faults, options.max_failures)
    failed = {fault.sample for fault in faults}
    audited = chosen.select(ids=[i for i in ids if i not in failed])
    if not len(audited):
        raise InputError(f"{dataset.name}: no sample is left to audit")
    measured = _measurements(writer, shards, audited, predictions)
    _check_void(audited, next(iter(measured.tables.values())), measured)
    _write(writer, audited, predictions, measured, common, options)
    counts = {"samples": len(audited), "predictions": len(predictions)}
    details = {"dataset": dataset.name, "classes": list(dataset.classes.names), "predictions": [p.name for p in predictions]}
    writer.finish(options=settings, inputs=inputs, counts=counts, seed=options.seed, failures=faults, details=details)
    return out


def shard_size(samples: int) -> int:
    """Samples a shard: large enough that writing costs little, small enough that the last workers do not wait long for one another."""
    return min(max(samples // 16, SHARD_SIZES[0]), SHARD_SIZES[1])


def _selected(dataset: Dataset, options: AuditOptions) -> Dataset:
    if dataset.masks is None:
        raise InputError(f"{dataset.name}: the data set has no masks, and an audit needs them")
    joined = dataset.join(options.attributes) if options.attributes else dataset
    chosen = joined.select(split=options.split) if options.split else joined
    for name in (*options.by, *([options.cluster] if options.cluster else [])):
        chosen.attribute(chosen.samples[0], name)  # an unknown attribute is said before anything is measured
    check_relabelling(dataset.classes, options)
    return chosen


def _check_risk(predictions: Sequence[Predictions], options: AuditOptions) -> None:
    """Raise `InputError` where a risk column was asked for that no prediction brings; the default one may be absent."""
    known = sorted({name for p in predictions for name in p.scores})
    if options.risk not in known and (options.risk != RISK):
        raise InputError(f"no prediction has a score column `{options.risk}`. Known: {', '.join(known) or 'none'}")


def _meter(dataset: Dataset, predictions: Sequence[Predictions], options: AuditOptions) -> SampleMeter:
    assert dataset.masks is not None
    return SampleMeter(
        masks=dataset.masks,
        predictions=tuple((p.name, p.source) for p in predictions),
        classes=dataset.classes,
        tolerance=options.boundary_tolerance,
        resize=options.resize,
        collect=options.max_failures > 0,
    )


def _pairing(dataset: Dataset, predictions: Sequence[Predictions], options: AuditOptions) -> list[Fault]:
    """Faults of ids, raised at once unless failures are allowed."""
    faults = [fault for p in predictions for fault in pairing_faults(dataset, p)]
    with may_leave_out():
        check_failures(faults, options.max_failures)
    return faults


def _check_void(dataset: Dataset, table: SampleTable, measured: Measurements) -> None:
    sizes = next(iter(measured.sizes.values()))
    counted = np.bincount(table.sample, weights=table.pixels, minlength=table.samples)
    ignored = int((sizes.prod(axis=1) > counted).sum())
    if fault := void_fault(dataset, foreground=bool((table.truth != dataset.classes.background).any()), ignored_masks=ignored):
        raise FormatError(fault)


def _measurements(writer: ArtifactWriter, shards: int, dataset: Dataset, predictions: Sequence[Predictions]) -> Measurements:
    counts, sizes, regions = (read_shards(writer, name, shards) for name in ("counts", "sizes", "regions"))
    tables, size_hw = {}, {}
    ids = pa.array(dataset.ids, pa.string())
    for p in predictions:
        own = sizes.filter(pc.field("prediction") == p.name)
        own = own.take(places(ids, own["id"].combine_chunks()))
        columns = np.stack([own[name].to_numpy() for name in own.column_names[2:]], axis=1)
        size_hw[p.name] = columns[:, :2]
        rows = counts.filter(pc.field("prediction") == p.name)
        tables[p.name] = sample_table(rows, columns[:, 2:], ids=dataset.ids, classes=dataset.classes)
    return Measurements(tables=tables, sizes=size_hw, regions=regions, counts=counts)


def _write(
    writer: ArtifactWriter,
    audited: Dataset,
    predictions: Sequence[Predictions],
    measured: Measurements,
    common: dict[str, Tie],
    options: AuditOptions,
) -> None:
    first = next(iter(measured.tables.values()))
    columns = group_attributes(audited, options, sole_classes(first))
    common = common if set(PAIR) <= set(columns) else {}
    clusters = _clusters(audited, options)
    grouping = build_groups(columns, common, clusters)
    findings: dict[str, Findings] = {}
    for p in predictions:
        table, sizes = measured.tables[p.name], measured.sizes[p.name]
        scores = {name: np.array([values.get(i, np.nan) for i in audited.ids], np.float64) for name, values in p.scores.items()}
        ignored = int(sizes.prod(axis=1).sum() - table.pixels.sum())
        findings[p.name] = summarise(table, grouping, ignored=ignored, scores=scores, clusters=clusters, options=options)
    write_atomically(writer.path / "audit.json", to_json(audit_summary(audited, findings, common, options)).encode())
    write_table(writer.path / "counts.parquet", measured.counts)
    write_table(writer.path / "regions.parquet", region_rows(measured.regions, audited.classes, predictions))
    write_table(writer.path / "groups.parquet", group_rows(grouping.groups, findings))
    samples = sample_rows(audited, predictions, measured.tables, measured.sizes, findings, columns, options)
    write_table(writer.path / "samples.parquet", samples)
    write_table(writer.path / "worst.parquet", _worst(audited, predictions, findings, options))


def audit_summary(dataset: Dataset, findings: dict[str, Findings], common: dict[str, Tie], options: AuditOptions) -> dict[str, Any]:
    """The content of `audit.json`: one prediction's numbers at the top level, several under `predictions` with paired differences."""
    classes = dataset.classes
    head = {
        "dataset": {
            "name": dataset.name,
            "classes": list(classes.names),
            "ids": list(classes.ids),
            "colours": [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in class_colours(classes).tolist()],
            "background": classes.background,
            "ignore": classes.ignore,
        },
        "interval": {
            "method": options.interval,
            "level": options.level,
            "resamples": options.resamples,
            "cluster": options.cluster or None,
            "seed": options.seed,
        },
        "common": common,
    }
    if len(findings) == 1:
        [(name, only)] = findings.items()
        return {**head, "prediction": name, **only.summary}
    names = list(findings)
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    differences = [
        {"a": a, "b": b, "metric": metric, **paired_difference(findings[a].overall, findings[b].overall, metric, level=options.level)}
        for a, b in pairs
        for metric in DIFFERENCES
    ]
    return {**head, "predictions": {name: found.summary for name, found in findings.items()}, "differences": differences}


def _clusters(dataset: Dataset, options: AuditOptions) -> np.ndarray | None:
    if not options.cluster:
        return None
    return cluster_numbers(dataset.ids, [dataset.attribute(s, options.cluster) for s in dataset.samples])


def _worst(dataset: Dataset, predictions: Sequence[Predictions], findings: dict[str, Findings], options: AuditOptions) -> pa.Table:
    assert dataset.masks is not None
    tables = []
    for p in predictions:
        order = worst_order(findings[p.name].features)[: options.worst]
        chosen = [dataset.samples[i] for i in order]
        tables.append(worst_rows(p.name, chosen, masks=dataset.masks, predictions=p.source, classes=dataset.classes))
    return pa.concat_tables(tables)


def worst_order(features: np.ndarray) -> list[int]:
    """Sample indices, those with the largest flipped share first, then those that miss most; ties in sample order."""
    f = {name: features[:, place] for place, name in enumerate(BASE)}
    foreground = np.maximum(f["correct"] + f["flipped"] + f["missed"], 1)
    return np.lexsort((np.arange(len(features)), -f["missed"] / foreground, -f["flip_fraction"])).tolist()
