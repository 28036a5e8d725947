"""Draws the picture of docs/ideas/replay.md: a schedule over true and over wrong steps, and how evenly training samples are replayed.

python scripts/replay_figures.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from figureground.models.fit.mixture import Mixture
from figureground.models.fit.schedule import rate_factor

OUT = Path("docs/assets/ideas/replay.svg")
LABELLED, TRAINED, EPOCHS, BATCH = 100, 1464, 50, 2  # labelled samples of a round and the training set of VOC 2012
LOOK = {"svg.hashsalt": "figureground", "svg.fonttype": "path", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def main() -> int:
    taken, counted = EPOCHS * LABELLED // BATCH, EPOCHS * TRAINED // BATCH
    mixture = Mixture(labelled=25, replay=200, how="ratio", share=0.5)
    shown = np.concatenate([mixture.order(seed=0, epoch=epoch) for epoch in range(20)])
    stream = np.bincount(shown[shown >= 25] - 25, minlength=200)
    anew = np.bincount(np.random.default_rng(0).integers(0, 200, 20 * 25), minlength=200)
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(7.2, 2.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        for steps, colour, style, name in (
            (taken, "#0072B2", "-", "over the steps taken"),
            (counted, "#D55E00", "--", "over other batches"),
        ):
            factors = [rate_factor(step, steps=steps, warmup_steps=0, schedule="polynomial") for step in range(taken)]
            left.plot(factors, style, color=colour, label=name)
        left.set(xlabel=f"step of {taken}", ylabel="learning rate, as a part of the first", ylim=(0, 1.02), xlim=(0, taken))
        left.legend(frameon=False, loc="lower left")
        numbers = np.arange(max(stream.max(), anew.max()) + 1)
        right.bar(
            numbers - 0.2, np.bincount(anew, minlength=numbers.size), 0.4, color="#D55E00", hatch="//", label="drawn anew", edgecolor="w"
        )
        right.bar(numbers + 0.2, np.bincount(stream, minlength=numbers.size), 0.4, color="#0072B2", label="as a stream")
        right.set(xlabel="times a training sample is seen", ylabel="training samples", xticks=numbers)
        right.legend(frameon=False)
        figure.savefig(OUT, metadata={"Date": None, "Creator": None})
    print(f"figure: {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
