"""The command line: one verb a file, resolved when it is called, so that `--help` stays quick."""

from __future__ import annotations

import errno
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from figureground.cli import (
    audit,
    classify,
    demo,
    doctor,
    labels,
    loop,
    mine,
    predict,
    rank,
    refit,
    repair,
    report,
    review,
    shift_balance,
    shift_compose,
    shift_split,
    shift_sweep,
    swap_build,
    swap_detect,
    swap_infill,
    train,
)
from figureground.core.errors import FiguregroundError
from figureground.version import __version__

_FULL = "the disk is full. Free some space; what is finished is kept, and the same command goes on from there"
_DISK = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL.replace("disk", "quota"),
    errno.EFBIG: "the file would be larger than the file system or `ulimit -f` allows. Write elsewhere, or raise the limit",
}
"""What a system says of the disk, wherever it happens."""
_PLACE = {
    errno.EROFS: "nothing can be written there: the disk is mounted for reading only. Choose another place",
    errno.EACCES: "permission denied. Change the permissions, or choose another place",
    errno.EPERM: "permission denied. Change the permissions, or choose another place",
}
"""What it says of a file, which it must name."""


class _Stopped(Exception):
    """Ctrl-C while a verb ran, under a name that typer lets through: it ends the program without a word on `KeyboardInterrupt`."""


class _Verbs(TyperGroup):
    """The verbs, run so that Ctrl-C reaches `main`."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise _Stopped from interrupt


app = typer.Typer(
    cls=_Verbs,
    name="figureground",
    help="Finds where a segmentation model has the right region and the wrong label, says for whom and how sure, and shows it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: quicker by a third, and nothing is cut off
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (demo, doctor, train, refit, predict, classify, audit, mine, review, repair, rank, loop, report):
    app.command(name=module.__name__.rpartition(".")[2])(module.VERB)

shift = typer.Typer(help="Data sets whose classes and contexts are tied as strongly as asked.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(shift, name="shift")
for module in (shift_compose, shift_split, shift_balance, shift_sweep):
    shift.command(name=module.__name__.rpartition("_")[2])(module.VERB)

swap = typer.Typer(help="Training pictures whose background says nothing of the label.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(swap, name="swap")
for module in (swap_detect, swap_infill, swap_build):
    swap.command(name=module.__name__.rpartition("_")[2])(module.VERB)

masks = typer.Typer(help="Masks of reviewers to and from other tools.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(masks, name="labels")
for name, verb in labels.VERBS.items():
    masks.command(name=name)(verb)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version.")) -> None:
    del version


def main() -> None:
    """The entry point: runs a verb and turns errors into one line and an exit code (0 done, 1 our fault, 2 the user's input)."""
    try:
        app()
    except FiguregroundError as error:
        _stop(str(error), error.exit_code)
    except (KeyboardInterrupt, _Stopped):
        _say("stopped. What is finished is kept: the same command goes on from there")
        sys.exit(130)  # also with --debug: it is no error
    except BrokenPipeError:
        sys.exit(0)  # the reader of our output went away
    except OSError as error:
        known = {**_DISK, **(_PLACE if error.filename else {})}.get(error.errno or 0)
        if known is None:
            _stop(f"internal error: {type(error).__name__}: {error}. Please report it; --debug shows where", 1)
        _stop(f"{error.filename}: {known}" if error.filename else f"{known}", 2)
    except Exception as error:  # noqa: BLE001 - the last door: anything that comes here is our fault
        _stop(f"internal error: {type(error).__name__}: {error}. Please report it; --debug shows where", 1)


def _stop(message: str, code: int) -> None:
    if "--debug" in sys.argv:
        raise
    _say(message)
    sys.exit(code)


def _say(message: str) -> None:
    print(f"figureground: {message}", file=sys.stderr)  # noqa: T201 - the one line of an error
