"""`figureground swap detect DATA`: a detector of figure and background from patch labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from figureground.cli.options import Config, Debug, Json, Out, with_options
from figureground.stages.detect.options import DetectOptions, make_detect_options

if TYPE_CHECKING:
    from figureground.stages.detect.result import Detection

HEADS = {
    "accuracy": "called\nrightly",
    "balanced_accuracy": "mean of\nclasses",
    "mask_iou": "mask\nIoU",
    "kept": "cut out",
    "coverage": "covered",
    "leakage": "leaked",
}
"""The rates and the heads of their columns."""


def detect(
    data: Annotated[str, typer.Argument(help="Data set whose training pictures are to be swapped.", metavar="DATA")],
    out: Out,
    labels: Annotated[
        list[str] | None, typer.Option("--labels", help="What `review` wrote, with patch labels. May be repeated.", show_default=False)
    ] = None,
    json_output: Json = False,
    config: Config = None,
    debug: Debug = False,
    *,
    options: DetectOptions,
) -> None:
    """Train a detector of figure and background from patch labels, and apply it to every training picture."""
    del config, debug
    from figureground import swaps
    from figureground.cli.terminal import print_json
    from figureground.runs.progress import terminal_reporter

    found = swaps.swap_detect(data, labels or (), out=out, options=options, reporter=terminal_reporter())
    if json_output:
        print_json({"path": found.path, **found.summary})
    else:
        _print(found)


def _print(found: Detection) -> None:
    from rich.table import Table

    from figureground.cli.summary import interval_cell
    from figureground.cli.terminal import make_console, print_table
    from figureground.stages.detect.result import CURVE, SHEET

    console = make_console()
    console.print(found.sentence, markup=False, soft_wrap=True)
    for over in ("patches", "pixels"):
        points = [point for point in found.summary["curve"] if point[over] is not None]
        if not points:
            continue
        table = Table(title=f"held-out labels, over {over}", title_justify="left", box=None, header_style="bold", pad_edge=False)
        for name in ("labels", *HEADS.values()):
            table.add_column(name, justify="right")
        for point in points:
            table.add_row(str(point["labels"]), *(interval_cell(point[over][name]) for name in HEADS))
        print_table(table)
    sheet = f" Examples: {found.path / SHEET}." if (found.path / SHEET).exists() else ""
    console.print(f"Grids: {found.path}. Picture: {found.path / CURVE}.{sheet} Model: {found.model}", markup=False, soft_wrap=True)


VERB = with_options(DetectOptions, make=make_detect_options)(detect)
