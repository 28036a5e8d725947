"""The mine stage: goes through the predictions of a target and its rivals once, and writes the queue of samples for people."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from figureground.core.errors import InputError
from figureground.core.whole_file import write_atomically
from figureground.data import paths
from figureground.data.colours import class_colours
from figureground.data.dataset import Dataset
from figureground.data.parquet import READ_FAULTS
from figureground.data.pool import Pool
from figureground.data.prediction_stream import PredictionStream
from figureground.data.tables import read_table, unique_ids
from figureground.data.write import jpeg_bytes
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, read_manifest
from figureground.runs.executor import Executor, LocalExecutor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.runs.shards import write_table
from figureground.stages.mine.account import details, group_table, left_out, passed_over, say_notes
from figureground.stages.mine.areas import AreaRule, area_bounds, area_rule
from figureground.stages.mine.choose import Choice
from figureground.stages.mine.filling import fill
from figureground.stages.mine.groups import Group, mad_groups, quotas
from figureground.stages.mine.models import Contender, contenders
from figureground.stages.mine.options import MineOptions
from figureground.stages.mine.passage import Tally
from figureground.stages.mine.queue import Queued, maps_table, queue_table, read_queued
from figureground.stages.mine.round import Round
from figureground.stages.mine.selectors import SCORE_COLUMNS
from figureground.stages.mine.sheet import cards_of, queue_sheet
from figureground.stages.mine.training import NOTHING, Training, open_training, read_training

KIND, SCHEMA = "queue", 1


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

    `queue.parquet` has a row for each sample, best first, with the reason and both label maps; `maps.parquet` has those of all models;
    `groups.parquet` says how every quota was filled; `passed-over.csv` lists near-duplicates; `sheet.jpg` shows the first samples. What is
    held does not grow with the pool.

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
    check_options(options, pool, models)
    features = _features(options)
    rule, mad = area_rule(options.area, pool.classes), options.selector == "mad"
    training = open_training(options.train, pool.classes, masks=mad and rule.rule is not None) if options.train else None
    inputs, settings = _inputs(pool, models, training, options), dataclasses.asdict(options)
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=settings)
    if finished(out, kind=KIND, key=key) and _same_pictures(out, pool, reporter):
        reporter.say(f"{out}: this queue is there already, nothing to do")
        return out
    read = (pool, *(model.stream for model in models), *([training] if training else []))
    sources = (file for one in read for file in one.every_file())
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=sources, reporter=reporter)
    known = _known_of(training, options, rule, writer=writer, executor=executor, reporter=reporter)
    bounds = area_bounds(rule, known.parts, pool.classes)
    mined = Round(pool=pool, models=models, options=options, bounds=bounds, groups=_groups(pool, models, options))
    filled = fill(mined, features, known, writer=writer, executor=executor, reporter=reporter)
    tally, choice = filled.tally, filled.choice
    _check_unchanged(pool, models, inputs)
    faults = left_out(mined, tally, reporter)
    filled.admission.check()
    say_notes(mined, tally, known.parts, reporter)
    queued = read_queued(choice.chosen, tally.table, mined.groups, models, classes=pool.classes, distance=options.distance)
    _check_unchanged(pool, models, inputs)
    _write(mined, tally, choice, queued, writer)
    failures = [*faults, *filled.admission.faults]
    writer.finish(
        options=settings,
        inputs=inputs,
        counts={"samples": tally.samples, "queued": len(queued), "failures": len(failures)},
        seed=options.seed,
        failures=[*failures, *known.faults],  # pictures of the training set are no samples left out
        details={
            **details(mined, tally, choice, training_pictures=len(known.names)),
            "pictures": _picture_stamps(pool, [one.id for one in choice.chosen], choice.refused) if options.deduplicate else None,
        },
    )
    return out


def check_options(options: MineOptions, pool: Pool, models: Sequence[Contender]) -> None:
    """Raise `InputError` where a selector lacks what it goes by."""
    target, rivals = models[0], models[1:]
    if not pool.classes.foreground:
        raise InputError(f"{pool.name}: mining needs a foreground class, and the pool has only '{pool.classes.names[0]}'. Add the classes")
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


def _inputs(pool: Pool, models: Sequence[Contender], training: Dataset | None, options: MineOptions) -> dict[str, str]:
    found = {"pool": pool.fingerprint(), **{f"predictions:{model.name}": model.stream.fingerprint() for model in models}}
    if training is not None:
        found["train"] = training.fingerprint()
    if options.features:
        found["features"] = paths.stamp(options.features)
    return found


def _known_of(
    training: Dataset | None,
    options: MineOptions,
    rule: AreaRule,
    *,
    writer: ArtifactWriter,
    executor: Executor,
    reporter: Reporter,
) -> Training:
    areas = options.selector == "mad" and rule.rule is not None
    if areas and training is None:
        reporter.say("note: without --train there is nothing to say how large classes are: figures of any size are taken")
    if training is None or not (areas or options.deduplicate):
        return NOTHING
    return read_training(training, areas=areas, hashes=options.deduplicate, writer=writer, executor=executor, reporter=reporter)


def _groups(pool: Pool, models: Sequence[Contender], options: MineOptions) -> tuple[Group, ...]:
    if options.selector == "mad":
        shares = quotas(options.top, [model.weight for model in models[1:]])
        return mad_groups(pool.classes, shares, one_sided=options.one_sided)
    quota = options.budget or options.top * len(pool.classes.foreground)
    return (Group(rival=None, direction=None, class_id=None, one_sided=False, quota=quota),)


def _features(options: MineOptions) -> dict[str, tuple[float, ...]] | None:
    """Id -> numbers, from the table of features; None where there is none."""
    if not options.features:
        return None
    table = read_table(options.features)
    columns, ids = [name for name in table.columns if name != "id"], unique_ids(table)
    try:
        found = {i: tuple(float(row[name]) for name in columns) for i, row in zip(ids, table.rows, strict=True)}
    except ValueError as error:
        raise InputError(f"{options.features}: --features must be numbers beside `id` ({error})") from error
    if wrong := [i for i, numbers in found.items() if not all(map(math.isfinite, numbers))]:
        raise InputError(f"{options.features}: --features must be finite numbers; those of '{wrong[0]}' are not")
    if not columns:
        raise InputError(f"{options.features}: --features must have a column of numbers beside `id`")
    return found


def _check_unchanged(pool: Pool, models: Sequence[Contender], inputs: Mapping[str, str]) -> None:
    if pool.fingerprint() != inputs["pool"]:
        raise InputError(f"{pool.name}: the pool changed while it was read. Run the same command again")
    for model in models:
        if model.stream.fingerprint() != inputs[f"predictions:{model.name}"]:
            raise InputError(f"'{model.name}': the predictions changed while they were read. Run the same command again")


def _picture_stamps(pool: Pool, chosen: Iterable[str], refused: Iterable[str]) -> str:
    """sha256 over size and time of change of the pictures that decided: of the samples taken, and of those passed over."""
    images = pool.images([*chosen, *refused])
    return hashlib.sha256("\n".join(f"{i}\t{paths.stamp(images[i])}" for i in sorted(images)).encode()).hexdigest()


def _same_pictures(out: Path, pool: Pool, reporter: Reporter) -> bool:
    """False where a picture that decided has changed since, has gone, or is back."""
    told = read_manifest(out).details.get("pictures")
    try:
        chosen = pq.read_table(out / "queue.parquet", columns=["id"])["id"].to_pylist()
    except READ_FAULTS:
        reporter.say(f"{out}: queue.parquet is damaged; the queue is mined anew")
        return False
    if told is None or told == _picture_stamps(pool, chosen, [row["id"] for row in read_table(str(out / "passed-over.csv")).rows]):
        return True
    reporter.say(f"{out}: pictures have changed since this queue was mined; it is mined anew")
    return False


def _write(mined: Round, tally: Tally, choice: Choice, queued: Sequence[Queued], writer: ArtifactWriter) -> None:
    pool, options = mined.pool, mined.options
    images = pool.images([one.chosen.id for one in queued])
    rows = queue_table(queued, mined.groups, mined.models, images, classes=pool.classes, selector=options.selector)
    write_table(writer.path / "queue.parquet", rows)
    write_table(writer.path / "maps.parquet", maps_table(queued, mined.models))
    write_table(writer.path / "groups.parquet", group_table(mined, tally, choice))
    write_atomically(writer.path / "passed-over.csv", passed_over(choice).encode())
    names = [model.name for model in mined.models]
    if cards := cards_of(queued, images, names, pool.classes, most=options.sheet):
        caption = f"{pool.name}: the first {len(cards)} of {len(queued)} samples, by {options.selector}"
        sheet = queue_sheet(cards, pool.classes, class_colours(pool.classes), caption=caption)
        write_atomically(writer.path / "sheet.jpg", jpeg_bytes(sheet, quality=90))
