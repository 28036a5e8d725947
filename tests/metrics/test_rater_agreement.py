"""Agreement of raters: the published worked example, a slow oracle that goes through pairs, and laws."""

from __future__ import annotations

import doctest
import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from figureground.core.errors import InputError
from figureground.metrics import agreement
from figureground.metrics.agreement import krippendorff_alpha, pairwise_spearman, rater_bias, repeat_agreement

N = math.nan
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
        [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
    ]
)
"""Four observers, twelve units, values missing: Krippendorff 2011, section C; 41 values, 40 of them pairable."""
RATINGS = arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(0, 9)),
    elements=st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, N]),
)


def slow_alpha(ratings: np.ndarray, level: str) -> float:
    """Mean distance of ordered pairs within items over mean distance of ordered pairs of all pairable values, each pair by itself."""
    items = [[value for value in column if not math.isnan(value)] for column in ratings.T]
    items = [values for values in items if len(values) > 1]
    every = [value for values in items for value in values]

    def distance(a: float, b: float) -> float:
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return (a - b) ** 2
        low, high = min(a, b), max(a, b)
        return (sum(low <= value <= high for value in every) - (every.count(low) + every.count(high)) / 2) ** 2 if a != b else 0.0

    observed = sum(distance(a, b) / (len(values) - 1) for values in items for a, b in permutations(values, 2)) / max(len(every), 1)
    expected = sum(distance(a, b) for a, b in permutations(every, 2)) / max(len(every) * (len(every) - 1), 1)
    return 1 - observed / expected if expected else math.nan


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_published_worked_example(level, alpha):
    """The figures printed in the paper, to its three digits."""
    assert krippendorff_alpha(PUBLISHED, level=level) == pytest.approx(alpha, abs=5e-4)


def test_an_example_by_hand():
    """Two raters, items (1,1), (2,2), (1,2): one item in three disagrees. Pairs of 1,1,1,2,2,2 disagree in 18 of 30, so 1 - (1/3)/(18/30)."""
    ratings = np.array([[1.0, 2, 1], [1, 2, 2]])
    for level in ("nominal", "interval"):
        assert krippendorff_alpha(ratings, level=level) == pytest.approx(1 - (1 / 3) / (18 / 30))


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@given(ratings=RATINGS)
def test_alpha_is_that_of_the_slow_oracle(level, ratings):
    """The table of coincidences gives what going through every pair gives, undefined cases included."""
    assert krippendorff_alpha(ratings, level=level) == pytest.approx(slow_alpha(ratings, level), nan_ok=True)


@given(ratings=RATINGS, data=st.data())
def test_alpha_knows_neither_order_nor_lonely_ratings(ratings, data):
    """Shuffling raters within each item and items changes nothing, nor does an item that one person rated; nor ordinally a stretched scale."""
    alpha = krippendorff_alpha(ratings)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    assert krippendorff_alpha(rng.permuted(ratings, axis=0)[:, rng.permutation(ratings.shape[1])]) == pytest.approx(alpha, nan_ok=True)
    lonely = np.full((len(ratings), 1), N)
    lonely[0] = 5
    assert krippendorff_alpha(np.hstack([ratings, lonely])) == pytest.approx(alpha, nan_ok=True)
    assert krippendorff_alpha(np.exp(ratings)) == pytest.approx(alpha, nan_ok=True)
    assert math.isnan(alpha) or alpha <= 1


def test_alpha_where_nothing_can_be_said():
    """One only with something to disagree on; NaN without a pair of ratings, or where all say the same of everything."""
    assert krippendorff_alpha(np.array([[1.0, 5], [1, 5]])) == 1
    assert krippendorff_alpha(np.array([[1.0, 5], [5, 1]])) < 0
    for empty in (np.empty((0, 0)), np.empty((3, 0)), np.array([[1.0, N], [N, 5]]), np.full((3, 4), 2.0)):
        assert math.isnan(krippendorff_alpha(empty))


@given(ratings=RATINGS)
def test_spearman_is_the_mean_of_scipy_over_pairs(ratings):
    """Each pair with three shared items and two sides that vary, by scipy; the mean over those, NaN without one."""
    found = []
    for one in range(len(ratings)):
        for other in range(one):
            both = ~np.isnan(ratings[one]) & ~np.isnan(ratings[other])
            a, b = ratings[one, both], ratings[other, both]
            if both.sum() >= 3 and len(set(a)) > 1 and len(set(b)) > 1:
                found.append(stats.spearmanr(a, b).statistic)
    assert pairwise_spearman(ratings) == pytest.approx(np.mean(found) if found else N, nan_ok=True)


def test_spearman_leaves_out_what_has_no_order():
    """Two shared items, or one who rates all alike, give no correlation: the mean is over the pairs that are left."""
    ratings = np.array([[1.0, 2, 3, 4], [2, 3, 4, 5], [3, 3, 3, 3], [4, 1, N, N]])
    assert pairwise_spearman(ratings) == pytest.approx(1)
    assert math.isnan(pairwise_spearman(ratings[[0, 2]]))


def test_bias_by_hand():
    """The mean difference to the mean of the others and its interval, on items that somebody else rated too."""
    ratings = np.array([[3.0, 5, 4, 1], [2, 4, N, N], [2, 2, N, N]])
    first, second, third = rater_bias(ratings)
    assert (first.mean, first.items) == (1.5, 2)
    assert (second.mean, third.mean) == (pytest.approx((-0.5 + 0.5) / 2), pytest.approx((-0.5 - 2.5) / 2))
    half = stats.t.ppf(0.975, 1) * np.std([1, 2], ddof=1) / math.sqrt(2)
    assert (first.low, first.high) == (pytest.approx(1.5 - half), pytest.approx(1.5 + half))
    (alone,) = rater_bias(ratings[:1])
    assert (alone.items, math.isnan(alone.mean), math.isnan(alone.low)) == (0, True, True)


@given(ratings=RATINGS, shift=st.floats(-3, 3))
def test_bias_follows_a_shift(ratings, shift):
    """Who adds something to all his ratings moves his own bias by just that."""
    moved = ratings.copy()
    moved[0] += shift
    before, after = rater_bias(ratings)[0], rater_bias(moved)[0]
    assert after.mean == pytest.approx(before.mean + shift, nan_ok=True, abs=1e-9)
    assert after.items == before.items


def test_repeats_by_hand():
    """Equal in two of four, out of domain twice among them; the difference is of those on the scale."""
    said = repeat_agreement(np.array([1.0, 2, math.inf, 5, N, 3]), np.array([1.0, 4, math.inf, math.inf, 2, N]))
    assert (said.items, said.equal, said.difference) == (4, 0.5, 1.0)
    nothing = repeat_agreement(np.array([N]), np.array([1.0]))
    assert (nothing.items, math.isnan(nothing.equal), math.isnan(nothing.difference)) == (0, True, True)


def test_what_is_no_table_of_ratings_is_refused():
    """Whole numbers, a list, infinite scores, another level, and two lengths: each in one sentence."""
    for bad in (np.array([[1, 2]]), np.array([1.0, 2]), np.array([[math.inf, 1.0]])):
        with pytest.raises(InputError, match="float64"):
            krippendorff_alpha(bad)
    with pytest.raises(InputError, match="nominal, ordinal, interval; got 'ratio'"):
        krippendorff_alpha(PUBLISHED, level="ratio")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="first"):
        repeat_agreement(np.zeros(2), np.zeros(3))


def test_the_examples_in_the_docstrings():
    """Every example gives what it says."""
    found = doctest.testmod(agreement, extraglobs={"np": np})
    assert (found.attempted > 3, found.failed) == (True, 0)
