"""Order, balance and random streams: pure functions of seed and epoch, with the shares they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from figureground.core.errors import InputError
from figureground.models.fit.order import batch_edges, epoch_order, group_weights, sample_stream, turns

LABELS = st.integers(1, 60).flatmap(lambda n: hnp.arrays(np.int64, n, elements=st.integers(-1, 4)))
SKEWED = np.repeat([0, 1, 2, 3], [950, 50, 50, 950])


def test_a_stream_is_a_function_of_its_key():
    """The same key gives the same numbers; seed, epoch, index and turn each change them, and none can stand in for another."""
    draw = lambda **key: tuple(sample_stream(**key).integers(0, 2**62, 4).tolist())  # noqa: E731 - one expression
    keys = [{"seed": s, "epoch": e, "index": i, "turn": t} for s in (0, 1, 2**40) for e in (0, 1) for i in (0, 1) for t in (0, 1)]
    assert len({draw(**key) for key in keys}) == len(keys)
    assert all(draw(**key) == draw(**key) for key in keys)


def test_streams_of_neighbours_are_unrelated():
    """First draws of 2,000 samples of an epoch are uniform and do not follow those of their neighbours or of the next epoch."""
    first = np.array([sample_stream(seed=3, epoch=0, index=i).random() for i in range(2000)])
    later = np.array([sample_stream(seed=3, epoch=1, index=i).random() for i in range(2000)])
    assert abs(first.mean() - 0.5) < 0.03
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.08
    assert abs(np.corrcoef(first, later)[0, 1]) < 0.08


@given(groups=LABELS, seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 1000), balance=st.sampled_from(["none", "weight"]))
def test_without_sampling_an_epoch_shows_each_sample_once(groups, seed, epoch, balance):
    order = epoch_order(groups, seed=seed, epoch=epoch, balance=balance)
    assert sorted(order.tolist()) == list(range(groups.size))
    assert np.array_equal(order, epoch_order(groups, seed=seed, epoch=epoch, balance=balance))


@pytest.mark.parametrize("balance", ["none", "sample"])
def test_order_changes_with_seed_and_epoch(balance):
    orders = {tuple(epoch_order(SKEWED, seed=s, epoch=e, balance=balance)) for s in (0, 1) for e in (0, 1, 2)}
    assert len(orders) == 6


def test_sampling_evens_out_groups_and_keeps_the_length():
    """Of 2,000 draws from groups of 950, 50, 50 and 950 each group gets about 500, and each of its samples its part."""
    order = epoch_order(SKEWED, seed=0, epoch=0, balance="sample")
    assert order.size == SKEWED.size
    assert np.abs(np.bincount(SKEWED[order]) - 500).max() < 90
    assert np.bincount(order, minlength=2000)[950:1050].min() >= 1  # ten draws each are expected
    assert np.bincount(order, minlength=2000)[950:1050].max() < 30


def test_sampling_keeps_the_share_of_unknown_groups():
    groups = np.concatenate([SKEWED, np.full(2000, -1)])
    order = epoch_order(groups, seed=1, epoch=4, balance="sample")
    shares = np.bincount(groups[order] + 1) / groups.size
    assert shares == pytest.approx([0.5, 0.125, 0.125, 0.125, 0.125], abs=0.03)


@given(groups=LABELS)
def test_weights_even_out_groups_and_have_mean_one(groups):
    if (groups < 0).all():
        with pytest.raises(InputError, match="needs groups"):
            group_weights(groups)
        return
    weights = group_weights(groups)
    assert weights.mean() == pytest.approx(1)
    assert (weights[groups < 0] == 1).all()
    masses = [weights[groups == g].sum() for g in np.unique(groups[groups >= 0])]
    assert masses == pytest.approx([masses[0]] * len(masses))


def test_weights_by_hand():
    """Six known in groups of 4 and 2: 6 / (2 * 4) and 6 / (2 * 2); group 1 has no samples and is no group."""
    assert group_weights(np.array([0, 0, 0, 0, 2, 2, -1])).tolist() == [0.75] * 4 + [1.5] * 2 + [1.0]


def test_sampling_needs_groups():
    with pytest.raises(InputError, match="both a class and a context"):
        epoch_order(np.full(3, -1), seed=0, epoch=0, balance="sample")


@given(order=hnp.arrays(np.int64, st.integers(0, 40), elements=st.integers(0, 6)))
def test_turns_count_earlier_showings(order):
    assert turns(order).tolist() == [order[:place].tolist().count(value) for place, value in enumerate(order)]


@given(samples=st.integers(0, 200), batch=st.integers(1, 50))
def test_batches_are_few_and_even(samples, batch):
    edges = batch_edges(samples, batch)
    sizes = np.diff(edges)
    assert len(sizes) == -(-samples // batch)
    assert (edges[0], edges[-1]) == (0, samples)
    if samples:
        assert sizes.max() <= batch
        assert sizes.max() - sizes.min() <= 1
