"""What is reviewed: the pictures of a queue or of a data set, with what models saw in them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.core.types import ClassTable, LabelRuns, LabelSource
from figureground.data import paths
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.faults import refusal
from figureground.data.labelmap import columns_to_runs, resize_nearest
from figureground.data.pictures import picture_size
from figureground.data.pixels import decode_picture
from figureground.data.pool import open_pool
from figureground.data.predictions import open_predictions, unique_names
from figureground.data.write import jpeg_bytes
from figureground.review.layers import MOST_CLASSES, to_layer
from figureground.review.options import ReviewOptions
from figureground.review.target import Maps, target_marks
from figureground.review.words import counted
from figureground.runs.artifact import MANIFEST, is_artifact, read_manifest

_MOVED = "Say where the pictures lie now with --pool DATA"
_ORIENTATION, _UPRIGHT = 0x0112, 1
_SHOWN_AS_THEY_ARE = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One picture under review."""

    place: int
    """Number in the order of the queue, from 0."""
    id: str
    image: str
    size_hw: tuple[int, int]
    """Height and width in pixels, of the picture and of every mask of it."""
    label: str = ""
    """Class by which it was queued, or its class; empty where there is none."""
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """The maps of predictions, read when they are asked for."""

    source: LabelSource
    ids: frozenset[str]

    def get(self, sample_id: str, /) -> LabelRuns | None:
        """The map of a sample; None where there is none; a fault raises `FormatError`."""
        return self.source.read(sample_id) if sample_id in self.ids else None

    def __contains__(self, sample_id: object, /) -> bool:
        """Whether there is a map of a sample."""
        return sample_id in self.ids


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Project:
    """Pictures, classes and the maps of models; a sample is named by its place alone."""

    name: str
    digest: str
    """sha256 over classes and samples: a database belongs to one project, and to one target of it."""
    classes: ClassTable
    items: tuple[Item, ...]
    models: tuple[str, ...]
    """Whose maps there are; the first is the target's, where there is one."""
    maps: tuple[Maps, ...]
    """The maps of each model."""
    files: tuple[str, ...] = ()
    """What defines it, so that nothing is written over it."""
    sources: tuple[str, ...] = ()
    """Where the maps of each model come from."""
    target: tuple[str, ...] = ()
    """Marks of the target, see `review.target`; none without a model."""

    @property
    def can_mask(self) -> bool:
        """False with more classes than a layer has room for."""
        return len(self.classes) <= MOST_CLASSES

    @property
    def version(self) -> str:
        """Changes with classes, samples or target: what a browser has kept of another version is of no use."""
        return hashlib.sha256("\n".join((self.digest, *self.target)).encode()).hexdigest()

    def lacking(self, model: int) -> int:
        """Number of samples of which a model has no map."""
        return sum(item.id not in self.maps[model] for item in self.items)

    def map_of(self, place: int, model: int) -> LabelRuns | None:
        """What a model saw in a sample, with class ids and at the size of the picture; None where it has no map of it.

        Raises:
            FormatError: a map that cannot be read.
        """
        item = self.items[place]
        found = self.maps[model].get(item.id)
        return found if found is None or found.size_hw == item.size_hw else resize_nearest(found, item.size_hw)

    def layer_of(self, place: int, model: int) -> np.ndarray | None:
        """The same as a layer: uint8 [height, width], see `review.layers`."""
        found = self.map_of(place, model)
        return None if found is None else to_layer(found.dense(), self.classes)

    def picture(self, place: int) -> tuple[bytes, str]:
        """A picture as a browser shows it pixel for pixel, and its media type.

        JPEG, PNG and WebP go out as they are; one that says it should be turned, and other formats, are decoded and written anew, for
        masks are never turned.

        Raises:
            FormatError: the picture is absent or cannot be read.
        """
        item = self.items[place]
        data = paths.read_bytes(item.image, sample=item.id)
        if media := _shown_as_it_is(data):
            return data, media
        return jpeg_bytes(decode_picture(data, file=item.image, sample=item.id), quality=95), "image/jpeg"

    def pixels(self, place: int) -> np.ndarray:
        """The picture, uint8 [height, width, 3] in the order R, G, B; faults as `picture`."""
        item = self.items[place]
        return decode_picture(paths.read_bytes(item.image, sample=item.id), file=item.image, sample=item.id)


def open_project(where: str, *, options: ReviewOptions | None = None) -> Project:
    """The project of a QUEUE directory or of a DATA spec.

    Raises:
        ArtifactError: an artifact of another kind than `queue`, or one that cannot be read.
        InputError: no data set, one without pictures, an empty queue, a model with other classes, or a target without a map of any picture.
        FormatError: a fault in the files; pictures that are absent.
    """
    options = options or ReviewOptions()
    path = Path(where)
    if is_artifact(path) and read_manifest(path).kind == "queue":
        return _with_models(_of_queue(path, options.pool), options.models)
    if is_artifact(path) and not paths.exists(str(path / "dataset.toml")):
        raise ArtifactError(f"{where}: expected an artifact of kind 'queue' or a data set, found '{read_manifest(path).kind}'")
    if options.pool:
        raise InputError("--pool says where the pictures of a queue lie; leave it out, or give a queue")
    return _with_models(_of_dataset(open_dataset(where), options), options.models)


def _of_queue(path: Path, pool: str) -> Project:
    details = read_manifest(path).details
    classes = ClassTable(
        names=tuple(details["classes"]), ids=tuple(details["ids"]), background=details["background"], ignore=details["ignore"]
    )
    columns = ["id", "rank", "class", "reason", "image", "height", "width"]
    rows = _read(path / "queue.parquet", columns)
    if not rows:
        raise InputError(f"{path}: the queue is empty. Mine with a larger --top, --budget or --area")
    images = open_pool(pool).images([row["id"] for row in rows]) if pool else {row["id"]: row["image"] for row in rows}
    if without := [row["id"] for row in rows if not images.get(row["id"])]:
        raise InputError(
            f"{path}: {len(without)} of {len(rows)} samples have no picture, such as '{without[0]}'. Say where with --pool DATA"
        )
    items = tuple(
        Item(
            place=place,
            id=row["id"],
            image=str(images[row["id"]]),
            size_hw=(row["height"], row["width"]),
            label=row["class"] or "",
            reason=row["reason"] or "",
        )
        for place, row in enumerate(rows)
    )
    _check_sizes(items, _sizes(items, absent=_MOVED), hint=_MOVED)
    maps = _maps(path, [details["target"], *(rival["name"] for rival in details["rivals"])])
    files = tuple(str(path / name) for name in (MANIFEST, "queue.parquet", "maps.parquet"))
    return replace(_project(details["pool"], classes, items, maps, files), sources=(str(path),) * len(maps))


def _of_dataset(dataset: Dataset, options: ReviewOptions) -> Project:
    samples = [s for s in dataset.samples if s.image]
    if not samples:
        raise InputError(f"{dataset.name}: no sample has a picture. Give a data set with pictures")
    if options.pictures:
        by_id = {s.id: s for s in samples}
        labels = {s.id: s.label or "" for s in samples}
        samples = [by_id[i] for i in evenly(labels, options.pictures, seed=options.seed)]
    items = [Item(place=n, id=s.id, image=str(s.image), size_hw=(0, 0), label=s.label or "") for n, s in enumerate(samples)]
    found = tuple(
        Item(place=one.place, id=one.id, image=one.image, size_hw=size, label=one.label)
        for one, size in zip(items, _sizes(items), strict=True)
    )
    return _project(dataset.name, dataset.classes, found, {}, dataset.files)


def evenly(labels: Mapping[str, str], count: int, *, seed: int) -> list[str]:
    """`count` ids, as many of every label as there are: labels take turns, ids of one label in an order that seed and id decide."""
    turns: dict[str, list[str]] = {}
    for i in sorted(labels, key=lambda i: hashlib.sha256(f"{seed}\t{i}".encode()).digest()):
        turns.setdefault(labels[i], []).append(i)
    ranked = [(turn, label, i) for label, ids in turns.items() for turn, i in enumerate(ids)]
    return [i for _, _, i in sorted(ranked)[:count]]


def _project(
    name: str, classes: ClassTable, items: tuple[Item, ...], maps: Mapping[str, Mapping[str, LabelRuns]], files: tuple[str, ...]
) -> Project:
    words = [repr((classes.names, classes.ids, classes.background, classes.ignore)), *(f"{item.id}\t{item.size_hw}" for item in items)]
    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()
    return Project(name=name, digest=digest, classes=classes, items=items, models=tuple(maps), maps=tuple(maps.values()), files=files)


def _with_models(project: Project, specs: Sequence[str]) -> Project:
    """The project with the maps of further models and the marks of its target; a name that is there already is refused."""
    names, maps, sources = list(project.models), list(project.maps), list(project.sources)
    for spec, name in zip(specs, unique_names(specs) if specs else [], strict=True):
        if name in names:
            raise InputError(f"there are two models '{name}'. Name one of them otherwise: --models NAME={spec.partition('=')[2] or spec}")
        names.append(name)
        found = open_predictions(spec, project.classes, name=name)
        maps.append(Predicted(found.source, frozenset(found.ids)))
        sources.append(found.where or spec)
        if len(names) == 1:
            _check_target(project, name, found.ids, found.where or spec)
    marks = target_marks([item.id for item in project.items], maps[0]) if maps else ()
    return replace(project, models=tuple(names), maps=tuple(maps), sources=tuple(sources), target=marks)


def _check_target(project: Project, name: str, ids: Sequence[str], where: str) -> None:
    """Raise `InputError` where the target has a map of no picture at all."""
    if not {item.id for item in project.items}.isdisjoint(ids):
        return
    there = f"it has {counted(len(ids), 'map')}, such as of '{ids[0]}'" if ids else "it has no map at all"
    raise InputError(
        f"{where}: the target '{name}' has no map of any of the {counted(len(project.items), 'picture')}, such as "
        f"'{project.items[0].id}'; {there}. Give the predictions of these pictures with --models"
    )


def _maps(path: Path, models: Sequence[str]) -> dict[str, dict[str, LabelRuns]]:
    """The maps of every model, by id."""
    found: dict[str, dict[str, LabelRuns]] = {name: {} for name in models}
    try:
        table = pq.read_table(path / "maps.parquet")
        for i, model, runs in zip(table["id"].to_pylist(), table["model"].to_pylist(), columns_to_runs(table), strict=True):
            found[model][i] = runs
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"{path / 'maps.parquet'}: the maps of the models cannot be read. Mine again with the same command") from error
    return found


def _read(file: Path, columns: list[str]) -> list[dict[str, Any]]:
    try:
        return pq.read_table(file, columns=columns).to_pylist()
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"{file}: the queue cannot be read ({str(error)[:80]}). Mine again with the same command") from error


def _sizes(items: Sequence[Item], *, absent: str = "") -> list[tuple[int, int]]:
    """Height and width of every picture, from its head; `absent` is the remedy where there is no such file."""
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(partial(_size, absent=absent), items))


def _size(item: Item, *, absent: str) -> tuple[int, int]:
    try:
        found = picture_size(item.image, sample=item.id)
    except FormatError as error:
        if not absent or error.fault.code != "missing-file":
            raise
        raise FormatError(replace(error.fault, remedy=absent)) from error
    if found is None:
        raise refusal("unreadable-picture", "the picture is too large to open", "Cut it into tiles", file=item.image, sample=item.id)
    return found


def _check_sizes(items: Sequence[Item], sizes: Sequence[tuple[int, int]], *, hint: str) -> None:
    for item, size in zip(items, sizes, strict=True):
        if item.size_hw != size:
            raise refusal(
                "size-mismatch",
                f"the picture is {size[1]} x {size[0]} and its label maps {item.size_hw[1]} x {item.size_hw[0]} (width x height)",
                hint,
                file=item.image,
                sample=item.id,
            )


def _shown_as_it_is(data: bytes) -> str | None:
    """The media type of bytes that any browser shows unturned; None where they must be written anew."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            upright = picture.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT
            return _SHOWN_AS_THEY_ARE.get(picture.format or "") if upright else None
    except Exception:  # noqa: BLE001 - Pillow raises many things; the decoder says what is wrong
        return None
