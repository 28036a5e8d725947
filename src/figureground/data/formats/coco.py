"""COCO annotation files: instances drawn from polygons and RLE, or panoptic PNGs; category ids stay what they are."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from figureground.core.errors import FormatError, InputError
from figureground.core.types import MAX_CLASS_ID, ClassTable, Sample
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal
from figureground.data.formats.coco_instances import DrawnMasks, Instance, read_instance
from figureground.data.formats.coco_panoptic import PanopticMasks, read_segments
from figureground.data.sources import StampedSource
from figureground.data.spec import check_keys, chosen, listed, nearest
from figureground.data.tables import check_unique

OPTIONS = ("crowd", "id", "images", "classes", "background", "ignore", "groups", "panoptic")
_OF_NO_INTEREST = frozenset({"id", "width", "height", "file_name", "license", "coco_url", "flickr_url", "date_captured"})
_MOST_PIXELS = 2**28


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """The parts of a COCO file, checked for being there and of the right type."""

    file: str
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    categories: dict[int, str]

    def bad(self, problem: str, *, sample: str | None = None) -> FormatError:
        return refusal("bad-json", problem, "Correct the file, or export it again", file=self.file, sample=sample)


def open_coco(where: str, options: Mapping[str, str]) -> Dataset:
    """The data set of a COCO instances or panoptic JSON file.

    Label maps hold the category ids as they are in the file, gaps and all; 0 is background. Where instances overlap, the smaller one (by
    its pixels) lies on top, and of two equal ones the later; crowd regions lie below all others. A sample's label is the category of its
    annotations if that is a single one. Further plain fields of an image, such as `group_id`, are attributes.

    Options:
        crowd: crowd regions (`iscrowd`) count as `ignore` (default), as their `class`, or not at all (`skip`).
        id: `image` (default: the image id as text) or `file` (the stem of its file name).
        images: folder of the pictures; without it the data set has none.
        classes: names of the categories to keep; the others become background.
        background, ignore: other ids for ground (default 0) and void (default 255, or 65535 where a category has 255).
        groups: context names such as `indoor,outdoor` for files that number groups as `group_id = n * class + context`.
        panoptic: folder of the panoptic PNGs; default the folder beside the file that is called like it.

    Raises:
        InputError: an unknown option, choice or class name.
        FormatError: a file that is no COCO file, ids that are not unique, or references to nowhere.
    """
    check_keys(options, OPTIONS, where=where)
    crowd = chosen(options, "crowd", ("ignore", "class", "skip"), default="ignore")
    document = _read(where)
    classes = _class_table(document, options)
    names = _sample_ids(document, options)
    by_image = _by_image(document, names)
    masks, labels = _masks(document, by_image, names, classes, crowd, options)
    samples = tuple(_sample(image, names[image["id"]], labels.get(image["id"]), document, options) for image in document.images)
    return Dataset(
        name=paths.stem(where),
        classes=classes,
        samples=samples,
        masks=masks,
        label_attribute="label" if labels else None,
        context_attribute="context" if any("context" in s.attributes for s in samples) else None,
        files=(where,),
    )


def _read(where: str) -> _Document:
    try:
        content = json.loads(paths.read_text(where))
    except (ValueError, RecursionError) as error:
        raise refusal("bad-json", f"the file is no valid JSON ({str(error)[:80]})", "Export it again", file=where) from error
    parts = {key: content.get(key) if isinstance(content, dict) else None for key in ("images", "annotations", "categories")}
    for key, value in parts.items():
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise refusal("bad-json", f"`{key}` is not a list of objects, as COCO files have it", "Name a COCO file", file=where)
    document = _Document(file=where, images=parts["images"] or [], annotations=parts["annotations"] or [], categories={})
    for category in parts["categories"] or []:
        number, name = category.get("id"), category.get("name")
        if type(number) is not int or not isinstance(name, str) or not name or not 0 <= number <= MAX_CLASS_ID:
            raise document.bad(f"the category {str(category)[:60]} needs a name and an id in [0, {MAX_CLASS_ID}]")
        if number in document.categories:
            raise refusal("duplicate-id", f"the category id {number} is given twice", "Give each category its own id", file=where)
        document.categories[number] = name
    for image in document.images:
        _check_image(image, document)
    return document


def _check_image(image: Mapping[str, Any], document: _Document) -> None:
    if type(image.get("id")) not in (int, str) or image["id"] == "":
        raise document.bad(f"the image {str(image)[:60]} has no id")
    for key in ("height", "width"):
        if type(image.get(key)) is not int or image[key] < 1:
            raise document.bad(f"`{key}` must be a whole number of pixels; got {str(image.get(key))[:20]!r}", sample=str(image["id"]))
    if image["height"] * image["width"] > _MOST_PIXELS:
        raise document.bad(f"the image is said to have {image['height']} x {image['width']} pixels", sample=str(image["id"]))
    if not isinstance(image.get("file_name", ""), str):
        raise document.bad("`file_name` must be a text", sample=str(image["id"]))


def _class_table(document: _Document, options: Mapping[str, str]) -> ClassTable:
    kept = document.categories
    if (wanted := listed(options, "classes")) is not None:
        for name in wanted:
            if name not in kept.values():
                raise InputError(f"`classes` names '{name}', which is no category.{nearest(name, kept.values())}")
        kept = {i: name for i, name in kept.items() if name in wanted}
    named_background = next((i for i, name in document.categories.items() if name == "background"), 0)
    background = _id_option(options, "background", named_background)
    if background in kept and kept[background] != "background" and "background" not in options:
        raise document.bad(
            f"the category '{kept[background]}' has id {background}, which is the background's; say ?background=ID with a free id"
        )
    table = {**kept, background: kept.get(background, "background")}
    ignore = _id_option(options, "ignore", next(i for i in (255, MAX_CLASS_ID, MAX_CLASS_ID - 1) if i not in table))
    ids = sorted(table)
    try:
        return ClassTable(names=tuple(table[i] for i in ids), ids=tuple(ids), background=background, ignore=ignore)
    except FormatError:
        raise
    except InputError as error:
        raise document.bad(f"the categories contradict one another: {error}") from error


def _id_option(options: Mapping[str, str], key: str, default: int) -> int:
    text = options.get(key, str(default))
    if not (text.isascii() and text.isdigit()) or int(text[:6]) > MAX_CLASS_ID:
        raise InputError(f"`{key}` must be an id in [0, {MAX_CLASS_ID}]; got '{text}'")
    return int(text)


def _sample_ids(document: _Document, options: Mapping[str, str]) -> dict[int | str, str]:
    """Image id -> sample id."""
    by_file = chosen(options, "id", ("image", "file"), default="image") == "file"
    if by_file and (bare := next((i for i in document.images if not i.get("file_name")), None)):
        raise document.bad("the image has no `file_name`, which ?id=file needs", sample=str(bare["id"]))
    ids = [paths.stem(image["file_name"]) if by_file else str(image["id"]) for image in document.images]
    check_unique(ids, file=document.file)
    return {image["id"]: i for image, i in zip(document.images, ids, strict=True)}


def _by_image(document: _Document, names: Mapping[int | str, str]) -> dict[int | str, list[dict[str, Any]]]:
    found: dict[int | str, list[dict[str, Any]]] = defaultdict(list)
    for annotation in document.annotations:
        image_id = annotation.get("image_id")
        if not isinstance(image_id, int | str) or image_id not in names:
            raise document.bad(f"an annotation belongs to image {str(image_id)[:20]!r}, which the file does not list")
        found[image_id].append(annotation)
    return found


def _masks(
    document: _Document,
    by_image: Mapping[int | str, list[dict[str, Any]]],
    names: Mapping[int | str, str],
    classes: ClassTable,
    crowd: str,
    options: Mapping[str, str],
) -> tuple[StampedSource, dict[int | str, str]]:
    """The source of masks, and the label of each image that has a single category."""
    known = frozenset(document.categories)
    if "panoptic" in options or any("segments_info" in annotation for annotation in document.annotations):
        folder = options.get("panoptic") or document.file.removesuffix(".json")
        files, segments = {}, {}
        for image_id, annotations in by_image.items():
            file_name, segments[image_id] = read_segments(annotations, known, file=document.file, sample=names[image_id])
            files[names[image_id]] = paths.join(folder, file_name)
        present = {i: {s.category for s in found} for i, found in segments.items()}
        source: StampedSource = PanopticMasks(
            files=files, segments={names[i]: found for i, found in segments.items()}, classes=classes, crowd=crowd
        )
    else:
        sizes = {image["id"]: (image["height"], image["width"]) for image in document.images}
        instances: dict[int | str, tuple[Instance, ...]] = {
            i: tuple(read_instance(a, known, sizes[i], file=document.file, sample=names[i]) for a in by_image.get(i, ())) for i in names
        }
        present = {i: {one.category for one in found} for i, found in instances.items()}
        drawn = {names[i]: found for i, found in instances.items()}
        source = DrawnMasks(instances=drawn, sizes={names[i]: sizes[i] for i in names}, classes=classes, crowd=crowd, file=document.file)
    figures = {i: found & set(classes.foreground) for i, found in present.items()}
    return source, {i: classes.name_of(next(iter(found))) for i, found in figures.items() if len(found) == 1}


def _sample(image: Mapping[str, Any], sample_id: str, label: str | None, document: _Document, options: Mapping[str, str]) -> Sample:
    plain = {k: v for k, v in image.items() if k not in _OF_NO_INTEREST and isinstance(v, str | int | float)}
    attributes = {key: str(value) for key, value in plain.items() if key not in ("split", "label")}
    if contexts := listed(options, "groups"):
        attributes["context"] = _context(image, contexts, document, sample_id)
    file_name = image.get("file_name")
    return Sample(
        id=sample_id,
        image=paths.join(options["images"], file_name) if "images" in options and file_name else None,
        label=label,
        split=str(image["split"]) if isinstance(image.get("split"), str) else None,
        size_hw=(image["height"], image["width"]),
        attributes=attributes,
    )


def _context(image: Mapping[str, Any], contexts: list[str], document: _Document, sample_id: str) -> str:
    group = image.get("group_id")
    if type(group) is not int or group < 0:
        raise document.bad(f"?groups= needs a whole number `group_id` on each image; got {str(group)[:20]!r}", sample=sample_id)
    return contexts[group % len(contexts)]
