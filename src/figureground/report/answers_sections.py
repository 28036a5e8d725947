"""What the report says of answers: the figures that open it, groups, common against counterfactual, and label against answer."""

from __future__ import annotations

from dataclasses import dataclass

from figureground.report import words
from figureground.report.answers_reading import AnswersArtifact, Contrast, Group
from figureground.report.flips import MATRIX_CLASSES, Cell, FlipMatrix, MatrixRow

FEW = 20
"""A group with less pictures than this is marked."""
SHOWN_AT_ONCE, SHOWN_AT_MOST = 12, 120
UNKNOWN_SHARES = "the part of training in each group is not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """A number that opens the report; `big` is empty where it is undefined, for `reason`."""

    word: str
    big: str
    interval: str
    meaning: str
    reason: str
    apart: bool = False
    """It is of another sort than the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRows:
    """Groups, the lowest accuracy first."""

    rows: tuple[Group, ...]
    """Shown at once."""
    more: tuple[Group, ...]
    """Shown on demand."""
    left_out: int
    """Groups that only groups.parquet holds."""
    kinds: bool
    """Some group is marked common or counterfactual."""
    few: bool
    contexts: bool
    """Groups have contexts; else they are the classes."""


def key_figures(artifact: AnswersArtifact) -> tuple[KeyFigure, ...]:
    """The four accuracies, then the gap and the flip rate where they were measured."""
    found = artifact.accuracies
    worst = artifact.worst_group or "no group has pictures"
    told = (
        ("Accuracy", "accuracy", "right answers by pictures", "no picture was classified"),
        ("As training is grouped", "adjusted_accuracy", "groups weighed by their parts of the training pictures", UNKNOWN_SHARES),
        ("Mean of groups", "mean_group_accuracy", "every group counts the same", "no group has pictures"),
        ("Worst group", "worst_group_accuracy", worst, "no group has pictures"),
    )
    figures = [
        KeyFigure(
            word=word,
            big=words.percent(found[key].value) if found[key].known else "",
            interval=words.interval(found[key].low, found[key].high),
            meaning=meaning,
            reason=reason,
        )
        for word, key, meaning, reason in told
    ]
    return (*figures, *_gap_figure(artifact), *_flip_figure(artifact))


def _gap_figure(artifact: AnswersArtifact) -> list[KeyFigure]:
    whole = next((one for one in artifact.contrasts if not one.label and one.gap.known), None)
    if whole is None:
        return []
    big, interval = words.bare(whole.gap.value, sign=True), words.interval(whole.gap.low, whole.gap.high, sign=True)
    meaning = "points of accuracy, common minus counterfactual groups"
    return [KeyFigure(word="Gap", big=big, interval=interval, meaning=meaning, reason="", apart=True)]


def _flip_figure(artifact: AnswersArtifact) -> list[KeyFigure]:
    if not artifact.flip_rates:
        return []
    whole = artifact.flip_rates[0]
    return [
        KeyFigure(
            word="Flip rate",
            big=words.percent(whole.rate.value) if whole.rate.known else "",
            interval=words.interval(whole.rate.low, whole.rate.high),
            meaning=f"pairs of one figure on two grounds with different answers, {words.plural(whole.figures, 'figure')}",
            reason="no figure stands in two contexts",
            apart=not artifact.contrasts,
        )
    ]


def group_rows(artifact: AnswersArtifact) -> GroupRows:
    """The groups; those without pictures at the end."""

    def order(group: Group) -> tuple[bool, float, bool, str]:
        return not group.accuracy.known, group.accuracy.value or 0.0, not group.worst, group.name

    shown = sorted(artifact.groups, key=order)[:SHOWN_AT_MOST]
    cut = len(shown) if len(shown) <= SHOWN_AT_ONCE + 3 else SHOWN_AT_ONCE  # no "show 2 more"
    return GroupRows(
        rows=tuple(shown[:cut]),
        more=tuple(shown[cut:]),
        left_out=len(artifact.groups) - len(shown),
        kinds=any(group.kind for group in shown),
        few=any(group.samples < FEW for group in shown),
        contexts=any(group.context for group in shown),
    )


def contrast_rows(artifact: AnswersArtifact) -> tuple[Contrast, ...]:
    """The classes with the widest gap first, and all of them together at the end where they are several."""
    classes = sorted((one for one in artifact.contrasts if one.label), key=lambda one: (-(one.gap.value or 0.0), one.label))
    return (*classes, *(one for one in artifact.contrasts if not one.label and len(classes) != 1))


def confusion(artifact: AnswersArtifact) -> FlipMatrix:
    """Labels in rows, answers in columns, over the most confused classes; the rest of a row stands under "other classes"."""
    known = list(dict.fromkeys([*artifact.classes, *(name for pair in artifact.counts for name in pair)]))
    wrong = dict.fromkeys(known, 0)
    for (label, answer), n in artifact.counts.items():
        for name in {label, answer} if label != answer else ():
            wrong[name] += n
    most = set(sorted(known, key=lambda name: (-wrong[name], known.index(name)))[:MATRIX_CLASSES])
    shown = [name for name in known if name in most]
    rest = len(shown) < len(known)
    rows = tuple(_matrix_row(artifact, name, shown, rest=rest) for name in shown)
    return FlipMatrix(columns=(*shown, *(["other classes"] if rest else [])), rows=rows, classes=len(known), missed=False)


def _matrix_row(artifact: AnswersArtifact, name: str, shown: list[str], *, rest: bool) -> MatrixRow:
    answers = {answer: n for (label, answer), n in artifact.counts.items() if label == name}
    whole = sum(answers.values())

    def cell(kind: str, predicted: str, n: int) -> Cell:
        return Cell(kind=kind if whole else "empty", predicted=predicted, share=n / whole if whole else None, pixels=n)

    cells = [cell("correct" if other == name else "flipped", other, answers.get(other, 0)) for other in shown]
    if rest:
        cells.append(cell("flipped", "other classes", whole - sum(one.pixels for one in cells)))
    return MatrixRow(name=name, pixels=whole, cells=tuple(cells))
