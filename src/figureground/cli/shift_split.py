"""`figureground shift split DATA`: one test set, and training sets of one size at every correlation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from figureground.cli.options import Config, Debug, Engine, Json, Out, Workers, with_options
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
    """Split a data set at chosen correlations of class and context, around one balanced test set."""
    del config, debug
    import json

    from figureground import api
    from figureground.runs.artifact import read_manifest, to_json
    from figureground.runs.progress import terminal_reporter

    path = api.split(data, out=out, options=options, workers=workers, engine=engine, reporter=terminal_reporter())
    details = read_manifest(path).details
    if json_output:
        typer.echo(json.dumps({"path": str(path), **json.loads(to_json(dict(details)))}, ensure_ascii=False))
    else:
        _print(details, path)


def _print(details: Mapping[str, Any], path: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    groups = [(name, context) for name in details["classes"] for context in details["contexts"]]
    table = Table("set", box=None, header_style="bold", pad_edge=False)
    for name, context in groups:
        tied = details["common"].get(name) == context
        table.add_column(escape(f"{name}\n{context}{' *' if tied else ''}"), justify="right")
    table.add_column("samples", justify="right")
    table.add_column("data set", overflow="fold")
    for one in details["train"]:
        counts = [str(n) for row in one["groups"] for n in row]
        table.add_row(f"train {one['rho']:g}", *counts, str(one["samples"]), escape(str(path / one["folder"])))
    for split_name in ("val", "test"):
        each = details[split_name] // max(1, len(groups))
        table.add_row(split_name, *[str(each)] * len(groups), str(details[split_name]), "in each of them")
    console = Console(highlight=False)
    console.print(table)
    stability = details["context"].get("stability")
    found = f" Contexts were found, stability {stability:.2f}." if stability is not None else ""
    console.print(f"* the context that training ties to the class.{found} Samples in no set: {details['unused']}.", markup=False)


VERB = with_options(SplitOptions)(split)
