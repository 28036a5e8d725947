"""The page of swap_results.py and its picture: tables and what came out, all from the runs."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from swap_claims import HOLDS, claims
from swap_methods import BESIDE, METHODS, World
from swap_runs import Runs

from figureground.data.dataset import open_dataset

TEXT = """# Against a background that betrays the label

<!-- Written by scripts/swap_results.py; every figure is from the runs it describes. -->

Fifteen ways to train a classifier where the background betrays the label: [swapping](../how-to/swap.md), what it is compared with, its upper bound and
its control. *Without minority* not one training or validation picture breaks the tie of class and ground (rho 1); *with minority* one in
twenty does (rho 0.95), in both. Every test has each class on each ground equally often, on pictures of figures and grounds that neither
training nor validation has. *Worst group* is the accuracy on the worst of the four groups of class and ground, *accuracy* that on all
pictures; *flips* the part of the pairs of pictures of one figure on two grounds that get two answers. Percent, mean over {seeds} seeds with 95 %
intervals by Student's t, cut to 0 and 100, of no width where all seeds agree; each seed composes pictures and trains networks of its own.
Claims were written down before: **Holds** and **Does not hold** where the interval says so, **Not told apart** where it does not. What
counts as far above (30 points), near (5), a small part of a gain (a tenth) and chance (below 60 %) was chosen when some seeds were known.

```sh
python scripts/swap_results.py --data DATA --out DIR
```

{finding}

![Worst group by method, with and without minority](swap.svg)

{sections}
## How it was done

One small network (`timm:test_resnet`, 0.4 million weights, trained from nothing), one training loop; settings stand in
`scripts/recipes/swap-figures.toml` and `swap-photographs.toml`. Two other networks start from ImageNet weights: the detector (EfficientNet-Lite0)
and the encoder of the photographs' U-Net, the same one. No weights are chosen by the validation, which is tied as the training is: the last
ones are kept. It serves `dfr` and `afr` alone, which fit their last layers on it.

Every method but these has the same number of steps: `dfr` and `afr` refit the last layer of `erm`, and of a network that left a fifth of its
pictures for it; `masktune` goes on from `erm` for one epoch; `jtt` shows what a first model of one epoch gets wrong twenty times; `chang` shows a
counterfactual and a factual picture beside each one; subsampling shows its fewer pictures in more epochs. Groups are known to `groupdro`,
`reweight`, `subsample`, `dfr` and `coral`, and the true masks of all training pictures to `backmix`, `chang` and `swap-truth`.

Without minority there are two groups, one a class and as large as the other, and no method that weighs or samples groups has anything to
weigh: they differ from `erm` by chance or not at all.

`swap` learned where figures are from {labels} of the {train} training pictures, whose true masks were pooled to 16 x 16
patches. It held a fifth of them out to choose its two bounds (of what is cut out at most {leakage} % of the patches are ground), fits the edges of
its patches to the picture (`--refine guided`), and fills holes from the same picture (`--infill patches`). `swap-random` cuts out a rectangle
anywhere, as large as the figure that the detector found. `swap-blocks` leaves edges as the patches are, `swap-4x4` has a detector of 4 x 4
patches, with such edges too, and `swap-still` moves no figure. Figures are jittered less than by default (scale 0.8 to 1.25, up to 15 degrees): on 64
pixels halved figures lose their parts. Jitter, refinement, the detector's size and bound, the number of epochs and the size of figures were
tried out on another seed, of other drawn figures and of other pictures of the same animals; no other method's settings were searched, so that
some might do better with others.

The rows of the fifteen methods stand in [swap.json](swap.json).
"""
ABOUT = """## {title}

{about}

{table}

What came out without minority; changes are in points, of the worst group where nothing else is said, paired by seed:

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
OURS, OTHERS, BOUNDS = "#D55E00", "#0072B2", "#7F7F7F"


def page(found: Sequence[Runs]) -> str:
    """The whole page."""
    sections = []
    for name in dict.fromkeys(runs.data for runs in found):
        without, having = (next(r for r in found if r.data == name and r.minority == minority) for minority in (False, True))
        about = ABOUT_DATA[name].format(**_counts(without.worlds[0]))
        sections.append(ABOUT.format(title=TITLES[name], about=about, table=table(without, having), claims=as_list(claims(without))))
    world = found[0].worlds[0]
    detect = world.recipe["detect"]
    told = {"labels": detect["count"], "leakage": f"{100 * detect['leakage']:g}", "train": _counts(world)["train"]}
    told["finding"] = as_list([finding(runs) for runs in found if not runs.minority])
    return TEXT.format(seeds=len(found[0].worlds), sections="\n".join(sections), **told)


def as_list(lines: Iterable[object]) -> str:
    """A line each."""
    return "\n".join(f"- {line}" for line in lines)


def finding(runs: Runs) -> str:
    """The worst group without minority, and what was hoped for and did not come out."""
    worst = {method: f"{100 * runs.figure(method).value:.0f} %" for method in ("erm", "swap", "swap-truth")}
    said = [claim for claim in claims(runs) if claim.hope]
    missed = "; ".join(f"{claim.word.strip('*').lower()}: {claim.hope}" for claim in said if claim.word != HOLDS)
    return (
        f"**{TITLES[runs.data]}** without one counterexample: in the worst group plain training is right on {worst['erm']}, swapping on "
        f"{worst['swap']}, swapping by true masks on {worst['swap-truth']}. Of {len(said)} things hoped for, "
        f"{sum(claim.word == HOLDS for claim in said)} hold{f' ({missed})' if missed else ''}."
    )


def _counts(world: World) -> dict[str, int]:
    """Pictures of each split, and of how many figures they are."""
    data, found = open_dataset(world.data), {}
    for split in ("train", "val", "test"):
        part = data.select(split=split)
        found |= {split: len(part), f"figures_{split}": len({data.attribute(sample, "figure") for sample in part.samples})}
    return found


def table(without: Runs, having: Runs) -> str:
    """A line a method, without and with minority."""
    lines = [
        "| method | worst group, without | accuracy, without | flips, without | worst group, with | accuracy, with |",
        "|---|---|---|---|---|---|",
    ]
    for method in (*METHODS, *BESIDE):
        parts = [without.figure(method, what).points() for what in ("worst_group_accuracy", "accuracy", "flip_rate")]
        parts += [having.figure(method, what).points() if method in METHODS else "" for what in ("worst_group_accuracy", "accuracy")]
        lines.append(f"| {' | '.join([f'`{method}`', *parts])} |")
    return "\n".join(lines)


def picture(found: Sequence[Runs]) -> bytes:
    """Worst group by method as a stand-alone SVG: a panel a data set, without minority filled and with it hollow."""
    names = list(dict.fromkeys(runs.data for runs in found))
    with rc_context():
        rcdefaults()
        rcParams.update(STYLE)
        figure = Figure(figsize=(9.0, 4.9), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for name, panel in zip(names, axes, strict=True):
            _panel(panel, [runs for runs in found if runs.data == name])
        axes[0].set_yticks(range(len(METHODS)), METHODS)
        axes[0].invert_yaxis()
        figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside lower center", ncols=2)
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
