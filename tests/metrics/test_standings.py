"""Models on the same samples: every figure against the plain definition, and intervals against a loop over resamples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from figureground.core.errors import InputError
from figureground.metrics.joint import joint_counts
from figureground.metrics.overlap import ClassCounts, counts_by_class, overlap
from figureground.metrics.ranking import dominance, pair_members, pairwise_means, pairwise_wins, perron_vector, thurstone_scores
from figureground.metrics.resample import bootstrap_weights
from figureground.metrics.standings import FIGURES, difference, first_share, standings

CLASSES, SAMPLES = 4, 9


def drawn(seed: int = 0, skills: tuple[float, ...] = (0.9, 0.6, 0.3)) -> list[ClassCounts]:
    """Counts of models that keep a pixel of the truth with a chance of their own; one sample has no counted pixel."""
    rng = np.random.default_rng(seed)
    truths = [rng.integers(0, CLASSES - (i % 2), (8, 9)).astype(np.uint8) for i in range(SAMPLES - 1)] + [np.full((8, 9), 255, np.uint8)]
    found = []
    for skill in skills:
        maps = [np.where(rng.random(t.shape) < skill, t % CLASSES, rng.integers(0, CLASSES, t.shape)).astype(np.uint8) for t in truths]
        found.append(counts_by_class([joint_counts(t, m, classes=CLASSES) for t, m in zip(truths, maps, strict=True)], ids=range(CLASSES)))
    return found


def taken(one: ClassCounts, rows: np.ndarray) -> ClassCounts:
    return replace(one, hits=one.hits[rows], truth=one.truth[rows], predicted=one.predicted[rows])


def slow(counts: list[ClassCounts], members: np.ndarray) -> np.ndarray:
    """The four figures of some samples, one after another, from the functions that are defined for each."""
    scores = np.array([[float(overlap(taken(one, np.array([i])))) for one in counts] for i in range(len(counts[0].hits))])
    return np.array(
        [
            [float(overlap(one)) for one in counts],
            [float(overlap(one, reduction="macro-imagewise")) for one in counts],
            perron_vector(dominance(pairwise_means(scores, members=members))),
            thurstone_scores(pairwise_wins(scores)),
        ]
    )


def members_of(counts: list[ClassCounts], count: int) -> np.ndarray:
    models, samples = len(counts), len(counts[0].hits)
    apart = np.random.default_rng(5).random((samples, models, models))
    return pair_members(apart + np.swapaxes(apart, 1, 2), count)


@pytest.mark.parametrize("count", [0, 4])
def test_values_and_resamples_are_the_plain_figures(count: int) -> None:
    """Every replicate is the figures of the samples that were drawn, drawn alike for all models."""
    counts = drawn()
    members = members_of(counts, count)
    found = standings(counts, members=members, resamples=6, seed=3)
    np.testing.assert_allclose(found.value, slow(counts, members), atol=1e-9)
    for number, weights in enumerate(bootstrap_weights(SAMPLES, resamples=6, seed=3).astype(int)):
        rows = np.repeat(np.arange(SAMPLES), weights)
        expected = slow([taken(one, rows) for one in counts], members[rows])
        np.testing.assert_allclose(found.replicates[:, :, number], expected, atol=1e-9)


def test_the_better_model_is_better_by_every_figure() -> None:
    found = standings(drawn(), resamples=200)
    for row in range(len(FIGURES)):
        assert np.diff(found.value[row]).max() < 0
        assert (found.low[row] <= found.value[row]).all()
        assert (found.value[row] <= found.high[row]).all()
    assert first_share(found).tolist() == [1, 0, 0]
    value, low, high = difference(found, 0, 2)
    assert value == pytest.approx(found.value[0, 0] - found.value[0, 2])
    assert 0 < low < value < high
    assert difference(found, 2, 0) == pytest.approx((-value, -high, -low))


def test_the_same_model_twice_differs_by_nothing_at_all() -> None:
    """Paired: what is hard for both is drawn for both."""
    first = drawn()[1]
    found = standings([first, first], resamples=50)
    assert difference(found, 0, 1) == (0, 0, 0)
    assert first_share(found).tolist() == [0.5, 0.5]
    assert found.value[2:].tolist() == [[0.5, 0.5], [0, 0]]
    assert found.stability.stable_from is None


def test_stability_is_of_the_first_samples() -> None:
    counts = drawn(skills=(0.5, 0.5, 0.5, 0.5))
    found = standings(counts, resamples=0)
    assert len(found.stability.spearman) == SAMPLES
    assert found.stability.spearman[-1] == pytest.approx(1)
    few = [float(overlap(taken(one, np.arange(3)))) for one in counts]
    everything = found.value[0]
    ranks = [np.argsort(np.argsort(values)) for values in (few, everything)]
    assert found.stability.spearman[2] == pytest.approx(float(np.corrcoef(ranks)[0, 1]))


def test_one_sample_has_no_interval_and_a_void_one_no_score() -> None:
    counts = [taken(one, np.array([0])) for one in drawn()]
    found = standings(counts)
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(first_share(found)).all()
    assert np.isnan(difference(found, 0, 1)[1:]).all()
    assert np.isnan(standings(drawn(), resamples=0).scores[-1]).all()


def test_what_cannot_be_ranked_is_refused() -> None:
    one, other, _ = drawn()
    with pytest.raises(InputError, match="at least two models; got 1"):
        standings([one])
    with pytest.raises(InputError, match="same samples"):
        standings([one, taken(other, np.arange(3))])
    with pytest.raises(InputError, match="same samples"):
        standings([taken(one, np.arange(0)), taken(other, np.arange(0))])
