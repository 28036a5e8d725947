"""`figureground predict MODEL DATA`: label maps and risk of a model."""

from __future__ import annotations

from typing import Annotated

import typer

from figureground.cli.options import Config, Debug, Engine, Json, Out, with_options
from figureground.stages.predict.options import PredictOptions


def predict(
    model: Annotated[
        str, typer.Argument(help="Model: KIND:WHERE?key=value, for example smp:unet/resnet34?weights=w.safetensors.", metavar="MODEL")
    ],
    data: Annotated[str, typer.Argument(help="Data set whose pictures are predicted.", metavar="DATA")],
    out: Out,
    json_output: Json = False,
    actors: Annotated[
        int | None,
        typer.Option(
            "--actors",
            min=1,
            help="Processes that each open the model. [default: 1; with --engine ray one per GPU of the cluster, or per core]",
            show_default=False,
        ),
    ] = None,
    engine: Engine = "local",
    config: Config = None,
    debug: Debug = False,
    *,
    options: PredictOptions,
) -> None:
    """Predict label maps and risk scores; goes on where an interrupted run stopped."""
    del config, debug
    import dataclasses

    from figureground import api
    from figureground.cli.terminal import print_json
    from figureground.runs.artifact import read_manifest
    from figureground.runs.progress import terminal_reporter

    path = api.predict(model, data, out=out, options=options, actors=actors, engine=engine, reporter=terminal_reporter())
    if json_output:
        print_json({"path": path, **dataclasses.asdict(read_manifest(path))})
    else:
        typer.echo(f"Predictions: {path}")


VERB = with_options(PredictOptions)(predict)
