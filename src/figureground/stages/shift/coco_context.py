"""Indoor or outdoor by the areas of things and stuff in COCO annotations: the area rule of COCO-CD.

The name lists are ours. They follow the published counts (20 indoor stuff, 24 natural and 12 built outdoor stuff, 16 neutral stuff that is
looked at by nobody, 26 indoor and 19 outdoor things); the published lists themselves are not repeated here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from figureground.core.errors import FormatError, InputError
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal
from figureground.data.formats.coco_instances import draw_region, read_instance

INDOOR, OUTDOOR, UNKNOWN = "indoor", "outdoor", ""
LEAST_AREA = 0.02
"""Part of the picture that must speak for a context."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


INDOOR_STUFF = _names(
    "blanket, cabinet, carpet, ceiling-other, ceiling-tile, counter, cupboard, curtain, desk-stuff, floor-marble, floor-other, "
    "floor-tile, floor-wood, furniture-other, mirror-stuff, pillow, rug, shelf, table, window-blind"
)
NATURAL_STUFF = _names(
    "branch, bush, clouds, dirt, fog, grass, gravel, ground-other, hill, leaves, moss, mountain, mud, plant-other, river, rock, "
    "sand, sea, sky-other, snow, stone, straw, tree, water-other"
)
BUILT_STUFF = _names("bridge, building-other, fence, house, pavement, platform, playingfield, railroad, road, roof, skyscraper, tent")
NEUTRAL_STUFF = _names(
    "door-stuff, floor-stone, metal, plastic, solid-other, stairs, structural-other, wall-brick, wall-concrete, wall-other, "
    "wall-panel, wall-stone, wall-tile, wall-wood, window-other, wood"
)
INDOOR_THINGS = _names(
    "bottle, wine glass, cup, fork, knife, spoon, bowl, chair, couch, bed, dining table, toilet, tv, laptop, mouse, remote, "
    "keyboard, microwave, oven, toaster, sink, refrigerator, book, vase, hair drier, toothbrush"
)
OUTDOOR_THINGS = _names(
    "bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign, parking meter, bench, "
    "frisbee, skis, snowboard, kite, skateboard, surfboard"
)
_ALIASES = {"ceiling": "ceiling-other"}
"""Names of the panoptic annotations, which merge some kinds of stuff, without their `-merged`."""
SPEAKS_FOR: Mapping[str, str] = {
    **dict.fromkeys((*INDOOR_STUFF, *INDOOR_THINGS), INDOOR),
    **dict.fromkeys((*NATURAL_STUFF, *BUILT_STUFF, *OUTDOOR_THINGS), OUTDOOR),
}
"""Category name -> the context its area speaks for; every other category says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaContexts:
    """The context of every image of some annotation files; empty where the areas do not decide."""

    by_id: Mapping[str, str]
    """Image id as text -> context."""
    by_stem: Mapping[str, str]
    """File name without folder and suffix -> context."""


def area_rule(indoor: float, outdoor: float, whole: float) -> str:
    """The context that areas decide for.

    Indoor where indoor / (indoor + outdoor) is at least 0.5 and indoor covers at least 2 % of the picture; else outdoor where that ratio is
    at most 0.5 and outdoor covers at least 2 %; else the empty text. A tie goes to indoor if it is large enough.

    Args:
        indoor: area that speaks for indoor, at least 0.
        outdoor: area that speaks for outdoor, at least 0.
        whole: area of the picture, above 0.

    Source: the construction of COCO-CD in arXiv 2604.13326.

    Example:
        >>> area_rule(3, 1, 100), area_rule(3, 3, 100), area_rule(1, 3, 100), area_rule(1, 1, 100)
        ('indoor', 'indoor', 'outdoor', '')
    """
    if indoor + outdoor <= 0:
        return UNKNOWN
    ratio = indoor / (indoor + outdoor)
    if ratio >= 0.5 and indoor >= LEAST_AREA * whole:
        return INDOOR
    return OUTDOOR if ratio <= 0.5 and outdoor >= LEAST_AREA * whole else UNKNOWN


def area_contexts(files: Iterable[str], *, figures: Collection[str] = ()) -> AreaContexts:
    """The contexts of all images of COCO files: instances, COCO-Stuff and panoptic ones, their areas added up by image id.

    Args:
        files: paths or URLs of JSON files. An image may stand in several, such as things in one and stuff in the other; an area must not.
        figures: category names that never speak for a context: the classes whose context is asked for.

    Raises:
        FormatError: a file that is no COCO file, or an image or annotation in it that is crooked.
    """
    return _contexts({file: _read(file) for file in files}, figures)


def _contexts(documents: Mapping[str, dict[str, Any]], figures: Collection[str]) -> AreaContexts:
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    images: dict[str, tuple[float, str]] = {}
    for file, document in documents.items():
        found = {str(image["id"]): image for image in document["images"]}
        names = _category_names(document, file)
        for key, category, area in _areas(document, found, names, file):
            if names[category] not in figures:
                sums[key][SPEAKS_FOR.get(_plain(names[category]), UNKNOWN)] += area
        images |= {key: (image["height"] * image["width"], paths.stem(str(image.get("file_name", "")))) for key, image in found.items()}
    by_id = {key: area_rule(sums[key][INDOOR], sums[key][OUTDOOR], whole) for key, (whole, _) in images.items()}
    return AreaContexts(by_id=by_id, by_stem={stem: by_id[key] for key, (_, stem) in images.items() if stem})


def contexts_of(dataset: Dataset, stuff: Sequence[str], *, figures: Collection[str]) -> dict[str, str]:
    """Sample id -> context by the area rule; samples that the files do not list or decide have the empty text.

    Things come from the data set's own COCO file, unless `stuff` holds panoptic files, which have things and stuff.

    Args:
        dataset: whose samples; their ids are image ids or names of picture files.
        stuff: COCO-Stuff or panoptic JSON files.
        figures: class names whose context is asked for.

    Raises:
        InputError: no file is given, or none of their images is a sample of the data set.
        FormatError: as `area_contexts`.
    """
    own = {file: _read(file) for file in dataset.files if file.endswith(".json")}
    given = {file: _read(file) for file in stuff}
    if not given and not any(map(_is_panoptic, own.values())):
        raise InputError(
            f"--context area-rule needs annotations of stuff for {dataset.name}. Give --stuff STUFF.json: a COCO-Stuff or panoptic file "
            "of the same images"
        )
    things = {} if any(map(_is_panoptic, given.values())) else own
    found = _contexts({**given, **things}, figures)
    matches = [{s.id: table[s.id] for s in dataset.samples if s.id in table} for table in (found.by_id, found.by_stem)]
    best = max(matches, key=len)
    if not best:
        raise InputError(
            f"{', '.join(given or own)}: none of its {len(found.by_id)} images is a sample of {dataset.name}, by image id or by name. "
            "Give the annotations of the same images"
        )
    return {s.id: best.get(s.id, UNKNOWN) for s in dataset.samples}


def _areas(
    document: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]], names: Mapping[int, str], file: str
) -> Iterator[tuple[str, int, float]]:
    """Image key, category and area of every region."""
    for annotation in document["annotations"]:
        key = str(annotation.get("image_id"))
        if key not in images:
            raise _bad(f"an annotation belongs to image '{key[:20]}', which the file does not list", file)
        regions = annotation["segments_info"] if isinstance(annotation.get("segments_info"), list) else [annotation]
        for region in regions:
            category = region.get("category_id") if isinstance(region, dict) else None
            if type(category) is not int or category not in names:
                raise _bad(f"an annotation has the category {str(category)[:20]!r}, which the file does not list", file, key)
            yield key, category, _area(region, images[key], names, file, key)


def _area(region: Mapping[str, Any], image: Mapping[str, Any], names: Mapping[int, str], file: str, key: str) -> float:
    """The area that the file states, else that of the drawn region."""
    area = region.get("area")
    if type(area) in (int, float) and 0 <= float(area or 0) < float("inf"):
        return float(area or 0)
    size_hw = (image["height"], image["width"])
    return float(draw_region(read_instance(region, frozenset(names), size_hw, file=file, sample=key), size_hw, file=file, sample=key).sum())


def _read(file: str) -> dict[str, Any]:
    """The document with its three lists checked."""
    try:
        content = json.loads(paths.read_text(file))
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise _bad(f"the file is no valid JSON ({str(error)[:80]})", file) from error
    parts = {key: content.get(key) if isinstance(content, dict) else None for key in ("images", "annotations", "categories")}
    for key, value in parts.items():
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise _bad(f"`{key}` is not a list of objects, as COCO files have it", file)
    for image in parts["images"] or []:
        if type(image.get("id")) not in (int, str) or any(type(image.get(k)) is not int or image[k] < 1 for k in ("height", "width")):
            raise _bad(f"the image {str(image)[:60]} needs an id, a height and a width", file)
    return parts


def _category_names(document: Mapping[str, Any], file: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for category in document["categories"]:
        number, name = category.get("id"), category.get("name")
        if type(number) is not int or not isinstance(name, str):
            raise _bad(f"the category {str(category)[:60]} needs a name and an id", file)
        names[number] = name
    return names


def _is_panoptic(document: Mapping[str, Any]) -> bool:
    return any("segments_info" in annotation for annotation in document["annotations"])


def _plain(name: str) -> str:
    short = name.removesuffix("-merged")
    return _ALIASES.get(short, short)


def _bad(problem: str, file: str, sample: str | None = None) -> FormatError:
    return refusal("bad-json", problem, "Give a COCO instances, COCO-Stuff or panoptic file", file=file, sample=sample)
