"""A small data set whose ground betrays the label, labels and grids of it, and the bytes of an artifact."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figureground.data.dataset import Dataset, open_dataset
from figureground.data.labels import PATCHES
from figureground.stages.shift.compose import run_compose
from figureground.stages.shift.compose_options import ComposeOptions
from figureground.stages.swap.options import BuildOptions, InfillOptions

OPTIONS = ComposeOptions(train=16, val=1, test=1, size=32, rho=1.0, pictures="png", sheet=0, occlusion=0.0)
FILL = InfillOptions(infill="mean", pictures="png")
MAKE = BuildOptions(copies=3, pictures="png")


@cache
def world(folder: Path) -> Dataset:
    """Sixteen ducks and hares of 32 px, every duck at the shore and every hare in the forest, with exact masks."""
    return open_dataset(str(run_compose(OPTIONS, out=folder / "world")))


def own_form(folder: Path, pictures: Mapping[str, np.ndarray], labels: Mapping[str, str], masks: Mapping[str, np.ndarray]) -> Dataset:
    """A data set of given arrays; masks hold 0 and 1, of the classes ground, cat, dog."""
    from figureground.data.write import png_bytes, png_rgb_bytes

    folder.mkdir(parents=True)
    rows = ["id,image,mask,label,split"]
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(png_rgb_bytes(picture))
        if name in masks:
            (folder / f"{name}-mask.png").write_bytes(png_bytes(masks[name].astype(np.uint8)))
        rows.append(f"{name},{name}.png,{name + '-mask.png' if name in masks else ''},{labels[name]},train")
    (folder / "samples.csv").write_text("\n".join(rows) + "\n")
    (folder / "dataset.toml").write_text('[classes]\nnames = ["ground", "cat", "dog"]\n[samples]\ntable = "samples.csv"\n')
    return open_dataset(str(folder))


def pictures(n: int, size: int = 24) -> dict[str, np.ndarray]:
    """Noise, by the names s0, s1 and so on."""
    rng = np.random.default_rng(1)
    return {f"s{i}": rng.integers(0, 256, (size, size, 3)).astype(np.uint8) for i in range(n)}


def square(size: int = 24) -> np.ndarray:
    """A figure of 8 px in the middle, of class 1."""
    mask = np.zeros((size, size), np.uint8)
    mask[8:16, 8:16] = 1
    return mask


def small_world(folder: Path, n: int = 8, *, change: Callable[..., None] | None = None) -> Dataset:
    """Pictures of noise, cats and dogs in turn; `change(pictures, labels, masks)` may alter them before they are written."""
    labels = {f"s{i}": ("cat", "dog")[i % 2] for i in range(n)}
    masks = {name: square() * (1 + (label == "dog")) for name, label in labels.items()}
    some = pictures(n)
    if change:
        change(some, labels, masks)
    return own_form(folder, some, labels, masks)


def patch_labels(folder: Path, cells: Mapping[str, np.ndarray], *, reviewers: tuple[str, ...] = ("ann",)) -> Path:
    """A labels artifact with patch labels; cells are true for figure."""
    folder.mkdir(parents=True)
    rows = [
        {
            "id": name,
            "reviewer": who,
            "rows": own.shape[0],
            "columns": own.shape[1],
            "cells": own.ravel().tolist(),
            "version": 1,
            "seconds": 1.0,
            "created": "2026-01-01",
            "updated": "2026-01-01",
        }
        for name, own in cells.items()
        for who in reviewers
    ]
    pq.write_table(pa.Table.from_pylist(rows, PATCHES), folder / "patches.parquet")
    details = {"classes": ["ground", "cat"], "ids": [0, 1], "background": 0, "ignore": 255}
    (folder / "manifest.json").write_text(json.dumps({"kind": "labels", "schema": 1, "key": "a", "details": details}))
    return folder


def cells_of(dataset: Dataset, sample_id: str, side: int = 8) -> np.ndarray:
    """Patches of which at least a quarter is figure."""
    figure = dataset.masks.read(sample_id).dense() > 0
    height, width = figure.shape
    parts = figure.reshape(side, height // side, side, width // side)
    return parts.mean(axis=(1, 3)) >= 0.25


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of an artifact by its name, but for the time in the manifest."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    manifest = json.loads(found.pop("manifest.json"))
    return {**found, "manifest.json": json.dumps({k: v for k, v in manifest.items() if k != "created"}, sort_keys=True).encode()}
