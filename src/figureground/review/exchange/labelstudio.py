"""Label Studio's JSON: tasks with brush layers, written exactly; polygons, boxes and ellipses are read too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from figureground.core.errors import FormatError
from figureground.core.progress import Reporter
from figureground.core.types import ClassTable
from figureground.core.whole_file import write_atomically
from figureground.data import paths
from figureground.data.faults import refusal
from figureground.data.pictures import picture_size
from figureground.data.spec import check_keys, chosen
from figureground.review.exchange.brush import decode_brush, encode_brush
from figureground.review.exchange.labelstudio_names import image_of, names_of_image
from figureground.review.exchange.masks import LabelledMask, Written, checked, file_names, names_of, write_path
from figureground.review.exchange.reading import COMMON_OPTIONS, Reading, read_json, to_json_bytes
from figureground.review.exchange.regions import Per, pieces
from figureground.review.exchange.shapes import box_points, ellipse_points, numbers_of, polygon_pixels

READ_OPTIONS = (*COMMON_OPTIONS, "from", "key")
WRITE_OPTIONS = ("as", "per", "images", "from_name", "to_name")
_NO_AREA = frozenset(
    {"choices", "textarea", "rating", "number", "datetime", "taxonomy", "pairwise", "relation", "ranker"}
    | {"keypoint", "keypointlabels", "vector", "vectorlabels"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """One annotation or prediction of a task."""

    result: list[dict[str, Any]]
    by: str
    created: str


def write_labelstudio(
    where: str, masks: Iterable[LabelledMask], classes: ClassTable, options: Mapping[str, str], reporter: Reporter
) -> Written:
    """Writes a JSON file of tasks to import into Label Studio, each with one annotation of brush layers.

    A task's `data` says beside the picture its `sample`, `height` and `width`, and `by` and `created` where they are known.

    Options:
        as: `annotations` (default) or `predictions`, which Label Studio offers to start from.
        per: `class` (default: every layer is as large as the picture) or `region`.
        images: what stands before the pictures' names, such as `/data/local-files/?d=photos/`.
        from_name, to_name: names of the tags in the labelling configuration; `label` and `image`.

    Raises:
        InputError: an unknown option, no mask, an id twice, or a file that cannot be written.
        FormatError: a mask with a value that is no class id.
    """
    check_keys(options, WRITE_OPTIONS, where=where)
    kind = chosen(options, "as", ("annotations", "predictions"), default="annotations")
    per = cast("Per", chosen(options, "per", ("class", "region"), default="class"))
    path, kept, layers = write_path(where), list(checked(masks, classes)), 0
    names, labels, tasks = file_names(kept), names_of(classes), []
    for number, mask in enumerate(kept, start=1):
        result = _layers(mask, classes, labels, options, per)
        layers += len(result)
        answer = {"result": result, **({"model_version": mask.by} if kind == "predictions" and mask.by else {})}
        known = {"by": mask.by, "created": mask.created}
        data = {
            "image": options.get("images", "") + names[mask.id],
            "sample": mask.id,
            "height": mask.runs.height,
            "width": mask.runs.width,
        }
        tasks.append({"id": number, "data": data | {k: v for k, v in known.items() if v}, kind: [answer]})
    write_atomically(path, to_json_bytes(tasks, where=where))
    return Written(path=path, samples=len(kept), regions=layers)


def read_labelstudio(reading: Reading) -> Iterator[LabelledMask]:
    """The label maps of Label Studio's JSON export, later regions over earlier ones.

    Brush layers, polygons, boxes and ellipses are read; what has no area is passed over, a picture with nothing else is left out,
    and so are cancelled annotations. Of several annotations of a task the ground truth is taken, else the newest.

    Options:
        from: `annotations` (default) or `predictions`.
        key: which entry of `data` is the picture, where that is not plain.

    Raises:
        InputError: an unknown option.
        FormatError: a file of another form, or a region that cannot be drawn.
    """
    check_keys(reading.options, READ_OPTIONS, where=reading.file)
    source = chosen(reading.options, "from", ("annotations", "predictions"), default="annotations")
    for place, task in enumerate(_tasks(reading.file), start=1):
        what = f"task {str(task.get('id', place))[:40]}"
        data = task.get("data")
        if not isinstance(data, dict):
            raise _wrong_form(reading.file, what)
        answer = _answer(task, source, data, what, reading)
        if answer is None or (not answer.result and reading.skips_empty()):
            continue
        image = image_of(data, reading.options.get("key"))
        names = [*names_of_image(image), *names_of_image(f"upload/{uploaded}" if (uploaded := _text(task, "file_upload")) else "")]
        sample = reading.sample_of(names, what=what, exact=_text(data, "sample"))
        if sample is None or (size_hw := _size(answer, data, sample, what, reading)) is None:
            continue
        label_map = reading.blank(*size_hw, what=what, sample=sample)
        if not _paint_all(answer.result, label_map, reading, sample=sample, what=what):
            reading.has_no_area()
            continue
        yield reading.mask(sample, label_map, name=image, by=answer.by, created=answer.created)


def _layers(
    mask: LabelledMask, classes: ClassTable, labels: Mapping[int, str], options: Mapping[str, str], per: Per
) -> list[dict[str, Any]]:
    found, size_hw = [], mask.runs.size_hw
    for number, piece in enumerate(pieces(mask.runs, classes, per=per)):
        whole = np.zeros(size_hw, bool)
        whole[piece.top : piece.top + piece.pixels.shape[0], piece.left : piece.left + piece.pixels.shape[1]] = piece.pixels
        found.append(
            {
                "id": hashlib.sha256(f"{mask.id}\0{number}".encode()).hexdigest()[:10],
                "type": "brushlabels",
                "from_name": options.get("from_name", "label"),
                "to_name": options.get("to_name", "image"),
                "origin": "manual",
                "image_rotation": 0,
                "original_width": size_hw[1],
                "original_height": size_hw[0],
                "value": {"format": "rle", "rle": encode_brush(whole), "brushlabels": [labels[piece.value]]},
            }
        )
    return found


def _tasks(file: str) -> list[dict[str, Any]]:
    content = read_json(file)
    tasks = [content] if isinstance(content, dict) and "data" in content else content
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise _wrong_form(file, "the file")
    return tasks


def _answer(task: Mapping[str, Any], source: str, data: Mapping[str, Any], what: str, reading: Reading) -> _Answer | None:
    """The annotation of a task that counts; None where there is none."""
    given = task.get(source, [])
    if not isinstance(given, list) or not all(isinstance(one, dict) and isinstance(one.get("result"), list) for one in given):
        raise _wrong_form(reading.file, what)
    live = [one for one in given if not one.get("was_cancelled")]
    if not live:
        reading.passed_over[f"tasks without {source}"] += 1
        return None
    if len(live) > 1:
        reading.passed_over["older annotations of a task"] += len(live) - 1
    best = max(enumerate(live), key=lambda item: (item[1].get("ground_truth") is True, _when(item[1]), item[0]))[1]
    if not all(isinstance(one, dict) for one in best["result"]):
        raise _wrong_form(reading.file, what)
    who = best.get("completed_by", best.get("model_version"))
    name = who.get("email") or who.get("username") or who.get("id") if isinstance(who, dict) else who
    by = f"user {name}" if type(name) is int else name if isinstance(name, str) else _text(data, "by")
    return _Answer(result=best["result"], by=by or _text(data, "by"), created=_when(best) or _text(data, "created"))


def _when(answer: Mapping[str, Any]) -> str:
    return _text(answer, "updated_at") or _text(answer, "created_at")


def _size(answer: _Answer, data: Mapping[str, Any], sample: str, what: str, reading: Reading) -> tuple[int, int] | None:
    """Height and width that all regions of a task agree on; of one without any, those of the picture, None where nobody knows."""
    sizes = {
        (str(one["original_height"]), str(one["original_width"])): one
        for one in answer.result
        if "original_height" in one and "original_width" in one
    }
    if len(sizes) > 1:
        raise reading.bad(f"{what}: its regions are for pictures of different sizes", sample=sample)
    if sizes:
        one = next(iter(sizes.values()))
        return reading.size(one["original_height"], one["original_width"], what=what, sample=sample)
    if "height" in data and "width" in data:
        return reading.size(data["height"], data["width"], what=what, sample=sample)
    image = reading.known.images.get(sample) if reading.known else None
    try:
        found = picture_size(image) if image and not paths.is_url(image) else None
    except FormatError:
        found = None
    if found is None and answer.result:
        remedy = "Name data whose pictures lie on this machine, or export as JSON with `original_width` and `original_height`"
        raise reading.bad(f"{what}: no region says the size of its picture", sample=sample, remedy=remedy)
    if found is None:
        reading.passed_over["empty annotations that do not say the size of their picture"] += 1
    return found


def _paint_all(result: list[dict[str, Any]], label_map: np.ndarray, reading: Reading, *, sample: str, what: str) -> bool:
    """Draws all regions; a region may have its shape in one entry and its label in another of the same id. False where none has an area."""
    drawn = not result
    labels = {str(one["id"]): found for one in result if "id" in one and (found := _labels(one))}
    for one in result:
        kind, value = one.get("type"), one.get("value")
        where = f"{what}, region {str(one.get('id'))[:40]}"
        if kind in _NO_AREA:
            reading.passed_over["regions without an area"] += 1
            continue
        if not isinstance(kind, str) or not isinstance(value, dict):
            raise reading.bad(f"{where}: a region needs a type and a value", sample=sample)
        name = kind.removesuffix("labels")
        if not name and not any(key in value for key in ("rle", "points", "width", "radiusX")):
            continue  # the label of a shape that another entry gives
        if one.get("image_rotation", 0) != 0:
            remedy = "Turn the picture back in Label Studio, or turn the file itself, and export again"
            raise reading.bad(f"{where}: the picture was turned by {str(one['image_rotation'])[:20]} degrees", sample=sample, remedy=remedy)
        found = _labels(one) or labels.get(str(one.get("id")), [])
        if len(found) != 1:
            raise reading.bad(f"{where}: a region must have one label; it has {len(found)}", sample=sample)
        pixels = _shape(name, value, label_map.shape, reading, sample=sample, what=where)
        label_map[pixels] = reading.value_of(found[0], sample=sample, what=where)
        drawn = True
    return drawn


def _labels(one: Mapping[str, Any]) -> list[Any]:
    """The labels of a region: the list in its value that is called like its type, or `labels`."""
    value = one.get("value")
    found = value.get(str(one.get("type")), value.get("labels")) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _shape(name: str, value: Mapping[str, Any], shape: tuple[int, ...], reading: Reading, *, sample: str, what: str) -> np.ndarray:
    size_hw = shape[0], shape[1]
    kind = name or next(kind for key, kind in _BY_KEY.items() if key in value)
    if kind == "brush":
        try:
            return decode_brush(value.get("rle"), size_hw)
        except ValueError as error:
            raise reading.bad(f"{what}: {error}", sample=sample) from error
    if kind not in _OUTLINES:
        remedy = "Draw it with brush, polygon, rectangle or ellipse, or leave it out of the export"
        raise reading.bad(f"{what}: regions of type '{kind[:40]}' cannot be read", sample=sample, remedy=remedy)

    def numbers(*values: object) -> list[float]:
        return numbers_of(values, what=what, file=reading.file, sample=sample)

    points = _OUTLINES[kind](value, numbers, size_hw)
    with reading.at(what):
        return polygon_pixels(points, size_hw, file=reading.file, sample=sample)


def _polygon(value: Mapping[str, Any], numbers: Callable[..., list[float]], size_hw: tuple[int, int]) -> list[float]:
    given = value.get("points")
    pairs = given if isinstance(given, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in given) else [[None, None]]
    return [number for x, y in pairs for number in _pixels(numbers(x, y), size_hw)]


def _box(value: Mapping[str, Any], numbers: Callable[..., list[float]], size_hw: tuple[int, int]) -> list[float]:
    x, y, width, height, turned = numbers(*(value.get(key) for key in ("x", "y", "width", "height")), value.get("rotation", 0))
    return box_points(*_pixels([x, y], size_hw), *_pixels([width, height], size_hw), degrees=turned)


def _ellipse(value: Mapping[str, Any], numbers: Callable[..., list[float]], size_hw: tuple[int, int]) -> list[float]:
    x, y, radius_x, radius_y, turned = numbers(*(value.get(key) for key in ("x", "y", "radiusX", "radiusY")), value.get("rotation", 0))
    return ellipse_points(*_pixels([x, y], size_hw), *_pixels([radius_x, radius_y], size_hw), degrees=turned)


def _pixels(percent: list[float], size_hw: tuple[int, int]) -> tuple[float, float]:
    return percent[0] / 100 * size_hw[1], percent[1] / 100 * size_hw[0]


_OUTLINES = {"polygon": _polygon, "rectangle": _box, "ellipse": _ellipse}
_BY_KEY = {"rle": "brush", "points": "polygon", "radiusX": "ellipse", "width": "rectangle"}


def _wrong_form(file: str, what: str) -> FormatError:
    return refusal(
        "bad-json",
        f"{what} is not laid out as Label Studio's JSON export: a list of tasks with `data` and `annotations`",
        "Export as JSON, not as JSON-MIN, CSV or another format",
        file=file,
    )


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""
