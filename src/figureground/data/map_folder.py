"""Folders of label maps and of pictures: which file stands for which id."""

from __future__ import annotations

from collections import Counter

from figureground.data import paths
from figureground.data.faults import refusal, some

MAP_SUFFIXES = (".png", ".npy")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_LOSSY_SUFFIXES = (".jpg", ".jpeg")


def map_files(folder: str, *, suffix: str | None = None) -> dict[str, str]:
    """Id -> path of the label maps in a folder; the id is the path below it without the suffix.

    A JPEG counts where no PNG or NPY has its id, so that reading it says what is wrong with it.

    Args:
        folder: path or URL.
        suffix: `.png` or `.npy` if one of them is declared; files of the other kind then only make an id ambiguous.

    Raises:
        FormatError: no such folder, no label map in it, a name that is not UTF-8, or two files with one id.
    """
    listed = _listed(folder)
    maps = [(i, item) for i, end, item in listed if end in MAP_SUFFIXES]
    _check_distinct(maps, folder)
    named = {i for i, _ in maps}
    found = {i: item for i, item in maps if suffix is None or item.lower().endswith(suffix)}
    found |= {i: item for i, end, item in listed if end in _LOSSY_SUFFIXES and i not in named}
    if not found:
        ends = Counter(end for _, end, _ in listed)
        seen = ", ".join(f"{n} x {end}" for end, n in ends.most_common(4)) or "no files"
        raise refusal(
            "bad-layout",
            f"the folder has no {suffix or 'PNG or NPY'} label maps; it holds {seen}",
            "Name the folder of label maps `<id>.png` or `<id>.npy`",
            file=folder,
        )
    return {i: paths.join(folder, item) for i, item in sorted(found.items())}


def picture_files(folder: str) -> dict[str, str]:
    """Id -> path of the pictures in a folder; no such folder, a name that is not UTF-8 or one id twice raise `FormatError`."""
    listed = [(i, item) for i, end, item in _listed(folder) if end in PICTURE_SUFFIXES]
    _check_distinct(listed, folder)
    return {i: paths.join(folder, item) for i, item in listed}


def _listed(folder: str) -> list[tuple[str, str, str]]:
    """Id, suffix in small letters, and relative path of every file that has a suffix."""
    split = ((*item.rpartition("."), item) for item in paths.list_files(folder) if "." in paths.leaf(item))
    listed = [(i, f".{end.lower()}", item) for i, _, end, item in split]
    for _, end, item in listed:
        if end in MAP_SUFFIXES or end in PICTURE_SUFFIXES:
            paths.check_name(paths.join(folder, item))
    return listed


def _check_distinct(files: list[tuple[str, str]], folder: str) -> None:
    counts = Counter(i for i, _ in files)
    twice = next((i for i, n in counts.items() if n > 1), None)
    if twice is not None:
        raise refusal(
            "duplicate-id",
            f"the files {some([item for i, item in files if i == twice])} stand for one id",
            "Keep one of them",
            file=folder,
            sample=twice,
        )
