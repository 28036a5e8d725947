"""Takes the pictures of README, tutorial and how-tos: the demo's animals on their grounds, and the heads of reports as a browser shows them.

python scripts/make_pictures.py DEMO      DEMO is what `figureground demo` wrote; a Chromium must be installed
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from figureground import answering, api
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.pixels import read_picture
from figureground.models.fit.options import FitOptions
from figureground.report import write_report
from figureground.stages.audit.options import AuditOptions
from figureground.stages.classify.options import ClassifyOptions
from figureground.stages.shift.compose_options import ComposeOptions

OUT = Path("docs/assets")
EDGE_PX = 4
ENLARGED = 2


def animals(dataset: Dataset) -> np.ndarray:
    """Each animal twice on each ground, from the test pictures: uint8 [height, width, 3], animals in rows and grounds in columns."""
    tested = [s for s in dataset.samples if s.split == "test" and s.image]
    rows = []
    for label in dataset.common:
        cells = []
        for context in dataset.common.values():
            shown = [s for s in tested if s.label == label and s.attributes["context"] == context][:2]
            cells += [np.kron(read_picture(str(s.image)), np.ones((ENLARGED, ENLARGED, 1), np.uint8)) for s in shown]
        rows.append(np.concatenate([np.pad(cell, [(0, EDGE_PX), (0, EDGE_PX), (0, 0)], constant_values=255) for cell in cells], axis=1))
    return np.concatenate(rows)[:-EDGE_PX, :-EDGE_PX]


def shoot(page: Path, out: Path, *, width: int, height: int) -> None:
    """The first screen of a page as PNG."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": width, "height": height})
        view.goto(page.resolve().as_uri())
        view.wait_for_timeout(500)
        view.screenshot(path=out)
        browser.close()


def answers(folder: Path) -> Path:
    """The report of a classifier that learned a shortcut from a few drawn pictures."""
    drawn = ComposeOptions(classes=2, contexts=2, rho=0.95, train=100, val=5, test=10, size=96)
    fit = FitOptions(task="classify", architecture="timm:resnet18", size=96, epochs=2)
    asked = ClassifyOptions(split="test", figure="figure")
    with contextlib.chdir(folder):  # the report names the network as it was named here
        data = str(api.compose("sorted", options=drawn))
        weights = api.train(data, out="sorter", options=fit)
        return folder / write_report(answering.classify(weights, data, out="sorter-answers", options=asked).path)


def main() -> int:
    demo = Path(sys.argv[1])
    OUT.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(OUT / "animals.jpg"), animals(open_dataset(str(demo / "data" / "tied")))[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    with tempfile.TemporaryDirectory() as folder:
        options = ComposeOptions(classes=4, contexts=5, train=0, val=0, test=4, size=64)
        shutil.copyfile(api.compose(Path(folder) / "composed", options=options) / "sheet.jpg", OUT / "compose.jpg")
        audit = api.audit(
            demo / "data" / "tied", f"tied={demo / 'predictions' / 'tied'}", out=Path(folder) / "a", options=AuditOptions(split="test")
        )
        shoot(audit.report(Path(folder) / "report.html"), OUT / "report.png", width=1200, height=860)
        shoot(answers(Path(folder)), OUT / "answers.png", width=1200, height=980)
    return 0


if __name__ == "__main__":
    sys.exit(main())
