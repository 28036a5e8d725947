"""The finding in one sentence of plain words, made from the numbers of the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NOTABLE = 0.01
"""Below this share of flipped foreground, flips are said to be rare."""


def finding(summary: Mapping[str, Any]) -> str:
    """What an audit found, in a sentence or two: the hardest-hit group with a comparison, or what the main error is instead."""
    rates = {name: rate["value"] for name, rate in summary["rates"].items()}
    if rates["flipped"] is None or rates["flipped"] != rates["flipped"]:
        return "There is no foreground to judge: no counted pixel of the masks belongs to a foreground class."
    opening = _hardest_group(summary) if rates["flipped"] >= NOTABLE else ""
    if opening:
        return f"{opening} {_overall(rates)}"
    if rates["flipped"] >= NOTABLE:
        found = "has the right region and the wrong label" if _found(summary) else "is called by another class"
        part = f"{_percent(rates['flipped'])} of the foreground {found}"
        return f"{part}{_main_pair(summary)}. {_overall(rates)}"
    main = max(("missed", "added"), key=lambda name: rates[name] if rates[name] == rates[name] else -1.0)
    words = {"missed": "missed", "added": "seen where there is background"}[main]
    whole = {"missed": "the foreground", "added": "the background"}[main]
    return (
        f"Labels are hardly ever flipped ({_percent(rates['flipped'])} of the foreground); {_percent(rates[main])} of {whole} is {words}."
    )


def _found(summary: Mapping[str, Any]) -> bool:
    """Whether the predicted foreground is where the true one is, by more than half of what either covers."""
    value = summary["foreground_iou"]["value"]
    return _is_number(value) and value > 0.5


def _hardest_group(summary: Mapping[str, Any]) -> str:
    """The group of one class with the most flips, against the rest of its class; empty where no group stands out."""
    crossed = [g for g in summary["groups"] if g["by"] == summary["by"] and "class" in g["attributes"] and not g["few"]]
    known = [g for g in crossed if g["attributes"]["class"] and _is_number(g["rates"]["flipped"]["value"])]
    if not known:
        return ""
    worst = max(known, key=lambda g: g["rates"]["flipped"]["value"])
    flipped = worst["rates"]["flipped"]["value"]
    if flipped < NOTABLE:
        return ""
    name = worst["attributes"]["class"]
    called = _called(worst["flips"])
    others = [g for g in known if g["attributes"]["class"] == name and g is not worst]
    where = _where(worst["attributes"])
    text = f"{_percent(flipped)} of the {name} pixels{where} are called {called}"
    if others:
        least = min(others, key=lambda g: g["rates"]["flipped"]["value"])
        return f"{text};{_where(least['attributes'])} {_percent(least['rates']['flipped']['value'])}."
    rest = summary["rates"]["flipped"]["value"]
    return f"{text}; over all foreground it is {_percent(rest)}." if len(known) > 1 else f"{text}."


def _where(attributes: Mapping[str, str]) -> str:
    """` in outdoor pictures`, ` in outdoor pictures where site is A`; empty where the group is of a class alone."""
    context = [f"in {attributes['context']} pictures"] if "context" in attributes else []
    others = [f"{key} is {value}" for key, value in attributes.items() if key not in ("class", "context")]
    return "".join(f" {part}" for part in (*context, *([f"where {' and '.join(others)}"] if others else [])))


def _called(flips: Sequence[Mapping[str, Any]]) -> str:
    """The names that carry most of the flips: `dog`, `dog or sheep`, `dog, sheep or others`."""
    total = sum(f["pixels"] for f in flips)
    names, carried = [], 0
    for flip in flips:
        if carried >= 0.8 * total or len(names) == 2:
            break
        names.append(flip["predicted"])
        carried += flip["pixels"]
    if carried < 0.8 * total:
        return f"{', '.join(names)} or something else"
    return " or ".join(names)


def _main_pair(summary: Mapping[str, Any]) -> str:
    if not summary["flips"]:
        return ""
    first = summary["flips"][0]
    return (
        f", mostly {first['truth']} called {first['predicted']}"
        if first["share"] > 0.5
        else f", above all {first['truth']} called {first['predicted']}"
    )


def _overall(rates: Mapping[str, float]) -> str:
    correct, flipped, missed = (f"{100 * rates[name]:.1f} %" for name in ("correct", "flipped", "missed"))
    return f"Over all, {correct} of the foreground is correct, {flipped} flipped and {missed} missed."


def _percent(value: float) -> str:
    if not _is_number(value):
        return "an undefined part"
    return f"{100 * value:.1f} %" if 0 < value < 0.1 else f"{100 * value:.0f} %"


def _is_number(value: float | None) -> bool:
    return value is not None and value == value
