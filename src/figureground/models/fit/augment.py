"""Random changes of training pictures and their masks: what is changed is drawn here, how is torchvision's transforms v2.

Parameters come from the generator that is handed in, and the functional transforms draw nothing, so the global generators are never
touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torchvision.transforms.v2 import functional
from torchvision.transforms.v2.functional import InterpolationMode

from figureground.models.fit.batch import IGNORE

Box = tuple[int, int, int, int]
"""First row, first column, height and width of a crop, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How strongly pictures are changed; chances in [0, 1]."""

    flip: float
    """Chance of a horizontal flip."""
    scale: tuple[float, float]
    """Range of the crop's part of the picture's area; it is resized back to the size of the picture."""
    ratio: tuple[float, float]
    """Range of the crop's width to height, in units of the picture's own; drawn evenly on a logarithmic scale."""
    jitter: float
    """Brightness, contrast and saturation are multiplied with U(1 - jitter, 1 + jitter), in random order."""
    jitter_chance: float
    tries: int = 10
    """Crops that are drawn until one keeps some of the figure; after that the picture is not cropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was drawn for one picture; whatever else belongs to its pixels can be changed in the same way."""

    flip: bool
    box: Box | None
    """None = not cropped."""
    factors: tuple[float, ...] = ()
    """Of brightness, contrast and saturation; none where colours stay."""
    colours: tuple[int, ...] = ()
    """Numbers of those, in the order in which they are changed."""


_RECOLOURING = (functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation)

AUGMENTATIONS: Mapping[str, Augmentation | None] = MappingProxyType(
    {
        "none": None,
        "light": Augmentation(flip=0.5, scale=(0.85, 1.0), ratio=(0.95, 1.05), jitter=0.0, jitter_chance=0.0),
        "heavy": Augmentation(flip=0.5, scale=(0.7, 1.0), ratio=(3 / 4, 4 / 3), jitter=0.0, jitter_chance=0.0),
        "label-flips": Augmentation(flip=0.5, scale=(0.8, 1.0), ratio=(0.9, 1.1), jitter=0.2, jitter_chance=0.3),
    }
)
"""By name. `label-flips` is the recipe of the reference code of arXiv 2604.13326; `light` is defined here.
`heavy` is for classifiers, crops and flips of it; what else it does is in the module `heavy`."""


def augmented(
    picture: np.ndarray, mask: np.ndarray, *, how: Augmentation, background: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A randomly flipped, cropped and recoloured picture and the mask that belongs to it, of the same sizes.

    The picture is resized bilinear with antialiasing, the mask by the nearest pixel, so that it holds no value it did not hold before. A
    crop must keep some figure where the picture has any.

    Args:
        picture: uint8 [height, width, 3].
        mask: uint8 [height, width] of class indices; void is no figure.
        how: which changes, and how strong.
        background: class index of the ground.
        rng: decides everything; the same state gives the same pair.

    Returns:
        uint8 [height, width, 3] and uint8 [height, width], contiguous, sharing no memory with the arguments.
    """
    return changed(picture, mask, drawn_change(mask, how=how, background=background, rng=rng))


def changed(picture: np.ndarray, mask: np.ndarray, change: Change) -> tuple[np.ndarray, np.ndarray]:
    """The picture and the mask after a change; types and shapes as for `augmented`."""
    image = moved(torch.from_numpy(np.array(picture.transpose(2, 0, 1))), change)
    labels = moved(torch.from_numpy(np.array(mask))[None], change, nearest=True)
    for number in change.colours:
        image = _RECOLOURING[number](image, change.factors[number])
    return np.ascontiguousarray(image.numpy().transpose(1, 2, 0)), np.ascontiguousarray(labels[0].numpy())


def drawn_change(mask: np.ndarray, *, how: Augmentation, background: int, rng: np.random.Generator) -> Change:
    """The random changes of one picture; arguments as for `augmented`, which draws the same from the same state."""
    flip = rng.random() < how.flip
    box = crop_box(mask, how=how, background=background, rng=rng)
    if rng.random() >= how.jitter_chance:
        return Change(flip=flip, box=box)
    factors = rng.uniform(1 - how.jitter, 1 + how.jitter, len(_RECOLOURING))
    return Change(flip=flip, box=box, factors=tuple(map(float, factors)), colours=tuple(map(int, rng.permutation(len(_RECOLOURING)))))


def moved(planes: torch.Tensor, change: Change, *, nearest: bool = False) -> torch.Tensor:
    """Planes [channels, height, width] cropped, resized back and flipped as a change says; colours stay.

    Args:
        planes: of a picture, a mask, or logits.
        change: of the picture that they belong to.
        nearest: take the nearest pixel; else bilinear with antialiasing.
    """
    if change.box is not None:
        how = InterpolationMode.NEAREST_EXACT if nearest else InterpolationMode.BILINEAR
        planes = functional.resized_crop(planes, *change.box, size=list(planes.shape[-2:]), interpolation=how, antialias=True)
    return functional.horizontal_flip(planes) if change.flip else planes


def crop_box(mask: np.ndarray, *, how: Augmentation, background: int, rng: np.random.Generator) -> Box | None:
    """A random crop that fits into the picture and keeps some of its figure; None after `how.tries` that do not.

    A picture without any figure takes the first crop that fits. Area and shape are drawn as by torchvision's RandomResizedCrop.
    """
    height, width = mask.shape
    figure = (mask != background) & (mask != IGNORE)
    any_figure = figure.any()
    for _ in range(how.tries):
        part = rng.uniform(*how.scale)
        stretch = np.exp(rng.uniform(*np.log(how.ratio)))
        rows, columns = round(height * np.sqrt(part / stretch)), round(width * np.sqrt(part * stretch))
        if not (0 < rows <= height and 0 < columns <= width):
            continue
        top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
        if not any_figure or figure[top : top + rows, left : left + columns].any():
            return top, left, rows, columns
    return None
