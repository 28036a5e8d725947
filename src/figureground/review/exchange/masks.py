"""What is exchanged: label maps by sample id with who made them and when, and the names that their values go by in other tools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data import paths
from figureground.data.faults import some
from figureground.data.masks import check_ids

MOST_PIXELS = 2**28
"""Larger pictures are refused before anything is allocated for them."""
VOID_NAMES = ("void", "void pixels")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledMask:
    """The label map of one sample, as people or another tool gave it."""

    id: str
    image: str | None
    """Path or URL of the picture, where it is known."""
    runs: LabelRuns
    """Class ids, `ignore` for void."""
    by: str = ""
    """Who made it, empty where nobody says."""
    created: str = ""
    """When, ISO 8601, empty where nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an export left behind."""

    path: Path
    samples: int
    regions: int
    """Annotations or pieces that were written; for index PNG as many as samples."""


def void_name(classes: ClassTable) -> str | None:
    """What void pixels are called in formats that know only names; None where the classes have no void."""
    if classes.ignore is None:
        return None
    return next((name for name in VOID_NAMES if name not in classes.names), f"void {classes.ignore}")


def names_of(classes: ClassTable) -> dict[int, str]:
    """Value of a pixel -> name, void last; the background is among them."""
    table = dict(zip(classes.ids, classes.names, strict=True))
    if (void := void_name(classes)) is not None and classes.ignore is not None:
        table[classes.ignore] = void
    return table


def checked(masks: Iterable[LabelledMask], classes: ClassTable, *, where: str = "") -> Iterator[LabelledMask]:
    """The same masks, each looked at before it is written; `where` they are from is for messages.

    Raises:
        InputError: an id that is empty, comes twice or is no Unicode text; or no mask at all.
        FormatError: a value that is neither a class id nor `ignore`.
    """
    seen: set[str] = set()
    for mask in masks:
        if not mask.id or mask.id in seen:
            raise InputError(f"the sample '{mask.id}' comes twice" if mask.id else "a mask has no id. Give each its sample's id")
        for text in filter(None, (mask.id, mask.image, mask.by, mask.created)):
            if paths.printable(text) != text:
                raise InputError(f"sample '{paths.printable(mask.id)}': {paths.printable(text)!r} is no Unicode text. Rename what bears it")
        check_ids(mask.runs, classes, sample=mask.id, file=None)
        seen.add(mask.id)
        yield mask
    if not seen:
        raise InputError(f"{where + ': ' if where else ''}there is no mask. Label some, or name labels that hold masks")


def file_names(masks: Iterable[LabelledMask]) -> dict[str, str]:
    """Sample id -> what other tools call its picture: the shortest end of its path that no other has, or `<id>.png` without a picture.

    Raises:
        InputError: two samples get one name, as those of one picture do.
    """
    images = {mask.id: mask.image for mask in masks}
    tails = {i: _tails(image) for i, image in images.items() if image}
    counts = Counter(tail for found in tails.values() for tail in found)
    names = {i: next((tail for tail in tails.get(i, ()) if counts[tail] == 1), f"{i}.png") for i in images}
    if twice := [name for name, n in Counter(names.values()).items() if n > 1]:
        ids = [i for i, name in names.items() if name == twice[0]]
        raise InputError(f"the samples {some(ids)} would both have the picture '{twice[0]}'. Give their pictures names of their own")
    return names


def _tails(path: str) -> list[str]:
    """Ends of a path or URL, the shortest first."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return ["/".join(parts[-n:]) for n in range(1, len(parts) + 1)]


def write_path(where: str) -> Path:
    """The local file that an export goes to, its folder made; a URL, a folder or a place that cannot be written raises `InputError`."""
    if paths.is_url(where):
        raise InputError(f"{where}: exports are written to local files. Write it here, then copy it there")
    path = Path(where)
    if path.is_dir():
        raise InputError(f"{where}: is a folder. Name a file, such as {path / 'labels.json'}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: cannot write there ({error}). Choose another place") from error
    return path


def rename_table(options: Mapping[str, str]) -> dict[str, str]:
    """`?rename=kitty:cat,doggy:dog` as a table; another form raises `InputError`."""
    pairs = [pair.rpartition(":") for pair in options.get("rename", "").split(",") if pair.strip()]
    if any(not colon or not old.strip() or not new.strip() for old, colon, new in pairs):
        raise InputError(f"`rename` must be THEIRS:OURS pairs such as kitty:cat,doggy:dog; got '{options['rename']}'")
    return {old.strip(): new.strip() for old, _, new in pairs}
