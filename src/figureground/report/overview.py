"""The finding: key figures of a prediction, and predictions beside one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from figureground.report import words
from figureground.report.reading import AuditArtifact, Measure, PredictionAudit, measure, number

METRICS = {
    "flipped": ("Flipped", -1),
    "correct": ("Correct", 1),
    "missed": ("Missed", -1),
    "added": ("Added", -1),
    "foreground_iou": ("Foreground IoU", 1),
    "miou_macro": ("Mean IoU", 1),
    "boundary_f": ("Boundary F", 1),
    "flip_image_mean": ("Flipped, mean of samples", -1),
    "conditional_flip": ("Conditional flip", -1),
}
"""Name and direction of each compared number: 1 = more is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number that opens the report."""

    word: str
    measure: Measure
    meaning: str
    reason: str
    """Why it would be undefined."""
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRow:
    """One prediction in the comparison."""

    index: int
    name: str
    rates: Mapping[str, Measure]
    foreground_iou: Measure
    miou: Measure
    auroc: float | None
    """How well its risk finds its flips; None where there is no risk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Row prediction minus column prediction."""

    measure: Measure
    verdict: str
    """better, worse, same (the interval holds 0), unknown (no value or no interval) or self (the diagonal)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceTable:
    """All pairs of predictions under one metric."""

    metric: str
    title: str
    more_is_better: bool
    names: tuple[str, ...]
    rows: tuple[tuple[Difference, ...], ...]


def verdict_rates(rates: object) -> dict[str, Measure]:
    """The four rates by verdict; absent ones are undefined."""
    found = rates if isinstance(rates, Mapping) else {}
    return {word: measure(found.get(word)) for word in words.VERDICTS}


def flipped_share(prediction: PredictionAudit) -> float | None:
    """Flipped part of the foreground; None where it is undefined."""
    return verdict_rates(prediction.numbers.get("rates"))["flipped"].value


def most_flipped(artifact: AuditArtifact) -> PredictionAudit | None:
    """The prediction that flips most; None where no share is defined."""
    shares = [(share, p) for p in artifact.predictions if (share := flipped_share(p)) is not None]
    return max(shares, key=lambda pair: pair[0])[1] if shares else None


def key_figures(prediction: PredictionAudit) -> tuple[Figure, ...]:
    """The four verdicts, then foreground IoU beside mean IoU: right region against right label."""
    numbers = prediction.numbers
    wholes = {"added": "of background truth"}
    verdicts = [
        Figure(
            word=word.capitalize(), measure=rate, meaning=wholes.get(word, "of foreground truth"), reason=words.REASONS[word], verdict=word
        )
        for word, rate in verdict_rates(numbers.get("rates")).items()
    ]
    overlap = [
        Figure(
            word="Foreground IoU",
            measure=measure(numbers.get("foreground_iou")),
            meaning="right region, whatever the label",
            reason=words.REASONS["foreground_iou"],
        ),
        Figure(
            word="Mean IoU",
            measure=measure(prediction.mapping("miou").get("macro")),
            meaning="right region and right label, mean of classes",
            reason=words.REASONS["iou"],
        ),
    ]
    return (*verdicts, *overlap)


def further_figures(prediction: PredictionAudit) -> tuple[Figure, ...]:
    """The other reductions, for readers who compare with numbers elsewhere."""
    numbers = prediction.numbers
    entries = [
        ("Conditional flip", numbers.get("conditional_flip"), "wrong label, given that foreground was found", "conditional_flip"),
        ("Flipped, mean of samples", numbers.get("flip_image_mean"), "every sample weighs the same", "flip_image_mean"),
        ("Boundary F", numbers.get("boundary_f"), _tolerance(prediction.mapping("boundary_f")), "boundary_f"),
    ]
    for title, key in (("IoU", "miou"), ("Dice", "dice"), ("Accuracy", "accuracy")):
        entries += [(f"{title}, {reduction}", node, "", "iou") for reduction, node in prediction.mapping(key).items()]
    return tuple(
        Figure(word=word, measure=measure(node), meaning=meaning, reason=words.REASONS[reason])
        for word, node, meaning, reason in entries
        if node is not None
    )


def _tolerance(boundary: Mapping[str, object]) -> str:
    tolerance = number(boundary.get("tolerance"))
    if tolerance is None:
        return "outline of any foreground"
    within = f"{words.percent(tolerance, digits=2)} of the diagonal" if tolerance < 1 else f"{tolerance:g}{words.THIN}px"
    return f"outline of any foreground, within {within}"


def compared_rows(artifact: AuditArtifact) -> tuple[ComparedRow, ...]:
    """One row a prediction, in the order of the artifact."""
    return tuple(
        ComparedRow(
            index=index,
            name=prediction.name,
            rates=verdict_rates(prediction.numbers.get("rates")),
            foreground_iou=measure(prediction.numbers.get("foreground_iou")),
            miou=measure(prediction.mapping("miou").get("macro")),
            auroc=number(prediction.mapping("risk").get("auroc")),
        )
        for index, prediction in enumerate(artifact.predictions, 1)
    )


def difference_tables(artifact: AuditArtifact) -> tuple[DifferenceTable, ...]:
    """Paired differences, one table a metric; a pair is given once in the artifact and mirrored here."""
    names = tuple(prediction.name for prediction in artifact.predictions)
    tables = []
    for metric in dict.fromkeys([*METRICS, *(str(row.get("metric")) for row in artifact.differences)]):
        pairs: dict[tuple[str, str], Measure] = {}
        for row in artifact.differences:
            if row.get("metric") == metric:
                a, b, value = str(row.get("a")), str(row.get("b")), measure(row)
                pairs[a, b], pairs[b, a] = value, value.negated
        if pairs:
            title, direction = METRICS.get(metric, (metric, 1))
            rows = tuple(_difference_row(name, names, pairs, direction) for name in names)
            tables.append(DifferenceTable(metric=metric, title=title, more_is_better=direction > 0, names=names, rows=rows))
    return tuple(tables)


def _difference_row(name: str, names: Sequence[str], pairs: Mapping[tuple[str, str], Measure], direction: int) -> tuple[Difference, ...]:
    return tuple(_difference(pairs.get((name, other), Measure()), direction, own=name == other) for other in names)


def _difference(value: Measure, direction: int, *, own: bool) -> Difference:
    if own:
        return Difference(measure=value, verdict="self")
    if value.value is None or not value.bounded:
        return Difference(measure=value, verdict="unknown")
    if not value.away_from_zero:
        return Difference(measure=value, verdict="same")
    return Difference(measure=value, verdict="better" if value.value * direction > 0 else "worse")
