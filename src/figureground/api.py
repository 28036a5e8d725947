"""The library calls behind the verbs of the command line.

What one call alone needs (plots, networks) is imported in that call, so that the others start quickly.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import InputError, MissingExtra, needs_extra
from figureground.data.dataset import Dataset
from figureground.data.given import PredictionsLike, as_dataset, as_predictions, names_of
from figureground.data.pool import open_pool, pool_of
from figureground.data.prediction_stream import stream_predictions
from figureground.models.fit.options import FitOptions
from figureground.runs.artifact import is_artifact, read_manifest
from figureground.runs.executor import open_executor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.result import group_table, read_summary
from figureground.stages.audit.stage import KIND, run_audit
from figureground.stages.mine.options import MineOptions
from figureground.stages.predict.options import PredictOptions
from figureground.stages.shift.compose_options import ComposeOptions
from figureground.stages.shift.split_options import BalanceOptions, SplitOptions
from figureground.stages.train.result import Weights, read_weights

if TYPE_CHECKING:
    from figureground.stages.shift.balance import BalanceTable


@dataclass(frozen=True, kw_only=True)
class Audit:
    """A finished audit: a directory of tables, and views on it."""

    path: Path
    """The artifact; temporary until `save` where no `out` was given."""
    summary: Mapping[str, Any]
    """The content of `audit.json`."""

    @property
    def sentence(self) -> str:
        """The finding in words; with several predictions, that of each."""
        if "sentence" in self.summary:
            return self.summary["sentence"]
        return "\n".join(f"{name}: {one['sentence']}" for name, one in self.summary["predictions"].items())

    def table(self, name: str = "samples") -> pa.Table:
        """One of the tables `samples`, `groups`, `counts`, `regions` as an Arrow table."""
        file = self.path / f"{name}.parquet"
        if not file.exists():
            raise InputError(f"`name` must be one of {', '.join(sorted(p.stem for p in self.path.glob('*.parquet')))}; got '{name}'")
        return pq.read_table(file)

    def by(self, *attributes: str) -> pa.Table:
        """Rates with intervals of the groups that share the values of some columns of `samples`, several crossed."""
        return group_table(self.path, attributes)

    def save(self, directory: str | Path) -> Audit:
        """Copies the artifact to a new directory and returns the audit there."""
        target = Path(directory)
        if target.exists() and not is_artifact(target):
            raise InputError(f"{target}: exists and is no audit. Choose a new directory")
        partial = target.with_name(target.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(self.path, partial)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        return open_audit(target)

    def report(self, file: str | Path) -> Path:
        """Writes the report as one HTML file and returns its path."""
        from figureground.report.page import write_report

        return write_report(self.path, Path(file))


def audit(
    dataset: str | Path | Dataset | Mapping[str, np.ndarray],
    predictions: PredictionsLike | Sequence[PredictionsLike],
    *,
    by: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    out: str | Path | None = None,
    options: AuditOptions | None = None,
    workers: int = 1,
    engine: str = "local",
    reporter: Reporter | None = None,
) -> Audit:
    """Audits one or several predictions against masks: correct, flipped, missed and added, by group, with intervals.

    Args:
        dataset: a DATA spec, a `Dataset`, or masks as sample id -> integer array [height, width] (then `classes` are their names).
        predictions: a predictions spec, `Predictions`, or sample id -> integer array [height, width]; or a list of those.
        by: attributes that make groups; several are crossed. Default: class and context, where there are any.
        classes: class names in id order, background first, where `dataset` holds arrays.
        out: directory to write; default a temporary one that lives as long as the result.
        options: everything else; `by` wins over its `by`.
        workers: worker processes; above 1, a script must guard its start with `if __name__ == "__main__"`.
        engine: where the work runs.
        reporter: where progress is told; default nowhere.

    Raises:
        FormatError: a faulty mask, prediction or table.
        InputError: arguments that do not fit together.
    """
    data = as_dataset(dataset, classes)
    given = as_predictions(predictions, data)
    chosen = options or AuditOptions()
    chosen = replace(chosen, by=tuple(by)) if by else chosen
    scratch = tempfile.mkdtemp(prefix="figureground-") if out is None else None
    target = Path(scratch) / "audit" if scratch else Path(str(out))
    try:
        executor = open_executor(engine, workers=workers)
        path = run_audit(data, given, options=chosen, out=target, executor=executor, reporter=reporter or QuietReporter())
        result = Audit(path=path, summary=read_summary(path))
    except BaseException:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    if scratch is not None:
        weakref.finalize(result, shutil.rmtree, scratch, ignore_errors=True)
    return result


def predict(
    model: str,
    dataset: str | Path | Dataset,
    *,
    out: str | Path,
    options: PredictOptions | None = None,
    actors: int | None = None,
    engine: str = "local",
    reporter: Reporter | None = None,
) -> Path:
    """Predicts label maps and risk scores, and returns the directory of the predictions.

    Args:
        model: a MODEL spec such as `smp:unet/resnet34?weights=w.safetensors&classes=3`.
        dataset: a DATA spec or a `Dataset`; its pictures are read, masks are not needed.
        out: directory to write; an interrupted run goes on there.
        options: device, batch, window and the like.
        actors: processes that each open the model. None = this process alone; with the engine `ray` one per GPU of the cluster, or one
            per core where it has no GPU or `device` is `cpu`. Locally, above 1, a script must guard its start with
            `if __name__ == "__main__"`.
        engine: where the work runs.
        reporter: where progress is told; default nowhere.

    Raises:
        FormatError: a picture that cannot be read.
        InputError: a model that cannot be built or does not fit the classes.
        MissingExtra: the model's library is not installed.
    """
    from figureground.stages.predict.stage import run_predict

    options = options or PredictOptions()
    workers = 1 if actors is None and engine == "local" else actors
    executor = open_executor(engine, workers=workers, accelerator=options.device != "cpu")
    return run_predict(model, as_dataset(dataset), options=options, out=Path(out), executor=executor, reporter=reporter or QuietReporter())


def compose(
    out: str | Path,
    *,
    options: ComposeOptions | None = None,
    workers: int | None = 1,
    engine: str = "local",
    reporter: Reporter | None = None,
) -> Path:
    """Composes a data set whose classes and contexts are tied as strongly as asked, and returns its directory.

    Args:
        out: directory to write; an interrupted run goes on there.
        options: kind, classes, contexts, rho, numbers of pictures and the like; default: drawn figures, two classes, two contexts.
        workers: worker processes, None = one per core; above 1, a script must guard its start with `if __name__ == "__main__"`.
        engine: where the work runs.
        reporter: where progress is told; default nowhere.

    Raises:
        InputError: options that do not fit together or the data.
        FormatError: a file that is needed cannot be read.
    """
    from figureground.stages.shift.compose import run_compose

    executor = open_executor(engine, workers=workers)
    return run_compose(options or ComposeOptions(), out=Path(out), executor=executor, reporter=reporter or QuietReporter())


def sweep(
    recipe: str | Path,
    *,
    out: str | Path,
    workers: int | None = 1,
    engine: str = "local",
    reporter: Reporter | None = None,
) -> Path:
    """Trains and audits a grid of networks on data of several correlations, and returns the directory of the table.

    Args:
        recipe: TOML file with the tables `compose`, `train` and `sweep`.
        out: directory to write; an interrupted sweep goes on there.
        workers: networks trained at a time, None = one per core; above 1, a script must guard its start with
            `if __name__ == "__main__"`.
        engine: where the work runs.
        reporter: where progress is told; default nowhere.

    Raises:
        InputError: a recipe that cannot be read or does not fit together.
        MissingExtra: torch is not installed.
    """
    from figureground.sweeps.recipe import read_recipe
    from figureground.sweeps.run import run_sweep

    executor = open_executor(engine, workers=workers)
    return run_sweep(read_recipe(Path(recipe)), out=Path(out), executor=executor, reporter=reporter or QuietReporter())


def train(
    dataset: str | Path | Dataset,
    *,
    out: str | Path,
    options: FitOptions | None = None,
    reporter: Reporter | None = None,
) -> Weights:
    """Trains a segmentation network and returns its weights; an interrupted training goes on where it stopped.

    Args:
        dataset: a DATA spec or a `Dataset`, with pictures and masks.
        out: directory to write.
        options: what is trained, and how; `make_fit_options({"preset": "label-flips"})` for a recipe.
        reporter: where progress is told; default nowhere.

    Raises:
        FormatError: a faulty picture or mask.
        InputError: options, data, network and weights do not fit together, or the loss is no longer a number.
        MissingExtra: a library that the options ask for is not installed.
    """
    data = as_dataset(dataset)  # first: its faults are told at once, and torch takes seconds to import
    with needs_extra("train", needed_for="training"):
        from figureground.stages.train.stage import run_train

    return read_weights(run_train(data, options=options, out=Path(out), reporter=reporter or QuietReporter()))


def mine(
    pool: str | Path | Dataset,
    target: str | Path,
    rivals: Sequence[str | Path] = (),
    *,
    out: str | Path,
    options: MineOptions | None = None,
    workers: int | None = 1,
    engine: str = "local",
    reporter: Reporter | None = None,
) -> Path:
    """Chooses the samples of a pool on which a target and its rivals disagree most, and returns the directory of the queue.

    Args:
        pool: a DATA spec or a `Dataset`; masks are not needed.
        target: a spec of the target's predictions, `NAME=SPEC` to name it.
        rivals: specs of the rivals' predictions.
        out: directory to write.
        options: which samples, and how many.
        workers: worker processes, None = one per core; above 1, a script must guard its start with `if __name__ == "__main__"`.
        engine: where the work runs.
        reporter: where progress and warnings are told; default nowhere.

    Raises:
        InputError: options, models and pool do not fit together.
        FormatError: predictions that are missing or faulty, unless `max_failures` allows it.
    """
    from figureground.stages.mine.stage import run_mine

    opened = pool_of(pool) if isinstance(pool, Dataset) else open_pool(str(pool))
    chosen = options or MineOptions()
    specs = [str(spec) for spec in (target, *rivals)]
    renamed = {text.partition(":")[0] for text in chosen.class_map}
    names = names_of(specs, dataset=opened.name)
    streams = [stream_predictions(spec, opened.classes, name=name, raw=name in renamed) for spec, name in zip(specs, names, strict=True)]
    executor = open_executor(engine, workers=workers)
    return run_mine(opened, streams[0], streams[1:], options=chosen, out=Path(out), executor=executor, reporter=reporter)


def split(
    dataset: str | Path | Dataset,
    *,
    out: str | Path,
    options: SplitOptions,
    workers: int | None = 1,
    engine: str = "local",
    reporter: Reporter | None = None,
) -> Path:
    """Splits a data set at chosen correlations of class and context, and returns the directory; each is a data set at `rho-<rho>` in it.

    Args:
        dataset: a DATA spec or a `Dataset` with a class for each sample.
        out: directory to write.
        options: correlations, sizes, where the context comes from, scenes and seed.
        workers: worker processes, None = one per core; above 1, a script must guard its start with `if __name__ == "__main__"`.
        engine: where the work runs.
        reporter: where progress and warnings are told; default nowhere.

    Raises:
        InputError: no context, one class only, or a group too small; the message says what is possible.
        FormatError: a mask or picture that cannot be read.
    """
    from figureground.stages.shift.split_stage import run_split

    executor = open_executor(engine, workers=workers)
    return run_split(as_dataset(dataset), options=options, out=Path(out), executor=executor, reporter=reporter or QuietReporter())


def balance(
    dataset: str | Path | Dataset,
    *,
    options: BalanceOptions | None = None,
    out: str | Path | None = None,
    workers: int | None = 1,
    engine: str = "local",
    reporter: Reporter | None = None,
) -> BalanceTable:
    """Compares object area, place, number, border contact, brightness and sharpness between the groups of class and context.

    Args:
        dataset: a DATA spec or a `Dataset` with classes and contexts.
        options: split, context, cluster, and the mark above which a difference is a warning.
        out: CSV file to write; default none.
        workers: worker processes, None = one per core; above 1, a script must guard its start with `if __name__ == "__main__"`.
        engine: where the work runs.
        reporter: where progress is told; default nowhere.

    Raises:
        InputError: no context or no label, a split that is not there, or a file that cannot be written.
        FormatError: a mask or picture that cannot be read.
    """
    from figureground.stages.shift.balance_stage import run_balance

    target = None if out is None else Path(out)
    executor = open_executor(engine, workers=workers)
    return run_balance(
        as_dataset(dataset), options=options or BalanceOptions(), out=target, executor=executor, reporter=reporter or QuietReporter()
    )


def demo(out: str | Path, *, seed: int = 0, workers: int | None = 1, reporter: Reporter | None = None) -> Audit:
    """The whole story without a download: draws pictures, trains a network that learns a shortcut and one that does not, audits both.

    Args:
        out: directory to write; an interrupted demo goes on there.
        seed: of the pictures, the trainings and the bootstrap.
        workers: worker processes, None = one per core; from 2 on both networks are trained at once, and a script must guard its start
            with `if __name__ == "__main__"`.
        reporter: where progress is told; default nowhere.

    Raises:
        ArtifactError: something else stands where a part of the demo belongs.
        InputError: a directory that cannot be written.
        MissingExtra: torch or segmentation_models_pytorch is not installed; said before anything is drawn.
    """
    from figureground.sweeps.demo_plan import demo_plan

    plan = demo_plan(seed)
    for package in ("torch", "torchvision", "safetensors", "segmentation_models_pytorch"):
        if find_spec(package) is None:
            raise MissingExtra(package, extra="smp", needed_for="the demo, which trains two networks,")
    from figureground.sweeps.demo import run_demo

    executor = open_executor(workers=workers)
    return open_audit(run_demo(plan, out=Path(out), executor=executor, reporter=reporter or QuietReporter()))


def open_audit(directory: str | Path) -> Audit:
    """The audit that stands in a directory; anything else raises `ArtifactError`."""
    path = Path(directory)
    read_manifest(path, kind=KIND)
    return Audit(path=path, summary=read_summary(path))
