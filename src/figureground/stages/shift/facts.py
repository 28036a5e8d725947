"""Facts of a picture that are not its context, such as how large its object is: what a balance table compares between groups."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import cv2
import numpy as np

from figureground.core.errors import InputError
from figureground.core.types import LabelRuns
from figureground.data.labelmap import encode_runs
from figureground.metrics.regions import component_runs

FACTS = ("object_area", "centre_y", "centre_x", "objects", "border_contact", "brightness", "sharpness")
"""Names of the facts, in the order of every table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFacts:
    """What is measured of one picture; NaN is a fact that is not there, never 0."""

    object_area: float = nan
    """Object pixels by counted pixels, in [0, 1]; void is not counted. NaN without a mask or where all is void."""
    centre_y: float = nan
    """Mean height of the object pixels (their centres) by the height of the picture, in (0, 1), 0 = top. NaN without an object."""
    centre_x: float = nan
    """Likewise by the width, 0 = left."""
    objects: float = nan
    """Number of pieces: regions of object pixels of one class that touch at a side or a corner; one thing that something stands before
    can be in two. NaN without a mask."""
    border_contact: float = nan
    """Part of the picture's outermost pixels that is object, in [0, 1], void not counted. NaN without a mask or where all is void."""
    brightness: float = nan
    """Mean of grey, in [0, 1]. NaN without a picture."""
    sharpness: float = nan
    """Variance of the Laplacian of grey, at least 0. NaN without a picture. It depends on the size of the picture in pixels."""


def measure_picture(
    rgb: np.ndarray | None,
    label_map: np.ndarray | LabelRuns | None,
    background: int = 0,
    ignore: int | None = 255,
    *,
    figure: int | None = None,
) -> PictureFacts:
    """The facts of one picture and its label map.

    Args:
        rgb: uint8 [height, width, 3]; None = there is no picture, and brightness and sharpness are NaN.
        label_map: uint8 or uint16 [height, width], or its runs; None = there is no mask, and the facts of the object are NaN.
        background: class id of the ground.
        ignore: value of void pixels, which are neither; None = there are none.
        figure: class id that is the object, all others being ground with it; None = every class but the background is object.

    Raises:
        InputError: a picture that is no uint8 [height, width, 3], or of another size than its label map.

    Source: grey = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601); sharpness after Pech-Pacheco et al. 2000; the others are defined here.

    Example:
        >>> label_map = np.zeros((4, 4), np.uint8)
        >>> label_map[0, :2] = 1
        >>> facts = measure_picture(None, label_map)
        >>> facts.object_area, facts.centre_y, facts.centre_x, facts.objects
        (0.125, 0.125, 0.25, 1.0)
    """
    if rgb is not None and (rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape):
        raise InputError(f"`rgb` must be uint8 [height, width, 3]; got {rgb.dtype} {list(rgb.shape)}")
    runs = encode_runs(label_map) if isinstance(label_map, np.ndarray) else label_map
    if rgb is not None and runs is not None and rgb.shape[:2] != runs.size_hw:
        raise InputError(f"`rgb` and `label_map` must be of one size; got {rgb.shape[:2]} and {runs.size_hw} (height, width)")
    brightness, sharpness = (nan, nan) if rgb is None else _light(rgb)
    if runs is None:
        return PictureFacts(brightness=brightness, sharpness=sharpness)
    return _object_facts(runs, background, ignore, figure, brightness=brightness, sharpness=sharpness)


def _light(rgb: np.ndarray) -> tuple[float, float]:
    """Brightness and sharpness."""
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    _, spread = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(grey.mean()) / 255, float((spread[0, 0] / 255) ** 2)


def _object_facts(
    runs: LabelRuns, background: int, ignore: int | None, figure: int | None, *, brightness: float, sharpness: float
) -> PictureFacts:
    regions = component_runs(runs, background=background, ignore=ignore)
    wanted = np.ones(len(regions), bool) if figure is None else regions.class_id == figure
    kept = wanted[regions.component]
    row, start, stop = regions.row[kept], regions.start[kept], regions.stop[kept]
    length = (stop - start).astype(np.float64)
    area = float(length.sum())
    void = 0 if ignore is None else int(runs.lengths[runs.values == ignore].sum(dtype=np.int64))
    counted = runs.height * runs.width - void
    return PictureFacts(
        object_area=area / counted if counted else nan,
        centre_y=float((length * (row + 0.5)).sum()) / area / runs.height if area else nan,
        centre_x=float((length * (start + stop)).sum()) / 2 / area / runs.width if area else nan,
        objects=float(wanted.sum()),
        border_contact=_border_contact(runs, background, ignore, figure),
        brightness=brightness,
        sharpness=sharpness,
    )


def _border_contact(runs: LabelRuns, background: int, ignore: int | None, figure: int | None) -> float:
    """Looks the frame's pixels up in the runs, so that the inside is never unpacked."""
    across, last = np.arange(runs.width), (runs.height - 1) * runs.width
    down = np.arange(runs.height) * runs.width
    frame = np.unique(np.concatenate([across, last + across, down, down + runs.width - 1]))
    ends = np.cumsum(runs.lengths, dtype=np.int64)
    values = runs.values[np.searchsorted(ends, frame, side="right")]
    counted = np.ones(values.size, bool) if ignore is None else values != ignore
    touching = values != background if figure is None else values == figure
    return float(touching[counted].mean()) if counted.any() else nan
