"""Colour and texture of the ground of a picture at several scales, in which not one pixel of a figure has a say."""

from __future__ import annotations

import cv2
import numpy as np

from figureground.core.errors import InputError

WORK_SIZE_PX = 128
"""Longest side at which a picture is looked at; smaller ones are taken as they are."""
SCALES = 3
_BINS = 8
_BANDS = 3
_PER_SCALE = 10
FEATURES = SCALES * _PER_SCALE + 3 * _BANDS + 2 * _BINS
"""Numbers that describe a ground."""
_LEAST_GROUND = 0.5
_FLOOR = 1e-3


def ground_features(rgb: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Numbers that describe the ground of a picture.

    At each of three scales: mean and deviation of grey and of two opponent colours (red - green, yellow - blue), and the logarithm of the
    mean step to the next pixel, along and down, in grey and in colour. Then the mean colours of the upper, middle and lower third, and
    square roots of histograms of grey and of hue (weighted by chroma). All of it takes ground pixels only, so the figure may be anything.

    Args:
        rgb: uint8 [height, width, 3].
        ground: bool [height, width], True where a pixel is background: neither figure nor void.

    Returns:
        float64 [FEATURES]; NaN for what no ground pixel tells, such as a third without ground, and all NaN where there is no ground.

    Raises:
        InputError: arrays of other types or of two sizes.

    Source: defined here.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or ground.shape != rgb.shape[:2] or ground.dtype != bool:
        raise InputError(
            "`rgb` must be uint8 [height, width, 3] and `ground` bool [height, width]; "
            f"got {rgb.dtype} {list(rgb.shape)} and {ground.dtype} {list(ground.shape)}"
        )
    colours, weight = _shrunk(_opponent(rgb) * ground[..., None], ground.astype(np.float32), _work_size(ground.shape))
    found = [*_bands(colours, weight), *_histograms(colours, weight)]
    for scale in range(SCALES):
        found += _scale(colours, weight)
        if scale + 1 < SCALES:
            height, width = weight.shape
            colours, weight = _shrunk(colours, weight, (max(1, height // 2), max(1, width // 2)))
    return np.array(found, np.float64)


def _opponent(rgb: np.ndarray) -> np.ndarray:
    """Grey, red - green and yellow - blue as float32 [height, width, 3]; linear, so that means of it are means of the light."""
    red, green, blue = (rgb[..., channel].astype(np.float32) / 255 for channel in range(3))
    return np.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], axis=-1)


def _work_size(size_hw: tuple[int, ...]) -> tuple[int, int]:
    shrink = min(1.0, WORK_SIZE_PX / max(size_hw))
    return max(1, round(size_hw[0] * shrink)), max(1, round(size_hw[1] * shrink))


def _shrunk(colours: np.ndarray, weight: np.ndarray, size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Colours times weight, and weight, averaged over areas: figure pixels are 0 in both."""
    if weight.shape == size_hw:
        return colours, weight
    target = (size_hw[1], size_hw[0])
    return cv2.resize(colours, target, interpolation=cv2.INTER_AREA), cv2.resize(weight, target, interpolation=cv2.INTER_AREA)


def _known(colours: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which cells are ground enough, and the colour of the ground in each (0 elsewhere)."""
    known = weight >= _LEAST_GROUND
    return known, np.where(known[..., None], colours / np.where(known, weight, 1)[..., None], 0)


def _scale(colours: np.ndarray, weight: np.ndarray) -> list[float]:
    """Mean and deviation of each channel, then steps along and down in grey and in colour."""
    known, values = _known(colours, weight)
    if not known.any():
        return [np.nan] * _PER_SCALE
    seen = values[known].astype(np.float64)
    return [*seen.mean(0), *seen.std(0), *_steps(values, known, axis=1), *_steps(values, known, axis=0)]


def _steps(values: np.ndarray, known: np.ndarray, *, axis: int) -> list[float]:
    """Logarithm of the mean absolute step between neighbours that are both ground: grey, and the two colours together."""
    near, far = [np.s_[:, :-1], np.s_[:-1]][axis == 0], [np.s_[:, 1:], np.s_[1:]][axis == 0]
    both = known[near] & known[far]
    if not both.any():
        return [np.nan, np.nan]
    step = np.abs(values[far] - values[near])[both].astype(np.float64).mean(0)
    return [float(np.log(_FLOOR + step[0])), float(np.log(_FLOOR + step[1] + step[2]))]


def _bands(colours: np.ndarray, weight: np.ndarray) -> list[float]:
    """Mean colours of equal bands of rows from the top down."""
    found: list[float] = []
    for rows in np.array_split(np.arange(weight.shape[0]), _BANDS):
        known, values = _known(colours[rows], weight[rows])
        found += values[known].astype(np.float64).mean(0).tolist() if known.any() else [np.nan] * 3
    return found


def _histograms(colours: np.ndarray, weight: np.ndarray) -> list[float]:
    """Square roots of the parts of the ground by grey, and by hue weighted by chroma: rare colours then count for more."""
    known, values = _known(colours, weight)
    if not known.any():
        return [np.nan] * (2 * _BINS)
    grey, red_green, yellow_blue = values[known].astype(np.float64).T
    by_grey = np.bincount(np.clip((grey * _BINS).astype(int), 0, _BINS - 1), minlength=_BINS) / grey.size
    turn = (np.arctan2(yellow_blue, red_green) + np.pi) / (2 * np.pi)
    chroma = np.hypot(red_green, yellow_blue)
    by_hue = np.bincount(np.clip((turn * _BINS).astype(int), 0, _BINS - 1), weights=chroma, minlength=_BINS) / grey.size
    return [*np.sqrt(by_grey), *np.sqrt(by_hue)]
