"""The entropy of votes: against a loop over pixels, by hand, and by law."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from figureground.core.errors import InputError
from figureground.core.types import batch_of
from figureground.data.labelmap import encode_runs
from figureground.metrics.discrepancy import class_places
from figureground.metrics.votes import vote_entropy

LAW = settings(max_examples=50)
IDS = (0, 1, 2, 7)
PLACE = class_places(IDS)


@st.composite
def committees(draw):
    """Maps of a few models of a few samples, [models, samples, height, width], with a weight for each model."""
    shape = draw(st.tuples(st.integers(2, 5), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)))
    maps = draw(arrays(np.uint8, shape, elements=st.sampled_from(IDS), fill=st.just(0)))
    return maps, draw(st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=shape[0], max_size=shape[0]))


def entropy_of(maps, weights=None, background=0):
    batches = [batch_of([encode_runs(m) for m in own]) for own in maps]
    return vote_entropy(batches, place=PLACE, background=background, weights=weights or [1.0] * len(maps))


def slow_entropy(maps, weights, background) -> float:
    """Pixel by pixel: maps [models, height, width]."""
    total, figure = 0.0, 0
    for votes in np.asarray(maps).reshape(len(maps), -1).T.tolist():
        if all(vote == background for vote in votes):
            continue
        figure += 1
        share = Counter()
        for vote, weight in zip(votes, weights, strict=True):
            share[vote] += weight / sum(weights)
        total -= sum(p * math.log(p) for p in share.values())
    return total / figure / math.log(len(maps)) if figure else 0.0


@LAW
@given(committees(), st.sampled_from(IDS))
def test_it_is_the_mean_entropy_of_the_pixels_in_which_a_model_sees_foreground(committee, background):
    maps, weights = committee
    found = entropy_of(maps, weights, background)
    expected = [slow_entropy(maps[:, n], weights, background) for n in range(maps.shape[1])]
    assert found == pytest.approx(expected, abs=1e-12)
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()


@LAW
@given(committees(), st.randoms())
def test_neither_the_order_of_the_models_nor_that_of_the_samples_matters(committee, random):
    maps, weights = committee
    models, samples = (random.sample(range(n), n) for n in maps.shape[:2])
    again = entropy_of(maps[models][:, samples], [weights[m] for m in models])
    assert again == pytest.approx(entropy_of(maps, weights)[samples], abs=1e-12)


@LAW
@given(committees(), st.sampled_from([0.5, 2.0, 3.0]))
def test_only_the_ratio_of_weights_counts(committee, factor):
    maps, weights = committee
    assert entropy_of(maps, [factor * w for w in weights]) == pytest.approx(entropy_of(maps, weights), abs=1e-12)


def test_votes_by_hand():
    """Of two models one pixel is disputed of two that are foreground; three classes of three models are the most there is."""
    assert entropy_of(np.array([[[[0, 1, 1]]], [[[0, 1, 2]]]], np.uint8)).tolist() == [0.5]
    assert entropy_of(np.array([[[[0, 1]]], [[[0, 2]]], [[[0, 7]]]], np.uint8)).tolist() == pytest.approx([1])
    uneven = entropy_of(np.array([[[[1]]], [[[2]]]], np.uint8), [1.0, 0.25])
    assert uneven.tolist() == pytest.approx([-(0.8 * math.log(0.8) + 0.2 * math.log(0.2)) / math.log(2)])


def test_models_that_agree_or_see_nothing_are_not_divided():
    """Exactly 0, so that such samples tie."""
    same = np.array([[[[0, 1], [2, 7]], [[0, 0], [0, 0]]]] * 3, np.uint8)
    assert entropy_of(same).tolist() == [0, 0]


def test_a_sample_of_which_a_map_is_missing_has_none():
    one, other = (encode_runs(np.array([[0, value]], np.uint8)) for value in (1, 2))
    found = vote_entropy([batch_of([one, None, one]), batch_of([other, other, one])], place=PLACE, background=0, weights=[1, 1])
    assert found.tolist() == pytest.approx([1, math.nan, 0], nan_ok=True)


def test_a_committee_is_two_models_with_a_weight_each():
    batch = batch_of([encode_runs(np.array([[1]], np.uint8))])
    for batches, weights in (([batch], [1.0]), ([batch, batch], [1.0])):
        with pytest.raises(InputError, match="at least two models and a weight for each"):
            vote_entropy(batches, place=PLACE, background=0, weights=weights)
