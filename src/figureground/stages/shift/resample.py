"""Pictures at another size with the Lanczos kernel, widened where they become smaller so that nothing aliases; also cut-outs.

The same numbers as Pillow's `resize(..., LANCZOS, box=...)` but for the last digit, since rows are kept as floats between the two passes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit

LOBES = 3
"""Half width of the kernel sinc(x) sinc(x / LOBES), in pixels of the coarser of the two pictures."""


def resample(picture: np.ndarray, size_hw: tuple[int, int], *, box: tuple[float, float, float, float] | None = None) -> np.ndarray:
    """A part of a picture at another size, uint8 [height, width, 3].

    Args:
        picture: uint8 [height, width, 3] of any size but 0.
        size_hw: height and width that come out, at least 1 each.
        box: left, top, right and bottom of the part in pixels, fractions allowed; None = all of it.
    """
    left, top, right, bottom = box or (0.0, 0.0, float(picture.shape[1]), float(picture.shape[0]))
    rows = kernel_weights(picture.shape[0], top, bottom, size_hw[0])
    columns = kernel_weights(picture.shape[1], left, right, size_hw[1])
    out = np.empty((*size_hw, 3), np.uint8)
    _resample_rgb(picture, *rows, *columns, out)
    return out


def resample_cutout(rgb: np.ndarray, alpha: np.ndarray, size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Colours and alpha of a cut-out at another size: the kernel runs over colours times alpha, so that clear pixels lend no colour.

    Args:
        rgb: uint8 [height, width, 3].
        alpha: uint8 [height, width].
        size_hw: height and width that come out, at least 1 each.

    Returns:
        uint8 [height, width, 3] and uint8 [height, width]; colours are 0 where alpha is.
    """
    rows, columns = kernel_weights(rgb.shape[0], 0, rgb.shape[0], size_hw[0]), kernel_weights(rgb.shape[1], 0, rgb.shape[1], size_hw[1])
    colours, opaque = np.empty((*size_hw, 3), np.uint8), np.empty(size_hw, np.uint8)
    _resample_cutout(rgb, alpha, *rows, *columns, colours, opaque)
    return colours, opaque


@lru_cache(maxsize=256)
def kernel_weights(size: int, low: float, high: float, out: int) -> tuple[np.ndarray, np.ndarray]:
    """What each pixel of a line that comes out takes from which pixels of the line.

    Args:
        size: pixels of the line that goes in.
        low: where the part begins.
        high: where it ends, above `low`.
        out: pixels that come out.

    Returns:
        int32 [out], the first pixel; float32 [out, taps], weights of that and the following ones, each row summing to 1.
    """
    return _kernel_weights(size, float(low), float(high), out)


@njit(cache=True, nogil=True)
def _kernel_weights(size: int, low: float, high: float, out: int):  # pragma: no cover - compiled
    scale = (high - low) / out
    wide = max(scale, 1.0)
    support = LOBES * wide
    taps = min(int(np.ceil(support)) * 2 + 1, size)
    first, weights = np.zeros(out, np.int32), np.zeros((out, taps), np.float32)
    for i in range(out):
        centre = low + (i + 0.5) * scale
        begin = max(int(centre - support + 0.5), 0)
        end = min(int(centre + support + 0.5), size)
        begin = max(begin, end - taps)
        start = min(begin, size - taps)
        total = 0.0
        for j in range(begin, end):
            x = abs(j + 0.5 - centre) / wide
            if x < 1e-9:
                value = 1.0
            elif x < LOBES:
                value = LOBES * np.sin(np.pi * x) * np.sin(np.pi * x / LOBES) / (np.pi * x) ** 2
            else:
                value = 0.0
            weights[i, j - start] = value
            total += value
        for k in range(taps):
            weights[i, k] /= total
        first[i] = start
    return first, weights


@njit(cache=True, nogil=True, fastmath={"contract"})
def _resample_rgb(picture, first_y, weights_y, first_x, weights_x, out) -> None:  # pragma: no cover - compiled
    height, width = out.shape[0], out.shape[1]
    top = first_y[0]
    lines = np.empty((first_y[-1] + weights_y.shape[1] - top, width * 3), np.float32)
    line = np.empty((picture.shape[1], 3), np.float32)
    taps = weights_x.shape[1]
    for y in range(lines.shape[0]):
        for x in range(picture.shape[1]):
            for c in range(3):
                line[x, c] = np.float32(picture[top + y, x, c])
        for x in range(width):
            red = green = blue = np.float32(0)
            start = first_x[x]
            for k in range(taps):
                w = weights_x[x, k]
                red += w * line[start + k, 0]
                green += w * line[start + k, 1]
                blue += w * line[start + k, 2]
            lines[y, 3 * x], lines[y, 3 * x + 1], lines[y, 3 * x + 2] = red, green, blue
    total = np.empty(width * 3, np.float32)
    for y in range(height):
        _sum_lines(lines, first_y[y] - top, weights_y[y], total)
        flat = out[y].reshape(-1)
        for i in range(total.size):
            flat[i] = np.uint8(min(max(total[i], np.float32(0)), np.float32(255)) + np.float32(0.5))


@njit(cache=True, nogil=True, fastmath={"contract"})
def _resample_cutout(rgb, alpha, first_y, weights_y, first_x, weights_x, colours, opaque) -> None:  # pragma: no cover - compiled
    height, width = opaque.shape
    top = first_y[0]
    lines = np.empty((first_y[-1] + weights_y.shape[1] - top, width * 4), np.float32)
    line = np.empty((alpha.shape[1], 4), np.float32)
    taps = weights_x.shape[1]
    for y in range(lines.shape[0]):
        for x in range(alpha.shape[1]):
            a = np.float32(alpha[top + y, x])
            for c in range(3):
                line[x, c] = np.float32(rgb[top + y, x, c]) * a
            line[x, 3] = a
        for x in range(width):
            red = green = blue = clear = np.float32(0)
            start = first_x[x]
            for k in range(taps):
                w = weights_x[x, k]
                red += w * line[start + k, 0]
                green += w * line[start + k, 1]
                blue += w * line[start + k, 2]
                clear += w * line[start + k, 3]
            lines[y, 4 * x], lines[y, 4 * x + 1], lines[y, 4 * x + 2], lines[y, 4 * x + 3] = red, green, blue, clear
    total = np.empty(width * 4, np.float32)
    for y in range(height):
        _sum_lines(lines, first_y[y] - top, weights_y[y], total)
        for x in range(width):
            a = total[4 * x + 3]
            opaque[y, x] = np.uint8(min(max(a, np.float32(0)), np.float32(255)) + np.float32(0.5))
            for c in range(3):
                value = total[4 * x + c] / a if opaque[y, x] else np.float32(0)
                colours[y, x, c] = np.uint8(min(max(value, np.float32(0)), np.float32(255)) + np.float32(0.5))


@njit(cache=True, nogil=True, fastmath={"contract"})
def _sum_lines(lines, start, weights, total) -> None:  # pragma: no cover - compiled
    """Writes the weighted sum of some lines into `total`."""
    total[:] = 0
    for k in range(weights.size):
        w, line = weights[k], lines[start + k]
        if w != 0:
            for i in range(total.size):
                total[i] += w * line[i]
