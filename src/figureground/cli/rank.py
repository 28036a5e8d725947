"""`figureground rank QUEUE PREDICTIONS...`: a test set that no model was trained on, and models ranked on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from figureground.cli.options import Config, Debug, Json, Out, with_options
from figureground.stages.rank.options import RankOptions

if TYPE_CHECKING:
    from figureground.stages.rank.result import Ranking

REASONS = {
    "out of domain": "out of domain",
    "trained on": "used for training",
    "object": "beyond the limit of their main object",
    "full": "beyond the size",
    "not given": "not in the set that was given",
}
"""What is said of candidates that are out."""


def rank(
    queue: Annotated[str, typer.Argument(help="What `mine` wrote: its samples are the candidates.", metavar="QUEUE")],
    out: Out,
    predictions: Annotated[
        list[str] | None,
        typer.Argument(help="Models to rank: png:DIR, npy:DIR or what `predict` wrote; NAME=... names one.", metavar="PREDICTIONS..."),
    ] = None,
    duel: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--duel", help="Predictions of two models, instead of PREDICTIONS: on samples of their own queue on which they differ most."
        ),
    ] = None,
    json_output: Json = False,
    config: Config = None,
    debug: Debug = False,
    *,
    options: RankOptions,
) -> None:
    """Choose a test set that no model was trained on, and rank models on it once its masks are there."""
    del config, debug
    from figureground import rounds
    from figureground.cli.terminal import print_json
    from figureground.core.errors import InputError
    from figureground.runs.progress import terminal_reporter

    if duel and predictions:
        raise InputError("--duel names the two models that compete; leave PREDICTIONS out")
    models = duel or predictions or ()
    found = rounds.rank(queue, models, out=out, options=options, duel=bool(duel), reporter=terminal_reporter())
    if json_output:
        print_json({"path": found.path, **found.counts, **found.details, "ranking": found.summary})
    else:
        _print(found)


def _print(found: Ranking) -> None:
    from rich.markup import escape
    from rich.table import Table

    from figureground.cli.summary import interval_cell
    from figureground.cli.terminal import make_console, print_table

    console, counts = make_console(), found.counts
    out = [f"{n} {REASONS[kind]}" for kind, n in found.details["decisions"].items() if kind in REASONS]
    left = f" Out: {', '.join(out)}." if out else ""
    console.print(f"{counts['samples']} of {counts['candidates']} candidates are the test set.{left}", markup=False, soft_wrap=True)
    console.print(found.sentence, markup=False, soft_wrap=True)
    if found.summary is None:
        for line in _what_to_do(found):
            console.print(line, markup=False, soft_wrap=True)
        return
    table = Table("model", box=None, header_style="bold", pad_edge=False)
    for name in ("mIoU", "mean mIoU", "Perron", "Thurstone"):
        table.add_column(name, justify="right")
    for one in found.summary["models"]:
        cells = [interval_cell(one[name]) for name in ("miou", "mean", "perron")]
        table.add_row(escape(one["model"]), *cells, interval_cell(one["thurstone"], plain=True))
    print_table(table)
    console.print(f"Picture: {found.path / 'ranking.svg'}", markup=False, soft_wrap=True)


def _what_to_do(found: Ranking) -> list[str]:
    """How to come by the masks that wait."""
    if not found.waiting:
        return ["Name the models: figureground rank QUEUE PREDICTIONS..."]
    if unchecked := found.details["unchecked"]:
        several = f"{unchecked} of those that wait have masks that were" if unchecked > 1 else "One of those that wait has a mask that was"
        return [f"{several} not accepted: have them checked, or take what was submitted with --masks submitted."]
    review = f"figureground review {found.path / 'test'} --worst 0 --out LABELS"
    return [f"Label them:   {review}", "Then again with --labels LABELS."]


VERB = with_options(RankOptions)(rank)
