"""A data set on disk that a network of a few hundred weights learns in a second: a red cat or a blue dog, on dark or light ground."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from figureground.core.types import ClassTable, Sample
from figureground.data.write import png_bytes, png_rgb_bytes, write_table_and_toml

CLASSES = ClassTable(names=("ground", "cat", "dog"))
COLOURS = {"cat": (220, 40, 40), "dog": (40, 40, 220)}
GROUNDS = {"dark": 60, "light": 180}
TINY = str(Path(__file__).with_name("tiny.py"))


def write_learnable(folder: Path, *, train: int = 4, val: int = 2, size: int = 16, void: bool = False, seed: int = 3) -> str:
    """Writes `train` and `val` samples a group, with rows of void where asked for; returns the DATA spec."""
    rng = np.random.default_rng(seed)
    samples = []
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("val", val)):
        for number in range(4 * count):
            label, context = tuple(COLOURS)[number % 2], tuple(GROUNDS)[number // 2 % 2]
            picture = np.clip(rng.normal(GROUNDS[context], 12, (size, size, 3)), 0, 255).astype(np.uint8)
            top, left = rng.integers(1, size // 2 - 1, 2)
            mask = np.zeros((size, size), np.uint8)
            mask[top : top + size // 2, left : left + size // 2] = CLASSES.id_of(label)
            picture[mask > 0] = COLOURS[label]
            if void:
                mask[: 1 + number % (size // 2)] = 255
            name = f"{split}{number:03d}"
            (folder / f"{name}.png").write_bytes(png_rgb_bytes(picture))
            (folder / f"{name}_mask.png").write_bytes(png_bytes(mask))
            samples.append(
                Sample(id=name, image=f"{name}.png", mask=f"{name}_mask.png", label=label, split=split, attributes={"context": context})
            )
    write_table_and_toml(folder, name="learnable", classes=CLASSES, samples=samples, common={"cat": "dark", "dog": "light"})
    return str(folder)
