"""The library calls behind the verbs that follow a mined round, beside those of `api`, which is as long as a file should be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from figureground.core.errors import InputError, needs_extra
from figureground.data.dataset import Dataset
from figureground.data.given import as_dataset, names_of
from figureground.data.predictions import Predictions, open_predictions
from figureground.loops.asking import Answers
from figureground.loops.recipe import read_recipe
from figureground.runs.progress import QuietReporter, Reporter
from figureground.stages.rank.options import RankOptions
from figureground.stages.rank.result import Ranking, open_ranking
from figureground.stages.repair.options import RepairOptions
from figureground.stages.train.result import Weights, read_weights

if TYPE_CHECKING:
    from figureground.loops.run import LoopResult


def repair(
    weights: str | Path | Weights,
    labels: str | Path | Sequence[str | Path],
    *,
    data: str | Path | Dataset,
    val: str | Path | Dataset | None = None,
    pool: str | Path | Dataset | None = None,
    out: str | Path,
    options: RepairOptions | None = None,
    reporter: Reporter | None = None,
) -> Weights:
    """Fine-tunes a trained network on labelled counterexamples and its training data, and returns the weights that were kept.

    Args:
        weights: of a training or an earlier repair: the directory, `weights:DIR?architecture=SPEC`, or what `train` returned.
        labels: labels artifacts, the oldest first.
        data: the data set that the network was trained on.
        val: the data set it was validated on; default `data`.
        pool: data set that was labelled, where labels do not name their pictures.
        out: directory to write; an interrupted repair goes on there.
        options: what is mixed, how it is learned, and what may be forgotten.
        reporter: where progress is told; default nowhere.

    Raises:
        ArtifactError: no labels artifact.
        FormatError: a faulty picture, mask or table.
        InputError: network, labels and data do not fit together, share pictures with the validation, or every candidate diverged.
        MissingExtra: a library that the network needs is not installed.
    """
    given = as_dataset(data)
    validated, pooled = given if val is None else as_dataset(val), None if pool is None else as_dataset(pool)
    with needs_extra("train", needed_for="repairing"):
        from figureground.stages.repair.stage import run_repair

    text = str(weights.path) if isinstance(weights, Weights) else str(weights)
    folders = [str(one) for one in ([labels] if isinstance(labels, str | Path) else labels)]
    told = reporter or QuietReporter()
    return read_weights(run_repair(text, folders, data=given, val=validated, pool=pooled, out=Path(out), options=options, reporter=told))


def rank(
    queue: str | Path,
    predictions: Sequence[str | Path | Predictions] = (),
    *,
    out: str | Path,
    options: RankOptions | None = None,
    duel: bool = False,
    reporter: Reporter | None = None,
) -> Ranking:
    """Chooses the test set of a queue, and ranks models on it where all its masks are there.

    Args:
        queue: the directory that `mine` wrote; its samples are the candidates.
        predictions: of at least two models: specs, `NAME=SPEC` to name one, or `Predictions`. None = the test set alone is chosen.
        out: directory to write; the same call finds there what it made.
        options: which candidates, whose masks, how models are ranked.
        duel: two models compete, on the samples of their own queue on which they disagree most.
        reporter: where notes and warnings are told; default nowhere.

    Raises:
        InputError: one model only, no candidate left, classes that differ, a test set that overlaps with training, or a duel of models that
            the queue is not of.
        FormatError: a prediction that is missing or faulty, or labels of samples that the queue does not have.
        ArtifactError: a directory that is no queue or no labels.
    """
    from figureground.stages.rank.queue import read_queue
    from figureground.stages.rank.stage import run_rank

    if isinstance(predictions, str | Path | Predictions):
        raise InputError("`predictions` must be a list of specs or Predictions; got one. A ranking needs at least two models")
    opened = read_queue(Path(queue))
    specs = [str(given) for given in predictions if not isinstance(given, Predictions)]
    names = iter(names_of(specs, dataset=opened.manifest.details["pool"]))
    models = [
        given if isinstance(given, Predictions) else open_predictions(str(given), opened.classes, name=next(names)) for given in predictions
    ]
    return open_ranking(
        run_rank(opened, models, options=options or RankOptions(), out=Path(out), duel=duel, reporter=reporter or QuietReporter())
    )


def loop(
    recipe: str | Path,
    *,
    out: str | Path | None = None,
    oracle: bool = False,
    answers: Answers | None = None,
    until: str = "",
    workers: int | None = 1,
    engine: str = "local",
    reporter: Reporter | None = None,
) -> LoopResult:
    """Goes on with the rounds of a loop until people are needed or all is done, and returns where it stands.

    Args:
        recipe: TOML file of the loop.
        out: directory of the loop; default that of the file's name without `.toml`, beside it.
        oracle: known truth answers instead of people, as `[oracle]` says.
        answers: who is asked otherwise; default nobody: it stops where people are needed.
        until: a state to stop after, `mined`, or one of a round, `2.mined`.
        workers: worker processes of mining, None = one per core; above 1, a script must guard its start with
            `if __name__ == "__main__"`.
        engine: where predictions and mining run.
        reporter: where progress is told; default nowhere.

    Raises:
        InputError: a recipe, data, models or labels that do not fit together.
        FormatError: a fault in the files.
        ArtifactError: something else stands in `out`.
        MissingExtra: a library that a network needs is not installed.
    """
    opened = read_recipe(Path(recipe))
    with needs_extra("train", needed_for="the loop, which repairs the target,"):
        from figureground.loops.models import Machine
        from figureground.loops.oracle import open_oracle
        from figureground.loops.run import run_loop

    asked = open_oracle(opened) if oracle else answers
    machine = Machine(engine=engine, workers=workers)
    return run_loop(opened, out=place_of(recipe, out), answers=asked, until=until, machine=machine, reporter=reporter)


def place_of(recipe: str | Path, out: str | Path | None) -> Path:
    """The directory of a loop: `out`, or one of the name of its file beside it."""
    return Path(out) if out is not None else Path(recipe).with_suffix("")
