"""Only decoding: every mask and prediction read by two workers and thrown away. What an audit cannot do without.

    python -m benchmarks.decode MASKS PREDICTIONS --with figureground|cv2|pillow [--workers 2]

`figureground` reads as an audit does: the same executor, batches and reader, which checks checksums and class ids and gives runs. The
others decode to a dense array with no check beyond their own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from figureground.data.dataset import open_dataset
from figureground.data.predictions import open_predictions
from figureground.data.sources import StampedSource
from figureground.runs.executor import open_executor

BATCH = 64


@dataclass(frozen=True, kw_only=True)
class SourceReader:
    """Reads both label maps of every id by their sources; returns the number of runs."""

    sources: tuple[StampedSource, ...]

    def __call__(self, ids: Sequence[str]) -> int:
        return sum(source.read(i).values.size for i in ids for source in self.sources)


@dataclass(frozen=True, kw_only=True)
class FileReader:
    """Decodes both files of every id with another library; returns the number of pixels."""

    folders: tuple[str, ...]
    library: str

    def __call__(self, ids: Sequence[str]) -> int:
        decode = _decoder(self.library)
        return sum(decode(f"{folder}/{i}.png") for i in ids for folder in self.folders)


def main() -> None:
    """Reads everything once and prints what came out, so that nothing can be left out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("masks")
    parser.add_argument("predictions")
    parser.add_argument("--with", dest="library", choices=("figureground", "cv2", "pillow"), required=True)
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    executor = open_executor(workers=given.workers)
    if given.library == "figureground":
        dataset = open_dataset(f"folders:{given.masks}?classes={given.classes}")
        assert dataset.masks is not None
        predictions = open_predictions(f"png:{given.predictions}", dataset.classes)
        make, ids = partial(SourceReader, sources=(dataset.masks, predictions.source)), dataset.ids
    else:
        ids = sorted(file.stem for file in Path(given.masks).glob("*.png"))
        make = partial(FileReader, folders=(given.masks, given.predictions), library=given.library)
    print(sum(executor.map_batches(make, (ids[at : at + BATCH] for at in range(0, len(ids), BATCH)))))


def _decoder(library: str) -> Callable[[str], int]:
    if library == "cv2":
        import cv2

        return lambda path: cv2.imread(path, cv2.IMREAD_UNCHANGED).size
    import numpy as np
    from PIL import Image

    return lambda path: np.asarray(Image.open(path)).size


if __name__ == "__main__":
    main()
