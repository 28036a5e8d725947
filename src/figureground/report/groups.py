"""Groups: the four rates of each group side by side, and the gaps between common and counterfactual ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from figureground.report import words
from figureground.report.overview import verdict_rates
from figureground.report.reading import Measure, PredictionAudit, measure, number

SHOWN_AT_ONCE, SHOWN_AT_MOST = 12, 120


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One group."""

    name: str
    samples: int
    few: bool
    kind: str
    rates: Mapping[str, Measure]
    foreground_iou: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTable:
    """All groups by the same attributes, most flipped first."""

    title: str
    rows: tuple[GroupRow, ...]
    """The most flipped; shown at once."""
    more: tuple[GroupRow, ...]
    """The next; shown on demand."""
    left_out: int
    """Groups that only groups.parquet holds."""
    few: int
    """How many of the shown groups are marked as small."""
    added_end: float
    """Right end of the axis of added, a fraction of background; it holds every value, and every interval but those of small groups."""

    @property
    def added_ticks(self) -> tuple[float, ...]:
        """Places of the numbers on the axis of added."""
        return (0.0, self.added_end / 2, self.added_end)

    @property
    def kinds(self) -> bool:
        """Some group is marked common or counterfactual."""
        return any(row.kind for row in (*self.rows, *self.more))


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRow:
    """The IoU gap of one class: common context, or the mean of several, minus the mean of the counterfactual ones."""

    name: str
    common: str
    counterfactual: str
    measure: Measure
    several: bool = False
    """`common` names several contexts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Common against counterfactual, and the worst group."""

    iou: tuple[GapRow, ...]
    flip: Measure | None
    worst_name: str
    worst: Measure | None
    low: float
    high: float
    """Ends of the axis of the IoU gaps; 0 lies between them."""

    @property
    def tied(self) -> bool:
        """It is known which contexts are common, so that there are gaps."""
        return bool(self.iou) or self.flip is not None

    @property
    def several(self) -> bool:
        """Some class has several common contexts."""
        return any(row.several for row in self.iou)

    @property
    def any(self) -> bool:
        """There is something to show."""
        return self.tied or self.worst is not None

    def place(self, value: float) -> float:
        """Where a value stands on the axis, in [0, 1]."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    @property
    def ticks(self) -> tuple[float, ...]:
        """Places of the numbers on the axis of the IoU gaps, 0 among them."""
        step = max(self.high, round_end(-self.low)) / 2
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return tuple(step * place for place in range(first, last + 1))


def group_tables(prediction: PredictionAudit) -> tuple[GroupTable, ...]:
    """One table for each set of attributes; the finest first."""
    sets: dict[tuple[str, ...], list[GroupRow]] = {}
    for group in prediction.rows("groups"):
        attributes = group.get("attributes") or {}
        by = tuple(str(name) for name in group.get("by") or attributes)
        sets.setdefault(by, []).append(_group_row(group, attributes))
    order = sorted(sets, key=lambda by: -len(by))  # a stable sort keeps the order of the artifact
    return tuple(_group_table(by, sets[by]) for by in order)


def _group_row(group: Mapping[str, Any], attributes: Mapping[str, Any]) -> GroupRow:
    return GroupRow(
        name=words.group_name(attributes),
        samples=int(number(group.get("samples")) or 0),
        few=bool(group.get("few")),
        kind=str(group.get("kind") or ""),
        rates=verdict_rates(group.get("rates")),
        foreground_iou=measure(group.get("foreground_iou")),
    )


def _group_table(by: tuple[str, ...], rows: list[GroupRow]) -> GroupTable:
    rows = sorted(rows, key=lambda row: (-_or(row.rates["flipped"].value, -1.0), row.name))
    shown = rows[:SHOWN_AT_MOST]
    cut = len(shown) if len(shown) <= SHOWN_AT_ONCE + 3 else SHOWN_AT_ONCE  # no "show 2 more"
    added = [(row.rates["added"], row.few) for row in shown]
    ends = [_or(rate.value if few else rate.high, _or(rate.value, 0.0)) for rate, few in added]
    return GroupTable(
        title=" \u00d7 ".join(by),
        rows=tuple(shown[:cut]),
        more=tuple(shown[cut:]),
        left_out=len(rows) - len(shown),
        few=sum(row.few for row in shown),
        added_end=min(1.0, round_end(max(ends, default=0.0))),
    )


def gaps(prediction: PredictionAudit) -> Gaps:
    """The gaps of one prediction; absent ones are None."""
    found = prediction.mapping("gaps")
    entries = [entry for entry in found.get("iou") or () if isinstance(entry, Mapping)]
    rows = sorted((_gap_row(entry) for entry in entries), key=lambda row: (-_or(row.measure.value, -math.inf), row.name))
    ends = [end for row in rows for end in (row.measure.value, row.measure.low, row.measure.high) if end is not None]
    worst = found.get("worst_group")
    flip = found.get("flip")
    return Gaps(
        iou=tuple(rows),
        flip=measure(flip) if flip is not None else None,
        worst_name=words.group_name(worst.get("attributes") or {}) if isinstance(worst, Mapping) else "",
        worst=measure(worst) if worst is not None else None,
        low=1.05 * min(ends, default=0.0) if min(ends, default=0.0) < 0 else 0.0,
        high=round_end(max(ends, default=0.0)),
    )


def _gap_row(entry: Mapping[str, Any]) -> GapRow:
    common = entry.get("common")
    return GapRow(
        name=str(entry.get("class")),
        common=words.listing([_context(own) for own in (common if isinstance(common, list) else [common])]),
        counterfactual=words.listing([_context(other) for other in entry.get("counterfactual") or ()]),
        measure=measure(entry),
        several=isinstance(common, list),
    )


def _context(attributes: object) -> str:
    """The attributes besides the class, which stands in a column of its own."""
    if isinstance(attributes, Mapping):
        return words.group_name({name: value for name, value in attributes.items() if name != "class"})
    return str(attributes)


def round_end(value: float) -> float:
    """The end of an axis: a round number of one digit, not below `value`; 0.01 where nothing is above 0.

    >>> round_end(0.034), round_end(0.0)
    (0.04, 0.01)
    """
    if value <= 0:
        return 0.01
    power = 10.0 ** math.floor(math.log10(value))
    step = next(s for s in (1, 2, 3, 4, 5, 6, 8, 10) if value <= s * power * (1 + 1e-9))
    return round(step * power, 12)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
