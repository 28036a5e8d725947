"""Deciles and selective prediction: golden values, other implementations, and laws."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from figureground.core.errors import InputError
from figureground.metrics.selective import (
    augrc,
    aurc,
    aurc_trapezoid,
    auroc,
    deciles,
    excess_aurc,
    mean_ranks,
    optimal_aurc,
    risk_coverage_curve,
    scored_pairs,
    spearman,
    worst_group_coverage,
)

LAW = settings(max_examples=60)
CONFIDENCE, LOSS = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([0, 0, 1, 0, 1])

scored = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=35).map(
    lambda rows: (np.array([r for r, _ in rows], float) / 6, np.array([f for _, f in rows], float) / 4)
)


def test_golden_deciles():
    """Twenty pictures, the ten of highest risk with rising flips: the published means and a top share of .345455."""
    flip = np.concatenate([np.zeros(10), np.linspace(0.05, 0.5, 10)])
    d = deciles(np.arange(20) / 20, flip)
    np.testing.assert_allclose(d.loss, [0, 0, 0, 0, 0, 0.075, 0.175, 0.275, 0.375, 0.475], atol=1e-6)
    assert d.top_share == pytest.approx(0.345455, abs=1e-6)
    assert d.lift == pytest.approx(3.45455, abs=1e-5)
    assert d.oracle_share == d.top_share
    assert d.samples.tolist() == [2] * 10


def test_golden_bucket_sizes():
    """Thirteen pictures fall into bins of 1, 1, 1, 2, 1, 1, 2, 1, 1, 2."""
    assert deciles(np.arange(13), np.ones(13)).samples.tolist() == [1, 1, 1, 2, 1, 1, 2, 1, 1, 2]


def test_golden_selective_prediction():
    """Five samples worked out by hand: selective risks, AURC, E-AURC, AUGRC and the two limits."""
    risk = 1 - CONFIDENCE
    np.testing.assert_allclose(risk_coverage_curve(risk, LOSS).risk, [0, 0, 1 / 3, 0.25, 0.4], atol=1e-6)
    np.testing.assert_allclose(risk_coverage_curve(risk, LOSS).coverage, [0.2, 0.4, 0.6, 0.8, 1])
    assert aurc(risk, LOSS) == pytest.approx(0.196667, abs=1e-6)
    assert excess_aurc(risk, LOSS) == pytest.approx(0.066667, abs=1e-6)
    assert augrc(risk, LOSS) == pytest.approx(0.16, abs=1e-6)
    assert optimal_aurc(0.4) == pytest.approx(0.093505, abs=1e-6)
    assert aurc_trapezoid(risk, LOSS) == pytest.approx((0 + 0 + 1 / 6 + 7 / 24 + 13 / 40) / 5)


@LAW
@given(scored)
def test_deciles_follow_the_reference_rule(pairs):
    """Sorted by risk, bin d takes the places floor(d n / m) to floor((d + 1) n / m) - 1 of m = min(10, n)."""
    risk, flip = pairs
    n, m = risk.size, min(10, risk.size)
    order = sorted(range(n), key=lambda i: risk[i])
    bins = [order[d * n // m : (d + 1) * n // m] for d in range(m)]
    d = deciles(risk, flip)
    assert d.samples.tolist() == [len(b) for b in bins]
    np.testing.assert_allclose(d.risk, [risk[b].mean() for b in bins])
    np.testing.assert_allclose(d.loss, [flip[b].mean() for b in bins])
    if flip.sum() == 0:
        assert math.isnan(d.top_share)
        assert math.isnan(d.lift)
        assert math.isnan(d.oracle_share)
    else:
        assert d.top_share == pytest.approx(flip[bins[-1]].sum() / flip.sum())
        assert 0 <= d.top_share <= d.oracle_share + 1e-12 <= 1 + 1e-9
        assert d.lift == pytest.approx(d.top_share / (len(bins[-1]) / n))


def test_ties_keep_the_order_of_the_samples():
    """With one risk for all, the bins follow the samples."""
    np.testing.assert_array_equal(deciles(np.zeros(10), np.arange(10)).loss, np.arange(10))


@LAW
@given(scored)
def test_spearman_agrees_with_scipy(pairs):
    """Ranks with ties at their mean; undefined where either is constant."""
    risk, flip = pairs
    got = spearman(risk, flip)
    if risk.size < 2 or np.ptp(risk) == 0 or np.ptp(flip) == 0:
        assert math.isnan(got)
    else:
        assert got == pytest.approx(stats.spearmanr(risk, flip).statistic)
        assert spearman(-risk, flip) == pytest.approx(-got)
    if risk.size:
        np.testing.assert_array_equal(mean_ranks(risk), stats.rankdata(risk))


@LAW
@given(scored)
def test_auroc_counts_pairs(pairs):
    """The part of (positive, negative) pairs in the right order, ties half; undefined without either kind."""
    risk, flip = pairs
    positive = flip > 0.5
    won = [(a > b) + 0.5 * (a == b) for a in risk[positive] for b in risk[~positive]]
    got = auroc(risk, positive)
    assert got == pytest.approx(np.mean(won)) if won else math.isnan(got)


@LAW
@given(scored)
def test_areas_agree_with_loops(pairs):
    """AURC, its trapezoid form and AUGRC from running sums, one sample after the other."""
    risk, loss = pairs
    n = risk.size
    if n == 0:
        assert all(math.isnan(area(risk, loss)) for area in (aurc, aurc_trapezoid, augrc, excess_aurc))
        return
    order = sorted(range(n), key=lambda i: risk[i])
    let_through = [sum(loss[i] for i in order[:k]) for k in range(1, n + 1)]
    assert aurc(risk, loss) == pytest.approx(np.mean([s / k for k, s in enumerate(let_through, 1)]))
    assert augrc(risk, loss) == pytest.approx(np.mean(let_through) / n)
    points = [(np.mean(risk <= r), np.mean(loss[risk <= r])) for r in sorted(set(risk))]
    points.insert(0, (0.0, points[0][1]))
    area = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))
    assert aurc_trapezoid(risk, loss) == pytest.approx(area)


@LAW
@given(scored)
def test_no_order_beats_the_oracle(pairs):
    """E-AURC is at least 0, and 0 for the loss itself."""
    risk, loss = pairs
    if risk.size:
        assert excess_aurc(risk, loss) >= -1e-12
        assert excess_aurc(loss, loss) == 0


@LAW
@given(scored, st.randoms(use_true_random=False))
def test_order_of_samples_matters_only_for_ties(pairs, random):
    """With ties broken, shuffling the samples changes nothing."""
    risk, loss = pairs
    risk = risk + np.arange(risk.size) * 1e-6
    order = list(range(risk.size))
    random.shuffle(order)
    for score in (aurc, aurc_trapezoid, augrc, spearman, lambda r, f: deciles(r, f).top_share):
        assert score(risk[order], loss[order]) == pytest.approx(score(risk, loss), nan_ok=True)


def test_many_samples_reach_the_limits():
    """A perfect order of 10,000 samples with 30 % failures has the AURC and AUGRC of the closed forms."""
    loss = (np.arange(10_000) >= 7_000).astype(float)
    assert aurc(loss, loss) == pytest.approx(optimal_aurc(0.3), abs=1e-4)
    assert augrc(loss, loss) == pytest.approx(0.3**2 / 2, abs=1e-4)
    assert (optimal_aurc(0), optimal_aurc(1)) == (0, 1)
    with pytest.raises(InputError, match="error_rate"):
        optimal_aurc(1.5)


def test_worst_group_coverage():
    """One threshold for all: what it accepts of each group, tied risks together."""
    risk, loss = np.array([0.1, 0.2, 0.2, 0.4]), np.array([0.0, 1.0, 0.0, 1.0])
    groups = [np.array([0, 1]), np.array([2, 3]), np.array([], int)]
    coverage, worst = worst_group_coverage(risk, loss, groups, limit=0.4)
    np.testing.assert_equal(coverage, [1, 0.5, math.nan])
    assert worst == 0.5
    np.testing.assert_equal(worst_group_coverage(risk, loss, groups, limit=0.2)[0], [0.5, 0, math.nan])
    assert worst_group_coverage(risk, loss + 1, groups, limit=0.2)[1] == 0
    assert math.isnan(worst_group_coverage(np.empty(0), np.empty(0), [], limit=0.2)[1])


def test_pairs_without_a_score_or_a_loss_are_left_out_and_counted():
    """NaN means none; infinite is a fault."""
    risk, loss, out = scored_pairs(np.array([0.1, math.nan, 0.3, 0.4]), np.array([0, 1, math.nan, 0.5]))
    assert (risk.tolist(), loss.tolist(), out) == ([0.1, 0.4], [0, 0.5], 2)
    with pytest.raises(InputError, match="must be finite"):
        scored_pairs(np.array([math.inf]), np.array([0.0]))
    with pytest.raises(InputError, match="one value per sample"):
        scored_pairs(np.zeros(2), np.zeros(3))


@pytest.mark.parametrize("function", [deciles, spearman, auroc, aurc, aurc_trapezoid, augrc, risk_coverage_curve])
def test_risk_that_is_not_finite_is_refused(function):
    """A NaN cannot be sorted, so it is named and not guessed at."""
    with pytest.raises(InputError, match="got nan for sample 1"):
        function(np.array([0.1, math.nan]), np.array([0, 1]))
    with pytest.raises(InputError, match="one value per sample"):
        function(np.array([0.1, 0.2]), np.array([0, 1, 1]))
