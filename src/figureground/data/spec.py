"""The written form of a data set or of predictions: `KIND:WHERE?key=value&key=value`, or a plain path."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from figureground.core.errors import InputError

_KIND = re.compile(r"^([A-Za-z][A-Za-z0-9_-]+):(?!//)(.*)$", re.DOTALL)
_OPTIONS = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*=[^&]*(&[A-Za-z_][A-Za-z0-9_-]*=[^&]*)*$")
_NAME = re.compile(r"^([A-Za-z0-9_.+ -]+)=(.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A spec taken apart."""

    kind: str | None
    """None for a plain path or URL."""
    where: str
    options: Mapping[str, str]
    name: str | None = None
    """The text before `=` where predictions are given a name."""


def parse_spec(text: str, *, named: bool = False) -> Spec:
    """The parts of a spec.

    Option values may be percent-encoded, so that a value can hold `&`. A `?` that no `key=value` follows belongs to the path, and so does a
    one-letter kind (a drive) or one before `//` (a URL).

    Args:
        text: `KIND:WHERE?key=value&...` or a path.
        named: whether `NAME=` may stand in front.

    Raises:
        InputError: nothing is left to open, or an option is given twice.
    """
    name, rest = None, text.strip()
    if named and (match := _NAME.match(rest)):
        name, rest = match.group(1).strip(), match.group(2)
    path, _, query = rest.rpartition("?")
    if not path or not _OPTIONS.match(query):
        path, query = rest, ""
    match = _KIND.match(path)
    kind, where = (match.group(1), match.group(2)) if match else (None, path)
    if not where:
        raise InputError(f"the spec '{text}' names no place. Write KIND:WHERE, such as `voc:path/to/VOC2012`")
    options: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        if key in options:
            raise InputError(f"the spec '{text}' gives `{key}` twice. Give it once")
        options[key] = unquote(value)
    return Spec(kind=kind, where=where, options=options, name=name)


def check_keys(given: Iterable[str], known: Iterable[str], *, where: str) -> None:
    """Raise `InputError` for the first key that is not known, naming the nearest known one."""
    known = tuple(known)
    for key in given:
        if key not in known:
            listed = ", ".join(f"`{k}`" for k in known) or "none"
            raise InputError(f"{where}: unknown key `{key}`.{nearest(key, known)} Known: {listed}")


def nearest(word: str, known: Iterable[str]) -> str:
    """` Did you mean ...?` with the nearest known word, large and small letters being the same, or nothing."""
    by_small = {k.lower(): k for k in known}
    near = difflib.get_close_matches(word.lower(), by_small, n=1)
    return f" Did you mean `{by_small[near[0]]}`?" if near else ""


def chosen(options: Mapping[str, str], key: str, choices: tuple[str, ...], *, default: str) -> str:
    """The value of an option with fixed choices; another value raises `InputError`."""
    value = options.get(key, default)
    if value not in choices:
        raise InputError(f"`{key}` must be one of {', '.join(choices)}; got '{value}'")
    return value


def listed(options: Mapping[str, str], key: str) -> list[str] | None:
    """The comma-separated values of an option, or None where it is not given."""
    if key not in options:
        return None
    return [part.strip() for part in options[key].split(",") if part.strip()]


def parse_part(text: str) -> tuple[int, int]:
    """Number and count of `2/8`: the second of eight parts; other texts raise `InputError`."""
    number, slash, count = text.partition("/")
    if not slash or not (number.isdecimal() and count.isdecimal()) or not 1 <= int(number) <= int(count):
        raise InputError(f"`part` must be NUMBER/COUNT such as 2/8, the number from 1 to the count; got '{text}'")
    return int(number), int(count)


def rows_of_part(rows: int, number: int, count: int, *, what: str) -> range:
    """The rows of one of `count` parts, as many in each as can be; an empty part raises `InputError` that names the data."""
    found = range(rows * (number - 1) // count, rows * number // count)
    if not found:
        raise InputError(f"{what}: part {number}/{count} of {rows} samples is empty. Ask for fewer parts")
    return found
