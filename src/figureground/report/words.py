"""Numbers as words: percent, intervals, pixels, names and the sentences of the report.

Fractions stay fractions everywhere else; percent exists only from here on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

THIN = "\u202f"  # narrow no-break space, so that a number and its unit stay on one line
MINUS = "\u2212"
DASH = "\u2013"
UNDEFINED = "undefined"
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")

VERDICTS = {
    "correct": "foreground truth with the right class",
    "flipped": "foreground truth called another foreground class",
    "missed": "foreground truth called background",
    "added": "background truth called foreground",
}

REASONS = {
    "correct": "no foreground truth pixel was counted",
    "flipped": "no foreground truth pixel was counted",
    "missed": "no foreground truth pixel was counted",
    "added": "no background truth pixel was counted",
    "conditional_flip": "no foreground truth pixel was predicted as foreground",
    "flip_image_mean": "no sample has foreground truth",
    "foreground_iou": "neither truth nor prediction holds foreground",
    "iou": "the class stands neither in the truth nor in the prediction",
    "boundary_f": "neither truth nor prediction has a foreground boundary",
    "gap": "a group that the gap needs is absent, or its value is undefined",
    "difference": "one of the two values is undefined",
    "risk": "too few scored samples, or all have the same flipped share or the same risk",
    "score": "this prediction gave no score for this sample, as happens where no foreground is predicted",
}


def is_number(value: object) -> bool:
    """True for a finite int or float; None, NaN, infinities and booleans are not numbers here."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def percent(value: float | None, *, digits: int = 1, sign: bool = False) -> str:
    r"""A fraction as percent.

    Args:
        value: any fraction, mostly in [0, 1]; None or NaN gives "undefined".
        digits: decimals; a value that would round to a false 0 or 100 is shown as "< 0.1" or "> 99.9".
        sign: write the plus too, as for differences.

    >>> percent(0.271), percent(None)
    ('27.1\u202f%', 'undefined')
    """
    return bare(value, digits=digits, sign=sign) + (THIN + "%" if is_number(value) else "")


def bare(value: float | None, *, digits: int = 1, sign: bool = False) -> str:
    """The digits of `percent`, without the percent sign."""
    if value is None or not is_number(value):
        return UNDEFINED
    least = 0.5 * 10.0**-digits
    hundred = 100.0 * value
    if not sign and 0 < hundred < least:
        return f"<{THIN}{10.0**-digits:.{digits}f}"
    if not sign and 100 - least <= hundred < 100:
        return f">{THIN}{100 - 10.0**-digits:.{digits}f}"
    text = f"{abs(hundred):.{digits}f}"
    if float(text) == 0:  # an end of an interval beside 0 keeps its sign, which says on which side it is
        text = next((more for extra in (1, 2, 3) if float(more := f"{abs(hundred):.{digits + extra}f}")), text) if sign else text
    if float(text) == 0:
        return text
    return (MINUS if hundred < 0 else "+" if sign else "") + text


def interval(low: float | None, high: float | None, *, digits: int = 1, sign: bool = False) -> str:
    """Both ends of an interval in percent, without the sign; "" where an end is undefined."""
    if not (is_number(low) and is_number(high)):
        return ""
    between = " to " if sign else DASH
    return bare(low, digits=digits, sign=sign) + between + bare(high, digits=digits, sign=sign)


def plain(value: float | None, *, digits: int = 3) -> str:
    """A number that is no fraction of anything, such as a correlation: 0.873."""
    if value is None or not is_number(value):
        return UNDEFINED
    text = f"{abs(value):.{digits}f}"
    return MINUS + text if value < 0 and float(text) != 0 else text


def count(value: float | None) -> str:
    """A whole number with thousands parted by commas; "?" where the artifact has none."""
    return f"{round(value):,}" if value is not None and is_number(value) else "?"


def pixels(value: float | None) -> str:
    r"""A number of pixels with three digits and a unit.

    >>> pixels(1234567), pixels(640)
    ('1.23\u202fMpx', '640\u202fpx')
    """
    if value is None or not is_number(value):
        return "?"
    for size, unit in ((1e9, "Gpx"), (1e6, "Mpx"), (1e3, "kpx")):
        if value >= size:
            return f"{value / size:.3g}{THIN}{unit}" if value < 999.5 * size else f"{value / size:,.0f}{THIN}{unit}"
    return f"{value:.0f}{THIN}px"


def hours(seconds: float | None) -> str:
    r"""A time that people took, in hours; below one in minutes, and "?" where nobody measured it.

    >>> hours(9000.0), hours(600.0)
    ('2.5\u202fh', '10\u202fmin')
    """
    if seconds is None or not is_number(seconds):
        return "?"
    if 0 < seconds < 30:
        return f"<1{THIN}min"
    return f"{seconds / 3600:,.1f}{THIN}h" if seconds >= 3570 else f"{seconds / 60:.0f}{THIN}min"


def ordinal(place: int | None) -> str:
    """`1st`, `2nd`, `11th`; "?" where there is no place.

    >>> ordinal(2), ordinal(13)
    ('2nd', '13th')
    """
    if place is None:
        return "?"
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """`3 samples`, `1 sample`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listing(names: Sequence[str], *, most: int = 6) -> str:
    """`a, b and c`; a long list ends with how many more there are."""
    if len(names) > most:
        return ", ".join(names[:most]) + f" and {len(names) - most} more"
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def group_name(attributes: Mapping[str, object]) -> str:
    """`cat × outdoor`; an empty value is named by its attribute, since "" says nothing."""
    return " \u00d7 ".join(str(value) if value not in (None, "") else f"(no {name})" for name, value in attributes.items()) or "all samples"


def confused_pair(confused: str | None) -> tuple[str, str] | None:
    """`cat > dog` of the samples table as its two classes; None where nothing is flipped."""
    truth, sign, predicted = (confused or "").partition(" > ")
    return (truth, predicted) if sign else None


def opening(finding: str) -> tuple[str, str]:
    """The first sentence of a finding, and the rest.

    >>> opening("2.1 % are flipped. Over all, little is.")
    ('2.1 % are flipped.', 'Over all, little is.')
    """
    first, _, rest = SENTENCE_END.sub("\n", finding.strip(), count=1).partition("\n")
    return first, rest


def compare_sentence(flips: Mapping[str, float | None]) -> str:
    """Which prediction flips least and which most, where the artifact has no sentence of its own."""
    known = sorted((value, name) for name, value in flips.items() if value is not None and is_number(value))
    if not known:
        return f"{plural(len(flips), 'prediction')} compared; no foreground truth pixel was counted, so no share can be given."
    (least, best), (most, worst) = known[0], known[-1]
    if best == worst:
        return f"{best} flips {percent(least)} of the foreground."
    of_all = f"Of {plural(len(flips), 'prediction')}"
    return f"{of_all}, {best} flips the least foreground ({percent(least)}) and {worst} the most ({percent(most)})."


def risk_sentences(
    *, share: float | None, best: float | None, auroc: float | None, tau: float | None, spearman: float | None
) -> tuple[str, ...]:
    """How well risk finds the flips, for a reader who knows none of the scores."""
    said = []
    if is_number(share):
        most = f", best possible: {percent(best, digits=0)}" if is_number(best) else ""
        tenth = percent(share, digits=0)
        said.append(f"The tenth of the samples with the highest risk holds {tenth} of the flipping (chance: 10{THIN}%{most}).")
    if auroc is not None and is_number(auroc):
        beyond = f" more than {percent(tau, digits=0)} of its foreground flipped" if is_number(tau) else " flips"
        times = f"{percent(auroc, digits=0)} of the time (50{THIN}% is guessing)"
        said.append(f"Of a sample with{beyond} and one without, risk is higher on the flipped one {times}: {_grade(auroc)}.")
    if is_number(spearman):
        rank = plain(spearman, digits=2)
        said.append(
            f"Ranked by risk and ranked by flipped share, the samples agree with a correlation of {rank} (0 none, 1 the same order)."
        )
    return tuple(said) or ("How well risk finds the flips is undefined: " + REASONS["risk"] + ".",)


def _grade(auroc: float) -> str:
    if auroc >= 0.9:
        return "risk tells them apart very well"
    if auroc >= 0.8:
        return "risk tells them apart well"
    if auroc >= 0.65:
        return "risk tells them apart only in part"
    return "risk hardly tells them apart" if auroc >= 0.45 else "risk points the wrong way"
