"""Spawrious: dogs of four breeds at six locations, by the published tables of which breed stands where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from figureground.core.errors import InputError
from figureground.core.ties import Tie
from figureground.core.types import ClassTable, Sample
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal
from figureground.data.map_folder import picture_files
from figureground.data.spec import check_keys

BREEDS = ("bulldog", "corgi", "dachshund", "labrador")
LOCATIONS = ("beach", "desert", "dirt", "jungle", "mountain", "snow")
ORDER = ("bulldog", "dachshund", "labrador", "corgi")
"""The breeds in the order of the published tables."""
ENVIRONMENTS = ("0", "1")
TIED = (0.97, 0.87)
"""Of one-to-one tables: part of a breed's pictures at its own location in each environment; the rest is at the filler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Which breed is trained where and tested where; locations in the order of `ORDER`."""

    train: tuple[str, str, str, str]
    test: tuple[str, str, str, str]
    filler: str | None = None
    """Location of the rest of every breed, of a one-to-one table; None of a many-to-many one."""


TABLES: Mapping[str, Table] = {
    "o2o_easy": Table(train=("desert", "jungle", "dirt", "snow"), test=("dirt", "snow", "desert", "jungle"), filler="beach"),
    "o2o_medium": Table(train=("mountain", "beach", "dirt", "jungle"), test=("jungle", "dirt", "beach", "snow"), filler="desert"),
    "o2o_hard": Table(train=("jungle", "mountain", "snow", "desert"), test=("mountain", "snow", "desert", "jungle"), filler="beach"),
    "m2m_easy": Table(train=("desert", "mountain", "dirt", "jungle"), test=("dirt", "jungle", "mountain", "desert")),
    "m2m_medium": Table(train=("beach", "snow", "mountain", "desert"), test=("desert", "mountain", "beach", "snow")),
    "m2m_hard": Table(train=("dirt", "jungle", "snow", "beach"), test=("snow", "beach", "dirt", "jungle")),
}
"""The published tables. Many to many: the first two breeds share the first two locations, the last two the others."""


def open_spawrious(where: str, options: Mapping[str, str]) -> Dataset:
    """Spawrious as it is published: `ENVIRONMENT/LOCATION/BREED/*.png` in a folder `spawrious224`, or that folder.

    A sample's id is its path below it without the suffix. Context: the location. There are no masks. Pictures of a folder are taken in the
    order of their names; the published code takes them as the file system lists them.

    Options:
        table: `o2o_easy`, `o2o_medium`, `o2o_hard`, `m2m_easy`, `m2m_medium` or `m2m_hard`: which pictures are trained and tested on. One
            to one: of each breed 97 % and, in the other environment, 87 % at its location, the rest at the filler. Without it every
            picture is a sample of no split.
        val: part of the training pictures of each folder that is held out as split `val`, evenly spaced, rounded down; default 0.1. The
            published code holds out none.

    Raises:
        InputError: an unknown option or table, or a part outside [0, 0.5].
        FormatError: no such folder, or one that the table needs is absent or empty.
    """
    check_keys(options, ("table", "val"), where=where)
    name, val = options.get("table"), _part(options.get("val", "0.1"), where)
    if name is not None and name not in TABLES:
        raise InputError(f"{where}: `table` must be one of {', '.join(TABLES)}; got '{name}'")
    inner = paths.join(where, "spawrious224")
    root = inner if paths.is_folder(inner) else where
    samples = _everything(root) if name is None else _by_table(root, TABLES[name], val)
    table = TABLES[name] if name else None
    return Dataset(
        name=name or paths.leaf(where),
        classes=ClassTable(names=("background", *BREEDS)),
        samples=tuple(sorted(samples, key=lambda s: s.id)),
        masks=None,
        label_attribute="breed",
        context_attribute="location",
        common=_common(table) if table else {},
    )


def _common(table: Table) -> dict[str, Tie]:
    """Each breed's location of training; of a many-to-many table both locations that it shares with another breed."""
    if table.filler is not None:
        return dict(zip(ORDER, table.train, strict=True))
    return {breed: table.train[:2] if place < 2 else table.train[2:] for place, breed in enumerate(ORDER)}


def _everything(root: str) -> list[Sample]:
    found = [
        _sample(environment, location, breed, name, image, split=None)
        for environment in ENVIRONMENTS
        for location in LOCATIONS
        for breed in BREEDS
        if paths.is_folder(folder := paths.join(root, f"{environment}/{location}/{breed}"))
        for name, image in sorted(picture_files(folder).items())
    ]
    if not found:
        raise refusal(
            "bad-layout", "the folder has no pictures ENVIRONMENT/LOCATION/BREED/*.png", "Name the folder `spawrious224`", file=root
        )
    return found


def _by_table(root: str, table: Table, val: float) -> list[Sample]:
    """The pictures that a table trains and tests on."""
    samples = []
    for place, breed in enumerate(ORDER):
        if table.filler is not None:
            for environment, tied in zip(ENVIRONMENTS, TIED, strict=True):
                own, other = (_pictures(root, environment, location, breed) for location in (table.train[place], table.filler))
                most = int(tied * len(own))
                samples += _trained(environment, table.train[place], breed, own[:most], val)
                samples += _trained(environment, table.filler, breed, other[: len(own) - most], val)
                tested = _pictures(root, environment, table.test[place], breed)
                samples += [_sample(environment, table.test[place], breed, *one, split="test") for one in tested]
            continue
        pair = slice(0, 2) if place < 2 else slice(2, 4)
        for location in table.train[pair]:
            samples += _trained("0", location, breed, _pictures(root, "0", location, breed), val)
        for location in table.test[pair]:
            samples += [_sample("0", location, breed, *one, split="test") for one in _pictures(root, "0", location, breed)]
    return samples


def _pictures(root: str, environment: str, location: str, breed: str) -> list[tuple[str, str]]:
    """Name and path of the pictures of a folder, sorted; none there raise `FormatError`."""
    folder = paths.join(root, f"{environment}/{location}/{breed}")
    found = sorted(picture_files(folder).items()) if paths.is_folder(folder) else []
    if not found:
        raise refusal(
            "bad-layout",
            "the table needs pictures of this folder, and there are none",
            "Bring the whole data set, or name another `table`",
            file=folder,
        )
    return found


def _trained(environment: str, location: str, breed: str, pictures: Sequence[tuple[str, str]], val: float) -> list[Sample]:
    """Training samples, some of them held out: number k of n where `(k + 1) * val` passes a whole number."""
    return [
        _sample(environment, location, breed, *one, split="val" if int((k + 1) * val + 1e-9) > int(k * val + 1e-9) else "train")
        for k, one in enumerate(pictures)
    ]


def _sample(environment: str, location: str, breed: str, name: str, image: str, *, split: str | None) -> Sample:
    return Sample(
        id=f"{environment}/{location}/{breed}/{name}",
        image=image,
        label=breed,
        split=split,
        attributes={"location": location, "environment": environment},
    )


def _part(text: str, where: str) -> float:
    try:
        part = float(text)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 0.5:
        raise InputError(f"{where}: `val` must be a part in [0, 0.5]; got '{text}'")
    return part
