"""Draws docs/assets/detector.jpg: the sheet that `swap detect` leaves of a small detector of drawn figures.

python scripts/detector_picture.py      needs the extras train and timm; half a minute on one core
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from figureground import api, swaps
from figureground.stages.detect.options import DetectOptions
from figureground.stages.shift.compose_options import ComposeOptions

OUT = Path("docs/assets/detector.jpg")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        drawn = ComposeOptions(classes=4, contexts=4, train=120, val=4, test=4, size=128, seed=3)
        data = api.compose(Path(folder) / "data", options=drawn)
        small = {"backbone": "test_efficientnet", "norm": "half", "steps": 150, "batch": 12, "device": "cpu"}
        options = DetectOptions(masks="truth", count=120, curve="0", sheet=2, **small)
        found = swaps.swap_detect(str(data), out=Path(folder) / "grids", options=options)
        OUT.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found.path / "sheet.jpg", OUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
