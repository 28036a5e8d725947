"""`figureground shift compose`: a data set whose classes and contexts are tied as strongly as asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from figureground.cli.options import Config, Debug, Engine, Json, Out, Workers, with_options
from figureground.core.ties import own_contexts, tied_contexts
from figureground.stages.shift.compose_options import ComposeOptions


def compose(
    out: Out,
    json_output: Json = False,
    workers: Workers = None,
    engine: Engine = "local",
    config: Config = None,
    debug: Debug = False,
    *,
    options: ComposeOptions,
) -> None:
    """Compose pictures with exact masks: class and context tied in training, every group alike in validation and test."""
    del config, debug
    import dataclasses

    from figureground import api
    from figureground.cli.terminal import print_json
    from figureground.runs.artifact import read_manifest
    from figureground.runs.progress import terminal_reporter

    path = api.compose(out, options=options, workers=workers, engine=engine, reporter=terminal_reporter())
    manifest = read_manifest(path)
    if json_output:
        print_json({"path": path, **dataclasses.asdict(manifest)})
        return
    details = manifest.details
    everywhere = (context for groups in details["groups"].values() for row in groups.values() for context in row)
    contexts = tuple(dict.fromkeys([*tied_contexts(details["common"]), *details.get("beside", ()), *everywhere]))
    for split, groups in details["groups"].items():
        typer.echo(f"{split}, rho {manifest.options['val_rho']:g}:" if split == "val" and "val_rho" in manifest.options else f"{split}:")
        typer.echo(group_lines(groups, details["common"], contexts))
    typer.echo(f"Data set: {path}")
    if options.sheet:
        typer.echo(f"Contact sheet: {path / 'sheet.jpg'}")


def group_lines(groups: Mapping[str, Mapping[str, int]], common: Mapping[str, Any], contexts: Sequence[str]) -> str:
    """Pictures of each class (rows) in each context (columns); a star marks each context that the class is tied to."""
    width = max(len(name) for name in groups) + 2
    lines = [" " * width + "".join(f"{context:>12}" for context in contexts)]
    for name, row in groups.items():
        cells = (f"{row.get(context, 0):,}{'*' if context in own_contexts(common, name) else ' '}" for context in contexts)
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)


VERB = with_options(ComposeOptions)(compose)
