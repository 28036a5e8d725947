"""The pictures that effort_results.py labels: flip failures of networks on drawn figures and on photographs, drawn by lot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from figureground import api
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.predictions import open_predictions
from figureground.review.layers import VOID

RECIPE = Path(__file__).resolve().parent / "recipes" / "effort.toml"
SMALL = RECIPE.with_name("effort-small.toml")
FIGURES, PHOTOGRAPHS = "figures", "voc21"
FLIPPED = 0.2
"""Flipped share of the foreground from which a picture is a flip failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One picture with one target, and what to do with it."""

    data: str
    spec: str
    target: str
    predictions: tuple[str, ...]
    """Specs, the target's first."""
    id: str


def figure_tasks(sweep: Path, each: int, example: Path = RECIPE) -> list[Task]:
    """Flip failures of networks trained on drawn figures.

    Targets are the networks of the highest rho; rivals are those of the lower ones, or the targets' other seeds where there is one rho only.
    """
    recipe, runs = sweep / "recipe.toml", _runs(sweep)
    if len(runs) < 2:
        if not recipe.exists():
            sweep.mkdir(parents=True, exist_ok=True)
            recipe.write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
        api.sweep(recipe, out=sweep)
        runs = _runs(sweep)
    if len(runs) < 2:
        raise SystemExit(f"{sweep}: a target and a rival are needed, two networks of one kind by `ce`. Add seeds or rhos to the recipe")
    rho = max(map(rho_of, runs))
    targets, others = [run for run in runs if rho_of(run) == rho], [run for run in runs if rho_of(run) < rho]
    chosen = [(str(run), *(str(one) for one in others or targets if one != run)) for run in targets]
    names = [run.parent.name.replace("-", " ") for run in targets]
    return list(_drawn_lots(FIGURES, f"{sweep / 'data' / targets[0].parents[1].name}?split=test", names, chosen, each))


def _runs(sweep: Path) -> list[Path]:
    """The predictions of the network of which there are most, by rho and seed."""
    found: dict[str, list[Path]] = defaultdict(list)
    for manifest in sweep.glob("runs/*/ce/rho-*/seed-*/predictions/manifest.json"):
        found[network_of(str(manifest.parent))].append(manifest.parent)
    runs = max((found[name] for name in sorted(found)), key=len, default=[])
    return sorted(runs, key=lambda run: (rho_of(run), int(run.parent.name.partition("-")[2])))


def rho_of(predictions: Path) -> float:
    """How strongly class and ground were tied for a network, by its folder `rho-R`."""
    return float(predictions.parents[1].name.partition("-")[2])


def network_of(predictions: str) -> str:
    """The network's folder in its sweep."""
    return Path(predictions).parents[3].name


def photograph_tasks(data: Path, each: int) -> list[Task]:
    """Flip failures of published networks on photographs; each is the target in turn, the others are the rivals."""
    names = sorted(path.name for path in (data / "predictions").iterdir() if path.is_dir())
    specs = {name: f"png:{data / 'predictions' / name / PHOTOGRAPHS}" for name in names}
    chosen = [(specs[name], *(specs[other] for other in names if other != name)) for name in names]
    return list(_drawn_lots(PHOTOGRAPHS, str(data / PHOTOGRAPHS), names, chosen, each))


def _drawn_lots(data: str, spec: str, targets: list[str], chosen: list[tuple[str, ...]], each: int) -> Iterator[Task]:
    """Of each target's flip failures so many by lot, the targets in turn."""
    dataset = open_dataset(spec)
    found = [_lots(dataset, specs[0], number)[:each] for number, specs in enumerate(chosen)]
    for place in range(each):
        for target, specs, ids in zip(targets, chosen, found, strict=True):
            if place < len(ids):
                yield Task(data=data, spec=spec, target=target, predictions=specs, id=ids[place])


def _lots(dataset: Dataset, spec: str, number: int) -> list[str]:
    """The ids of the flip failures, shuffled."""
    source = open_predictions(spec, dataset.classes).source
    ids = [i for i in dataset.ids if flipped(dataset.masks.read(i).dense(), source.read(i).dense(), dataset) >= FLIPPED]
    return np.random.default_rng(number).permutation(ids).tolist()


def flipped(truth: np.ndarray, predicted: np.ndarray, dataset: Dataset) -> float:
    """The flipped share of the foreground."""
    ground = dataset.classes.background
    figure = (truth != ground) & (truth != VOID)
    return float(((predicted != truth) & (predicted != ground))[figure].mean()) if figure.any() else 0.0


def read(task: Task) -> tuple[np.ndarray, list[np.ndarray], np.ndarray, Dataset]:
    """Truth, maps (the target's first), and RGB picture."""
    cv2.setNumThreads(1)
    dataset = open_dataset(task.spec)
    truth = dataset.masks.read(task.id).dense().astype(np.uint8)
    maps = [open_predictions(spec, dataset.classes).source.read(task.id).dense().astype(np.uint8) for spec in task.predictions]
    image = next(one.image for one in dataset.samples if one.id == task.id)
    picture = cv2.imread(str(image), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return truth, maps, np.ascontiguousarray(picture[..., ::-1]), dataset
