"""Scores from logits that need no truth; higher = worse.

Flip-risk asks how unsure a model is about *which* foreground class a pixel is, given that it is foreground: the entropy of the softmax over
the foreground logits alone. The background cancels exactly, so nothing is divided by a small probability and nothing is NaN, however far
apart the logits are. Source: arXiv 2604.13326, section 3 (two classes); more classes, rivals and regions are defined here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from figureground.core.errors import InputError
from figureground.metrics.arrays import host_array
from figureground.metrics.regions import ComponentRuns

SCORES = ("flip_risk", "entropy", "one_minus_max_probability", "one_minus_margin")
"""Keys of `ReducedLogits.scores`, in the order of the kernel."""

TILE = 1024
"""Pixels that are worked on together, so that their intermediate values stay in first-level cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReducedLogits:
    """All that is kept of the logits of one picture."""

    label_map: np.ndarray
    """uint8 (uint16 with an id above 255) [height, width], class ids of the largest logit."""
    scores: Mapping[str, float]
    """The mean of each of `SCORES` over the predicted foreground; NaN where nothing is predicted foreground."""
    risk: np.ndarray
    """float32 [height, width], flip-risk per pixel of predicted foreground, 0 elsewhere."""
    foreground: int
    """Pixels of predicted foreground."""


def flip_risk_map(logits: Any, *, background: int = 0, normalise: bool | None = None) -> np.ndarray:
    """Entropy of the foreground identity at each pixel, whatever is predicted there.

    With q the softmax over the K foreground logits alone: H = - sum_k q_k ln q_k, in nats.

    Args:
        logits: [classes, height, width] (any shape after the first axis), finite; anything `np.asarray` takes, or a
            tensor of any device.
        background: channel of the background.
        normalise: divide by ln K, for a range of [0, 1]. None = the paper's scale where the paper has one: nats for K = 2 (at most
            ln 2 = 0.6931), divided by ln K for K > 2. With K = 1 the risk is 0 in any case.

    Returns:
        float64 [height, width], >= 0, never NaN.

    Raises:
        InputError: fewer than two channels, no such background channel, or a logit that is not finite (its channel and pixel are named).

    Source: arXiv 2604.13326, flip-risk; the division for K > 2 is defined here.

    >>> flip_risk_map(np.log([[[0.2]], [[0.4]], [[0.4]]])).round(6).tolist()
    [[0.693147]]
    """
    values = _checked_logits(logits)
    place = _background_channel(background, range(len(values)))
    figure = np.delete(values, place, axis=0).astype(np.float64)
    away = figure - figure.max(0)
    mass = np.exp(away)
    total = mass.sum(0)
    entropy = np.log(total) - (mass * away).sum(0) / total
    return np.maximum(entropy, 0.0) / _scale(len(figure), normalise)


def flip_risk(logits: Any, *, background: int = 0, normalise: bool | None = None) -> float:
    """Mean flip-risk over the predicted foreground of one picture; NaN where nothing is predicted foreground.

    The prediction is the class of the largest logit, the lowest class on a tie. Arguments, scale and errors as for `flip_risk_map`.

    >>> round(flip_risk(np.log([[[0.1, 0.9]], [[0.6, 0.05]], [[0.3, 0.05]]])), 6)
    0.636514
    """
    values = _checked_logits(logits)
    risk = flip_risk_map(values, background=background, normalise=normalise)
    found = values.argmax(0) != background
    return float(risk[found].mean()) if found.any() else float("nan")


def reduce_logits(logits: Any, *, background: int = 0, ids: Sequence[int] | None = None, normalise: bool | None = None) -> ReducedLogits:
    """Label map and risk scores of one picture in one pass; exponentials are taken only where foreground is predicted.

    The scores are means over the predicted foreground, each higher = worse:
        flip_risk: as `flip_risk`.
        entropy: entropy over all classes, divided by the logarithm of their number, in [0, 1].
        one_minus_max_probability: 1 - p of the predicted class, in [0, 1).
        one_minus_margin: 1 - (p of the predicted class - p of the next), in [0, 1].

    A caller that wants regions encodes `label_map` as runs, takes `component_runs(runs, background=..., ignore=None)` and then
    `region_means(reduced.risk, components)`. The function releases the interpreter's lock, so threads run side by side.

    Args:
        logits: float [classes, height, width], finite, at the size the label map shall have; float32 without a copy.
        background: class id of the background.
        ids: class id of each channel; default 0, 1, 2, ...
        normalise: as for `flip_risk_map`.

    Returns:
        Label map, scores and risk per pixel. On a tie the class of the lowest channel is predicted.

    Raises:
        InputError: fewer than two channels, ids that do not fit, or a logit that is not finite (its channel and pixel are named).

    Source: as the module.
    """
    values = np.ascontiguousarray(_checked_logits(logits, finite=False), dtype=np.float32)
    if values.ndim != 3:
        raise InputError(f"`logits` must be [classes, height, width]; got {list(values.shape)}. Reduce one picture at a time")
    names = np.arange(len(values)) if ids is None else np.asarray(ids, dtype=np.int64)
    if names.shape != (len(values),):
        raise InputError(f"`ids` must have one class id per channel; got {names.size} ids for {len(values)} channels")
    place = _background_channel(background, names)
    dtype = np.uint8 if names.max() <= 255 else np.uint16
    pixels = values.reshape(len(values), -1)
    labels, risk, sums = np.empty(pixels.shape[1], dtype), np.zeros(pixels.shape[1], np.float32), np.zeros(4)
    found = _reduce(pixels, place, names.astype(dtype), _scale(len(values) - 1, normalise), labels, risk, sums)
    if found < 0:
        _checked_logits(values)
    mean = sums / found if found else np.full(4, np.nan)
    return ReducedLogits(
        label_map=labels.reshape(values.shape[1:]),
        scores=dict(zip(SCORES, mean.tolist(), strict=True)),
        risk=risk.reshape(values.shape[1:]),
        foreground=int(found),
    )


def region_means(values: np.ndarray, components: ComponentRuns) -> np.ndarray:
    """Mean of a map over each region: float64 [regions], summed in float64; empty where there are no regions.

    Raises:
        InputError: the map is not of the size of the regions' map.
    """
    if values.shape != (components.height, components.width):
        raise InputError(f"`values` must be [{components.height}, {components.width}]; got {list(values.shape)}")
    c = components
    return _region_means(np.ascontiguousarray(values, dtype=np.float32), c.row, c.start, c.stop, c.component, len(c))


def _scale(foreground: int, normalise: bool | None) -> float:
    """What the entropy over `foreground` classes is divided by."""
    wanted = foreground > 2 if normalise is None else normalise
    return float(np.log(foreground)) if wanted and foreground > 1 else 1.0


def _checked_logits(logits: Any, *, finite: bool = True) -> np.ndarray:
    values = host_array(logits)
    if values.dtype.kind not in "fiu":
        raise InputError(f"`logits` must be numbers; got {values.dtype}")
    if values.ndim < 1 or values.shape[0] < 2:
        raise InputError(f"`logits` must have the classes first, background and at least one more; got {list(values.shape)}")
    if finite and not np.isfinite(values).all():
        channel, *pixel = (int(i[0]) for i in np.nonzero(~np.isfinite(values)))
        raise InputError(f"`logits` must be finite; got {values[(channel, *pixel)]} in channel {channel} at pixel {tuple(pixel)}")
    return values


def _background_channel(background: int, ids: Sequence[int] | np.ndarray) -> int:
    place = [channel for channel, class_id in enumerate(ids) if class_id == background]
    if len(place) != 1:
        raise InputError(f"`background` = {background} must be the id of one channel; got ids {[int(i) for i in ids][:12]}")
    return place[0]


@njit(cache=True, nogil=True)
def _reduce(logits, background, ids, scale, labels, risk, sums):  # pragma: no cover - compiled
    """Fills labels, risk and the four sums; returns the number of foreground pixels, -1 where a logit is not finite."""
    classes, pixels = logits.shape
    best, label, scratch = np.empty(TILE, np.float32), np.empty(TILE, np.int32), np.empty(TILE, np.float32)
    at, own, top = np.empty(TILE, np.int64), np.empty(TILE, np.int32), np.empty(TILE, np.float32)
    # columns: mass and moment of the foreground classes, then of the background; the best of the other logits
    state, second = np.empty((4, TILE)), np.empty(TILE, np.float32)
    bits = np.empty(TILE, np.int32)
    power, away = bits.view(np.float32), np.empty(TILE, np.float32)
    full_scale = np.log(classes)
    found = 0
    for first in range(0, pixels, TILE):
        n = min(TILE, pixels - first)
        if not _argmax(logits, first, n, best, label, scratch):
            return -1
        m = 0
        for i in range(n):
            labels[first + i] = ids[label[i]]
            if label[i] != background:
                at[m], own[m], top[m] = first + i, label[i], best[i]
                m += 1
        state[:, :m] = 0.0
        second[:m] = -np.inf
        for c in range(classes):
            for j in range(m):
                away[j] = logits[c, at[j]] - top[j]
            for j in range(m):
                second[j] = max(second[j], -np.inf if own[j] == c else away[j])
            _add_exponentials(away[:m], bits, power, scratch, state[2:] if c == background else state[:2])
        for j in range(m):
            mass, moment = state[0, j], state[1, j]
            entropy = max(0.0, np.log(mass) - moment / mass) / scale
            risk[at[j]] = entropy
            sums[0] += entropy
            mass, moment = mass + state[2, j], moment + state[3, j]
            sums[1] += max(0.0, np.log(mass) - moment / mass) / full_scale
            sums[2] += 1.0 - 1.0 / mass
            sums[3] += 1.0 - (1.0 - np.exp(np.float64(second[j]))) / mass
        found += m
    return found


@njit(cache=True, nogil=True)
def _argmax(logits, first, n, best, label, scratch):  # pragma: no cover - compiled
    """Largest logit of each pixel and its channel, the lowest on a tie; False where a logit is not finite.

    Loops are kept apart so that each is vectorised; 0 times a logit stays 0 unless it is infinite or NaN.
    """
    for i in range(n):
        best[i], label[i], scratch[i] = logits[0, first + i], 0, logits[0, first + i] * np.float32(0)
    for c in range(1, logits.shape[0]):
        row, channel = logits[c, first : first + n], np.int32(c)
        for i in range(n):
            label[i] = channel if row[i] > best[i] else label[i]
        for i in range(n):
            best[i] = max(best[i], row[i])
        for i in range(n):
            scratch[i] += row[i] * np.float32(0)
    total = np.float32(0)
    for i in range(n):
        total += scratch[i]
    return total == 0


@njit(cache=True, nogil=True)
def _add_exponentials(away, bits, power, value, state):  # pragma: no cover - compiled
    """Adds exp(away) to state[0] and exp(away) * away to state[1].

    exp(x) = 2^k * exp(r) with |r| <= ln 2 / 2 and a fitted polynomial for exp(r), good to 1e-7, so that the loop is vectorised.
    Below -87 the value stays at 2e-38, which is nothing beside the largest term, 1.
    """
    mass, moment = state[0], state[1]
    for j in range(away.size):
        x = max(away[j], np.float32(-87.0))
        k = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
        r = (x - k * np.float32(0.6875)) - k * np.float32(np.log(2) - 0.6875)
        p = np.float32(0.001374622557) * r + np.float32(0.008370347285)
        p = p * r + np.float32(0.0416697625)
        p = p * r + np.float32(0.1666650633)
        p = p * r + np.float32(0.4999998719)
        value[j] = (p * r) * r + r + np.float32(1)
        bits[j] = (np.int32(k) + np.int32(127)) << np.int32(23)
    for j in range(away.size):
        e = np.float64(value[j] * power[j])
        mass[j] += e
        moment[j] += e * max(away[j], np.float32(-87.0))


@njit(cache=True, nogil=True)
def _region_means(values, row, start, stop, component, regions):  # pragma: no cover - compiled
    sums, pixels = np.zeros(regions), np.zeros(regions, np.int64)
    for k in range(row.size):
        total = 0.0
        for x in range(start[k], stop[k]):
            total += values[row[k], x]
        sums[component[k]] += total
        pixels[component[k]] += stop[k] - start[k]
    return sums / np.maximum(pixels, 1)
