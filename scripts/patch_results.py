"""Writes docs/results/patches.md: what 200 photographs cost on the screen Patches, worked through in a real browser.

python scripts/patch_results.py --data DATA [--pictures 200]

DATA holds `voc21` and `predictions/<network>/voc21`. Needs Chromium and playwright, as the browser tests do. The hand is a program that
knows the truth: it starts from the model's foreground or from nothing, whichever takes fewer strokes, mends by straight drags of the mouse,
and goes on with Enter. What it leaves in the database is compared with the truth, cell by cell.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from make_review_pictures import CHROMIUM, SIZE, served
from playwright.sync_api import Page, sync_playwright

from figureground.core.types import ClassTable
from figureground.data.dataset import open_dataset
from figureground.review.layers import VOID
from figureground.review.options import ReviewOptions, grid_of
from figureground.review.project import open_project
from figureground.review.store import patches
from figureground.review.store.database import open_database

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "patches.md"
NETWORK = "espnetv2_s_2.0"
SHARE = 0.25
"""Of a cell that the figure covers, from which on the cell is figure; the page starts from a model by the same share."""
LOOK_S, POINT_S, DRAG_S, KEY_S = 1.35, 1.1, 1.1, 0.28
"""Seconds of the keystroke-level model: to look and decide, to point, to drag, to press a key (Card, Moran and Newell 1980)."""
TEXT = """# Two hundred pictures in an hour

<!-- Written by scripts/patch_results.py; every figure is from the run it describes. -->

{pictures} photographs of `voc21`, evenly over its classes, on the screen Patches in a real browser, with a grid of 16 x 16. The hand is
a program that knows the truth (a cell is figure when a quarter of it is): it takes the foreground of {network} (`m`) or begins from
nothing, whichever leaves less to do, mends by straight drags of the mouse, and goes on with Enter. Every cell that came to the database
was compared with the truth: {wrong} differ.

| a picture | median | 90 % have at most |
| --- | --- | --- |
| drags, from the model or from nothing | {drags} | {drags_most} |
| drags, always from nothing | {bare} | {bare_most} |
| seconds of page and program, from one picture to the next | {machine} | {machine_most} |

The model's foreground was the better start in {model} % of the pictures.

By the keystroke-level model (1.35 s to look, 1.1 s to point, 1.1 s to drag, 0.28 s a key) a person needs {minutes:.0f} minutes for 200 such
pictures, {bare_minutes:.0f} from nothing each time; the page itself takes {page_minutes:.1f} minutes of that, drags included. Nobody was
timed: people look longer at some pictures, and paint with one bent drag what takes the program several straight ones.

```bash
python scripts/patch_results.py --data DATA
```
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drag:
    """A straight drag: all cells from one to another, both included, get the opposite of what the first one was."""

    start: tuple[int, int]
    stop: tuple[int, int]


def main() -> None:
    """Works through the pictures and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=200)
    given = parser.parse_args()
    data = str(given.data / "voc21")
    options = ReviewOptions(models=(f"{NETWORK}=png:{given.data / 'predictions' / NETWORK / 'voc21'}",), pictures=given.pictures)
    project, masks = open_project(data, options=options), open_dataset(data).masks
    truth = [cells_of(masks.read(item.id).dense(), project.classes) for item in project.items]
    start = [cells_of(project.layer_of(item.place, 0), project.classes) for item in project.items]
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/review.sqlite", project)
        with served(project, database, options) as base, sync_playwright() as runner:
            browser = runner.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_context(viewport=SIZE).new_page()
            page.goto(f"{base}/patches")
            ask(page, "location.hash !== ''", True)
            rows = [work(page, start, truth) for _ in project.items]
            page.wait_for_selector("#finished:not([hidden])")
            page.wait_for_timeout(2000)
            browser.close()
        with database.read() as connection:
            kept = {one.place: one.cells for one in patches.table(connection)}
        database.close()
    wrong = sum(int((kept[place] != cells).sum()) for place, cells in enumerate(truth))
    PAGE.write_text(told(rows, wrong), encoding="utf-8")


def cells_of(layer: np.ndarray | None, classes: ClassTable) -> np.ndarray:
    """Cells of a label map that the figure covers enough of: bool [rows, columns]."""
    assert layer is not None
    rows, columns = grid_of(ReviewOptions().grid)
    height, width = layer.shape
    cell = (np.arange(height) * rows // height)[:, None] * columns + np.arange(width) * columns // width
    figure = ((layer != classes.background) & (layer != VOID)).reshape(-1).astype(float)
    covered, area = np.bincount(cell.reshape(-1), figure, rows * columns), np.bincount(cell.reshape(-1), None, rows * columns)
    return ((covered > 0) & (covered >= SHARE * area)).reshape(rows, columns)


def drags(cells: np.ndarray, wanted: np.ndarray) -> list[Drag]:
    """Straight drags that make one of the other, each time the one that mends most."""
    cells, found = cells.copy(), []
    while (wrong := cells != wanted).any():
        best = max((run for value in (True, False) for run in runs(wanted == value, wrong & (wanted == value))), key=lambda run: run[0])
        (r, c), (r2, c2) = best[1], best[2]
        cells[r : r2 + 1, c : c2 + 1] = wanted[r, c]
        found.append(Drag(start=(r, c), stop=(r2, c2)))
    return found


def runs(free: np.ndarray, wrong: np.ndarray) -> list[tuple[int, tuple[int, int], tuple[int, int]]]:
    """Rows and columns of cells that may all have one value, from a wrong one to a wrong one: wrong cells, first, last."""
    found = []
    for turned in (False, True):
        for line, (can, bad) in enumerate(zip(free.T if turned else free, wrong.T if turned else wrong, strict=True)):
            ends = np.flatnonzero(~np.concatenate([[False], can, [False]])) - 1
            for a, b in zip(ends[:-1] + 1, ends[1:], strict=True):
                if (at := np.flatnonzero(bad[a:b]) + a).size:
                    first, last = (line, int(at[0])), (line, int(at[-1]))
                    found.append((at.size, first[::-1], last[::-1]) if turned else (at.size, first, last))
    return found


def work(page: Page, start: list[np.ndarray], truth: list[np.ndarray]) -> dict[str, Any]:
    """The picture that the page shows: its drags, and the seconds until the next one is there."""
    begun = time.perf_counter()
    here = page.evaluate("location.hash")
    place = int(here[1:])
    modelled, bare = drags(start[place], truth[place]), drags(np.zeros_like(truth[place]), truth[place])
    use_model = len(modelled) < len(bare)
    if use_model:
        page.keyboard.press("m")
        ask(page, "document.querySelector('#grid [aria-selected=true]') !== null", bool(start[place].any()))
    box = page.locator("#grid").bounding_box()
    assert box is not None
    rows, columns = truth[place].shape
    for drag in modelled if use_model else bare:
        for (row, column), pen in ((drag.start, page.mouse.down), (drag.stop, page.mouse.up)):
            page.mouse.move(box["x"] + (column + 0.5) * box["width"] / columns, box["y"] + (row + 0.5) * box["height"] / rows)
            pen()
    page.keyboard.press("Enter")
    ask(page, f"location.hash !== '{here}'", True)
    return {"drags": len(modelled if use_model else bare), "bare": len(bare), "model": use_model, "seconds": time.perf_counter() - begun}


def ask(page: Page, condition: str, wanted: bool) -> None:
    """Waits until a condition of the page is as wanted; asked from outside, as the page's policy forbids it to evaluate text itself."""
    while page.evaluate(condition) != wanted:
        page.wait_for_timeout(10)


def told(rows: list[dict[str, Any]], wrong: int) -> str:
    """The page."""
    used, bare, seconds = (np.array([row[name] for row in rows], float) for name in ("drags", "bare", "seconds"))
    model = np.array([row["model"] for row in rows])
    person = LOOK_S + used * (POINT_S + DRAG_S) + KEY_S * (1 + model)
    alone = LOOK_S + bare * (POINT_S + DRAG_S) + KEY_S
    each = lambda values, share: f"{np.quantile(values, share, method='inverted_cdf'):.3g}"  # noqa: E731
    return TEXT.format(
        pictures=len(rows),
        network=NETWORK,
        wrong=wrong or "none",
        drags=each(used, 0.5),
        drags_most=each(used, 0.9),
        bare=each(bare, 0.5),
        bare_most=each(bare, 0.9),
        machine=each(seconds, 0.5),
        machine_most=each(seconds, 0.9),
        model=round(100 * model.mean()),
        minutes=200 * person.mean() / 60,
        bare_minutes=200 * alone.mean() / 60,
        page_minutes=200 * seconds.mean() / 60,
    )


if __name__ == "__main__":
    main()
