"""Options of a stage: declared once on a frozen dataclass, read from flags, TOML and Python alike."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from figureground.core.errors import InputError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OptionInfo:
    """What a flag, a TOML key, a docs row and a form need to know of one option."""

    name: str
    type: Any
    default: Any
    help: str
    unit: str
    bounds: tuple[float, float] | None
    choices: tuple[str, ...]
    many: bool
    """True where the option may be given several times and holds a tuple of texts."""


def option(
    default: Any,
    *,
    help: str,  # the field's word for it, as in typer and argparse
    unit: str = "",
    bounds: tuple[float, float] | None = None,
) -> Any:
    """A dataclass field that carries its help, unit and closed bounds."""
    return dataclasses.field(default=default, metadata={"help": help, "unit": unit, "bounds": bounds})


def describe_options(options_type: type) -> tuple[OptionInfo, ...]:
    """Every option of an options dataclass, in declared order."""
    hints = typing.get_type_hints(options_type)
    return tuple(_describe(field, hints[field.name]) for field in dataclasses.fields(options_type))


def _describe(field: dataclasses.Field[Any], hint: Any) -> OptionInfo:
    many = typing.get_origin(hint) is tuple
    choices = tuple(str(arg) for arg in typing.get_args(hint)) if typing.get_origin(hint) is typing.Literal else ()
    return OptionInfo(
        name=field.name,
        type=hint,
        default=field.default,
        help=field.metadata.get("help", ""),
        unit=field.metadata.get("unit", ""),
        bounds=field.metadata.get("bounds"),
        choices=choices,
        many=many,
    )


def make_options(options_type: type, *layers: Mapping[str, Any]) -> Any:
    """Options from layers of given values, later ones winning; unknown names and values out of bounds raise `InputError`."""
    infos = {info.name: info for info in describe_options(options_type)}
    given: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            name = key.replace("-", "_")
            if name not in infos:
                raise InputError(f"unknown option `{key}`.{_nearest(name, infos)} Known: {', '.join(sorted(infos))}")
            given[name] = _checked(infos[name], value)
    return options_type(**given)


def preset_of(presets: Mapping[str, Mapping[str, Any]], *layers: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of the last `preset` that layers name, empty where none does; an unknown one raises `InputError`."""
    name = {key: value for layer in layers for key, value in layer.items()}.get("preset", "")
    if name and name not in presets:
        raise InputError(f"`preset` must be one of {', '.join(presets)}, or be left out; got {name!r}")
    return presets[name] if name else {}


def read_option_file(path: Path) -> dict[str, Any]:
    """The keys of a TOML options file; a file that is absent or no TOML raises `InputError`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot read the options file ({error.strerror}). Give an existing TOML file to --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the options file is no valid TOML ({error}). Write lines such as `resamples = 2000`") from error


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean `{near[0]}`?" if near else ""


def _checked(info: OptionInfo, value: Any) -> Any:
    value = _converted(info, value)
    if info.choices and value is not None and value not in info.choices:
        raise InputError(f"`{info.name}` must be one of {', '.join(info.choices)}; got {value!r}")
    if info.bounds and isinstance(value, int | float) and not info.bounds[0] <= value <= info.bounds[1]:
        low, high = info.bounds
        raise InputError(f"`{info.name}` must be in [{low}, {high}]{' ' + info.unit if info.unit else ''}; got {value}")
    return value


def _converted(info: OptionInfo, value: Any) -> Any:
    if info.many:
        items = [value] if isinstance(value, str) else list(cast("Sequence[object]", value)) if isinstance(value, list | tuple) else [None]
        if not all(isinstance(item, str) for item in items):
            raise InputError(f"`{info.name}` must be a text or a list of texts; got {value!r}")
        return tuple(items)
    kinds = _plain_types(info.type)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) and bool not in kinds:
        raise InputError(f"`{info.name}` must be {_named(kinds)}; got {value!r}")
    if kinds and not isinstance(value, kinds):
        raise InputError(f"`{info.name}` must be {_named(kinds)}; got {value!r}")
    return value


def _plain_types(hint: Any) -> tuple[type, ...]:
    if typing.get_origin(hint) is typing.Literal:
        return (str,)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return tuple(t for t in typing.get_args(hint) if isinstance(t, type))
    return (hint,) if isinstance(hint, type) else ()


def _named(kinds: tuple[type, ...]) -> str:
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "none"}
    return " or ".join(words.get(kind, kind.__name__) for kind in kinds)
