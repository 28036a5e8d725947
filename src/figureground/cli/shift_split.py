"""`figureground shift split DATA`: one test set, and training sets of one size at every correlation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from figureground.cli.options import Config, Debug, Engine, Json, Out, Workers, with_options
from figureground.core.ties import own_contexts
from figureground.stages.shift.split_options import SplitOptions


def split(
    data: Annotated[str, typer.Argument(help="Data set with a class and a context: a directory, or KIND:WHERE.", metavar="DATA")],
    out: Out,
    json_output: Json = False,
    workers: Workers = None,
    engine: Engine = "local",
    config: Config = None,
    debug: Debug = False,
    *,
    options: SplitOptions,
) -> None:
    """Split a data set at chosen correlations of class and context, around one balanced test set.

    In the JSON, `val` and `test` are the samples of all groups together; every group has the same number of them.
    """
    del config, debug
    from figureground import api
    from figureground.cli.terminal import print_json
    from figureground.runs.artifact import read_manifest
    from figureground.runs.progress import terminal_reporter

    path = api.split(data, out=out, options=options, workers=workers, engine=engine, reporter=terminal_reporter())
    details = read_manifest(path).details
    if json_output:
        print_json({"path": path, **details})
    else:
        _print(details, path)


def _print(details: Mapping[str, Any], path: Path) -> None:
    from rich.markup import escape
    from rich.table import Table

    from figureground.cli.terminal import make_console, print_table

    table = Table("class", "context", box=None, header_style="bold", pad_edge=False)
    for name in (*(f"train\nrho {one['rho']:g}" for one in details["train"]), "val", "test"):
        table.add_column(name, justify="right")
    groups = [(name, context) for name in details["classes"] for context in details["contexts"]]
    each = [details[name] // len(groups) for name in ("val", "test")]
    for place, (name, context) in enumerate(groups):
        row, column = divmod(place, len(details["contexts"]))
        tied = " *" if context in own_contexts(details["common"], name) else ""
        numbers = [one["groups"][row][column] for one in details["train"]]
        table.add_row(escape(name), escape(context + tied), *map(str, (*numbers, *each)))
    table.add_row("all", "", *(str(one["samples"]) for one in details["train"]), str(details["val"]), str(details["test"]), style="bold")
    console = make_console()
    print_table(table)
    stability = details["context"].get("stability")
    found = f" Contexts were found, stability {stability:.2f}." if stability is not None else ""
    console.print(
        f"* training ties the class to this context.{found} {details['unused']} samples are in no set.", markup=False, soft_wrap=True
    )
    if (sheet := path / "sheet.jpg").exists():
        console.print(f"Contact sheet: {sheet}", markup=False, soft_wrap=True)
    for one in details["train"]:
        console.print(f"rho {one['rho']:g}: {path / one['folder']}", markup=False, soft_wrap=True)


VERB = with_options(SplitOptions)(split)
