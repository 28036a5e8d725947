"""The library calls behind `swap infill` and `swap build`, beside those of `api`, which is as long as a file should be."""

from __future__ import annotations

from pathlib import Path

from figureground.core.progress import QuietReporter, Reporter
from figureground.data.dataset import Dataset
from figureground.data.given import as_dataset
from figureground.runs.executor import open_executor
from figureground.stages.swap.options import BuildOptions, InfillOptions


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
