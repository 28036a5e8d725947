"""`timm:NAME?argument=value`: classification networks of timm, never with a download."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from figureground.core.errors import InputError, MissingExtra

try:
    import timm
except ImportError as error:
    raise MissingExtra("timm", extra="timm", needed_for="the model kind 'timm:'") from error

_RESERVED = ("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "num_classes", "in_chans", "features_only")
"""What training decides itself, what would fetch or run a file, and what would turn answers into something else."""


def check_timm(name: str, settings: Mapping[str, str]) -> None:
    """Raise `InputError` unless timm has a network of that name and the settings may be given."""
    if name not in timm.list_models():
        near = [found for part in (name, name.split("_")[0]) for found in timm.list_models(f"*{part}*")][:5]
        raise InputError(f"timm:{name}: unknown network. {'Near: ' + ', '.join(near) if near else 'See timm.list_models()'}")
    if taken := [key for key in settings if key in _RESERVED]:
        hint = "Weights come from a file, --encoder-weights FILE" if "pre" in taken[0] or "check" in taken[0] else "Leave it out"
        raise InputError(f"timm:{name}: `{taken[0]}` cannot be set. {hint}")


def build_timm(name: str, settings: Mapping[str, str], *, classes: int) -> Any:
    """The network with random weights, from its own arguments as texts; what the library refuses raises `InputError`."""
    check_timm(name, settings)
    try:
        return timm.create_model(name, pretrained=False, num_classes=classes, **{key: _literal(text) for key, text in settings.items()})
    except (KeyError, ValueError, TypeError, RuntimeError, AssertionError) as error:
        reason = str(error).strip("'\"").splitlines()[0]
        raise InputError(f"timm:{name}: timm cannot build it ({reason}). Give arguments that its documentation lists") from error


def head_of(name: str, settings: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the submodules that answer with classes: all that ImageNet weights do not bring."""
    check_timm(name, settings)
    found = timm.get_pretrained_cfg(name, allow_unregistered=True)
    heads = found.classifier if found is not None else None
    return (heads,) if isinstance(heads, str) else tuple(heads or ("classifier", "fc", "head"))


def _literal(text: str) -> Any:
    """`True` as a boolean and `64` as a number; what is no Python literal is the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
