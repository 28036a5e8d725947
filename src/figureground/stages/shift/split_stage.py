"""The split as a stage: finds contexts, plans who goes where, and writes one data set for each correlation around one test set."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from figureground.core.errors import InputError
from figureground.core.ties import Tie, tied_contexts
from figureground.core.types import ClassTable, LabelSource, Sample
from figureground.core.whole_file import write_atomically
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.pixels import read_picture
from figureground.data.sources import MaskFiles, SizeChecked
from figureground.data.spec import nearest
from figureground.data.write import jpeg_bytes, png_bytes, write_table_and_toml
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished
from figureground.runs.executor import Executor, LocalExecutor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.runs.shards import map_in_shards, read_shards
from figureground.runs.sources import check_sources
from figureground.stages.shift.balance import BalanceTable, PictureFacts, balance_table, warning_sentence
from figureground.stages.shift.choose_context import AREA_RULE, ContextChoice, with_context
from figureground.stages.shift.measure import FactsMeter, facts_to_table, table_to_facts
from figureground.stages.shift.plan import TOLERATED, check_several, declared_ties
from figureground.stages.shift.scenes import joined_scenes
from figureground.stages.shift.sheet import contact_sheet
from figureground.stages.shift.split import Candidate, SplitPlan, plan_split
from figureground.stages.shift.split_options import SplitOptions

KIND, SCHEMA = "dataset", 1
SHARD_SIZE = 64
SOURCE_SPLIT = "source_split"
"""Attribute that keeps the split a sample had before."""
MASKS = "masks"


def run_split(
    dataset: Dataset, *, options: SplitOptions, out: Path, executor: Executor | None = None, reporter: Reporter | None = None
) -> Path:
    """Splits a data set at one or several correlations and writes the result as one artifact.

    `rho-<rho>/` holds `dataset.toml`, `samples.csv` and `balance.csv` (of its training samples) for each correlation; `balance-test.csv` is
    of the one test set, and `sheet.jpg` shows some of its pictures. Pictures stay where they lie, and so do masks that are files of class
    ids; others, such as those drawn from COCO annotations, are written to `masks/`. Samples are listed by split and id, so the order of
    the data set changes nothing.

    Args:
        dataset: with labels; only samples with a label of a foreground class and a context take part.
        options: correlations, sizes, context, scenes and seed.
        out: directory of the artifact; there already with the same key = nothing is done.
        executor: where pictures are measured and masks drawn. Default: this process.
        reporter: where progress and warnings are told; default nowhere.

    Returns:
        `out`.

    Raises:
        InputError: no label, no context, one class or context only, a rho outside [0, 1], or a group too small.
        FormatError: a mask or picture that cannot be read.
    """
    reporter, executor = reporter or QuietReporter(), executor or LocalExecutor()
    rhos = tuple(_number(text) for one in options.rho for text in str(one).split(","))
    inputs = {"data": dataset.fingerprint(), "places": _digest(dataset, options)}
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options={**dataclasses.asdict(options), "verb": "split"})
    if finished(out, kind=KIND, key=key):
        reporter.say(f"{out}: this split is there already, nothing to do")
        return out
    check_sources(out, dataset.every_file())  # before contexts are measured, which takes its time
    choice, plan = _planned(dataset, options, rhos, executor=executor, reporter=reporter)
    used = choice.dataset.select(ids={*plan.val, *plan.test, *(i for ids in plan.train.values() for i in ids)})
    used = dataclasses.replace(used, samples=tuple(sorted(used.samples, key=lambda s: s.id)))
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, reporter=reporter)
    facts = _write_masks_and_measure(used, options, writer, executor=executor, reporter=reporter)
    masks, balance = _mask_paths(used), partial(_balance, used, facts, _scenes(choice.dataset, options))
    tables = {f"train at rho = {rho:g}": _write_one(used, plan, rho, masks, balance, options, writer) for rho in plan.train}
    if tests := balance(plan.test):
        write_atomically(writer.path / "balance-test.csv", tests.to_csv().encode())
    if options.sheet and options.balance and (sheet := _sheet(used, plan, options.sheet)) is not None:
        write_atomically(writer.path / "sheet.jpg", jpeg_bytes(sheet, quality=90))
    _say_differences({**tables, "test": tests}, reporter)
    settings, counts = dataclasses.asdict(options), {"samples": len(used)}
    writer.finish(options=settings, inputs=inputs, counts=counts, seed=options.seed, details=_details(dataset, choice, plan))
    return out


def rho_folder(rho: float) -> str:
    """The folder of a correlation inside the artifact: `rho-0.95`."""
    return f"rho-{rho:.10g}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _SampleWorker:
    """Writes the masks that lie in no file of their own, and measures; picklable, one is built per worker."""

    masks: LabelSource | None
    classes: ClassTable
    redrawn: Mapping[str, Path]
    """Sample id -> file to write."""
    measure: bool

    def __call__(self, samples: Sequence[Sample]) -> dict[str, pa.Table]:
        meter = FactsMeter(masks=self.masks, classes=self.classes)
        for sample in samples:
            if sample.id in self.redrawn and self.masks is not None:
                write_atomically(self.redrawn[sample.id], png_bytes(self.masks.read(sample.id).dense()))
        facts = meter(samples) if self.measure else [PictureFacts() for _ in samples]
        return {"facts": facts_to_table([s.id for s in samples], facts)}


def _planned(
    dataset: Dataset, options: SplitOptions, rhos: tuple[float, ...], *, executor: Executor, reporter: Reporter
) -> tuple[ContextChoice, SplitPlan]:
    """The samples that take part, with their context, and who goes where."""
    labelled = _labelled(dataset, options)
    choice = with_context(labelled, options.context, stuff=options.stuff, seed=options.seed, executor=executor, reporter=reporter)
    choice = dataclasses.replace(choice, dataset=_of_contexts(choice.dataset, options))
    plan = plan_split(
        _candidates(choice.dataset, options),
        rhos=rhos,
        val=options.val,
        test=options.test,
        train=options.train,
        common=_common(choice.dataset, options),
        classes=dataset.classes.names,
        seed=options.seed,
    )
    for rho in plan.train:
        if abs(plan.reached(rho) - rho) > TOLERATED:
            better = f"; --train {plan.exact} meets every rho" if plan.exact else ""
            reporter.say(f"warning: rho = {rho:g} becomes {plan.reached(rho):.3f} with {len(plan.train[rho])} training samples{better}")
    return choice, plan


def _say_differences(tables: Mapping[str, BalanceTable | None], reporter: Reporter) -> None:
    for name, table in tables.items():
        if table and table.warnings:
            reporter.say(f"{name}: {warning_sentence(table)}; first: {table.warnings[0].sentence}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"`rho` must be a number in [0, 1]; got '{text}'") from error


def _digest(dataset: Dataset, options: SplitOptions) -> str:
    """sha256 over where pictures and masks lie, the state of the pictures, and the annotations of stuff."""
    digest = hashlib.sha256(str(Path.cwd()).encode())  # relative places mean something else elsewhere
    for s in dataset.samples:
        digest.update(repr((s.id, s.image, s.mask, paths.stamp(s.image) if s.image else "")).encode())
    for file in options.stuff if options.context == AREA_RULE else ():
        digest.update(hashlib.sha256(paths.read_bytes(file)).digest())
    return digest.hexdigest()


def _labelled(dataset: Dataset, options: SplitOptions) -> Dataset:
    """The samples of the foreground classes that were asked for."""
    ground = dataset.classes.name_of(dataset.classes.background)
    present = sorted({s.label for s in dataset.samples if s.label and s.label != ground})
    if not present:
        raise InputError(
            f"{dataset.name}: no sample has a label. A split needs the class of each sample: a column `label`, or a DATA spec with one"
        )
    for name in options.classes:
        if name not in present:
            raise InputError(
                f"--classes {name}: no sample of {dataset.name} has that label.{nearest(name, present)} Labels: {', '.join(present)}"
            )
    wanted = set(options.classes or present)
    check_several(sorted(wanted), of="class")  # before contexts are looked for, which can take its time
    return dataclasses.replace(dataset, samples=tuple(s for s in dataset.samples if s.label in wanted))


def _of_contexts(dataset: Dataset, options: SplitOptions) -> Dataset:
    present = sorted({dataset.attribute(s, "context") for s in dataset.samples} - {""})
    for name in options.contexts:
        if name not in present:
            raise InputError(
                f"--contexts {name}: no sample has that context.{nearest(name, present)} Contexts: {', '.join(present) or 'none'}"
            )
    wanted = set(options.contexts or present)
    return dataclasses.replace(dataset, samples=tuple(s for s in dataset.samples if dataset.attribute(s, "context") in wanted))


def _candidates(dataset: Dataset, options: SplitOptions) -> list[Candidate]:
    scenes = _scenes(dataset, options)
    return [Candidate(id=s.id, label=s.label or "", context=dataset.attribute(s, "context"), scene=scenes[s.id]) for s in dataset.samples]


def _scenes(dataset: Dataset, options: SplitOptions) -> dict[str, str]:
    """Sample id -> its scene."""
    for name in options.scene:
        if not any(dataset.attribute(s, name) for s in dataset.samples):
            raise InputError(f"--scene {name}: no sample has a value there. Known: {', '.join(dataset.attributes)}")
    scenes = joined_scenes(dataset.ids, [[dataset.attribute(s, name) for s in dataset.samples] for name in options.scene])
    return dict(zip(dataset.ids, scenes, strict=True))


def _common(dataset: Dataset, options: SplitOptions) -> dict[str, Tie] | None:
    """What `--common` says, else what the data set declares, if that names every class and only contexts that are there."""
    present = {s.label or "" for s in dataset.samples}
    contexts = {dataset.attribute(s, "context") for s in dataset.samples}
    if options.common:
        return declared_ties(options.common, classes=present, contexts=contexts)
    declared = {name: tie for name, tie in dataset.common.items() if name in present}
    return declared if set(declared) == present and contexts.issuperset(tied_contexts(declared)) else None


def _write_masks_and_measure(
    used: Dataset, options: SplitOptions, writer: ArtifactWriter, *, executor: Executor, reporter: Reporter
) -> dict[str, PictureFacts]:
    """Writes masks where that is needed; the facts by id, none where they were not asked for."""
    redrawn = {i: writer.path / MASKS / file for i, file in _redrawn(used).items()}
    if not redrawn and not options.balance:
        return {}
    if redrawn:
        (writer.path / MASKS).mkdir(exist_ok=True)
    worker = partial(_SampleWorker, masks=used.masks, classes=used.classes, redrawn=redrawn, measure=options.balance)
    told = {"what": "split", "unit": "samples", "shard_size": SHARD_SIZE}
    shards = map_in_shards(used.samples, worker, writer=writer, executor=executor, reporter=reporter, **told)
    return table_to_facts(read_shards(writer, "facts", shards)) if options.balance else {}


def _files(dataset: Dataset) -> MaskFiles | None:
    """The masks, where each lies in a file of its own as class ids or declared colours."""
    source = dataset.masks.source if isinstance(dataset.masks, SizeChecked) else dataset.masks
    return source if isinstance(source, MaskFiles) else None


def _redrawn(used: Dataset) -> dict[str, str]:
    """Sample id -> name of the mask file to write, for masks that lie in no file."""
    if used.masks is None or _files(used) is not None:
        return {}
    return {s.id: f"{place:06d}.png" for place, s in enumerate(used.samples)}


def _mask_paths(used: Dataset) -> dict[str, str]:
    """Sample id -> path of the mask as seen from the folder of a rho; a path that starts with `..` is inside the artifact."""
    files = _files(used)
    return dict(files.files) if files is not None else {i: f"../{MASKS}/{file}" for i, file in _redrawn(used).items()}


def _write_one(
    used: Dataset,
    plan: SplitPlan,
    rho: float,
    masks: Mapping[str, str],
    balance: Callable[[Sequence[str]], BalanceTable | None],
    options: SplitOptions,
    writer: ArtifactWriter,
) -> BalanceTable | None:
    """Writes the data set of one correlation; the balance of its training samples."""
    folder = writer.path / rho_folder(rho)
    folder.mkdir(exist_ok=True)
    seen_from = Path(os.path.abspath(writer.out / rho_folder(rho)))  # noqa: PTH100 - links in the path are kept
    inside = _files(used) is None
    samples = []
    for split, ids in (("train", plan.train[rho]), ("val", plan.val), ("test", plan.test)):
        for sample in (used.sample(i) for i in ids):
            mask = masks.get(sample.id)
            kept = {SOURCE_SPLIT: sample.split, **sample.attributes} if sample.split else sample.attributes
            image = _place(sample.image, seen_from, options) if sample.image else None
            mask = mask if mask is None or inside else _place(mask, seen_from, options)
            samples.append(dataclasses.replace(sample, image=image, mask=mask, split=split, attributes=kept))
    classes = dataclasses.replace(used.classes, colours=None, ignore_colour=None) if inside else used.classes
    write_table_and_toml(
        folder, name=f"{used.name} rho {rho:g}", classes=classes, samples=samples, common=plan.common, context=used.context_attribute
    )
    table = balance(plan.train[rho])
    if table:
        write_atomically(folder / "balance.csv", table.to_csv().encode())
    return table


def _place(path: str, seen_from: Path, options: SplitOptions) -> str:
    """Where a file lies, in the words of the table."""
    if paths.is_url(path):
        return path
    whole = os.path.abspath(path)  # noqa: PTH100 - links in the path are kept
    return os.path.relpath(whole, seen_from) if options.paths == "relative" else whole


def _balance(used: Dataset, facts: Mapping[str, PictureFacts], scenes: Mapping[str, str], ids: Sequence[str]) -> BalanceTable | None:
    """Of some samples, those of a scene being a cluster; None where nothing was measured."""
    if not facts or not ids:
        return None
    samples = [used.sample(i) for i in ids]
    labels, contexts = [s.label or "" for s in samples], [used.attribute(s, "context") for s in samples]
    return balance_table([facts[i] for i in ids], labels, contexts, cluster=[scenes[i] for i in ids])


def _sheet(used: Dataset, plan: SplitPlan, most: int) -> np.ndarray | None:
    """The first test pictures of each group; None where no test sample has a picture."""
    groups: dict[tuple[str, str], list[np.ndarray]] = {}
    for sample in (used.sample(i) for i in plan.test):
        shown = groups.setdefault((sample.label or "", used.attribute(sample, "context")), [])
        if sample.image and len(shown) < most:
            shown.append(read_picture(sample.image, sample=sample.id))
    if not any(groups.values()):
        return None
    caption = f"{used.name}, test; framed: what training ties together"
    return contact_sheet(groups, classes=plan.classes, contexts=plan.contexts, common=plan.common, caption=caption)


def _details(dataset: Dataset, choice: ContextChoice, plan: SplitPlan) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "classes": list(plan.classes),
        "contexts": list(plan.contexts),
        "common": dict(plan.common),
        "context": dict(choice.details),
        "val": len(plan.val),
        "test": len(plan.test),
        "pool": plan.pool.tolist(),
        "unused": plan.unused,
        "train": [
            {"rho": rho, "folder": rho_folder(rho), "samples": len(ids), "reached": plan.reached(rho), "groups": plan.counts[rho].tolist()}
            for rho, ids in plan.train.items()
        ],
    }
