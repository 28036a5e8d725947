"""The meter as a `torchmetrics.Metric`: one K x K table of counts on the device, summed over processes by torchmetrics itself.

Argument order is torchmetrics' own, prediction first. Source: as `figureground.metrics.meter`, with which it agrees exactly.
"""

from __future__ import annotations

from figureground.core.errors import InputError, MissingExtra
from figureground.metrics.decompose import Decomposition, decompose

try:
    import torch
    from torchmetrics import Metric
except ImportError as missing:
    raise MissingExtra("torchmetrics", extra="torchmetrics", needed_for="the torchmetrics meter") from missing


class FlipMeter(Metric):
    """Correct, flipped, missed and added for Lightning and other loops that speak torchmetrics.

    `update(predicted, truth)` takes integer tensors of one shape with ids 0 ... K - 1; `compute()` gives a dict of float64 scalars on the
    device: correct, flipped, missed (parts of foreground truth), added (part of background truth), conditional_flip, foreground_iou and
    miou (mean over the classes that occurred). NaN for 0 / 0.
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    matrix: torch.Tensor

    def __init__(self, classes: int, *, background: int = 0, ignore: int | None = 255) -> None:
        super().__init__()
        if not 0 <= background < classes or (ignore is not None and 0 <= ignore < classes):
            raise InputError(f"`background` must be in [0, {classes}) and `ignore` outside; got {background} and {ignore}")
        self.classes, self.background, self.ignore = classes, background, ignore
        self.add_state("matrix", default=torch.zeros(classes, classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predicted: torch.Tensor, truth: torch.Tensor) -> None:
        """Adds the pixels of a batch.

        Raises:
            InputError: shapes differ, or an id is neither a class nor (in the truth) `ignore`.
        """
        if predicted.shape != truth.shape:
            raise InputError(f"`predicted` and `truth` must have one shape; got {list(predicted.shape)} and {list(truth.shape)}")
        truth, predicted = truth.reshape(-1).long(), predicted.reshape(-1).long()
        if self.ignore is not None:
            counted = truth != self.ignore
            truth, predicted = truth[counted], predicted[counted]
        if truth.numel() and not 0 <= min(truth.min(), predicted.min()) <= max(truth.max(), predicted.max()) < self.classes:
            raise InputError(f"class ids must be in [0, {self.classes}), or `ignore` = {self.ignore} in the truth")
        pairs = torch.bincount(truth * self.classes + predicted, minlength=self.classes**2)
        self.matrix += pairs.reshape(self.classes, self.classes)

    def compute(self) -> dict[str, torch.Tensor]:
        """The rates of everything seen."""
        parts = self.decomposition()
        hits = self.matrix.diagonal().double()
        union = self.matrix.sum(0) + self.matrix.sum(1) - hits
        present = union > 0
        rates = {
            "correct": parts.correct_rate,
            "flipped": parts.flipped_rate,
            "missed": parts.missed_rate,
            "added": parts.added_rate,
            "conditional_flip": parts.conditional_flip,
            "foreground_iou": parts.foreground_iou,
            "miou": float((hits[present] / union[present]).mean()),
        }
        return {name: torch.tensor(rate, dtype=torch.float64, device=self.matrix.device) for name, rate in rates.items()}

    def decomposition(self) -> Decomposition:
        """All parts, per class and per pair too, as plain numbers on the host."""
        return decompose(self.matrix.cpu().numpy(), background=self.background)
