"""The picture of a ranking: each model's figures with their intervals, and how soon the order is what it is in the end."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

PANELS = (("miou", "mIoU (%)"), ("perron", "share of the Perron vector (%)"), ("thurstone", "Thurstone's score"))
"""Figures and the titles of their panels."""
INK, FAINT, LINE = "#0072B2", "#666666", "#dddddd"
"""Blue of the Okabe-Ito set, which stands for no verdict, and two greys."""
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "figureground", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
_LONGEST = 28
"""Characters of a model's name that there is room for."""


def ranking_svg(summary: Mapping[str, Any]) -> bytes:
    """The panels as a stand-alone SVG, the same bytes for the same summary; bars are the intervals, models by mIoU from the top."""
    models = summary["models"]
    with rc_context():
        rcdefaults()  # a matplotlibrc of the reader's must not change the picture
        rcParams.update(STYLE)  # pyright: ignore[reportCallIssue, reportArgumentType] - the stubs list keys one by one
        figure = Figure(figsize=(12.0, max(2.6, 1.3 + 0.3 * len(models))), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(1, len(PANELS) + 1)
        for panel, (name, title) in zip(axes, PANELS, strict=False):
            _figure(panel, models, name, title, named=panel is axes[0])
        _stability(axes[-1], summary["stability"])
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _figure(axes: Axes, models: Sequence[Mapping[str, Any]], name: str, title: str, *, named: bool) -> None:
    """One figure of every model, a point with its interval."""
    rows = np.arange(len(models))
    value, low, high = (np.array([np.nan if m[name][end] is None else m[name][end] for m in models]) for end in ("value", "low", "high"))
    ends = np.nan_to_num(np.maximum([value - low, high - value], 0))  # the middle of the resamples may lie beside the value
    axes.errorbar(value, rows, xerr=ends, color=INK, marker="o", markersize=4.5, linestyle="none", elinewidth=1.2)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.set_yticks(rows, [_short(m["model"]) for m in models] if named else [""] * len(models))
    axes.tick_params(axis="y", length=0)
    axes.set_title(title, fontsize=9, loc="left")
    if name == "thurstone":
        axes.axvline(0, color=FAINT, linewidth=0.6)
    else:
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
        axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.grid(axis="both", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)


def _stability(axes: Axes, stability: Mapping[str, Any]) -> None:
    """Rank correlation of the order by the first samples with that by all, and from where it stays above its level."""
    curve = [np.nan if value is None else value for value in stability["spearman"]]
    count = np.arange(1, len(curve) + 1)
    axes.plot(count, curve, color=INK, linewidth=1.4, marker="o", markersize=2.5)
    axes.axhline(stability["level"], color=FAINT, linewidth=0.8, linestyle=(0, (5, 3)))
    if (first := stability["stable_from"]) is not None:
        axes.axvline(first, color=FAINT, linewidth=0.8)
        near_end = first > 0.6 * len(curve)
        side, gap = ("right", -3) if near_end else ("left", 3)
        axes.annotate(
            f"from {first} on",
            (first, 0.02),
            (gap, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha=side,
            color=FAINT,
        )
    axes.set_ylim(min([0.0, *(value for value in curve if not np.isnan(value))]) - 0.08, 1.04)
    axes.set_title("rank correlation with the whole order", fontsize=9, loc="left")
    axes.set_xlabel("first samples of the test set")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
