"""Draws the picture of docs/ideas/objectives.md: what GroupDRO does to its weights when most batches lack a group.

python scripts/objective_figures.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figureground.models.fit.objectives import GroupDRO

OUT = Path("docs/assets/ideas/objectives.svg")
GROUPS = ("landbird on land", "landbird on water", "waterbird on land", "waterbird on water")
COUNTS = (1167, 62, 62, 1167)  # training samples of Waterbirds-Seg at rho = 0.95
LOSSES = (0.2, 2.0, 2.0, 0.2)  # held still, so that only the update is seen
BATCH, STEP = 8, 0.01
COLOURS, STYLES = ("#0072B2", "#D55E00", "#CC79A7", "#009E73"), ("-", "-", "--", "--")
LOOK = {"svg.hashsalt": "figureground", "svg.fonttype": "path", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def kept(batches: list[np.ndarray]) -> np.ndarray:
    """Weights after each batch, by the module itself."""
    objective, rows = GroupDRO(groups=4, step=STEP), [np.full(4, 0.25)]
    for groups in batches:
        wanted = torch.tensor([LOSSES[g] for g in groups])
        logits = torch.stack([torch.zeros_like(wanted), wanted.expm1().log()], dim=1)[:, :, None, None]  # -log softmax of class 0 = wanted
        objective(logits, torch.zeros(len(groups), 1, 1, dtype=torch.int64), torch.from_numpy(groups), torch.ones(len(groups)))
        rows.append(objective.weights.numpy())
    return np.array(rows)


def zeroed(batches: list[np.ndarray]) -> np.ndarray:
    """Weights after each batch where the weight of an absent group is multiplied by 0."""
    rows = [np.full(4, 0.25)]
    for groups in batches:
        risen = rows[-1] * np.where(np.isin(range(4), groups), np.exp(STEP * np.array(LOSSES)), 0)
        with np.errstate(invalid="ignore"):
            rows.append(risen / risen.sum())
    return np.array(rows)


def draw(axis: Axes, weights: np.ndarray, title: str) -> None:
    for group in range(4):
        axis.plot(weights[:, group], STYLES[group], color=COLOURS[group], label=GROUPS[group])
    if (lost := np.isnan(weights).any(axis=1)).any():
        axis.axvline(int(lost.argmax()), color="#222222", lw=0.7)
        axis.annotate("0 / 0", (int(lost.argmax()), 0.9), xytext=(4, 0), textcoords="offset points")
    axis.set_title(title)
    axis.set_xlabel("batch of 8")
    axis.set_xlim(0, len(weights) - 1)
    axis.set_ylim(0, 1)


def main() -> int:
    order = np.random.default_rng(1).permutation(np.repeat(np.arange(4), COUNTS))
    batches = [order[start : start + BATCH] for start in range(0, order.size, BATCH)]
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(7.2, 2.8), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        draw(left, zeroed(batches), "absent groups multiplied by 0")
        draw(right, kept(batches), "absent groups keep their weight")
        left.set_ylabel("weight q of the group")
        right.legend(frameon=False, loc="upper left", fontsize=8)
        figure.savefig(OUT, metadata={"Date": None, "Creator": None})
    print(f"figure: {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
