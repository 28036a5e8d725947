"""Heavy augmentation of classifiers: RandAugment for every picture, then for each batch one of CutMix, MixUp and brightness.

What is drawn comes from the generator that is handed in, and torchvision's functional transforms draw nothing, as in `augment`.

Sources: RandAugment (arXiv 1909.13719) with the operations, magnitudes and default strength of torchvision's; CutMix (arXiv 1905.04899);
MixUp (arXiv 1710.09412); one of the three a batch, alpha 1.5 and brightness 0.5 as the baseline "heavy augmentation" of the reference
recipe for background swapping.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.transforms.v2 import functional
from torchvision.transforms.v2.functional import InterpolationMode

OPERATIONS = 2
"""Operations a picture."""
STRENGTH = 9 / 30
"""Magnitude of each as a part of its range: step 9 of torchvision's 31."""
ALPHA = 1.5
"""Of the Beta distribution of the share that a picture keeps, of CutMix and MixUp alike."""
BRIGHTNESS = 0.5
"""Brightness is multiplied with U(1 - this, 1 + this)."""

Change = Callable[[torch.Tensor, float], torch.Tensor]
"""(uint8 [3, height, width], magnitude) -> the same shape."""


def _moved(name: str) -> Change:
    """Sheared or shifted, with black where nothing is; shears are about the upper left corner, as torchvision's."""

    def change(image: torch.Tensor, by: float) -> torch.Tensor:
        degrees = math.degrees(math.atan(by))
        shear = {"shear x": [degrees, 0.0], "shear y": [0.0, degrees]}.get(name, [0.0, 0.0])
        shift = {"shift x": [float(int(by)), 0.0], "shift y": [0.0, float(int(by))]}.get(name, [0.0, 0.0])
        centre = [0.0, 0.0] if name.startswith("shear") else None
        how = InterpolationMode.NEAREST
        return functional.affine(
            image, angle=0.0, translate=shift, scale=1.0, shear=shear, interpolation=how, fill=[0.0, 0.0, 0.0], center=centre
        )

    return change


_SIGNED: dict[str, tuple[Change, Callable[[int, int], float]]] = {
    "shear x": (_moved("shear x"), lambda height, width: 0.3),
    "shear y": (_moved("shear y"), lambda height, width: 0.3),
    "shift x": (_moved("shift x"), lambda height, width: 150.0 / 331.0 * width),
    "shift y": (_moved("shift y"), lambda height, width: 150.0 / 331.0 * height),
    "rotate": (lambda image, by: functional.rotate(image, by, fill=[0.0, 0.0, 0.0]), lambda height, width: 30.0),
    "brightness": (lambda image, by: functional.adjust_brightness(image, 1 + by), lambda height, width: 0.9),
    "colour": (lambda image, by: functional.adjust_saturation(image, 1 + by), lambda height, width: 0.9),
    "contrast": (lambda image, by: functional.adjust_contrast(image, 1 + by), lambda height, width: 0.9),
    "sharpness": (lambda image, by: functional.adjust_sharpness(image, 1 + by), lambda height, width: 0.9),
}
"""Operations of either sign, with the end of their range for a picture of so many pixels."""
_PLAIN: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "identity": lambda image: image,
    "posterize": lambda image: functional.posterize(image, 8 - round(STRENGTH * 30 / (30 / 4))),
    "solarize": lambda image: functional.solarize(image, 255.0 * (1 - STRENGTH)),
    "autocontrast": functional.autocontrast,
    "equalize": functional.equalize,
}
"""Operations without a sign, at their strength."""
NAMES = (*_SIGNED, *_PLAIN)


def rand_augmented(picture: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """A picture after `OPERATIONS` random operations, each as likely as any other and of either sign.

    Args:
        picture: uint8 [height, width, 3].
        rng: decides everything.

    Returns:
        uint8 [height, width, 3], contiguous, sharing no memory with the argument.
    """
    image = torch.from_numpy(np.array(picture.transpose(2, 0, 1)))
    for number in rng.integers(0, len(NAMES), OPERATIONS):
        image = operated(image, NAMES[number], sign=-1 if rng.random() < 0.5 else 1)
    return np.array(image.numpy().transpose(1, 2, 0), order="C")


def operated(image: torch.Tensor, name: str, *, sign: int) -> torch.Tensor:
    """A picture uint8 [3, height, width] after one operation; `sign` is of those in `_SIGNED` alone."""
    if name in _PLAIN:
        return _PLAIN[name](image)
    change, end = _SIGNED[name]
    return change(image, sign * STRENGTH * end(image.shape[-2], image.shape[-1]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixed:
    """A batch after its change as a whole."""

    pictures: list[np.ndarray]
    """uint8 [height, width, 3] each."""
    partners: np.ndarray
    """int64 [batch], place of the picture that was mixed into each."""
    share: float
    """Part of each picture, and of its label, that is its own, in [0, 1]; 1 where nothing was mixed in."""


def mixed_batch(pictures: list[np.ndarray], *, rng: np.random.Generator) -> Mixed:
    """The pictures of a batch after CutMix, MixUp or a change of brightness, each as likely.

    CutMix: a rectangle of 1 - lambda of the area, its middle anywhere and cut off at the frame, comes from the partner; the share is
    what is left. MixUp: `lambda own + (1 - lambda) partner`, rounded. Lambda is Beta(1.5, 1.5), one a batch; partners are a random
    permutation, so that a picture may be its own.

    Args:
        pictures: uint8 [height, width, 3] of one size, at least one.
        rng: decides everything.
    """
    kind, partners = int(rng.integers(0, 3)), rng.permutation(len(pictures))
    if kind == 2:
        factors = rng.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS, len(pictures))
        brighter = [np.clip(np.rint(p * f), 0, 255).astype(np.uint8) for p, f in zip(pictures, factors, strict=True)]
        return Mixed(pictures=brighter, partners=np.arange(len(pictures)), share=1.0)
    share = float(rng.beta(ALPHA, ALPHA))
    if kind == 1:
        blend = [np.rint(share * p + (1 - share) * pictures[o]).astype(np.uint8) for p, o in zip(pictures, partners, strict=True)]
        return Mixed(pictures=blend, partners=partners, share=share)
    rows, columns = cut_box(pictures[0].shape[:2], share, rng)
    cut = [p.copy() for p in pictures]
    for own, other in zip(cut, partners, strict=True):
        own[rows, columns] = pictures[other][rows, columns]
    height, width = pictures[0].shape[:2]
    taken = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    return Mixed(pictures=cut, partners=partners, share=1 - taken)


def cut_box(size_hw: tuple[int, ...], share: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of CutMix's rectangle for a share that is to be kept; it may be empty."""
    spans = []
    for length in size_hw[:2]:
        half, middle = math.sqrt(1 - share) * length / 2, int(rng.integers(0, length))
        low, high = max(0, round(middle - half)), min(length, round(middle + half))
        spans.append(slice(low, max(low, high)))
    return spans[0], spans[1]
