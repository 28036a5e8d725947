"""Deep CORAL: features of pictures in different contexts should vary alike, whatever the pictures show."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from torch import Tensor, nn

from figureground.core.errors import InputError
from figureground.models.fit.batch import Batch, Counts
from figureground.models.fit.samples import TrainData
from figureground.models.last_layer import Features


class Coral:
    """What the features of a batch cost beside the objective; close it.

    Where a step is cut into parts, each part has covariances of its own, and its cost counts by its pictures.

    Args:
        network: the classifier that is trained; it ends in a linear layer.
        classes: number of its outputs.
        domains: int64 [groups], number of the context of each group.
        weight: what the distance is multiplied with.

    Raises:
        InputError: the network does not end in a linear layer.
    """

    def __init__(self, network: nn.Module, *, classes: int, domains: np.ndarray, weight: float) -> None:
        self._features = Features(network, classes=classes)
        self._domains, self._weight = torch.from_numpy(domains), weight

    def __call__(self, part: Batch, *, whole: Counts | None) -> Tensor:
        """The cost of the batch that the network has just seen, a scalar at least 0."""
        own = torch.where(part.groups >= 0, self._domains.to(part.groups.device)[part.groups.clamp(min=0)], -1)
        share = 1.0 if whole is None else len(part) / max(whole.pictures, 1)
        return self._weight * share * covariance_distance(self._features.take().float(), own)

    def close(self) -> None:
        """Stop looking at the network."""
        self._features.close()


def covariance_distance(features: Tensor, domains: Tensor) -> Tensor:
    """Mean over pairs of domains of `|C_a - C_b|^2 / (4 d^2)`, C being the covariance of the features (over n - 1) and | | Frobenius.

    Source: Sun and Saenko, Deep CORAL (arXiv 1607.01719), equations 1 to 3; the mean over pairs as for several domains in DomainBed
    (arXiv 2007.01434).

    Args:
        features: float [batch, d].
        domains: int64 [batch], -1 = in none.

    Returns:
        A scalar; 0 where fewer than two domains have two pictures.
    """
    sizes = {int(one): int((domains == one).sum()) for one in domains.unique() if one >= 0}
    covariances = [torch.cov(features[domains == one].T, correction=1).reshape(features.shape[1], -1) for one, n in sizes.items() if n > 1]
    pairs = list(combinations(covariances, 2))
    if not pairs:
        return features.sum() * 0
    distances = torch.stack([(one - other).square().sum() for one, other in pairs])
    return distances.mean() / (4 * features.shape[1] ** 2)


def domains_of(data: TrainData) -> np.ndarray:
    """Number of the context of each group, int64 [groups].

    Raises:
        InputError: fewer than two contexts.
    """
    known = {int(group): context for group, context in zip(data.groups, data.contexts, strict=True) if group >= 0 and context}
    names = sorted(set(known.values()))
    if len(names) < 2:
        raise InputError(f"`coral` compares contexts, and the training samples have {len(names)}. Give --groups with a column of contexts")
    return np.array([names.index(known[group]) for group in range(len(data.group_names))], np.int64)
