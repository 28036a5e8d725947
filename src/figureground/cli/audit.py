"""`figureground audit DATA PREDICTIONS...`: what is wrong, where, for which group, how sure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from figureground.cli.options import Config, Debug, Engine, Json, Out, Workers, with_options
from figureground.stages.audit.options import AuditOptions


def audit(
    data: Annotated[str, typer.Argument(help="Data set: a directory with dataset.toml, or KIND:WHERE.", metavar="DATA")],
    predictions: Annotated[
        list[str],
        typer.Argument(help="Label maps: png:DIR, npy:DIR or what `predict` wrote; NAME=... names them.", metavar="PREDICTIONS..."),
    ],
    out: Out,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    json_output: Json = False,
    workers: Workers = None,
    engine: Engine = "local",
    config: Config = None,
    debug: Debug = False,
    *,
    options: AuditOptions,
) -> None:
    """Audit predictions: correct, flipped, missed and added, by group, with intervals, and a report."""
    del config, debug
    from figureground.runs.executor import available_cores, prepare_workers

    cores = available_cores() if workers is None else workers
    prepare_workers(["figureground.stages.audit.warm"], engine=engine, workers=cores)  # first: it imports what follows at the same time
    from figureground import api
    from figureground.cli.summary import print_audit
    from figureground.cli.terminal import print_json
    from figureground.runs.progress import terminal_reporter

    reporter = terminal_reporter()
    result = api.audit(data, predictions, out=out, options=options, workers=cores, engine=engine, reporter=reporter)
    page: Path | None = result.path / "report.html" if report else None
    if page is not None and not page.exists():
        result.report(page)
    if json_output:
        print_json(result.summary)
        return
    print_audit(result.summary, page)


VERB = with_options(AuditOptions)(audit)
