"""The balance table of a data set as a stage: measures every picture, compares the groups, writes one CSV file."""

from __future__ import annotations

from pathlib import Path

from figureground.core.errors import InputError
from figureground.core.whole_file import write_atomically
from figureground.data.dataset import Dataset
from figureground.runs.executor import Executor, LocalExecutor
from figureground.runs.progress import QuietReporter, Reporter
from figureground.stages.shift.balance import BalanceTable, balance_table
from figureground.stages.shift.choose_context import own_context
from figureground.stages.shift.measure import facts_of
from figureground.stages.shift.split_options import BalanceOptions


def run_balance(
    dataset: Dataset,
    *,
    options: BalanceOptions | None = None,
    out: Path | None = None,
    executor: Executor | None = None,
    reporter: Reporter | None = None,
) -> BalanceTable:
    """The balance table of the samples that have a label and a context; the others are counted in `left_out` and not read.

    Args:
        dataset: what has no mask or no picture lacks those facts.
        options: split, context, what is a cluster, and threshold.
        out: CSV file to write, whole or not at all; None = none.
        executor: where pictures are measured. Default: this process.
        reporter: where progress is told; default nowhere.

    Raises:
        InputError: no context column, no labels, an unknown split or attribute, or a file that cannot be written.
        FormatError: a mask or picture that cannot be read.
    """
    options, executor, reporter = options or BalanceOptions(), executor or LocalExecutor(), reporter or QuietReporter()
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise InputError(f"{out}: --out must be a file in a folder that is there. Choose another")
    chosen = own_context(dataset.select(split=options.split) if options.split else dataset, options.context)
    if not any(s.label for s in chosen.samples):
        raise InputError(f"{dataset.name}: no sample has a label, and groups are of class and context. Name the class of each sample")
    grouped = chosen.select(ids=[s.id for s in chosen.samples if s.label and chosen.attribute(s, "context")])
    clusters = [grouped.attribute(s, options.cluster) for s in grouped.samples] if options.cluster else None
    known = dict(zip(grouped.ids, facts_of(grouped, executor=executor, reporter=reporter), strict=True))
    labels, contexts = zip(*((s.label or "", chosen.attribute(s, "context")) for s in grouped.samples), strict=True)
    table = balance_table([known[i] for i in grouped.ids], labels, contexts, cluster=clusters, threshold=options.threshold)
    if out is not None:
        _write(out, table.to_csv())
    return table


def _write(out: Path, text: str) -> None:
    try:
        write_atomically(out, text.encode())
    except OSError as error:
        raise InputError(f"{out}: cannot write there ({error.strerror}). Choose another --out") from error
