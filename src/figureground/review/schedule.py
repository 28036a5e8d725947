"""The order in which one reviewer sees the pictures: shuffled for each, with some of them hidden a second time among the others."""

from __future__ import annotations

import numpy as np

APART = 10
"""Showings from the first to the second of a picture, at least, where there are that many."""


def schedule(*, seed: int, reviewer_seed: int, count: int, repeats: float) -> list[tuple[int, int]]:
    """Place and showing (0, or 1 for a repeat) of each thing to rate, in order; the same for the same arguments.

    Args:
        seed: of the project.
        reviewer_seed: of the reviewer.
        count: number of places; 0 gives an empty order.
        repeats: part of the places that comes a second time, in [0, 1], rounded to a whole number of them.
    """
    rng = np.random.default_rng([seed, reviewer_seed])
    places = rng.permutation(count)
    wanted = round(repeats * count)
    early = max(count - APART + 1, 0)
    firsts = rng.permutation(early)[:wanted]
    if firsts.size < wanted:  # too few pictures: the earliest of the rest come again at the very end
        firsts = np.concatenate([firsts, np.arange(early, early + wanted - firsts.size)])
    # Before the place that stands where `before` says; `count` is behind them all.
    before = np.array([rng.integers(min(first + APART, count), count + 1) for first in firsts.tolist()], np.int64)
    at = np.concatenate([np.arange(count), before - 0.5])
    whom = np.concatenate([np.arange(count), firsts]).astype(np.int64)
    showing = np.repeat([0, 1], [count, firsts.size])
    return [(int(places[whom[i]]), int(showing[i])) for i in np.lexsort((whom, at))]
