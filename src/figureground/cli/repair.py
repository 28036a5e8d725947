"""`figureground repair WEIGHTS --labels LABELS --data DATA`: fine-tunes a trained network with replay."""

from __future__ import annotations

from typing import Annotated

import typer

from figureground.cli.options import Config, Debug, Json, Out, with_options
from figureground.stages.repair.options import RepairOptions


def repair(
    weights: Annotated[
        str,
        typer.Argument(help="What train or repair wrote; weights:DIR?architecture=SPEC names Python code.", metavar="WEIGHTS"),
    ],
    out: Out,
    labels: Annotated[list[str], typer.Option("--labels", help="What `review` or `labels import` wrote. May be repeated.")],
    data: Annotated[str, typer.Option("--data", help="The data set that the network was trained on.")],
    val: Annotated[
        str | None, typer.Option("--val", help="The data set it was validated on. [default: that of --data]", show_default=False)
    ] = None,
    pool: Annotated[
        str | None, typer.Option("--pool", help="Data set that was labelled, where labels do not name their pictures.", show_default=False)
    ] = None,
    json_output: Json = False,
    config: Config = None,
    debug: Debug = False,
    *,
    options: RepairOptions,
) -> None:
    """Fine-tune a trained network on labelled counterexamples and its training data; keeps the best weights that forget little."""
    del config, debug
    from figureground import rounds
    from figureground.cli.terminal import print_json
    from figureground.runs.progress import terminal_reporter

    found = rounds.repair(weights, labels, data=data, val=val, pool=pool, out=out, options=options, reporter=terminal_reporter())
    if json_output:
        print_json({"path": found.path, **found.card})
    else:
        typer.echo(f"{found.sentence}\nWeights: weights:{found.path}")


VERB = with_options(RepairOptions)(repair)
