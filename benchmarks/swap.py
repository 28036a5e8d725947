"""A training loader that swaps grounds against one that only decodes and augments, and how quickly each infill fills.

    python -m benchmarks.swap [--quick]

Both loaders read the same pictures at 224 x 224 on one core: decode, resize, flip, crop and colours as the preset `label-flips` has them.
One of them sets the figure, scaled, turned and moved, on a background drawn anew for every picture. Both give pictures and masks, as a
segmentation network learns them, or pictures and labels, as a classifier does, where the same swap weighs more. Own pictures are read from
their files each time on both sides; backgrounds are kept in memory as far as they fit, as is the default, or read from their files too.
Photographs, where they are beside the project, and drawn animals. An infill is measured per picture on one core, with the hole of its
figure.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from benchmarks.results import Row, duration, of_ratio, tell, write_rows
from benchmarks.timing import ratio, take_turns

from figureground.core.types import LabelRuns
from figureground.data.backgrounds import CACHE_BYTES, GroundCache, read_backgrounds
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.pixels import read_picture
from figureground.data.sources import StampedSource, relabelled
from figureground.models.fit.augment import AUGMENTATIONS, augmented
from figureground.models.fit.cache import PictureCache
from figureground.models.fit.labelled import label_classes, labelled_data
from figureground.models.fit.order import sample_stream
from figureground.models.fit.samples import TrainData, train_data
from figureground.models.fit.swap import SwapDataset
from figureground.stages.shift.compose import run_compose
from figureground.stages.shift.composition import ComposeOptions
from figureground.stages.swap.fill import FILLS, filled, open_fill
from figureground.stages.swap.infill import run_infill
from figureground.stages.swap.options import InfillOptions

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SIZE, TARGET = 224, 0.75


def main() -> None:
    """Measures the loader on each data set and every infill, and writes rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        sets = data_sets(Path(folder), quick=given.quick)
        for name, dataset in sets.items():
            tell(f"swap: loader on {name}")
            backgrounds = run_infill(dataset, options=InfillOptions(infill="mean"), out=Path(folder) / f"{name.split()[0]}-bg")
            masked = train_data(dataset, size=SIZE, norm="imagenet")
            labelled = labelled_data(dataset, classes=label_classes(dataset), size=SIZE, norm="imagenet")
            for task, data in (("segmentation", masked), ("classification", labelled)):
                write_rows(loading(f"{task}, {name}", data, backgrounds, quick=given.quick))
        name, dataset = next(iter(sets.items()))
        tell(f"swap: infills on {name}")
        write_rows(fills(name, dataset, quick=given.quick))


def data_sets(folder: Path, *, quick: bool) -> dict[str, Dataset]:
    """Labelled pictures with masks, by name; each with two classes at least."""
    most = 16 if quick else 120
    found: dict[str, Dataset] = {}
    if DATA.is_dir():
        found["animals of 300 x 200"] = first(open_dataset(str(DATA / "animals4")), most)
        cats = open_dataset(str(DATA / "feral_cats"))
        found["photographs of 640 x 480"] = in_two_classes(first(cats, most))
    drawn = ComposeOptions(train=most, val=0, test=0, size=SIZE, sheet=0)
    found["drawn pictures of 224 x 224"] = open_dataset(str(run_compose(drawn, out=folder / "drawn")))
    return found


def first(dataset: Dataset, most: int) -> Dataset:
    """Samples from all over a data set, as training ones."""
    step = max(1, len(dataset) // most)
    return replace(dataset, samples=tuple(replace(s, split="train") for s in dataset.samples[::step][:most]))


@dataclass(frozen=True, kw_only=True)
class Renamed:
    """Masks in which the one class of every second sample is called otherwise."""

    masks: StampedSource
    others: frozenset[str]
    value: int

    def read(self, sample_id: str) -> LabelRuns:
        runs = self.masks.read(sample_id)
        table = np.arange(256, dtype=np.uint8)
        table[1] = self.value if sample_id in self.others else 1
        return relabelled(runs, table)

    def stamps(self, ids: Iterable[str]) -> Iterator[str]:
        return self.masks.stamps(ids)


def in_two_classes(dataset: Dataset) -> Dataset:
    """One class called two in turn, since swapping needs two; pictures and figures are the same."""
    assert dataset.masks is not None
    value = max(dataset.classes.ids) + 1
    classes = replace(dataset.classes, names=(*dataset.classes.names, "other"), ids=(*dataset.classes.ids, value))
    named = tuple(replace(s, label=classes.names[1 if n % 2 else -1]) for n, s in enumerate(dataset.samples))
    masks = Renamed(masks=dataset.masks, others=frozenset(s.id for s in named if s.label == "other"), value=value)
    return replace(dataset, classes=classes, samples=named, masks=masks)


def loading(name: str, data: TrainData, backgrounds: Path, *, quick: bool) -> list[Row]:
    """A picture from its file to an augmented array, with and without a swap."""
    data = replace(data, cache=PictureCache(0))
    bank = read_backgrounds(backgrounds)
    kept, read = (SwapDataset(data, replace(bank, cache=GroundCache(limit))) for limit in (CACHE_BYTES, 0))
    check(data, kept)
    how, turn = AUGMENTATIONS["label-flips"], itertools.count()
    assert how is not None

    def shown(swapped: SwapDataset | None) -> None:
        epoch, index = divmod(next(turn), len(data))
        picture, mask = data.read(index) if swapped is None else swapped[epoch, index]
        augmented(picture, mask, how=how, background=0, rng=sample_stream(seed=0, epoch=epoch, index=index))

    sides = {"plain": partial(shown, None), "kept": partial(shown, kept), "read": partial(shown, read)}
    for index in range(2 * len(data)):  # the first epochs, in which backgrounds are read for the first time
        kept[index // len(data), index % len(data)]
    seconds = take_turns(sides, rounds=3 if quick else 9, least_s=0.1 if quick else 2.0)
    return [
        Row(
            benchmark="swap",
            what=f"loader with swapping, {SIZE} x {SIZE}",
            on=f"{name}, one core, backgrounds {'kept in memory' if side == 'kept' else 'read from files'}",
            peer="the loader that decodes and augments",
            kind="times as fast",
            target=TARGET if side == "kept" else None,
            ours=duration(seconds[side].median),
            theirs=duration(seconds["plain"].median),
            **of_ratio(ratio(seconds["plain"], seconds[side])),
        )
        for side in ("kept", "read")
    ]


def check(data: TrainData, swapped: SwapDataset) -> None:
    """Pictures are swapped, and each epoch has others, or nothing is measured."""
    one, other, own = swapped[0, 0][0], swapped[1, 0][0], data.read(0)[0]
    if np.array_equal(one, own) or np.array_equal(one, other):
        raise SystemExit("pictures are not swapped")


def fills(name: str, dataset: Dataset, *, quick: bool) -> list[Row]:
    """Each infill against decoding the picture it fills."""
    assert dataset.masks is not None
    some = []
    for sample in dataset.samples[: 4 if quick else 24]:
        picture = cv2.resize(read_picture(str(sample.image)), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        figure = (dataset.masks.read(sample.id).dense() > 0).astype(np.uint8)
        hole = cv2.dilate(cv2.resize(figure, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST), np.ones((5, 5), np.uint8)).astype(bool)
        data = np.frombuffer(Path(str(sample.image)).read_bytes(), np.uint8)
        some.append((picture, hole, data))
    turn = itertools.count()

    def decode() -> None:
        cv2.imdecode(some[next(turn) % len(some)][2], cv2.IMREAD_COLOR)

    rows = []
    for kind in FILLS.names():
        fill, rng = open_fill(kind), np.random.default_rng(0)

        def one(fill=fill, rng=rng) -> None:
            picture, hole, _ = some[next(turn) % len(some)]
            filled(picture, hole, fill, rng)

        one()  # compiled before it is measured
        seconds = take_turns({"fill": one, "decode": decode}, rounds=3, least_s=0.1 if quick else 1.0)
        rows.append(
            Row(
                benchmark="swap",
                what=f"infill {kind}, {SIZE} x {SIZE}",
                on=f"{name}, holes of {np.mean([hole.mean() for _, hole, _ in some]):.0%}, one core",
                peer="decoding the picture",
                kind="times the peer",
                ours=f"{duration(seconds['fill'].median)}, {1 / seconds['fill'].median:.0f} a second",
                theirs=duration(seconds["decode"].median),
                **of_ratio(ratio(seconds["fill"], seconds["decode"])),
            )
        )
    return rows


if __name__ == "__main__":
    main()
