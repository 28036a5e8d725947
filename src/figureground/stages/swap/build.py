"""The build stage: writes training pictures whose ground says nothing of their label as a data set, with the proof beside it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import Fault, FormatError, InputError, check_failures, may_leave_out
from figureground.core.types import ClassTable, LabelSource, Sample
from figureground.core.whole_file import write_atomically
from figureground.data import paths
from figureground.data.backgrounds import TABLE, Backgrounds, read_backgrounds
from figureground.data.dataset import Dataset, picture_fingerprint
from figureground.data.faults import refusal, some, written_size
from figureground.data.parquet import FAULTS
from figureground.data.pixels import read_picture
from figureground.data.sources import SizeChecked, file_of
from figureground.data.splits import training_part
from figureground.data.swapper import Swapped, Swapper
from figureground.data.write import jpeg_bytes, png_bytes, png_rgb_bytes, write_table_and_toml
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, to_json
from figureground.runs.executor import Executor, LocalExecutor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.runs.shards import map_in_shards, read_shards
from figureground.stages.swap.options import HARMLESS, BuildOptions
from figureground.stages.swap.proof import QUALITIES, make_proof, proof_to_json

KIND, SCHEMA = "dataset", 1
SHARD_SIZE = 64
"""Pictures between two notes of what is done: what an interruption can cost."""
PROOF = "proof.json"
IMAGES, MASKS = "images", "masks"
COLUMNS = ("swap_figure", "swap_ground", "swap_class", "swap_context")
"""What `samples.csv` says of a picture beside what the data set says."""
_ROW = pa.schema([(name, pa.string()) for name in ("id", "label", "context", "source", "swapped", "image", "mask", "figure", "ground")])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One picture to make."""

    number: int
    """Counts all of them."""
    index: int
    """Number of the training sample, which its random numbers belong to."""
    copy: int
    sample: Sample

    @property
    def id(self) -> str:
        """The id of the picture."""
        return f"{self.sample.id}-{self.copy}"


def run_build(
    backgrounds: Path,
    dataset: Dataset,
    *,
    options: BuildOptions | None = None,
    out: Path,
    executor: Executor | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Writes a swapped data set as an artifact `dataset`, which `open_dataset` reads, with `proof.json`.

    Copy k of a training picture is what `SwapDataset` shows in epoch k at the picture's own size. An interrupted run goes on behind its
    last whole shard and ends with the same bytes, on whatever engine.

    Args:
        backgrounds: directory that `swap infill` wrote of the same data set.
        dataset: whose training pictures are swapped.
        options: how figures are set on grounds, and how many copies there are.
        out: directory of the artifact; there already with the same key = nothing is done.
        executor: where pictures are made. Default: this process.
        reporter: where progress is told; default nowhere.

    Returns:
        `out`.

    Raises:
        ArtifactError: there are no backgrounds.
        InputError: backgrounds of other data, no figure to cut out, or a class that has no background.
        FormatError: a picture that cannot be read, unless `max_failures` allows it.
    """
    options, executor, reporter = options or BuildOptions(), executor or LocalExecutor(), reporter or QuietReporter()
    bank = read_backgrounds(backgrounds)
    train = training_part(dataset, bank.details.get("split", "train"))
    lost = _lost(backgrounds, bank, train)
    settings = {k: v for k, v in dataclasses.asdict(options).items() if k not in HARMLESS}
    inputs = {"backgrounds": bank.key, "data": dataset.fingerprint(), "pictures": picture_fingerprint(train)}
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options={**settings, "verb": "swap build"})
    if finished(out, kind=KIND, key=key, max_failures=options.max_failures + len(lost)):
        reporter.say(f"{out}: this data set is there already, nothing to do")
        return out
    unread = {fault.sample for fault in lost}
    usable = [(index, s) for index, s in enumerate(train.samples) if s.id not in unread]
    swapper = _swapper(bank, [s for _, s in usable], options, dataset.classes.background)
    sources = (*dataset.every_file(), *(Path(bank.folder) / image for image in bank.images if image))
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=sources, reporter=reporter)
    for folder in (IMAGES, MASKS) if dataset.masks is not None else (IMAGES,):
        (writer.path / folder).mkdir(exist_ok=True)
    worker = partial(_worker, swapper, dataset.masks, dataset.classes, options, writer.path)
    with may_leave_out():
        rows, faults = _written(_items(usable, options.copies), worker, writer, executor, reporter)
        check_failures(faults, options.max_failures)
    _write_table(dataset, train, rows, options, writer)
    proof = _proof(backgrounds, bank, rows)
    write_atomically(writer.path / PROOF, to_json(proof).encode())
    if small := bank.details.get("size"):
        reporter.say(f"note: backgrounds were made at {small} px, and pictures keep their own size: larger ones get blurred grounds")
    told = {"dataset": dataset.name, "classes": list(dataset.classes.names), "backgrounds": str(bank.details.get("infill", ""))}
    counts = {"samples": len(train), "pictures": len(rows)}
    failures = [*lost, *faults]
    writer.finish(options=settings, inputs=inputs, counts=counts, seed=options.seed, failures=failures, details={**told, "proof": proof})
    return out


def _items(samples: Sequence[tuple[int, Sample]], copies: int) -> list[Item]:
    """Every picture to make, the copies of a training picture in a row."""
    return [
        Item(number=place * copies + copy, index=index, copy=copy, sample=sample)
        for place, (index, sample) in enumerate(samples)
        for copy in range(copies)
    ]


def _written(
    items: list[Item], worker: Callable[[], BuildWorker], writer: ArtifactWriter, executor: Executor, reporter: Reporter
) -> tuple[list[dict[str, Any]], list[Fault]]:
    """Makes the pictures; returns a row for each, and what is wrong with those that cannot be made."""
    told = {"what": "swap", "unit": "pictures", "shard_size": SHARD_SIZE}
    shards = map_in_shards(items, worker, writer=writer, executor=executor, reporter=reporter, **told)
    faults = [Fault(**row) for row in read_shards(writer, "faults", shards).to_pylist()]
    return read_shards(writer, "rows", shards).to_pylist(), faults


def _swapper(bank: Backgrounds, samples: Sequence[Sample], options: BuildOptions, background: int) -> Swapper:
    known = {"labels": [s.label for s in samples], "images": [s.image for s in samples], "background": background}
    return Swapper.of(bank, [s.id for s in samples], options=options, **known)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuildWorker:
    """Makes and writes batches of pictures; picklable, one is built per worker process."""

    swapper: Swapper
    masks: LabelSource | None
    classes: ClassTable
    options: BuildOptions
    folder: Path

    def __call__(self, items: Sequence[Item]) -> dict[str, pa.Table]:
        """Rows of pictures, and the faults of those that cannot be read."""
        rows: list[dict[str, Any]] = []
        faults: list[dict[str, Any]] = []
        for item in items:
            try:
                rows.append(self.one(item))
            except FormatError as error:
                if not self.options.max_failures:
                    raise
                own = error.fault.sample == item.sample.id  # else it is the ground's, and this picture is the one that is not made
                faults.append(dataclasses.asdict(error.fault if own else dataclasses.replace(error.fault, sample=item.id)))
        return {"rows": pa.Table.from_pylist(rows, _ROW), "faults": pa.Table.from_pylist(faults, FAULTS)}

    def one(self, item: Item) -> dict[str, Any]:
        """Makes a picture, writes it with its mask, and returns its row."""
        sample, bank = item.sample, self.swapper.grounds
        made = self.swapped(item)
        jpeg = self.options.pictures == "jpeg"
        image = f"{IMAGES}/{item.number:07d}.{'jpg' if jpeg else 'png'}"
        (self.folder / image).write_bytes(jpeg_bytes(made.picture) if jpeg else png_rgb_bytes(made.picture))
        mask = None
        if made.mask is not None:
            mask = f"{MASKS}/{item.number:07d}.png"
            (self.folder / mask).write_bytes(png_bytes(made.mask))
        own = bank.rows[sample.id]
        ground = own if made.ground is None else made.ground
        return {
            "id": item.id,
            "label": bank.labels[own],
            "context": bank.contexts[ground],
            "source": bank.labels[ground],
            "swapped": "no" if made.ground is None else "yes",
            "image": image,
            "mask": mask,
            "figure": sample.id,
            "ground": "" if made.ground is None else bank.ids[ground],
        }

    def swapped(self, item: Item) -> Swapped:
        """One picture with its mask; what cannot be read, or has another size than when it was cut out, raises `FormatError`."""
        sample = item.sample
        assert sample.image is not None
        picture = read_picture(sample.image, sample=sample.id)
        mask = None if self.masks is None else self.masks.read(sample.id).dense()
        runs = self.swapper.grounds.figures[self.swapper.grounds.rows[sample.id]]
        size = (picture.shape[0], picture.shape[1])
        if (runs is not None and runs.size_hw != size) or (mask is not None and mask.shape != size):
            found = written_size(runs.size_hw if runs is not None and runs.size_hw != size else (mask.shape if mask is not None else size))
            raise refusal(
                "size-mismatch",
                f"its figure is {found} and the picture {written_size(size)}",
                "Bring the picture and the mask that belong together, and write the backgrounds again",
                file=sample.image,
                sample=sample.id,
            )
        return self.swapper(picture, mask, sample.id, epoch=item.copy, index=item.index)


def _worker(swapper: Swapper, masks: LabelSource | None, classes: ClassTable, options: BuildOptions, folder: Path) -> BuildWorker:
    return BuildWorker(swapper=swapper, masks=masks, classes=classes, options=options, folder=folder)


def _lost(folder: Path, bank: Backgrounds, train: Dataset) -> list[Fault]:
    """The faults of training pictures that the infill left out; a picture it did not know at all raises `InputError`."""
    faults = {row["sample"]: Fault(**row) for row in json.loads((Path(folder) / "failures.json").read_text(encoding="utf-8"))}
    strangers = [i for i in train.ids if i not in bank.rows and i not in faults]
    if strangers:
        raise InputError(
            f"{folder}: was made of other data: it does not know {some(strangers)} of {train.name}. Fill the backgrounds of this data set"
        )
    return [faults[i] for i in train.ids if i in faults and i not in bank.rows]


def _proof(folder: Path, bank: Backgrounds, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    before = pq.read_table(Path(folder) / TABLE, columns=["label", "context", "gates", "cut", *QUALITIES]).to_pydict()
    after = {name: [row[name] or "" for row in rows] for name in ("label", "source", "context", "swapped")}
    pools = {name: len(pool) for name, pool in bank.pools.items()}
    return proof_to_json(make_proof(before, after, pools, detector=bank.details.get("detector")))


def _write_table(
    dataset: Dataset, train: Dataset, rows: Sequence[Mapping[str, Any]], options: BuildOptions, writer: ArtifactWriter
) -> None:
    """`samples.csv` and `dataset.toml`: the swapped pictures, then the samples of the other splits where they lie."""
    context = dataset.context_attribute
    samples = []
    for row in rows:
        own = train.sample(row["figure"])
        attributes = dict(own.attributes)
        told = (row["figure"], row["ground"], row["source"], attributes.get(context, "") if context else "")
        if context:
            attributes[context] = row["context"]
        attributes |= dict(zip(COLUMNS, told, strict=True))
        samples.append(
            dataclasses.replace(own, id=row["id"], image=row["image"], mask=row["mask"], label=row["label"], attributes=attributes)
        )
    if options.others:
        held = set(train.ids)
        samples += [_as_it_is(dataset, s, place, writer.path) for place, s in enumerate(dataset.samples) if s.id not in held]
    classes = dataclasses.replace(dataset.classes, colours=None, ignore_colour=None)
    label = dataset.label_attribute or "label"
    told = {"common": dataset.common, "label": label, "context": context}
    write_table_and_toml(writer.path, name=f"{dataset.name} swapped", classes=classes, samples=samples, **told)


def _as_it_is(dataset: Dataset, sample: Sample, place: int, folder: Path) -> Sample:
    """A sample of another split; a mask that lies in no file of class ids is written."""
    image = paths.absolute(sample.image) if sample.image else None
    if dataset.masks is None:
        return dataclasses.replace(sample, image=image)
    source = dataset.masks.source if isinstance(dataset.masks, SizeChecked) else dataset.masks
    file = None if dataset.classes.colours else file_of(source, sample.id)
    if file is None:
        name = f"{MASKS}/other-{place:07d}.png"
        (folder / name).write_bytes(png_bytes(dataset.masks.read(sample.id).dense()))
        return dataclasses.replace(sample, image=image, mask=name)
    return dataclasses.replace(sample, image=image, mask=paths.absolute(file))
