"""Figures and scenes of one colour each, from which tests compose pictures."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from figureground.stages.shift.composition import ComposeOptions, Composition

COMMON = ("duck=lake", "hen=yard")
RED = (255, 0, 0)


def write_figures(folder: Path, per_class: int = 8, *, suffix: str = "png") -> Path:
    """Red figures of two shapes on blue, each at its own place, with masks and labels."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rows = []
    for value, label in ((1, "duck"), (2, "hen")):
        for number in range(per_class):
            mask = np.zeros((60, 70), np.uint8)
            top, left = 5 + number, 8 + 2 * number
            mask[top : top + (24 if label == "duck" else 40), left : left + (40 if label == "duck" else 24)] = value
            name = f"{label}{number}"
            picture = np.where(mask[..., None] > 0, np.uint8(RED), np.uint8((0, 0, 255)))
            Image.fromarray(picture).save(folder / f"images/{name}.{suffix}")
            Image.fromarray(mask).save(folder / f"masks/{name}.png")
            rows.append({"id": name, "image": f"images/{name}.{suffix}", "mask": f"masks/{name}.png", "label": label})
    write_rows(folder, rows)
    return folder


def write_rows(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "samples.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["id", "image", "mask", "label"])
        writer.writeheader()
        writer.writerows(rows)
    (folder / "dataset.toml").write_text('[classes]\nnames = ["background", "duck", "hen"]\n[samples]\ntable = "samples.csv"\n')


def write_scenes(folder: Path, per_context: int = 12) -> Path:
    """Scenes without any red, each with a green of its own; one context of 40 x 40 px, one of 90 x 50."""
    for context, size, blue in (("lake", (40, 40), 200), ("yard", (50, 90), 60), ("unused", (9, 9), 0)):
        (folder / context).mkdir(parents=True)
        for number in range(per_context):
            picture = np.zeros((*size, 3), np.uint8)
            picture[..., 1], picture[..., 2] = 10 * number, blue
            Image.fromarray(picture).save(folder / context / f"{number:02d}.png")
    return folder


def options(sources: tuple[Path, Path], **changes: object) -> ComposeOptions:
    given = {"figures": str(sources[0]), "scenes": str(sources[1]), "common": COMMON, "train": 40, "val": 3, "test": 5, "size": 48}
    return ComposeOptions(kind="paste", **{"trim": 0.0, "feather": 0.0, **given, **changes})


def drawn(composition: Composition) -> list:
    return [composition.draw(index) for index in range(composition.count)]
