"""Linear heads from features: logistic regression with small weights, and a weighted one that is held to a head before.

A head is a weight float64 [classes, features] and a bias float64 [classes]; its answer to features x is softmax(weight x + bias).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, softmax


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """A linear layer."""

    weight: np.ndarray
    """float64 [classes, features]."""
    bias: np.ndarray
    """float64 [classes]."""

    def logits(self, features: np.ndarray) -> np.ndarray:
        """float64 [samples, classes]."""
        return features @ self.weight.T + self.bias

    def answers(self, features: np.ndarray) -> np.ndarray:
        """int64 [samples], the class with the highest logit, the first of several."""
        return self.logits(features).argmax(1)


def l1_logistic(
    features: np.ndarray, targets: np.ndarray, *, classes: int, strength: float, start: Head | None = None, steps: int = 3000
) -> Head:
    """The head with the smallest `sum |weight| + strength * sum_i -log softmax(weight x_i + bias)[y_i]`; the bias is not kept small.

    Of two classes it is the same as binary logistic regression with an L1 penalty. Found by accelerated proximal gradient steps with
    restarts (FISTA: Beck and Teboulle 2009, doi 10.1137/080716542; restarts: O'Donoghue and Candes, arXiv 1204.3982).

    Args:
        features: float64 [samples, features].
        targets: int64 [samples], class indices.
        classes: number of classes.
        strength: above 0; C of scikit-learn.
        start: where to start; None = zeros.
        steps: most steps; it ends before where nothing moves any more.
    """
    count = len(features)
    inputs = np.hstack([features, np.ones((count, 1))])
    truth = np.eye(classes)[targets]
    bound = 0.5 * np.linalg.norm(inputs, 2) ** 2 / count  # of the curvature: softmax has at most 1/2
    shrink = 1 / (strength * count * bound)
    old = np.zeros((classes, inputs.shape[1])) if start is None else np.hstack([start.weight, start.bias[:, None]])
    ahead, speed = old, 1.0
    for _ in range(steps):
        gradient = (softmax(inputs @ ahead.T, axis=1) - truth).T @ inputs / count
        new = ahead - gradient / bound
        new[:, :-1] = np.sign(new[:, :-1]) * np.maximum(np.abs(new[:, :-1]) - shrink, 0)
        if ((ahead - new) * (new - old)).sum() > 0:
            speed = 1.0
        faster = (1 + np.sqrt(1 + 4 * speed**2)) / 2
        ahead = new + (speed - 1) / faster * (new - old)
        moved, old, speed = np.abs(new - old).max(), new, faster
        if moved < 1e-6:
            break
    return Head(weight=old[:, :-1], bias=old[:, -1])


def held_logistic(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray, *, before: Head, pulls: Sequence[float], steps: int, rate: float
) -> list[Head]:
    """For each pull the head that gradient descent reaches from the one before.

    What falls is `sum_i w_i -log softmax(W x_i + b)[y_i] + pull * (|W - W0|^2 + |b - b0|^2)`, w brought to the sum 1. A step is `rate`
    long, or as long as cannot overshoot where that is less.
    Source: automatic feature reweighting, arXiv 2306.11074, equation 4.

    Args:
        features: float64 [samples, features].
        targets: int64 [samples].
        weights: float64 [samples], at least 0, not all 0.
        before: W0 and b0.
        pulls: at least 0 each.
        steps: number of steps.
        rate: longest step.
    """
    shares = weights / weights.sum()
    inputs = np.hstack([features, np.ones((len(features), 1))])
    origin = np.hstack([before.weight, before.bias[:, None]])
    truth = np.eye(len(origin))[targets]
    bound = 0.5 * np.linalg.norm(inputs * np.sqrt(shares)[:, None], 2) ** 2
    held = np.asarray(pulls, np.float64)[:, None, None]
    length = np.minimum(rate, 1 / (bound + 2 * held))
    found = np.repeat(origin[None], len(pulls), axis=0)
    for _ in range(steps):
        logits = (inputs @ found.reshape(-1, inputs.shape[1]).T).reshape(len(inputs), *found.shape[:2])
        missed = (softmax(logits, axis=2) - truth[:, None]) * shares[:, None, None]
        gradient = (missed.reshape(len(inputs), -1).T @ inputs).reshape(found.shape)
        found = found - length * (gradient + 2 * held * (found - origin))
    return [Head(weight=one[:, :-1], bias=one[:, -1]) for one in found]


def mean_head(heads: Sequence[Head]) -> Head:
    """The mean of weights and of biases."""
    return Head(weight=np.mean([one.weight for one in heads], axis=0), bias=np.mean([one.bias for one in heads], axis=0))


def cross_entropy(head: Head, features: np.ndarray, targets: np.ndarray) -> float:
    """Mean `-log p[y]` over the samples, at least one."""
    return float(-log_softmax(head.logits(features), axis=1)[np.arange(len(targets)), targets].mean())
