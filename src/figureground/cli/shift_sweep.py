"""`figureground shift sweep RECIPE.toml`: the same data at several correlations, trained, tested and audited, in one table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from figureground.cli.options import Debug, Engine, Json, Out, Workers


def sweep(
    recipe: Annotated[Path, typer.Argument(help="TOML file with the tables compose, train and sweep.", metavar="RECIPE.toml")],
    out: Out,
    json_output: Json = False,
    workers: Workers = None,
    engine: Engine = "local",
    debug: Debug = False,
) -> None:
    """Train and audit a grid of networks: correlations x seeds x objectives x architectures; one table and one figure."""
    del debug
    from figureground import api
    from figureground.cli.summary import print_sweep
    from figureground.cli.terminal import print_json
    from figureground.runs.executor import available_cores
    from figureground.runs.progress import terminal_reporter

    cores = available_cores() if workers is None else workers
    table = api.sweep(recipe, out=out, workers=cores, engine=engine, reporter=terminal_reporter())
    rows, differences = (json.loads((table / name).read_text(encoding="utf-8")) for name in ("sweep.json", "differences.json"))
    if json_output:
        print_json(rows)
        return
    print_sweep(rows, differences, table)


VERB = sweep
