"""Detectors from more and more labels, each trained by the one loop and judged on the same held-out pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from figureground.core.errors import Fault, FormatError, InputError, check_failures, may_leave_out
from figureground.core.progress import Reporter
from figureground.core.types import ClassTable, Sample
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal
from figureground.data.labelmap import encode_runs
from figureground.data.pixels import read_picture
from figureground.data.sources import MapsInMemory
from figureground.models.fit.checkpoint import LAST_GOOD
from figureground.models.fit.data import TrainData, train_data
from figureground.models.fit.devices import Devices
from figureground.models.fit.loop import FitResult, fit
from figureground.models.fit.networks import network_to_train, trained_spec
from figureground.models.fit.options import FitOptions
from figureground.models.grid import GridNetwork
from figureground.stages.detect.options import DetectOptions, curve_points, fit_options
from figureground.stages.detect.passage import Passage
from figureground.stages.detect.patches import PatchLabels

PATCHES = ClassTable(names=("background", "figure"))
"""The two classes of a patch; channel 0 is P(background)."""
FEWEST = 2
"""Labelled pictures below which none can be held out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """The labelled pictures that can be read, by role."""

    learned: tuple[str, ...]
    """In the order in which a curve takes them."""
    held_out: tuple[str, ...]
    figures: Mapping[str, np.ndarray]
    samples: Mapping[str, Sample]
    faults: tuple[Fault, ...]
    """Of labelled pictures that cannot be read."""

    def dataset(self, ids: Sequence[str], *, name: str) -> Dataset:
        """Pictures with their patches as masks, of the size of the grid."""
        maps = {one: encode_runs(self.figures[one].astype(np.uint8)) for one in ids}
        samples = tuple(Sample(id=one, image=self.samples[one].image) for one in ids)
        return Dataset(name=name, classes=PATCHES, samples=samples, masks=MapsInMemory(maps=maps))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taught:
    """A detector and how it came about."""

    result: FitResult
    options: FitOptions
    labels: int
    """Pictures that it learned from."""
    notes: tuple[str, ...]


def open_lesson(labels: PatchLabels, training: Dataset, options: DetectOptions) -> Lesson:
    """Reads every labelled picture once and parts them; those that come first are held out.

    Raises:
        FormatError: more pictures that cannot be read than `max_failures`.
        InputError: too few that can, or a part in which every patch is of one class.
    """
    samples, faults, readable = {one.id: one for one in training.samples}, list[Fault](), list[str]()
    for name in labels.figures:
        try:
            if (picture := samples[name].image) is None:
                raise refusal("missing-file", "it has patch labels and no picture", "Name its picture, or remove its labels", sample=name)
            read_picture(picture, sample=name)
            readable.append(name)
        except FormatError as error:
            faults.append(error.fault)
            with may_leave_out():
                check_failures(faults, options.max_failures)
    if len(readable) < FEWEST:
        raise InputError(f"at least {FEWEST} labelled pictures are needed, one of them to judge by; there are {len(readable)}. Label more")
    count = min(max(1, round(options.held_out * len(readable))), len(readable) - 1)
    lesson = Lesson(
        learned=tuple(readable[count:]), held_out=tuple(readable[:count]), figures=labels.figures, samples=samples, faults=tuple(faults)
    )
    for word, ids in (("learned from", lesson.learned), ("held out", lesson.held_out)):
        if len({bool(value) for one in ids for value in np.unique(labels.figures[one])}) < 2:
            raise InputError(
                f"the {len(ids)} labelled pictures that are {word} show one class of patches alone. Label more, or give another --seed"
            )
    return lesson


def points_of(lesson: Lesson, options: DetectOptions) -> tuple[int, ...]:
    """Numbers of labels that are learned from, ascending; the last is all of them."""
    return (*(point for point in curve_points(options) if point < len(lesson.learned)), len(lesson.learned))


def teach(
    lesson: Lesson, count: int, *, rows: int, columns: int, options: DetectOptions, state_dir: Path, devices: Devices, reporter: Reporter
) -> Taught:
    """Trains on the first `count` learned pictures, or goes on where that was interrupted."""
    told = fit_options(options, rows=rows, columns=columns, labels=count)
    network, notes = network_to_train(told, classes=len(PATCHES))
    result = fit(
        network,
        train=_data(lesson, lesson.learned[:count], options),
        val=_data(lesson, lesson.held_out, options),
        options=told,
        state_dir=state_dir,
        last_good=state_dir.parent.parent.with_suffix(f".{count}.{LAST_GOOD}"),
        reporter=reporter,
        devices=devices,
    )
    return Taught(result=result, options=told, labels=count, notes=notes)


def open_passage(taught: Taught, *, devices: Devices, collect: bool) -> Passage:
    """The detector, ready to run."""
    network = cast("GridNetwork", taught.result.network).to(devices.device).eval()
    spec = trained_spec(".", taught.options, classes=len(PATCHES), class_names=PATCHES.names)
    return Passage(network=network, spec=spec, device=devices.device, batch=taught.options.batch, collect=collect)


def held_out_grids(lesson: Lesson, passage: Passage) -> list[np.ndarray]:
    """P(background) of the held-out pictures, float32 [rows, columns] each."""
    found: list[Any] = [one for _, one in passage.outcomes([lesson.samples[name] for name in lesson.held_out])]
    if fault := next((one for one in found if isinstance(one, Fault)), None):
        raise FormatError(fault)  # it was readable when the lesson was opened
    return found


def _data(lesson: Lesson, ids: Sequence[str], options: DetectOptions) -> TrainData:
    return train_data(lesson.dataset(ids, name="patch labels"), size=options.size, norm=options.norm, patches=True)
