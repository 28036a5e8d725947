"""Pixels of a composition: a figure cut out of its picture with a soft edge, and set on a scene.

A composite is figure * alpha + scene * (1 - alpha), rounded to the nearest whole number. Source: Waterbirds (arXiv 1911.08731), in the form
with masks of arXiv 2604.13326: the scene is scaled to cover and cut to its middle, Lanczos.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numba import njit

from figureground.core.errors import InputError
from figureground.data.resample import resample, resample_cutout

HALF = 127
"""A pixel is figure where its alpha is above this: where the figure is at least half of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cutout:
    """A figure cut to its box."""

    rgb: np.ndarray
    """uint8 [height, width, 3]."""
    alpha: np.ndarray
    """uint8 [height, width], 255 = opaque; nothing counts of the colours where it is 0."""
    area_px: int
    """Pixels with alpha above `HALF`, at least 1."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the box in pixels."""
        return self.alpha.shape[0], self.alpha.shape[1]


def soft_edge(figure: np.ndarray, *, trim_px: float = 0.0, feather_px: float = 0.0) -> np.ndarray:
    """Alpha of a figure from its hard mask: 1 inside, 0 outside, a ramp at the edge.

    With d the distance of a pixel's centre to the nearest one that is no figure, minus one half, alpha is
    (d - trim_px) / feather_px + 1/2, held in [0, 1]. Outside the mask it is 0, so colours of the old ground never come in. The border of
    the picture counts as an edge. With `trim_px` = 0, alpha is above `HALF` on exactly the pixels of the mask.

    Args:
        figure: [height, width], true or nonzero where the figure is; may be all false.
        trim_px: how far inside the mask the edge lies: takes away what is left of the old ground along an outline. At most 32.
        feather_px: width of the ramp; 0 is a hard edge. At most 32.

    Returns:
        uint8 [height, width], 255 = opaque.

    Example:
        >>> soft_edge(np.ones((1, 3), bool), trim_px=0, feather_px=2).tolist()
        [[191, 191, 191]]
    """
    steps, levels = _edge_levels(trim_px, feather_px)
    hard = np.asarray(figure)
    inside = (hard if hard.dtype == np.bool_ else hard != 0).view(np.uint8)
    alpha = inside * np.uint8(255)
    if reach := int(np.abs(steps).max(initial=0)):
        padded = cv2.copyMakeBorder(inside, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
        deep = cv2.erode(padded, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))[reach:-reach, reach:-reach]
        edge = np.flatnonzero(inside != deep)
        _fill_edge(padded, edge, steps, levels, alpha)
    return alpha


@lru_cache(maxsize=16)
def _edge_levels(trim_px: float, feather_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps [n, 2] to neighbours, nearest first, and the alpha [n] of a pixel whose nearest outside neighbour is that far away."""
    if not 0 <= trim_px <= 32 or not 0 <= feather_px <= 32:
        raise InputError(f"`trim_px` and `feather_px` must be in [0, 32] px; got {trim_px} and {feather_px}")
    reach = int(np.ceil(trim_px + feather_px / 2 + 0.5))
    across = np.arange(-reach, reach + 1)
    steps = np.stack(np.meshgrid(across, across, indexing="ij"), axis=-1).reshape(-1, 2)
    far = np.hypot(*steps.T)
    order = np.argsort(far, kind="stable")[1:]
    depth = far[order] - 0.5 - trim_px
    ramp = np.clip(depth / feather_px + 0.5, 0, 1) if feather_px else (depth >= 0).astype(float)
    kept = ramp < 1  # from there on a pixel is opaque, whatever lies behind
    return steps[order][kept].astype(np.int32), np.rint(ramp[kept] * 255).astype(np.uint8)


def cut_out(rgb: np.ndarray, alpha: np.ndarray) -> Cutout:
    """The figure of a picture, cut to the box in which alpha is not 0; views, no copies.

    Args:
        rgb: uint8 [height, width, 3].
        alpha: uint8 [height, width].

    Raises:
        InputError: sizes that differ, or an alpha that is nowhere above `HALF`: there is no figure.
    """
    check_sizes(rgb, alpha)
    area = int(np.count_nonzero(alpha > HALF))
    if not area:
        raise InputError("the figure has no pixel: its mask is empty, or so thin that trimming its edge leaves nothing")
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Cutout(rgb=rgb[box], alpha=alpha[box], area_px=area)


def resize_cutout(cutout: Cutout, size_hw: tuple[int, int], *, mirror: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Colours and alpha of a cut-out at another size, Lanczos on colours times alpha.

    Args:
        cutout: the figure.
        size_hw: height and width in pixels, at least 1 each.
        mirror: left and right swapped.

    Returns:
        uint8 [height, width, 3] and uint8 [height, width].
    """
    same = cutout.size_hw == size_hw
    rgb, alpha = (cutout.rgb, cutout.alpha) if same else resample_cutout(cutout.rgb, cutout.alpha, size_hw)
    return (rgb[:, ::-1], alpha[:, ::-1]) if mirror else (rgb, alpha)


def cover(scene: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """The scene scaled to cover a size and cut to its middle, uint8 [height, width, 3], Lanczos.

    Args:
        scene: uint8 [height, width, 3] of any size.
        size_hw: height and width in pixels, at least 1 each.
    """
    height, width = scene.shape[:2]
    if (height, width) == size_hw:
        return scene
    scale = max(size_hw[0] / height, size_hw[1] / width)
    cut_h, cut_w = min(size_hw[0] / scale, height), min(size_hw[1] / scale, width)
    top, left = (height - cut_h) / 2, (width - cut_w) / 2
    box = (left, top, min(left + cut_w, width), min(top + cut_h, height))
    return resample(scene, size_hw, box=box)


def composite(rgb: np.ndarray, alpha: np.ndarray, scene: np.ndarray, *, top: int = 0, left: int = 0) -> np.ndarray:
    """A new picture: figure * alpha + scene * (1 - alpha), to the nearest whole number; the scene where no figure is.

    Args:
        rgb: the figure, uint8 [height, width, 3].
        alpha: uint8 [height, width], 255 = opaque.
        scene: uint8 [at least top + height, at least left + width, 3].
        top: row of the scene where the figure's first row comes.
        left: column of the scene where its first column comes.

    Raises:
        InputError: sizes that differ, or a figure that does not lie inside the scene.
    """
    check_sizes(rgb, alpha)
    height, width = alpha.shape
    if top < 0 or left < 0 or top + height > scene.shape[0] or left + width > scene.shape[1]:
        raise InputError(
            f"the figure must lie inside the scene; got rows {top} to {top + height} and columns {left} to {left + width} "
            f"on {scene.shape[0]} x {scene.shape[1]}"
        )
    out = np.array(scene, order="C")
    _blend(out[top : top + height, left : left + width], rgb, alpha)
    return out


def check_sizes(rgb: np.ndarray, alpha: np.ndarray) -> None:
    """Raise `InputError` unless a picture and its alpha are uint8 arrays of one size."""
    if rgb.dtype != np.uint8 or alpha.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.shape[:2] != alpha.shape:
        raise InputError(
            f"`rgb` must be uint8 [height, width, 3] and `alpha` uint8 [height, width] of the same size; "
            f"got {rgb.dtype} {list(rgb.shape)} and {alpha.dtype} {list(alpha.shape)}"
        )


@njit(cache=True, nogil=True)
def _blend(out: np.ndarray, rgb: np.ndarray, alpha: np.ndarray) -> None:  # pragma: no cover - compiled
    """Writes into `out`. x / 255 rounded is (x + 127) // 255: halves do not occur, for 255 is odd."""
    for y in range(alpha.shape[0]):
        for x in range(alpha.shape[1]):
            a = np.int32(alpha[y, x])
            if a == 0:
                continue
            if a == 255:  # most of a figure
                for c in range(3):
                    out[y, x, c] = rgb[y, x, c]
                continue
            for c in range(3):
                out[y, x, c] = (np.int32(rgb[y, x, c]) * a + np.int32(out[y, x, c]) * (255 - a) + 127) // 255


@njit(cache=True, nogil=True)
def _fill_edge(padded, edge, steps, levels, alpha) -> None:  # pragma: no cover - compiled
    """Writes the alpha of edge pixels, given by their place in it; `padded` is the mask in a frame of zeros."""
    width = alpha.shape[1]
    reach = (padded.shape[1] - width) // 2
    for place in edge:
        y, x = place // width, place % width
        for k in range(levels.size):
            if not padded[y + reach + steps[k, 0], x + reach + steps[k, 1]]:
                alpha[y, x] = levels[k]
                break
