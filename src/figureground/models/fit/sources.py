"""Where the pictures of an epoch come from.

By default a training shows the picture of each sample as its file has it. What makes other pictures of them, such as another ground behind
the same figure, is a `PictureSource` and is handed to `fit`; everything behind it (augmentation, batches, steps) stays as it is, and
validation never asks it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np


class PictureSource(Protocol):
    """Makes the pictures that training shows; picklable, so that worker processes can ask it."""

    def read(self, index: int, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The picture of a sample and its mask for one turn of one epoch.

        Args:
            index: number of the sample in the training data.
            rng: random numbers that belong to this sample, epoch and turn alone: all chance must come from them, so that workers, batches
                and interruptions change nothing.

        Returns:
            As `TrainData.read`, at the size of the sample's own picture: uint8 [height, width, 3] and the mask, which are not written to.
        """
        ...

    def identity(self) -> str:
        """Text that is another where the pictures would be; a stopped training goes on only with the same."""
        ...
