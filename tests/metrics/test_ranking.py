"""Wins, dominance, Perron's vector, Thurstone's scores and stability against slow oracles written apart, by hand, and by law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from scipy.stats import norm, rankdata, spearmanr

from figureground.core.errors import InputError
from figureground.metrics.ranking import (
    dominance,
    pair_members,
    pairwise_means,
    pairwise_wins,
    perron_vector,
    places,
    stability,
    thurstone_scores,
)

LEVELS = st.integers(0, 8).map(lambda n: n / 8)
"""Scores of few values, so that they tie."""
SCORES = st.tuples(st.integers(1, 12), st.integers(2, 5)).flatmap(lambda shape: arrays(np.float64, shape, elements=LEVELS))

PUBLISHED = {
    "DFN": (0.1349, 0.1054, 0.1365),
    "DeepLabV3-RN101": (0.1589, 0.1255, 0.1791),
    "DeepLabV3P-RN101": (0.2555, 0.1978, 0.1483),
    "LRefineNet-RN50": (0.1740, 0.1431, 0.2014),
    "LRefineNet-MNV2": (0.1325, 0.1194, 0.1678),
    "target": (0.1759, 0.2436, 0.4233),
}
"""Table 1 of doi 10.1007/s10994-021-06110-7: mIoU on T1, T2 and T3."""


def slow_wins(scores: np.ndarray) -> list[list[float]]:
    models = scores.shape[1]
    found = [[0.0] * models for _ in range(models)]
    for row in scores.tolist():
        for i in range(models):
            for j in range(models):
                if i != j and not (np.isnan(row[i]) or np.isnan(row[j])):
                    found[i][j] += 1 if row[i] > row[j] else 0.5 if row[i] == row[j] else 0
    return found


def slow_thurstone(wins: np.ndarray, smoothing: float) -> np.ndarray:
    """The likelihood as it is written down, one pair at a time, and a method that knows nothing of it."""
    models = len(wins)

    def loss(free: np.ndarray) -> float:
        mu = np.append(free, -free.sum())
        return -sum((wins[i, j] + smoothing) * norm.logcdf(mu[i] - mu[j]) for i in range(models) for j in range(models) if i != j)

    found = minimize(loss, np.zeros(models - 1), method="BFGS", options={"gtol": 1e-8})
    return np.append(found.x, -found.x.sum())


def test_the_published_table_has_the_places_that_were_derived_from_it() -> None:
    """The target is second on T1 and first on T2 and T3, by 0.0458 and 0.2219."""
    names, table = list(PUBLISHED), np.array(list(PUBLISHED.values()))
    target = names.index("target")
    assert [int(places(column)[target]) for column in table.T] == [2, 1, 1]
    best = np.sort(np.delete(table, target, axis=0), axis=0)[-1]
    assert (table[target] - best).round(4).tolist() == [-0.0796, 0.0458, 0.2219]
    for column, first in zip(table.T, ("DeepLabV3P-RN101", "target", "target"), strict=True):
        shares = perron_vector(dominance(pairwise_means(column[None, :])))
        assert names[int(shares.argmax())] == first
        assert places(shares).tolist() == places(column).tolist()


def test_wins_of_a_table_done_by_hand() -> None:
    """A tie is half a win for each, and a model without a score is not compared."""
    scores = np.array([[0.9, 0.5, 0.5], [0.4, 0.4, np.nan], [0.2, 0.6, 0.1]])
    assert pairwise_wins(scores).tolist() == [[0, 1.5, 2], [1.5, 0, 1.5], [0, 0.5, 0]]


@given(SCORES)
def test_wins_equal_a_loop_and_share_each_sample(scores: np.ndarray) -> None:
    found = pairwise_wins(scores)
    assert found.tolist() == slow_wins(scores)
    off = ~np.eye(len(found), dtype=bool)
    assert (found + found.T)[off].tolist() == [len(scores)] * int(off.sum())


def test_pairs_are_compared_by_the_samples_they_disagree_on_most() -> None:
    """Ties go to the earlier sample, an unknown distance is never taken, and 0 takes all."""
    apart = np.zeros((4, 2, 2))
    apart[:, 0, 1] = apart[:, 1, 0] = [0.1, 0.5, np.nan, 0.5]
    assert pair_members(apart, 1)[:, 0, 1].tolist() == [False, True, False, False]
    assert pair_members(apart, 3)[:, 1, 0].tolist() == [True, True, False, True]
    assert pair_members(apart, 0)[:, 0, 1].tolist() == [True, True, False, True]
    assert not pair_members(apart, 0)[:, 0, 0].any()


def test_means_of_a_pair_are_over_its_own_samples() -> None:
    scores = np.array([[0.8, 0.2], [0.4, 0.6], [0.0, 0.1]])
    members = np.zeros((3, 2, 2), bool)
    members[:2, 0, 1] = members[:2, 1, 0] = True
    means = pairwise_means(scores, members=members)
    assert means[0, 1] == pytest.approx(0.6)
    assert means[1, 0] == pytest.approx(0.4)
    assert np.isnan(means.diagonal()).all()
    found = dominance(means, epsilon=0.1)
    assert found.tolist() == [[1, pytest.approx(0.7 / 0.5)], [pytest.approx(0.5 / 0.7), 1]]


def test_models_that_nothing_compares_have_dominance_one() -> None:
    means = np.array([[np.nan, np.nan, 0.5], [np.nan, np.nan, 0.5], [0.5, 0.5, np.nan]])
    assert dominance(means).tolist() == np.ones((3, 3)).tolist()
    assert perron_vector(dominance(means)).tolist() == pytest.approx([1 / 3] * 3)


@given(st.integers(1, 7).flatmap(lambda n: arrays(np.float64, (n, n), elements=st.floats(-7, 7).map(np.exp))))
def test_the_perron_vector_is_the_eigenvector_numpy_finds(matrix: np.ndarray) -> None:
    """Positive, with sum 1, and to the eigenvalue that is largest."""
    found = perron_vector(matrix)
    values, vectors = np.linalg.eig(matrix)
    expected = np.abs(vectors[:, values.real.argmax()].real)
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(matrix @ found, values.real.max() * found, rtol=1e-5)
    assert found.sum() == pytest.approx(1)
    assert (found > 0).all()


def test_the_perron_vector_of_a_circle_is_even() -> None:
    """Each beats the next by far: the second eigenvalue is within 0.2 % of the first in size, and plain iteration would take thousands."""
    assert perron_vector(np.array([[1, 1e3, 1e-3], [1e-3, 1, 1e3], [1e3, 1e-3, 1]])) == pytest.approx([1 / 3] * 3)


def test_many_matrices_at_once_are_many_alone() -> None:
    rng = np.random.default_rng(0)
    matrices, wins = np.exp(rng.normal(size=(5, 4, 4))), rng.integers(0, 20, (5, 4, 4)).astype(float)
    np.testing.assert_allclose(perron_vector(matrices), [perron_vector(one) for one in matrices], rtol=1e-12)
    np.testing.assert_allclose(thurstone_scores(wins), [thurstone_scores(one) for one in wins], atol=1e-9)


@pytest.mark.parametrize("wrong", [np.zeros((2, 2)), np.ones((2, 3)), np.array([[1, np.inf], [1, 1.0]]), -np.ones((2, 2))])
def test_a_matrix_without_a_perron_vector_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match="above 0"):
        perron_vector(wrong)


@pytest.mark.parametrize("seed", range(4))
def test_thurstone_is_the_maximum_of_the_likelihood(seed: int) -> None:
    """Against a general optimiser on the plain sum."""
    rng = np.random.default_rng(seed)
    wins = rng.integers(0, 12, (4, 4)).astype(float)
    wins[seed % 4] = 0  # one that never wins
    np.testing.assert_allclose(thurstone_scores(wins), slow_thurstone(wins, 0.5), atol=1e-5)


def test_thurstone_of_two_models_is_the_quantile_of_the_share() -> None:
    """mu_1 - mu_2 = the normal quantile of (wins + 0.5) / (samples + 1)."""
    apart = float(np.diff(thurstone_scores(np.array([[0, 24.0], [5.0, 0]]))[::-1])[0])
    assert apart == pytest.approx(norm.ppf(24.5 / 30))


def test_a_model_that_wins_everything_is_finitely_ahead() -> None:
    """The smoothing decides how far, and more samples take it further."""
    few, many = (thurstone_scores(np.array([[0, n], [0, 0.0]])) for n in (10, 10_000))
    assert few[0] == pytest.approx(norm.ppf(10.5 / 11) / 2)
    assert few[0] < many[0] < 3
    assert thurstone_scores(np.zeros((3, 3))).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("wins", "smoothing"), [(-np.ones((2, 2)), 0.5), (np.ones(3), 0.5), (np.ones((2, 2)), 0.0)])
def test_wins_that_cannot_be_are_refused(wins: np.ndarray, smoothing: float) -> None:
    with pytest.raises(InputError):
        thurstone_scores(wins, smoothing=smoothing)


def rankings(scores: np.ndarray) -> list[np.ndarray]:
    return [perron_vector(dominance(pairwise_means(scores))), thurstone_scores(pairwise_wins(scores))]


@given(SCORES, st.randoms(use_true_random=False))
def test_the_names_of_models_do_not_matter(scores: np.ndarray, random) -> None:
    """Models in another order have their figures in that order."""
    order = list(range(scores.shape[1]))
    random.shuffle(order)
    for plain, moved in zip(rankings(scores), rankings(scores[:, order]), strict=True):
        np.testing.assert_allclose(moved, plain[order], atol=1e-8)


@given(SCORES)
def test_turning_wins_round_turns_the_ranking_round(scores: np.ndarray) -> None:
    """Thurstone's scores change their sign, and Perron's shares are those of the inverse ratios where every pair has all samples."""
    forward, backward = thurstone_scores(pairwise_wins(scores)), thurstone_scores(pairwise_wins(-scores))
    np.testing.assert_allclose(backward, -forward, atol=1e-8)
    b = dominance(pairwise_means(scores))
    np.testing.assert_allclose(perron_vector(b.T), (1 / perron_vector(b)) / (1 / perron_vector(b)).sum(), rtol=1e-6)


@given(SCORES)
def test_a_model_better_on_every_sample_is_first_and_one_worse_is_last(scores: np.ndarray) -> None:
    all_scores = np.column_stack([scores / 2 + 0.25, np.full(len(scores), 0.9), np.full(len(scores), 0.1)])
    for shares in rankings(all_scores):
        assert int(shares.argmax()) == all_scores.shape[1] - 2
        assert int(shares.argmin()) == all_scores.shape[1] - 1


def test_places_share_the_better_one() -> None:
    assert places(np.array([0.2, np.nan, 0.5, 0.5])).tolist() == [3, 4, 1, 1]


@given(st.integers(2, 8).flatmap(lambda steps: arrays(np.float64, (steps, 4), elements=LEVELS)))
def test_stability_is_the_correlation_scipy_gives(scores: np.ndarray) -> None:
    """Ties at their average rank; where a ranking is all ties there is none."""
    found = stability(scores)
    last = rankdata(scores[-1])
    for row, value in zip(scores, found.spearman.tolist(), strict=True):
        if np.ptp(row) == 0 or np.ptp(last) == 0:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(float(spearmanr(row, scores[-1]).statistic), abs=1e-12)
    near = [bool(value >= 0.9 - 1e-12) for value in found.spearman]
    expected = next((k + 1 for k in range(len(near)) if all(near[k:])), None)
    assert found.stable_from == expected


def test_stable_means_to_the_end() -> None:
    """A ranking that is right early and wrong again later is stable from where it stays right."""
    right, wrong = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]
    assert stability(np.array([right, wrong, right, right])).stable_from == 3
    assert stability(np.array([wrong, [np.nan, 0.2, 0.3, 0.4], right])).stable_from == 3
    assert stability(np.array([right, [0.2] * 4])).stable_from is None


@pytest.mark.parametrize(("scores", "level"), [(np.zeros(3), 0.9), (np.zeros((0, 3)), 0.9), (np.ones((2, 2)), 1.5)])
def test_a_stability_of_nothing_is_refused(scores: np.ndarray, level: float) -> None:
    with pytest.raises(InputError):
        stability(scores, level=level)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.array([[np.inf, 0.0]])])
def test_scores_that_are_none_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match="scores"):
        pairwise_wins(wrong)
    with pytest.raises(InputError, match="at least 0"):
        pairwise_means(np.array([[-0.1, 0.2]]))
