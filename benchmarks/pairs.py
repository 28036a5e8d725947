"""Folders of PNG pairs to audit: real masks and predictions under new ids as often as it takes, or drawn ones."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import cv2
from benchmarks.maps import DRAWINGS, draw_pairs, real_files

CLASSES = 21
DRAWN = 96
"""Different drawn pairs, where there are no real ones."""


def write_pairs(folder: Path, count: int) -> str:
    """Writes `masks/` and `predictions/` with as many files `<id>.png` and says in words what they are."""
    files = real_files()
    words = f"{len(files):,} different pairs of voc21 and six networks"
    if not files:
        files, words = _drawn_files(folder / "drawn"), f"{DRAWN} different drawn pairs"
    step = next(n for n in itertools.count(max(1, len(files) // 7)) if _coprime(n, len(files)))  # few samples still are of all kinds
    for kind in ("masks", "predictions"):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        mask, predicted = files[number * step % len(files)]
        shutil.copyfile(mask, folder / "masks" / f"sample_{number:05d}.png")
        shutil.copyfile(predicted, folder / "predictions" / f"sample_{number:05d}.png")
    return f"{min(count, len(files)):,} of {words}" if count < len(files) else words


def first_pairs(whole: Path, folder: Path, count: int) -> Path:
    """Another folder with the first pairs of one, as links to the same files."""
    for kind in ("masks", "predictions"):
        (folder / kind).mkdir(parents=True)
        for file in sorted((whole / kind).glob("*.png"))[:count]:
            os.link(file, folder / kind / file.name)
    return folder


def _drawn_files(folder: Path) -> list[tuple[Path, Path]]:
    folder.mkdir(parents=True)
    files = []
    for number, pair in enumerate(draw_pairs(DRAWINGS[CLASSES], DRAWN)):
        mask, predicted = folder / f"{number}_mask.png", folder / f"{number}_predicted.png"
        cv2.imwrite(str(mask), pair.truth)
        cv2.imwrite(str(predicted), pair.predicted)
        files.append((mask, predicted))
    return files


def _coprime(a: int, b: int) -> bool:
    while b:
        a, b = b, a % b
    return a == 1
