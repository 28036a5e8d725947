"""The `?key=value` part of a model spec, read into the fields of a `PredictorSpec`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from figureground.core.errors import InputError
from figureground.models.predictor import RESIZES, WINDOWS

NORMALISATIONS: Mapping[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of a model spec: fields of `PredictorSpec` by their names, and what only one kind understands."""

    fields: Mapping[str, Any]
    """Given or default values, by field of `PredictorSpec`; `classes` may be absent."""
    own: Mapping[str, str] = field(default_factory=dict)
    """Settings of this kind of model alone, as texts."""
    given: frozenset[str] = frozenset()
    """Fields the user set, as opposed to defaults."""


def read_settings(
    settings: Mapping[str, str], *, where: str, own: Sequence[str] = (), norm: str | None = "imagenet", **defaults: Any
) -> Settings:
    """Settings as fields of `PredictorSpec`.

    Args:
        settings: key -> value as they stand in the spec.
        where: the spec without settings, for messages.
        own: keys that only this kind of model has.
        norm: normalisation where neither `norm` nor `mean` nor `std` is given; None = the adapter finds it elsewhere.
        defaults: fields of `PredictorSpec` that this kind of model presets.

    Raises:
        InputError: an unknown key, or a value of another form.
    """
    fields: dict[str, Any] = {}
    mine: dict[str, str] = {}
    for key, text in settings.items():
        if key in own:
            mine[key] = text
        elif key in _READERS:
            fields.update(_READERS[key](text, f"{where}: `{key}`"))
        else:
            raise InputError(_unknown(key, where, (*_READERS, *own)))
    given = frozenset(fields)
    preset = dict(zip(("mean", "std"), NORMALISATIONS[norm], strict=True)) if norm and not given & {"mean", "std"} else {}
    return Settings(fields={**defaults, **preset, **fields}, own=mine, given=given)


def _unknown(key: str, where: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return f"{where}: unknown setting `{key}`.{hint} Known: {', '.join(sorted(known))}"


def _whole(name: str) -> Callable[[str, str], dict[str, Any]]:
    def read(text: str, what: str) -> dict[str, Any]:
        if not text.isdecimal():
            raise InputError(f"{what} must be a whole number; got '{text}'")
        return {name: int(text)}

    return read


def _number(name: str) -> Callable[[str, str], dict[str, Any]]:
    return lambda text, what: {name: _float(text, what)}


def _text(name: str) -> Callable[[str, str], dict[str, Any]]:
    return lambda text, what: {name: text}


def _choice(name: str, choices: Sequence[str]) -> Callable[[str, str], dict[str, Any]]:
    def read(text: str, what: str) -> dict[str, Any]:
        if text not in choices:
            raise InputError(f"{what} must be one of {', '.join(choices)}; got '{text}'")
        return {name: text}

    return read


def _triple(name: str) -> Callable[[str, str], dict[str, Any]]:
    def read(text: str, what: str) -> dict[str, Any]:
        values = tuple(_float(part, what) for part in text.split(","))
        if len(values) not in (1, 3):
            raise InputError(f"{what} must be one number or three, for R, G and B; got '{text}'")
        return {name: values if len(values) == 3 else values * 3}

    return read


def _size(text: str, what: str) -> dict[str, Any]:
    if text == "native":
        return {"size_hw": None}
    sides = text.split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise InputError(f"{what} must be HEIGHTxWIDTH in pixels, one side for a square, or `native`; got '{text}'")
    return {"size_hw": (int(sides[0]), int(sides[-1]))}


def _norm(text: str, what: str) -> dict[str, Any]:
    _choice("norm", tuple(NORMALISATIONS))(text, what)
    return dict(zip(("mean", "std"), NORMALISATIONS[text], strict=True))


def _float(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -1e6 < value < 1e6:
        raise InputError(f"{what} must be made of numbers; got '{text}'")
    return value


_READERS: Mapping[str, Callable[[str, str], dict[str, Any]]] = {
    "classes": _whole("classes"),
    "size": _size,
    "short_side": _whole("short_side_px"),
    "stride": _whole("stride_px"),
    "norm": _norm,
    "mean": _triple("mean"),
    "std": _triple("std"),
    "scale": _number("scale"),
    "order": _choice("order", ("rgb", "bgr")),
    "resize": _choice("resize", RESIZES),
    "window": _choice("window", WINDOWS),
    "overlap": _number("overlap"),
    "weights": _text("weights"),
    "sha256": _text("sha256"),
}
