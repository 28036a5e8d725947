"""How verbs print results on stdout: consoles, tables that never cut a number, intervals, and one form of JSON."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Column, Table

PIPE_WIDTH = 120
"""Columns where stdout is no terminal and COLUMNS does not say how many."""
_WORD = re.compile(r"to \S+|\S+ %|\S+")  # `20.1 %` and `to 28.0` are not parted where the other words of a cell are


def make_console(*, at_least: int = 0) -> Console:
    """A console on stdout, as wide as the terminal, as COLUMNS, or as `PIPE_WIDTH`, and `at_least` so many columns."""
    from rich.console import Console

    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(highlight=False, width=None if known else PIPE_WIDTH)
    console.width = max(console.width, at_least)
    return console


def print_table(table: Table) -> None:
    """Prints a table so that no number is cut: where it is too wide, cells wrap between words, those of text before right-justified ones.

    What is too wide even so overflows the terminal rather than being cut.
    """
    from rich.measure import Measurement

    console = make_console()
    wide = console.options.update(max_width=100_000)
    if Measurement.get(console, wide, table).maximum > console.width:
        for column in table.columns:
            column.min_width = _widest_word(column)
            if column.justify == "right":
                column.width = column.min_width
    least = Measurement.get(console, wide, table).minimum
    make_console(at_least=least).print(table, crop=False)


def _widest_word(column: Column) -> int:
    from rich.text import Text

    cells = " ".join(str(cell) for cell in (column.header, *column.cells))
    return max((len(word) for word in _WORD.findall(Text.from_markup(cells).plain)), default=0)


def percent_text(value: float, *, sign: bool = False) -> str:
    """A fraction in points with one decimal, `sign` with its sign; what rounds to nothing is 0.0."""
    points = round(100 * value, 1) + 0.0  # no minus before a zero
    return f"{points:+.1f}" if sign and points else f"{points:.1f}"


def interval_text(low: float, high: float) -> str:
    """The ends of an interval in points: `20.6-40.4`, and `-22.4 to 28.0` where a dash would be read as a sign."""
    ends = percent_text(low), percent_text(high)
    return (" to " if any(end.startswith("-") for end in ends) else "-").join(ends)


def print_json(value: Any) -> None:
    """Prints one JSON document to stdout, indented by two; what is undefined is null."""
    from figureground.runs.artifact import to_json

    sys.stdout.write(to_json(value) + "\n")
