"""Turns an options dataclass into command-line flags, and holds the flags that every verb shares."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from figureground.core.options import OptionInfo, describe_options, make_options, read_option_file

Out = Annotated[
    Path, typer.Option("--out", help="Directory to write; the same command continues or skips what is there.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Worker processes. [default: one per core]", show_default=False)]
Engine = Annotated[str, typer.Option("--engine", help="Where the work runs: NAME[:ADDRESS].")]
Config = Annotated[Path | None, typer.Option("--config", help="TOML file of options; flags win over it.", show_default=False)]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback where something fails.")]
SANE = 1_000_000
"""Upper bounds from here on are no choice that anybody makes."""


def with_options(options_type: type, *, make: Callable[..., Any] | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: the verb gets one flag per option and receives the finished value as `options`.

    The verb must take `options` and `config`, keyword or positional. Precedence: default < TOML < flag; `make` takes these layers to the
    options where they have presets.
    """
    infos, make = describe_options(options_type), make or partial(make_options, options_type)

    def decorate(verb: Callable[..., Any]) -> Callable[..., Any]:
        own = [p for p in inspect.signature(verb, eval_str=True).parameters.values() if p.name != "options"]

        def run(**given: Any) -> Any:
            flags = {info.name: given.pop(info.name) for info in infos}
            layers = [read_option_file(given["config"])] if given.get("config") else []
            chosen = {name: value for name, value in flags.items() if value not in (None, [])}
            return verb(**given, options=make(*layers, chosen))

        flags = [_parameter(info) for info in infos]
        positional = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        run.__signature__ = inspect.Signature([*positional, *flags])  # type: ignore[attr-defined]
        run.__name__, run.__doc__ = verb.__name__, verb.__doc__
        return run

    return decorate


def _parameter(info: OptionInfo) -> inspect.Parameter:
    flag = "--" + info.name.replace("_", "-")
    unsaid = info.default is None or info.default is False or info.default in ((), "")  # 0 equals False, and is told
    typed = " ".join(map(str, info.default)) if isinstance(info.default, tuple) else info.default
    default = "" if unsaid or "[default:" in info.help else f" [default: {typed}]"
    choices = f" One of: {', '.join(info.choices)}." if info.choices else ""
    help_text = f"{info.help}{choices}{_unit_and_range(info)}{default}"
    base = list[str] if info.many else _flag_type(info)
    spec = typer.Option(f"{flag}/--no-{flag[2:]}" if base is bool else flag, help=help_text, show_default=False)
    return inspect.Parameter(info.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[base | None, spec])


def _unit_and_range(info: OptionInfo) -> str:
    """Such as ` In px, from 32 to 2048.`; an upper bound that only keeps numbers sane is not told."""
    parts = [f"in {info.unit}"] if info.unit else []
    if info.bounds:
        low, high = info.bounds
        parts.append(f"from {low:g} to {high:g}" if high < SANE else f"at least {low:g}")
    text = ", ".join(parts)
    return f" {text[0].upper()}{text[1:]}." if text else ""


def _flag_type(info: OptionInfo) -> type:
    kinds = {bool, int, float}
    return info.type if info.type in kinds else str
