"""Mutual information and what chance alone makes of it, against scikit-learn and against all ways to deal the values."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.metrics.association import expected_mutual_information, mutual_information

TABLES = st.integers(0, 2**31).map(lambda seed: np.random.default_rng(seed).integers(0, 30, np.random.default_rng(seed).integers(1, 7, 2)))


@given(TABLES)
@settings(max_examples=60, deadline=None)
def test_both_are_those_of_scikit_learn(counts):
    reference = pytest.importorskip("sklearn.metrics.cluster", reason="scikit-learn is not installed")
    if not counts.any():
        assert math.isnan(expected_mutual_information(counts))
        return
    pairs = [(a, b) for a, b in np.ndindex(counts.shape) for _ in range(counts[a, b])]
    assert mutual_information(counts) == pytest.approx(reference.mutual_info_score(*zip(*pairs, strict=True)), abs=1e-9)
    kept = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    expected = reference.expected_mutual_information(kept, int(kept.sum()))
    assert expected_mutual_information(counts) == pytest.approx(max(0.0, expected), abs=1e-9)


def test_chance_is_the_mean_over_all_ways_to_deal():
    """Six samples of three labels and two values: all 720 orders counted."""
    labels, values = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 1])

    def table(dealt):
        found = np.zeros((3, 2), int)
        np.add.at(found, (labels, np.array(dealt)), 1)
        return found

    every = [mutual_information(table(dealt)) for dealt in itertools.permutations(values)]
    assert expected_mutual_information(table(values)) == pytest.approx(np.mean(every), abs=1e-12)


def test_many_samples_and_many_labels():
    """What is left out of long sums counts for nothing; chance never says more than there is to say."""
    rng = np.random.default_rng(0)
    large = rng.integers(2000, 60000, (3, 4))
    assert expected_mutual_information(large) == pytest.approx((3 - 1) * (4 - 1) / (2 * large.sum()), rel=1e-3)
    single = np.eye(50, dtype=int)
    assert expected_mutual_information(single) == pytest.approx(mutual_information(single))
