"""Where labels come from and go to, written `KIND:WHERE?key=value`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from figureground.core.errors import InputError
from figureground.core.progress import QuietReporter, Reporter
from figureground.core.registry import Registry
from figureground.core.types import ClassTable
from figureground.data import paths
from figureground.data.spec import Spec, parse_spec
from figureground.review.exchange.masks import LabelledMask, Written, void_name
from figureground.review.exchange.pictures import KnownPictures
from figureground.review.exchange.reading import Reading
from figureground.runs.artifact import is_artifact

_HERE = "figureground.review.exchange"
READERS = Registry(
    "kind of labels",
    group="figureground.label_readers",
    builtin={
        "png": f"{_HERE}.png:read_png",
        "coco": f"{_HERE}.coco:read_coco",
        "labelstudio": f"{_HERE}.labelstudio:read_labelstudio",
        "cvat": f"{_HERE}.cvat:read_cvat",
    },
)
WRITERS = Registry(
    "kind of labels",
    group="figureground.label_writers",
    builtin={
        "png": f"{_HERE}.png:write_png",
        "coco": f"{_HERE}.coco:write_coco",
        "labelstudio": f"{_HERE}.labelstudio:write_labelstudio",
        "cvat": f"{_HERE}.cvat:write_cvat",
    },
)


_NO_IDS = "classes go by their names, ids are not kept"
_NO_MAKER = "who made a mask and when is not kept"
_VOID = "void is called '{void}'"
LOST = {"png": (_NO_MAKER,), "coco": (_VOID,), "labelstudio": (_NO_IDS, _VOID), "cvat": (_NO_IDS, _NO_MAKER, _VOID)}
"""What a format does not hold as it is here."""


def lost(kind: str, classes: ClassTable) -> str:
    """One sentence on what a format does not hold, empty where nothing is lost or nobody knows."""
    void = void_name(classes)
    return ", ".join(words.format(void=void) for words in LOST.get(kind, ()) if void is not None or words != _VOID)


def read_masks(
    spec: str, classes: ClassTable, *, known: KnownPictures | None = None, reporter: Reporter | None = None
) -> Iterator[LabelledMask]:
    """The label maps that a spec names, one picture after the other.

    Args:
        spec: `png:DIR`, `coco:FILE.json`, `labelstudio:FILE.json` or `cvat:FILE.xml`, with options behind a `?`.
        classes: names are matched with these; pixels that nothing covers are background.
        known: the samples that labels may be for; without them a picture's name without suffix is the id.
        reporter: told what was passed over; default nobody.

    Raises:
        InputError: an unknown kind or option.
        FormatError: a fault in the file; it names the picture and the annotation.
    """
    parsed = _parsed(spec)
    read = READERS.resolve(parsed.kind or "")
    reading = Reading(file=parsed.where, classes=classes, known=known, options=parsed.options, reporter=reporter or QuietReporter())
    return _told(read(reading), reading)


def _told(masks: Iterator[LabelledMask], reading: Reading) -> Iterator[LabelledMask]:
    """The masks, and after the last one what was passed over."""
    yield from masks
    reading.tell()


def write_masks(spec: str, masks: Iterable[LabelledMask], classes: ClassTable, *, reporter: Reporter | None = None) -> Written:
    """Writes label maps to where a spec says, whole or not at all.

    Args:
        spec: `png:DIR`, `coco:FILE.json`, `labelstudio:FILE.json` or `cvat:FILE.xml`, with options behind a `?`.
        masks: one a sample.
        classes: what their values mean.
        reporter: told what the format does not keep; default nobody.

    Raises:
        InputError: an unknown kind or option, no mask, an id twice, or a place that cannot be written or lies in an artifact.
        FormatError: a mask with a value that is no class id.
    """
    parsed, reporter = _parsed(spec), reporter or QuietReporter()
    if holder := next((folder for folder in Path(parsed.where).absolute().parents if is_artifact(folder)), None):
        raise InputError(f"{parsed.where}: lies in the artifact {holder}, where nothing else is written. Choose another place")
    write = WRITERS.resolve(parsed.kind or "")
    try:
        written: Written = write(parsed.where, masks, classes, parsed.options, reporter)
    except OSError as error:
        raise InputError(f"{parsed.where}: cannot be written ({error.strerror or error}). Make room, or choose another place") from error
    if words := lost(parsed.kind or "", classes):
        reporter.say(f"note: {words}")
    return written


def _parsed(spec: str) -> Spec:
    parsed = parse_spec(str(spec))
    paths.check_name(parsed.where)
    if parsed.kind is None:
        kinds = ", ".join(f"{kind}:{'DIR' if kind == 'png' else 'FILE'}" for kind in READERS.names())
        raise InputError(f"'{spec}' does not say in which form labels are. Write one of {kinds}")
    return parsed
