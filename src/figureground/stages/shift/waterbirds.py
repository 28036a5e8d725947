"""The kind `waterbirds`: Waterbirds-Seg from CUB-200-2011, its segmentations, Places365 and a published manifest.

Each bird stays where it is in its own picture; the scene is scaled to cover it and cut to its middle (Lanczos); the soft segmentation / 255
is alpha; the mask is the bird's class where the segmentation is above 127. Source: arXiv 2604.13326, after arXiv 1911.08731.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.core.types import Sample
from figureground.data import paths
from figureground.data.cutout import HALF, composite, cover
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal, some, written_size
from figureground.data.formats.waterbirds import CLASSES, COMMON, open_waterbirds
from figureground.data.pixels import read_picture
from figureground.data.tables import read_table
from figureground.stages.shift.composition import ComposeOptions, Composition, Picture

PLACES_FOLDERS = ("", "data_large", "data_256")
"""Where the manifest's paths may start below the folder of Places365."""


def compose_waterbirds(options: ComposeOptions) -> Composition:
    """The composition that a manifest describes, one picture a row, in its order; ids are the birds' paths without their suffix.

    Raises:
        InputError: `cub`, `places` or `manifest` is not given.
        FormatError: a faulty manifest, or files that it needs and that are absent: all are looked for before the first picture is made.
    """
    for name in ("cub", "places", "manifest"):
        if not getattr(options, name):
            raise InputError(f"the kind `waterbirds` needs `{name}`. Give --{name}")
    birds = _birds(open_waterbirds(options.manifest, {}), options)
    _check_files(birds, options.manifest)
    return Composition(
        name="waterbirds_seg",
        classes=CLASSES,
        common=COMMON,
        count=len(birds),
        draw=WaterbirdsDraw(birds=birds),
        details={"rho": tied_part(birds)},
        inputs={"manifest": hashlib.sha256(paths.read_bytes(options.manifest)).hexdigest(), "files": _files_digest(birds)},
        sources=(options.manifest, *(file for _, file in _files(birds))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bird:
    """One row of a manifest with the files it is made of."""

    sample: Sample
    """Id, label, split and `place` of the row."""
    image: str
    segmentation: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterbirdsDraw:
    """The picture of a row; picklable, and a pure function of its number."""

    birds: tuple[Bird, ...]

    def __call__(self, index: int) -> Picture:
        """One composed picture of the size of the bird's own; a faulty file raises `FormatError`."""
        bird = self.birds[index]
        sample = bird.sample
        image, alpha = read_picture(bird.image, sample=sample.id), read_segmentation(bird.segmentation, sample=sample.id)
        if image.shape[:2] != alpha.shape:
            raise refusal(
                "size-mismatch",
                f"the segmentation is {written_size(alpha.shape)} and its picture {written_size((image.shape[0], image.shape[1]))}",
                "Bring the segmentation and the picture that belong together",
                file=bird.segmentation,
                sample=sample.id,
            )
        scene = cover(read_picture(bird.place, sample=sample.id), alpha.shape)
        label = sample.label or ""
        return Picture(
            id=sample.id,
            image=composite(image, alpha, scene),
            mask=np.where(alpha > HALF, np.uint8(CLASSES.id_of(label)), np.uint8(CLASSES.background)),
            label=label,
            split=sample.split or "",
            context=sample.attributes["place"],
            attributes={"figure": sample.id, "ground": sample.attributes["place_filename"]},
        )


def tied_part(birds: tuple[Bird, ...]) -> float | None:
    """Part of the training pictures whose place is the one their class is tied to, to three digits; None where there are none."""
    training = [COMMON[bird.sample.label or ""] == bird.sample.attributes["place"] for bird in birds if bird.sample.split == "train"]
    return round(sum(training) / len(training), 3) if training else None


def read_segmentation(path: str, *, sample: str) -> np.ndarray:
    """The soft segmentation of a bird, uint8 [height, width], 255 = bird; some are grey files, some grey with alpha, which does not count.

    Raises:
        FormatError: the file cannot be read, or no pixel is above `HALF`: there is no bird.
    """
    alpha = np.ascontiguousarray(read_picture(path, sample=sample)[..., 0])
    if not (alpha > HALF).any():
        raise refusal(
            "bad-annotation",
            f"no pixel of the segmentation is above {HALF}, the brightest is {alpha.max()}",
            "Bring the published segmentation, or remove the row from the manifest",
            file=path,
            sample=sample,
        )
    return alpha


def _birds(manifest: Dataset, options: ComposeOptions) -> tuple[Bird, ...]:
    table = read_table(options.manifest)
    table.require("place_filename")
    for row in table.rows:
        if row["img_filename"].startswith("/") or ".." in row["img_filename"].split("/"):
            raise refusal(
                "bad-table",
                f"`img_filename` is '{row['img_filename']}' and must be a path below the folder of pictures",
                "Bring the published table",
                file=table.file,
            )
    base = _segmentation_folder(options.cub)
    scenes = _places_folder(options.places, table.rows[0]["place_filename"])
    return tuple(
        Bird(
            sample=sample,
            image=paths.join(paths.join(options.cub, "images"), row["img_filename"]),
            segmentation=paths.join(base, f"{sample.id}.png"),
            place=paths.join(scenes, row["place_filename"].lstrip("/")),
        )
        for sample, row in zip(manifest.samples, table.rows, strict=True)
    )


def _segmentation_folder(cub: str) -> str:
    """Inside the folder of CUB or, as its two archives unpack, beside it."""
    beside = paths.join(paths.parent(cub.rstrip("/")), "segmentations")
    inside = paths.join(cub, "segmentations")
    return beside if not paths.is_folder(inside) and paths.is_folder(beside) else inside


def _places_folder(places: str, first: str) -> str:
    folders = [paths.join(places, name) for name in PLACES_FOLDERS]
    return next((folder for folder in folders if paths.exists(paths.join(folder, first.lstrip("/")))), places)


def _check_files(birds: tuple[Bird, ...], manifest: str) -> None:
    absent: dict[str, dict[str, None]] = {"pictures of birds": {}, "segmentations": {}, "places": {}}
    for what, file in _files(birds):
        if not paths.exists(file):
            absent[what][file] = None
    listed = [f"{len(found)} {what} ({some(list(found), most=2)})" for what, found in absent.items() if found]
    if listed:
        raise refusal(
            "missing-file",
            f"files of {len(birds)} rows are absent: {'; '.join(listed)}",
            "Bring them, or correct --cub and --places",
            file=manifest,
        )


def _files(birds: tuple[Bird, ...]) -> Iterator[tuple[str, str]]:
    for bird in birds:
        yield "pictures of birds", bird.image
        yield "segmentations", bird.segmentation
        yield "places", bird.place


def _files_digest(birds: tuple[Bird, ...]) -> str:
    return hashlib.sha256("\n".join(paths.stamp(file) for _, file in _files(birds)).encode()).hexdigest()
