"""Curves as SVG that follows the page: its font, its size, and its colours in light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from figureground.report.risk import Curve

COLOURS = {
    "#010101": "var(--ink)",
    "#020202": "var(--quiet)",
    "#030303": "var(--line)",
    "#040404": "var(--accent)",
    "#050505": "var(--accent-soft)",
    "#060606": "var(--paper)",
}
"""Colours that no chart uses, as stand-ins for the page's variables."""
INK, QUIET, LINE, ACCENT, SOFT, PAPER = COLOURS
POINTS = 400
"""A curve is thinned to this many points: more cannot be seen and would fill the page."""

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "figureground",  # ids in the file are digests; a fixed salt keeps them the same in every run
    "font.size": 10,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def risk_coverage_svg(curve: Curve, *, name: str) -> str:
    """The risk-coverage curve between guessing (flat) and the best possible order.

    Args:
        curve: at least two points.
        name: prefix of the ids in the SVG, different for every chart of a page.

    Returns:
        An `<svg>` element without size, script, link or outside reference.
    """
    return chart_svg(lambda axes: _draw(axes, curve), size=(5.2, 3.5), name=name)


def chart_svg(draw: Callable[[Axes], None], *, size: tuple[float, float], name: str) -> str:
    """One pair of axes as an `<svg>` element in the look of the page.

    Args:
        draw: fills the axes, with the colours of `COLOURS`.
        size: width and height in inches; the page scales it to its column.
        name: prefix of the ids in the SVG, different for every chart of a page.
    """
    with rc_context():
        rcdefaults()  # a matplotlibrc of the reader's must not change the report
        rcParams.update(STYLE)  # pyright: ignore[reportCallIssue, reportArgumentType] - the stubs list keys one by one
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        draw(axes)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _for_page(out.getvalue().decode("utf-8"), name=name)


def _draw(axes: Axes, curve: Curve) -> None:
    keep = np.unique(np.linspace(0, len(curve.coverage) - 1, min(POINTS, len(curve.coverage))).round().astype(int))
    coverage, risk = np.asarray(curve.coverage)[keep], np.asarray(curve.risk)[keep]
    mean = risk[-1]
    if curve.best:
        best = np.asarray(curve.best)[keep]
        axes.fill_between(coverage, best, risk, color=SOFT, linewidth=0)
        axes.plot(coverage, best, color=INK, linewidth=1.2, linestyle=(0, (1, 1.5)), label="best possible order")
    axes.plot([0, 1], [mean, mean], color=QUIET, linewidth=1.2, linestyle=(0, (5, 3)), label="no order (mean)")
    axes.plot(coverage, risk, color=ACCENT, linewidth=2.2, label="by risk")
    top = max(float(risk.max()), float(mean), 1e-6)
    axes.set(
        xlim=(0, 1), ylim=(0, top * 1.12), xlabel="coverage: samples kept, least risk first (%)", ylabel="flipped share of the kept (%)"
    )
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol="", decimals=0 if top > 0.05 else 1))
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.figure.legend(frameon=False, labelcolor=INK, handlelength=2.2, fontsize=9, columnspacing=1.2, ncols=3, loc="outside upper left")


def _for_page(svg: str, *, name: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(xmlns(:\w+)?|version|width|height)="[^"]*"', "", svg.split(">", 1)[0], flags=re.DOTALL) + ">" + svg.split(">", 1)[1]
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*|font-family: [^;\"]*; ?", lambda found: f"font-size: {found[1]}px" if found[1] else "", svg)
    for stand_in, variable in COLOURS.items():
        svg = svg.replace(stand_in, variable)
    return svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1).strip()
