"""What a loop found, in a sentence or two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def finding(summary: Mapping[str, Any]) -> str:
    """What was gained on fresh test sets, what was forgotten, and how flips changed; what is not known is left out."""
    rounds: Sequence[Mapping[str, Any]] = summary["rounds"]
    if not rounds:
        return "No test set is ranked yet."
    repaired = [row for row in rounds if row["repaired"]]
    parts = [_first(summary, rounds[0])]
    if not repaired and any(row["after"] for row in rounds):
        parts.append("No repair qualified: the target is as it was.")
    if repaired:
        parts += [_gained(summary, rounds, len(repaired)), _forgotten(summary), _flips(summary)]
    return " ".join(part for part in parts if part)


def _first(summary: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    """How far the target is under its validation score where models disagree."""
    target = next(one for one in first["ranking"] if one["role"] == "target")
    known = summary["validation"][0]["miou"]["value"] if summary["validation"] else None
    score = _points(target["miou"]["value"])
    against = "" if known is None else f", against {_points(known)} % on the validation data"
    return f"Where the models disagree, the target has {score} % mIoU{against} (place {target['place']} of {len(first['ranking'])})."


def _gained(summary: Mapping[str, Any], rounds: Sequence[Mapping[str, Any]], count: int) -> str:
    last = rounds[-1]
    target = next(one for one in last["ranking"] if one["role"] == "target")
    done = f"After {count} repair{'s' * (count != 1)} with {summary['labels']['learned']} masks"
    if not last["after"]:
        return (
            f"{done} it has {_points(target['miou']['value'])} % on a fresh test set (place {target['place']} of {len(last['ranking'])})."
        )
    change = last["test_change"]["value"]
    return f"{done} it has {_signed(change)} points on the test set of round {last['round']}."


def _forgotten(summary: Mapping[str, Any]) -> str:
    first, last = summary["validation"][0]["miou"]["value"], summary["validation"][-1]["miou"]["value"]
    if first is None or last is None:
        return ""
    lost = first - last
    told = f"lost {_points(lost)} points" if lost > 0 else f"gained {_points(-lost)} points"
    return f"On the validation data it {told} of mIoU."


def _flips(summary: Mapping[str, Any]) -> str:
    rows = [row for row in summary["verdicts"] if row["set"] == "audit" and row["group"] == "counterfactual"]
    rows = rows or [row for row in summary["verdicts"] if row["set"] == "audit" and row["group"] == "all"]
    if len(rows) < 2:
        return ""
    which = "counterfactual pictures" if rows[0]["group"] == "counterfactual" else "the audited pictures"
    before, after = (_points(row["flipped"]["value"]) for row in (rows[0], rows[-1]))
    return f"Of the foreground of {which} {before} % was flipped before and {after} % after."


def _points(value: float | None) -> str:
    return "?" if value is None else f"{100 * value:.1f}"


def _signed(value: float | None) -> str:
    return "?" if value is None else f"{100 * value:+.1f}"
