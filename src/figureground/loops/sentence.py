"""What a loop found, in a sentence or two."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def finding(summary: Mapping[str, Any], *, level: float) -> str:
    """What was gained on fresh test sets, what was forgotten, and how flips changed, with intervals; what is not known is left out."""
    rounds: Sequence[Mapping[str, Any]] = summary["rounds"]
    if not rounds:
        return "No test set is ranked yet."
    repaired = [row for row in rounds if row["repaired"]]
    parts = [_first(summary, rounds[0])]
    if not repaired and any(row["after"] for row in rounds):
        parts.append("No repair qualified: the target is as it was.")
    if repaired:
        parts += [
            _gained(summary, rounds, len(repaired)),
            _forgotten(summary),
            _flips(summary),
            f"In brackets: {100 * level:g} % intervals.",
        ]
    return " ".join(part for part in parts if part)


def _first(summary: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    """How far the target is under its validation score where models disagree: the headline, so without intervals."""
    target = next(one for one in first["ranking"] if one["role"] == "target")
    known = summary["validation"][0]["miou"] if summary["validation"] else None
    against = "" if known is None else f", against {_bare(known)} on the validation data"
    place = f"place {target['place']} of {len(first['ranking'])}"
    return f"Where the models disagree, the target has {_bare(target['miou'])} mIoU{against} ({place})."


def _gained(summary: Mapping[str, Any], rounds: Sequence[Mapping[str, Any]], count: int) -> str:
    last = rounds[-1]
    target = next(one for one in last["ranking"] if one["role"] == "target")
    learned = summary["labels"]["learned"]
    done = f"After {count} repair{'s' * (count != 1)} with {learned} mask{'s' * (learned != 1)}"
    if not last["after"]:
        return f"{done} it has {_rate(target['miou'])} on a fresh test set, place {target['place']} of {len(last['ranking'])}."
    return f"{done} it has {_change(last['test_change'])} on the test set of round {last['round']}."


def _forgotten(summary: Mapping[str, Any]) -> str:
    change = summary["validation"][-1]["change"]
    return "" if math.isnan(_number(change["value"])) else f"On the validation data its mIoU changed by {_change(change)}."


def _flips(summary: Mapping[str, Any]) -> str:
    rows = [row for row in summary["verdicts"] if row["set"] == "audit" and row["group"] == "counterfactual"]
    rows = rows or [row for row in summary["verdicts"] if row["set"] == "audit" and row["group"] == "all"]
    if len(rows) < 2:
        return ""
    which = "counterfactual pictures" if rows[0]["group"] == "counterfactual" else "the audited pictures"
    flipped, correct = ([_rate(row[name]) for row in (rows[0], rows[-1])] for name in ("flipped", "correct"))
    told = f"Of the foreground of {which} {flipped[0]} was flipped before and {flipped[1]} after"
    return f"{told}, and {correct[0]} correct before and {correct[1]} after."


def _bare(told: Mapping[str, float | None]) -> str:
    """`38.0 %`."""
    value = _number(told["value"])
    return "? %" if math.isnan(value) else f"{100 * value:.1f} %"


def _rate(told: Mapping[str, float | None]) -> str:
    """`38.0 % (34.4 to 41.6)`."""
    return f"{_bare(told)}{_interval(told, '.1f')}"


def _change(told: Mapping[str, float | None]) -> str:
    """`+27.7 points (+18.2 to +37.0)`."""
    value = _number(told["value"])
    return "? points" if math.isnan(value) else f"{100 * value:+.1f} points{_interval(told, '+.1f')}"


def _interval(told: Mapping[str, float | None], form: str) -> str:
    low, high = _number(told["low"]), _number(told["high"])
    return "" if math.isnan(low + high) else f" ({100 * low:{form}} to {100 * high:{form}})"


def _number(value: float | None) -> float:
    return math.nan if value is None else value
