"""Writes docs/results/mine.md and mine.json: how many failures of a target the selectors of `mine` find, every figure measured here.

python scripts/mine_results.py --data DATA --out DIR

DATA holds `voc21`, `pool` and `predictions/<network>/{voc21,pool}{/,.csv}`; without it only drawn figures are mined. DIR keeps data sets,
networks and queues: an interrupted run goes on there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.special import stdtrit

from figureground import api
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.predictions import Predictions, open_predictions
from figureground.metrics.joint import joint_counts
from figureground.metrics.overlap import ClassCounts, counts_by_class, overlap
from figureground.models.fit.options import FitOptions
from figureground.runs.artifact import is_artifact
from figureground.stages.mine.options import MineOptions
from figureground.stages.shift.compose_options import ComposeOptions

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "mine.md"
SEEDS, BUDGETS = range(5), (25, 50, 100)
MEASURES = ("mean IoU", "mean IoU per picture", "classes")
SELECTORS = {
    "mad": MineOptions(),
    "mad, flips": MineOptions(distance="flip"),
    "random": MineOptions(selector="random"),
    "entropy": MineOptions(selector="entropy"),
    "flip-risk": MineOptions(selector="flip-risk"),
    "committee": MineOptions(selector="committee"),
    "core-set": MineOptions(selector="core-set"),
}
"""By the name they have in the table."""
NETWORK = "smp:unet/resnet18?decoder_channels=64,48,32,24,16"
RIVALS = {
    "seed": ("tied", {}),
    "mobilenet": ("tied", {"architecture": "smp:unet/mobilenet_v2?decoder_channels=64,48,32,24,16"}),
    "group-dro": ("tied", {"objective": "group-dro"}),
    "balanced": ("balanced", {}),
}
"""Rivals on drawn figures: the data they are trained on, and what is other than in the target's training."""
TRAIN = {"architecture": NETWORK, "size": 64, "batch": 16, "lr": 1e-3, "epochs": 12, "device": "cpu"}
FIGURES, PHOTOGRAPHS, UNMASKED = "figures", "voc21", "pool"
SUBJECTS = {"dalmatian": "dog", "ibis": "bird", "pigeon": "bird", "rooster": "bird", "wild_cat": "cat"}
"""Folders of `pool` whose animal is one of the classes."""
FEW = (10, 25, 50)
"""Budgets for `pool`: a seed draws 124 of its pictures."""
TITLES = {FIGURES: "Drawn figures", PHOTOGRAPHS: "Photographs"}
TEXT = """# Does mining find failures?

<!-- Written by scripts/mine_results.py; every figure is from the runs it describes. -->

A selector is good if the target does badly on what it selects: the fewer pictures people must look at for a failure, the better. Here the
masks of the pool are known, and show how the target does on the first {budgets} selected pictures: its **mean IoU** on all of them together
(counts summed, classes in neither masks nor predictions left out), and the mean **per picture** of the mean IoU of that picture alone.
Lower is better for both. The first depends on which classes are there: where a selector takes pictures of one class only, every other class
that the target sees in them counts as 0. So the number of **classes** in the masks stands beside it; to learn about all classes, more is
better. In percent; intervals are 95 % by Student's t over {seeds} seeds.

```bash
python scripts/mine_results.py --data DATA --out DIR
```

**What came out.** Mining by discrepancy finds worse pictures than drawing them at random, on drawn figures and on photographs. It is not what
finds the worst ones: where the right answer is one of the classes, the target's own doubt (`entropy`, `flip-risk`) or the votes of all models
find pictures on which the target does as badly or worse. On photographs those come from fewer classes: flip-risk leads to the classes that
are doubted most, quotas to all of them. So take quotas to learn about every class, and flip-risk or votes for the most failures at a few
glances; the queue is the same either way.

{sections}
{unmasked}
The rows of the first two stand in [mine.json](mine.json).
"""
ABOUT = {
    FIGURES: """Each seed draws 600 training pictures in which class and ground are tied (rho 0.95, three classes, three grounds, 64 x 64)
and a pool of 999 in which every class stands on every ground. The target is a small U-Net trained on the tied pictures. Its rivals: the same
network from another seed, one with another encoder, one trained with GroupDRO, all on the same pictures, and one trained on pictures without
the tie. Masks of the training pictures give the areas.""",
    PHOTOGRAPHS: """Six published networks are the target in turn, the other five its rivals; their label maps and scores were stored when
they were run. Each seed takes half of the 616 pictures as the pool; a figure is the mean over the six targets. Figures of any size are
taken. Half of the pictures are in two seeds' pools, so the intervals are a little narrow.""",
}
ABOUT_UNMASKED = """## Photographs without masks

`pool` has no masks, but of 248 pictures the folder says which animal is in them, and it is one that the networks know: dalmatians,
ibises, pigeons, roosters, wild cats. Each seed takes half of them as the pool; again six networks are the target in turn. A selected picture
counts as a failure if the largest class that the target sees is not the animal's, or it sees none. The share of failures among the first
selected pictures, in percent, mean over the targets; **higher** is better:

{table}

Of the first {budget}, paired by seed: the share of failures of what `mad` selects is {claim}.
"""


def main() -> None:
    """Runs what is missing and writes page and rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    found, without = {FIGURES: figures(given.out / FIGURES)}, None
    if given.data is None:
        print("photographs: left out, no --data", file=sys.stderr)
    else:
        found[PHOTOGRAPHS] = photographs(given.data, given.out / PHOTOGRAPHS)
        without = unmasked(given.data, given.out / UNMASKED)
    write_page(found, without)


def figures(out: Path) -> dict[str, np.ndarray]:
    """Selector -> float64 [seeds, budgets, measures]."""
    found: dict[str, list[np.ndarray]] = {}
    for seed in SEEDS:
        place = out / f"seed-{seed}"
        said = {name: train_and_predict(place, seed, name) for name in ("target", *RIVALS)}
        pool = open_dataset(f"{place / 'tied'}?split=test")
        target = open_predictions(str(said["target"]), pool.classes)
        for name, ids in queues(place, pool, [str(path) for path in said.values()], train=f"{place / 'tied'}?split=train", seed=seed):
            chosen = pool.select(ids=ids)
            rows = [chosen.ids.index(i) for i in ids]
            found.setdefault(name, []).append(measures(all_counts(chosen, target), rows, pool.classes.background))
    return {name: np.array(values) for name, values in found.items()}


def train_and_predict(place: Path, seed: int, name: str) -> Path:
    """Predictions of one network of the round on drawn figures."""
    data, other = RIVALS.get(name, ("tied", {}))
    options = ComposeOptions(classes=3, contexts=3, rho=0.95 if data == "tied" else 1 / 3, train=600, val=20, test=111, size=64, seed=seed)
    api.compose(place / data, options=replace(options, area_low=0.1, area_high=0.2), workers=None)
    fit = FitOptions(**{**TRAIN, "seed": seed if name == "target" else seed + 1000, **other})
    weights = api.train(str(place / data), out=place / "weights" / name, options=fit)
    return api.predict(f"weights:{weights.path}", f"{place / 'tied'}?split=test", out=place / "predictions" / name)


def photographs(data: Path, out: Path) -> dict[str, np.ndarray]:
    """Selector -> float64 [seeds, budgets, measures], mean over the networks as targets."""
    whole = open_dataset(str(data / PHOTOGRAPHS))
    counts = {name: all_counts(whole, open_predictions(spec(data, name, PHOTOGRAPHS), whole.classes)) for name in networks(data)}
    found: dict[str, np.ndarray] = {}
    for seed, target, name, chosen in halves(data, whole, PHOTOGRAPHS, out):
        table = found.setdefault(name, np.zeros((len(SEEDS), len(BUDGETS), len(MEASURES))))
        rows = [whole.ids.index(i) for i in chosen]
        table[seed] += measures(counts[target], rows, whole.classes.background) / len(counts)
    return found


def unmasked(data: Path, out: Path) -> dict[str, np.ndarray]:
    """Selector -> float64 [seeds, budgets of FEW]: the share of failures, mean over the networks as targets."""
    whole = open_dataset(str(data / UNMASKED))
    whole = whole.select(ids=[i for i, subject in subjects(whole).items() if subject in SUBJECTS])
    wrong = {name: failures(whole, open_predictions(spec(data, name, UNMASKED), whole.classes)) for name in networks(data)}
    found: dict[str, np.ndarray] = {}
    for seed, target, name, chosen in halves(data, whole, UNMASKED, out):
        table = found.setdefault(name, np.zeros((len(SEEDS), len(FEW))))
        table[seed] += [np.mean([wrong[target][i] for i in chosen[:budget]]) / len(wrong) for budget in FEW]
    return found


def failures(dataset: Dataset, predictions: Predictions) -> dict[str, bool]:
    """By id, whether the largest foreground class of a prediction is not that of the picture."""
    classes, found = dataset.classes, {}
    for i, subject in subjects(dataset).items():
        areas = np.bincount(predictions.source.read(i).dense().reshape(-1), minlength=max(classes.ids) + 1)
        areas[classes.background] = 0
        found[i] = not areas.any() or classes.name_of(int(areas.argmax())) != SUBJECTS[subject]
    return found


def subjects(dataset: Dataset) -> dict[str, str]:
    """The animal of every picture, by id."""
    return {one.id: dataset.attribute(one, "subject") for one in dataset.samples}


def halves(data: Path, whole: Dataset, dataset: str, out: Path) -> Iterator[tuple[int, str, str, list[str]]]:
    """Seed, target, selector and its queue, where each seed takes half of the samples and each network is the target in turn."""
    for seed in SEEDS:
        pool = whole.select(ids=sorted(np.random.default_rng(seed).permutation(whole.ids)[: len(whole) // 2].tolist()))
        for target in networks(data):
            specs = [spec(data, name, dataset) for name in (target, *(other for other in networks(data) if other != target))]
            for name, chosen in queues(out / f"seed-{seed}" / target, pool, specs, train="", seed=seed):
                yield seed, target, name, chosen
        print(f"{dataset}: seed {seed} done", file=sys.stderr)


def networks(data: Path) -> list[str]:
    """The published networks by name."""
    return sorted(path.name for path in (data / "predictions").iterdir() if path.is_dir())


def spec(data: Path, name: str, dataset: str) -> str:
    """The predictions of a published network, with their scores."""
    folder = data / "predictions" / name
    return f"{name}=png:{folder / dataset}?scores={folder / dataset}.csv"


def queues(place: Path, pool: Dataset, specs: Sequence[str], *, train: str, seed: int) -> Iterator[tuple[str, list[str]]]:
    """The queue of every selector: its name and the ids in order."""
    for name, options in SELECTORS.items():
        out = place / "queues" / name.replace(", ", "-")
        areas = train if options.selector == "mad" else ""
        if not is_artifact(out):
            chosen = replace(options, budget=max(BUDGETS), train=areas, seed=seed, sheet=0)
            api.mine(pool, specs[0], specs[1:], out=out, options=chosen)
        yield name, pq.read_table(out / "queue.parquet", columns=["id"])["id"].to_pylist()


def all_counts(dataset: Dataset, predictions: Predictions) -> ClassCounts:
    """Pixels per sample and class of masks and predictions."""
    assert dataset.masks is not None
    ids, ignore = dataset.classes.ids, dataset.classes.ignore
    found = [joint_counts(dataset.masks.read(i), predictions.source.read(i), classes=ids, ignore=ignore) for i in dataset.ids]
    return counts_by_class(found, ids=ids)


def measures(counts: ClassCounts, rows: Sequence[int], background: int) -> np.ndarray:
    """float64 [budgets, measures] of the first samples of a queue."""
    found = []
    for budget in BUDGETS:
        some = ClassCounts(
            ids=counts.ids, hits=counts.hits[rows[:budget]], truth=counts.truth[rows[:budget]], predicted=counts.predicted[rows[:budget]]
        )
        seen = [k for k, n in zip(some.ids, some.truth.sum(0), strict=True) if n and k != background]
        found.append((float(overlap(some)), float(overlap(some, reduction="macro-imagewise")), len(seen)))
    return np.array(found)


def interval(values: np.ndarray) -> dict[str, float]:
    """Mean over the first axis with the ends of its 95 % interval by Student's t."""
    half = stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values))
    return {"value": float(values.mean()), "low": float(values.mean() - half), "high": float(values.mean() + half)}


def write_page(found: dict[str, dict[str, np.ndarray]], without: dict[str, np.ndarray] | None) -> None:
    """Rows and page; `without` is what was found where there are no masks."""
    rows = [
        {"data": data, "selector": name, "budget": budget, "seeds": len(values), "target_miou": interval(values[:, place, 0])}
        for data, table in found.items()
        for name, values in table.items()
        for place, budget in enumerate(BUDGETS)
    ]
    PAGE.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    budgets = ", ".join(map(str, BUDGETS[:-1])) + f" and {BUDGETS[-1]}"
    sections = "\n".join(section(data, table) for data, table in found.items())
    PAGE.write_text(
        TEXT.format(budgets=budgets, seeds=len(SEEDS), sections=sections, unmasked=unmasked_section(without) if without else ""),
        encoding="utf-8",
    )


def unmasked_section(table: dict[str, np.ndarray]) -> str:
    """The words and the table of the pool without masks."""
    lines = ["| selector | " + " | ".join(f"first {budget}" for budget in FEW) + " |", "| --- |" + " --- |" * len(FEW)]
    lines += [
        f"| {name} | " + " | ".join(cell(interval(values[:, place])) for place in range(len(FEW))) + " |" for name, values in table.items()
    ]
    shares = {name: values[:, -1] for name, values in table.items()}
    return ABOUT_UNMASKED.format(table="\n".join(lines), budget=FEW[-1], claim=compared(shares))


def section(data: str, table: dict[str, np.ndarray]) -> str:
    """The words and the table of one pool."""
    names = [*(f"mean IoU, first {budget}" for budget in BUDGETS), f"per picture, first {BUDGETS[-1]}", f"classes, first {BUDGETS[-1]}"]
    lines = ["| selector | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for name, values in table.items():
        cells = [cell(interval(values[:, place, 0])) for place in range(len(BUDGETS))]
        lines.append(f"| {name} | " + " | ".join([*cells, cell(interval(values[:, -1, 1])), f"{values[:, -1, 2].mean():.1f}"]) + " |")
    claims = "\n".join(f"- {claim(table, measure)}" for measure in range(2))
    return f"## {TITLES[data]}\n\n{ABOUT[data]}\n\n" + "\n".join(lines) + f"\n\nOf the first {BUDGETS[-1]}, paired by seed:\n\n{claims}\n"


def claim(table: dict[str, np.ndarray], measure: int) -> str:
    """What the table says of mining, in words."""
    return f"The {MEASURES[measure]} of what `mad` selects is {compared({name: values[:, -1, measure] for name, values in table.items()})}."


def compared(found: dict[str, np.ndarray]) -> str:
    """How the figures of mad, one a seed, stand to those of the other selectors, in words."""
    against = {name: interval(values - found["mad"]) for name, values in found.items() if name != "mad"}
    groups = {
        "lower than of": [f"{name} (by {cell(one)})" for name, one in against.items() if one["low"] > 0],
        "higher than of": [f"{name} (by {cell(flipped(one))})" for name, one in against.items() if one["high"] < 0],
        "not to be told from that of": [name for name, one in against.items() if one["low"] <= 0 <= one["high"]],
    }
    return "; ".join(f"{words} {', '.join(names)}" for words, names in groups.items() if names)


def flipped(one: dict[str, float]) -> dict[str, float]:
    """The difference the other way round."""
    return {"value": -one["value"], "low": -one["high"], "high": -one["low"]}


def cell(one: dict[str, float]) -> str:
    """A figure with its interval, in percent."""
    value, low, high = (f"{100 * one[key]:.1f}".replace("-", "\N{MINUS SIGN}") for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


if __name__ == "__main__":
    main()
