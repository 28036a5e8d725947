"""Which sample a picture of another tool is: its name there is matched with ids and picture files, and never used as a path."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from figureground.core.errors import InputError
from figureground.data.faults import some
from figureground.data.spec import nearest

_MOST_PARTS = 6
_SEPARATORS = re.compile(r"[\\/]+")


class KnownPictures:
    """The samples that labels can be for.

    A name such as `images/a/1.jpg` is, in this order: the sample with that id; the one whose picture's path ends like it, the longest end
    that fits deciding; the one whose id it is without its suffix; the one whose picture or id ends like it without suffix.

    Args:
        samples: id and picture (path, URL or None) of each.
    """

    def __init__(self, samples: Iterable[tuple[str, str | None]]) -> None:
        self.images = dict(samples)
        self._files: dict[str, set[str]] = defaultdict(set)
        self._loose: dict[str, set[str]] = defaultdict(set)
        for i, image in self.images.items():
            for end in _ends(i):
                self._loose[end].add(i)
            for end in _ends(image or ""):
                self._files[end].add(i)
                self._loose[without_suffix(end)].add(i)

    def find(self, name: str) -> str | None:
        """The id of the sample with that name, None where there is none; one that fits several samples raises `InputError`."""
        if name in self.images:
            return name
        ends = list(_ends(name))
        if (found := _first(self._files, ends, name)) is not None:
            return found
        stems = [without_suffix(end) for end in ends]
        return next((stem for stem in stems if stem in self.images), None) or _first(self._loose, stems, name)

    def hint(self, name: str) -> str:
        """` Did you mean ...?` with the nearest id, or nothing."""
        stem = name_to_id(name)
        return nearest(stem, self.images) or nearest(stem.rpartition("/")[2], self.images)


def name_to_id(name: str) -> str:
    """The id that a name stands for where no samples are known: without suffix, and without what would lead out of a folder."""
    return without_suffix("/".join(_parts(name)) or name)


def without_suffix(name: str) -> str:
    """A path without the last suffix of its last part."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and stem and not stem.endswith("/") and suffix.isalnum() else name


def _parts(name: str) -> list[str]:
    return [part for part in _SEPARATORS.split(name) if part not in ("", ".", "..")]


def _ends(name: str) -> Iterator[str]:
    """Ends of a path, from the longest on."""
    parts = _parts(name)[-_MOST_PARTS:]
    return ("/".join(parts[start:]) for start in range(len(parts)))


def _first(index: Mapping[str, set[str]], ends: Iterable[str], name: str) -> str | None:
    for end in ends:
        if found := index.get(end):
            if len(found) > 1:
                raise InputError(f"'{name}' may be the sample {some(sorted(found))}. Give the pictures names of their own")
            return next(iter(found))
    return None
