"""The parts of a round report below its table: verdicts, classes, rankings and labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from figureground.report import words
from figureground.report.groups import round_end
from figureground.report.loop_reading import SECONDS
from figureground.report.loop_values import Gain, LoopArtifact, Round, VerdictRow
from figureground.report.reading import Measure

SETS = {"audit": "the audit data", "validation": "the validation set"}
"""Sets of the gains and verdicts in words, in the order in which they are shown."""
GROUPS = {"all": "all samples", "common": "common", "counterfactual": "counterfactual"}
SELECTORS = {
    "mad": "largest disagreement of target and rivals",
    "entropy": "least certain target",
    "margin": "smallest margin between the target's two best classes",
    "committee": "most divided votes of target and rivals",
    "core-set": "farthest from what was chosen before",
    "flip-risk": "highest flip-risk of the target",
    "random": "drawn at random",
}
"""Why a sample came into the queue, by the selector's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictTable:
    """The verdicts of every version on one set, group by group."""

    title: str
    rows: tuple[VerdictRow, ...]
    added_end: float
    """Right end of the axis of added."""

    @property
    def added_ticks(self) -> tuple[float, ...]:
        """Places of the numbers on the axis of added."""
        return (0.0, self.added_end / 2, self.added_end)


@dataclass(frozen=True, slots=True, kw_only=True)
class GainTable:
    """What each class gained on one set, largest gain first."""

    title: str
    rows: tuple[Gain, ...]
    low: float
    high: float
    """Ends of the axis of the changes; 0 lies between them."""

    def place(self, value: float) -> float:
        """Where a value stands on the axis, in [0, 1]."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    @property
    def ticks(self) -> tuple[float, ...]:
        """Places of the numbers on the axis, 0 among them."""
        step = max(self.high, -self.low) / 2
        return tuple(step * place for place in range(-2, 3) if self.low <= step * place + 1e-9 and step * place - 1e-9 <= self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """What people did in one round, or in all."""

    name: str
    counts: Mapping[str, float | None]
    seconds: Mapping[str, float | None]
    total: float | None


def verdict_tables(loop: LoopArtifact) -> tuple[VerdictTable, ...]:
    """One table a set, with the audit data first."""
    return tuple(
        _verdict_table(name, [row for row in loop.verdicts if row.set == name]) for name in _in_order(r.set for r in loop.verdicts)
    )


def _verdict_table(name: str, rows: list[VerdictRow]) -> VerdictTable:
    order = [*GROUPS]
    rows = sorted(rows, key=lambda row: (order.index(row.group) if row.group in GROUPS else len(order), row.group, row.version))
    ends = [max(row.rates["added"].value or 0.0, row.rates["added"].high or 0.0) for row in rows]
    return VerdictTable(title=SETS.get(name, name), rows=tuple(rows), added_end=min(1.0, round_end(max(ends, default=0.0))))


def gain_tables(loop: LoopArtifact) -> tuple[GainTable, ...]:
    """One table a set, the audit data first."""
    names = _in_order(row.set for row in loop.gains)
    return tuple(_gain_table(name, [row for row in loop.gains if row.set == name]) for name in names)


def _gain_table(name: str, rows: list[Gain]) -> GainTable:
    ends = [end for row in rows for end in (row.change.value, row.change.low, row.change.high) if end is not None]
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    return GainTable(
        title=SETS.get(name, name),
        rows=tuple(sorted(rows, key=lambda row: -math.inf if row.change.value is None else row.change.value, reverse=True)),
        low=-round_end(-low) if low < 0 else 0.0,
        high=round_end(high) if high > 0 or low >= 0 else 0.0,
    )


def _in_order(names: Any) -> list[str]:
    """Each name once: known sets first."""
    known = [*SETS]
    return sorted(dict.fromkeys(names), key=lambda name: known.index(name) if name in SETS else len(known))


def round_sentence(one: Round) -> str:
    """Where the target stands on the test set of a round, before and after its repair."""
    before, after = one.before.target, one.after.target
    if before is None or before.place is None:
        return "not ranked yet" if not one.before.ranking else "the target is not ranked"
    first = f"the target is {words.ordinal(before.place)} of {len(one.before.ranking)}"
    if after is None or after.place is None:
        return first
    return f"{first} before the repair and {words.ordinal(after.place)} after it"


def label_rows(loop: LoopArtifact) -> tuple[LabelRow, ...]:
    """One row a round, and their sum, for which the totals of the artifact come first."""
    rows = [_label_row(one) for one in loop.rounds]
    if len(rows) < 2:
        return tuple(rows)
    counts = {key: _sum([one.counts[key] for one in loop.rounds]) if known is None else known for key, known in loop.counts.items()}
    seconds = {kind: _sum([one.seconds[kind] for one in loop.rounds]) for kind in SECONDS}
    total = _sum([*seconds.values()]) if loop.seconds is None else loop.seconds
    return (*rows, LabelRow(name="all rounds", counts=counts, seconds=seconds, total=total))


def _label_row(one: Round) -> LabelRow:
    return LabelRow(name=round_name(one), counts=one.counts, seconds=one.seconds, total=_sum([*one.seconds.values()]))


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def round_name(one: Round) -> str:
    """`round 3, re-test`."""
    return f"round {one.number}" + (", re-test" if one.is_retest else "")


def version_name(version: int | None) -> str:
    """A version of the target in words."""
    if not version:
        return "as given"
    return "after 1 repair" if version == 1 else f"after {version} repairs"


def flat_settings(options: Mapping[str, Any], *, prefix: str = "") -> dict[str, str]:
    """Options as names and texts, nested ones with dotted names."""
    found: dict[str, str] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            found |= flat_settings(value, prefix=f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = _setting(value)
    return found


def _setting(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_setting(one) for one in value)
    return "" if value is None else str(value)


def change_of(before: Measure, after: Measure, change: Measure) -> Measure:
    """The change as given, or the plain difference where it is not."""
    if change.known or before.value is None or after.value is None:
        return change
    return Measure(value=after.value - before.value)
