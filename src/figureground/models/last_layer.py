"""The last layer of a classifier, and the features that go into it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from figureground.core.errors import InputError


def last_layer(network: nn.Module, *, classes: int) -> nn.Linear:
    """The linear layer that answers with classes: the last one with as many outputs.

    Raises:
        InputError: the network has none, so that its features and its head cannot be told apart.
    """
    found = [part for part in network.modules() if isinstance(part, nn.Linear) and part.out_features == classes]
    if not found:
        raise InputError(
            f"the network has no linear layer with {classes} outputs, so what goes into its last layer is not known. Let it end in "
            "`torch.nn.Linear(features, classes)`, as networks of timm do"
        )
    return found[-1]


class Features:
    """What went into the last layer of a classifier when it was last asked; close it, or use it in a `with` statement.

    Args:
        network: a classifier that ends in a linear layer.
        classes: number of its outputs.

    Raises:
        InputError: the network has no such layer.
    """

    def __init__(self, network: nn.Module, *, classes: int) -> None:
        self.layer = last_layer(network, classes=classes)
        self._seen: Tensor | None = None
        self._hook = self.layer.register_forward_pre_hook(self._keep)

    def __enter__(self) -> Features:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop looking."""
        self._seen = None
        self._hook.remove()

    def take(self) -> Tensor:
        """The features of the last batch, float [batch, features], with their gradient; they can be taken once.

        Raises:
            InputError: the layer was not asked, or not about one row of features for each picture.
        """
        seen, self._seen = self._seen, None
        if seen is None or seen.ndim != 2:
            shown = "none" if seen is None else str(list(seen.shape))
            raise InputError(f"the last layer of the network must be asked about features [batch, features]; it saw {shown}")
        return seen

    def _keep(self, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        self._seen = given[0]


def head_of(layer: nn.Linear) -> tuple[Tensor, Tensor]:
    """Weight [classes, features] and bias [classes] of a last layer as float64 on the processor; a layer without a bias has zeros."""
    weight = layer.weight.detach().to("cpu", torch.float64)
    bias = torch.zeros(len(weight), dtype=torch.float64) if layer.bias is None else layer.bias.detach().to("cpu", torch.float64)
    return weight, bias
