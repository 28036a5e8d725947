"""Small data sets on disk, written the way people write them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CLASSES = ("background", "cat", "dog")
TOML = """
name = "tiny"
[classes]
names = ["background", "cat", "dog"]
background = 0
ignore = 255
[samples]
table = "samples.csv"
[attributes]
label = "label"
context = "context"
"""


def write_png(path: Path, array: np.ndarray, *, mode: str | None = None) -> Path:
    """An array as PNG in its own mode, or as a palette image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    if mode == "P":
        image = Image.new("P", (array.shape[1], array.shape[0]))
        image.putdata(array.reshape(-1).tolist())
        image.putpalette([(7 * i + shift) % 256 for i in range(256) for shift in (200, 100, 50)])
    image.save(path)
    return path


def write_table(path: Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str] | None = None) -> Path:
    """Rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns or list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def striped(seed: int, height: int = 12, width: int = 16, classes: int = 3) -> np.ndarray:
    """A random label map of rectangles, uint8 [height, width]."""
    rng = np.random.default_rng(seed)
    label_map = np.zeros((height, width), np.uint8)
    for _ in range(4):
        top, left = rng.integers(0, height - 2), rng.integers(0, width - 2)
        label_map[top : top + rng.integers(2, height), left : left + rng.integers(2, width)] = rng.integers(0, classes)
    return label_map


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A sound data set in the project's own form: four samples with pictures and masks."""
    return write_tiny(tmp_path / "tiny")


@pytest.fixture
def tiny_predictions(tmp_path: Path) -> Path:
    """Sound predictions for it, as a folder of PNGs."""
    folder = tmp_path / "predictions"
    for n in range(4):
        write_png(folder / f"00{n}.png", striped(n + 50))
    return folder


def write_tiny(root: Path, samples: int = 4) -> Path:
    rows = []
    for n in range(samples):
        label_map = striped(n)
        label_map[0, 0], label_map[0, 1] = 255, 1 + n % 2
        write_png(root / "masks" / f"00{n}.png", label_map)
        (root / "images").mkdir(exist_ok=True)
        Image.fromarray(np.full((12, 16, 3), 40 * n, np.uint8)).save(root / "images" / f"00{n}.jpg")
        rows.append(
            {
                "id": f"00{n}",
                "image": f"images/00{n}.jpg",
                "mask": f"masks/00{n}.png",
                "label": CLASSES[1 + n % 2],
                "split": "train" if n < 2 else "test",
                "context": "indoor" if n < 3 else "outdoor",
                "camera": "a,b" if n == 0 else "",
            }
        )
    write_table(root / "samples.csv", rows)
    (root / "dataset.toml").write_text(TOML, encoding="utf-8")
    return root


@pytest.fixture
def png_writer() -> Callable[..., Path]:
    return write_png


@pytest.fixture
def table_writer() -> Callable[..., Path]:
    return write_table


@pytest.fixture
def tiny_writer() -> Callable[..., Path]:
    return write_tiny


@pytest.fixture
def random_map() -> Callable[..., np.ndarray]:
    return striped
