"""The text that names a grid of patches, such as `16x16`; apart from the grids themselves, so that flags need no arrays."""

from __future__ import annotations

import re

from figureground.core.errors import InputError

MOST_CELLS = 128
"""In a row or a column of a grid, of people's labels too."""


def grid_of(text: str) -> tuple[int, int]:
    """Rows and columns in a text such as `16x16`; anything else raises `InputError`."""
    match = re.fullmatch(r"(\d{1,3})\s*[xX\N{MULTIPLICATION SIGN}]\s*(\d{1,3})", text.strip())
    rows, columns = (int(n) for n in match.groups()) if match else (0, 0)
    if not (1 <= rows <= MOST_CELLS and 1 <= columns <= MOST_CELLS):
        raise InputError(f"`grid` must be rows x columns, each from 1 to {MOST_CELLS}, such as 16x16; got '{text}'")
    return rows, columns
