"""Fitting a figure's border to the picture: what is surely figure and surely ground is learned from, and the band between is cut anew.

The cut is OpenCV's grabCut (Rother, Kolmogorov & Blake 2004: colours of figure and ground as mixtures of Gaussians, then a minimum cut).
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from figureground.review.regions import figures

LONGEST = 384
"""Longer side, in pixels, at which a border is sought: a larger part of a picture is made smaller for it."""
_REACH = 0.03
"""Half of the band, as a part of the figure's size."""
_ROUNDS = 2


def surroundings(box: tuple[int, int, int, int], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of a picture that is looked at: the box of a figure and as much around it as half its longer side, at least 16 pixels.

    Args:
        box: left, top, and one past right and bottom.
        shape: height and width of the picture.

    Returns:
        As `box`, within the picture.
    """
    left, top, right, bottom = box
    more = max(16, (max(right - left, bottom - top) + 1) // 2)
    return max(0, left - more), max(0, top - more), min(shape[1], right + more), min(shape[0], bottom + more)


def fitted(picture: np.ndarray, layer: np.ndarray, at: tuple[int, int], *, background: int = 0) -> np.ndarray:
    """A layer with the border of one figure fitted to the picture; the same again for the same arguments.

    The border moves by up to three hundredths of the figure's size (the root of its area), at least two pixels. Pixels that the figure
    gains have the class of its nearest pixel, those that it loses are background. Other figures and void stay as they are.

    Args:
        picture: uint8 [height, width, 3], RGB: the `surroundings` of the figure.
        layer: uint8 [height, width], class places, likewise.
        at: a pixel (x, y) of the figure; on none, nothing changes.
        background: the class place that is ground.

    Returns:
        uint8 [height, width].
    """
    pieces = figures(layer, background=background)
    number = pieces.at(*at)
    figure = pieces.number == number
    if number < 0 or not (layer == background).any():
        return layer.copy()
    other = (layer != background) & ~figure
    found = _cut(picture, figure, other)
    gained, lost = found & ~figure & ~other, figure & ~found
    if not (found & figure).any():
        return layer.copy()
    nearest = np.zeros((2, *figure.shape), np.int32)
    ndimage.distance_transform_edt(~figure, return_distances=False, return_indices=True, indices=nearest)
    return np.where(gained, layer[nearest[0], nearest[1]], np.where(lost, np.uint8(background), layer))


def _cut(picture: np.ndarray, figure: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The figure after the cut: bool [height, width]."""
    height, width = figure.shape
    scale = min(1.0, LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    mask, taken = (_smaller(part, size) for part in (figure, other))
    reach = max(2, round(_REACH * float(np.sqrt(mask.sum()))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    inner, outer = cv2.erode(mask, disc), cv2.dilate(mask, disc)
    if not inner.any() or outer.all():
        return figure
    state = np.where(mask > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    state[inner > 0] = cv2.GC_FGD
    state[(outer == 0) | (taken > 0)] = cv2.GC_BGD
    state = state.astype(np.uint8)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    colours, nowhere = np.zeros((2, 1, 65)), (0, 0, 1, 1)
    cv2.setRNGSeed(0)
    cv2.grabCut(np.ascontiguousarray(small[..., ::-1]), state, nowhere, colours[0], colours[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = (state % 2).astype(np.float32)
    return (found if scale == 1 else cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)) > 0.5


def _smaller(part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask at another size (width, height): uint8, 1 where at least half of a pixel is in it."""
    if (part.shape[1], part.shape[0]) == size:
        return part.astype(np.uint8)
    return (cv2.resize(part.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5).astype(np.uint8)
