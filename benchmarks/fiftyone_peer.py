"""FiftyOne's evaluate_segmentations on a folder of PNG pairs, in an environment of its own that needs no figureground; prints JSON.

PYTHON benchmarks/fiftyone_peer.py MASKS PREDICTIONS --classes 21
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import fiftyone


def main() -> None:
    """Builds a data set of mask paths, evaluates it, and deletes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("masks", type=Path)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--classes", type=int, required=True)
    given = parser.parse_args()
    started = time.perf_counter()
    dataset = fiftyone.Dataset()
    dataset.add_samples(
        [
            fiftyone.Sample(
                filepath=str(file),
                truth=fiftyone.Segmentation(mask_path=str(file)),
                predicted=fiftyone.Segmentation(mask_path=str(given.predictions / file.name)),
            )
            for file in sorted(given.masks.glob("*.png"))
        ]
    )
    built = time.perf_counter()
    targets = {number: f"class {number}" for number in range(given.classes)}
    results = dataset.evaluate_segmentations("predicted", gt_field="truth", eval_key="bench", mask_targets=targets)
    evaluated = time.perf_counter()
    found = {
        "fiftyone": fiftyone.__version__,
        "samples": len(dataset),
        "build_s": round(built - started, 3),
        "evaluate_s": round(evaluated - built, 3),
        "counted_pixels": int(results.pixel_confusion_matrix.sum()),
    }
    dataset.delete()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
