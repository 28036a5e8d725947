"""`figureground swap build BG --data DATA`: a training set whose ground says nothing of the label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from figureground.cli.options import Config, Debug, Engine, Json, Out, Workers, with_options
from figureground.stages.swap.options import BuildOptions


def build(
    backgrounds: Annotated[Path, typer.Argument(help="Directory that `swap infill` wrote.", metavar="BG")],
    out: Out,
    data: Annotated[str, typer.Option("--data", help="Data set that the backgrounds were made of.")],
    json_output: Json = False,
    workers: Workers = None,
    engine: Engine = "local",
    config: Config = None,
    debug: Debug = False,
    *,
    options: BuildOptions,
) -> None:
    """Set each figure on backgrounds of all classes alike, and prove that the ground then says nothing of the label."""
    del config, debug
    from figureground import swaps
    from figureground.cli.terminal import print_json
    from figureground.runs.artifact import read_manifest
    from figureground.runs.progress import terminal_reporter
    from figureground.stages.swap.build import PROOF
    from figureground.stages.swap.proof import proof_sentence

    path = swaps.swap_build(backgrounds, data, out=out, options=options, workers=workers, engine=engine, reporter=terminal_reporter())
    found = json.loads((path / PROOF).read_text(encoding="utf-8"))
    if json_output:
        print_json({"path": path, **found})
        return
    typer.echo(proof_sentence(found))
    if n := read_manifest(path).failures:
        typer.echo(f"{n} {'picture' if n == 1 else 'pictures'} left out, see {path / 'failures.json'}")
    typer.echo(f"Data set: {path}")


VERB = with_options(BuildOptions)(build)
