"""Networks of a few hundred weights, built from FILE.py:FUNCTION as a user's own are."""

from __future__ import annotations

import torch
from torch import nn


def tiny(classes: int, width: int = 8, dropout: float = 0.0, norm: bool = True) -> nn.Module:
    """Three convolutions and a stride of 2: logits at half size."""
    return nn.Sequential(
        nn.Conv2d(3, width, 3, stride=2, padding=1),
        nn.BatchNorm2d(width) if norm else nn.Identity(),
        nn.ReLU(),
        nn.Dropout2d(dropout),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, classes, 1),
    )


class Breaks(nn.Module):
    """Gives what is no number from the n-th training pass on; with `seen`, once so many were made, where it is validated instead."""

    def __init__(self, inner: nn.Module, good: int, *, seen: bool = False) -> None:
        super().__init__()
        self.inner, self.left, self.seen = inner, good, seen

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.inner(images)
        if not self.training:
            return logits * float("nan") if self.seen and self.left <= 0 else logits
        self.left -= 1
        return logits * float("nan") if self.left < 0 else logits


def breaking(classes: int, good: int = 3) -> nn.Module:
    return Breaks(tiny(classes), good)


def broken_at_the_end(classes: int, good: int = 4) -> nn.Module:
    return Breaks(tiny(classes), good, seen=True)


def frozen(classes: int) -> nn.Module:
    return tiny(classes).requires_grad_(False)


def no_module(classes: int) -> object:
    return object()


def answering(classes: int, width: int = 8) -> nn.Module:
    """A classifier: logits [batch, classes]."""
    return nn.Sequential(tiny(classes, width), nn.AdaptiveMaxPool2d(1), nn.Flatten())


def linear(classes: int, width: int = 8) -> nn.Module:
    """A classifier that ends in a linear layer."""
    return nn.Sequential(tiny(width, width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))
