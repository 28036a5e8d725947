"""The library calls behind `swap detect`, `swap infill` and `swap build`, beside those of `api`, which is as long as a file should be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from figureground.core.errors import needs_extra
from figureground.core.progress import QuietReporter, Reporter
from figureground.data.dataset import Dataset
from figureground.data.given import as_dataset
from figureground.runs.executor import open_executor
from figureground.stages.detect.options import DetectOptions
from figureground.stages.detect.result import Detection, open_detection
from figureground.stages.swap.options import BuildOptions, InfillOptions


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
    with needs_extra("timm", needed_for="training a detector"):
        from figureground.stages.detect.stage import run_detect
    return open_detection(run_detect(opened, folders, options=options, out=Path(out), reporter=reporter or QuietReporter()))


def swap_infill(
    dataset: str | Path | Dataset,
    *,
    out: str | Path,
    options: InfillOptions | None = None,
    workers: int | None = 1,
    engine: str = "local",
    reporter: Reporter | None = None,
) -> Path:
    """Cuts the figures out of training pictures, fills the holes, and returns the directory of the backgrounds.

    Args:
        dataset: a DATA spec or a `Dataset` with a label for each sample, or with masks.
        out: directory to write; an interrupted run goes on there.
        options: where figures are, and what fills their holes.
        workers: worker processes, None = one per core; above 1, a script must guard its start with `if __name__ == "__main__"`.
        engine: where the work runs.
        reporter: where progress is told; default nowhere.

    Raises:
        InputError: masks that do not fit the data, one class only, or an infill that cannot be opened.
        FormatError: a picture or mask that cannot be read.
        MissingExtra: the library that runs an inpainting network is not installed.
    """
    from figureground.stages.swap.infill import run_infill

    executor = open_executor(engine, workers=workers)
    return run_infill(as_dataset(dataset), options=options, out=Path(out), executor=executor, reporter=reporter or QuietReporter())


def swap_build(
    backgrounds: str | Path,
    dataset: str | Path | Dataset,
    *,
    out: str | Path,
    options: BuildOptions | None = None,
    workers: int | None = 1,
    engine: str = "local",
    reporter: Reporter | None = None,
) -> Path:
    """Writes training pictures whose ground says nothing of their label as a data set with its proof, and returns the directory.

    Args:
        backgrounds: directory that `swap_infill` returned.
        dataset: the data set it was made of.
        out: directory to write; an interrupted run goes on there.
        options: how figures are set on grounds, and how many copies there are.
        workers: worker processes, None = one per core; above 1, a script must guard its start with `if __name__ == "__main__"`.
        engine: where the work runs.
        reporter: where progress is told; default nowhere.

    Raises:
        ArtifactError: there are no backgrounds.
        InputError: backgrounds of other data, or a class that has none.
        FormatError: a picture or mask that cannot be read.
    """
    from figureground.stages.swap.build import run_build

    executor = open_executor(engine, workers=workers)
    given, told = as_dataset(dataset), reporter or QuietReporter()
    return run_build(Path(backgrounds), given, options=options, out=Path(out), executor=executor, reporter=told)
