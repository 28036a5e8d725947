"""Accuracy by group as a chart: a dot with its interval for each, common and counterfactual groups told apart, the worst one named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from figureground.report.answers_reading import Group
from figureground.report.charts import ACCENT, INK, LINE, PAPER, QUIET, chart_svg
from figureground.report.reading import Measure
from figureground.report.rendering import CONTROL

MOST, LONGEST = 24, 26
"""Groups in the chart, and characters of a name in it."""
PLACE = re.compile(r"@(\d\d)x*")
"""Stands for a name until the chart is drawn, as wide as it: names may hold what matplotlib takes for formulas or cannot measure."""
LABELS = {"common": "common group", "counterfactual": "counterfactual group", "": "group"}


def groups_svg(groups: Sequence[Group], *, mean: Measure, name: str) -> str:
    """The groups from top to bottom.

    Args:
        groups: at least one; at most the first `MOST` that have an accuracy are drawn.
        mean: accuracy over all pictures, drawn as a line.
        name: prefix of the ids in the SVG, different for every chart of a page.
    """
    drawn = [group for group in groups if group.accuracy.known][:MOST]
    names = [_short(group.name) for group in drawn]

    def draw(axes: Axes) -> None:
        if mean.value is not None:
            axes.axvline(mean.value, color=QUIET, linewidth=1.2, linestyle=(0, (5, 3)), label="all pictures", zorder=1)
        for place, group in enumerate(drawn):
            _dot(axes, place, group)
        for kind, label in LABELS.items():
            if any(group.kind == kind for group in drawn):
                axes.plot([], [], label=label, **_look(kind))
        axes.set_yticks(range(len(drawn)), [f"@{place:02d}".ljust(max(3, len(text)), "x") for place, text in enumerate(names)])
        axes.set(xlim=(-0.02, 1.02), ylim=(len(drawn) - 0.4, -0.85), xlabel="right answers (%)")
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
        axes.grid(axis="x", color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        look = {"frameon": False, "labelcolor": INK, "handlelength": 1.6, "fontsize": 9, "columnspacing": 1.2}
        axes.figure.legend(ncols=3, loc="outside upper left", **look)

    svg = chart_svg(draw, size=(5.2, 1.15 + 0.3 * len(drawn)), name=name)
    return PLACE.sub(lambda found: str(escape(names[int(found[1])])), svg)


def _dot(axes: Axes, place: int, group: Group) -> None:
    value, low, high = group.accuracy.value or 0.0, group.accuracy.low, group.accuracy.high
    if low is not None and high is not None:
        axes.plot([low, high], [place, place], color=ACCENT, linewidth=1.4, zorder=2, solid_capstyle="butt")
    axes.plot([value], [place], zorder=3, **_look(group.kind))
    if group.worst:
        axes.annotate(
            "worst",
            (value, place),
            xytext=(0, 6.5),
            textcoords="offset points",
            color=INK,
            fontsize=8.5,
            fontweight="bold",
            ha="left" if value < 0.5 else "right",
        )


def _look(kind: str) -> dict[str, Any]:
    """Filled, or open for counterfactual groups."""
    face = PAPER if kind == "counterfactual" else ACCENT
    return {"linestyle": "none", "marker": "o", "markersize": 7, "markeredgewidth": 1.6, "color": ACCENT, "markerfacecolor": face}


def _short(name: str) -> str:
    clean = CONTROL.sub("\ufffd", name).replace("\n", " ")
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "\u2026"
