"""`figureground report AUDIT`: the HTML page again, from the tables of an audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from figureground.cli.options import Debug


def report(
    audit: Annotated[Path, typer.Argument(help="Directory that `audit` wrote.", metavar="AUDIT")],
    out: Annotated[Path | None, typer.Option("--out", help="HTML file. [default: AUDIT/report.html]", show_default=False)] = None,
    debug: Debug = False,
) -> None:
    """Write the report of an audit as one HTML file that opens offline."""
    del debug
    from figureground import api

    typer.echo(api.open_audit(audit).report(out or audit / "report.html"))


VERB = report
