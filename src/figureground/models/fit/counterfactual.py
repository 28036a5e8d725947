"""Two pictures beside each training picture: its figure on one random colour, and its ground with the figure painted over.

Source: Chang et al., Towards Robust Classification Model by Counterfactual and Invariant Data Generation (arXiv 2106.01127): the answer to
the first should be the same, and to the second anything else. Where the paper infills the figure's bounding box with a generative network,
it is painted over here from its border (Telea 2004, doi 10.1080/10867651.2004.10487596), which needs no weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from figureground.core.errors import InputError
from figureground.data.dataset import Dataset
from figureground.models.fit.backmix import BackMix
from figureground.models.fit.batch import IGNORE, Batch, Counts
from figureground.models.fit.samples import TrainData

DEVIATION = 0.2
"""Of the noise on the random colour, in parts of the range of a channel."""
_RADIUS_PX = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counterfactuals:
    """A picture source: the pictures of the files, and two more beside each."""

    cut: BackMix
    """Knows pictures and figures."""

    def read(self, index: int, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The picture of the file, uint8 [height, width, 3]."""
        del rng
        return self.cut.data.read(index)

    def beside(self, index: int, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray] | None:
        """The figure on a random colour, and the ground without it, uint8 [height, width, 3]; None where there is no figure or no ground.

        There is no ground where the figure's bounding box is the whole picture: nothing could be painted from.
        """
        picture, figure = self.cut.data.read(index)[0], self.cut.figure(index)
        if not figure.any():
            return None
        box = np.zeros(figure.shape, np.uint8)
        rows, columns = np.flatnonzero(figure.any(1)), np.flatnonzero(figure.any(0))
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 1
        if box.all():
            return None
        noisy = rng.random(3) + DEVIATION * rng.normal(size=picture.shape)
        colour = np.where(figure[..., None], picture, (255 * noisy.clip(0, 1)).round().astype(np.uint8))
        return colour, cv2.inpaint(np.ascontiguousarray(picture), box, _RADIUS_PX, cv2.INPAINT_TELEA)

    def identity(self) -> str:
        """What it makes; masks are told by the data set."""
        return "counterfactual"


def counterfactual_source(dataset: Dataset, data: TrainData) -> Counterfactuals:
    """The source for the training samples of a data set with masks; one without raises `InputError`."""
    if dataset.masks is None:
        raise InputError(f"{dataset.name}: `counterfactual` needs to know the figures, and the data set has no masks. Give one with masks")
    cut = BackMix(data=data, masks=dataset.masks, classes=dataset.classes, chance=1.0, grounds=np.arange(len(data)))
    return Counterfactuals(cut=cut)


def counterfactual_loss(colour: Tensor, without: Tensor, part: Batch, *, whole: Counts | None, smoothing: float = 0.0) -> Tensor:
    """`sum_i w_i (CE(colour_i, y_i) - log(1 - p_y(without_i))) / n` over the pictures i that have both, n counting all of the step.

    Of two classes the second term is the cross entropy to the other class.

    Args:
        colour: float [batch, classes, 1, 1], logits for figures on a random colour.
        without: float [batch, classes, 1, 1], logits for grounds without their figure.
        part: the batch, with `told`.
        whole: counts of the step that it is a part of; None = it is all of it.
        smoothing: of the targets of the cross entropy.
    """
    assert part.told is not None
    counted, answers = part.told & (part.masks[:, 0, 0] != IGNORE), without[:, :, 0, 0].float()
    targets = torch.where(counted, part.masks[:, 0, 0], 0)
    same = functional.cross_entropy(colour[:, :, 0, 0].float(), targets, reduction="none", label_smoothing=smoothing)
    others = answers.masked_fill(functional.one_hot(targets, answers.shape[1]).bool(), -torch.inf)
    away = answers.logsumexp(1) - others.logsumexp(1)
    pictures = len(targets) if whole is None else max(whole.pictures, 1)
    return ((same + away) * counted * part.weights).sum() / pictures
