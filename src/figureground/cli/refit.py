"""`figureground refit WEIGHTS DATA`: fits the last layer of a trained classifier again."""

from __future__ import annotations

from typing import Annotated

import typer

from figureground.cli.options import Config, Debug, Json, Out, with_options
from figureground.stages.refit.options import RefitOptions


def refit(
    weights: Annotated[
        str,
        typer.Argument(help="Classifier that train wrote; weights:DIR?architecture=SPEC names Python code.", metavar="WEIGHTS"),
    ],
    data: Annotated[str, typer.Argument(help="Data set with pictures, labels and contexts.", metavar="DATA")],
    out: Out,
    json_output: Json = False,
    config: Config = None,
    debug: Debug = False,
    *,
    options: RefitOptions,
) -> None:
    """Fit the last layer of a trained classifier again, so that its worst group fares better; the rest of the network stays."""
    del config, debug
    from figureground import answering
    from figureground.cli.terminal import print_json
    from figureground.runs.progress import terminal_reporter

    found = answering.refit(weights, data, out=out, options=options, reporter=terminal_reporter())
    if json_output:
        print_json({"path": found.path, **found.card})
    else:
        typer.echo(f"{found.sentence}\nWeights: weights:{found.path}")


VERB = with_options(RefitOptions)(refit)
