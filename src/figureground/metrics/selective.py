"""How well a risk that needs no truth finds the samples that are wrong. Risk: higher = worse. Loss: for us the flipped part of a sample.

The deciles and the share of the top one are those of arXiv 2604.13326 and its code. Selective prediction accepts samples from the lowest
risk up and asks what loss it lets through: AURC, E-AURC, AUGRC, each with the convention it follows. Ties in risk keep the order of the
samples wherever a function does not say otherwise. All results are fractions of the loss's own scale, NaN where undefined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError

NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deciles:
    """Samples in bins of rising risk; ten, or as many as there are samples where there are fewer."""

    samples: np.ndarray
    """int64 [bins]; sizes differ by at most 1, and the last bin may hold more than a tenth."""
    risk: np.ndarray
    """float64 [bins], mean risk."""
    loss: np.ndarray
    """float64 [bins], mean loss."""
    top_share: float
    """Loss of the last bin as a part of all loss, in [0, 1]; NaN (undefined, not 0) where there is no loss at all."""
    lift: float
    """`top_share` divided by the last bin's part of the samples, which is what chance would give; 1 = risk is worth nothing."""
    oracle_share: float
    """The largest `top_share` any risk could reach: that of the loss itself."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """Loss let through when the samples of lowest risk are accepted."""

    coverage: np.ndarray
    """float64 [samples], accepted part, 1/n, 2/n, ..., 1."""
    risk: np.ndarray
    """float64 [samples], mean loss of the accepted samples (selective risk)."""


def scored_pairs(risk: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """The pairs that have both a risk and a loss, in order, and how many have not.

    NaN stands for "none": no predicted foreground and hence no risk, or no foreground truth and hence no flipped part.

    Raises:
        InputError: lengths differ, or a value is infinite.
    """
    risk, loss = np.asarray(risk, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    if risk.shape != loss.shape or risk.ndim != 1:
        raise InputError(f"`risk` and `loss` must be one value per sample; got {list(risk.shape)} and {list(loss.shape)}")
    known = ~(np.isnan(risk) | np.isnan(loss))
    _checked(risk[known], loss[known])
    return risk[known], loss[known], int((~known).sum())


def deciles(risk: np.ndarray, loss: np.ndarray) -> Deciles:
    """Mean risk and loss in ten bins of rising risk, and the share of all loss that the top bin holds.

    Samples are sorted by risk (stable: ties keep their order) and bin d of m = min(10, n) takes the places floor(d n / m) to
    floor((d + 1) n / m) - 1. The share is of the sum of the samples' losses, each sample weighing the same.

    Args:
        risk: [samples], finite.
        loss: [samples], finite, >= 0; for flip-risk the flipped part of each sample's foreground.

    Returns:
        The bins. No samples give no bins and NaN.

    Raises:
        InputError: lengths differ or a value is not finite; leave samples without a score out with `scored_pairs`.

    Source: arXiv 2604.13326 and its public code, for n >= 10; fewer samples, lift and oracle share are defined here.
    """
    risk, loss = _checked(risk, loss)
    n = risk.size
    if n == 0:
        none = np.empty(0)
        return Deciles(samples=np.empty(0, np.int64), risk=none, loss=none, top_share=NAN, lift=NAN, oracle_share=NAN)
    bins = min(10, n)
    edges = np.arange(bins + 1) * n // bins
    size = np.diff(edges)
    order = np.argsort(risk, kind="stable")
    total, last = loss.sum(), edges[-2]
    share = _ratio(loss[order][last:].sum(), total)
    return Deciles(
        samples=size,
        risk=np.add.reduceat(risk[order], edges[:-1]) / size,
        loss=np.add.reduceat(loss[order], edges[:-1]) / size,
        top_share=share,
        lift=share * n / int(size[-1]),
        oracle_share=_ratio(np.sort(loss)[last:].sum(), total),
    )


def spearman(risk: np.ndarray, loss: np.ndarray) -> float:
    """Rank correlation in [-1, 1], ties at their mean rank; NaN with fewer than two samples or where either is constant."""
    risk, loss = _checked(risk, loss)
    if risk.size < 2:
        return NAN
    a, b = mean_ranks(risk), mean_ranks(loss)
    a, b = a - a.mean(), b - b.mean()
    return _ratio((a * b).sum(), float(np.sqrt((a * a).sum() * (b * b).sum())))


def auroc(risk: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive sample has the higher risk than a negative one, ties counting half; NaN without either kind.

    Args:
        risk: [samples], finite.
        positive: bool [samples], for example `flip > tau`.
    """
    risk, flags = _checked(risk, np.asarray(positive, dtype=np.float64))
    positives = int(flags.sum())
    negatives = flags.size - positives
    above = mean_ranks(risk)[flags > 0].sum() - positives * (positives + 1) / 2
    return _ratio(above, positives * negatives)


def risk_coverage_curve(risk: np.ndarray, loss: np.ndarray) -> Curve:
    """Mean loss of the k samples of lowest risk, for k = 1 ... n; empty without samples. Ties keep the order of the samples."""
    risk, loss = _checked(risk, loss)
    count = np.arange(1, risk.size + 1)
    return Curve(coverage=count / max(risk.size, 1), risk=np.cumsum(loss[np.argsort(risk, kind="stable")]) / count)


def aurc(risk: np.ndarray, loss: np.ndarray) -> float:
    """Area under the risk-coverage curve as the mean of the selective risks at k = 1 ... n; lower is better, NaN without samples.

    Convention: Geifman et al. 2019 (plain mean, ties in the order of the samples). `aurc_trapezoid` follows the other one.
    """
    return _mean(risk_coverage_curve(risk, loss).risk)


def aurc_trapezoid(risk: np.ndarray, loss: np.ndarray) -> float:
    """Area under the risk-coverage curve by the trapezoid rule, samples of equal risk accepted together; NaN without samples.

    The curve is extended to coverage 0 at the selective risk of its first point. Convention: fd-shifts (which shows it times 1000).
    """
    risk, loss = _checked(risk, loss)
    if risk.size == 0:
        return NAN
    order = np.argsort(risk, kind="stable")
    last = np.flatnonzero(np.append(np.diff(risk[order]) > 0, True)) + 1
    selective = np.cumsum(loss[order])[last - 1] / last
    coverage, selective = np.append(0.0, last / risk.size), np.append(selective[0], selective)
    return float((np.diff(coverage) * (selective[1:] + selective[:-1]) / 2).sum())


def excess_aurc(risk: np.ndarray, loss: np.ndarray) -> float:
    """E-AURC: AURC minus that of the best order there is, the samples sorted by their loss; >= 0, NaN without samples.

    Convention: the finite-sample oracle. For a binary loss of mean r the limit of many samples is `optimal_aurc(r)`.
    """
    return aurc(risk, loss) - aurc(loss, loss)


def optimal_aurc(error_rate: float) -> float:
    """AURC of a perfect order of many samples with binary loss of mean r: r + (1 - r) ln(1 - r); 0 at 0, 1 at 1."""
    if not 0 <= error_rate <= 1:
        raise InputError(f"`error_rate` must be in [0, 1]; got {error_rate}")
    return error_rate + ((1 - error_rate) * float(np.log1p(-error_rate)) if error_rate < 1 else 0.0)


def augrc(risk: np.ndarray, loss: np.ndarray) -> float:
    """Area under the generalised risk-coverage curve: mean over k of (loss of the k accepted) / n; lower is better, NaN without samples.

    Unlike AURC it weighs each failure the same wherever it is accepted. Convention: Traub et al. 2024 (arXiv 2407.01032), as the plain mean
    over k = 1 ... n. For a binary loss of mean r a perfect order of many samples reaches r^2 / 2.
    """
    curve = risk_coverage_curve(risk, loss)
    return _mean(curve.risk * curve.coverage)


def worst_group_coverage(risk: np.ndarray, loss: np.ndarray, groups: Sequence[np.ndarray], *, limit: float) -> tuple[np.ndarray, float]:
    """The part of each group that is accepted when one threshold keeps the loss of all accepted samples at or under a limit.

    The threshold is the largest risk at which the mean loss of the samples up to it is at most `limit`; samples of equal risk are accepted
    together. A group that is mostly turned away shows that the risk pays for the limit at its cost.

    Args:
        risk: [samples], finite.
        loss: [samples], finite.
        groups: sample indices of each group.
        limit: largest mean loss allowed.

    Returns:
        float64 [groups] with the accepted part (NaN for an empty group, 0 where no threshold meets the limit), and the smallest of them.

    Source: defined here, after selective prediction at fixed risk.
    """
    risk, loss = _checked(risk, loss)
    order = np.argsort(risk, kind="stable")
    whole_ties = np.append(np.diff(risk[order]) > 0, True)[: risk.size]
    allowed = np.flatnonzero(whole_ties & (risk_coverage_curve(risk, loss).risk <= limit))
    accepted = risk <= risk[order][allowed[-1]] if allowed.size else np.zeros(risk.size, dtype=bool)
    coverage = np.array([_ratio(accepted[index].sum(), len(index)) for index in groups], dtype=np.float64)
    known = coverage[~np.isnan(coverage)]
    return coverage, float(known.min()) if known.size else NAN


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 up, equal values at the mean of their ranks: float64 of the shape of `values`."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place.reshape(-1)]


def _checked(risk: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    risk, loss = np.asarray(risk, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    if risk.ndim != 1 or risk.shape != loss.shape:
        raise InputError(f"`risk` and `loss` must be one value per sample; got {list(risk.shape)} and {list(loss.shape)}")
    for name, values in (("risk", risk), ("loss", loss)):
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise InputError(f"`{name}` must be finite; got {values[bad[0]]} for sample {bad[0]}. Leave samples without a score out")
    return risk, loss


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else NAN


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else NAN
