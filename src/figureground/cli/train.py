"""`figureground train DATA`: trains a segmentation network, or a classifier."""

from __future__ import annotations

from typing import Annotated

import typer

from figureground.cli.options import Config, Debug, Json, Out, with_options
from figureground.models.fit.options import FitOptions, make_fit_options


def train(
    data: Annotated[str, typer.Argument(help="Data set with pictures and masks, or for --task classify labels.", metavar="DATA")],
    out: Out,
    json_output: Json = False,
    config: Config = None,
    debug: Debug = False,
    *,
    options: FitOptions,
) -> None:
    """Train a network, with --task classify a classifier, and write its weights, card and curves; goes on where a run stopped."""
    del config, debug
    import json

    from figureground import api
    from figureground.cli.terminal import print_json
    from figureground.runs.progress import terminal_reporter

    weights = api.train(data, out=out, options=options, reporter=terminal_reporter())
    if json_output:
        card = json.loads((weights.path / "card.json").read_text(encoding="utf-8"))
        print_json({"path": weights.path, **card})
    else:
        typer.echo(f"{weights.sentence}\nWeights: weights:{weights.path}")


VERB = with_options(FitOptions, make=make_fit_options)(train)
