"""The mixture of a repair: every labelled sample once an epoch, training samples evenly, and every batch its share."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.models.fit.mixture import Mixture
from figureground.models.fit.order import batch_edges

MIXTURES = st.one_of(
    st.builds(
        Mixture, labelled=st.integers(1, 40), replay=st.integers(1, 60), how=st.just("ratio"), share=st.floats(0.05, 1.0, exclude_min=True)
    ),
    st.builds(Mixture, labelled=st.integers(1, 40), replay=st.integers(1, 60), how=st.just("epoch"), sampled=st.integers(0, 80)),
)


@given(MIXTURES, st.integers(0, 5))
def test_an_epoch_shows_every_labelled_sample_once_and_as_many_training_samples_as_said(mixture, epoch):
    order = mixture.order(seed=1, epoch=epoch)
    assert len(order) == len(mixture) == mixture.labelled + mixture.replayed
    assert sorted(order[order < mixture.labelled].tolist()) == list(range(mixture.labelled))
    assert ((order >= 0) & (order < mixture.labelled + mixture.replay)).all()


@given(MIXTURES, st.integers(1, 6))
def test_no_training_sample_is_shown_two_times_more_often_than_another(mixture, epochs):
    shown = np.concatenate([mixture.order(seed=2, epoch=epoch) for epoch in range(epochs)])
    counts = np.bincount(shown, minlength=mixture.labelled + mixture.replay)
    assert set(counts[: mixture.labelled].tolist()) == {epochs}
    replayed = counts[mixture.labelled :]
    assert replayed.max() - replayed.min() <= 1
    assert mixture.drawn(seed=2, epochs=epochs).tolist() == (np.flatnonzero(replayed) + mixture.labelled).tolist()


@given(st.integers(1, 40), st.integers(1, 60), st.floats(0.05, 1.0), st.integers(1, 9))
def test_every_batch_holds_its_share_of_labelled_samples(labelled, replay, share, batch):
    """By ratio, of any batch the labelled part is the share of the epoch, rounded down or up to whole pictures."""
    mixture = Mixture(labelled=labelled, replay=replay, how="ratio", share=share)
    order, edges = mixture.order(seed=0, epoch=3), batch_edges(len(mixture), batch)
    for start, end in pairwise(edges):
        held = int((order[start:end] < labelled).sum())
        assert abs(held - (end - start) * labelled / len(mixture)) < 1
    assert labelled / len(mixture) == pytest.approx(share, abs=share / labelled)


def test_one_to_one_in_batches_of_two_is_one_and_one():
    mixture = Mixture(labelled=7, replay=100, how="ratio", share=0.5)
    order = mixture.order(seed=0, epoch=0)
    assert len(order) == 14
    assert [int((pair < 7).sum()) for pair in order.reshape(7, 2)] == [1] * 7


def test_the_stream_of_training_samples_goes_on_from_epoch_to_epoch():
    """Five training samples, three an epoch: epochs 0 to 4 are three whole passes over them, one behind the other."""
    mixture = Mixture(labelled=3, replay=5, how="ratio", share=0.5)
    stream = [int(i) for epoch in range(5) for i in mixture.order(seed=4, epoch=epoch) if i >= 3]
    assert [sorted(stream[start : start + 5]) for start in (0, 5, 10)] == [[3, 4, 5, 6, 7]] * 3
    assert len({tuple(stream[start : start + 5]) for start in (0, 5, 10)}) > 1


def test_by_epoch_shuffles_all_together_and_the_seed_decides():
    mixture = Mixture(labelled=20, replay=50, how="epoch", sampled=10)
    order = mixture.order(seed=0, epoch=0)
    assert len(order) == 30
    assert Counter((order < 20).tolist()) == {True: 20, False: 10}
    assert not np.array_equal(np.sort(order[:20]), np.arange(20)), "labelled samples must not stand together"
    assert np.array_equal(order, mixture.order(seed=0, epoch=0))
    assert not np.array_equal(order, mixture.order(seed=1, epoch=0))
    assert not np.array_equal(order, mixture.order(seed=0, epoch=1))
    assert Mixture(labelled=20, replay=50, how="epoch").replayed == Mixture(labelled=20, replay=50, how="epoch", sampled=99).replayed == 50


def test_a_share_of_one_is_no_replay():
    mixture = Mixture(labelled=4, replay=0, how="ratio", share=1.0)
    assert sorted(mixture.order(seed=0, epoch=0).tolist()) == [0, 1, 2, 3]
    assert mixture.drawn(seed=0, epochs=3).size == 0


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"labelled": 0, "replay": 3}, "at least one labelled sample"),
        ({"labelled": 1, "replay": 3, "share": 0.0}, r"`share` must be in \(0, 1\]"),
        ({"labelled": 1, "replay": 0}, "no training sample to replay"),
    ],
)
def test_what_cannot_be_mixed_is_refused(given_, said):
    with pytest.raises(InputError, match=said):
        Mixture(how="ratio", **given_)
