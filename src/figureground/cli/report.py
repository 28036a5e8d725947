"""`figureground report ARTIFACT`: the HTML page again, from the tables of an audit or of answers, or the rounds of a loop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from figureground.cli.options import Debug


def report(
    artifact: Annotated[Path, typer.Argument(help="Directory that `audit`, `classify` or `loop` wrote.", metavar="ARTIFACT")],
    out: Annotated[Path | None, typer.Option("--out", help="HTML file. [default: ARTIFACT/report.html]", show_default=False)] = None,
    debug: Debug = False,
) -> None:
    """Write the report of an audit, of the answers of a classifier, or of the rounds of a loop, as one HTML file that opens offline."""
    del debug
    from figureground.report import write_report

    typer.echo(write_report(artifact, out))


VERB = report
