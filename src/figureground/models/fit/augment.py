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


AUGMENTATIONS: Mapping[str, Augmentation | None] = MappingProxyType(
    {
        "none": None,
        "light": Augmentation(flip=0.5, scale=(0.85, 1.0), ratio=(0.95, 1.05), jitter=0.0, jitter_chance=0.0),
        "label-flips": Augmentation(flip=0.5, scale=(0.8, 1.0), ratio=(0.9, 1.1), jitter=0.2, jitter_chance=0.3),
    }
)
"""By name. `label-flips` is the recipe of the reference code of arXiv 2604.13326; `light` is defined here."""


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
    flip = rng.random() < how.flip
    box = crop_box(mask, how=how, background=background, rng=rng)
    image = torch.from_numpy(np.array(picture.transpose(2, 0, 1)))
    labels = torch.from_numpy(np.array(mask))[None]
    if box is not None:
        size = list(mask.shape)
        image = functional.resized_crop(image, *box, size=size, interpolation=InterpolationMode.BILINEAR, antialias=True)
        labels = functional.resized_crop(labels, *box, size=size, interpolation=InterpolationMode.NEAREST_EXACT)
    if flip:
        image, labels = functional.horizontal_flip(image), functional.horizontal_flip(labels)
    if rng.random() < how.jitter_chance:
        image = _recoloured(image, how.jitter, rng)
    return np.ascontiguousarray(image.numpy().transpose(1, 2, 0)), np.ascontiguousarray(labels[0].numpy())


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


def _recoloured(image: torch.Tensor, jitter: float, rng: np.random.Generator) -> torch.Tensor:
    """Brightness, contrast and saturation changed in random order."""
    changes = (functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation)
    factors = rng.uniform(1 - jitter, 1 + jitter, len(changes))
    for number in rng.permutation(len(changes)):
        image = changes[number](image, float(factors[number]))
    return image
