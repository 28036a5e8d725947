"""`figureground demo`: the whole story on drawn pictures, no download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from figureground.cli.options import Debug, Workers


def demo(
    out: Annotated[Path, typer.Option("--out", help="Directory to write.")] = Path("demo-out"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of the pictures, the trainings and the bootstrap.")] = 0,
    workers: Workers = None,
    debug: Debug = False,
) -> None:
    """Draw pictures whose ground gives the animal away, train a network on them and one on pictures without that tie, and audit both.

    Takes a few minutes on two cores, needs no graphics card, and writes the report to OUT/audit/report.html.
    """
    del debug
    from figureground import api
    from figureground.cli.summary import print_audit
    from figureground.runs.executor import available_cores
    from figureground.runs.progress import terminal_reporter

    result = api.demo(out, seed=seed, workers=available_cores() if workers is None else workers, reporter=terminal_reporter())
    print_audit(result.summary, result.report(result.path / "report.html"))


VERB = demo
