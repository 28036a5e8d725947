"""The curves of a training as a table and as a picture that follows the reader's light or dark."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from figureground.models.fit.history import COLUMNS, Epoch

# Colours that no chart uses, as stand-ins for those of the report: name, in light, in dark.
_COLOURS = {
    "#010101": ("ink", "#16191d", "#e8ebee"),
    "#020202": ("quiet", "#59616c", "#a5adb7"),
    "#030303": ("line", "#dfe3e7", "#30363d"),
    "#040404": ("accent", "#0b5cad", "#7fb9f5"),
    "#050505": ("paper", "#ffffff", "#14171a"),
}
INK, QUIET, LINE, ACCENT, PAPER = _COLOURS
CORRECT, FLIPPED, MISSED, ADDED = "#009E73", "#D55E00", "#7F7F7F", "#CC79A7"
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif'
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "figureground",  # ids in the file are digests; a fixed salt keeps them the same in every run
    "font.size": 10,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def curves_csv(history: Sequence[Epoch]) -> str:
    """One row an epoch: `COLUMNS` and, of a repair, the figures on labelled samples; one there is none of is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = (*history[0].row(), *history[0].more) if history else COLUMNS
    writer.writerow(names)
    for line in history:
        row = {**line.row(), **line.more}
        cells = (row[name] for name in names)
        writer.writerow("" if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells)
    return text.getvalue()


def curves_svg(history: Sequence[Epoch], *, best_epoch: int) -> str:
    """Loss, overlap and flips over epochs, the epoch of the kept weights marked; without a validation the loss alone.

    Args:
        history: at least one epoch.
        best_epoch: the epoch whose weights are kept, from 1.
    """
    validated = any(line.figures for line in history)
    answers = any("accuracy" in line.figures for line in history)
    panels = (_loss, _answers) if answers else (_loss, _overlap, _parts) if validated else (_loss,)
    with rc_context():
        rcdefaults()  # a matplotlibrc of the reader's must not change the picture
        rcParams.update(_STYLE)  # pyright: ignore[reportCallIssue, reportArgumentType] - the stubs list keys one by one
        figure = Figure(figsize=(4.2 * len(panels), 3.7), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_facecolor(PAPER)
        for draw, axes in zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
            axes.patch.set_alpha(0)
            draw(axes, history)
            _finish(axes, history, best_epoch)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _themed(out.getvalue().decode("utf-8"))


def _loss(axes: Axes, history: Sequence[Epoch]) -> None:
    axes.set_title("loss", loc="left", fontsize=10)
    _line(axes, history, "train_loss", QUIET, "training", style=(0, (5, 3)))
    _line(axes, history, "loss", ACCENT, "validation", width=2.2)


def _overlap(axes: Axes, history: Sequence[Epoch]) -> None:
    axes.set_title("overlap (%)", loc="left", fontsize=10)
    _line(axes, history, "foreground_iou", INK, "foreground IoU, any label", style=(0, (5, 3)))
    _line(axes, history, "miou", ACCENT, "mean IoU of classes", width=2.2)
    _line(axes, history, "labelled_miou", QUIET, "mean IoU, labelled samples", style=(0, (1, 1.5)))
    _percent(axes)


def _answers(axes: Axes, history: Sequence[Epoch]) -> None:
    axes.set_title("right answers (%)", loc="left", fontsize=10)
    _line(axes, history, "accuracy", INK, "accuracy")
    _line(axes, history, "adjusted_accuracy", QUIET, "as training is grouped", style=(0, (5, 3)))
    _line(axes, history, "mean_group_accuracy", CORRECT, "mean of groups")
    _line(axes, history, "worst_group_accuracy", FLIPPED, "worst group", width=2.2)
    _percent(axes)


def _parts(axes: Axes, history: Sequence[Epoch]) -> None:
    axes.set_title("part of the foreground (%)", loc="left", fontsize=10)
    _line(axes, history, "correct", CORRECT, "correct")
    _line(axes, history, "missed", MISSED, "missed", style=(0, (5, 3)))
    _line(axes, history, "flipped", FLIPPED, "flipped", width=2.2)
    _line(axes, history, "labelled_flipped", QUIET, "flipped, labelled samples", style=(0, (1, 1.5)))
    _line(axes, history, "worst_group_flipped", FLIPPED, "flipped, worst group", style=(0, (1, 1.5)))
    _percent(axes)


def _line(
    axes: Axes,
    history: Sequence[Epoch],
    name: str,
    colour: str,
    label: str,
    *,
    width: float = 1.4,
    style: str | tuple[int, tuple[float, float]] = "-",
) -> None:
    rows = [(line.epoch, {**line.row(), **line.more}.get(name, math.nan)) for line in history]
    known = [(epoch, value) for epoch, value in rows if math.isfinite(value)]
    if known:
        marker = "o" if len(known) == 1 else None  # a single point has no line
        axes.plot(*zip(*known, strict=True), color=colour, linewidth=width, linestyle=style, marker=marker, markersize=4, label=label)


def _percent(axes: Axes) -> None:
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))


def _finish(axes: Axes, history: Sequence[Epoch], best_epoch: int) -> None:
    axes.axvline(best_epoch, color=QUIET, linewidth=0.8, zorder=0)
    kept = f"of epoch {best_epoch}" if best_epoch else "those from before"
    axes.set_xlabel(f"epoch; the line: weights kept, {kept}")
    axes.set_xlim(min(1, history[0].epoch, best_epoch) - 0.02 * len(history), history[-1].epoch + 0.02 * len(history))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.legend(frameon=False, labelcolor=INK, handlelength=2.4, fontsize=8.5, loc="upper left", bbox_to_anchor=(-0.02, -0.17), ncols=2)


def _themed(svg: str) -> str:
    """The picture with colours as variables, which the reader's setting decides."""
    svg = re.sub(r"<metadata>.*?</metadata>|<!DOCTYPE.*?>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*|font-family: [^;\"]*; ?", lambda found: f"font-size: {found[1]}px" if found[1] else "", svg)
    for stand_in, (name, light, _) in _COLOURS.items():
        svg = svg.replace(stand_in, f"var(--{name}, {light})")
    light, dark = ("; ".join(f"--{name}: {pair[place]}" for name, *pair in _COLOURS.values()) for place in (0, 1))
    style = f"<style>svg {{ {light}; font-family: {_FONT} }} @media (prefers-color-scheme: dark) {{ svg {{ {dark} }} }}</style>"
    head, rest = svg[svg.index("<svg") :].split(">", 1)
    return f'{head} role="img" aria-label="Curves of the training">{style}{rest}'
