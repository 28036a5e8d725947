"""Freezing an encoder up to a depth: weights and running statistics of its first stages stay as they are, bit for bit."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from figureground.core.errors import InputError
from figureground.models.fit.networks import Architecture, Network

_PROBE_PX = 64
"""Side of the picture of nothing that tells the stages apart; 64 halves six times."""


def encoder_stages(encoder: nn.Module) -> list[list[nn.Module]]:
    """The layers of an encoder by stage: stage k holds those that work on maps of 1 / 2^k of the picture's side, from k = 0.

    A layer is a module with weights or statistics of its own, or without modules inside. Layers are taken in the order they run. The stage
    of a convolution is the smallest reduction that it or any convolution after it gives: what shrinks a map only for a moment, to weigh
    channels or to attend, opens no stage. Any other layer belongs to the stage of the convolution before it. Dilated layers, which keep
    the size, belong to the stage they stand in.

    Args:
        encoder: takes float [batch, 3, height, width]; it is run once on zeros, in evaluation mode, and left in its mode.

    Source: stages as the depth of encoders is counted in segmentation_models_pytorch; found by running the layers: defined here.
    """
    seen: list[tuple[nn.Module, int | None]] = []

    def note(layer: nn.Module, inputs: object, output: object) -> None:
        del inputs
        height = output.shape[2] if isinstance(layer, nn.Conv2d) and isinstance(output, Tensor) else None
        seen.append((layer, None if height is None else round(math.log2(_PROBE_PX / height))))

    handles = [module.register_forward_hook(note) for module in encoder.modules() if _is_layer(module)]
    mode, first = encoder.training, next(encoder.parameters())
    encoder.eval()
    try:
        with torch.no_grad():
            encoder(torch.zeros(1, 3, _PROBE_PX, _PROBE_PX, device=first.device, dtype=first.dtype))
    finally:
        encoder.train(mode)
        for handle in handles:
            handle.remove()
    return _sorted(seen)


def _sorted(seen: list[tuple[nn.Module, int | None]]) -> list[list[nn.Module]]:
    """Layers by stage, from the order they ran in and the reduction each gave."""
    depths, least = [depth for _, depth in seen], _PROBE_PX
    for place, (_, depth) in reversed(list(enumerate(seen))):
        if depth is not None:
            depths[place] = least = min(least, depth)
    last, stage_of = 0, dict[nn.Module, int]()
    for (layer, _), depth in zip(seen, depths, strict=True):
        last = last if depth is None else depth
        stage_of.setdefault(layer, last)
    return [[layer for layer, stage in stage_of.items() if stage == depth] for depth in range(last + 1)]


def freeze_encoder(network: Network, architecture: Architecture, *, depth: int) -> int:
    """Freezes the stages 0 to `depth` of the encoder; returns the number of weights that no longer move.

    Their weights ask for no gradient, so no optimizer touches them, and their batch norms and dropouts stay in evaluation mode whatever
    mode the network is in.

    Args:
        network: to be trained; changed in place.
        architecture: says which part of it is the encoder.
        depth: 0 = nothing is frozen; the number of halvings of the encoder = all of it.

    Raises:
        InputError: which part is the encoder is not known, or it has fewer stages.
    """
    if not depth:
        return 0
    encoder = getattr(network.network, architecture.encoder, None) if architecture.encoder else None
    if not isinstance(encoder, nn.Module):
        raise InputError(f"`freeze` {depth}: which part of {architecture.text} is its encoder is not known. Give freeze 0")
    stages = encoder_stages(encoder)
    if depth >= len(stages):
        raise InputError(f"`freeze` must be in [0, {len(stages) - 1}], the stages of the encoder of {architecture.text}; got {depth}")
    network.frozen = tuple(layer for stage in stages[: depth + 1] for layer in stage)
    weights = [weight for layer in network.frozen for weight in layer.parameters(recurse=False)]
    for weight in weights:
        weight.requires_grad = False
    network.train(network.training)
    return sum(weight.numel() for weight in weights)


def _is_layer(module: nn.Module) -> bool:
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return bool(own) or next(module.children(), None) is None
