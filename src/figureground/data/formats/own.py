"""The project's own form: `dataset.toml` beside a CSV or Parquet table of samples, both writable by hand."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from figureground.core.errors import FormatError, InputError
from figureground.core.ties import Tie, join_ties
from figureground.core.types import ClassTable, Sample
from figureground.data import paths
from figureground.data.dataset import Dataset, check_labels
from figureground.data.faults import refusal
from figureground.data.sources import mask_files
from figureground.data.spec import check_keys, nearest, parse_part
from figureground.data.tables import TextTable, check_samples, read_table, unique_ids

TOML_NAME = "dataset.toml"
KNOWN_KEYS: Mapping[str, tuple[str, ...]] = {
    "": ("name", "classes", "samples", "attributes", "groups"),
    "classes": ("names", "ids", "background", "ignore", "colours", "ignore_colour"),
    "samples": ("table",),
    "attributes": ("label", "context"),
    "groups": ("common",),
}
_TYPE_WORDS = {str: "a text", int: "a whole number", list: "a list", dict: "a table"}


def open_own(where: str, options: Mapping[str, str]) -> Dataset:
    """The data set of a `dataset.toml`, given the file or its directory.

    Raises:
        InputError: the path is no such data set, or an option is given other than `part`.
        FormatError: a fault in the TOML file or in the table.
    """
    check_keys(options, ("part",), where=where)
    head = read_head(where)
    toml_path, document, classes = head.file, head.document, head.classes
    table = read_table(head.table, part=parse_part(options["part"]) if "part" in options else None)
    check_samples(table)
    attributes = document.get("attributes", {})
    label = _column(attributes, "label", table, toml_path)
    context = _column(attributes, "context", table, toml_path)
    samples = _samples(table, label)
    check_labels(samples, classes, file=table.file)
    return Dataset(
        name=head.name,
        classes=classes,
        samples=samples,
        masks=mask_files(samples, classes),
        label_attribute=label,
        context_attribute=context,
        common=_common(document.get("groups", {}), classes, toml_path),
        files=(toml_path, table.file),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a `dataset.toml` says, before its table is read."""

    file: str
    name: str
    classes: ClassTable
    table: str
    """Path or URL of the table of samples."""
    document: Mapping[str, Any]


def read_head(where: str) -> Head:
    """The `dataset.toml` of a directory, or that file.

    Raises:
        InputError: the path is no such data set.
        FormatError: a fault in the file.
    """
    path = _toml_path(where)
    document, folder = _read_toml(path), paths.parent(path)
    return Head(
        file=path,
        name=document.get("name") or paths.leaf(folder) or "dataset",
        classes=_class_table(document["classes"], path),
        table=paths.join(folder, _typed(document["samples"], "table", str, path, "samples")),
        document=document,
    )


def _toml_path(where: str) -> str:
    if where.endswith(".toml"):
        return where
    path = paths.join(where, TOML_NAME)
    if paths.exists(path):
        return path
    if not paths.exists(where):
        raise refusal("missing-file", "there is no such file or folder", "Correct the path, or bring the data here", file=where)
    if paths.is_folder(where):
        raise InputError(
            f"{where}: the folder has no {TOML_NAME}. Write one, or name its layout, such as folders:{where} for label maps, "
            "voc:, pets: or waterbirds:"
        )
    raise InputError(f"{where}: a data set is a folder with a {TOML_NAME}, that file, or KIND:WHERE such as coco:{where}")


def _read_toml(path: str) -> dict[str, Any]:
    """The parsed file with its sections and keys checked for being known and of the right type."""
    try:
        document = tomllib.loads(paths.read_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _bad(path, f"the file is no valid TOML ({error})", "Correct the line") from error
    for section, keys in KNOWN_KEYS.items():
        found = document if not section else document.get(section, {})
        if not isinstance(found, dict):
            raise _bad(path, f"`{section}` is not a section", f"Write it as [{section}]")
        for key in found:
            if key not in keys:
                name = f"{section}.{key}" if section else key
                raise _bad(path, f"unknown key `{name}`", f"Known here: {', '.join(keys)}.{nearest(key, keys)}")
    for section in ("classes", "samples"):
        if section not in document:
            raise _bad(path, f"the section [{section}] is missing", "Add it; `names` and `table` are the least that is needed")
    if not isinstance(document.get("name", ""), str):
        raise _bad(path, "`name` must be a text", "Put it in quotes")
    return document


def _class_table(section: Mapping[str, Any], path: str) -> ClassTable:
    names = _texts(section, "names", path)
    ids = tuple(_whole(i, "classes.ids", path) for i in _typed(section, "ids", list, path, "classes", default=[]))
    background = section.get("background", 0)
    if isinstance(background, str) and background in names:
        background = dict(zip(names, ids or range(len(names)), strict=False))[background]
    ignore = section.get("ignore", 255)
    colours = _typed(section, "colours", list, path, "classes", default=[])
    ignore_colour = section.get("ignore_colour")
    try:
        return ClassTable(
            names=names,
            ids=ids,
            background=_whole(background, "classes.background", path),
            ignore=None if ignore in ("none", False) else _whole(ignore, "classes.ignore", path),
            colours=tuple(_colour(c, path) for c in colours) or None,
            ignore_colour=None if ignore_colour is None else _colour(ignore_colour, path),
        )
    except FormatError:
        raise
    except InputError as error:
        raise _bad(path, f"[classes] contradicts itself: {error}", "Correct the section") from error


def _texts(section: Mapping[str, Any], key: str, path: str) -> tuple[str, ...]:
    values = _typed(section, key, list, path, "classes")
    if not values or not all(isinstance(v, str) and v for v in values):
        raise _bad(path, f"`classes.{key}` must be a list of texts", 'Write it as ["background", "cat", "dog"]')
    return tuple(values)


def _whole(value: object, key: str, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _bad(
            path,
            f"`{key}` must be whole numbers; got {value!r}",
            'Write numbers such as 0; `ignore = "none"` says that there are no void pixels',
        )
    return value


def _colour(value: object, path: str) -> tuple[int, int, int]:
    """An RGB from `[r, g, b]` or `"#rrggbb"`."""
    if isinstance(value, str) and len(value) == 7 and value[0] == "#" and all(c in "0123456789abcdefABCDEF" for c in value[1:]):
        return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)
    numbers = [v for v in value if type(v) is int and 0 <= v <= 255] if isinstance(value, list) and len(value) == 3 else []
    if len(numbers) == 3:
        return numbers[0], numbers[1], numbers[2]
    raise _bad(path, f"{value!r} is no colour", 'Write [128, 0, 0] or "#800000"')


def _column(attributes: Mapping[str, Any], key: str, table: TextTable, path: str) -> str | None:
    """The column that `[attributes]` declares; without a declaration the one of the same name, where there is one."""
    if key not in attributes:
        return key if key in table.columns else None
    column = _typed(attributes, key, str, path, "attributes")
    if column not in table.columns:
        raise _bad(
            path,
            f"`attributes.{key}` = '{column}' is no column of {paths.leaf(table.file)}",
            f"The columns are {', '.join(table.columns)}.{nearest(column, table.columns)}",
        )
    return column


def _samples(table: TextTable, label: str | None) -> tuple[Sample, ...]:
    base = paths.parent(table.file)
    kept = [c for c in table.columns if c not in ("id", "image", "mask", "label", "split")]
    return tuple(
        Sample(
            id=sample_id,
            image=paths.join(base, row["image"]) if row.get("image") else None,
            mask=paths.join(base, row["mask"]) if row.get("mask") else None,
            label=(row[label] or None) if label else None,
            split=row.get("split") or None,
            attributes={c: row[c] for c in kept},
        )
        for sample_id, row in zip(unique_ids(table), table.rows, strict=True)
    )


def _common(groups: Mapping[str, Any], classes: ClassTable, path: str) -> dict[str, Tie]:
    common = _typed(groups, "common", dict, path, "groups", default={})
    for name, context in common.items():
        if name not in classes.names:
            raise _bad(path, f"`groups.common` names '{name}', which is no class", f"Use a class name.{nearest(name, classes.names)}")
        several = context if isinstance(context, list) else [context]
        if not several or not all(isinstance(one, str) for one in several) or len(set(several)) < len(several):
            problem = f"`groups.common.{name}` must be a context, or a list of different ones; got {context!r}"
            raise _bad(path, problem, 'Write {cat = "indoor"}, or {cat = ["indoor", "garden"]}')
    return join_ties((name, one) for name, tie in common.items() for one in (tie if isinstance(tie, list) else [tie]))


def _typed(section: Mapping[str, Any], key: str, kind: type, path: str, name: str, *, default: Any = None) -> Any:
    if key not in section and default is not None:
        return default
    if key not in section:
        raise _bad(path, f"the key `{name}.{key}` is missing", "Add it")
    if not isinstance(section[key], kind):
        raise _bad(path, f"`{name}.{key}` must be {_TYPE_WORDS[kind]}; got {section[key]!r}", "Correct it")
    return section[key]


def _bad(path: str, problem: str, remedy: str) -> FormatError:
    return refusal("bad-toml", problem, remedy, file=path)
