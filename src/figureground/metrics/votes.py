"""How divided several label maps of one picture are, pixel by pixel: the entropy of their votes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from figureground.core.errors import InputError
from figureground.core.types import RunBatch


def vote_entropy(batches: Sequence[RunBatch], *, place: np.ndarray, background: int, weights: Sequence[float]) -> np.ndarray:
    """Mean entropy of the models' votes over the pixels at which at least one of them sees foreground.

    At a pixel, p_k is the weight of the models that say class k, of all weights; its entropy - sum_k p_k ln p_k is divided by the ln of the
    number of models, so that 1 is one vote for each of as many classes, and more than one class per vote there cannot be.

    Args:
        batches: the label maps of each model, at least two models; of a sample all of one size.
        place: int16 [65536]: class id -> place in the table, -1 for what is no class.
        background: id of the class that is ground.
        weights: of each model, positive.

    Returns:
        float64 [samples], in [0, 1]; 0 where no model sees foreground, NaN for a sample of which a map is missing.

    Raises:
        InputError: fewer than two models, or other than one weight for each.

    Source: query by committee with vote entropy (Dagan and Engelson, 1995); the mean over pixels is defined here.
    """
    if len(batches) < 2 or len(weights) != len(batches):
        raise InputError(f"votes need at least two models and a weight for each; got {len(batches)} models and {len(weights)} weights")
    first = np.cumsum([0, *(batch.values.size for batch in batches[:-1])])
    offsets = np.stack([batch.offsets + start for batch, start in zip(batches, first, strict=True)])
    values, lengths = np.concatenate([batch.values for batch in batches]), np.concatenate([batch.lengths for batch in batches])
    share = np.asarray(weights, np.float64) / np.sum(weights)
    return _entropies(values, lengths, offsets, place, int(place[background]), share, int(place.max()) + 1) / np.log(len(batches))


@njit(cache=True, nogil=True)
def _entropies(values, lengths, offsets, place, ground, share, classes):  # pragma: no cover - compiled
    models = share.size
    found = np.zeros(offsets.shape[1] - 1)
    at, to, votes = np.zeros(models, np.int64), np.zeros(models, np.int64), np.zeros(classes + 1)
    for i in range(found.size):
        whole = True
        for m in range(models):
            at[m] = offsets[m, i]
            if at[m] == offsets[m, i + 1]:
                whole = False
            else:
                to[m] = lengths[at[m]]
        if not whole:
            found[i] = np.nan
            continue
        before, figure, total, ended = 0, 0, 0.0, False
        while not ended:
            end, first, same, any_figure = to[0], values[at[0]], True, False
            for m in range(models):
                end = min(end, to[m])
                same &= values[at[m]] == first
                any_figure |= place[values[at[m]]] != ground
            if any_figure:
                figure += end - before
            if not same:
                total += (end - before) * _entropy(values, at, place, share, votes, classes)
            before = end
            for m in range(models):
                if to[m] == end:
                    at[m] += 1
                    if at[m] == offsets[m, i + 1]:
                        ended = True
                    else:
                        to[m] += lengths[at[m]]
        found[i] = total / figure if figure else 0.0
    return found


@njit(cache=True, nogil=True)
def _entropy(values, at, place, share, votes, classes):  # pragma: no cover - compiled
    votes[:] = 0
    for m in range(share.size):
        votes[place[values[at[m]]] if place[values[at[m]]] >= 0 else classes] += share[m]
    entropy = 0.0
    for p in votes:
        if p > 0:
            entropy -= p * np.log(p)
    return entropy
