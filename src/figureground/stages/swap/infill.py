"""The infill stage: cuts out the figure of each training picture, fills the hole, and writes backgrounds and what speaks against some."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from figureground.core.errors import Fault, FormatError, InputError, check_failures, may_leave_out
from figureground.core.types import LabelRuns, Sample
from figureground.data import paths
from figureground.data.backgrounds import GATES, GROUNDS, KIND, SCHEMA, TABLE
from figureground.data.dataset import Dataset, picture_fingerprint
from figureground.data.faults import refusal, written_size
from figureground.data.labelmap import encode_runs, figure_of, resize_nearest, runs_to_columns
from figureground.data.parquet import FAULTS
from figureground.data.pixels import decode_picture
from figureground.data.splits import training_part
from figureground.data.write import jpeg_bytes, png_rgb_bytes
from figureground.models.inputs import resized
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished
from figureground.runs.executor import Executor, LocalExecutor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.runs.shards import map_in_shards, read_shards, write_table
from figureground.stages.swap.figure_masks import FULL, FigureMasks, MaskQuality, figure_masks, mask_quality
from figureground.stages.swap.fill import MODELS, Fill, Holed, filled_all, open_fill, together
from figureground.stages.swap.options import HARMLESS, InfillOptions
from figureground.stages.swap.sources import GroundSource, check_picture, open_source, sample_seed

SHARD_SIZE = 32
"""Pictures between two notes of what is done: what an interruption can cost."""
IMAGES = "images"


def run_infill(
    dataset: Dataset, *, options: InfillOptions | None = None, out: Path, executor: Executor | None = None, reporter: Reporter | None = None
) -> Path:
    """Writes the artifact `backgrounds` of the training pictures of a data set.

    An interrupted run goes on behind its last whole shard and ends with the same bytes, on whatever engine.

    Args:
        dataset: with a label for each sample, or with masks, of which the most frequent class is then the label.
        options: where figures are and what fills their holes.
        out: directory of the artifact; there already with the same key = nothing is done.
        executor: where pictures are filled. Default: this process.
        reporter: where progress is told; default nowhere.

    Returns:
        `out`, which `read_backgrounds` reads.

    Raises:
        InputError: no training pictures, one class only, masks that do not fit the data or leave nothing to swap, or an infill that cannot
            be opened.
        FormatError: a picture or mask that cannot be read, unless `max_failures` allows it.
    """
    options, executor, reporter = options or InfillOptions(), executor or LocalExecutor(), reporter or QuietReporter()
    train = training_part(dataset, options.split)
    _check_labels(train)
    source, digests = open_source(options, dataset, train)
    open_fill(options.infill, device=options.device)  # what is wrong with it is told before anything is written
    settings = {k: v for k, v in dataclasses.asdict(options).items() if k not in HARMLESS}
    inputs = {"data": train.fingerprint(), "pictures": picture_fingerprint(train), **digests, **_model_digest(options.infill)}
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=settings)
    if finished(out, kind=KIND, key=key, max_failures=options.max_failures):
        reporter.say(f"{out}: these backgrounds are there already, nothing to do")
        return out
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, sources=train.every_file(), reporter=reporter)
    (writer.path / IMAGES).mkdir(exist_ok=True)
    worker = partial(_worker, train, source, options, writer.path)
    told = {"what": "infill", "unit": "pictures", "shard_size": SHARD_SIZE}
    with may_leave_out():
        shards = map_in_shards(list(enumerate(train.samples)), worker, writer=writer, executor=executor, reporter=reporter, **told)
        faults = [Fault(**row) for row in read_shards(writer, "faults", shards).to_pylist()]
        check_failures(faults, options.max_failures)
    table = read_shards(writer, "grounds", shards)
    _tell_dropped(table, options, reporter)
    try:
        _check_classes(train, table["label"].to_pylist())
        _check_some(train, table)
    except InputError:
        writer.discard()
        raise
    write_table(writer.path / TABLE, table)
    writer.finish(
        options=settings,
        inputs=inputs,
        counts={
            "samples": len(train) - len(faults),
            "backgrounds": table["image"].drop_null().length(),
            "cut": table["cut"].to_pylist().count(True),
        },
        seed=options.seed,
        failures=faults,
        details=_details(dataset, source, options, table),
    )
    return out


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InfillWorker:
    """Cuts out and fills batches of samples; one is built per worker process."""

    dataset: Dataset
    source: GroundSource
    options: InfillOptions
    fill: Fill
    folder: Path

    def __call__(self, batch: Sequence[tuple[int, Sample]]) -> dict[str, pa.Table]:
        """Rows of `GROUNDS` without runs, their runs, and the faults of pictures that cannot be read."""
        rows: list[dict[str, Any]] = []
        runs: list[LabelRuns] = []
        faults: list[dict[str, Any]] = []
        grounds: dict[str, Holed] = {}
        for place, sample in batch:
            try:
                row, figure, ground = self.one(place, sample)
            except FormatError as error:
                if not self.options.max_failures:
                    raise
                faults.append(dataclasses.asdict(error.fault))
                continue
            rows.append(row)
            runs.append(figure)
            if ground is not None:
                grounds[row["image"]] = ground
            if len(grounds) >= together(self.fill):
                self._write(grounds)
                grounds.clear()
        if grounds:
            self._write(grounds)
        head = pa.Table.from_pylist(rows, pa.schema(list(GROUNDS)[: -len(_RUNS)]))
        for name, column in zip(_RUNS, runs_to_columns(runs), strict=True):
            head = head.append_column(GROUNDS.field(name), column)
        return {"grounds": head, "faults": pa.Table.from_pylist(faults, FAULTS)}

    def one(self, place: int, sample: Sample) -> tuple[dict[str, Any], LabelRuns, Holed | None]:
        """The row of a sample, its figure as 0 and 1, and its background before it is filled; None where it is none."""
        if not sample.image:
            raise refusal("missing-file", "the sample has no picture", "Name its picture, or leave the sample out", sample=sample.id)
        data = paths.read_bytes(sample.image, sample=sample.id)
        digest = paths.content_digest(data)
        check_picture(self.source, sample, digest, spec=self.options.masks)
        picture = decode_picture(data, file=sample.image, sample=sample.id)
        truth = self._truth(sample, picture)
        named = dataclasses.replace(sample, label=sample.label or self._main_class(truth))
        masks = figure_masks(self.source.chances(named), picture, thresholds=self.source.thresholds, options=self.options)
        quality = MaskQuality()
        if truth is not None:
            quality = mask_quality(masks, truth, figure_of(truth, named.label, self.dataset.classes), self.dataset.classes)
        ground, gates = self._ground(sample.id, picture, masks) if masks.ground and named.label else None, masks.gates
        if ground is not None and ground.hole.all():  # at `size` nothing is left of it
            ground, gates = None, (*gates, FULL)
        has_context = self.dataset.context_attribute is not None
        row = {
            "id": sample.id,
            "label": named.label,
            "context": self.dataset.attribute(sample, "context") if has_context else "",
            "image": f"{IMAGES}/{place:07d}.{'jpg' if self.options.pictures == 'jpeg' else 'png'}" if ground is not None else None,
            "picture": digest,
            "cut": masks.cut,
            "gates": list(gates),
            "coverage": float(masks.tight.mean()),
            "filled": float(masks.loose.mean()),
            **{name: None if math.isnan(value) else value for name, value in dataclasses.asdict(quality).items()},
        }
        return row, encode_runs(masks.tight.astype(np.uint8)), ground

    def _truth(self, sample: Sample, picture: np.ndarray) -> np.ndarray | None:
        if self.dataset.masks is None:
            return None
        truth = self.dataset.masks.read(sample.id).dense()
        if truth.shape != picture.shape[:2]:
            raise refusal(
                "size-mismatch",
                f"the mask is {written_size(truth.shape)} and its picture {written_size((picture.shape[0], picture.shape[1]))}",
                "Bring the mask and the picture that belong together",
                file=sample.image,
                sample=sample.id,
            )
        return truth

    def _main_class(self, truth: np.ndarray | None) -> str | None:
        """The class with most pixels, where a sample has no label; None where there is none."""
        if truth is None:
            return None
        classes = self.dataset.classes
        counts = {i: int((truth == i).sum()) for i in classes.foreground}
        most = max(counts, key=lambda i: counts[i], default=None)
        return classes.name_of(most) if most is not None and counts[most] else None

    def _ground(self, sample_id: str, picture: np.ndarray, masks: FigureMasks) -> Holed:
        hole, side = masks.loose, self.options.size
        if side:
            picture = resized(picture, (side, side), "bilinear")
            hole = resize_nearest(encode_runs(hole.astype(np.uint8)), (side, side)).dense().astype(bool)
        return Holed(picture=picture, hole=hole, rng=np.random.default_rng(sample_seed(self.options.seed, sample_id)))

    def _write(self, grounds: Mapping[str, Holed]) -> None:
        """Fills backgrounds and writes them under their names in the artifact."""
        for name, made in zip(grounds, filled_all(list(grounds.values()), self.fill), strict=True):
            (self.folder / name).write_bytes(jpeg_bytes(made) if self.options.pictures == "jpeg" else png_rgb_bytes(made))


_RUNS = ("height", "width", "values", "lengths")


def _worker(dataset: Dataset, source: GroundSource, options: InfillOptions, folder: Path) -> InfillWorker:
    fill = open_fill(options.infill, device=options.device)
    return InfillWorker(dataset=dataset, source=source, options=options, fill=fill, folder=folder)


def _model_digest(infill: str) -> dict[str, str]:
    kind, _, where = infill.partition(":")
    if kind not in MODELS:
        return {}
    return {"infill": hashlib.sha256(paths.read_bytes(where.partition("?")[0])).hexdigest()}


def _check_labels(train: Dataset) -> None:
    """Raise `InputError` where samples have neither label nor mask, or the labels show that there is one class only."""
    labels = [s.label for s in train.samples]
    if train.masks is None and (bare := next((s.id for s in train.samples if not s.label), None)):
        raise InputError(f"{train.name}: sample '{bare}' has neither label nor mask, so nothing says its class. Give each sample its label")
    if all(labels):
        _check_classes(train, labels)


def _check_classes(train: Dataset, labels: Sequence[str | None]) -> None:
    """Raise `InputError` where there is no second class: no background could tell a label then."""
    names = sorted({name for name in labels if name})
    if len(names) < 2:
        has = f"the one class '{names[0]}'" if names else "no label"
        raise InputError(
            f"{train.name}: its training pictures have {has}, and swapping needs two classes at least. Bring pictures of another"
        )


def _check_some(train: Dataset, table: pa.Table) -> None:
    """Raise `InputError` where no figure can be cut out, or no background is left: nothing could be swapped."""
    cut, filled = any(table["cut"].to_pylist()), table["image"].drop_null().length()
    if cut and filled:
        return
    lacking = "no picture is left for a background" if cut else "no figure can be cut out"
    told = ", ".join(f"{count} {gate}" for gate, count in _gates(table).items())
    raise InputError(f"{train.name}: {lacking} of {len(table)} pictures ({told}). Give other --masks, or other bounds")


def _tell_dropped(table: pa.Table, options: InfillOptions, reporter: Reporter) -> None:
    """A note where edges are fitted and most figures are gone: a bound of patches may be too low for what smoothing leaves."""
    cut = sum(table["cut"].to_pylist())
    if options.refine != "none" and 2 * cut < len(table):
        reporter.say(
            f"note: {cut} of {len(table)} figures can be cut out with --refine {options.refine}: fitting edges can take all of a figure "
            "that is just below the bound. Compare --refine none, or give a higher --tight"
        )


def _gates(table: pa.Table) -> Counter[str]:
    """How many pictures each reason speaks against."""
    return Counter(gate for gates in table["gates"].to_pylist() for gate in gates)


def _details(dataset: Dataset, source: GroundSource, options: InfillOptions, table: pa.Table) -> dict[str, Any]:
    gates = _gates(table)
    labels, images = table["label"].to_pylist(), table["image"].to_pylist()
    return {
        "dataset": dataset.name,
        "classes": list(dataset.classes.names),
        "masks": options.masks,
        "infill": options.infill,
        "thresholds": {"tight": source.thresholds.tight, "loose": source.thresholds.loose},
        "detector": source.judged,
        "gates": {gate: gates[gate] for gate in GATES},
        "backgrounds": dict(sorted(Counter(label for label, image in zip(labels, images, strict=True) if image and label).items())),
        "split": options.split,
        "size": options.size,
    }
