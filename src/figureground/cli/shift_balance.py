"""`figureground shift balance DATA`: what differs between groups besides the context, and how label and context hang together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from figureground.cli.options import Config, Debug, Engine, Json, Workers, with_options
from figureground.stages.shift.split_options import BalanceOptions

if TYPE_CHECKING:
    from figureground.stages.shift.balance import BalanceTable

MOST_GROUPS, MOST_WARNINGS = 60, 20
HEADS = {"objects": "pieces", "brightness": "bright-\nness", "sharpness": "sharp-\nness"}


def balance(
    data: Annotated[str, typer.Argument(help="Data set with a class and a context: a directory, or KIND:WHERE.", metavar="DATA")],
    out: Annotated[Path | None, typer.Option("--out", help="CSV file to write with every figure.", show_default=False)] = None,
    json_output: Json = False,
    workers: Workers = None,
    engine: Engine = "local",
    config: Config = None,
    debug: Debug = False,
    *,
    options: BalanceOptions,
) -> None:
    """Compare object area, place, number, border contact, brightness and sharpness between groups, and warn where they differ."""
    del config, debug
    from figureground import api
    from figureground.cli.terminal import print_json
    from figureground.runs.progress import terminal_reporter

    table = api.balance(data, options=options, out=out, workers=workers, engine=engine, reporter=terminal_reporter())
    if json_output:
        rows = [{name: None if cell == "" else cell for name, cell in row.items()} for row in table.rows()]  # null: does not apply
        print_json({"rows": rows, "left_out": table.left_out, "warnings": [one.sentence for one in table.warnings]})
    else:
        _print(table, out)


def _print(table: BalanceTable, out: Path | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    from figureground.cli.terminal import make_console, print_table
    from figureground.stages.shift.balance import FACTS, association_sentence, number_text, warning_sentence

    console = make_console()
    shown = Table("class", "context", box=None, header_style="bold", pad_edge=False)
    for name in ("n", *(HEADS.get(fact, fact.replace("_", "\n")) for fact in FACTS)):
        shown.add_column(name, justify="right")
    for (label, context), n in list(table.sizes.items())[:MOST_GROUPS]:
        facts = [table.find(fact, label, context) for fact in FACTS]
        cells = [f"{number_text(f.mean)}\n[dim]±{number_text(f.sd) if f.n > 1 else ' -'}[/dim]" if f.n else "-" for f in facts]
        shown.add_row(escape(label), escape(context), str(n), *cells)
    print_table(shown)
    if (more := len(table.sizes) - MOST_GROUPS) > 0:
        console.print(f"... and {more} more groups")
    console.print(association_sentence(table), markup=False, soft_wrap=True)
    console.print(warning_sentence(table), markup=False, soft_wrap=True)
    for one in table.warnings[:MOST_WARNINGS]:
        console.print(f"warning: {one.sentence}", markup=False, soft_wrap=True)
    if (more := len(table.warnings) - MOST_WARNINGS) > 0:
        console.print(f"... and {more} more{'' if out else '; --out FILE.csv writes all'}")
    if out:
        console.print(f"Table: {out}", markup=False, soft_wrap=True)


VERB = with_options(BalanceOptions)(balance)
