"""CVAT for images 1.1: masks as run-length codes of their boxes, written exactly; polygons, boxes and ellipses are read too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from figureground.core.errors import InputError
from figureground.core.progress import Reporter
from figureground.core.types import ClassTable
from figureground.core.whole_file import write_atomically
from figureground.data.colours import class_colours
from figureground.data.faults import refusal
from figureground.data.spec import check_keys, chosen
from figureground.review.exchange.masks import LabelledMask, Written, checked, file_names, names_of, write_path
from figureground.review.exchange.reading import COMMON_OPTIONS, Reading
from figureground.review.exchange.regions import Per, Piece, pieces
from figureground.review.exchange.shapes import box_points, ellipse_points, numbers_of, polygon_pixels
from figureground.review.exchange.xml import read_xml

READ_OPTIONS = COMMON_OPTIONS
WRITE_OPTIONS = ("per",)
_NO_AREA = frozenset({"points", "polyline", "tag", "skeleton"})
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VOID_COLOUR = "#000000"


def write_cvat(where: str, masks: Iterable[LabelledMask], classes: ClassTable, options: Mapping[str, str], reporter: Reporter) -> Written:
    """Writes a CVAT for images 1.1 file: one `mask` a region, background left out, void under its own label.

    Options:
        per: `region` (default) or `class` for one mask a class and picture.

    Raises:
        InputError: an unknown option, no mask, an id twice, a name that XML cannot hold, or a file that cannot be written.
        FormatError: a mask with a value that is no class id.
    """
    check_keys(options, WRITE_OPTIONS, where=where)
    per = cast("Per", chosen(options, "per", ("region", "class"), default="region"))
    path, kept, regions = write_path(where), list(checked(masks, classes)), 0
    names, labels = file_names(kept), names_of(classes)
    for text in (*names.values(), *labels.values()):
        if _NOT_XML.search(text):
            raise InputError(f"{where}: XML cannot hold the name {text!r}. Rename it, or export to another format")
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    _add_meta(root, classes, labels, count=len(kept))
    for number, mask in enumerate(kept):
        size = {"width": str(mask.runs.width), "height": str(mask.runs.height)}
        image = SubElement(root, "image", {"id": str(number), "name": names[mask.id], **size})
        for piece in pieces(mask.runs, classes, per=per):
            SubElement(image, "mask", _mask_attributes(piece, labels[piece.value])).text = "\n"
            regions += 1
    indent(root)
    write_atomically(path, tostring(root, encoding="utf-8", xml_declaration=True))
    return Written(path=path, samples=len(kept), regions=regions)


def read_cvat(reading: Reading) -> Iterator[LabelledMask]:
    """The label maps of a CVAT for images 1.1 file, shapes of higher `z_order` over lower ones, later over earlier.

    Masks, polygons, boxes and ellipses are read; points, polylines, tags and skeletons have no area and are passed over,
    and a picture with nothing else is left out.

    Raises:
        InputError: an unknown option.
        FormatError: a file of another form, or a shape that cannot be drawn.
    """
    check_keys(reading.options, READ_OPTIONS, where=reading.file)
    root = read_xml(reading.file)
    if root.tag != "annotations":
        raise refusal("bad-layout", f"the root is <{root.tag[:40]}> and not <annotations>", _AS_IMAGES, file=reading.file)
    if root.find("track") is not None:
        raise refusal("bad-layout", "the file holds tracks of a video", _AS_IMAGES, file=reading.file)
    for image in root.iter("image"):
        name = image.get("name") or ""
        what = f"image '{name[:60]}'"
        shapes = list(image)
        if not shapes and reading.skips_empty():
            continue
        sample = reading.sample_of([name] if name else [], what=what)
        if sample is None:
            continue
        height, width = (_whole(image, key, what, reading, sample) for key in ("height", "width"))
        label_map = reading.blank(height, width, what=what, sample=sample)
        order = [_z_order(shape, f"{what}, {shape.tag} {n}", reading, sample) for n, shape in enumerate(shapes, start=1)]
        said = [f"{what}, {shape.tag[:40]} {n}" for n, shape in enumerate(shapes, start=1)]
        upwards = sorted(range(len(shapes)), key=lambda n: order[n])
        drawn = sum(_paint(shapes[n], label_map, reading, sample=sample, what=said[n]) for n in upwards)
        if shapes and not drawn:
            reading.has_no_area()
            continue
        yield reading.mask(sample, label_map, name=name)


_AS_IMAGES = "Export the job or task as 'CVAT for images 1.1'"


def _add_meta(root: Element, classes: ClassTable, labels: Mapping[int, str], *, count: int) -> None:
    task = SubElement(SubElement(root, "meta"), "task")
    for tag, text in (("name", "figureground"), ("size", str(count)), ("mode", "annotation"), ("overlap", "0")):
        SubElement(task, tag).text = text
    colours = {i: f"#{r:02x}{g:02x}{b:02x}" for i, (r, g, b) in zip(classes.ids, class_colours(classes).tolist(), strict=True)}
    listed = SubElement(task, "labels")
    for value, name in labels.items():
        if value == classes.background:
            continue
        label = SubElement(listed, "label")
        for tag, text in (("name", name), ("color", colours.get(value, _VOID_COLOUR)), ("type", "mask")):
            SubElement(label, tag).text = text
        SubElement(label, "attributes")


def _mask_attributes(piece: Piece, label: str) -> dict[str, str]:
    left, top, width, height = piece.box_xywh
    numbers = {"left": left, "top": top, "width": width, "height": height, "z_order": 0}
    code = ", ".join(map(str, box_runs(piece.pixels)))
    return {"label": label, "source": "manual", "occluded": "0", "rle": code, **{key: str(n) for key, n in numbers.items()}}


def box_runs(pixels: np.ndarray) -> list[int]:
    """Row-major run lengths of bool [height, width], ground first, together all of its pixels."""
    flat = pixels.reshape(-1)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *lengths] if flat[0] else lengths


def _paint(shape: Element, label_map: np.ndarray, reading: Reading, *, sample: str, what: str) -> bool:
    """Draws a shape; False where it has no area."""
    if shape.tag in _NO_AREA:
        reading.passed_over["shapes without an area"] += 1
        return False
    if shape.tag == "mask":
        place, pixels = _mask_pixels(shape, (label_map.shape[0], label_map.shape[1]), reading, sample=sample, what=what)
    elif shape.tag in _OUTLINES:
        points = _OUTLINES[shape.tag](shape, reading, sample, what)
        place = (slice(None), slice(None))
        with reading.at(what):
            pixels = polygon_pixels(points, (label_map.shape[0], label_map.shape[1]), file=reading.file, sample=sample)
    else:
        remedy = "Draw it as mask, polygon, box or ellipse, or leave it out of the export"
        raise reading.bad(f"{what}: shapes of this kind cannot be read", sample=sample, remedy=remedy)
    label_map[place][pixels] = reading.value_of(shape.get("label"), sample=sample, what=what)
    return True


def _mask_pixels(
    shape: Element, size_hw: tuple[int, int], reading: Reading, *, sample: str, what: str
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Where the box of a mask lies, and its pixels."""
    left, top, width, height = (_whole(shape, key, what, reading, sample) for key in ("left", "top", "width", "height"))
    if min(left, top) < 0 or min(width, height) < 1 or left + width > size_hw[1] or top + height > size_hw[0]:
        problem = f"{what}: its box of {width} x {height} pixels at {left}, {top} is not inside the picture of {size_hw[1]} x {size_hw[0]}"
        raise reading.bad(problem, sample=sample)
    words = (shape.get("rle") or "").split(",")
    if not all(_WHOLE.match(word) for word in words):
        raise reading.bad(f"{what}: its `rle` is no list of whole numbers", sample=sample)
    lengths = np.array([int(word) for word in words], np.int64)
    if (filled := int(lengths.sum())) != width * height:
        raise reading.bad(f"{what}: its `rle` says {filled} pixels and its box has {width * height}", sample=sample)
    pixels = np.repeat(np.arange(lengths.size) % 2 == 1, lengths).reshape(height, width)
    return (slice(top, top + height), slice(left, left + width)), pixels


_WHOLE = re.compile(r"^ *[0-9]{1,10} *$", re.ASCII)


def _whole(element: Element, key: str, what: str, reading: Reading, sample: str) -> int:
    text = element.get(key) or ""
    if not re.fullmatch(r" *-?[0-9]{1,9} *", text, re.ASCII):
        raise reading.bad(f"{what}: `{key}` must be a whole number of pixels; got '{text[:20]}'", sample=sample)
    return int(text)


def _z_order(shape: Element, what: str, reading: Reading, sample: str) -> int:
    return _whole(shape, "z_order", what, reading, sample) if "z_order" in shape.attrib else 0


def _numbers(shape: Element, keys: Iterable[str], reading: Reading, sample: str, what: str) -> list[float]:
    return numbers_of([shape.get(key) for key in keys], what=what, file=reading.file, sample=sample)


def _turned(shape: Element, reading: Reading, sample: str, what: str) -> float:
    return _numbers(shape, ["rotation"], reading, sample, what)[0] if "rotation" in shape.attrib else 0.0


def _polygon(shape: Element, reading: Reading, sample: str, what: str) -> list[float]:
    words = [word for pair in (shape.get("points") or "").split(";") for word in pair.split(",")]
    return numbers_of(words, what=what, file=reading.file, sample=sample)


def _box(shape: Element, reading: Reading, sample: str, what: str) -> list[float]:
    x0, y0, x1, y1 = _numbers(shape, ("xtl", "ytl", "xbr", "ybr"), reading, sample, what)
    middle = (x0 + x1) / 2, (y0 + y1) / 2
    return box_points(x0, y0, x1 - x0, y1 - y0, degrees=_turned(shape, reading, sample, what), about=middle)


def _ellipse(shape: Element, reading: Reading, sample: str, what: str) -> list[float]:
    x, y, radius_x, radius_y = _numbers(shape, ("cx", "cy", "rx", "ry"), reading, sample, what)
    return ellipse_points(x, y, radius_x, radius_y, degrees=_turned(shape, reading, sample, what))


_OUTLINES: Mapping[str, Any] = {"polygon": _polygon, "box": _box, "ellipse": _ellipse}
