"""What the rounds gained and cost: the figures that open the report, and the table of models by test set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from figureground.report import words
from figureground.report.loop_values import LoopArtifact, Model, Round, SetResult
from figureground.report.reading import Measure

VALIDATION_SET = "T0"
TEST_SET = re.compile(r"T(\d+)")
VERDICT_SETS = ("audit", "validation")
"""Data on which flips are counted, the more telling first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopFigure:
    """A number that opens the report."""

    word: str
    big: str
    unit: str
    interval: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCell:
    """One model on one set; `result` is None where it was not run there."""

    result: SetResult | None
    is_best: bool
    later: tuple[tuple[int, Measure], ...]
    """Later versions of the target on the validation set, by version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTable:
    """Models in rows, sets in columns."""

    sets: tuple[tuple[str, int | None], ...]
    """Name and number of samples."""
    rows: tuple[tuple[Model, tuple[SetCell, ...]], ...]

    @property
    def absent(self) -> bool:
        """Some model was not run on some set."""
        return any(cell.result is None or not cell.result.miou.known for _, cells in self.rows for cell in cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshTest:
    """The mIoU of all models on the test set of one round."""

    set: str
    before: Measure
    after: Measure
    rivals: tuple[Measure, ...]


def key_figures(loop: LoopArtifact) -> tuple[LoopFigure, ...]:
    """Gained, place, forgotten, flips, labels and hours; what does not exist is left out."""
    found = (_gained(loop), _place(loop), _forgotten(loop), _flips(loop), _labels(loop), _hours(loop))
    return tuple(figure for figure in found if figure is not None)


def _points(word: str, change: Measure, meaning: str, *, sign: bool = True) -> LoopFigure | None:
    if not change.known:
        return None
    big, ends = words.bare(change.value, sign=sign), words.interval(change.low, change.high, sign=True)
    return LoopFigure(word=word, big=big, unit="points", interval=ends, meaning=meaning)


def _gained(loop: LoopArtifact) -> LoopFigure | None:
    known = [one for one in loop.rounds if one.test_change.known]
    if not known:
        return None
    last, earlier = known[-1], [f"{words.bare(one.test_change.value, sign=True)} on {one.test_set}" for one in known[:-1]]
    meaning = f"mean IoU on the fresh test set {last.test_set}, by the repair of round {last.number}"
    return _points("Gained", last.test_change, meaning + (f"; before that {words.listing(earlier)}" if earlier else ""))


def _place(loop: LoopArtifact) -> LoopFigure | None:
    known = [(one, one.before.target.place) for one in loop.rounds if one.before.target and one.before.target.place is not None]
    if not known:
        return None
    (first, start), (last, end) = known[0], known[-1]
    of = f"of {words.plural(len(last.before.ranking), 'model')} on {last.test_set}"
    return LoopFigure(
        word="Place", big=words.ordinal(end), unit="", interval="",
        meaning=of if first is last else f"{of}; {words.ordinal(start)} of {len(first.before.ranking)} on {first.test_set}",
    )  # fmt: skip


def _forgotten(loop: LoopArtifact) -> LoopFigure | None:
    repaired = [one for one in loop.rounds if one.validation_change.known]
    versions = list(loop.validation.items())
    if len(versions) > 1:
        (_, first), (_, last) = versions[0], versions[-1]
    elif repaired:
        first, last = repaired[0].validation_before, repaired[-1].validation_after
    else:
        return None
    change = loop.forgetting.get(versions[-1][0], Measure()) if len(versions) > 1 else Measure()
    change = change if change.known else _difference(first, last)
    limits = sorted({one.limit for one in loop.rounds if one.limit is not None})
    allowed = f"; a repair may lose {words.listing([words.bare(limit) for limit in limits])} points" if limits else ""
    return _points("Forgotten", change.negated, f"mean IoU lost on the validation set, {_from_to(first, last)}{allowed}", sign=False)


def _flips(loop: LoopArtifact) -> LoopFigure | None:
    for name in VERDICT_SETS:
        for group in ("counterfactual", "all"):
            known = [row for row in loop.verdicts if (row.set, row.group) == (name, group) and row.rates["flipped"].known]
            if len(known) > 1:
                by_version = sorted(known, key=lambda row: row.version)
                first, last = (row.rates["flipped"] for row in (by_version[0], by_version[-1]))
                change = by_version[-1].flipped_change
                change = change if change.known else _difference(first, last)
                where = f"of the foreground{' of counterfactual groups' if group == 'counterfactual' else ''}, {name} data"
                return _points("Flipped", change, f"{where}: {_from_to(first, last)}")
    return None


def _labels(loop: LoopArtifact) -> LoopFigure | None:
    masks, ratings = loop.counts["masks"], loop.counts["ratings"]
    if masks is None and ratings is None:
        return None
    if masks is None:
        return LoopFigure(word="Labels", big=words.count(ratings), unit="ratings", interval="", meaning="by people")
    uses = {"learned": "to learn from", "tested": "to test on"}
    split = words.listing([f"{loop.counts[key]:,} {use}" for key, use in uses.items() if loop.counts[key] is not None])
    rated = f"; {words.plural(ratings, 'rating')}" if ratings is not None else ""
    meaning = f"{'from known truth' if loop.by_oracle else 'drawn by people'}{': ' if split else ''}{split}{rated}"
    return LoopFigure(word="Labels", big=words.count(masks), unit="masks", interval="", meaning=meaning)


def _hours(loop: LoopArtifact) -> LoopFigure | None:
    if loop.seconds is None:
        return None
    big, _, unit = words.hours(loop.seconds).partition(words.THIN)
    known = [one for one in loop.rounds if any(value is not None for value in one.seconds.values())]
    parts = {kind: sum(one.seconds[kind] or 0.0 for one in known) for kind in ("ratings", "masks", "checks")}
    said = [f"{words.hours(value)} {kind}" for kind, value in parts.items() if value]
    return LoopFigure(
        word="Human time", big=big, unit={"h": "hours", "min": "minutes"}[unit], interval="", meaning=words.listing(said) or "all rounds"
    )


def _difference(first: Measure, last: Measure) -> Measure:
    """Without an interval: those of two values do not give that of their difference."""
    return Measure(value=last.value - first.value) if first.value is not None and last.value is not None else Measure()


def _from_to(first: Measure, last: Measure) -> str:
    return f"{words.bare(first.value)} to {words.percent(last.value)}"


def set_table(loop: LoopArtifact) -> SetTable:
    """The target first, then its rivals, in the order of the artifact; sets by number."""
    names = sorted(dict.fromkeys(name for model in loop.models for name in model.sets), key=_set_order)
    models = sorted(loop.models, key=lambda model: not model.is_target)
    best = {name: _best([model.sets[name].miou.value for model in models if name in model.sets]) for name in names}
    rows = tuple((model, tuple(_cell(loop, model, name, best[name]) for name in names)) for model in models)
    samples = {name: [model.sets[name].samples for model in models if name in model.sets] for name in names}
    return SetTable(sets=tuple((name, next((n for n in samples[name] if n is not None), None)) for name in names), rows=rows)


def _set_order(name: str) -> tuple[float, str]:
    found = TEST_SET.fullmatch(name)
    return (float(found[1]) if found else float("inf"), name)


def _best(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if len(known) > 1 else None


def _cell(loop: LoopArtifact, model: Model, name: str, best: float | None) -> SetCell:
    result = model.sets.get(name)
    shown = (result.version if result else None) or 0
    later = tuple((v, m) for v, m in loop.validation.items() if v > shown) if model.is_target and name == VALIDATION_SET else ()
    return SetCell(result=result, is_best=result is not None and best is not None and result.miou.value == best, later=later)


def fresh_tests(loop: LoopArtifact) -> tuple[FreshTest, ...]:
    """What is known of the test set of each round; rounds without a ranking yet are left out."""
    found = (_fresh_test(one, loop) for one in loop.rounds)
    return tuple(test for test in found if test.before.known or test.after.known or test.rivals)


def _fresh_test(one: Round, loop: LoopArtifact) -> FreshTest:
    before, after = one.before.target, one.after.target
    rivals = [row.miou for row in one.before.ranking if not row.is_target]
    if not one.before.ranking:
        rivals = [model.sets[one.test_set].miou for model in loop.models if not model.is_target and one.test_set in model.sets]
        known = next((model.sets[one.test_set].miou for model in loop.models if model.is_target and one.test_set in model.sets), Measure())
    else:
        known = before.miou if before else Measure()
    return FreshTest(
        set=one.test_set, before=known, after=after.miou if after else Measure(), rivals=tuple(miou for miou in rivals if miou.known)
    )
