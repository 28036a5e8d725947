"""Background CutMix: ground from another context behind the same figure, so that the ground no longer tells the class.

Source: the baseline "CUTMIX" of the reference code of arXiv 2604.13326, restated; after CutMix (arXiv 1905.04899).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SIDE = (0.1, 0.4)
"""Range of the rectangle's sides, as fractions of the picture's."""
LEAST_SHARED = 0.3
"""Part of the rectangle that must be background in both pictures for ground to be copied."""


def background_cutmix(
    picture: np.ndarray, mask: np.ndarray, *, partner: tuple[np.ndarray, np.ndarray] | None, background: int, rng: np.random.Generator
) -> np.ndarray:
    """The picture with a rectangle of its ground from another one; the mask stays true, since only ground is replaced by ground.

    A rectangle of sides U(0.1, 0.4) of the picture's lies anywhere inside it. Pixels that are background in both pictures are copied from
    the partner. Where they are fewer than 30 % of the rectangle, the picture's own background there is filled with one random colour.
    Without a partner it is erased, by one random colour or by noise with equal chance. Figures and void are never touched nor copied.

    Args:
        picture: uint8 [height, width, 3].
        mask: uint8 [height, width] of class indices; void is no background.
        partner: picture and mask of the same size, or None where there is none.
        background: class index of the ground.
        rng: decides rectangle, colour and noise.

    Returns:
        A new array; a picture without background is a copy.
    """
    rows, columns = _rectangle(picture.shape[0], picture.shape[1], rng)
    out = picture.copy()
    patch, own = out[rows, columns], mask[rows, columns] == background
    if partner is None:
        noise = rng.random() < 0.5
        fill = rng.integers(0, 256, patch.shape if noise else 3, dtype=np.uint8)
        patch[own] = fill[own] if noise else fill
        return out
    shared = own & (partner[1][rows, columns] == background)
    if shared.mean() >= LEAST_SHARED:
        patch[shared] = partner[0][rows, columns][shared]
    else:
        patch[own] = rng.integers(0, 256, 3, dtype=np.uint8)
    return out


class Partners:
    """Who may lend ground to whom: the samples of the same class in another context.

    Args:
        labels: class of each sample, empty where it is not known.
        contexts: context of each sample, empty where it is not known.
    """

    def __init__(self, labels: Sequence[str], contexts: Sequence[str]) -> None:
        self._groups = [(label, context) if label and context else None for label, context in zip(labels, contexts, strict=True)]
        members: dict[str, list[tuple[str, int]]] = {}
        for index, group in enumerate(self._groups):
            if group:
                members.setdefault(group[0], []).append((group[1], index))
        known = {group for group in self._groups if group}
        self._others = {
            group: np.array([index for context, index in members[group[0]] if context != group[1]], np.int64) for group in known
        }

    def draw(self, index: int, rng: np.random.Generator) -> int | None:
        """A partner of a sample, each as likely; None where there is none or its class or context is not known."""
        group = self._groups[index]
        if group is None or not self._others[group].size:
            return None
        return int(rng.choice(self._others[group]))


def _rectangle(height: int, width: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random rectangle of at least one pixel inside a picture."""
    sides = [max(1, round(length * rng.uniform(*SIDE))) for length in (height, width)]
    starts = [int(rng.integers(0, length - side + 1)) for length, side in zip((height, width), sides, strict=True)]
    return slice(starts[0], starts[0] + sides[0]), slice(starts[1], starts[1] + sides[1])
