"""What the demo's predictor looks at: each pixel in its neighbourhood, the outline of the figure, and the ground around it."""

from __future__ import annotations

import cv2
import numpy as np

GRID = 8
"""The outline is read on a grid of this many cells a side."""
GROUND_COLUMNS = 8
OUTLINE_COLUMNS = 2 * GRID * GRID
_COARSE = 4  # the surroundings are pooled on a picture this many times smaller
_REACH_PX = 6.0  # and over a Gaussian window of this spread there


def lab(image: np.ndarray) -> np.ndarray:
    """CIE Lab of an RGB picture, divided by 100: float32 [height, width, 3]; values outside [0, 1] are cut to it."""
    return cv2.cvtColor(np.clip(image, 0, 1).astype(np.float32, order="C"), cv2.COLOR_RGB2LAB) / 100


def pixel_features(colours: np.ndarray) -> np.ndarray:
    """Colour, contrast and texture of each pixel, float32 [height * width, 24].

    Colours at two scales, against the wider neighbourhood and against the middle colour of the pixel's row (a figure seldom fills a row),
    edges, roughness, and where the pixel is.

    Args:
        colours: what `lab` gives.
    """
    height, width = colours.shape[:2]
    near, wide = _blur(colours, 1.2), _blur(colours, 4)
    against, row = wide - _blur(colours, 14), near - np.median(near, axis=1, keepdims=True)
    light = colours[..., 0]
    rough = np.sqrt(np.maximum(_blur(light * light, 2.5) - _blur(light, 2.5) ** 2, 1e-7))
    edge = np.hypot(*_slopes(near[..., 0]))
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
    single = np.stack([edge, _blur(edge, 5), rough, y, np.abs(x), y * y], axis=2)
    blocks = [near, wide, against, row, np.abs(row), np.abs(against), single]
    return np.concatenate(blocks, axis=2).reshape(height * width, -1)


def outline_features(figure: np.ndarray) -> np.ndarray:
    """The outline of the largest figure, centred and scaled to one area, float32 [OUTLINE_COLUMNS]; zeros where there is no figure.

    Both halves are the same for a figure and its mirror image: the mean of the two, and how much they differ.

    Args:
        figure: probability of being figure, float32 [height, width].
    """
    count, parts, stats, _ = cv2.connectedComponentsWithStats((figure > 0.5).astype(np.uint8))
    if count < 2:
        return np.zeros(OUTLINE_COLUMNS, np.float32)
    largest = figure * (parts == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    area = float(largest.sum())
    centre_y, centre_x = (float((largest.sum(axis=1 - axis) * np.arange(largest.shape[axis])).sum()) / area for axis in (0, 1))
    scale, middle = GRID / (2.5 * np.sqrt(area)), GRID / 2 - 0.5
    placed = np.array([[scale, 0, middle - centre_x * scale], [0, scale, middle - centre_y * scale]], np.float32)
    cells = cv2.warpAffine(_blur(largest, max(0.3, 0.5 / scale)), placed, (GRID, GRID))
    mirrored = cells[:, ::-1]
    return np.concatenate([(cells + mirrored).ravel(), np.abs(cells - mirrored).ravel()]) / 2


def ground_features(colours: np.ndarray, figure: np.ndarray) -> np.ndarray:
    """Colour, spread of colour and edges of the ground around each pixel, float32 [height * width, GROUND_COLUMNS].

    Args:
        colours: what `lab` gives.
        figure: probability of being figure, float32 [height, width]; such pixels count little.
    """
    height, width = figure.shape
    slopes = [np.abs(slope)[..., None] for slope in _slopes(_blur(colours[..., 0], 1.0))]
    ones = np.ones((height, width, 1), np.float32)
    weighted = np.concatenate([colours, colours * colours, *slopes, ones], axis=2) * np.clip(1 - figure, 1e-3, 1)[..., None]
    small = (max(1, width // _COARSE), max(1, height // _COARSE))
    shrunk = [cv2.resize(channel, small, interpolation=cv2.INTER_AREA) for channel in cv2.split(weighted)]  # it takes four at most
    pooled = _blur(cv2.merge(shrunk), _REACH_PX)
    means = pooled[..., :GROUND_COLUMNS] / pooled[..., GROUND_COLUMNS:]
    means[..., 3:6] = np.sqrt(np.maximum(means[..., 3:6] - means[..., :3] ** 2, 0))
    return cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height * width, -1)


def _blur(values: np.ndarray, spread: float) -> np.ndarray:
    return cv2.GaussianBlur(values, (0, 0), spread)


def _slopes(light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
