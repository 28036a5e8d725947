"""Draws the pictures of docs/ideas/ from real numbers: the demo's pictures, an audit of the demo, and the metrics themselves.

python scripts/make_figures.py [DEMO]      DEMO is what `figureground demo` wrote; made in a temporary folder where it is not given
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow.parquet as pq
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from scipy.ndimage import distance_transform_edt

from figureground.core.types import LabelRuns
from figureground.data.dataset import open_dataset
from figureground.data.labelmap import decode_runs, encode_runs
from figureground.data.pixels import read_picture
from figureground.data.predictions import open_predictions
from figureground.metrics.boundary import boundary_counts, tolerance_px
from figureground.metrics.decompose import decompose, pixel_kind
from figureground.metrics.interval import bca_interval, percentile_interval
from figureground.metrics.joint import joint_counts
from figureground.metrics.regions import component_runs, regions_of
from figureground.metrics.resample import bootstrap_sums, leave_one_out_sums
from figureground.metrics.risk import flip_risk_map
from figureground.models.inputs import network_planes, plan_input
from figureground.models.trained import open_weights
from figureground.stages.shift.balance import FACTS
from figureground.stages.shift.balance_stage import run_balance
from figureground.stages.shift.figures.picture import draw_picture
from figureground.stages.shift.figures.placing import Manner
from figureground.stages.shift.split_options import BalanceOptions

OUT = Path("docs/assets/ideas")
CORRECT, FLIPPED, MISSED, ADDED = VERDICTS = ("#009E73", "#D55E00", "#7F7F7F", "#CC79A7")
INK, LINE, PAPER = "#222222", "#0072B2", "#FFFFFF"
CLASS_COLOURS = ("#E6E6E6", "#56B4E9", "#F0E442", "#0072B2")  # background, duck, hare, cat
STYLE = {
    "svg.hashsalt": "figureground",
    "svg.fonttype": "path",
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.7,
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
}


class Demo:
    """What the figures need of a demo: its data, both predictions, the tied model and the audit."""

    def __init__(self, folder: Path) -> None:
        self.dataset = open_dataset(str(folder / "data" / "tied"))
        self.predictions = {
            name: open_predictions(str(folder / "predictions" / name), self.dataset.classes) for name in ("tied", "balanced")
        }
        self.model = open_weights(str(folder / "weights" / "tied"), {}, device="cpu")
        self.audit: dict[str, Any] = json.loads((folder / "audit" / "audit.json").read_text(encoding="utf-8"))
        self.samples = pq.read_table(folder / "audit" / "samples.parquet").to_pylist()

    def maps(self, sample: str) -> tuple[np.ndarray, LabelRuns, LabelRuns]:
        """Picture, truth and the tied model's prediction of a sample."""
        assert self.dataset.masks is not None
        image = self.dataset.sample(sample).image
        assert image is not None
        return read_picture(image), self.dataset.masks.read(sample), self.predictions["tied"].source.read(sample)

    def logits(self, picture: np.ndarray) -> np.ndarray:
        """Logits of the tied model, float32 [classes, height, width], of a picture of the size it takes."""
        spec = self.model.spec
        return self.model.forward(network_planes(picture, plan_input(picture.shape[:2], spec), spec)[None])[0]

    def mixed(self) -> str:
        """The sample of which the tied model names most rightly and as much wrongly, and has something of everything."""
        rows = [r for r in self.samples if r["prediction"] == "tied" and r["missed"] and r["added"]]
        return max(rows, key=lambda row: (min(row["correct"], row["flipped"]) / row["foreground"], row["id"]))["id"]


# One figure each -----------------------------------------------------------------------------------------------------


def runs(demo: Demo) -> Figure:
    """One row of a mask as pixels and as runs; and how many runs the masks of the demo have."""
    _, truth, _ = demo.maps(demo.mixed())
    dense = decode_runs(truth)
    row = int(np.argmax((np.diff((dense > 0).astype(int), axis=1) != 0).sum(axis=1)))
    figure, (left, right) = _axes(2, size=(7.2, 2.3), widths=(1.25, 1))
    left.imshow(dense, cmap=_classes(), vmin=0, vmax=3, interpolation="nearest")
    left.axhline(row, color=INK, lw=0.8, ls=(0, (4, 2)))
    values = encode_runs(dense[row : row + 1])
    parts = [f"{length} x {name}" for name, length in zip([_short(demo, v) for v in values.values], values.lengths, strict=True)]
    left.set_title(f"row {row}: {', '.join(parts)}", fontsize=8)
    _bare(left)
    assert demo.dataset.masks is not None
    sizes = [demo.dataset.masks.read(i) for i in demo.dataset.ids[:200]]
    right.hist([r.values.size for r in sizes], bins=24, color=LINE)
    right.set_xlabel(f"runs of a mask (it has {sizes[0].height * sizes[0].width:,} pixels)")
    right.set_ylabel("masks of the demo")
    return figure


def joint(demo: Demo) -> Figure:
    """Truth, prediction and the table of joint counts of one sample."""
    _, truth, predicted = demo.maps(demo.mixed())
    names = demo.dataset.classes.names
    matrix = joint_counts(truth, predicted, classes=len(names)).matrix(range(len(names)))
    figure, axes = _axes(3, size=(8.6, 2.8), widths=(1, 1, 1.25))
    for axis, runs_, title in zip(axes, (truth, predicted), ("truth", "prediction"), strict=False):
        axis.imshow(decode_runs(runs_), cmap=_classes(), vmin=0, vmax=3, interpolation="nearest")
        axis.set_title(title)
        _bare(axis)
    kind = pixel_kind(*np.indices(matrix.shape))
    axes[2].imshow(np.where(kind == 4, np.nan, kind), cmap=ListedColormap(VERDICTS), vmin=0, vmax=3, alpha=0.75, aspect=0.62)
    for (t, p), pixels in np.ndenumerate(matrix):
        axes[2].text(p, t, f"{pixels:,}", ha="center", va="center", fontsize=8, color=INK)
    axes[2].set_xticks(range(len(names)), names, fontsize=8)
    axes[2].set_yticks(range(len(names)), names, fontsize=8)
    axes[2].set_xlabel("prediction")
    axes[2].set_ylabel("truth")
    axes[2].set_title("joint counts, pixels")
    return figure


def decomposition(demo: Demo) -> Figure:
    """The four verdicts of one sample, and the bar they add up to."""
    picture, truth, predicted = demo.maps(demo.mixed())
    t, p = decode_runs(truth), decode_runs(predicted)
    parts = decompose(joint_counts(t, p, classes=4))
    figure, axes = _axes(4, size=(8.4, 2.1), widths=(1, 1, 1, 0.9))
    axes[0].imshow(picture)
    axes[1].imshow(p, cmap=_classes(), vmin=0, vmax=3, interpolation="nearest")
    grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2) / 255 * 0.6 + 0.35
    kind = pixel_kind(t, p)
    for number, colour in enumerate(VERDICTS):
        grey[kind == number] = mpl.colors.to_rgb(colour)
    axes[2].imshow(grey)
    for axis, title in zip(axes, ("picture", "prediction", "verdicts"), strict=False):
        axis.set_title(title)
        _bare(axis)
    low = 0.0
    words = ("correct", "flipped", "missed")
    for word, rate, colour in zip(words, (parts.correct_rate, parts.flipped_rate, parts.missed_rate), VERDICTS, strict=False):
        axes[3].bar(0, rate, bottom=low, color=colour, width=0.5)
        axes[3].text(0.33, low + rate / 2, f"{word} {rate:.0%}", va="center", fontsize=8)
        low += rate
    axes[3].bar(2, parts.added_rate, color=ADDED, width=0.5)
    axes[3].text(2, parts.added_rate + 0.03, f"added {parts.added_rate:.1%}", ha="center", fontsize=8)
    axes[3].set_xticks([0, 2], ["of foreground", "of background"], fontsize=7)
    axes[3].set_xlim(-0.4, 2.7)
    axes[3].set_ylim(0, 1)
    axes[3].set_ylabel("part of truth")
    return figure


def conditional(demo: Demo) -> Figure:
    """The flipped rate falls as a model finds less, though it names what it finds no better; the conditional flip does not."""
    total, wrong = 10_000, 0.3
    found = np.linspace(0.05, 1, 20)
    flipped, given = [], []
    for share in found:
        hit = int(total * share)
        matrix = np.array([[0, 0, 0], [total - hit, hit - int(hit * wrong), int(hit * wrong)], [0, 0, 0]])
        parts = decompose(matrix)
        flipped.append(parts.flipped_rate)
        given.append(parts.conditional_flip)
    figure, (axis,) = _axes(1, size=(4.6, 2.5))
    axis.plot(found, flipped, color=FLIPPED, marker="o", ms=3)
    axis.plot(found, given, color=LINE, marker="s", ms=3)
    axis.text(0.52, 0.32, "conditional flip", color=LINE)
    axis.text(0.62, 0.12, "flipped", color=FLIPPED)
    axis.set_xlabel("part of the foreground that is found")
    axis.set_ylabel("part")
    axis.set_ylim(0, 0.42)
    axis.set_title("a model that names 30 % of what it finds wrongly", fontsize=9)
    return figure


def overlap(demo: Demo) -> Figure:
    """Class IoU falls alike under flips and misses; the IoU of any foreground tells them apart."""
    _, truth, _ = demo.maps(demo.mixed())
    t = decode_runs(truth)
    place = np.flatnonzero(t.ravel() > 0)
    label, other = int(t.max()), 1 + int(t.max()) % 3
    figure, axes = _axes(2, size=(6.4, 2.4), widths=(1, 1), sharey=True)
    share = np.linspace(0, 1, 21)
    for axis, name, value in zip(axes, ("renamed (flipped)", "left out (missed)"), (other, 0), strict=True):
        own, anything = [], []
        for s in share:
            p = t.copy().ravel()
            p[place[: int(s * place.size)]] = value
            parts = decompose(counts := joint_counts(t.ravel(), p, classes=4))
            matrix = counts.matrix(range(4))
            own.append(matrix[label, label] / (matrix[label].sum() + matrix[:, label].sum() - matrix[label, label]))
            anything.append(parts.foreground_iou)
        axis.plot(share, own, color=INK, marker="o", ms=3)
        axis.plot(share, anything, color=LINE, marker="s", ms=3)
        axis.set_xlabel(f"part of the figure {name}")
    axes[0].set_ylabel("IoU")
    axes[0].text(0.5, 0.92, "any foreground", color=LINE)
    axes[0].text(0.12, 0.25, "its class", color=INK)
    axes[1].text(0.12, 0.25, "both the same", color=INK)
    return figure


def boundary(demo: Demo) -> Figure:
    """Boundary F against IoU as the prediction is moved to the side; drawn larger than the demo's pictures, so that the tolerance is pixels."""
    del demo
    drawn = draw_picture("cat", "street", size=160, key=(0, 0), manner=Manner(area_low=0.15, area_high=0.15, occlusion=0))
    truth = encode_runs(t := drawn.figure.astype(np.uint8))
    reach = tolerance_px(*t.shape)
    shifts = range(13)
    f, iou = [], []
    for shift in shifts:
        p = np.zeros_like(t)
        p[:, shift:] = t[:, : t.shape[1] - shift]
        f.append(boundary_counts(truth, encode_runs(p)).f)
        iou.append(decompose(joint_counts(t, p, classes=4)).foreground_iou)
    figure, (left, right) = _axes(2, size=(6.6, 2.4), widths=(1, 1.1))
    moved = np.zeros_like(t)
    moved[:, 6:] = t[:, :-6]
    left.imshow(np.where(t > 0, 1, 0), cmap=ListedColormap((PAPER, CLASS_COLOURS[0])), interpolation="nearest")
    left.contour(t > 0, [0.5], colors=[INK], linewidths=0.9)
    left.contour(moved > 0, [0.5], colors=[LINE], linewidths=0.9)
    left.set_title("truth, and itself 6 px to the right", fontsize=8)
    _bare(left)
    right.axvline(reach, color=MISSED, lw=0.8, ls=(0, (4, 2)))
    right.text(reach + 0.15, 0.02, f"tolerance {reach:.1f} px", fontsize=7, color=INK)
    right.plot(shifts, f, color=LINE, marker="s", ms=3)
    right.plot(shifts, iou, color=INK, marker="o", ms=3)
    right.text(7.2, iou[7] + 0.07, "IoU of any foreground", color=INK)
    right.text(2.4, 0.52, "boundary F", color=LINE)
    right.set_xlabel("shift in pixels")
    right.set_ylim(0, 1.03)
    return figure


def regions(demo: Demo) -> Figure:
    """The predicted regions of one sample, each with its verdict."""
    sample = _most_regions(demo)
    picture, truth, predicted = demo.maps(sample)
    parts = component_runs(predicted, ignore=None)
    found = regions_of(truth, predicted, side="predicted", components=parts)
    figure, (left, middle, right) = _axes(3, size=(8.2, 2.4), widths=(1, 1, 0.75))
    left.imshow(picture)
    left.set_title(f"{demo.dataset.sample(sample).label} on {demo.dataset.sample(sample).attributes['context']}", fontsize=9)
    middle.imshow(decode_runs(predicted), cmap=_classes(), vmin=0, vmax=3, interpolation="nearest")
    middle.set_title("predicted regions", fontsize=9)
    dense = parts.dense()
    for line, place in enumerate(np.argsort(-found.area, kind="stable")[:7]):
        row, column = _inside(dense == place)
        middle.text(column, row, str(line + 1), fontsize=7, va="center", ha="center", color=INK, fontweight="bold")
        text = f"{line + 1}  {_short(demo, found.class_id[place])}, {found.area[place]} px: {found.verdicts[place]}"
        right.text(0, 0.95 - 0.14 * line, text, fontsize=8, va="top", color=INK)
    for axis in (left, middle, right):
        _bare(axis)
    return figure


def _inside(region: np.ndarray) -> tuple[float, float]:
    """The pixel of a region that is farthest from its edge: row and column."""
    depth = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(row), float(column)


def groups(demo: Demo) -> Figure:
    """Flipped rate of each group of the demo for both predictors, with intervals."""
    figure, (axis,) = _axes(1, size=(6.4, 3.0))
    for offset, (name, marker) in zip((-0.14, 0.14), (("tied", "o"), ("balanced", "s")), strict=True):
        crossed = [g for g in demo.audit["predictions"][name]["groups"] if len(g["by"]) == 2]
        crossed.sort(key=lambda g: (g["attributes"]["class"], g["kind"] != "common", g["attributes"]["context"]))
        rates = [g["rates"]["flipped"] for g in crossed]
        y = np.arange(len(crossed)) + offset
        value = np.array([r["value"] for r in rates])
        reach = np.abs(np.array([[r["low"] for r in rates], [r["high"] for r in rates]]) - value)
        colour = FLIPPED if name == "tied" else LINE
        axis.errorbar(value, y, xerr=reach, fmt=marker, ms=4, lw=1, color=colour, label=f"trained on {name} pictures")
        labels = [
            f"{g['attributes']['class']} on {g['attributes']['context']}{' (common)' if g['kind'] == 'common' else ''}" for g in crossed
        ]
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.set_xlim(-0.02, 1)
    axis.set_xlabel("flipped part of the foreground, 95 % interval")
    axis.legend(frameon=False, loc="lower right")
    return figure


def intervals(demo: Demo) -> Figure:
    """The replicates of a small group's flipped rate, with both kinds of interval."""
    rows = [r for r in demo.samples if r["prediction"] == "balanced" and r["class"] == "duck" and r["context"] == "street"]
    features = np.array([[r["flipped"], r["foreground"]] for r in rows])
    sums = bootstrap_sums(features, resamples=4000, seed=0)[0]
    replicates = sums[:, 0] / sums[:, 1]
    whole = features.sum(axis=0)
    out = leave_one_out_sums(features)
    estimate = whole[0] / whole[1]
    found = {
        "percentile": percentile_interval(replicates),
        "bca": bca_interval(np.array(estimate), replicates, out[:, 0] / out[:, 1]),
    }
    figure, (axis,) = _axes(1, size=(5.6, 2.6))
    counts, _, _ = axis.hist(replicates, bins=40, color="#C8D8E4")
    top = counts.max()
    axis.axvline(estimate, color=INK, lw=1)
    axis.text(estimate, top * 1.27, f" {estimate:.1%} of {whole[1]:,} px in {len(rows)} samples", fontsize=8)
    for height, (name, one) in zip((1.1, 1.2), found.items(), strict=True):
        axis.plot([float(one.low), float(one.high)], [top * height] * 2, color=FLIPPED if name == "bca" else LINE, lw=2.5)
        axis.text(float(one.high), top * height, f"  {name}", va="center", fontsize=8)
    axis.set_ylim(0, top * 1.38)
    axis.set_xlabel("flipped rate in 4,000 resamples of the samples")
    axis.set_ylabel("resamples")
    return figure


def flip_risk(demo: Demo) -> Figure:
    """Flip-risk as a function of two foreground classes, and on a picture."""
    picture, _, predicted = demo.maps(_most_varied_risk(demo))
    logits = demo.logits(picture)
    figure, axes = _axes(3, size=(8.0, 2.3), widths=(1.1, 1, 1.15))
    gap = np.linspace(-8, 8, 161)
    axes[0].plot(gap, flip_risk_map(np.stack([np.zeros_like(gap), gap / 2, -gap / 2])[:, None])[0], color=LINE)
    axes[0].axhline(np.log(2), color=MISSED, lw=0.7, ls=(0, (4, 2)))
    axes[0].text(-8, np.log(2) + 0.02, "ln 2", fontsize=8)
    axes[0].set_ylim(0, 0.8)
    axes[0].set_xlabel("foreground logit minus the other's")
    axes[0].set_ylabel("flip-risk in nats")
    axes[1].imshow(picture)
    axes[1].set_title("picture")
    shown = axes[2].imshow(np.where(decode_runs(predicted) > 0, flip_risk_map(logits), np.nan), cmap="viridis", vmin=0, vmax=1)
    axes[2].set_title("flip-risk where figure is predicted", fontsize=9)
    figure.colorbar(shown, ax=axes[2], shrink=0.8)
    for axis in axes[1:]:
        _bare(axis)
    return figure


def reliability(demo: Demo) -> Figure:
    """Deciles of risk and the risk-coverage curve of the tied predictor."""
    risk = demo.audit["predictions"]["tied"]["risk"]
    figure, (left, right) = _axes(2, size=(7.0, 2.6), widths=(1, 1))
    left.bar(range(1, len(risk["deciles"]) + 1), [d["flip"] for d in risk["deciles"]], color=FLIPPED)
    left.set_xticks(range(1, len(risk["deciles"]) + 1))
    left.set_xlabel("tenth of the images by rising risk")
    left.set_ylabel("mean flipped part")
    rows = [r for r in demo.samples if r["prediction"] == "tied" and r["risk"] is not None and r["flip_fraction"] is not None]
    best = np.cumsum(sorted(r["flip_fraction"] for r in rows)) / np.arange(1, len(rows) + 1)
    right.plot(risk["curve"]["coverage"], risk["curve"]["risk"], color=LINE)
    right.plot(np.arange(1, len(rows) + 1) / len(rows), best, color=INK, ls=(0, (4, 2)), lw=1)
    right.axhline(best[-1], color=MISSED, lw=0.8)
    right.text(0.02, best[-1] + 0.008, "keeping images at random", fontsize=8)
    right.text(0.14, best[-1] * 0.45, "by risk", color=LINE, fontsize=8)
    right.text(0.66, 0.01, "best order", color=INK, fontsize=8)
    right.set_xlabel("share of images kept, least risky first")
    right.set_ylabel("mean flipped part of those kept")
    return figure


def balance(demo: Demo) -> Figure:
    """How far the contexts of a class differ in each fact, in the demo's test pictures: the object hardly, the light much."""
    table = run_balance(demo.dataset, options=BalanceOptions(split="test"))
    figure, (axis,) = _axes(1, size=(6.4, 2.6))
    for row, fact in enumerate(FACTS):
        found = [one for one in table.differences if one.fact == fact and one.kind == "context"]
        for one in found:
            axis.plot(abs(one.d), row, "o", ms=5, mfc="none" if one.by_chance else LINE, mec=LINE, mew=0.9)
    axis.axvline(table.threshold, color=INK, lw=0.8, ls=(0, (4, 2)))
    axis.set_yticks(range(len(FACTS)), [fact.replace("_", " ") for fact in FACTS])
    axis.invert_yaxis()
    axis.set_xscale("symlog", linthresh=0.1)
    axis.set_xlim(-0.01, 12)
    axis.set_xticks([0, 0.1, 1, 10], ["0", "0.1", "1", "10"])
    axis.set_xlabel("|d| between two contexts of one class; open = chance alone can do it")
    return figure


FIGURES: dict[str, Callable[[Demo], Figure]] = {
    "runs": runs,
    "joint-counts": joint,
    "decomposition": decomposition,
    "conditional-flip": conditional,
    "overlap": overlap,
    "boundary": boundary,
    "regions": regions,
    "groups": groups,
    "intervals": intervals,
    "flip-risk": flip_risk,
    "reliability": reliability,
    "balance": balance,
}


# What they share -----------------------------------------------------------------------------------------------------


def _axes(columns: int, *, size: tuple[float, float], widths: tuple[float, ...] = (1,), sharey: bool = False) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, columns, width_ratios=widths, sharey=sharey, squeeze=False)
    return figure, list(axes[0])


def _bare(axis: Axes) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _classes() -> ListedColormap:
    return ListedColormap(CLASS_COLOURS)


def _short(demo: Demo, class_id: int) -> str:
    return "ground" if class_id == 0 else demo.dataset.classes.name_of(int(class_id))


def _most_regions(demo: Demo) -> str:
    """The sample on which the tied model predicts several sizeable regions with different verdicts."""
    best, chosen = -1, ""
    for row in (r for r in demo.samples if r["prediction"] == "tied" and r["added"] > 30):
        _, truth, predicted = demo.maps(row["id"])
        found = regions_of(truth, predicted, side="predicted")
        sizeable = len({(v, c) for v, c, a in zip(found.verdicts, found.class_id, found.area, strict=True) if a > 12})
        if sizeable > best:
            best, chosen = sizeable, row["id"]
    return chosen


def _most_varied_risk(demo: Demo) -> str:
    """Of the samples with a figure well found, the one over which the flip-risk varies most."""
    best, chosen = -1.0, ""
    for row in (r for r in demo.samples if r["prediction"] == "tied" and (r["foreground_iou"] or 0) > 0.75):
        picture, _, predicted = demo.maps(row["id"])
        risk = flip_risk_map(demo.logits(picture))
        spread = float(risk[decode_runs(predicted) > 0].std())
        if spread > best:
            best, chosen = spread, row["id"]
    return chosen


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch) / "demo"
        if len(sys.argv) == 1:
            from figureground import api
            from figureground.runs.progress import LineReporter

            api.demo(folder, reporter=LineReporter())
        demo = Demo(folder)
        OUT.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(STYLE):
            for name, draw in FIGURES.items():
                draw(demo).savefig(OUT / f"{name}.svg", metadata={"Date": None, "Creator": None})
    print(f"figures: {len(FIGURES)} in {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
