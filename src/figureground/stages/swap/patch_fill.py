"""Filling a hole with pieces of the same picture: for each patch that touches it the most similar whole patch, from coarse to fine.

At each level of a pyramid two steps take turns: a search for the nearest patch of known pixels (spreading good matches to neighbours, and
random tries in shrinking windows), and a vote in which every patch says what colours it expects in the hole. Sources: the search of
Barnes et al. 2009 (PatchMatch), the vote of Wexler, Shechtman and Irani 2007.
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

RADIUS = 3
"""A patch is 2 * RADIUS + 1 pixels wide."""
_COARSEST_PX = 40
_ROUNDS = (2, 2, 3, 6)
"""Searches and votes at the finest level, the next coarser ones, and all coarser still."""
_REACH_PX = 16
"""How far random tries go at all levels but the coarsest."""


def patch_filled(picture: np.ndarray, hole: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """The picture with its hole filled from patches of itself.

    Args:
        picture: uint8 [height, width, 3].
        hole: bool [height, width], with at least one pixel that is not in it.
        seed: decides the random tries.

    Returns:
        uint8 [height, width, 3]; every pixel outside the hole as it was. Where no whole patch is known, the hole takes the mean colour.
    """
    known = ~hole
    pictures, holes = [_mean_filled(picture, hole)], [hole]
    while min(holes[-1].shape) >= 2 * _COARSEST_PX:
        smaller, small_hole = _halved(pictures[-1], holes[-1])
        if not _sources(small_hole).any() or not small_hole.any():
            break
        pictures.append(smaller)
        holes.append(small_hole)
    near: np.ndarray | None = None
    found = pictures[-1]
    for level in range(len(pictures) - 1, -1, -1):
        image, gap = pictures[level].copy(), holes[level]
        sources = _sources(gap)
        if not sources.any() or not gap.any():
            found, near = image, None
            continue
        coarsest = near is None
        if coarsest:
            start = cv2.inpaint(image, gap.view(np.uint8), 3, cv2.INPAINT_TELEA)
            image[gap] = start[gap]
        rounds, reach = (_ROUNDS[-1], max(gap.shape)) if coarsest else (_ROUNDS[min(level, len(_ROUNDS) - 1)], _REACH_PX)
        near = _start(near, sources, seed + level)
        _refine(image, gap, sources, near, rounds, reach, np.uint64(seed + level), not coarsest)
        found = image
    out = picture.copy()
    out[hole] = found[hole]
    assert np.array_equal(out[known], picture[known])
    return out


def _mean_filled(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    out = picture.copy()
    out[hole] = np.rint(picture[~hole].mean(axis=0)).astype(np.uint8)
    return out


def _halved(picture: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Picture and hole at half the size: colours are means over known pixels, and a pixel is known where half of it is."""
    size = (hole.shape[1] // 2, hole.shape[0] // 2)
    known = (~hole).astype(np.float32)
    part = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    colours = cv2.resize(picture.astype(np.float32) * known[..., None], size, interpolation=cv2.INTER_AREA)
    mean = colours / np.maximum(part, 1e-6)[..., None]
    gap = part < 0.5
    out = np.rint(mean).clip(0, 255).astype(np.uint8)
    return _mean_filled(out, gap) if gap.any() and not gap.all() else out, gap


def _sources(hole: np.ndarray) -> np.ndarray:
    """Bool [height, width]: middles of patches that lie inside the picture and touch no hole."""
    side = 2 * RADIUS + 1
    free = np.zeros(hole.shape, bool)
    if min(hole.shape) >= side:
        touched = cv2.dilate(hole.view(np.uint8), np.ones((side, side), np.uint8))
        inner = np.s_[RADIUS : hole.shape[0] - RADIUS, RADIUS : hole.shape[1] - RADIUS]
        free[inner] = touched[inner] == 0
    return free


def _start(coarse: np.ndarray | None, sources: np.ndarray, seed: int) -> np.ndarray:
    """First matches, int32 [height, width, 2]: those of the coarser level at twice the place, random ones where these are no sources."""
    height, width = sources.shape
    rng = np.random.default_rng(seed)
    places = np.flatnonzero(sources)
    drawn = places[rng.integers(0, places.size, height * width)]
    near = np.stack([drawn // width, drawn % width], axis=1).astype(np.int32).reshape(height, width, 2)
    if coarse is not None:
        y, x = np.indices((height, width))
        of = coarse[np.minimum(y // 2, coarse.shape[0] - 1), np.minimum(x // 2, coarse.shape[1] - 1)]
        row, column = np.minimum(of[..., 0] * 2 + y % 2, height - 1), np.minimum(of[..., 1] * 2 + x % 2, width - 1)
        good = sources[row, column]
        near[good] = np.stack([row[good], column[good]], axis=1)
    return near


@njit(cache=True, nogil=True)
def _refine(image, hole, sources, near, rounds, reach, seed, voted) -> None:  # pragma: no cover - compiled
    """Searches and votes in turn, after a first vote where `voted`; writes into `image` and `near`."""
    height, width = hole.shape
    places = []
    for y in range(RADIUS, height - RADIUS):
        for x in range(RADIUS, width - RADIUS):
            if not sources[y, x]:
                places.append((y, x))  # its patch touches the hole, for it lies inside the picture
    distance = np.zeros((height, width), np.int64)
    state = seed * np.uint64(2654435761) + np.uint64(88172645463325252)
    if voted:
        _vote(image, hole, near, distance, places)
    for _ in range(rounds):
        for y, x in places:
            distance[y, x] = _difference(image, y, x, near[y, x, 0], near[y, x, 1], np.int64(1) << 60)
        for sweep in range(2):
            step = 1 if sweep == 0 else -1
            for k in range(len(places)):
                y, x = places[k] if step == 1 else places[len(places) - 1 - k]
                for way in range(2):
                    ny, nx = (y - step, x) if way == 0 else (y, x - step)
                    if ny < RADIUS or ny >= height - RADIUS or nx < RADIUS or nx >= width - RADIUS or sources[ny, nx]:
                        continue
                    _try(image, sources, near, distance, y, x, near[ny, nx, 0] + y - ny, near[ny, nx, 1] + x - nx)
                window = reach
                while window >= 1:
                    state ^= state << np.uint64(13)
                    state ^= state >> np.uint64(7)
                    state ^= state << np.uint64(17)
                    down = np.int64(state % np.uint64(2 * window + 1)) - window
                    right = np.int64((state >> np.uint64(32)) % np.uint64(2 * window + 1)) - window
                    _try(image, sources, near, distance, y, x, near[y, x, 0] + down, near[y, x, 1] + right)
                    window //= 2
        _vote(image, hole, near, distance, places)


@njit(cache=True, nogil=True)
def _try(image, sources, near, distance, y, x, sy, sx) -> None:  # pragma: no cover - compiled
    """Takes a source for a place where it is one and better."""
    if sy < 0 or sx < 0 or sy >= sources.shape[0] or sx >= sources.shape[1] or not sources[sy, sx]:
        return
    found = _difference(image, y, x, sy, sx, distance[y, x])
    if found < distance[y, x]:
        distance[y, x] = found
        near[y, x, 0], near[y, x, 1] = sy, sx


@njit(cache=True, nogil=True)
def _difference(image, y, x, sy, sx, most):  # pragma: no cover - compiled
    """Sum of squared differences of two patches; given up, with a larger number, row by row above `most`."""
    total = np.int64(0)
    for dy in range(-RADIUS, RADIUS + 1):
        row = np.int32(0)
        for dx in range(-RADIUS, RADIUS + 1):
            for c in range(3):
                d = np.int32(image[y + dy, x + dx, c]) - np.int32(image[sy + dy, sx + dx, c])
                row += d * d
        total += row
        if total >= most:
            return total
    return total


@njit(cache=True, nogil=True)
def _vote(image, hole, near, distance, places) -> None:  # pragma: no cover - compiled
    """Gives each pixel of the hole the mean of what the patches around it expect, near matches counting more."""
    height, width = hole.shape
    total = np.zeros((height, width, 4), np.float64)
    spread = 1.0
    for y, x in places:
        spread += distance[y, x]
    spread /= max(1, len(places))
    for y, x in places:
        weight = np.exp(-2.0 * distance[y, x] / spread) + 1e-9
        sy, sx = near[y, x, 0], near[y, x, 1]
        for dy in range(-RADIUS, RADIUS + 1):
            for dx in range(-RADIUS, RADIUS + 1):
                if hole[y + dy, x + dx]:
                    for c in range(3):
                        total[y + dy, x + dx, c] += weight * image[sy + dy, sx + dx, c]
                    total[y + dy, x + dx, 3] += weight
    for y in range(height):
        for x in range(width):
            if hole[y, x] and total[y, x, 3] > 0:
                for c in range(3):
                    image[y, x, c] = np.uint8(total[y, x, c] / total[y, x, 3] + 0.5)
