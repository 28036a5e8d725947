"""Label maps to exchange, drawn by hypothesis: class tables with gaps, specks, holes, diagonals, void; and slow judges of formats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from figureground.core.types import ClassTable, LabelRuns
from figureground.data.labelmap import encode_runs
from figureground.review.exchange.masks import LabelledMask

NAMES = ["background", "cat", "dog", "Großer Vogel", "a, b", 'it"s <&> ;', "void", "ground", "kitty:2", "车"]
IDS = ["a", "b.c", "x/y", "0007", "IMG 1", "ö"]


@st.composite
def class_tables(draw: st.DrawFn) -> ClassTable:
    """One to six classes with any ids, any background, with and without void."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
    ids = sorted(draw(st.lists(st.integers(0, 700) | st.integers(0, 12), min_size=len(names), max_size=len(names), unique=True)))
    ignore = draw(st.none() | st.sampled_from([i for i in (0, 255, 65_535, 13) if i not in ids]))
    return ClassTable(names=tuple(names), ids=tuple(ids), background=draw(st.sampled_from(ids)), ignore=ignore)


@st.composite
def label_maps(draw: st.DrawFn, classes: ClassTable, most: tuple[int, int] = (40, 50)) -> LabelRuns:
    """A map in one of several manners: blocks, noise, a chessboard, or rings, all values of the classes."""
    height, width = draw(st.integers(1, most[0])), draw(st.integers(1, most[1]))
    values = np.array([*classes.ids, *([] if classes.ignore is None else [classes.ignore])], classes.dtype)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    manner = draw(st.sampled_from(["blocks", "noise", "chessboard", "rings", "plain"]))
    rows, columns = np.mgrid[:height, :width]
    if manner == "blocks":
        size = draw(st.integers(2, 9))
        coarse = rng.integers(0, len(values), (height // size + 1, width // size + 1))
        places = coarse[rows // size, columns // size]
    elif manner == "noise":
        places = np.where(rng.random((height, width)) < draw(st.floats(0, 1)), rng.integers(0, len(values), (height, width)), 0)
    elif manner == "chessboard":
        places = (rows + columns) % min(2, len(values))
    elif manner == "rings":
        places = np.maximum(abs(rows - height // 2), abs(columns - width // 2)) // draw(st.integers(1, 4)) % len(values)
    else:
        places = np.full((height, width), draw(st.integers(0, len(values) - 1)))
    return encode_runs(np.ascontiguousarray(values[places]))


@st.composite
def labelled(draw: st.DrawFn) -> tuple[ClassTable, list[LabelledMask]]:
    """Some masks with their classes."""
    classes = draw(class_tables())
    ids = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True))
    return classes, [
        LabelledMask(
            id=i, image=None, runs=draw(label_maps(classes)), by=draw(st.sampled_from(["", "anna"])), created="2026-01-02T03:04:05.000Z"
        )
        for i in ids
    ]


def same_maps(found: Sequence[LabelledMask], given: Sequence[LabelledMask]) -> bool:
    """Equal ids in order, and equal maps pixel by pixel."""
    return [m.id for m in found] == [m.id for m in given] and all(
        np.array_equal(a.runs.dense(), b.runs.dense()) for a, b in zip(found, given, strict=True)
    )


def brush_by_hand(code: Sequence[int]) -> list[int]:
    """The words of a brush code, read bit by bit from a text of noughts and ones: slow, and written apart from the product."""
    bits = "".join(f"{byte:08b}" for byte in code)
    position = 0

    def take(count: int) -> int:
        nonlocal position
        position += count
        assert position <= len(bits)
        return int(bits[position - count : position], 2)

    words, width = take(32), take(5) + 1
    kinds = [take(4) + 1 for _ in range(4)]
    out: list[int] = []
    while len(out) < words:
        repeated = take(1)
        length = take(kinds[take(2)]) + 1
        out += [take(width)] * length if repeated else [take(width) for _ in range(length)]
    assert len(out) == words
    return out
