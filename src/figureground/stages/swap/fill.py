"""Ways to fill the hole that a figure leaves: each takes a picture, a hole and random numbers, and changes nothing outside the hole.

Sources: noise, grey, mean, scramble-pixels and scramble-patches are the alternatives of arXiv 2606.32018; Telea 2004 and Bertalmio,
Bertozzi and Sapiro 2001 (Navier-Stokes) as in OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from figureground.core.errors import InputError
from figureground.core.registry import Registry
from figureground.data.spec import check_keys, nearest, parse_spec
from figureground.stages.swap.patch_fill import patch_filled

if TYPE_CHECKING:
    from figureground.models.inpainter import Inpainter

Fill = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
"""(uint8 [height, width, 3], bool [height, width] with some of both, generator) -> uint8 [height, width, 3]."""
GREY = 128
NOISE_SD = 0.25
"""Of full brightness."""
_NEAR_PX = 3

FILLS = Registry(
    "infill",
    group="figureground.infills",
    builtin={
        "patches": "figureground.stages.swap.fill:patches",
        "telea": "figureground.stages.swap.fill:telea",
        "navier-stokes": "figureground.stages.swap.fill:navier_stokes",
        "mean": "figureground.stages.swap.fill:mean",
        "grey": "figureground.stages.swap.fill:grey",
        "noise": "figureground.stages.swap.fill:noise",
        "scramble-pixels": "figureground.stages.swap.fill:scrambled_pixels",
        "scramble-patches": "figureground.stages.swap.fill:scrambled_patches",
    },
)
"""Names behind `--infill`; each is a `Fill`."""
MODELS = ("onnx", "torchscript")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """A network as a `Fill`."""

    inpainter: Inpainter

    def __call__(self, picture: np.ndarray, hole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Nothing of it is drawn."""
        del rng
        return self.inpainter(picture, hole)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Holed:
    """A picture that is to be filled."""

    picture: np.ndarray
    """uint8 [height, width, 3]."""
    hole: np.ndarray
    """bool [height, width]."""
    rng: np.random.Generator


def open_fill(spec: str, *, device: str = "cpu") -> Fill:
    """The fill that a spec names: one of `FILLS`, or a network as `onnx:FILE` or `torchscript:FILE`.

    Raises:
        InputError: an unknown name, or a network that cannot be opened.
        MissingExtra: the library that runs the network is not installed.
    """
    kind = spec.partition(":")[0]
    if kind in MODELS and ":" in spec:
        from figureground.models.inpainter import open_inpainter

        parsed = parse_spec(spec)
        check_keys(parsed.options, ("size",), where=spec)
        return Learned(inpainter=open_inpainter(kind, parsed.where, parsed.options, device=device))
    if spec not in FILLS.names():
        known = (*FILLS.names(), *(f"{name}:FILE" for name in MODELS))
        raise InputError(f"unknown infill '{spec}'.{nearest(spec, known)} Known: {', '.join(known)}")
    return FILLS.resolve(spec)


def together(fill: Fill) -> int:
    """How many pictures are best filled at a time."""
    return fill.inpainter.batch if isinstance(fill, Learned) else 1


def filled(picture: np.ndarray, hole: np.ndarray, fill: Fill, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """The picture with its hole filled, and whether the hole took the whole frame, which is plain grey then.

    Args:
        picture: uint8 [height, width, 3].
        hole: bool [height, width]; an empty one changes nothing.
        fill: the way.
        rng: its random numbers.
    """
    if hole.all():
        return np.full_like(picture, GREY), True
    if not hole.any():
        return picture.copy(), False
    made = fill(picture, hole, rng)
    out = picture.copy()
    out[hole] = made[hole]
    return out, False


def filled_all(holed: Sequence[Holed], fill: Fill) -> list[np.ndarray]:
    """Pictures with their holes filled, none of which takes the whole frame; a network fills several at a time."""
    if not isinstance(fill, Learned):
        return [filled(one.picture, one.hole, fill, one.rng)[0] for one in holed]
    open_ones = [one for one in holed if one.hole.any()]
    made = iter(fill.inpainter.many([one.picture for one in open_ones], [one.hole for one in open_ones]))
    return [next(made) if one.hole.any() else one.picture.copy() for one in holed]


def patches(picture: np.ndarray, hole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pieces of the same picture that fit; see `patch_filled`."""
    return patch_filled(picture, hole, seed=int(rng.integers(2**31)))


def telea(picture: np.ndarray, hole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours marched in from the edge."""
    del rng
    return cv2.inpaint(np.ascontiguousarray(picture), hole.astype(np.uint8), _NEAR_PX, cv2.INPAINT_TELEA)


def navier_stokes(picture: np.ndarray, hole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lines of equal brightness carried on from the edge."""
    del rng
    return cv2.inpaint(np.ascontiguousarray(picture), hole.astype(np.uint8), _NEAR_PX, cv2.INPAINT_NS)


def mean(picture: np.ndarray, hole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mean colour of what is outside."""
    del rng
    return _flat(picture, np.rint(picture[~hole].mean(axis=0)))


def grey(picture: np.ndarray, hole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey of half brightness."""
    del rng, hole
    return _flat(picture, np.full(3, GREY))


def noise(picture: np.ndarray, hole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One random colour, with Gaussian noise of a quarter of full brightness."""
    colour = rng.random(3)
    out = picture.copy()
    grain = rng.normal(colour, NOISE_SD, (int(hole.sum()), 3))
    out[hole] = np.rint(grain.clip(0, 1) * 255).astype(np.uint8)
    return out


def scrambled_pixels(picture: np.ndarray, hole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pixels of the outside, drawn one by one."""
    out, outside = picture.copy(), picture[~hole]
    out[hole] = outside[rng.integers(0, len(outside), int(hole.sum()))]
    return out


def scrambled_patches(picture: np.ndarray, hole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Square patches of the outside, a sixteenth of the shorter side, drawn one by one; smaller ones where none fits beside the hole."""
    side = max(1, min(hole.shape) // 16)
    while not (places := np.argwhere(_free(hole, side))).size:
        side //= 2
    out = picture.copy()
    for top in range(0, hole.shape[0], side):
        for left in range(0, hole.shape[1], side):
            part = hole[top : top + side, left : left + side]
            if part.any():
                y, x = places[rng.integers(len(places))]
                piece = picture[y : y + part.shape[0], x : x + part.shape[1]]
                out[top : top + side, left : left + side][part] = piece[part]
    return out


def _free(hole: np.ndarray, side: int) -> np.ndarray:
    """bool: first rows and columns of squares of a side that touch no hole."""
    sums = cv2.integral(hole.astype(np.uint8))
    return sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side] == 0


def _flat(picture: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return np.broadcast_to(colour.astype(np.uint8), picture.shape)
