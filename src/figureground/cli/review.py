"""`figureground review QUEUE`: the page where people rate, label and check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from figureground.cli.options import Config, Debug, with_options
from figureground.core.errors import PAGE, needs_extra
from figureground.review.options import ReviewOptions


def review(
    queue: Annotated[
        str, typer.Argument(help="What `mine` wrote, or a data set: a directory with dataset.toml, or KIND:WHERE.", metavar="QUEUE")
    ],
    out: Annotated[Path, typer.Option("--out", help="Directory of the labels. The database lies beside it.")] = Path("labels"),
    host: Annotated[str, typer.Option("--host", help="Address to listen at. Beyond this machine every reviewer signs in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port to listen at; 0 takes a free one.")] = 8765,
    database: Annotated[
        str, typer.Option("--database", help="sqlite:///FILE or postgresql://USER@HOST/NAME. [default: OUT.sqlite]", show_default=False)
    ] = "",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    reviewer: Annotated[
        str, typer.Option("--reviewer", help="Who you are, where nobody signs in. [default: login name]", show_default=False)
    ] = "",
    add: Annotated[
        list[str] | None,
        typer.Option(
            "--add",
            help="NAME:ROLE lets somebody take part and shows the token once, or gives that role to who is there. "
            "Roles: reviewer, checker, admin. May be repeated.",
        ),
    ] = None,
    new_token: Annotated[
        list[str] | None,
        typer.Option("--new-token", help="NAME of somebody who lost the token, or was revoked: a new one, shown once. May be repeated."),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            "--masks",
            help="Labels whose masks are to be checked here: what `labels import` wrote, or another review. Each comes once.",
            show_default=False,
        ),
    ] = None,
    people_of: Annotated[
        str | None,
        typer.Option(
            "--people-of",
            help="Database of an earlier review, whose people come in with the tokens they have; who is here already stays as they are.",
            metavar="DATABASE",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            help="`rated` or `masked`: it ends by itself once every picture has its scores, or every one of the work list its masks.",
            metavar="KIND",
            show_default=False,
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", help="Further host name under which it is reached, as behind a proxy. May be repeated."),
    ] = None,
    sign_in: Annotated[bool, typer.Option("--sign-in", help="Everybody signs in with a token, on this machine too.")] = False,
    config: Config = None,
    debug: Debug = False,
    *,
    options: ReviewOptions,
) -> None:
    """Open a local page where people rate pictures, label patches and masks, and check one another's."""
    del config, debug
    with needs_extra("review", needed_for="the review page", packages=PAGE):
        from figureground.review.server.serve import Where, serve
    where = Where(host=host, port=port, names=tuple(allowed_host or ()), sign_in=sign_in)
    serve(
        queue,
        out=out,
        options=options,
        where=where,
        database=database,
        reviewer=reviewer,
        add=add or (),
        new_token=new_token or (),
        people_of=people_of or "",
        masks=masks,
        until=until or "",
        browser=not no_browser,
        say=lambda text: typer.echo(text),
    )


VERB = with_options(ReviewOptions)(review)
