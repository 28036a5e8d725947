"""COCO instances files: one annotation a region, as exact run-length codes or as polygons along the edges of pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
from pycocotools import mask as coco_mask

from figureground.core.progress import Reporter
from figureground.core.types import ClassTable
from figureground.core.whole_file import write_atomically
from figureground.data.faults import refusal
from figureground.data.formats.coco_instances import draw_region, read_instance
from figureground.data.spec import check_keys, chosen
from figureground.review.exchange.masks import LabelledMask, Written, checked, file_names, names_of, write_path
from figureground.review.exchange.outlines import outlines
from figureground.review.exchange.reading import COMMON_OPTIONS, Reading, read_json, to_json_bytes
from figureground.review.exchange.regions import Per, Piece, pieces

READ_OPTIONS = (*COMMON_OPTIONS, "crowd")
WRITE_OPTIONS = ("polygons", "per")


def write_coco(where: str, masks: Iterable[LabelledMask], classes: ClassTable, options: Mapping[str, str], reporter: Reporter) -> Written:
    """Writes a COCO instances file; category ids are the class ids, void is the category of `ignore`.

    A label map knows no instances, so each region is one annotation: that is what other tools can pick and rename. Background is what no
    annotation covers. Each image says beside COCO's own fields its `sample`, and `by` and `created` where they are known.

    Options:
        polygons: `yes` writes polygons along the edges of pixels instead of run-length codes; regions with holes are cut into parts.
        per: `region` (default) or `class` for one annotation a class and picture.

    Raises:
        InputError: an unknown option, no mask, an id twice, or a file that cannot be written.
        FormatError: a mask with a value that is no class id.
    """
    check_keys(options, WRITE_OPTIONS, where=where)
    polygons = chosen(options, "polygons", ("no", "yes"), default="no") == "yes"
    per = cast("Per", chosen(options, "per", ("region", "class"), default="region"))
    path, kept = write_path(where), list(checked(masks, classes))
    names = file_names(kept)
    images, annotations = [], []
    for number, mask in enumerate(kept, start=1):
        images.append(_image(mask, number, names[mask.id]))
        for piece in pieces(mask.runs, classes, per=per):
            shape = _polygons(piece) if polygons else _run_length(piece, mask.runs.size_hw)
            annotations.append(_annotation(piece, shape, number=len(annotations) + 1, image=number))
    categories = [{"id": i, "name": name, "supercategory": ""} for i, name in names_of(classes).items() if i != classes.background]
    document = {
        "info": {"description": "Label maps as regions; background is what no annotation covers", "contributor": "figureground"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
    write_atomically(path, to_json_bytes(document, where=where))
    return Written(path=path, samples=len(kept), regions=len(annotations))


def read_coco(reading: Reading) -> Iterator[LabelledMask]:
    """The label maps of a COCO instances file: polygons and both run-length codes, later annotations over earlier ones.

    Categories are matched with the classes by name, whatever their ids. Annotations with an empty
    segmentation have no area and are passed over, and a picture with no others is left out.

    Options:
        crowd: crowd regions are `class` (default), as their category, `ignore`, or not at all (`skip`).

    Raises:
        InputError: an unknown option.
        FormatError: a file that is no COCO file, or an annotation that cannot be drawn.
    """
    check_keys(reading.options, READ_OPTIONS, where=reading.file)
    chosen(reading.options, "crowd", ("class", "ignore", "skip"), default="class")
    images, annotations, categories = _document(reading.file)
    names = _categories(categories, reading)
    by_image = _by_image(images, annotations, reading)
    for image in images:
        what = f"image {str(image.get('id'))[:40]}"
        own = by_image[_key(image, what, reading)]
        if not own and reading.skips_empty():
            continue
        sample = reading.sample_of(_names(image, what, reading), exact=_text(image, "sample"), what=what)
        if sample is None:
            continue
        label_map = reading.blank(image.get("height"), image.get("width"), what=what, sample=sample)
        drawn = sum(_paint(annotation, label_map, names, reading, sample=sample) for annotation in own)
        if own and not drawn:
            reading.has_no_area()
            continue
        yield reading.mask(sample, label_map, name=_text(image, "file_name"), by=_text(image, "by"), created=_text(image, "created"))


def _image(mask: LabelledMask, number: int, name: str) -> dict[str, Any]:
    known = {key: value for key, value in (("by", mask.by), ("created", mask.created)) if value}
    return {"id": number, "file_name": name, "height": mask.runs.height, "width": mask.runs.width, "sample": mask.id, **known}


def _annotation(piece: Piece, shape: Any, *, number: int, image: int) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": piece.value,
        "iscrowd": 0,
        "area": piece.area,
        "bbox": list(piece.box_xywh),
        "segmentation": shape,
    }


def _polygons(piece: Piece) -> list[list[int]]:
    return list(outlines(piece.pixels, top=piece.top, left=piece.left))


def _run_length(piece: Piece, size_hw: tuple[int, int]) -> dict[str, Any]:
    """COCO's text code of the whole picture, from the runs of the box alone."""
    code: Any = coco_mask.frPyObjects(cast("Any", {"size": list(size_hw), "counts": column_runs(piece, size_hw)}), *size_hw)
    return {"size": list(size_hw), "counts": str(code["counts"], "ascii")}


def column_runs(piece: Piece, size_hw: tuple[int, int]) -> list[int]:
    """Column-major run lengths of a piece in its picture, ground first."""
    height, width = size_hw
    changes = np.diff(np.pad(piece.pixels.astype(np.int8), ((1, 1), (0, 0))), axis=0).T
    columns, starts = np.nonzero(changes == 1)
    first = (columns + piece.left) * height + piece.top
    edges = np.stack([first + starts, first + np.nonzero(changes == -1)[1]], axis=1)
    goes_on = np.concatenate(
        [[False], edges[1:, 0] == edges[:-1, 1], [False]]
    )  # figure to the end of a column and from the top of the next
    kept = [edges[~goes_on[:-1], 0], edges[~goes_on[1:], 1]]
    whole = np.concatenate([[0], np.stack(kept, axis=1).reshape(-1), [height * width]])
    return np.diff(whole).tolist()


def _document(file: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    content = read_json(file)
    parts = []
    for key in ("images", "annotations", "categories"):
        value = content.get(key) if isinstance(content, dict) else None
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise refusal("bad-json", f"`{key}` is not a list of objects, as COCO files have it", "Name a COCO instances file", file=file)
        parts.append(value)
    return parts[0], parts[1], parts[2]


def _categories(categories: list[dict[str, Any]], reading: Reading) -> dict[int, str]:
    found: dict[int, str] = {}
    for category in categories:
        number, name = category.get("id"), category.get("name")
        if type(number) is not int or not isinstance(name, str) or not name:
            raise refusal(
                "bad-json", f"the category {str(category)[:60]} needs a name and a whole number as id", "Correct it", file=reading.file
            )
        if number in found:
            raise refusal("duplicate-id", f"the category id {number} is given twice", "Give each category its own id", file=reading.file)
        found[number] = name
    return found


def _key(image: Mapping[str, Any], what: str, reading: Reading) -> int | str:
    number = image.get("id")
    if type(number) not in (int, str) or number == "":
        raise refusal("bad-json", f"{what}: an image needs an id", "Export the file again", file=reading.file)
    return cast("int | str", number)


def _by_image(images: list[dict[str, Any]], annotations: list[dict[str, Any]], reading: Reading) -> dict[int | str, list[dict[str, Any]]]:
    found: dict[int | str, list[dict[str, Any]]] = {}
    for image in images:
        key = _key(image, f"image {str(image)[:60]}", reading)
        if key in found:
            raise refusal("duplicate-id", f"the image id {key} is given twice", "Give each image its own id", file=reading.file)
        found[key] = []
    for annotation in annotations:
        key = annotation.get("image_id")
        if type(key) not in (int, str) or key not in found:
            what = f"annotation {str(annotation.get('id'))[:40]}"
            problem = f"{what} belongs to image {str(key)[:20]}, which the file does not list"
            raise refusal("bad-json", problem, "Correct the file, or export it again", file=reading.file)
        found[cast("int | str", key)].append(annotation)
    return found


def _names(image: Mapping[str, Any], what: str, reading: Reading) -> list[str]:
    """What an image may go by: its file, and its id where files say nothing."""
    for key in ("sample", "file_name"):
        if not isinstance(image.get(key, ""), str):
            raise refusal("bad-json", f"{what}: `{key}` must be a text", "Export the file again", file=reading.file)
    name, number = _text(image, "file_name"), str(image["id"])
    sure = not name or (reading.known is not None and reading.known.images.get(number, "") is None)
    return [*([name] if name else []), *([number] if sure else [])]


def _paint(annotation: dict[str, Any], label_map: np.ndarray, names: Mapping[int, str], reading: Reading, *, sample: str) -> bool:
    """Draws an annotation; False where it has no area, as one of a box alone."""
    what = f"annotation {str(annotation.get('id'))[:40]}"
    size_hw = label_map.shape[0], label_map.shape[1]
    shape = annotation.get("segmentation")
    if shape == []:
        reading.passed_over["annotations without an area"] += 1
        return False
    counts = shape.get("counts") if isinstance(shape, dict) else None
    if isinstance(counts, str) and not counts.isascii():
        raise reading.bad(f"{what}: its run-length text holds characters that the code does not have", sample=sample)
    with reading.at(what):
        one = read_instance(annotation, frozenset(names), size_hw, file=reading.file, sample=sample)
        crowd = reading.options.get("crowd", "class") if one.crowd else "class"
        if crowd == "skip" or (crowd == "ignore" and reading.classes.ignore is None):
            reading.passed_over["crowd regions"] += 1
            return True
        pixels = draw_region(one, size_hw, file=reading.file, sample=sample)
    value = reading.classes.ignore if crowd == "ignore" else reading.value_of(names[one.category], sample=sample, what=what)
    label_map[pixels] = value
    return True


def _text(image: Mapping[str, Any], key: str) -> str:
    value = image.get(key)
    return value if isinstance(value, str) else ""
