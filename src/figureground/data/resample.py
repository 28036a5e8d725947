"""Pictures at another size with the Lanczos kernel, widened where they become smaller so that nothing aliases; also cut-outs.

The kernel is that of Pillow's `resize(..., LANCZOS, box=...)`. Pillow rounds and clips to 0..255 between its two passes; here rows stay
floats and are clipped once, at the end, as Pillow itself does with floating pictures. Both agree within one level where nothing overshoots;
beside sharp edges of very dark and very bright a few pixels differ by up to tens of levels.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numba import njit

LOBES = 3
"""Half width of the kernel sinc(x) sinc(x / LOBES), in pixels of the coarser of the two pictures."""
_STEPS = 4096
"""Entries of the kernel's table for one pixel; a straight line between two of them is right to 7 digits."""
_TABLE = np.concatenate([np.sinc(x := np.arange(LOBES * _STEPS + 1) / _STEPS) * np.sinc(x / LOBES), [0.0]])
BLOCK_PIXELS = 16_384
"""Pixels in the making at a time."""
_OPAQUE = np.empty((0, 0), np.uint8)
"""In place of the alpha of a picture that has none."""
_Weights = tuple[np.ndarray, np.ndarray]


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
    return cv2.cvtColor(_resampled(picture, None, rows, columns), cv2.COLOR_RGBA2RGB)


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
    out = _resampled(rgb, alpha, rows, columns)
    return cv2.cvtColor(out, cv2.COLOR_RGBA2RGB), out[..., 3].copy()


def _resampled(rgb: np.ndarray, alpha: np.ndarray | None, rows: _Weights, columns: _Weights) -> np.ndarray:
    """R, G, B and alpha, uint8 [height, width, 4].

    Both passes sum whole rows, which the processor does eight numbers at a time: in between the picture is turned about its diagonal. A
    pixel is four numbers, colours and 255, times alpha where there is one. Some rows of the result at a time, so that what is in the
    making stays in the cache.
    """
    height, width, inner = rows[0].size, columns[0].size, rgb.shape[1]
    values = _flat(cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA))
    share = _OPAQUE if alpha is None else _flat(cv2.merge([alpha] * 4))
    out = np.empty((height, width, 4), np.uint8)
    step = max(1, BLOCK_PIXELS // max(inner, width))
    for start in range(0, height, step):
        lines = _sum_rows(values, share, rows[0][start : start + step], rows[1][start : start + step])
        turned = cv2.transpose(lines.reshape(-1, inner, 4))
        lines = _sum_rows(turned.reshape(inner, -1), _OPAQUE, *columns)
        block = _rounded(lines, alpha is not None)
        out[start : start + step] = cv2.transpose(block.reshape(width, -1, 4)).reshape(-1, width, 4)
    return out


def _flat(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(pixels.shape[0], -1)


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
    taps = min(int(np.ceil(2 * support - 1e-9)), size)
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
            value = 0.0
            if x < LOBES:
                at = int(x * _STEPS)
                value = _TABLE[at] + (x * _STEPS - at) * (_TABLE[at + 1] - _TABLE[at])
            weights[i, j - start] = value
            total += value
        for k in range(taps):
            weights[i, k] /= total
        first[i] = start
    return first, weights


@njit(cache=True, nogil=True, fastmath={"contract"})
def _sum_rows(values, share, first, weights) -> np.ndarray:  # pragma: no cover - compiled
    """Weighted sums of the rows of `values`, times `share` where that has any: float32 [first.size, columns of `values`]."""
    lines = np.zeros((first.size, values.shape[1]), np.float32)
    line = np.empty(values.shape[1], np.float32)
    begin, taps = 0, weights.shape[1]
    for y in range(first[0], first[-1] + taps):
        if share.size:
            for i in range(line.size):
                line[i] = np.float32(values[y, i]) * np.float32(share[y, i])
        else:
            for i in range(line.size):
                line[i] = np.float32(values[y, i])
        while first[begin] + taps <= y:
            begin += 1
        for out in range(begin, first.size):
            if first[out] > y:
                break
            w, total = weights[out, y - first[out]], lines[out]
            if w != 0:
                for i in range(line.size):
                    total[i] += w * line[i]
    return lines


@njit(cache=True, nogil=True)
def _rounded(lines, divide) -> np.ndarray:  # pragma: no cover - compiled
    """Numbers as bytes; with `divide`, colours are divided by alpha, 0 where alpha comes out as 0."""
    low, high, half = np.float32(0), np.float32(255), np.float32(0.5)
    out = np.empty(lines.shape, np.uint8)
    for y in range(lines.shape[0]):
        line = lines[y]
        if divide:
            for x in range(0, line.size, 4):
                opaque = line[x + 3] / high
                share = np.float32(1) / opaque if opaque >= half else low
                for c in range(3):
                    line[x + c] *= share
                line[x + 3] = opaque
        for i in range(line.size):
            out[y, i] = np.uint8(np.int32(min(max(line[i], low), high) + half))
    return out
