"""MaskTune: pictures without what a first network looked at most, for one more pass.

Source: MaskTune (arXiv 2210.00055), section 3; maps of what counts: XGrad-CAM (arXiv 2008.02312), equation 5.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from figureground.core.errors import InputError
from figureground.core.progress import Reporter
from figureground.models.fit.loader import Loader
from figureground.models.fit.networks import Network
from figureground.models.fit.options import FitOptions
from figureground.models.fit.precision import reproducible
from figureground.models.fit.samples import TrainData

DEVIATIONS = 2.0
"""A pixel is masked where its map is more than this many standard deviations above the mean of the map."""
_TINY = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Masked:
    """A picture source: every training picture with 0 where the first network looked most."""

    data: TrainData
    bits: np.ndarray
    """uint8 [samples, ceil(height * width / 8)], packed: 1 = masked."""

    def read(self, index: int, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The masked picture, uint8 [height, width, 3]; chance has no part in it."""
        del rng
        picture, target = self.data.read(index)
        return np.where(self.mask(index)[..., None], np.uint8(0), picture), target

    def mask(self, index: int) -> np.ndarray:
        """Bool [height, width], True = masked."""
        assert self.data.size_hw is not None
        height, width = self.data.size_hw
        return np.unpackbits(self.bits[index], count=height * width).reshape(height, width).astype(bool)

    def identity(self) -> str:
        """Digest of the masks."""
        return hashlib.sha256(self.bits.tobytes()).hexdigest()


def masked_source(network: Network, data: TrainData, *, options: FitOptions, device: torch.device, reporter: Reporter) -> Masked:
    """What a network looks at in each training picture, found by one pass over them.

    Args:
        network: the first network; it is in evaluation mode behind this.
        data: the training samples of a classifier.
        options: `batch` and `workers` are looked at.
        device: where the network runs.
        reporter: where progress is told.

    Raises:
        InputError: the network has no map of features.
        FormatError: a faulty picture.
    """
    network = network.to(device).eval()
    found = []
    with (
        reproducible(device),
        Loader(data, options=options, train=False) as loader,
        reporter.track("masktune", total=len(data), unit="pictures", done=0) as progress,
    ):
        for batch in loader.epoch(0):
            heat = salience(network, batch.images.to(device), batch.masks[:, 0, 0].to(device))
            found.append(np.packbits(peaks(heat.cpu().numpy()).reshape(len(batch), -1), axis=1))
            progress.advance(len(batch))
    return Masked(data=data, bits=np.concatenate(found))


def peaks(heat: np.ndarray) -> np.ndarray:
    """Where maps, float [batch, height, width], stand more than `DEVIATIONS` out of their own mean; nowhere in a flat map."""
    flat = heat.reshape(len(heat), -1).astype(np.float64)
    limit = flat.mean(1) + DEVIATIONS * flat.std(1)
    return (flat > limit[:, None]).reshape(heat.shape)


def salience(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """XGrad-CAM of the logit of each picture's target, float32 [batch, height, width] of the size of the pictures, at least 0.

    With A the last map of features that has more than one pixel, and G the gradient of the logit by it,
    `relu(sum_k a_k A_k)`, a_k = `sum(G_k A_k) / (sum A_k + 1e-7)`, resized bilinearly.

    Args:
        network: gives logits [batch, classes, 1, 1], in evaluation mode.
        images: float [batch, 3, height, width].
        targets: int64 [batch], class indices.

    Raises:
        InputError: the network has no such map.
    """
    seen: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
            seen[:] = [output]

    hooks = [part.register_forward_hook(keep) for part in network.modules()]
    try:
        with torch.enable_grad():
            logits = network(images.requires_grad_())
            if not seen:
                raise InputError("`masktune` needs a network with maps of features, as convolutions give; this one has none")
            maps = seen[0]
            (gradient,) = torch.autograd.grad(logits[:, :, 0, 0].gather(1, targets[:, None]).sum(), maps)
    finally:
        for hook in hooks:
            hook.remove()
    maps = maps.detach().float()
    weights = (gradient.float() * maps).sum((2, 3)) / (maps.sum((2, 3)) + _TINY)
    heat = (weights[:, :, None, None] * maps).sum(1, keepdim=True).relu()
    return functional.interpolate(heat, size=images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
