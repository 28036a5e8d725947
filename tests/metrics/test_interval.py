"""The bootstrap: its weights, its sums, and whether its intervals hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from figureground.core.errors import InputError
from figureground.metrics.decompose import ratio
from figureground.metrics.interval import (
    Interval,
    bca_interval,
    exact_interval,
    interval_over_runs,
    percentile_interval,
    simultaneous_intervals,
    worst_group_interval,
)
from figureground.metrics.resample import bootstrap_sums, bootstrap_weights, leave_one_out_sums

LAW = settings(max_examples=40)


@st.composite
def tables(draw):
    """Features, groups that may overlap or be empty, and clusters."""
    samples, features = draw(st.integers(1, 12)), draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    table = rng.integers(0, 50, (samples, features)) * rng.integers(0, 2, features)
    groups = [np.flatnonzero(rng.random(samples) < share) for share in draw(st.lists(st.sampled_from([0, 0.3, 0.7, 1]), max_size=11))]
    return table, groups, rng.integers(0, draw(st.integers(1, samples)), samples) * 7 - 3


def test_weights_are_multinomial():
    """Each row sums to the number of units; means, variances and covariances are those of drawing with replacement."""
    n, resamples = 20, 40_000
    w = bootstrap_weights(n, resamples=resamples, seed=5)
    assert (w.sum(1) == n).all()
    assert abs(w.mean(0) - 1).max() < 5 * math.sqrt((1 - 1 / n) / resamples)
    covariance = np.cov(w.T)
    np.testing.assert_allclose(np.diag(covariance), 1 - 1 / n, atol=0.06)
    assert abs(covariance[~np.eye(n, dtype=bool)] + 1 / n).max() < 0.05
    seen = np.bincount(w.astype(int).ravel(), minlength=7)[:7] / w.size
    np.testing.assert_allclose(seen, stats.binom.pmf(np.arange(7), n, 1 / n), atol=0.003)


@pytest.mark.parametrize("units", [1, 2, 3, 255, 256, 257, 1023, 1024, 1025, 3001])
def test_weights_of_any_number_of_units(units):
    """Odd, even and around the sizes of batches: always as many draws as units, every unit reachable."""
    w = bootstrap_weights(units, resamples=40, seed=1)
    assert (w.sum(1) == units).all()
    assert (w >= 0).all()
    assert w.sum(0).min() > 0


def test_draws_do_not_repeat_within_a_resample():
    """With thousands of units the weights still vary as independent draws do, near and far apart."""
    w = bootstrap_weights(6000, resamples=50, seed=2)
    assert w.var() == pytest.approx(1, abs=0.02)
    for far in (1, 512, 1024, 2048, 3000):
        assert abs(np.corrcoef(w[:, :-far].ravel(), w[:, far:].ravel())[0, 1]) < 0.01


def test_weights_are_a_pure_function_of_seed_and_number():
    """The same rows whether made at once or from the middle; other seeds and other rows differ."""
    whole = bootstrap_weights(50, resamples=30, seed=9)
    np.testing.assert_array_equal(bootstrap_weights(50, resamples=10, seed=9, start=20), whole[20:])
    assert (bootstrap_weights(50, resamples=30, seed=10) != whole).any(1).all()
    assert len(np.unique(whole, axis=0)) == 30
    np.testing.assert_array_equal(bootstrap_weights(50, resamples=1, seed=-1), bootstrap_weights(50, resamples=1, seed=2**64 - 1))


@LAW
@given(tables())
def test_sums_are_weights_times_features(case):
    """For all samples and for each group, whatever the overlap: W[:, group] @ X[group], exactly."""
    table, groups, _ = case
    w = bootstrap_weights(len(table), resamples=7, seed=2)
    np.testing.assert_array_equal(bootstrap_sums(table, resamples=7, seed=2), (w @ table)[None])
    sums = bootstrap_sums(table, groups=groups, resamples=7, seed=2)
    assert sums.shape == (len(groups), 7, table.shape[1])
    for got, index in zip(sums, groups, strict=True):
        np.testing.assert_array_equal(got, w[:, index] @ table[index])


@LAW
@given(tables())
def test_clusters_are_drawn_as_a_whole(case):
    """With clusters the weight of a sample is that of its cluster, in every group."""
    table, groups, clusters = case
    names, unit = np.unique(clusters, return_inverse=True)
    w = bootstrap_weights(len(names), resamples=7, seed=2)[:, unit]
    for got, index in zip(bootstrap_sums(table, groups=groups, clusters=clusters, resamples=7, seed=2), groups, strict=True):
        np.testing.assert_array_equal(got, w[:, index] @ table[index])
    np.testing.assert_array_equal(bootstrap_sums(table, clusters=clusters, resamples=7, seed=2)[0], w @ table)


def test_clusters_of_one_sample_follow_their_names():
    """Where every sample is its own cluster, weights go by the sorted names, not by the order of the samples."""
    table, names = np.array([[1], [10], [100]]), np.array([30, 10, 20])
    w = bootstrap_weights(3, resamples=9, seed=0)[:, [2, 0, 1]]
    np.testing.assert_array_equal(bootstrap_sums(table, clusters=names, resamples=9)[0], w @ table)


def test_a_partition_sums_to_the_whole():
    """Groups that part the samples have sums that add up to those of all samples, in each resample."""
    rng = np.random.default_rng(0)
    table, of = rng.integers(0, 9, (300, 5)), rng.integers(0, 11, 300)
    sums = bootstrap_sums(table, groups=[np.flatnonzero(of == g) for g in range(11)], resamples=20)
    np.testing.assert_array_equal(sums.sum(0), bootstrap_sums(table, resamples=20)[0])


def test_blocks_and_reduce_change_nothing(monkeypatch):
    """Small blocks give the same sums as one; `reduce` sees all of them in order."""
    rng = np.random.default_rng(0)
    table, groups = rng.integers(0, 9, (40, 3)), [np.arange(25), np.arange(10, 40)]
    whole = bootstrap_sums(table, groups=groups, resamples=101)
    monkeypatch.setattr("figureground.metrics.resample.BLOCK_BYTES", 1)
    np.testing.assert_array_equal(bootstrap_sums(table, groups=groups, resamples=101), whole)
    reduced = bootstrap_sums(table, groups=groups, resamples=101, reduce=lambda sums: ratio(sums[..., :1], sums[..., 1:2]))
    np.testing.assert_array_equal(reduced[..., 0], ratio(whole[..., 0], whole[..., 1]))
    view = bootstrap_sums(table, groups=groups, resamples=101, reduce=lambda sums: sums[1:, :, 1:])
    np.testing.assert_array_equal(view, whole[1:, :, 1:])


def test_two_predictions_are_paired():
    """The same seed draws the same samples for both, so the interval of a difference forgets what they share."""
    rng = np.random.default_rng(1)
    common = rng.normal(0, 100, 200)
    a, b = common + rng.normal(0, 1, 200), common + rng.normal(0.5, 1, 200)
    ra, rb = (bootstrap_sums(x[:, None], resamples=500, seed=3)[0, :, 0] / 200 for x in (a, b))
    paired, alone = percentile_interval(rb - ra), percentile_interval(ra)
    assert paired.high - paired.low < (alone.high - alone.low) / 20
    assert paired.low < (b - a).mean() < paired.high


def test_leave_one_out():
    """Total minus each sample, or minus each cluster."""
    table = np.array([[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(leave_one_out_sums(table), [[5, 50], [4, 40], [3, 30]])
    np.testing.assert_array_equal(leave_one_out_sums(table, clusters=np.array([7, 4, 7])), [[4, 40], [2, 20]])


@LAW
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=40), st.sampled_from([0.5, 0.9, 0.95]))
def test_percentiles_are_those_of_numpy(values, level):
    """Linear quantiles of the replicates that are known; NaN ones are left out and counted."""
    with_holes = np.array([*values, math.nan, math.nan])
    got = percentile_interval(with_holes, level=level)
    np.testing.assert_allclose([got.low, got.high], np.quantile(values, [(1 - level) / 2, (1 + level) / 2]), atol=1e-12)
    assert got.used == len(values)


def test_nothing_known_gives_no_interval():
    """All replicates undefined: NaN ends, none used, and no warning."""
    for interval in (percentile_interval(np.full(5, math.nan)), bca_interval(np.nan, np.full(5, math.nan), np.full(3, math.nan))):
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
        assert interval.used == 0


def test_without_variance_the_width_is_zero():
    """One sample, or equal ones: the interval is the value."""
    replicates = ratio(*np.moveaxis(bootstrap_sums(np.array([[3, 4]]), resamples=50)[0], -1, 0))
    assert replicates.tolist() == [0.75] * 50
    for interval in (
        percentile_interval(replicates),
        bca_interval(np.float64(0.75), replicates, np.array([math.nan])),
        simultaneous_intervals(np.array([0.75]), replicates[None]),
    ):
        assert interval.low == interval.high == 0.75


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (10, 10), (3, 10), (1, 1), (0, 1), (17, 40)])
def test_the_exact_interval_is_that_of_scipy(hits, count):
    """Clopper and Pearson's, of a part of so many units."""
    own = stats.binomtest(hits, count).proportion_ci(0.9, method="exact")
    assert exact_interval(hits / count, count, level=0.9) == pytest.approx((own.low, own.high), abs=1e-9)


def test_the_exact_interval_of_nothing_is_everything_and_rates_between_are_held():
    assert exact_interval(0.0, 0) == (0.0, 1.0)
    low, high = exact_interval(0.25, 1)
    assert 0 < low < 0.25 < high < 1


def test_bca_agrees_with_scipy():
    """On a skewed statistic, given the same kind of resamples, both ends lie close to scipy's."""
    rng = np.random.default_rng(4)
    x = rng.exponential(size=60)
    table = np.stack([x, np.ones(60)], 1)
    sums, left = bootstrap_sums(table, resamples=20_000, seed=1)[0], leave_one_out_sums(table)
    got = bca_interval(x.mean(), sums[:, 0] / sums[:, 1], left[:, 0] / left[:, 1])
    theirs = stats.bootstrap((x,), np.mean, n_resamples=20_000, method="BCa", rng=rng).confidence_interval
    np.testing.assert_allclose([got.low, got.high], [theirs.low, theirs.high], atol=0.01)


def test_bca_works_on_many_statistics_at_once():
    """Leading axes are statistics, each as it would be alone, NaN replicates and jackknife values left out."""
    rng = np.random.default_rng(2)
    estimate, replicates, jackknife = rng.normal(size=(2, 3)), rng.normal(size=(2, 3, 99)), rng.normal(size=(2, 3, 20))
    replicates[0, 1, :9], jackknife[1, 2, :3] = math.nan, math.nan
    got = bca_interval(estimate, replicates, jackknife, level=0.8)
    for i, j in np.ndindex(2, 3):
        r, k = replicates[i, j], jackknife[i, j]
        one = bca_interval(estimate[i, j], r[~np.isnan(r)], k[~np.isnan(k)], level=0.8)
        np.testing.assert_allclose([got.low[i, j], got.high[i, j], got.used[i, j]], [one.low, one.high, one.used])


def test_bca_stays_inside_the_replicates_when_all_lie_on_one_side():
    """An estimate beyond every replicate gives finite ends among the replicates."""
    replicates = np.linspace(0.4, 0.6, 100)
    for estimate in (0.1, 0.9):
        got = bca_interval(np.float64(estimate), replicates, np.array([0.1, 0.2, 0.9]))
        assert 0.4 <= got.low <= got.high <= 0.6


def test_bca_counts_ties_half():
    """Replicates in balance about the estimate, many equal to it, have no bias: the ends are the plain percentiles."""
    replicates = np.repeat([0.1, 0.2, 0.3, 0.4, 0.5], [5, 20, 60, 20, 5])
    got, plain = bca_interval(np.float64(0.3), replicates, np.array([0.2, 0.3, 0.4])), percentile_interval(replicates)
    np.testing.assert_allclose([got.low, got.high], [plain.low, plain.high])


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, math.nan])
def test_a_level_is_a_fraction(level):
    """95 is not 0.95."""
    for call in (
        lambda: percentile_interval(np.zeros(3), level=level),
        lambda: bca_interval(np.float64(0), np.zeros(3), np.zeros(3), level=level),
        lambda: simultaneous_intervals(np.zeros(1), np.zeros((1, 3)), level=level),
    ):
        with pytest.raises(InputError, match="level"):
            call()


def test_simultaneous_intervals_are_wider_than_single_ones():
    """With one group max-t is the usual studentised interval; with ten it is wider; bounds cut the ends."""
    rng = np.random.default_rng(0)
    replicates = rng.normal(size=(10, 4000)) * 0.1 + 0.2
    one, ten = (simultaneous_intervals(np.full(n, 0.2), replicates[:n]) for n in (1, 10))
    assert (one.high[0] - one.low[0]) / 2 == pytest.approx(1.96 * 0.1, rel=0.05)
    assert (ten.high[0] - ten.low[0]) / 2 == pytest.approx(stats.norm.ppf((1 + 0.95 ** (1 / 10)) / 2) * 0.1, rel=0.05)
    cut = simultaneous_intervals(np.full(10, 0.2), replicates, bounds=(0, 1))
    assert (cut.low >= 0).all()
    np.testing.assert_allclose(cut.high, ten.high)


def test_simultaneous_intervals_leave_out_what_is_not_known():
    """A group without a value, and resamples in which a group was not drawn, do not touch the others."""
    rng = np.random.default_rng(0)
    replicates = rng.normal(size=(3, 500))
    alone = simultaneous_intervals(np.zeros(2), replicates[:2])
    replicates[2] = math.nan
    with_nan = simultaneous_intervals(np.array([0, 0, math.nan]), replicates)
    np.testing.assert_allclose(with_nan.low[:2], alone.low)
    assert math.isnan(with_nan.low[2])
    assert with_nan.used.tolist() == [500, 500, 0]
    replicates[1, ::2] = math.nan
    assert simultaneous_intervals(np.zeros(3), replicates).used.tolist() == [500, 250, 0]
    nothing = simultaneous_intervals(np.full(2, math.nan), np.full((2, 5), math.nan))
    assert np.isnan(nothing.low).all()


def test_worst_group_interval():
    """The largest low and the largest high; unknown groups are left out."""
    ends = Interval(low=np.array([0.1, 0.3, math.nan]), high=np.array([0.9, 0.5, math.nan]), used=np.array([9, 9, 0]))
    assert worst_group_interval(ends) == (0.3, 0.9)
    nothing = worst_group_interval(Interval(low=np.array([math.nan]), high=np.array([math.nan]), used=np.array([0])))
    assert all(math.isnan(end) for end in nothing)


def simulated(rng, rate, samples):
    """Samples of unequal size, each with its own rate around `rate`, as flipped and foreground pixels."""
    size = rng.integers(20, 200, samples)
    return np.stack([rng.binomial(size, rng.beta(4 * rate, 4 * (1 - rate), samples)), size], 1)


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Of 400 simulated data sets of 80 samples, 95 % intervals of the pooled rate hold the true 0.3 in 91 to 98 %."""
    rng = np.random.default_rng(7)
    held = np.zeros(2)
    for seed in range(400):
        table = simulated(rng, 0.3, 80)
        sums, left = bootstrap_sums(table, resamples=400, seed=seed)[0], leave_one_out_sums(table)
        replicates = ratio(sums[:, 0], sums[:, 1])
        ends = percentile_interval(replicates), bca_interval(ratio(*table.sum(0)), replicates, ratio(left[:, 0], left[:, 1]))
        held += [e.low <= 0.3 <= e.high for e in ends]
    assert (held / 400 >= 0.91).all()
    assert (held / 400 <= 0.98).all()


def test_simultaneous_intervals_cover_all_groups_and_the_worst():
    """Of 300 data sets with 4 groups of 60, all four rates are held at once, and so is the largest, in 90 % or more."""
    rng = np.random.default_rng(8)
    rates = np.array([0.2, 0.3, 0.4, 0.4])
    groups = [np.arange(60 * g, 60 * (g + 1)) for g in range(4)]
    all_held = worst_held = single_held = 0
    for seed in range(300):
        table = np.concatenate([simulated(rng, rate, 60) for rate in rates])
        sums = bootstrap_sums(table, groups=groups, resamples=300, seed=seed)
        estimates, replicates = np.array([ratio(*table[g].sum(0)) for g in groups]), ratio(sums[..., 0], sums[..., 1])
        ends, single = simultaneous_intervals(estimates, replicates, bounds=(0, 1)), percentile_interval(replicates)
        all_held += bool(((ends.low <= rates) & (rates <= ends.high)).all())
        single_held += bool(((single.low <= rates) & (rates <= single.high)).all())
        low, high = worst_group_interval(ends)
        worst_held += low <= rates.max() <= high
    assert all_held >= 0.9 * 300
    assert worst_held >= all_held
    assert single_held < all_held


@pytest.mark.parametrize("runs", [2, 3, 5])
@pytest.mark.parametrize("sampled", [0.0, 1.0], ids=["runs vary", "runs and samples vary"])
def test_intervals_over_a_few_runs_cover_what_they_promise(runs, sampled):
    """4,000 statistics at once: the mean of normal runs that share normal samples, of which the replicates know the spread.

    With two or three runs and samples that vary as much, the interval is rather too wide than too narrow.
    """
    rng, statistics = np.random.default_rng(runs), 4000
    shared = sampled * rng.normal(size=statistics)
    values = rng.normal(size=(runs, statistics)) + shared
    replicates = values[:, None] + sampled * rng.normal(size=(1, 400, statistics))
    ends = interval_over_runs(values, replicates)
    held = np.mean((ends.low <= 0) & (ends.high >= 0))
    assert 0.935 <= held <= (0.965 if not sampled else 0.99)


def test_an_interval_over_one_run_is_that_of_its_samples_and_over_three_a_t_interval():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(1, 500, 4))
    found, expected = interval_over_runs(one[:, 0], one), percentile_interval(one[0].T)
    np.testing.assert_array_equal([found.low, found.high], [expected.low, expected.high])
    values = np.array([[0.1, np.nan], [0.2, 0.3], [0.6, 0.3]])
    found = interval_over_runs(values, np.repeat(values[:, None], 2000, axis=1))
    low, high = stats.t.interval(0.95, 2, loc=0.3, scale=stats.sem(values[:, 0]))
    np.testing.assert_allclose([found.low[0], found.high[0]], [low, high], rtol=0.01)
    assert np.isnan([found.low[1], found.high[1]]).all()
    without = interval_over_runs(values, np.empty((3, 0, 2)))
    assert np.isnan([without.low, without.high]).all()


def test_bad_features_groups_and_clusters_are_refused():
    """No sample, NaN, an index outside, or clusters of another length; the message says where."""
    for features, message in ((np.empty((0, 2)), "at least one sample"), (np.array([[0, 1], [2, math.nan]]), "sample 1, feature 1")):
        with pytest.raises(InputError, match=message):
            bootstrap_sums(features)
    with pytest.raises(InputError, match="group 1"):
        bootstrap_sums(np.ones((3, 1)), groups=[np.array([0]), np.array([3])])
    with pytest.raises(InputError, match="clusters"):
        bootstrap_sums(np.ones((3, 1)), clusters=np.array([1, 2]))
    with pytest.raises(InputError, match="clusters"):
        leave_one_out_sums(np.ones((3, 1)), clusters=np.array([1, 2]))
