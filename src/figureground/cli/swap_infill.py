"""`figureground swap infill DATA`: backgrounds without their figures."""

from __future__ import annotations

from typing import Annotated

import typer

from figureground.cli.options import Config, Debug, Engine, Json, Out, Workers, with_options
from figureground.stages.swap.options import InfillOptions


def infill(
    data: Annotated[str, typer.Argument(help="Data set whose training pictures are used.", metavar="DATA")],
    out: Out,
    json_output: Json = False,
    workers: Workers = None,
    engine: Engine = "local",
    config: Config = None,
    debug: Debug = False,
    *,
    options: InfillOptions,
) -> None:
    """Cut the figures out of training pictures and fill the holes: the backgrounds that `swap build` draws from."""
    del config, debug
    from figureground import swaps
    from figureground.cli.terminal import print_json
    from figureground.data.backgrounds import GATES
    from figureground.runs.artifact import read_manifest
    from figureground.runs.progress import terminal_reporter

    path = swaps.swap_infill(data, out=out, options=options, workers=workers, engine=engine, reporter=terminal_reporter())
    manifest = read_manifest(path)
    if json_output:
        print_json({"path": path, **manifest.counts, "failures": manifest.failures, **manifest.details})
        return
    counts = manifest.counts
    typer.echo(f"{counts['cut']} figures of {counts['samples']} pictures can be cut out, {counts['backgrounds']} backgrounds filled.")
    for gate, n in manifest.details["gates"].items():
        if n:
            typer.echo(f"{n} x {gate}: {GATES[gate]}.")
    if n := manifest.failures:
        typer.echo(f"{n} {'picture' if n == 1 else 'pictures'} left out, see {path / 'failures.json'}")
    typer.echo(f"Backgrounds: {path}")


VERB = with_options(InfillOptions)(infill)
