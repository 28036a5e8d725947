"""What is read to make an artifact must not lie where the artifact is written: the directory is replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from figureground.core.errors import InputError

_PARTIAL = ".partial"
_SCHEME = "://"
"""Stands in a URL; nothing is ever written where those lead."""


def named_place(out: Path) -> Path:
    """The same directory with a name at the end, to which more can be added: `.` is spelled out."""
    return out if out.name not in ("", "..") else out.resolve()


def partial_place(out: Path) -> Path:
    """Where an artifact is in the making until it has its final name."""
    out = named_place(out)
    return out.with_name(out.name + _PARTIAL)


def is_partial(name: str) -> bool:
    """True for the name of a directory in which an artifact is in the making."""
    return name.endswith(_PARTIAL)


def replaced_place(out: Path) -> Path:
    """Where an older artifact stands for the moment in which it is replaced."""
    out = named_place(out)
    return out.with_name(f".{out.name}.replaced")


def check_sources(out: Path, sources: Iterable[str | Path]) -> None:
    """Raise `InputError` if writing `out` would remove a file that is read; links and `..` are followed, URLs are passed over.

    A directory inside that of the data is no fault, as long as nothing that is read lies in it.
    """
    emptied = [os.path.realpath(place) for place in (out, partial_place(out), replaced_place(out)) if os.path.lexists(place)]
    if not emptied:
        return
    folders: dict[str, str] = {}
    for source in map(str, sources):
        for place in () if _SCHEME in source else _places(source, folders):
            if any(place == folder or place.startswith(folder + os.sep) for folder in emptied):
                raise InputError(
                    f"{out}: {source} is read to make what is written there, and would be removed with the directory. Choose another --out"
                )


def _places(source: str, folders: dict[str, str]) -> Iterator[str]:
    """Where a file stands and, for a link, what it leads to; `folders` remembers the folders that were resolved."""
    folder, name = os.path.split(source)
    if name in ("", ".", ".."):
        yield os.path.realpath(source)
        return
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    yield os.path.join(folders[folder], name)  # noqa: PTH118 - Path objects take most of the time of a large folder
    if os.path.islink(source):  # noqa: PTH114
        yield os.path.realpath(source)
