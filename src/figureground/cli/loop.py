"""`figureground loop LOOP.toml`: the rounds, resumable; `figureground loop status LOOP.toml`: where they stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from figureground.cli.options import Debug, Engine, Json, Workers

if TYPE_CHECKING:
    from figureground.loops.recipe import Recipe
    from figureground.loops.run import LoopResult

DEFAULT = "LOOP.toml"


def loop(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="TOML file of the loop; status before it tells where it stands.", metavar="[status] LOOP.toml"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Directory of the loop. [default: the file's name without .toml, beside it]", show_default=False),
    ] = None,
    until: Annotated[
        str,
        typer.Option(
            "--until", help="Stop after this state: predicted, mined, rating, labelling, repaired or ranked; 2.mined names the round."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what is left would cost, and write nothing.")] = False,
    oracle: Annotated[bool, typer.Option("--oracle", help="Known truth answers instead of people, as [oracle] says.")] = False,
    wait: Annotated[
        str, typer.Option("--wait", help="Where people are needed: page = open it here and wait, no = stop and say what is needed.")
    ] = "page",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    json_output: Json = False,
    workers: Workers = None,
    engine: Engine = "local",
    debug: Debug = False,
) -> None:
    """Mine, ask people, repair, re-test and rank, round after round; goes on wherever it was stopped."""
    del debug
    from figureground import rounds
    from figureground.core.errors import InputError
    from figureground.data.spec import chosen
    from figureground.runs.progress import terminal_reporter

    told = list(words or ())
    status = bool(told) and told[0] == "status"
    files = told[1:] if status else told
    if len(files) > 1:
        raise InputError(f"expected one TOML file of a loop; got {', '.join(files)}")
    file = Path(files[0] if files else DEFAULT)
    chosen({"wait": wait}, "wait", ("page", "no"), default="page")
    if status or dry_run:
        from figureground.loops.recipe import read_recipe

        recipe, place = read_recipe(file), rounds.place_of(file, out)
        _status(recipe, place, json_output) if status else _cost(recipe, place, json_output)
        return
    reporter = terminal_reporter()
    answers = None
    if wait == "page" and not oracle:
        from figureground.loops.page import Page

        answers = Page(say=reporter.say, browser=not no_browser)
    found = rounds.loop(file, out=out, oracle=oracle, answers=answers, until=until, workers=workers, engine=engine, reporter=reporter)
    _print(found, json_output)


def _print(found: LoopResult, json_output: bool) -> None:
    from figureground.cli.loop_summary import print_result

    print_result(found, json_output=json_output)


def _status(recipe: Recipe, place: Path, json_output: bool) -> None:
    from figureground.cli.loop_summary import print_status

    print_status(recipe, place, json_output=json_output)


def _cost(recipe: Recipe, place: Path, json_output: bool) -> None:
    from figureground.cli.loop_summary import print_cost
    from figureground.loops.estimate import estimate
    from figureground.loops.material import open_material
    from figureground.loops.places import Places

    print_cost(estimate(recipe, open_material(recipe), Places(out=place)), json_output=json_output)


VERB = loop
