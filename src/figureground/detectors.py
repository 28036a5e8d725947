"""The library call behind `swap detect`, beside those of `api`, which is as long as a file should be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from figureground.core.errors import MissingExtra
from figureground.data.dataset import Dataset
from figureground.data.given import as_dataset
from figureground.runs.progress import QuietReporter, Reporter
from figureground.stages.detect.options import DetectOptions
from figureground.stages.detect.result import Detection, open_detection


def swap_detect(
    data: str | Path | Dataset,
    labels: str | Path | Sequence[str | Path] = (),
    *,
    out: str | Path,
    options: DetectOptions | None = None,
    reporter: Reporter | None = None,
) -> Detection:
    """Trains a detector of figure and background from patch labels, and applies it to every training picture.

    Args:
        data: a DATA spec or a `Dataset`; only its training pictures may be labelled.
        labels: labels artifacts with patch labels, as `review` writes them; none with `masks` truth of the options.
        out: directory to write; an interrupted run goes on there.
        options: what is learned, and from which labels.
        reporter: where progress is told; default nowhere.

    Raises:
        ArtifactError: no labels artifact.
        FormatError: a faulty picture, mask or table.
        InputError: labels, data, options and weights do not fit together.
        MissingExtra: timm or torch is not installed.
    """
    opened = as_dataset(data)
    folders = [str(one) for one in ([labels] if isinstance(labels, str | Path) else labels)]
    try:
        from figureground.stages.detect.stage import run_detect
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "torchvision", "safetensors"):
            raise
        raise MissingExtra(error.name, extra="timm", needed_for="training a detector") from error
    return open_detection(run_detect(opened, folders, options=options, out=Path(out), reporter=reporter or QuietReporter()))
