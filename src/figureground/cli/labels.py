"""`figureground labels export LABELS --to SPEC` and `labels import SPEC --data DATA`: masks to and from other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from figureground.cli.options import Debug, Json, Out


def export(
    labels: Annotated[Path, typer.Argument(help="What `review` or `labels import` wrote; of a queue the target's maps.", metavar="LABELS")],
    to: Annotated[str, typer.Option("--to", help="Where to: coco:FILE.json, labelstudio:FILE.json, cvat:FILE.xml or png:DIR.")],
    which: Annotated[str, typer.Option("--which", help="`accepted` masks only, or `all`, accepted ones first.")] = "accepted",
    data: Annotated[
        str | None, typer.Option("--data", help="Data set that knows the pictures, where the labels do not.", show_default=False)
    ] = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Write masks for another tool: COCO, Label Studio, CVAT or index PNG."""
    del debug
    from figureground.cli.terminal import make_console, print_json
    from figureground.core.errors import InputError
    from figureground.data.dataset import open_dataset
    from figureground.data.spec import chosen, parse_spec
    from figureground.review.exchange.labels import open_labels, with_images
    from figureground.review.exchange.spec import write_masks
    from figureground.review.words import counted
    from figureground.runs.progress import terminal_reporter
    from figureground.runs.sources import check_sources

    chosen({"which": which}, "which", ("accepted", "all"), default="accepted")
    reporter = terminal_reporter()
    found = open_labels(labels, which="all" if which == "all" else "accepted")
    for note in found.notes:
        reporter.say(f"note: {note}")
    if not found.masks:
        raise InputError(f"{labels}: there is no mask in it. Label some, or name labels that hold masks")
    check_sources(Path(parse_spec(to).where), labels.iterdir())
    images = {sample.id: sample.image for sample in open_dataset(data).samples} if data else {}
    written = write_masks(to, with_images(found.masks, images), found.classes, reporter=reporter)
    if json_output:
        print_json({"path": written.path, "samples": written.samples, "regions": written.regions})
        return
    console = make_console()
    console.print(f"{counted(written.samples, 'mask')}, {counted(written.regions, 'region')}.", markup=False, soft_wrap=True)
    console.print(f"Labels: {written.path}", markup=False, soft_wrap=True)


def import_(
    source: Annotated[str, typer.Argument(help="coco:FILE.json, labelstudio:FILE.json, cvat:FILE.xml or png:DIR.", metavar="SOURCE")],
    data: Annotated[str, typer.Option("--data", help="Data set that was labelled; it says the classes and the samples.")],
    out: Out,
    by: Annotated[str | None, typer.Option("--by", help="Who made the masks. [default: what the file says]", show_default=False)] = None,
    status: Annotated[str, typer.Option("--status", help="What the masks count as: `submitted` or `accepted`.")] = "submitted",
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Read masks that were made in another tool, as labels of a data set."""
    del debug
    from figureground.cli.terminal import make_console, print_json
    from figureground.data.dataset import open_dataset
    from figureground.data.spec import chosen, parse_spec
    from figureground.review.exchange.labels import write_labels
    from figureground.review.exchange.pictures import KnownPictures
    from figureground.review.exchange.spec import read_masks
    from figureground.review.words import counted
    from figureground.runs.artifact import read_manifest
    from figureground.runs.progress import terminal_reporter

    chosen({"status": status}, "status", ("submitted", "accepted"), default="submitted")
    reporter, dataset, parsed = terminal_reporter(), open_dataset(data), parse_spec(source)
    known = KnownPictures((sample.id, sample.image) for sample in dataset.samples)
    path = write_labels(
        out,
        read_masks(source, dataset.classes, known=known, reporter=reporter),
        dataset.classes,
        reviewer=parsed.kind or "import",
        named=by,
        status="accepted" if status == "accepted" else "submitted",
        source=source,
        sources=(parsed.where, *dataset.every_file()),
        reporter=reporter,
    )
    count = read_manifest(path).counts["masks"]
    if json_output:
        print_json({"path": path, "masks": count, "samples": len(dataset)})
        return
    console = make_console()
    console.print(f"{counted(count, 'mask')} for {counted(len(dataset), 'sample')}, {status}.", markup=False, soft_wrap=True)
    console.print(f"Labels: {path / 'masks.parquet'}", markup=False, soft_wrap=True)


VERBS = {"export": export, "import": import_}
