"""Index PNG: a data set of one `<id>.png` a sample, whose grey values are class ids, with the class list beside them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from figureground.core.errors import InputError
from figureground.core.progress import Reporter
from figureground.core.types import ClassTable, LabelRuns, Sample
from figureground.core.whole_file import write_atomically
from figureground.data import paths
from figureground.data.map_folder import map_files
from figureground.data.masks import read_mask
from figureground.data.spec import check_keys
from figureground.data.write import png_bytes, write_table_and_toml
from figureground.review.exchange.masks import LabelledMask, Written, checked
from figureground.review.exchange.reading import Reading
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished

KIND, SCHEMA = "dataset", 1
_DRIVE = re.compile(r"^[A-Za-z]:")


def write_png(where: str, masks: Iterable[LabelledMask], classes: ClassTable, options: Mapping[str, str], reporter: Reporter) -> Written:
    """Writes a directory of index PNGs that is a data set as well: `<id>.png`, `samples.csv` and `dataset.toml`.

    Raises:
        InputError: an option, no mask, an id twice or one that would lead out of the directory, or a place that cannot be written.
        FormatError: a mask with a value that is no class id.
    """
    check_keys(options, (), where=where)
    if paths.is_url(where):
        raise InputError(f"{where}: exports are written to local folders. Write it here, then copy it there")
    kept = [_safe(mask) for mask in checked(masks, classes)]
    out, inputs = Path(where), {"masks": _digest(kept, classes)}
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options={"verb": "labels export"})
    if finished(out, kind=KIND, key=key):
        reporter.say(f"{out}: these masks are there already, nothing to do")
        return Written(path=out, samples=len(kept), regions=len(kept))
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key, reporter=reporter)
    try:
        for mask in kept:
            target = writer.path / f"{mask.id}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, png_bytes(mask.runs.dense().astype(classes.dtype)))
        samples = [Sample(id=m.id, image=_absolute(m.image), mask=f"{m.id}.png", attributes={}) for m in kept]
        write_table_and_toml(writer.path, name=out.name, classes=_bare(classes), samples=samples, common={}, label=None, context=None)
        details = {"classes": list(classes.names), "ids": list(classes.ids), "background": classes.background, "ignore": classes.ignore}
        writer.finish(options={}, inputs=inputs, counts={"samples": len(kept)}, details=details)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error}). Make room, or choose another place") from error
    return Written(path=out, samples=len(kept), regions=len(kept))


def read_png(reading: Reading) -> Iterator[LabelledMask]:
    """The label maps of a folder of index PNGs (or NPY files), `<id>.png` each, below it at any depth.

    Options:
        unknown: `skip` passes over files that are no sample; otherwise they are refused.

    Raises:
        InputError: an unknown option.
        FormatError: no folder, no label map in it, or a file that holds other numbers than class ids.
    """
    check_keys(reading.options, ("unknown",), where=reading.file)
    for i, file in map_files(reading.file).items():
        exact = i if reading.known is None or i in reading.known.images else ""
        sample = reading.sample_of([i], what=f"file '{paths.leaf(file)}'", exact=exact)
        if sample is not None:
            runs: LabelRuns = read_mask(file, reading.classes, sample=sample)
            yield reading.mask(sample, runs.dense())


def _safe(mask: LabelledMask) -> LabelledMask:
    """A mask whose id is a place in a folder that shows up when the folder is listed; another id raises `InputError`."""
    parts = mask.id.split("/")
    unsafe = "\\" in mask.id or "\0" in mask.id or _DRIVE.match(mask.id) or PurePosixPath(mask.id).is_absolute()
    if unsafe or any(part == "" or part.startswith(".") for part in parts):
        raise InputError(f"the id '{mask.id}' cannot be the name of a file in a folder. Export to COCO, which takes any id, or rename it")
    return mask


def _bare(classes: ClassTable) -> ClassTable:
    """Without colours: the files hold ids."""
    return ClassTable(names=classes.names, ids=classes.ids, background=classes.background, ignore=classes.ignore)


def _absolute(image: str | None) -> str | None:
    return image if image is None or paths.is_url(image) else os.path.abspath(image)  # noqa: PTH100 - links stay what they are


def _digest(masks: Iterable[LabelledMask], classes: ClassTable) -> str:
    found = hashlib.sha256(repr(_bare(classes)).encode())
    for mask in masks:
        found.update(f"\n{mask.id}\t{_absolute(mask.image)}\t{mask.runs.size_hw}\t".encode())
        found.update(mask.runs.values.astype("<u2").tobytes() + mask.runs.lengths.astype("<u4").tobytes())
    return found.hexdigest()
