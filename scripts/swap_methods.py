"""The trainings of swap_results.py: one data set of one seed, with or without counterexamples, and every method on it.

Below the directory of a world: `data`, `detector` (grids), `grounds/<masks>`, `weights/<method>`, `answers/<method>`.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import figureground as fg
from figureground import api
from figureground.core.options import make_options
from figureground.core.types import Sample
from figureground.data.backgrounds import read_backgrounds
from figureground.data.dataset import Dataset
from figureground.data.pixels import read_picture
from figureground.data.write import png_rgb_bytes, write_table_and_toml
from figureground.models.fit.options import FitOptions, make_fit_options
from figureground.models.fit.order import batch_edges
from figureground.stages.classify.options import ClassifyOptions
from figureground.stages.detect.options import make_detect_options
from figureground.stages.refit.options import RefitOptions
from figureground.stages.shift.compose_options import ComposeOptions
from figureground.stages.swap.options import BuildOptions, InfillOptions
from figureground.sweeps.threads import one_thread

RECIPES = Path(__file__).resolve().parent / "recipes"
RHO = {True: 0.95, False: 1.0}
"""With and without counterexamples in training and validation."""
METHODS = (
    *("erm", "heavy", "groupdro", "reweight", "subsample", "jtt", "dfr", "afr", "coral", "chang", "backmix", "masktune"),
    *("swap", "swap-truth", "swap-random"),
)
BLOCKS, COARSE, STILL = "swap-blocks", "swap-4x4", "swap-still"
BESIDE = (BLOCKS, COARSE, STILL)
"""Beside the methods, without minority: masks whose edges are those of their patches, as published; masks of a detector on 4 x 4 patches;
and the swap itself with every figure left where and as it was."""
UNMOVED = {"swap_scale_low": 1.0, "swap_scale_high": 1.0, "swap_turn": 0.0, "swap_shift": 0.0}
SEGMENTED = ("erm", "swap", "swap-truth")
"""Ways to train a segmentation network, without minority."""
ALONE = ("own", "swap", "swap-truth", "swap-random")
"""Grounds that a classifier sees alone: the pictures' own, and those of the training sets that three swaps give."""
EDGE_PX, GREY = 4, 128
FIRST_EPOCHS = 1
"""Of the first model of Just Train Twice."""
GAMMAS = {"gammas": "0:30:31"}
"""Of AFR. From 20 to 30, as published, it weighs nothing but the few pictures that a small network gets wrong, and forgets the others."""
EXTRA: Mapping[str, Mapping[str, Any]] = {
    "heavy": {"augment": "heavy"},
    "groupdro": {"objective": "group-dro"},
    "reweight": {"balance": "weight"},
    "subsample": {"balance": "subsample"},
    "jtt": {"upweight": 20},
    "coral": {"coral": 50.0},
    "chang": {"counterfactual": 1.0},
    "backmix": {"backmix": 1.0},
    "afr": {"held_out": 0.2},
}
"""Method -> options of its training beside those of the recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One data set of one seed, and where its runs stand."""

    recipe: Mapping[str, Any]
    seed: int
    minority: bool
    place: Path

    @property
    def name(self) -> str:
        """Of the data set, its seed, and whether there are counterexamples."""
        return f"{self.recipe['name']}, seed {self.seed}, {'with' if self.minority else 'without'} minority"

    @property
    def data(self) -> str:
        """The data set, once it is composed."""
        return str(self.place / "data")

    def weights(self, method: str) -> Path:
        """Where the weights of a method stand."""
        return self.place / "weights" / method

    def answers(self, method: str) -> Path:
        """Where the answers of a method stand."""
        return self.place / "answers" / method

    def swapped(self, method: str) -> Path:
        """Where a swap stands as a data set."""
        return self.place / "swapped" / method

    @property
    def fixed(self) -> dict[str, Any]:
        """Options of every training. None chooses its weights by the validation, which is tied as the training is and soon full."""
        return {"device": "cpu", "seed": self.seed, "val_split": ""}

    def options(self, **more: Any) -> FitOptions:
        """Options of a training of a classifier."""
        return make_fit_options({**self.fixed, "task": "classify", **self.recipe["train"], **more})


def read_recipe(name: str, data: Path) -> dict[str, Any]:
    """A recipe with the place of photographs and weights filled in."""
    text = (RECIPES / f"swap-{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text.replace("{data}", str(data.resolve())))


def run_world(world: World) -> str:
    """Everything that is missing of a world; what is there already takes no time."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with one_thread():
        compose(world)
        for method in METHODS:
            answer(world, method, train(world, method))
        if not world.minority:
            for method in BESIDE:
                answer(world, method, train(world, method))
                swapped(world, method)
            for which in ALONE:
                grounds_alone(world, which, edge=True)
                grounds_alone(world, which, edge=False)
            for method in SEGMENTED:
                segment(world, method)
    return world.name


def compose(world: World) -> None:
    """The data set: validation tied as training is, the test with every class on every ground equally often."""
    rho = RHO[world.minority]
    options = {**world.recipe["compose"], "rho": rho, "val_rho": rho, "seed": world.seed, "sheet": 4 if world.seed == 0 else 0}
    api.compose(world.data, options=make_options(ComposeOptions, options))


def train(world: World, method: str) -> Path:
    """The weights of a method."""
    special: dict[str, Callable[[World], Path]] = {"dfr": _dfr, "afr": _afr, "masktune": _masktune, "jtt": _jtt, "subsample": _subsample}
    if method in special:
        return special[method](world)
    if method.startswith("swap"):
        how = {"grounds": str(grounds(world, method)), **_jitter(world, method)}
        return fg.train(world.data, out=world.weights(method), options=world.options(**how)).path
    return _train(world, method)


def grounds(world: World, method: str) -> Path:
    """The backgrounds and figures of a swap: by a detector, by the truth, or a random rectangle as large as the detector's figure."""
    masks = {
        "swap": lambda: f"grids:{detect(world, 'detector', '16x16')}",
        STILL: lambda: f"grids:{detect(world, 'detector', '16x16')}",
        BLOCKS: lambda: f"grids:{detect(world, 'detector', '16x16')}",
        COARSE: lambda: f"grids:{detect(world, 'detector-4x4', '4x4')}",
        "swap-truth": lambda: "truth",
        "swap-random": lambda: f"random:grids:{detect(world, 'detector', '16x16')}",
    }[method]()
    told = {"masks": masks, "refine": "guided" if method in ("swap", STILL) else "none", "pictures": "png", "seed": world.seed}
    told["filled_high"] = 1.0  # as published: 4 x 4 patches leave little of some pictures
    place = world.place / "grounds" / ("swap" if method == STILL else method)
    return fg.swap_infill(world.data, out=place, options=make_options(InfillOptions, told))


def detect(world: World, name: str, grid: str) -> Path:
    """A detector that learned from the pooled masks of some training pictures; returns its grids of all of them."""
    options = make_detect_options({"masks": "truth", "grid": grid, "device": "cpu", "seed": world.seed, **world.recipe["detect"]})
    return fg.swap_detect(world.data, out=world.place / name, options=options).path


def proof(world: World, method: str) -> dict[str, Any]:
    """What a written swap says of itself: mutual information before and after, and how good the masks were."""
    return json.loads((world.swapped(method) / "proof.json").read_text(encoding="utf-8"))


def swapped(world: World, method: str) -> Path:
    """A swap as a data set on disk."""
    how = {name.removeprefix("swap_"): value for name, value in _jitter(world, method).items()}
    options = make_options(BuildOptions, how | {"seed": world.seed})
    return fg.swap_build(grounds(world, method), world.data, out=world.swapped(method), options=options)


def _jitter(world: World, method: str) -> dict[str, Any]:
    """How figures are moved, as options of a training."""
    return {**world.recipe["swap"], **(UNMOVED if method == STILL else {})}


def answer(world: World, method: str, weights: Path) -> None:
    """The answers of a method on the test pictures."""
    options = ClassifyOptions(split="test", resamples=0, figure="figure")
    fg.classify(f"weights:{weights}", world.data, out=world.answers(method), options=options)


def _train(world: World, method: str, **more: Any) -> Path:
    return fg.train(world.data, out=world.weights(method), options=world.options(**EXTRA.get(method, {}), **more)).path


def _dfr(world: World) -> Path:
    return _refit(world, "dfr", _train(world, "erm"))


def _afr(world: World) -> Path:
    base = fg.train(world.data, out=world.weights("afr-base"), options=world.options(**EXTRA["afr"])).path
    return _refit(world, "afr", base)


def _refit(world: World, method: str, base: Path) -> Path:
    options = make_options(RefitOptions, {"method": method, "seed": world.seed, **GAMMAS})
    return fg.refit(base, world.data, out=world.weights(method), options=options).path


def _masktune(world: World) -> Path:
    first = _train(world, "erm")
    recipe = {name: value for name, value in world.recipe["train"].items() if name not in ("epochs", "lr")}
    options = make_fit_options({**world.fixed, "task": "classify", **recipe, "masktune": str(first)})
    return fg.train(world.data, out=world.weights("masktune"), options=options).path


def _jtt(world: World) -> Path:
    """A first model of few epochs; where it is right about every picture, nothing tells them apart, and the second training is plain."""
    options = world.options(epochs=FIRST_EPOCHS, warmup=0.0)
    first = fg.train(world.data, out=world.weights("jtt-first"), options=options).path
    try:
        return _train(world, "jtt", errors_of=str(first))
    except fg.InputError as error:
        if "right about all" not in str(error):
            raise
        return _train(world, "erm")


def _subsample(world: World) -> Path:
    """As many steps as the others have: the fewer pictures are shown in more epochs."""
    data = fg.open_dataset(world.data).select(split="train")
    sizes: dict[tuple[str | None, str], int] = {}
    for sample in data.samples:
        group = (sample.label, data.attribute(sample, "context"))
        sizes[group] = sizes.get(group, 0) + 1
    batch, epochs = world.recipe["train"]["batch"], world.recipe["train"]["epochs"]
    steps, kept = epochs * (len(batch_edges(len(data), batch)) - 1), min(sizes.values()) * len(sizes)
    return _train(world, "subsample", epochs=max(epochs, round(steps / (len(batch_edges(kept, batch)) - 1))))


def grounds_alone(world: World, which: str, *, edge: bool) -> None:
    """A classifier that is shown no figure, with the label of the figure that stood there: as many of each class, one in four to test it.

    edge: it sees the outermost pixels alone, of pictures whose figures do not reach them: the ground, and nothing of a figure's outline.
    Else every true figure is filled, not a pixel more: what a swap cuts out too much of, a rim of old ground, stays to be seen, and so
    does the form of the hole.
    """
    data = fg.open_dataset(world.data if which == "own" else str(swapped(world, which))).select(split="train")
    name = f"{'edge' if edge else 'filled'}-{which}"
    place = world.place / "alone" / name
    shown = _edges(data, place) if edge else _filled(world, data, place)
    by_label = {label: [image for own, image in shown if own == label] for label in sorted({own for own, _ in shown})}
    samples = [
        Sample(id=f"{label}-{number}", image=str(image), label=label, split="test" if number % 4 == 3 else "train")
        for label, images in by_label.items()
        for number, image in enumerate(images[: min(map(len, by_label.values()))])
    ]
    folder = place / "data"
    folder.mkdir(exist_ok=True)
    write_table_and_toml(folder, name="grounds", classes=data.classes, samples=samples, common={}, context=None)
    weights = fg.train(str(folder), out=world.weights(name), options=world.options()).path
    fg.classify(f"weights:{weights}", str(folder), out=world.answers(name), options=ClassifyOptions(split="test", resamples=0))


def _filled(world: World, data: Dataset, place: Path) -> list[tuple[str, Path]]:
    told = {"masks": "truth", "grow": 0, "infill": "telea", "pictures": "png", "seed": world.seed}
    bank = read_backgrounds(fg.swap_infill(data, out=place / "grounds", options=make_options(InfillOptions, told)))
    return [(label, Path(bank.folder) / image) for label, image in zip(bank.labels, bank.images, strict=True) if image]


def _edges(data: Dataset, place: Path) -> list[tuple[str, Path]]:
    found, inner = [], np.s_[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX]
    place.mkdir(parents=True, exist_ok=True)
    assert data.masks is not None
    for sample in data.samples:
        figure = data.masks.read(sample.id).dense() > 0
        if figure.sum() == figure[inner].sum():
            picture = read_picture(sample.image)
            picture[inner] = GREY
            (place / f"{sample.id}.png").write_bytes(png_rgb_bytes(picture))
            found.append((sample.label, place / f"{sample.id}.png"))
    return found


def segment(world: World, method: str) -> None:
    """A segmentation network with and without swapping, and its audit on the test pictures."""
    more = {} if method == "erm" else {"grounds": str(grounds(world, method)), **world.recipe["swap"]}
    options = make_fit_options({**world.fixed, **world.recipe["segment"], **more})
    place = world.place / "segment"
    weights = fg.train(world.data, out=place / f"{method}-weights", options=options)
    test = f"{world.data}?split=test"
    predictions = fg.predict(weights.model, test, out=place / f"{method}-predictions")
    fg.audit(test, predictions, out=place / f"{method}-audit")
