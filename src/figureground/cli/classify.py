"""`figureground classify MODEL DATA`: answers of a classifier, right by group and under another ground."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from figureground.cli.options import Config, Debug, Json, Out, with_options
from figureground.stages.classify.options import ClassifyOptions

if TYPE_CHECKING:
    from figureground.stages.classify.result import Answers


def classify(
    model: Annotated[
        str, typer.Argument(help="Classifier: weights:DIR of a training, or timm:NAME?weights=FILE&names=A,B.", metavar="MODEL")
    ],
    data: Annotated[str, typer.Argument(help="Data set with pictures and labels.", metavar="DATA")],
    out: Out,
    json_output: Json = False,
    config: Config = None,
    debug: Debug = False,
    *,
    options: ClassifyOptions,
) -> None:
    """Classify pictures; say how often answers are right in each group, and how often they change with the ground."""
    del config, debug
    from figureground import answering
    from figureground.cli.terminal import print_json
    from figureground.runs.progress import terminal_reporter

    found = answering.classify(model, data, out=out, options=options, reporter=terminal_reporter())
    if json_output:
        print_json({"path": found.path, **found.summary})
    else:
        _print(found)


def _print(found: Answers) -> None:
    from rich.markup import escape
    from rich.table import Table

    from figureground.cli.summary import interval_cell
    from figureground.cli.terminal import make_console, print_table

    summary, console = found.summary, make_console()
    console.print(found.sentence, markup=False, soft_wrap=True)
    table = Table("group", "samples", "accuracy", box=None, header_style="bold", pad_edge=False)
    for one in summary["groups"]:
        table.add_row(escape(one["group"]), str(one["samples"]), interval_cell({"value": one["accuracy"], **one}))
    for name, words in (
        ("mean_group_accuracy", "mean of groups"),
        ("adjusted_accuracy", "as training is grouped"),
        ("worst_group_accuracy", "worst group"),
    ):
        table.add_row(words, "", interval_cell(summary[name]))
    print_table(table)
    if summary["flip_rates"]:
        table = Table("class", "figures", "flipped on another ground", box=None, header_style="bold", pad_edge=False)
        for label, one in summary["flip_rates"].items():
            table.add_row(escape(label), str(one["figures"]), interval_cell(one))
        print_table(table)
    console.print(f"Answers: {found.path}", markup=False, soft_wrap=True)


VERB = with_options(ClassifyOptions)(classify)
