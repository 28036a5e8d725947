"""How long the mask screen holds up its page while somebody paints on 4096 x 4096 pixels, and how much it sends, in a real browser.

    python -m benchmarks.painter [--quick]

The page is worked by Chromium's own input: strokes, hovering over regions, taking a region, taking a whole map, undoing, zooming.
Chromium's trace says how long each task of the page's main thread took, by the clock and by the processor. What matters is the longest
one: for so long the page answers to nothing. Its peer is two frames of a 60 Hz screen. What is sent is counted in bytes, against the
whole layer.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from benchmarks.maps import DRAWINGS, draw_pairs
from benchmarks.results import Row, duration, tell, write_rows, write_skipped

CHROMIUM = Path("/usr/bin/chromium")
SIDE, CLASSES, TWO_FRAMES_S = 4096, 21, 2 / 60
START = """
import sys
from pathlib import Path
from figureground.review.options import ReviewOptions
from figureground.review.server.serve import Where, serve
queue, out, port, *models = sys.argv[1:]
serve(queue, out=Path(out), options=ReviewOptions(models=tuple(models), worst=0), where=Where(port=int(port)), browser=False)
"""


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """The longest task of the page's main thread in each round of one thing to do, seconds, by the clock and by the processor."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    sent: int
    """Bytes of what was posted in all rounds."""


def main() -> None:
    """Measures at 4096 x 4096, and beside it at 512 x 512."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        write_skipped("painter", "playwright is not installed")
        return
    if not CHROMIUM.exists():
        write_skipped("painter", f"{CHROMIUM} is not there")
        return
    rounds = 2 if given.quick else 7
    for side in (512,) if given.quick else (512, SIDE):
        tell(f"painter: {side} x {side}")
        with tempfile.TemporaryDirectory() as folder, served(Path(folder), side) as url, sync_playwright() as runner:
            browser = runner.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
            try:
                write_rows(measured(browser, url, side, rounds=rounds))
            finally:
                browser.close()


def measured(browser: Any, url: str, side: int, *, rounds: int) -> Iterator[Row]:
    """A row for each thing that is done."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(f"{url}/mask?place=0")
    page.locator("#loading").wait_for(state="hidden", timeout=120_000)
    page.wait_for_timeout(1500)
    x0, y0, long = frame_of(page)
    rng = np.random.default_rng(0)

    def somewhere() -> tuple[float, float]:
        return x0 + float(rng.uniform(0.1, 0.9)) * long, y0 + float(rng.uniform(0.1, 0.9)) * long

    def stroke() -> None:
        page.mouse.move(*somewhere())
        page.mouse.down()
        for _ in range(4):
            page.mouse.move(*somewhere(), steps=12)
        page.mouse.up()

    def hover() -> None:
        for _ in range(12):
            page.mouse.move(*somewhere())
            page.wait_for_timeout(30)

    def take() -> None:
        page.mouse.click(*somewhere())

    def name() -> None:
        page.mouse.move(*somewhere())
        page.keyboard.press(str(1 + int(rng.integers(9))))

    def press(key: str) -> Callable[[], None]:
        return lambda: page.keyboard.press(key)

    def zoom() -> None:
        page.mouse.move(*somewhere())
        for step in (-200, -200, -200, 200, 200, 200):
            page.mouse.wheel(0, step)

    steps: list[tuple[str, tuple[str, ...], Callable[[], None], float | None]] = [
        ("a stroke of 24 pixels", ("b", "9"), stroke, 1.0),
        ("a stroke of 250 pixels", ("b", *["]"] * 11, "8"), stroke, 1.0),
        ("undoing a stroke", (), press("z"), 1.0),
        ("zooming in and out", (), zoom, None),
        ("hovering over regions of the layer", ("p",), hover, None),
        ("naming a region of the layer", (), name, None),
        ("taking a region of a model", (".", "."), take, None),
        ("taking a model's whole map, and undoing it", (), lambda: (page.keyboard.press("m"), page.keyboard.press("z"))[0], None),
    ]
    for what, before, do, target in steps:
        for key in before:
            page.keyboard.press(key)
        found = traced(browser, page, do, rounds=rounds)
        yield blocked(f"{what}: the longest task", side, found, target)
        if "24 pixels" in what:
            yield sent(side, found, rounds)


def traced(browser: Any, page: Any, do: Callable[[], None], *, rounds: int) -> Tasks:
    """Does one thing several times, each under a trace of its own that lasts until it is saved."""
    sent_bytes: list[int] = []

    def count(request: Any) -> None:
        if request.method == "POST":
            sent_bytes.append(len(request.post_data_buffer or b""))

    settle(page)
    page.on("request", count)
    wall, cpu = [], []
    for _ in range(rounds):
        browser.start_tracing(page=page, categories=["toplevel", "__metadata"])
        do()
        settle(page)
        longest = longest_task(json.loads(browser.stop_tracing()))
        wall.append(longest[0])
        cpu.append(longest[1])
    page.remove_listener("request", count)
    return Tasks(wall=tuple(wall), cpu=tuple(cpu), sent=sum(sent_bytes))


def settle(page: Any) -> None:
    """Until everything that was done is saved, and a little longer."""
    page.wait_for_timeout(150)
    page.locator("#saved[data-state=saved]").wait_for(timeout=60_000)
    page.wait_for_timeout(350)


def longest_task(trace: dict[str, Any]) -> tuple[float, float]:
    """Seconds by the clock, and by the processor, of the longest task of any page's main thread."""
    events = trace["traceEvents"]
    mains = {(e["pid"], e["tid"]) for e in events if e.get("name") == "thread_name" and e["args"].get("name") == "CrRendererMain"}
    tasks = [e for e in events if (e.get("pid"), e.get("tid")) in mains and e.get("ph") == "X" and "RunTask" in e.get("name", "")]
    return max(e["dur"] for e in tasks) / 1e6, max(e.get("tdur", 0) for e in tasks) / 1e6


def blocked(what: str, side: int, found: Tasks, target: float | None) -> Row:
    """The longest task of all rounds against two frames; `best` is that of the quietest round, `cpu` the longest by the processor."""
    return Row(
        benchmark="painter",
        what=what,
        on=f"{side} x {side}",
        peer="two frames of 60 Hz",
        ratio=float(np.median(found.wall)) / TWO_FRAMES_S,
        best=min(found.wall) / TWO_FRAMES_S,
        cpu=max(found.cpu) / TWO_FRAMES_S,
        kind="times the peer",
        target=target,
        ours=duration(float(np.median(found.wall))),
        theirs=duration(TWO_FRAMES_S),
        numbers={"longest_s": found.wall, "longest_cpu_s": found.cpu, "over_two_frames": sum(each > TWO_FRAMES_S for each in found.wall)},
    )


def sent(side: int, found: Tasks, rounds: int) -> Row:
    """What a stroke sends, against the layer's pixels."""
    each = found.sent / rounds
    return Row(
        benchmark="painter",
        what="sent for a stroke of 24 pixels",
        on=f"{side} x {side}",
        peer="the whole layer, a byte a pixel",
        ratio=each / side**2,
        kind="times the peer",
        target=0.05 if side == SIDE else None,
        ours=f"{each / 1e3:.3g} KB",
        theirs=f"{side**2 / 1e3:.3g} KB",
    )


def frame_of(page: Any) -> tuple[float, float, float]:
    """Left, top and side of the square picture in the window, as it is shown at first."""
    box = page.locator("#stage").bounding_box()
    side = min(box["width"], box["height"]) - 24
    return box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2, side


@contextmanager
def served(folder: Path, side: int) -> Iterator[str]:
    """A review of one picture with two models, served by a process of its own."""
    models = drawn_review(folder, side)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", START, str(folder / "data"), str(folder / "labels"), str(port), *models]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url)
        yield url
    finally:
        server.terminate()
        server.wait()


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not start")


def drawn_review(folder: Path, side: int) -> list[str]:
    """One picture of smooth noise, and the maps of two models: mosaics of drawn maps, with as many regions as real ones."""
    tiles = side // 512
    pairs = draw_pairs(DRAWINGS[CLASSES], tiles * tiles)
    data = folder / "data"
    for part in ("images", "a", "b"):
        (data / part).mkdir(parents=True)
    for model in ("a", "b"):
        maps = [pair.truth if model == "a" else pair.predicted for pair in pairs]
        whole = np.block([[maps[row * tiles + column] for column in range(tiles)] for row in range(tiles)])
        cv2.imwrite(str(data / model / "p.png"), np.where(whole == 255, 0, whole).astype(np.uint8))
    noise = np.random.default_rng(1).integers(0, 256, (side // 32, side // 32, 3), dtype=np.uint8)
    cv2.imwrite(str(data / "images" / "p.jpg"), cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC))
    names = ", ".join(f'"class {number}"' for number in range(CLASSES))
    toml = f'[classes]\nnames = [{names}]\nbackground = 0\nignore = 255\n[samples]\ntable = "samples.csv"\n'
    (data / "dataset.toml").write_text(toml)
    (data / "samples.csv").write_text("id,image\np,images/p.jpg\n")
    return [f"{model}=png:{data / model}" for model in ("a", "b")]


if __name__ == "__main__":
    main()
