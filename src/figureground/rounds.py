"""The library calls behind the verbs that follow a mined round, beside those of `api`, which is as long as a file should be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from figureground.core.errors import InputError
from figureground.data.given import names_of
from figureground.data.predictions import Predictions, open_predictions
from figureground.runs.progress import QuietReporter, Reporter
from figureground.stages.rank.options import RankOptions
from figureground.stages.rank.result import Ranking, open_ranking


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
