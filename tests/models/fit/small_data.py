"""A small data set on disk for tests of training data: two classes on two grounds, odd sizes, some void, non-contiguous ids."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from figureground.core.types import ClassTable, Sample
from figureground.data.dataset import Dataset
from figureground.data.sources import maps_in_memory

CLASSES = ClassTable(names=("land", "ground", "water"), ids=(3, 7, 90), background=7, ignore=0)
GROUPS = (("land", "sea"), ("land", "wood"), ("water", "sea"), ("water", "wood"))


def small_dataset(folder: Path, counts=(2, 5, 5, 2), *, unknown: int = 0, sizes=((23, 31),), name: str = "small") -> Dataset:
    """Pictures of noise with a rectangle of class ids each; `unknown` samples more lack their context."""
    rng = np.random.default_rng(7)
    rows = [group for group, count in zip(GROUPS, counts, strict=True) for _ in range(count)] + [("land", "")] * unknown
    samples, masks = [], {}
    for number, (label, context) in enumerate(rows):
        height, width = sizes[number % len(sizes)]
        picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        mask = np.full((height, width), 7, np.uint8)
        mask[height // 4 : height // 2, width // 3 : 2 * width // 3] = CLASSES.id_of(label)
        mask[-2:] = 0
        file = folder / f"{name}_{number:03d}.png"
        assert cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        samples.append(Sample(id=f"s{number:03d}", image=str(file), label=label, split="train", attributes={"context": context}))
        masks[samples[-1].id] = mask
    return Dataset(
        name=name,
        classes=CLASSES,
        samples=tuple(samples),
        masks=maps_in_memory(masks, CLASSES),
        label_attribute="label",
        context_attribute="context",
    )
