"""What the model before says of training samples, computed once and kept in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from figureground.core.progress import Reporter
from figureground.models.fit.checkpoint import write_whole
from figureground.models.fit.devices import Devices
from figureground.models.fit.distil import KeptLogits
from figureground.models.fit.evaluate import Validation, figures_on
from figureground.models.fit.loader import BatchMaker, Loader, Part
from figureground.models.fit.networks import Network
from figureground.models.fit.objectives import validation_objective
from figureground.models.fit.options import FitOptions
from figureground.models.fit.precision import open_precision, reproducible
from figureground.models.fit.samples import TrainData
from figureground.models.fit.step import forward


def figures_before(network: Network, data: TrainData, *, options: FitOptions, devices: Devices) -> Validation:
    """The figures of a network on samples as they are, by the same arithmetic as after an epoch of training.

    Args:
        network: the model before; it stays as it is.
        data: the samples.
        options: `batch`, `objective`, `precision` and `workers` are looked at.
        devices: where it runs; every process calls this.

    Raises:
        FormatError: a faulty picture or mask.
    """
    objective = validation_objective(options, classes=data.classes).to(devices.device)
    autocast = open_precision(options.precision, devices.device).autocast
    with reproducible(devices.device), Loader(data, options=options, train=False) as loader:
        placed = network.to(devices.device)
        return figures_on(placed, objective, loader, data, options=options, devices=devices, autocast=autocast)


def keep_logits(
    network: Network,
    data: TrainData,
    indices: Sequence[int],
    *,
    kept: KeptLogits,
    options: FitOptions,
    devices: Devices,
    reporter: Reporter,
) -> None:
    """Writes the logits of a network for some samples as float16 files; those that are there already stay.

    Samples go through the network in the same batches whenever the call is made, so that an interrupted call ends with the same files.

    Args:
        network: the model before.
        data: the samples, as training reads them.
        indices: numbers of the samples.
        kept: where the files stand, or will.
        options: `batch` and `precision` are looked at.
        devices: where the network runs; one process alone calls this.
        reporter: where progress is told.

    Raises:
        InputError: the disk is full or may not be written; what was written stays.
        FormatError: a faulty picture or mask.
    """
    groups = [list(indices[start : start + options.batch]) for start in range(0, len(indices), options.batch)]
    waiting = [group for group in groups if not all(kept.file(index).exists() for index in group)]
    if not waiting:
        return
    kept.folder.mkdir(parents=True, exist_ok=True)
    maker = BatchMaker.plain(data)
    autocast = open_precision(options.precision, devices.device).autocast
    network = network.to(devices.device).eval()
    total, done = sum(map(len, groups)), sum(map(len, groups)) - sum(map(len, waiting))
    with (
        reproducible(devices.device),
        torch.inference_mode(),
        reporter.track("the model before", total=total, unit="samples", done=done) as progress,
    ):
        for group in waiting:
            part = Part(epoch=0, indices=np.array(group), turns=np.zeros(len(group), np.int64))
            shown = maker.pictures(part)
            with autocast():
                logits = forward(network, maker.finished(shown, part).images.to(devices.device), classes=len(data.classes))
            for index, one, planes in zip(group, shown, logits.to("cpu", torch.float16).numpy(), strict=True):
                height, width = one.mask.shape
                _write(kept, index, planes[:, :height, :width])
            progress.advance(len(group))


def _write(kept: KeptLogits, index: int, planes: np.ndarray) -> None:
    def save(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, np.ascontiguousarray(planes))

    write_whole(kept.file(index), save)
