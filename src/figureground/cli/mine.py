"""`figureground mine POOL --target P --rival P`: whom to ask about what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from figureground.cli.options import Config, Debug, Engine, Json, Out, Workers, with_options
from figureground.stages.mine.options import MineOptions


def mine(
    pool: Annotated[str, typer.Argument(help="Pool of pictures: a directory with dataset.toml, or KIND:WHERE.", metavar="POOL")],
    out: Out,
    target: Annotated[str, typer.Option("--target", help="Predictions of the model under test: what `predict` wrote, png:DIR or npy:DIR.")],
    rival: Annotated[
        list[str] | None, typer.Option("--rival", help="Predictions of a model to compare it with; NAME=... names it. May be repeated.")
    ] = None,
    json_output: Json = False,
    workers: Workers = None,
    engine: Engine = "local",
    config: Config = None,
    debug: Debug = False,
    *,
    options: MineOptions,
) -> None:
    """Choose the samples of a pool on which a target and its rivals disagree most, for people to rate and label."""
    del config, debug
    from figureground import api
    from figureground.cli.terminal import print_json
    from figureground.runs.artifact import read_manifest
    from figureground.runs.progress import terminal_reporter

    path = api.mine(pool, target, rival or (), out=out, options=options, workers=workers, engine=engine, reporter=terminal_reporter())
    manifest = read_manifest(path)
    if json_output:
        print_json({"path": path, **manifest.counts, **manifest.details})
    else:
        _print(manifest.counts, manifest.details, path)


def _print(counts: Mapping[str, int], details: Mapping[str, Any], path: Path) -> None:
    import pyarrow.parquet as pq
    from rich.markup import escape
    from rich.table import Table

    from figureground.cli.terminal import make_console, print_table

    console = make_console()
    groups = pq.read_table(path / "groups.parquet").to_pylist()
    if details["rivals"]:
        table = Table("class", box=None, header_style="bold", pad_edge=False)
        for name in ("quota", "filled, by target", "by rivals"):
            table.add_column(name, justify="right")
        for name in dict.fromkeys(row["class"] for row in groups if row["rival"]):
            own = [row for row in groups if row["rival"] and row["class"] == name]
            by = [sum(row["filled"] for row in own if row["direction"] == one) for one in ("target", "rival")]
            table.add_row(escape(name or "one-sided"), str(sum(row["quota"] for row in own)), *map(str, by))
        if table.row_count:
            print_table(table)
    several = f", {details['several']} of them more than one" if details["several"] else ""
    passed = f"; {details['near_duplicates']} near-duplicates passed over" if details["near_duplicates"] else ""
    places = f"{details['places']} of {details['bound']} places{several}{passed}"
    console.print(f"{counts['queued']} of {counts['samples']} samples queued. They fill {places}.", markup=False, soft_wrap=True)
    if n := counts["failures"]:
        console.print(f"{n} {'sample' if n == 1 else 'samples'} left out, see {path / 'failures.json'}", markup=False, soft_wrap=True)
    if (sheet := path / "sheet.jpg").exists():
        console.print(f"Contact sheet: {sheet}", markup=False, soft_wrap=True)
    console.print(f"Queue: {path / 'queue.parquet'}", markup=False, soft_wrap=True)


VERB = with_options(MineOptions)(mine)
