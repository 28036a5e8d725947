"""A drawn world in which a network learned a shortcut: figures tied to their grounds in training, and people who label counterexamples."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from figureground import api
from figureground.core.types import ClassTable, LabelRuns
from figureground.data.dataset import Dataset, open_dataset
from figureground.models.fit.options import FitOptions
from figureground.review.exchange.labels import write_labels
from figureground.review.exchange.masks import LabelledMask
from figureground.stages.repair.options import RepairOptions
from figureground.stages.shift.compose_options import ComposeOptions

TINY = Path(__file__).parents[2] / "models" / "fit" / "tiny.py"
ARCHITECTURE = f"python:{TINY}:tiny"
QUICK = RepairOptions(rates=("0.02",), epochs=3, batch=4, augment="none", device="cpu", limit=1.0)


def draw(folder: Path, *, train: int = 24, seed: int = 0, rho: float = 1.0, size: int = 32) -> str:
    """Drawn figures of two classes on two grounds; training at rho, validation and test balanced."""
    options = ComposeOptions(classes=2, contexts=2, rho=rho, train=train, val=3, test=4, size=size, seed=seed)
    return str(api.compose(folder, options=options))


def train_target(data: str, out: Path, **given) -> str:
    """A trained network of a few hundred weights, as the text that `repair` takes."""
    options = FitOptions(
        **{"architecture": ARCHITECTURE, "size": 32, "batch": 4, "epochs": 4, "lr": 0.02, "norm": "half", "device": "cpu", **given}
    )
    weights = api.train(data, out=out, options=options)
    return f"weights:{weights.path}?architecture={ARCHITECTURE}"


def label(
    data: str | Dataset, ids, out: Path, *, classes: ClassTable | None = None, status="accepted", images: bool = True, change=None
) -> Path:
    """The true masks of some samples as people would have given them, each changed by `change(id, runs)` where there is one."""
    dataset = open_dataset(data) if isinstance(data, str) else data
    masks = []
    for i in ids:
        runs: LabelRuns = dataset.masks.read(i)
        runs = change(i, runs) if change else runs
        masks.append(LabelledMask(id=i, image=dataset.sample(i).image if images else None, runs=runs, by="truth"))
    return write_labels(out, masks, classes or dataset.classes, reviewer="truth", status=status, source="truth")


def quick(**given) -> RepairOptions:
    return dataclasses.replace(QUICK, **given)
