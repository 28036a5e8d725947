"""Numbers and nouns that agree."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun; `many` where that is not `one` with an s behind.

    >>> counted(1, "picture"), counted(1200, "picture"), counted(0, "class", "classes")
    ('1 picture', '1,200 pictures', '0 classes')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
