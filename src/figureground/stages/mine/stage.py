"""The mine stage: goes through the predictions of a target and its rivals once, and writes the queue of samples for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from figureground.core.errors import Fault, FormatError, InputError
from figureground.core.whole_file import write_atomically
from figureground.data.colours import class_colours
from figureground.data.dataset import Dataset
from figureground.data.faults import make_fault
from figureground.data.pool import Pool
from figureground.data.prediction_stream import PredictionStream
from figureground.data.tables import read_table, unique_ids
from figureground.data.write import jpeg_bytes
from figureground.models.pictures import read_picture
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished
from figureground.runs.executor import Executor, LocalExecutor, available_cores
from figureground.runs.progress import QuietReporter, Reporter
from figureground.runs.shards import write_table
from figureground.stages.mine.areas import area_bounds, area_rule
from figureground.stages.mine.choose import Choice, choose
from figureground.stages.mine.duplicates import Seen, hash_of
from figureground.stages.mine.groups import Group, mad_groups
from figureground.stages.mine.measure import ChunkMeter
from figureground.stages.mine.models import Contender, contenders
from figureground.stages.mine.options import MineOptions
from figureground.stages.mine.passage import Tally, go_through
from figureground.stages.mine.queue import Queued, group_words, queue_table, read_queued
from figureground.stages.mine.selectors import SCORE_COLUMNS, Selection
from figureground.stages.mine.sheet import Card, queue_sheet
from figureground.stages.mine.training import NOTHING, Training, open_training, read_training

KIND, SCHEMA = "queue", 1
RESERVE = 4
"""Candidates kept for each place of a quota where some may be passed over."""


def run_mine(
    pool: Pool,
    target: PredictionStream,
    rivals: Sequence[PredictionStream],
    *,
    options: MineOptions,
    out: Path,
    executor: Executor | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Chooses samples of a pool and writes the artifact `queue`.

    `queue.parquet` has a row for each sample, best first, with the reason and both label maps; `groups.parquet` says how every quota was
    filled; `passed-over.csv` lists near-duplicates; `sheet.jpg` shows the first samples. What is held does not grow with the pool.

    Args:
        pool: whose samples.
        target: predictions of the model under test.
        rivals: predictions of the models it is compared with.
        options: which samples, how many.
        out: directory of the artifact; there already with the same key = nothing is done.
        executor: where predictions are compared. Default: this process.
        reporter: where progress is told; default nowhere.

    Returns:
        `out`.

    Raises:
        InputError: options that contradict one another or the models, classes that differ, or predictions that changed meanwhile.
        FormatError: predictions that are missing or faulty, unless `max_failures` allows it; a table that cannot be read.
    """
    reporter, executor = reporter or QuietReporter(), executor or LocalExecutor()
    models = contenders((target, *rivals), pool.classes, weights=options.weight, maps=options.class_map)
    check_selector(options, models)
    rule = area_rule(options.area, pool.classes)
    training = (
        open_training(options.train, pool.classes, masks=options.selector == "mad" and rule.rule is not None) if options.train else None
    )
    inputs = _inputs(pool, models, training, options)
    settings = dataclasses.asdict(options)
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=settings)
    if finished(out, kind=KIND, key=key):
        reporter.say(f"{out}: this queue is there already, nothing to do")
        return out
    read = (pool, *(model.stream for model in models), *([training] if training else []))
    sources = (file for one in read for file in one.every_file())
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=sources, reporter=reporter)
    known = _known_of(training, options, rule.rule, writer=writer, executor=executor, reporter=reporter)
    if options.selector == "mad" and rule.rule and known.parts is None:
        reporter.say("note: without --train there is nothing to say how large classes are: figures of any size are taken")
    bounds = area_bounds(rule, known.parts, pool.classes)
    groups = _groups(pool, models, options)
    meter = _meter(pool, models, groups, bounds, options)
    tally = go_through(pool, models, meter, writer=writer, executor=executor, reporter=reporter)
    faults = _faults(tally, models, options, reporter)
    _check_unchanged(models, inputs)
    _say_notes(tally, models, options, reporter)
    admission = _Pictures(pool, known.seen, near=options.near if options.deduplicate else None)
    table = tally.table if tally.table is not None else pa.table({"group": pa.array([], pa.int32()), "id": [], "score": []})
    choice = choose(table, groups, budget=options.budget, admission=admission)
    queued = read_queued(choice.chosen, table, groups, models, classes=pool.classes, distance=options.distance) if choice.chosen else []
    images = pool.images([one.chosen.id for one in queued])
    write_table(
        writer.path / "queue.parquet",
        queue_table(queued, groups, models, images, classes=pool.classes, selector=options.selector),
    )
    write_table(writer.path / "groups.parquet", _group_table(groups, models, tally, choice, pool, bounds))
    write_atomically(writer.path / "passed-over.csv", _passed_over(choice).encode())
    if options.sheet and (sheet := _sheet(queued, images, models, pool, options)) is not None:
        write_atomically(writer.path / "sheet.jpg", jpeg_bytes(sheet, quality=90))
    failures = [*faults, *admission.faults]
    counts = {"samples": tally.samples, "queued": len(queued), "failures": len(failures)}
    details = _details(pool, models, groups, bounds, tally, choice, known)
    writer.finish(options=settings, inputs=inputs, counts=counts, seed=options.seed, failures=failures, details=details)
    return out


def check_selector(options: MineOptions, models: Sequence[Contender]) -> None:
    """Raise `InputError` where a selector lacks what it goes by."""
    target, rivals = models[0], models[1:]
    if options.selector in ("mad", "committee") and not rivals:
        raise InputError(f"--selector {options.selector} compares the target with rivals. Give at least one --rival")
    column = SCORE_COLUMNS.get(options.selector)
    if column and column not in target.stream.scores:
        raise InputError(
            f"--selector {options.selector} goes by the score column `{column}`, which '{target.name}' does not have. "
            f"Known: {', '.join(target.stream.scores) or 'none'}. Predict with figureground, or join a table with ?scores=FILE"
        )
    if options.features and options.selector != "core-set":
        raise InputError("--features is for --selector core-set; leave it out")


class _Pictures:
    """Lets pictures in that can be read and are no near-duplicates; without `near`, all."""

    def __init__(self, pool: Pool, seen: Seen, *, near: int | None) -> None:
        self._pool, self._seen, self._near = pool, seen, near
        self._hashes: dict[str, int | Fault | None] = {}
        self.faults: list[Fault] = []
        """Of pictures that could not be read."""

    def prepare(self, ids: Sequence[str]) -> None:
        """Hashes the pictures of some samples, several at a time."""
        if self._near is None or not ids:
            return
        images = self._pool.images(ids)
        with ThreadPoolExecutor(available_cores()) as threads:
            found = threads.map(lambda one: hash_of(one[1], sample=one[0]), images.items())
            self._hashes = {**dict.fromkeys(ids), **dict(zip(images, found, strict=True))}

    def refusal(self, sample_id: str) -> str | None:
        """Why a picture is passed over, or None."""
        found = self._hashes.get(sample_id)
        if isinstance(found, Fault):
            self.faults.append(found)
            return "the picture cannot be read"
        if found is None or self._near is None:
            return None
        if (twin := self._seen.near(found, most=self._near)) is not None:
            return f"near-duplicate of {twin}"
        self._seen.add(found, f"'{sample_id}'")
        return None


def _inputs(pool: Pool, models: Sequence[Contender], training: Dataset | None, options: MineOptions) -> dict[str, str]:
    found = {"pool": pool.fingerprint(), **{f"predictions:{model.name}": model.stream.fingerprint() for model in models}}
    if training is not None:
        found["train"] = training.fingerprint()
    if options.features:
        found["features"] = repr(read_table(options.features).rows[:1])
    return found


def _known_of(
    training: Dataset | None,
    options: MineOptions,
    rule: str | None,
    *,
    writer: ArtifactWriter,
    executor: Executor,
    reporter: Reporter,
) -> Training:
    areas = options.selector == "mad" and rule is not None
    if training is None or not (areas or options.deduplicate):
        return NOTHING
    return read_training(training, areas=areas, hashes=options.deduplicate, writer=writer, executor=executor, reporter=reporter)


def _groups(pool: Pool, models: Sequence[Contender], options: MineOptions) -> tuple[Group, ...]:
    if options.selector == "mad":
        quotas = [max(1, round(options.top * model.weight)) for model in models[1:]]
        return mad_groups(pool.classes, quotas, one_sided=options.one_sided)
    quota = options.budget or options.top * len(pool.classes.foreground)
    return (Group(rival=None, direction=None, class_id=None, one_sided=False, quota=quota),)


def _meter(pool: Pool, models: Sequence[Contender], groups: Sequence[Group], bounds: np.ndarray, options: MineOptions) -> ChunkMeter:
    reserve = RESERVE if options.deduplicate else 1
    selection = Selection(
        selector=options.selector,
        seed=options.seed,
        weights=tuple(model.weight for model in models),
        features=_features(options.features) if options.features else None,
    )
    return ChunkMeter(
        models=tuple(model.model for model in models),
        classes=pool.classes,
        groups=tuple(groups),
        keep=tuple(group.quota * reserve for group in groups),
        bounds=bounds,
        distance=options.distance,
        selection=selection,
        resize=options.resize == "nearest",
    )


def _features(file: str) -> dict[str, tuple[float, ...]]:
    table = read_table(file)
    columns = [name for name in table.columns if name != "id"]
    try:
        return {i: tuple(float(row[name]) for name in columns) for i, row in zip(unique_ids(table), table.rows, strict=True)}
    except ValueError as error:
        raise InputError(f"{file}: --features must be numbers beside `id` ({error})") from error


def _faults(tally: Tally, models: Sequence[Contender], options: MineOptions, reporter: Reporter) -> list[Fault]:
    """What was left out, with the reason; too much of it raises."""
    faults, told = list(tally.faults), []
    strangers = 0
    for sample_id, where in sorted(tally.unmatched.items()):
        if 0 not in where:
            strangers += 1
            continue
        absent = [model for place, model in enumerate(models, start=1) if place not in where]
        failed = [model.stream.failed[sample_id] for model in absent if sample_id in model.stream.failed]
        if len(failed) == len(absent):
            told.append(failed[0])
            continue
        lacking = next(model for model in absent if sample_id not in model.stream.failed)
        faults.append(
            make_fault(
                "missing-prediction",
                f"there is no prediction for this sample in '{lacking.name}'",
                "Predict it, or leave the sample out of the pool",
                sample=sample_id,
                file=lacking.stream.where,
            )
        )
    if len(faults) > options.max_failures:
        raise FormatError(faults[0])
    if strangers:
        reporter.say(f"note: {strangers} predictions are of samples that the pool does not have")
    if told:
        reporter.say(f"note: {len(told)} samples could not be predicted and are left out; failures.json lists them")
    return [*told, *faults]


def _check_unchanged(models: Sequence[Contender], inputs: Mapping[str, str]) -> None:
    for model in models:
        if model.stream.fingerprint() != inputs[f"predictions:{model.name}"]:
            raise InputError(f"'{model.name}': the predictions changed while they were read. Run the same command again")


def _say_notes(tally: Tally, models: Sequence[Contender], options: MineOptions, reporter: Reporter) -> None:
    for apart, model in zip(tally.apart.tolist(), models[1:], strict=False):
        if not apart and tally.samples:
            reporter.say(f"warning: '{model.name}' never disagrees with the target: is it the same model?")
    if tally.unscored:
        reporter.say(f"note: {tally.unscored} samples have no score for --selector {options.selector} and are not looked at")


def _group_table(
    groups: Sequence[Group], models: Sequence[Contender], tally: Tally, choice: Choice, pool: Pool, bounds: np.ndarray
) -> pa.Table:
    """One row a quota: who may fill it, from how many, and how far it was filled."""
    rivals, classes = [model.name for model in models[1:]], pool.classes
    seen, fitting = (counts if counts.size else np.zeros(len(groups), np.int64) for counts in (tally.seen, tally.fitting))
    rows = []
    for g, group in enumerate(groups):
        low, high = (None, None) if group.class_id is None else bounds[classes.ids.index(group.class_id)].tolist()
        rows.append(
            {
                "rival": None if group.rival is None else rivals[group.rival],
                "direction": group.direction,
                "class": None if group.class_id is None else classes.name_of(group.class_id),
                "one_sided": group.one_sided,
                "area_low": low,
                "area_high": high,
                "seen": int(seen[g]),
                "fitting": int(fitting[g]),
                "quota": group.quota,
                "filled": int(choice.filled[g]),
            }
        )
    return pa.Table.from_pylist(rows, GROUP_SCHEMA)


GROUP_SCHEMA = pa.schema(
    [
        ("rival", pa.string()),
        ("direction", pa.string()),
        ("class", pa.string()),
        ("one_sided", pa.bool_()),
        ("area_low", pa.float64()),
        ("area_high", pa.float64()),
        ("seen", pa.int64()),
        ("fitting", pa.int64()),
        ("quota", pa.int64()),
        ("filled", pa.int64()),
    ]
)


def _passed_over(choice: Choice) -> str:
    import csv
    import io

    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["id", "why"])
    writer.writerows(sorted(choice.refused.items()))
    return sink.getvalue()


def _sheet(
    queued: Sequence[Queued], images: Mapping[str, str], models: Sequence[Contender], pool: Pool, options: MineOptions
) -> np.ndarray | None:
    cards = []
    for rank, one in enumerate(queued, start=1):
        if len(cards) >= options.sheet:
            break
        if one.chosen.id not in images:
            continue
        try:
            picture = read_picture(images[one.chosen.id], sample=one.chosen.id)
        except FormatError:
            continue
        rival = None if one.rival is None else models[one.rival + 1].name
        captions = (
            "",
            _sees(models[0].name, one.maps[0], pool),
            "" if rival is None else _sees(rival, one.maps[(one.rival or 0) + 1], pool),
        )
        shown = (one.maps[0], None if one.rival is None else one.maps[one.rival + 1])
        title = f"{rank}. {one.chosen.id}: " + (f"discrepancy {one.discrepancy:.2f}" if rival else f"score {one.score:.3g}")
        cards.append(Card(title=title, captions=captions, picture=picture, maps=shown))
    if not cards:
        return None
    caption = f"{pool.name}: the first {len(cards)} of {len(queued)} samples, by {options.selector}"
    return queue_sheet(cards, pool.classes, class_colours(pool.classes), caption=caption)


def _sees(name: str, label_map: Any, pool: Pool) -> str:
    """What a model sees, largest first."""
    areas = np.bincount(label_map.values, weights=label_map.lengths)
    order = [i for i in np.argsort(-areas, kind="stable").tolist() if areas[i] and i != pool.classes.background]
    return f"{name}: " + (", ".join(pool.classes.name_of(i) for i in order[:3]) or "no foreground")


def _details(
    pool: Pool, models: Sequence[Contender], groups: Sequence[Group], bounds: np.ndarray, tally: Tally, choice: Choice, known: Training
) -> dict[str, Any]:
    classes = pool.classes
    near = sum(why.startswith("near-duplicate") for why in choice.refused.values())
    places, names = int(choice.filled.sum()), [model.name for model in models[1:]]
    return {
        "pool": pool.name,
        "classes": list(classes.names),
        "ids": list(classes.ids),
        "background": classes.background,
        "ignore": classes.ignore,
        "target": models[0].name,
        "rivals": [{"name": model.name, "weight": model.weight} for model in models[1:]],
        "areas": dict(zip(classes.names, bounds.tolist(), strict=True)),
        "groups": len(groups),
        "bound": sum(group.quota for group in groups),
        "places": places,
        "duplicates": places - len(choice.chosen),
        "near_duplicates": near,
        "unreadable": len(choice.refused) - near,
        "training_pictures": known.pictures,
        "unscored": tally.unscored,
        "empty": [group_words(g, names, classes) for g, n in zip(groups, tally.seen.tolist(), strict=False) if not n],
    }
