"""The pictures of a loop: what was gained on fresh test sets, what was forgotten, and how soon a ranking is stable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from figureground.report.charts import ACCENT, INK, LINE, POINTS, QUIET, chart_svg
from figureground.report.loop_results import VALIDATION_SET, FreshTest
from figureground.report.loop_values import LoopArtifact, Stability
from figureground.report.reading import Measure

SIZE, SMALL = (5.2, 3.4), (5.2, 2.3)
APART = 0.17
"""Half the distance between the target before and after a repair, in columns."""


def gained_svg(tests: Sequence[FreshTest], *, name: str) -> str:
    """Each test set a column of its own: rivals, the target before the repair, and the repaired one."""

    def draw(axes: Axes) -> None:
        rivals = [(place, miou) for place, test in enumerate(tests) for miou in test.rivals]
        before = [(place - APART, test.before) for place, test in enumerate(tests) if test.before.known]
        after = [(place + APART, test.after) for place, test in enumerate(tests) if test.after.known]
        for place, test in enumerate(tests):
            if test.before.value is not None and test.after.value is not None:
                axes.plot([place - APART, place + APART], [test.before.value, test.after.value], color=ACCENT, linewidth=1.4, zorder=2)
        _dashes(axes, rivals)
        _points(axes, before, filled=False, label="target before the repair")
        _points(axes, after, filled=True, label="repaired target")
        axes.set_xticks(range(len(tests)), [test.set for test in tests])
        axes.set_xlim(-0.6, len(tests) - 0.4)
        _finish(axes, [miou for _, miou in (*rivals, *before, *after)], "test set of each round: other pictures in each column")

    return chart_svg(draw, size=SIZE, name=name)


def forgotten_svg(loop: LoopArtifact, *, name: str) -> str:
    """The validation mIoU of every version of the target, and of its rivals beside it."""

    def draw(axes: Axes) -> None:
        known = [(float(version), miou) for version, miou in loop.validation.items()]
        rivals = [m.sets[VALIDATION_SET].miou for m in loop.models if not m.is_target and VALIDATION_SET in m.sets]
        rivals = [miou for miou in rivals if miou.known]
        for place, miou in enumerate(rivals):
            label = "rivals" if place == 0 else "_"
            axes.axhline(miou.value or 0.0, color=QUIET, linewidth=1.1, linestyle=(0, (5, 3)), label=label, zorder=1)
        axes.plot([x for x, _ in known], _values(known), color=ACCENT, linewidth=1.4, zorder=2)
        _points(axes, known, filled=True, label="target")
        axes.set_xlim(-0.5, max((x for x, _ in known), default=0.0) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _finish(axes, [*(m for _, m in known), *rivals], "repairs of the target: the same validation pictures throughout")

    return chart_svg(draw, size=SIZE, name=name)


def stability_svg(before: Stability | None, after: Stability | None, *, name: str) -> str:
    """Rank correlation of the order by the first samples with that by all of them."""

    def draw(axes: Axes) -> None:
        alone = before is None or after is None
        colour, dashes, label = (ACCENT, "solid", "order by mean IoU") if alone else (QUIET, (0, (5, 3)), "before the repair")
        lines = ((before, colour, dashes, label), (after, ACCENT, "solid", label if alone else "with the repaired target"))
        lowest, longest = 0.0, 1
        for stability, colour, dashes, label in lines:
            if stability is None or not stability.spearman:
                continue
            curve = np.array([np.nan if value is None else value for value in stability.spearman])
            keep = np.unique(np.linspace(0, len(curve) - 1, min(POINTS, len(curve))).round().astype(int))
            axes.plot(keep + 1, curve[keep], color=colour, linewidth=1.8, linestyle=dashes, marker="o", markersize=2.2, label=label)
            lowest = min(lowest, *(value for value in curve[keep] if np.isfinite(value)), 0.0)
            longest = max(longest, len(curve))
        level = next((s.level for s in (before, after) if s is not None and s.level is not None), None)
        if level is not None:
            axes.axhline(level, color=INK, linewidth=1.0, linestyle=(0, (1, 1.5)), label="level that counts")
        axes.set(xlabel="first samples of the test set", ylabel="rank correlation", ylim=(lowest - 0.06, 1.06), xlim=(0, longest + 1))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _frame(axes)

    return chart_svg(draw, size=SMALL, name=name)


def _points(axes: Axes, points: Sequence[tuple[float, Measure]], *, filled: bool, label: str) -> None:
    """Dots with their intervals; open ones stand for what came before."""
    if not points:
        return
    for x, miou in points:
        if miou.low is not None and miou.high is not None:
            axes.plot([x, x], [miou.low, miou.high], color=ACCENT, linewidth=1.2, zorder=3)
    face = ACCENT if filled else "none"
    style = {"linestyle": "none", "marker": "o", "markersize": 7, "markeredgewidth": 1.6, "color": ACCENT, "markerfacecolor": face}
    axes.plot([x for x, _ in points], _values(points), label=label, zorder=4, **style)


def _dashes(axes: Axes, points: Sequence[tuple[float, Measure]]) -> None:
    """A short line for every rival, so that many of them in one column do not hide one another."""
    if points:
        style = {"linestyle": "none", "marker": "_", "markersize": 30, "markeredgewidth": 1.6, "color": QUIET}
        axes.plot([x for x, _ in points], _values(points), zorder=2, **style)
        axes.plot([], [], color=QUIET, linewidth=1.6, label="rivals")


def _values(points: Sequence[tuple[float, Measure]]) -> list[float]:
    return [np.nan if miou.value is None else miou.value for _, miou in points]


def _finish(axes: Axes, shown: Sequence[Measure], xlabel: str) -> None:
    ends = [end for miou in shown for end in (miou.value, miou.low, miou.high) if end is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    room = max(0.06 * (high - low), 0.01)
    axes.set(xlabel=xlabel, ylabel="mean IoU (%)", ylim=(max(0.0, low - room) if low > 0.3 else 0.0, min(1.0, high + room) + 1e-6))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol="", decimals=0 if high - low > 0.05 else 1))
    _frame(axes)


def _frame(axes: Axes) -> None:
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    if axes.get_legend_handles_labels()[0]:
        look = {"frameon": False, "labelcolor": INK, "handlelength": 2.2, "fontsize": 9, "columnspacing": 1.2}
        axes.figure.legend(ncols=3, loc="outside upper left", **look)
