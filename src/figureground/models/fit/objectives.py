"""What training minimises: cross entropy, Dice beside it, and the loss of the groups that fare worst.

Every objective is a module called with logits [batch, classes, height, width], masks of class indices, the group of each picture and a
weight for it, and answers with one number. Pixels marked `IGNORE` are in no sum and no denominator. A batch without a single counted pixel
costs 0 and has gradients of 0, so that a step on it changes nothing but what momentum carries on.

Cross entropy is against smoothed targets where `smoothing` s is above 0: the truth has the probability 1 - s + s / classes and every other
class s / classes (arXiv 1512.00567, section 7).

Where a step is cut into parts, every denominator is that of the whole step (`whole`), so that the losses of the parts add up to the loss of
the whole, however it is cut and on however many devices.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.models.fit.batch import IGNORE, Counts
from figureground.models.fit.options import FitOptions

SMOOTH = 1e-5
"""Added above and below the fraction of Dice."""


class CrossEntropy(nn.Module):
    """Mean cross entropy of the counted pixels, each times the weight of its picture.

    `sum_b w_b sum_i -log p_bi[y_bi] / sum_b n_b` over the counted pixels i of picture b, n_b their number. The denominator has no weights:
    weights with mean 1 over the training set keep the scale of the loss, and a batch of rare pictures is not scaled down again.
    Source: the reference recipe of arXiv 2604.13326 (mean over pixels); weights: defined here.

    Args:
        smoothing: of the targets, in [0, 1).
    """

    def __init__(self, *, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = checked_smoothing(smoothing)

    def forward(self, logits: Tensor, masks: Tensor, groups: Tensor, weights: Tensor, *, whole: Counts | None = None) -> Tensor:
        """The loss, a scalar at least 0; 0 where no pixel counts.

        Args:
            logits: float [batch, classes, height, width]; half precision is widened.
            masks: int64 [batch, height, width] of class indices and `IGNORE`.
            groups: int64 [batch]; not looked at.
            weights: float [batch].
            whole: counts of the step that the batch is a part of; None = the batch is all of it.

        Raises:
            InputError: logits and masks do not belong together.
        """
        check_shapes(logits, masks)
        return _pooled_entropy(logits, masks, weights, whole, smoothing=self.smoothing)


class DiceCrossEntropy(nn.Module):
    """Cross entropy plus the part of each present foreground class that soft Dice misses.

    For picture b and a foreground class c that its mask shows, with p the softmax and sums over its counted pixels,
    `dice_bc = (2 sum p_c [y = c] + s) / (sum p_c + sum [y = c] + s)`, s = `SMOOTH`. The second term is
    `sum_b w_b (1 - mean over c of dice_bc) / B`, B being the pictures that have a counted pixel. A class that is absent from a picture is
    not in its mean (with smoothing it would be a constant near 1 in every picture of one class), and a picture without any foreground adds
    cross entropy alone.
    Source: V-Net's soft Dice (arXiv 1606.04797, without squares) as the reference recipe of arXiv 2604.13326 uses it; absent classes: here.

    Args:
        classes: number of channels.
        background: channel that is ground and has no Dice.
        smoothing: of the targets of cross entropy, in [0, 1); Dice is against the mask itself.
    """

    def __init__(self, *, classes: int, background: int, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = checked_smoothing(smoothing)
        self.foreground = [index for index in range(classes) if index != background]

    def forward(self, logits: Tensor, masks: Tensor, groups: Tensor, weights: Tensor, *, whole: Counts | None = None) -> Tensor:
        """The loss, a scalar at least 0; 0 where no pixel counts. Arguments and errors as for `CrossEntropy`."""
        check_shapes(logits, masks)
        missing, counted = self._missing(_widened(logits), masks), (masks != IGNORE).any(dim=(1, 2))
        pictures = counted.sum().clamp(min=1) if whole is None else max(whole.pictures, 1)
        return _pooled_entropy(logits, masks, weights, whole, smoothing=self.smoothing) + (missing * weights).sum() / pictures

    def _missing(self, logits: Tensor, masks: Tensor) -> Tensor:
        """One minus the mean Dice of the present foreground classes, [batch]; 0 where there are none."""
        counted = masks != IGNORE
        shares = logits.softmax(dim=1)
        overlap, area, size = [], [], []
        for index in self.foreground:
            share, truth = shares[:, index] * counted, (masks == index).to(shares.dtype)
            overlap.append((share * truth).sum(dim=(1, 2)))
            area.append(share.sum(dim=(1, 2)))
            size.append(truth.sum(dim=(1, 2)))
        if not size:
            return logits.new_zeros(len(logits))
        held, sizes = torch.stack(overlap, dim=1), torch.stack(size, dim=1)
        dice = (2 * held + SMOOTH) / (torch.stack(area, dim=1) + sizes + SMOOTH)
        present = sizes > 0
        return ((1 - dice) * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)


class GroupDRO(nn.Module):
    """The losses of the groups, weighted towards the groups that fare worst so far.

    The loss of a picture is its mean cross entropy over counted pixels, that of a group the mean over its pictures in the step (times
    their weights). In training q moves once a step: `log q_g += step * loss_g` for the groups in the step, then q is brought to the sum 1.
    The loss is `sum_g q_g loss_g`, q being a constant for the gradient.

    - A step of one batch moves q before its loss, as published. Of a step in several parts, batches or devices, the losses are not known
      before the last of them: there the loss uses the q of the step before, and q moves at its end (`settle`), from all parts together.
    - The mean of a group is over its pictures in the whole step: it makes no difference for the loss, q given, in which parts they are.
    - A group that is absent from the step adds nothing and keeps its weight (up to the common factor). q is kept as logarithms, so that no
      group can fall to 0 and stay there.
    - In evaluation mode q stands still.
    - Pictures of unknown group (-1) are a term of their own: with u the part of such pictures, the loss is
      `(1 - u) sum_g q_g loss_g + u * (their mean)`; they never move q.
    - A picture without a counted pixel is in no group and no mean.

    Source: Sagawa et al., Distributionally Robust Neural Networks for Group Shifts (arXiv 1911.08731), Algorithm 1; pixels, unknown groups,
    logarithms and steps in parts: defined here.

    Args:
        groups: number of groups, at least 1.
        step: step size of q, at least 0; 0 leaves q uniform.
        smoothing: of the targets, in [0, 1); the losses that move q are smoothed too.

    Raises:
        InputError: no groups, or a step below 0.
    """

    log_weights: Tensor
    """float32 [groups], logarithms of q; in the state dict, so that a resumed run goes on where it stopped."""
    waiting: Tensor
    """float32 [groups], losses summed over the pictures of each group in the parts of the step so far; 0 between steps."""

    def __init__(self, *, groups: int, step: float, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = checked_smoothing(smoothing)
        if groups < 1:
            raise InputError(
                "the objective group-dro needs groups: at least one training sample with both a class and a context; got none. "
                "Declare the two attributes in the data set, or choose another objective"
            )
        if not step >= 0:
            raise InputError(f"`dro_step` must be at least 0; got {step}")
        self.step = step
        self.register_buffer("log_weights", torch.zeros(groups).log_softmax(dim=0))
        self.register_buffer("waiting", torch.zeros(groups), persistent=False)

    @property
    def weights(self) -> Tensor:
        """q, float64 [groups], each above 0, together 1."""
        return self.log_weights.detach().double().softmax(dim=0)

    def forward(self, logits: Tensor, masks: Tensor, groups: Tensor, weights: Tensor, *, whole: Counts | None = None) -> Tensor:
        """The loss, a scalar at least 0; 0 where no pixel counts. In training mode it moves q first, but for a part of a step.

        Arguments and errors as for `CrossEntropy`; `groups` holds numbers below the number of groups, and -1 for unknown. Behind the last
        part of a step belongs a call of `settle`.
        """
        check_shapes(logits, masks)
        sums, counts = picture_sums(logits, masks, smoothing=self.smoothing)
        losses, counted = sums / counts.clamp(min=1) * weights, counts > 0
        number = len(self.log_weights)
        slots = torch.where(counted & (groups >= 0), groups, number)  # one slot more takes what is in no group
        totals = losses.new_zeros(number + 1).index_add(0, slots, losses)[:number]
        if whole is None:
            sizes = losses.new_zeros(number + 1).index_add(0, slots, torch.ones_like(losses))[:number]
            pictures = counted.sum()
        else:
            sizes, pictures = whole.groups.to(losses), losses.new_tensor(whole.pictures)
        if self.training and whole is None:
            self._move(totals.detach(), sizes)
        elif self.training:
            self.waiting.add_(totals.detach())
        robust = (self.log_weights.exp().to(losses.dtype) * totals / sizes.clamp(min=1)).sum()
        unknown = (counted & (groups < 0)).to(losses.dtype)
        return (sizes.sum() * robust + (losses * unknown).sum()) / pictures.clamp(min=1)

    def settle(self, whole: Counts, *, total: Callable[[Tensor], Tensor]) -> None:
        """Moves q once for all parts of a step that were seen since the last call.

        Args:
            whole: counts of the step, of all devices together.
            total: the sum of a tensor over all devices, so that q is the same on each.
        """
        self._move(total(self.waiting).to(self.waiting), whole.groups.to(self.waiting))
        self.waiting.zero_()

    def _move(self, totals: Tensor, sizes: Tensor) -> None:
        """One update of q from the summed losses and the number of pictures of each group."""
        risen = self.log_weights + self.step * (totals / sizes.clamp(min=1)).to(self.log_weights.dtype)
        self.log_weights.copy_(risen - risen.logsumexp(dim=0))


def make_objective(options: FitOptions, *, classes: ClassTable, groups: int) -> nn.Module:
    """The objective that the options name.

    Args:
        options: `objective`, `dro_step`, `label_smoothing` and `balance` are looked at.
        classes: of the data; channel i of the logits is the i-th of them.
        groups: number of groups of the training data.

    Raises:
        InputError: an unknown objective, group-dro without groups or beside `balance` weight.
    """
    if options.objective == "ce":
        return CrossEntropy(smoothing=options.label_smoothing)
    if options.objective == "dice-ce":
        background = classes.ids.index(classes.background)
        return DiceCrossEntropy(classes=len(classes), background=background, smoothing=options.label_smoothing)
    if options.objective != "group-dro":
        raise InputError(f"`objective` must be one of ce, dice-ce, group-dro; got '{options.objective}'")
    if options.balance == "weight":
        raise InputError("`objective` group-dro weighs groups itself, so `balance` must be none, sample or subsample beside it; got weight")
    return GroupDRO(groups=groups, step=options.dro_step, smoothing=options.label_smoothing)


def validation_objective(options: FitOptions, *, classes: ClassTable) -> nn.Module:
    """What `loss` means on validation data: the objective itself, but cross entropy (smoothed as in training) for group-dro.

    With frozen weights the loss of `GroupDRO` still depends on which groups a batch happens to hold, and from epoch to epoch on weights
    that moved: two epochs could not be compared by it.
    """
    if options.objective == "group-dro":
        return CrossEntropy(smoothing=options.label_smoothing)
    return make_objective(options, classes=classes, groups=0)


def picture_sums(logits: Tensor, masks: Tensor, *, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """Cross entropy summed over the counted pixels of each picture, float [batch], and their number, int64 [batch].

    Half precision is widened to float32 first. A picture without counted pixels has 0 and 0.
    """
    counted = masks != IGNORE
    pixels = functional.cross_entropy(_widened(logits), masks, ignore_index=IGNORE, reduction="none", label_smoothing=smoothing)
    return pixels.sum(dim=(1, 2)), counted.sum(dim=(1, 2))


def check_shapes(logits: Tensor, masks: Tensor) -> None:
    """Raise `InputError` unless logits are [batch, classes, height, width] and masks int64 [batch, height, width] of the same sizes."""
    fits = logits.ndim == 4 and masks.ndim == 3 and logits.shape[0] == masks.shape[0] and logits.shape[2:] == masks.shape[1:]
    if not fits or masks.dtype != torch.int64:
        raise InputError(
            "an objective needs logits [batch, classes, height, width] and int64 masks [batch, height, width] of the same size; "
            f"got {list(logits.shape)} and {masks.dtype} {list(masks.shape)}. Bring the logits to the size of the masks first"
        )


def checked_smoothing(smoothing: float) -> float:
    """The same number; one outside [0, 1) raises `InputError`."""
    if not 0 <= smoothing < 1:
        raise InputError(f"`label_smoothing` must be in [0, 1); got {smoothing}")
    return smoothing


def _pooled_entropy(logits: Tensor, masks: Tensor, weights: Tensor, whole: Counts | None, *, smoothing: float) -> Tensor:
    """Weighted sum of the cross entropy over all counted pixels, divided by their number in the whole step; 0 where there are none."""
    sums, counts = picture_sums(logits, masks, smoothing=smoothing)
    return (sums * weights).sum() / (counts.sum().clamp(min=1) if whole is None else max(whole.pixels, 1))


def _widened(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
