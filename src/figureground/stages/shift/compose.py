"""The compose stage: draws every picture of a composition in worker processes and writes a data set with its contact sheet."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from figureground.core.errors import InputError
from figureground.core.ties import tied_contexts
from figureground.core.types import Sample
from figureground.core.whole_file import write_atomically
from figureground.data.write import jpeg_bytes, png_bytes, png_rgb_bytes, write_table_and_toml
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished
from figureground.runs.executor import Executor, LocalExecutor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.runs.shards import map_in_shards, read_shards
from figureground.stages.shift.balance import BalanceTable, balance_table
from figureground.stages.shift.compose_options import counted_options
from figureground.stages.shift.composition import KINDS, ComposeOptions, Composition, Picture
from figureground.stages.shift.facts import FACTS, PictureFacts, measure_picture
from figureground.stages.shift.layout import SPLITS
from figureground.stages.shift.plan import EVEN
from figureground.stages.shift.sheet import contact_sheet

KIND, SCHEMA = "dataset", 1
SHARD_SIZE = 256
"""Pictures between two notes of what is done: what an interruption can cost."""
_ROW = pa.schema(
    [*((name, pa.string()) for name in ("id", "label", "split", "context", "attributes")), *((f, pa.float64()) for f in FACTS)]
)


def run_compose(options: ComposeOptions, *, out: Path, executor: Executor | None = None, reporter: Reporter | None = None) -> Path:
    """Composes a data set and writes it as an artifact `dataset`, which `open_dataset` reads.

    `images/` and `masks/` hold the pictures, `samples.csv` and `dataset.toml` say what they are, `sheet.jpg` shows some of every group, and
    `balance.csv` compares the training pictures of the groups (all pictures where there are none for training). An interrupted run goes on
    behind its last whole shard and ends with the same bytes.

    Args:
        options: which pictures.
        out: directory of the artifact; there already with the same key = nothing is done.
        executor: where pictures are drawn; default: this process.
        reporter: where progress is told; default nowhere.

    Returns:
        `out`.

    Raises:
        InputError: options that do not fit together or the data, or count for another kind only, or a directory that cannot be written.
        FormatError: a file that is read for the composition cannot be.
    """
    executor, reporter = executor or LocalExecutor(), reporter or QuietReporter()
    compose, settings = KINDS.resolve(options.kind), counted_options(options)
    composition: Composition = compose(options)
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=composition.inputs, options=settings)
    if finished(out, kind=KIND, key=key):
        reporter.say(f"{out}: this data set is there already, nothing to do")
        return out
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=composition.sources, reporter=reporter)
    for note in composition.notes:
        reporter.say(f"note: {note}")
    try:
        table = _draw_all(composition, options, writer, executor, reporter)
        details = _finish_files(composition, options, writer.path, table)
        counts = {"samples": composition.count}
        writer.finish(options=settings, inputs=composition.inputs, counts=counts, seed=options.seed, details=details)
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.strerror or error}). What is finished is kept: make room and give the same command, "
            "or choose another --out"
        ) from error
    return out


def _draw_all(
    composition: Composition, options: ComposeOptions, writer: ArtifactWriter, executor: Executor, reporter: Reporter
) -> dict[str, list[Any]]:
    for folder in ("images", "masks"):
        (writer.path / folder).mkdir(exist_ok=True)
    shards = map_in_shards(
        range(composition.count),
        partial(partial, _draw_some, draw=composition.draw, folder=writer.path, pictures=options.pictures),
        writer=writer,
        executor=executor,
        reporter=reporter,
        what="compose",
        unit="pictures",
        shard_size=SHARD_SIZE,
    )
    return read_shards(writer, "rows", shards).to_pydict()


def _draw_some(indices: Sequence[int], *, draw: Callable[[int], Picture], folder: Path, pictures: str) -> dict[str, pa.Table]:
    """Draws and writes some pictures; a shard that was cut off is drawn again, so its files need no care of their own."""
    rows = []
    for index in indices:
        picture = draw(index)
        data = jpeg_bytes(picture.image) if pictures == "jpeg" else png_rgb_bytes(picture.image)
        for name, content in ((image_name(picture.id, pictures), data), (mask_name(picture.id), png_bytes(picture.mask))):
            if "/" in picture.id:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        facts = dataclasses.asdict(measure_picture(picture.image, picture.mask))
        told = json.dumps(dict(picture.attributes), ensure_ascii=False)
        rows.append(
            {"id": picture.id, "label": picture.label, "split": picture.split, "context": picture.context, "attributes": told, **facts}
        )
    return {"rows": pa.Table.from_pylist(rows, _ROW)}


def image_name(sample_id: str, pictures: str) -> str:
    """Where the picture of a sample stands in the artifact."""
    return f"images/{sample_id}.{'jpg' if pictures == 'jpeg' else 'png'}"


def mask_name(sample_id: str) -> str:
    """Where the mask of a sample stands in the artifact."""
    return f"masks/{sample_id}.png"


def _finish_files(composition: Composition, options: ComposeOptions, folder: Path, table: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Writes what stands beside the pictures, and returns what the manifest says of them."""
    samples = [
        Sample(
            id=sample_id,
            image=image_name(sample_id, options.pictures),
            mask=mask_name(sample_id),
            label=label,
            split=split,
            attributes={"context": context, **json.loads(told)},
        )
        for sample_id, label, split, context, told in zip(*(table[name] for name in _ROW.names[:5]), strict=True)
    ]
    write_table_and_toml(folder, name=composition.name, classes=composition.classes, samples=samples, common=composition.common)
    balance = _balance(table)
    write_atomically(folder / "balance.csv", balance.to_csv().encode())
    if options.sheet:
        write_atomically(folder / "sheet.jpg", jpeg_bytes(_sheet(composition, options, table), quality=90))
    groups: dict[str, dict[str, dict[str, int]]] = {}
    for (split, label, context), n in Counter(zip(table["split"], table["label"], table["context"], strict=True)).items():
        groups.setdefault(split, {}).setdefault(label, {})[context] = n
    return {
        "classes": list(composition.classes.names),
        "common": dict(composition.common),
        **({"beside": list(composition.beside)} if composition.beside else {}),
        "groups": groups,
        "mutual_information": balance.mutual_information,
        "cramers_v": balance.cramers_v,
        **composition.details,
    }


def _balance(table: Mapping[str, list[Any]]) -> BalanceTable:
    """Of the training pictures; of all where there are none. All pictures of a figure are a cluster."""
    chosen = [place for place, split in enumerate(table["split"]) if split == "train"] or range(len(table["split"]))
    facts = [PictureFacts(**{name: float("nan") if table[name][i] is None else table[name][i] for name in FACTS}) for i in chosen]
    figures = [json.loads(table["attributes"][i]).get("figure", "") for i in chosen]
    return balance_table(facts, [table["label"][i] for i in chosen], [table["context"][i] for i in chosen], cluster=figures)


def _sheet(composition: Composition, options: ComposeOptions, table: Mapping[str, list[Any]]) -> Any:
    """Shows the first pictures of each group, of the split that has all groups where there is one: test, else validation, else training."""
    shown = next(split for split in reversed(SPLITS) if split in set(table["split"]))
    found: dict[tuple[str, str], list[int]] = {}
    for index, (split, label, context) in enumerate(zip(table["split"], table["label"], table["context"], strict=True)):
        if split == shown and len(some := found.setdefault((label, context), [])) < options.sheet:
            some.append(index)
    classes = [
        name
        for place, name in zip(composition.classes.ids, composition.classes.names, strict=True)
        if place != composition.classes.background
    ]
    contexts = list(dict.fromkeys([*tied_contexts(composition.common), *composition.beside, *table["context"]]))
    rho = composition.details.get("rho", options.rho if options.train else None)  # a manifest has its own
    told = ("" if rho is None else f", rho {rho:g}") + (f", val_rho {options.val_rho:g}" if options.val_rho != EVEN else "")
    return contact_sheet(
        {group: [composition.draw(index).image for index in some] for group, some in found.items()},
        classes=classes,
        contexts=contexts,
        common=composition.common,
        caption=f"{composition.name}, {shown}; framed: what training ties together{told}",
    )
