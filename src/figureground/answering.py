"""The library calls behind `figureground classify` and `refit`, beside those of `api`, which is as long as a file should be."""

from __future__ import annotations

from pathlib import Path

from figureground.core.errors import needs_extra
from figureground.data.dataset import Dataset
from figureground.data.given import as_dataset
from figureground.runs.progress import QuietReporter, Reporter
from figureground.stages.classify.options import ClassifyOptions
from figureground.stages.classify.result import Answers, open_answers
from figureground.stages.refit.options import RefitOptions
from figureground.stages.train.result import Weights, read_weights


def classify(
    model: str | Path | Weights,
    dataset: str | Path | Dataset,
    *,
    out: str | Path,
    options: ClassifyOptions | None = None,
    reporter: Reporter | None = None,
) -> Answers:
    """Classifies pictures and measures the answers: accuracy of every group, and how often one figure flips on another ground.

    Args:
        model: of a training with task classify: the directory, `weights:DIR`, or what `train` returned; or
            `timm:NAME?weights=FILE&names=A,B`.
        dataset: a DATA spec or a `Dataset`, with a label of each sample.
        out: directory to write; the same call finds there what it made.
        options: which samples, the columns of groups and figures, intervals.
        reporter: where progress is told; default nowhere.

    Raises:
        InputError: a network that is no classifier, a label that it does not know, or a column or split that is not there.
        FormatError: a faulty picture.
        MissingExtra: a library that the network needs is not installed.
    """
    with needs_extra("train", needed_for="classifying"):
        from figureground.stages.classify.stage import run_classify

    text = model.model if isinstance(model, Weights) else str(model)
    given = as_dataset(dataset)
    return open_answers(run_classify(text, given, options=options, out=Path(out), reporter=reporter or QuietReporter()))


def refit(
    weights: str | Path | Weights,
    dataset: str | Path | Dataset,
    *,
    out: str | Path,
    options: RefitOptions | None = None,
    reporter: Reporter | None = None,
) -> Weights:
    """Fits the last layer of a trained classifier again, so that its worst group fares better; the rest of the network stays.

    Args:
        weights: of a training with task classify: the directory, `weights:DIR`, or what `train` returned.
        dataset: a DATA spec or a `Dataset`, with a label and a context of each sample.
        out: directory to write; the same call finds there what it made.
        options: the method, which samples, what is tried.
        reporter: where progress is told; default nowhere.

    Raises:
        InputError: no classifier of `train`, one without a linear last layer, or samples that the method cannot be fitted to.
        FormatError: a faulty picture.
        MissingExtra: a library that the network needs is not installed.
    """
    with needs_extra("train", needed_for="refitting"):
        from figureground.stages.refit.stage import run_refit

    text = weights.model if isinstance(weights, Weights) else str(weights)
    given = as_dataset(dataset)
    return read_weights(run_refit(text, given, options=options, out=Path(out), reporter=reporter or QuietReporter()))
