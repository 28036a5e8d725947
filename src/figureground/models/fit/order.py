"""Which samples an epoch shows in which order, how they are weighed, and the random numbers that belong to each.

Everything is a pure function of the seed, the epoch and the sample. No generator lives on from one sample to the next, so it does not
matter which process or thread prepares a sample, how many there are, how large a batch is, or after which batch a run was stopped.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from figureground.core.errors import InputError

Balance = Literal["none", "sample", "weight", "subsample"]
_ORDER, _SAMPLE, _BATCH = 0, 1, 5  # branches of the seed; others are in `mixture`, `plans` and `precision`


def sample_stream(*, seed: int, epoch: int, index: int, turn: int = 0) -> np.random.Generator:
    """The random numbers of one sample in one epoch, the same wherever and whenever they are asked for.

    Args:
        seed: of the run, at least 0.
        epoch: number of the epoch, from 0.
        index: number of the sample.
        turn: how often the sample was shown before in this epoch; balanced sampling repeats samples, and each time is another augmentation.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SAMPLE, epoch, index, turn)))


def batch_stream(*, seed: int, epoch: int, number: int) -> np.random.Generator:
    """The random numbers of one batch of one epoch, by its number, the same wherever and whenever they are asked for."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_BATCH, epoch, number)))


def epoch_order(groups: np.ndarray, *, seed: int, epoch: int, balance: Balance = "none") -> np.ndarray:
    """The samples of an epoch, int64 [samples]: as many as there are, whatever the balance.

    All but `sample` show each sample once, shuffled (`subsample` is a plan, see `plans`). `sample` draws with replacement so that every
    known group is as likely as any other and every sample of a group too; samples of unknown group together keep the share they have in
    the data.

    Args:
        groups: int64 [samples], -1 = unknown.
        seed: of the run.
        epoch: number of the epoch.
        balance: how groups are evened out.

    Raises:
        InputError: `balance` sample without a single known group.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_ORDER, epoch)))
    if balance != "sample":
        return rng.permutation(groups.size).astype(np.int64)
    chances = group_weights(groups) / groups.size
    return rng.choice(groups.size, groups.size, p=chances / chances.sum()).astype(np.int64)


def group_weights(groups: np.ndarray) -> np.ndarray:
    """What each sample weighs so that all known groups weigh the same: known / (groups * size of its group), float64 [samples].

    The mean over all samples is 1. A sample of unknown group weighs 1.

    Args:
        groups: int64 [samples], -1 = unknown; numbers without samples are no groups.

    Raises:
        InputError: no group is known.

    Source: importance weights towards equal groups; unknown groups: defined here.

    >>> group_weights(np.array([0, 0, 0, 1])).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    known = groups >= 0
    if not known.any():
        raise InputError(
            "`balance` needs groups: training samples with both a class and a context; no sample has both. "
            "Declare the two attributes in the data set, or choose `balance` none"
        )
    sizes = np.bincount(groups[known])
    weights = np.ones(groups.size)
    weights[known] = known.sum() / ((sizes > 0).sum() * sizes[groups[known]])
    return weights


def loss_weights(groups: np.ndarray, targets: np.ndarray | None, *, balance: Balance, class_weights: str) -> np.ndarray:
    """What each sample weighs in the loss: by its group where `balance` is weight, times by its class where `class_weights` is balanced.

    Args:
        groups: int64 [samples], -1 = unknown.
        targets: int64 [samples], class of each; None where pictures have no class of their own.
        balance: of the training.
        class_weights: `balanced` or `none`. A class weighs samples / (classes * samples of the class).

    Returns:
        float64 [samples] of mean 1 for each of the two.

    Raises:
        InputError: `balance` weight or sample without a known group.
    """
    weights = group_weights(groups) if balance in ("weight", "sample") else np.ones(groups.size)
    weights = weights if balance == "weight" else np.ones(groups.size)
    return weights * group_weights(targets) if class_weights == "balanced" and targets is not None else weights


def turns(order: np.ndarray) -> np.ndarray:
    """How often each entry of an order occurred before it, int64 [entries].

    >>> turns(np.array([4, 2, 4, 4])).tolist()
    [0, 0, 1, 2]
    """
    by_value = np.argsort(order, kind="stable")
    ordered = order[by_value]
    starts = np.searchsorted(ordered, ordered)
    found = np.empty(order.size, np.int64)
    found[by_value] = np.arange(order.size) - starts
    return found


def batch_edges(samples: int, batch: int) -> np.ndarray:
    """Where batches begin and end in an order, int64 [batches + 1]: as few batches as can be, sizes that differ by at most 1.

    Nine samples in batches of 8 are 4 and 5 and not 8 and 1: a batch of one picture has no batch statistics worth the name. No samples are
    no batches.

    >>> batch_edges(9, 8).tolist()
    [0, 4, 9]
    """
    count = -(-samples // batch)
    return np.arange(count + 1, dtype=np.int64) * samples // max(1, count)
