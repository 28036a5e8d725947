"""The picture of a sweep: gap, flips and IoU against the correlation, one line an objective, one row of panels an architecture."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from figureground.sweeps.rows import Estimate, Row

LINES = (("#0072B2", "o"), ("#E69F00", "s"), ("#56B4E9", "^"), ("#000000", "D"), ("#F0E442", "v"), ("#999999", "P"))
"""Colour and mark of each objective in turn (Okabe-Ito, without the four colours that stand for verdicts)."""
PANELS = (
    ("IoU gap, common minus counterfactual, points", (("gap_iou", "-", ""),)),
    ("flipped foreground", (("counterfactual_flip", "-", "counterfactual"), ("common_flip", ":", "common"))),
    ("IoU", (("foreground_iou", "-", "any foreground"), ("class_iou", ":", "mean of classes"))),
)
"""Title of each panel, and its figures: field of `Row`, line style, word beside the line."""
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "figureground", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def sweep_svg(rows: Sequence[Row]) -> bytes:
    """The panels as a stand-alone SVG, the same bytes for the same rows; bars are the rows' intervals."""
    architectures = list(dict.fromkeys(row.architecture for row in rows))
    objectives = list(dict.fromkeys(row.objective for row in rows))
    with rc_context():
        rcdefaults()  # a matplotlibrc of the reader's must not change the picture
        rcParams.update(STYLE)  # pyright: ignore[reportCallIssue, reportArgumentType] - the stubs list keys one by one
        figure = Figure(figsize=(10.2, 0.5 + 3.2 * len(architectures)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(len(architectures), len(PANELS), squeeze=False)
        for line, architecture in enumerate(architectures):
            for panel, (title, figures) in enumerate(PANELS):
                of_one = [row for row in rows if row.architecture == architecture]
                _panel(axes[line, panel], of_one, objectives, figures, points=panel == 0)
                if panel:
                    axes[line, panel].set_ylim(bottom=0)  # shares: a drop must not look larger than it is
                axes[line, panel].set_title(_title(title, figures, architecture if len(architectures) > 1 else ""), fontsize=9, loc="left")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        if len(objectives) > 1:
            figure.legend(handles, labels, frameon=False, ncols=len(objectives), loc="outside upper left")
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _title(title: str, figures: Sequence[tuple[str, str, str]], architecture: str) -> str:
    """What a panel shows, which mark is which figure, and of which network where there are several."""
    marks = [f"{mark} {word}" for mark, (_, _, word) in zip(("filled:", "hollow:"), figures, strict=False) if word]
    return "\n".join(filter(None, (architecture, title, ", ".join(marks))))


def _panel(axes: Axes, rows: Sequence[Row], objectives: Sequence[str], figures: Sequence[tuple[str, str, str]], *, points: bool) -> None:
    levels = sorted({row.rho for row in rows})
    width = 0.09 * len(figures)
    for place, objective in enumerate(objectives):
        of_one = sorted((row for row in rows if row.objective == objective), key=lambda row: row.rho)
        if not of_one:
            continue
        colour, mark = LINES[place % len(LINES)]
        for number, (name, style, _) in enumerate(figures):
            # beside one another, so that no bar hides another one
            shift = width * (place - (len(objectives) - 1) / 2) + 0.09 * (number - (len(figures) - 1) / 2)
            found: list[Estimate] = [getattr(row, name) for row in of_one]
            value = np.array([one.value for one in found])
            ends = np.array([[one.value - one.low, one.high - one.value] for one in found]).T
            axes.errorbar(
                [levels.index(row.rho) + shift for row in of_one],
                value,
                np.nan_to_num(np.maximum(ends, 0)),  # the middle of the resamples may lie beside the value
                color=colour,
                marker=mark,
                markerfacecolor=colour if number == 0 else "white",
                linestyle=style,
                markersize=4.5,
                elinewidth=1,
                label=objective if number == 0 else None,
            )
    axes.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
    axes.set_xlabel("rho (steps not to scale)")
    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], min_n_ticks=4))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol="" if points else "%"))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.12)
