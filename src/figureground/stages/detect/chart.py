"""The picture of a detector: how good it is from how many labels."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

PANELS = (
    ("called rightly (%)", ("accuracy", "balanced_accuracy"), ("all", "mean of both classes")),
    ("IoU of the figure (%)", ("mask_iou",), ("",)),
    ("figure that is cut out, filled (%)", ("kept", "coverage"), ("cut out (tight)", "filled (loose)")),
    ("background in what is pasted (%)", ("leakage",), ("",)),
)
"""Title of each panel, its rates, and the word beside each line."""
LINES = (("#0072B2", "o", "-"), ("#E69F00", "s", "--"))
"""Colour, mark and style of the first and second line of a panel (Okabe-Ito, none that stands for a verdict)."""
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "figureground", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def curve_svg(summary: Mapping[str, Any]) -> bytes:
    """The panels as a stand-alone SVG, the same bytes for the same summary; bars are 95 % intervals over the held-out pictures.

    Over pixels where masks are known, which is what is pasted and filled, else over patches.
    """
    points: Sequence[Mapping[str, Any]] = summary["curve"]
    over = "pixels" if points[-1]["pixels"] else "patches"
    with rc_context():
        rcdefaults()  # a matplotlibrc of the reader's must not change the picture
        rcParams.update(STYLE)  # pyright: ignore[reportCallIssue, reportArgumentType] - the stubs list keys one by one
        figure = Figure(figsize=(12.0, 3.0), layout="constrained")
        FigureCanvasSVG(figure)
        for axes, (title, names, words) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
            _panel(axes, points, names, words, over=over)
            axes.set_title(f"{over}: {title}", fontsize=9, loc="left")
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _panel(axes: Axes, points: Sequence[Mapping[str, Any]], names: Sequence[str], words: Sequence[str], *, over: str) -> None:
    labels = np.array([point["labels"] for point in points], np.float64)
    for number, (name, word) in enumerate(zip(names, words, strict=True)):
        rates = [point[over][name] for point in points]
        value, low, high = (np.array([np.nan if rate[end] is None else rate[end] for rate in rates]) for end in ("value", "low", "high"))
        ends = np.nan_to_num(np.maximum([value - low, high - value], 0))  # the middle of the resamples may lie beside the value
        colour, mark, style = LINES[number]
        axes.errorbar(
            labels * 1.02**number, value, ends, color=colour, marker=mark, linestyle=style, markersize=4.5, elinewidth=1, label=word
        )
    axes.set_xscale("log")
    axes.set_xlim(labels[0] / 1.3, labels[-1] * 1.3)
    axes.set_xticks(labels, [f"{label:g}" for label in labels])
    axes.minorticks_off()
    axes.set_xlabel("labelled pictures learned from")
    axes.set_ylim(bottom=0, top=1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    if any(words):
        axes.legend(frameon=False, fontsize=8, loc="lower right")
