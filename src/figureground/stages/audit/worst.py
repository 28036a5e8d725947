"""Small pictures of the worst samples, so that the report needs no other file: picture, truth, prediction and the verdict of each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pyarrow as pa

from figureground.core.errors import FormatError
from figureground.core.types import ClassTable, LabelRuns, LabelSource, Sample
from figureground.data.colours import class_colours
from figureground.data.labelmap import decode_runs, resize_nearest
from figureground.data.pixels import read_picture

SIDE_PX = 320
"""Longest side of a thumbnail."""
VERDICT_RGB = {"correct": (0x00, 0x9E, 0x73), "flipped": (0xD5, 0x5E, 0x00), "missed": (0x7F, 0x7F, 0x7F), "added": (0xCC, 0x79, 0xA7)}
"""The four verdict colours (Okabe-Ito), the same everywhere."""
WORST_SCHEMA = pa.schema(
    [
        ("prediction", pa.string()),
        ("id", pa.string()),
        ("picture", pa.binary()),
        ("truth", pa.binary()),
        ("predicted", pa.binary()),
        ("flips", pa.binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)


def worst_rows(name: str, samples: Sequence[Sample], *, masks: LabelSource, predictions: LabelSource, classes: ClassTable) -> pa.Table:
    """One row of thumbnails for each sample; the picture is null where there is none."""
    rows = [_row(name, sample, masks.read(sample.id), predictions.read(sample.id), classes) for sample in samples]
    return pa.Table.from_pylist(rows, WORST_SCHEMA)


def _row(name: str, sample: Sample, truth: LabelRuns, predicted: LabelRuns, classes: ClassTable) -> dict[str, object]:
    height, width = _thumbnail_size(truth.size_hw)
    t, p = (decode_runs(resize_nearest(runs, (height, width))) for runs in (truth, predicted))
    picture = _picture(sample, (height, width))
    return {
        "prediction": name,
        "id": sample.id,
        "picture": None if picture is None else _encoded(picture, ".jpg"),
        "truth": _encoded(_painted(t, classes), ".png"),
        "predicted": _encoded(_painted(p, classes), ".png"),
        "flips": _encoded(_verdicts(t, p, picture, classes), ".jpg" if picture is not None else ".png"),
        "width": width,
        "height": height,
    }


def _picture(sample: Sample, size_hw: tuple[int, int]) -> np.ndarray | None:
    """RGB uint8 [height, width, 3], or None where the picture is not at hand."""
    if not sample.image:
        return None
    try:
        picture = read_picture(sample.image, sample=sample.id)
    except FormatError:
        return None  # the audit needs no pictures; `doctor` lists those that cannot be read
    return cv2.resize(picture, (size_hw[1], size_hw[0]), interpolation=cv2.INTER_AREA)


def _painted(label_map: np.ndarray, classes: ClassTable) -> np.ndarray:
    """RGB of each class; void is white."""
    palette = np.full((max(*classes.ids, classes.ignore or 0) + 1, 3), 0xFF, np.uint8)
    palette[list(classes.ids)] = class_colours(classes)
    return palette[label_map]


def _verdicts(truth: np.ndarray, predicted: np.ndarray, picture: np.ndarray | None, classes: ClassTable) -> np.ndarray:
    """The picture in pale grey with flipped, missed and added pixels in their colours, correct ones lightly tinted."""
    grey = np.full((*truth.shape, 3), 0xF2, np.uint8)
    if picture is not None:
        grey = np.repeat((0.45 * cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) + 130).astype(np.uint8)[..., None], 3, axis=2)
    counted = truth != classes.ignore if classes.ignore is not None else np.ones(truth.shape, bool)
    figure, found, same = truth != classes.background, predicted != classes.background, truth == predicted
    where = {"correct": figure & same, "flipped": figure & found & ~same, "missed": figure & ~found, "added": ~figure & found}
    shares = {"correct": 0.35, "flipped": 0.8, "missed": 0.7, "added": 0.7}  # so that the picture shines through
    for verdict, mask in where.items():
        mask, share = mask & counted, shares[verdict] if picture is not None else 1.0
        grey[mask] = (grey[mask] * (1 - share) + np.array(VERDICT_RGB[verdict]) * share).astype(np.uint8)
    return grey


def _thumbnail_size(size_hw: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, SIDE_PX / max(size_hw))
    return max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale))


def _encoded(rgb: np.ndarray, suffix: str) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 82] if suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 4]
    return cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)[1].tobytes()
