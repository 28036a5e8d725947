"""`figureground doctor DATA [PREDICTIONS...]`: faults in masks and tables before they become numbers."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from figureground.cli.options import Debug, Json
from figureground.core.errors import Fault

MOST_ROWS = 200


def doctor(
    data: Annotated[str, typer.Argument(help="Data set: a directory with dataset.toml, or KIND:WHERE.", metavar="DATA")],
    predictions: Annotated[list[str] | None, typer.Argument(help="Label maps to check against it.", metavar="[PREDICTIONS...]")] = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """List every fault of a data set and its predictions: file, fault and remedy. Exits 1 where there are findings."""
    del debug
    from figureground.cli.terminal import print_json
    from figureground.core.errors import FormatError
    from figureground.data.doctor import find_faults
    from figureground.data.given import as_dataset, as_predictions

    faults: list[Fault] = []
    dataset = None
    try:
        dataset = as_dataset(data)
        given = as_predictions(predictions, dataset) if predictions else []
        faults = list(find_faults(dataset, given))
    except FormatError as error:
        faults = [error.fault]  # a faulty table or class list: nothing behind it can be read
    if json_output:
        groups = [] if dataset is None else _groups(dataset)
        print_json({"faults": [dataclasses.asdict(f) for f in faults], "groups": groups})
    else:
        _print(data, dataset, faults)
    if faults:
        raise typer.Exit(1)


def _groups(dataset: object) -> list[dict[str, object]]:
    names = [n for n in ("split", "class", "context", "group_id") if n in dataset.attributes]  # type: ignore[attr-defined]
    counts = dataset.group_counts(names) if names else {}  # type: ignore[attr-defined]
    return [{**dict(zip(names, values, strict=True)), "samples": n} for values, n in counts.items()]


def _print(data: str, dataset: object, faults: list[Fault]) -> None:
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    from figureground.cli.terminal import make_console, print_table

    console = make_console()
    if dataset is not None:
        console.print(f"{data}: {len(dataset)} samples, {len(dataset.classes)} classes", markup=False)  # type: ignore[attr-defined,arg-type]
        if rows := _groups(dataset):
            table = Table(*rows[0], box=None, header_style="bold", pad_edge=False)
            for row in rows[:MOST_ROWS]:
                table.add_row(*(str(v) or "(none)" for v in row.values()))
            print_table(table)
    if not faults:
        console.print("No faults found.")
        return
    count = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}"
    table = Table(title=count, title_justify="left", box=SIMPLE, show_lines=True, pad_edge=False)
    for name in ("sample", "file", "fault", "remedy"):
        table.add_column(name, overflow="fold")  # whole paths, though broken
    for fault in faults[:MOST_ROWS]:
        table.add_row(*(Text(t) for t in (fault.sample or "", fault.file or "", fault.problem, fault.remedy)))
    console.print(table)
    if len(faults) > MOST_ROWS:
        console.print(f"... and {len(faults) - MOST_ROWS} more; --json lists all")


VERB = doctor
