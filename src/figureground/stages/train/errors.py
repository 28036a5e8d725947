"""What a first model got wrong, shown more often in the second training: Just Train Twice (arXiv 2107.09044)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from figureground.core.errors import InputError
from figureground.core.progress import Reporter
from figureground.data.dataset import Dataset
from figureground.data.faults import some
from figureground.data.tables import read_table, unique_ids
from figureground.models.fit.options import FitOptions
from figureground.models.fit.plans import Repeated

_ANSWERS = "answers.parquet"


def repeated_errors(train: Dataset, options: FitOptions, reporter: Reporter) -> Repeated:
    """How often each training sample is shown: `upweight` times where the first model was wrong, else once.

    `errors_of` is a table with `id` and `answer`, the directory of one that `classify` wrote, or weights, which then answer here.

    Raises:
        InputError: no such table or weights, training samples without an answer, or not a single error.
        FormatError: a faulty table or picture.
    """
    where = options.errors_of
    answers = _told(where, train) if _is_table(where) else _asked(where, train, options, reporter)
    wrong = np.array([answer != sample.label for answer, sample in zip(answers, train.samples, strict=True)], bool)
    if not wrong.any():
        raise InputError(
            f"`errors_of` {where}: it is right about all {len(train)} training samples, so none would be shown more often. Give a model "
            "that was trained for fewer epochs"
        )
    return Repeated(times=np.where(wrong, options.upweight, 1).astype(np.int64))


def _is_table(where: str) -> bool:
    return where.endswith((".csv", ".parquet")) or (Path(where) / _ANSWERS).is_file()


def _told(where: str, train: Dataset) -> list[str]:
    """The answers of a table, in the order of the samples."""
    file = where if where.endswith((".csv", ".parquet")) else str(Path(where) / _ANSWERS)
    table = read_table(file)
    table.require("answer")
    rows = dict(zip(unique_ids(table), table.rows, strict=True))
    if missing := [i for i in train.ids if i not in rows]:
        raise InputError(
            f"{file}: says nothing of the training samples {some(missing)}. Classify the training split: figureground classify MODEL DATA "
            "--split train"
        )
    return [rows[i]["answer"] for i in train.ids]


def _asked(where: str, train: Dataset, options: FitOptions, reporter: Reporter) -> list[str]:
    """The answers of a trained classifier."""
    from figureground.models.classifier import open_classifier, probabilities

    first = open_classifier(where)
    device = "cpu" if options.device == "accelerate" else options.device
    found = probabilities(first, train, batch=options.batch, workers=options.workers, device=device, reporter=reporter)
    return [first.names[place] for place in found.argmax(1)]
