"""Pictures a second that the generator draws with their masks on one core, against what is asked of it, and against reading them.

    python -m benchmarks.compose [--quick]

Every class stands on every ground equally often. "Asked for" is a rate: 200 pictures of 128 x 128 a second. The other peer decodes the
JPEG and the PNG of the same pictures from memory, which is what a training loop would do if it read them instead of drawing them. The
whole command draws, encodes and writes in one process, with its tables and its sheet.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path

import cv2
import numpy as np
from benchmarks.results import Row, duration, of_ratio, tell, write_rows
from benchmarks.timing import Ratio, Seconds, ratio, take_turns

from figureground.data.write import jpeg_bytes, png_bytes
from figureground.stages.shift.compose import run_compose
from figureground.stages.shift.composition import ComposeOptions, Composition
from figureground.stages.shift.figures.animals import FIGURES
from figureground.stages.shift.figures.grounds import GROUNDS
from figureground.stages.shift.figures.kind import compose_figures

ASKED_PER_S, ASKED_SIZE = 200, 128


def main() -> None:
    """Measures drawing at several sizes and the whole command, and writes rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    for size in (64, ASKED_SIZE, 256):
        tell(f"compose: {size} x {size}")
        write_rows(drawing(size, quick=given.quick))
    tell("compose: the whole command")
    write_rows([command(quick=given.quick)])


def drawing(size: int, *, quick: bool) -> list[Row]:
    """Drawing alone: against the rate that is asked for, and against decoding."""
    number = 60 if quick else 300
    composition = _composition(size, number)
    check_pure(composition)
    pictures = [composition.draw(index) for index in range(number)]
    files = [(np.frombuffer(jpeg_bytes(p.image), np.uint8), np.frombuffer(png_bytes(p.mask), np.uint8)) for p in pictures]
    turn = itertools.count()

    def draw() -> None:
        composition.draw(next(turn) % number)

    def decode() -> None:
        image, mask = files[next(turn) % number]
        cv2.cvtColor(cv2.imdecode(image, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        cv2.imdecode(mask, cv2.IMREAD_UNCHANGED)

    seconds = take_turns({"draw": draw, "decode": decode}, rounds=3 if quick else 9, least_s=0.1 if quick else 1.0)
    ours = seconds["draw"]
    what, on = f"picture with mask, {size} x {size}", f"{len(FIGURES)} classes, {len(GROUNDS)} grounds, one core"
    asked = Row(
        benchmark="compose",
        what=what,
        on=on,
        peer=f"asked for: {ASKED_PER_S} a second",
        kind="times as fast",
        target=1.0 if size == ASKED_SIZE else None,
        ours=f"{1 / ours.median:.0f} a second",
        theirs=f"{ASKED_PER_S} a second",
        **of_ratio(of_rate(ours)),
    )
    read = Row(
        benchmark="compose",
        what=what,
        on=on,
        peer="decoding its JPEG and PNG",
        kind="times the peer",
        ours=duration(ours.median),
        theirs=duration(seconds["decode"].median),
        **of_ratio(ratio(ours, seconds["decode"])),
    )
    return [asked, read]


def command(*, quick: bool) -> Row:
    """The whole command in one process, per picture."""
    number = 60 if quick else 1_200
    options = ComposeOptions(train=number, val=0, test=0, size=ASKED_SIZE, classes=len(FIGURES), contexts=len(GROUNDS))
    with tempfile.TemporaryDirectory() as folder:
        turn = itertools.count()
        found = take_turns(
            {"compose": lambda: run_compose(options, out=Path(folder) / str(next(turn)))}, rounds=2 if quick else 3, least_s=0.0
        )["compose"]
    each = Seconds(wall=tuple(s / number for s in found.wall), cpu=tuple(s / number for s in found.cpu))
    return Row(
        benchmark="compose",
        what=f"the whole command, {ASKED_SIZE} x {ASKED_SIZE}",
        on=f"{number:,} pictures with files, balance and sheet, one process",
        peer=f"asked for: {ASKED_PER_S} a second",
        kind="times as fast",
        ours=f"{1 / each.median:.0f} a second",
        theirs=f"{ASKED_PER_S} a second",
        **of_ratio(of_rate(each)),
    )


def of_rate(ours: Seconds) -> Ratio:
    """How many times as fast as the rate that is asked for."""
    return Ratio(
        median=1 / ASKED_PER_S / ours.median,
        best=1 / ASKED_PER_S / ours.best,
        cpu=1 / ASKED_PER_S / sorted(ours.cpu)[len(ours.cpu) // 2] if ours.cpu and min(ours.cpu) > 0 else None,
    )


def check_pure(composition: Composition) -> None:
    """The same index gives the same picture, or nothing is measured."""
    for index in (0, composition.count - 1):
        a, b = composition.draw(index), composition.draw(index)
        if not (np.array_equal(a.image, b.image) and np.array_equal(a.mask, b.mask)):
            raise SystemExit(f"picture {index} is not the same twice")


def _composition(size: int, number: int) -> Composition:
    groups = len(FIGURES) * len(GROUNDS)
    return compose_figures(
        ComposeOptions(train=0, val=0, test=-(-number // groups), size=size, classes=len(FIGURES), contexts=len(GROUNDS))
    )


if __name__ == "__main__":
    main()
