"""The page and rows of swap_results.py: figures over seeds, tables, pictures and what came out, all from the runs."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from over_seeds import Over, over
from swap_methods import ALONE, BLOCKS, COARSE, EDGE_PX, METHODS, SEGMENTED, World, proof

from figureground.data.dataset import open_dataset

TEXT = """# Against a background that betrays the label

<!-- Written by scripts/swap_results.py; every figure is from the runs it describes. -->

Fifteen ways to train a classifier where the background betrays the label: [swapping](../how-to/swap.md), what it is compared with, its upper bound and
its control. *Without minority* not one training or validation picture breaks the tie of class and ground (rho 1); *with minority* one in
twenty does (rho 0.95), in both. Every test has each class on each ground equally often, on pictures of figures and grounds that neither
training nor validation has. *Worst group* is the accuracy on the worst of the four groups of class and ground, *accuracy* that on all
pictures. Percent, mean over {seeds} seeds with 95 % intervals by Student's t, cut to 0 and 100; each seed composes pictures and trains networks
of its own.

```sh
python scripts/swap_results.py --data DATA --out DIR
```

![Worst group by method, with and without minority](swap.svg)

{sections}
## How it was done

One small network (`timm:test_resnet`, 0.4 million weights, trained from nothing), one training loop; settings stand in
`scripts/recipes/swap-figures.toml` and `swap-photographs.toml`. No weights are chosen by the validation, which is tied as the training is: the last ones
are kept. It serves `dfr` and `afr` alone, which fit their last layers on it.

Every method but these has the same number of steps: `dfr` and `afr` refit the last layer of `erm`, and of a network that left a fifth of its
pictures for it; `masktune` goes on from `erm` for one epoch; `jtt` shows what a first model of one epoch gets wrong twenty times; `chang` shows a
counterfactual and a factual picture beside each one; subsampling shows its fewer pictures in more epochs. Groups are known to `groupdro`,
`reweight`, `subsample`, `dfr` and `coral`, and the true masks of all training pictures to `backmix`, `chang` and `swap-truth`.

`swap` learned where figures are from {labels} of the {train} training pictures, whose true masks were pooled to 16 x 16
patches. It held a fifth of them out to choose its two bounds (of what is cut out at most {leakage} % of the patches are ground), fits the edges of
its patches to the picture (`--refine guided`), and fills holes from the same picture (`--infill patches`). `swap-random` cuts out a rectangle
anywhere, as large as the figure that the detector found. Figures are jittered less than by default (scale 0.8 to 1.25, up to 15 degrees): on 64
pixels halved figures lose their parts. Jitter, refinement, the detector's size and bound, the number of epochs and the size of figures were
tried out on another seed; no other method's settings were searched.

The rows stand in [swap.json](swap.json).
"""
ABOUT = """## {title}

{about}

{table}

{claims}
"""
TITLES = {"figures": "Drawn figures", "photographs": "Photographs"}
ABOUT_DATA = {
    "figures": "Drawn ducks and hares of 64 pixels at shores and in forests: {train} for training, {val} for validation, {test} for the test.",
    "photographs": "Flamingos and emus, cut out of photographs and set on photographs of the sea and of forests, 64 pixels: {train} for training, "
    "{val} for validation, {test} for the test. They show few animals again and again: {figures_train} cut-outs in training and {figures_test} "
    "others in the test of the first seed, so that what is said of new animals is less sure than the intervals, which are over seeds.",
}
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "figureground", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
MASKED = ("backmix", "chang")
"""Of the methods compared with, those that are given true masks."""
OURS, OTHERS, BOUNDS = "#D55E00", "#0072B2", "#7F7F7F"


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one data set, one world a seed, with minority or without."""

    data: str
    minority: bool
    worlds: Sequence[World]

    def each(self, method: str, what: str) -> list[float]:
        """A figure of the answers of a method, a fraction, for each seed."""
        return [float(_json(world, "answers", method)[what]["value"]) for world in self.worlds]

    def figure(self, method: str, what: str) -> Over:
        """The same over seeds, within [0, 1]."""
        return within(over(self.each(method, what)))

    def difference(self, method: str, other: str, what: str = "worst_group_accuracy") -> Over:
        """Of two methods, paired by seed."""
        found = over(a - b for a, b in zip(self.each(method, what), self.each(other, what), strict=True))
        assert found is not None
        return found


def within(found: Over | None) -> Over:
    """A rate's interval cut to [0, 1]."""
    assert found is not None
    return Over(found.value, max(found.low, 0.0), min(found.high, 1.0))


def read_runs(worlds: Sequence[World]) -> list[Runs]:
    """Those of every data set, without minority first."""
    kinds = dict.fromkeys((str(world.recipe["name"]), world.minority) for world in worlds)
    return [Runs(name, minority, [w for w in worlds if (w.recipe["name"], w.minority) == (name, minority)]) for name, minority in kinds]


def rows(found: Sequence[Runs]) -> list[dict[str, Any]]:
    """What `swap.json` holds."""
    made = [
        {
            "data": runs.data,
            "minority": runs.minority,
            "task": "classify",
            "method": method,
            "seeds": len(runs.worlds),
            "worst_group": runs.figure(method, "worst_group_accuracy").plain(),
            "accuracy": runs.figure(method, "accuracy").plain(),
        }
        for runs in found
        for method in (*METHODS, *(() if runs.minority else (BLOCKS, COARSE)))
    ]
    for runs in found:
        if not runs.minority:
            made += [_segmented(runs, method) for method in SEGMENTED]
    return made


def _segmented(runs: Runs, method: str) -> dict[str, Any]:
    """A row of a segmentation network: the part of figures that is found and named rightly, as a mean over groups and in the worst."""
    row = {"data": runs.data, "minority": False, "task": "segment", "method": method, "seeds": len(runs.worlds)}
    worst, correct = (within(over(reduce(world, method) for world in runs.worlds)).plain() for reduce in (_worst, _mean))
    flipped = within(over(verdict(world, method, "flipped") for world in runs.worlds)).plain()
    return {**row, "worst_group": worst, "accuracy": correct, "counterfactual_flip": flipped}


def _groups(world: World, method: str) -> list[dict[str, Any]]:
    """The groups of class and context of a network's audit."""
    table = pq.read_table(world.place / "segment" / f"{method}-audit" / "groups.parquet")
    return [group for group in table.to_pylist() if group["kind"]]


def _worst(world: World, method: str) -> float:
    return min(group["correct"] for group in _groups(world, method))


def _mean(world: World, method: str) -> float:
    return float(np.mean([group["correct"] for group in _groups(world, method)]))


def verdict(world: World, method: str, what: str, kind: str = "counterfactual") -> float:
    """Part of the figures' pixels with a verdict, mean over the groups of a kind."""
    return float(np.mean([group[what] for group in _groups(world, method) if group["kind"] == kind]))


def _json(world: World, *parts: str) -> dict[str, Any]:
    return json.loads(world.place.joinpath(*parts, "summary.json").read_text(encoding="utf-8"))


def page(found: Sequence[Runs]) -> str:
    """The whole page."""
    sections = []
    for name in dict.fromkeys(runs.data for runs in found):
        without, having = (next(r for r in found if r.data == name and r.minority == minority) for minority in (False, True))
        about = ABOUT_DATA[name].format(**_counts(without.worlds[0]))
        sections.append(ABOUT.format(title=TITLES[name], about=about, table=table(without, having), claims=claims(without)))
    world = found[0].worlds[0]
    detect = world.recipe["detect"]
    told = {"labels": detect["count"], "leakage": f"{100 * detect['leakage']:g}", "train": _counts(world)["train"]}
    return TEXT.format(seeds=len(found[0].worlds), sections="\n".join(sections), **told)


def _counts(world: World) -> dict[str, int]:
    """Pictures of each split, and of how many figures they are."""
    data, found = open_dataset(world.data), {}
    for split in ("train", "val", "test"):
        part = data.select(split=split)
        found |= {split: len(part), f"figures_{split}": len({data.attribute(sample, "figure") for sample in part.samples})}
    return found


def table(without: Runs, having: Runs) -> str:
    """A line a method, without and with minority."""
    lines = ["| method | worst group, without | accuracy, without | worst group, with | accuracy, with |", "|---|---|---|---|---|"]
    for method in (*METHODS, BLOCKS, COARSE):
        parts = [method]
        for runs in (without, having):
            known = method in METHODS or not runs.minority
            parts += [runs.figure(method, what).points() if known else "" for what in ("worst_group_accuracy", "accuracy")]
        lines.append(f"| {' | '.join(parts)} |")
    return "\n".join(lines)


def claims(runs: Runs) -> str:
    """What came out without minority, each sentence with its figure: changes of the worst group in points, paired by seed."""
    others = [method for method in METHODS if not method.startswith("swap")]
    best = max(others, key=lambda method: runs.figure(method, "worst_group_accuracy").value)
    proofs = [proof(world, "swap") for world in runs.worlds]
    before, after, chance = (over(_bits(one, when) for one in proofs) for when in ("before", "after", "chance"))
    leaked = {
        method: within(over(proof(world, method)["masks"]["leakage"] for world in runs.worlds)) for method in ("swap", BLOCKS, COARSE)
    }
    assert before is not None
    assert after is not None
    assert chance is not None
    alone = {
        f"{part}-{which}": f"{runs.figure(f'{part}-{which}', 'accuracy').points()} %" for part in ("edge", "filled") for which in ALONE
    }
    masks = ", which has the true masks of all pictures" if best in MASKED else ""
    lines = [
        "In the worst group, without minority, in points:",
        f"**Swapping against plain training**: {_told(runs.difference('swap', 'erm'))}.",
        f"**Against the best of the other methods** (`{best}`{masks}): {_told(runs.difference('swap', best))}.",
        f"**Against true masks** (`swap-truth`): {_told(runs.difference('swap', 'swap-truth'))}.",
        f"**The control**: random rectangles against plain training {_told(runs.difference('swap-random', 'erm'))}; "
        f"swapping against the control {_told(runs.difference('swap', 'swap-random'))}. A rectangle brings some of the figure to a ground that was "
        "drawn, which loosens the tie a little.",
        f"**Patches**: 4 x 4 against 16 x 16, edges of both as their patches are, {_told(runs.difference(COARSE, BLOCKS))}; "
        f"edges fitted to the picture against not, at 16 x 16, {_told(runs.difference('swap', BLOCKS))}. Of the pixels that are cut out "
        f"{leaked['swap'].points()} % are old ground, {leaked[BLOCKS].points()} % with unfitted edges, {leaked[COARSE].points()} % at 4 x 4.",
        f"**What the ground tells of the label**: {before.value:.3f} nats before, {after.value:.4f} after, where chance alone leaves "
        f"{chance.value:.4f} in as many pictures.",
        f"**A classifier that sees the outermost {EDGE_PX} pixels alone**, of pictures whose figures do not reach there, names the class of "
        f"{alone['edge-own']} of other training pictures, {alone['edge-swap']} after swapping, {alone['edge-swap-truth']} after swapping by true "
        f"masks, and {alone['edge-swap-random']} after the control, whose rectangles bring old ground with them.",
        "**Where true figures are filled to their last pixel**, it sees the form of the hole and what a swap cut out too much of: it is "
        f"right on {alone['filled-own']} before and {alone['filled-swap-truth']} after swapping by true masks, which is what the form tells; "
        f"{alone['filled-swap']} after swapping, around whose figures a rim of old ground is left; and {alone['filled-swap-random']} after the control.",
        f"**Just Train Twice**: the first model was right about every training picture in {_plain_jtt(runs)} of {len(runs.worlds)} seeds, "
        "where `jtt` is therefore `erm`.",
        _segmentation(runs),
    ]
    return "\n\n".join(lines)


def _plain_jtt(runs: Runs) -> int:
    """In how many seeds nothing told pictures apart for a second training."""
    return sum(not world.weights("jtt").exists() for world in runs.worlds)


def _segmentation(runs: Runs) -> str:
    """A U-Net before and after, where the tie is broken."""
    said = []
    for what in ("flipped", "correct", "missed"):
        found = {method: [verdict(world, method, what) for world in runs.worlds] for method in SEGMENTED}
        parts = [f"{what} {within(over(found['erm'])).points()} % before"]
        for method, name in (("swap", "after swapping"), ("swap-truth", "by true masks")):
            change = over(b - a for a, b in zip(found["erm"], found[method], strict=True))
            assert change is not None
            parts.append(f"{within(over(found[method])).points()} % {name} ({change.change()})")
        said.append(", ".join(parts))
    return (
        f"**A U-Net on the same pictures**, whose true masks it learns: of the pixels of counterfactual groups {'; '.join(said)}. In the rows its "
        "*accuracy* is the part of the figures that is found and named rightly, as a mean over groups."
    )


def _bits(found: Any, when: str) -> float:
    """Mutual information of label and context that a proof tells, in nats."""
    told = found["context"]
    return float(told["after"]["expected"] if when == "chance" else told[when]["mutual_information"])


def _told(change: Over) -> str:
    chance = "" if change.low > 0 or change.high < 0 else ", which chance alone may bring"
    return f"{change.change()}{chance}"


def picture(found: Sequence[Runs]) -> bytes:
    """Worst group by method as a stand-alone SVG: a panel a data set, without minority filled and with it hollow."""
    names = list(dict.fromkeys(runs.data for runs in found))
    with rc_context():
        rcdefaults()
        rcParams.update(STYLE)
        figure = Figure(figsize=(9.0, 4.6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for name, panel in zip(names, axes, strict=True):
            _panel(panel, [runs for runs in found if runs.data == name])
        axes[0].set_yticks(range(len(METHODS)), METHODS)
        axes[0].invert_yaxis()
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _panel(axes: Axes, found: Sequence[Runs]) -> None:
    for runs in found:
        for place, method in enumerate(METHODS):
            one = runs.figure(method, "worst_group_accuracy")
            color = BOUNDS if method in ("swap-truth", "swap-random") else OURS if method == "swap" else OTHERS
            y = place + (0.16 if runs.minority else -0.16)
            axes.plot([100 * one.low, 100 * one.high], [y, y], color=color, linewidth=1.0)
            axes.plot(100 * one.value, y, "o", markersize=5, color=color, markerfacecolor="white" if runs.minority else color)
        label = "with minority" if runs.minority else "without minority"
        axes.plot([], [], "o", color=BOUNDS, markerfacecolor="white" if runs.minority else BOUNDS, label=label)
    axes.set_xlim(-2, 102)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.6)
    axes.set_title(f"{TITLES[found[0].data]}: accuracy in the worst group (%)", fontsize=9, loc="left")
    axes.legend(frameon=False, fontsize=7, loc="lower right")
