"""Which samples an epoch shows: repeated ones and evened-out groups, against counts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.models.fit.order import loss_weights
from figureground.models.fit.plans import Repeated, Subsampled


@given(times=st.lists(st.integers(0, 4), min_size=1, max_size=9).filter(any), seed=st.integers(0, 9), epoch=st.integers(0, 3))
def test_each_sample_is_shown_as_often_as_said(times, seed, epoch):
    plan = Repeated(times=np.array(times))
    order = plan.order(seed=seed, epoch=epoch)
    assert len(order) == len(plan)
    assert Counter(order.tolist()) == {place: n for place, n in enumerate(times) if n}
    assert np.array_equal(order, plan.order(seed=seed, epoch=epoch))
    assert Repeated(times=np.array([*times, 1])).identity() != plan.identity()


@given(groups=st.lists(st.integers(-1, 3), min_size=1, max_size=20).filter(lambda g: max(g) >= 0), seed=st.integers(0, 9))
def test_every_group_keeps_as_many_as_the_smallest_has(groups, seed):
    """The same ones in every epoch, in another order; samples of no group are left out."""
    plan = Subsampled(groups=np.array(groups), seed=seed)
    first, second = (plan.order(seed=seed, epoch=epoch) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == plan.kept().tolist()
    sizes = Counter(g for g in groups if g >= 0)
    assert Counter(groups[place] for place in first) == dict.fromkeys(sizes, min(sizes.values()))
    assert len(set(first.tolist())) == len(first) == len(plan)


def test_what_cannot_be_shown():
    for times in ([], [0, 0], [-1, 2]):
        with pytest.raises(InputError, match="times"):
            Repeated(times=np.array(times))
    with pytest.raises(InputError, match="subsample needs groups"):
        Subsampled(groups=np.array([-1, -1]), seed=0)


def test_weights_of_groups_and_classes_by_hand():
    """Groups of 3 and 1 of 4: 2/3 and 2. Classes of 1 and 3: 2 and 2/3. Both: the products."""
    groups, targets = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1])
    by_group, by_class = [2 / 3, 2 / 3, 2 / 3, 2], [2, 2 / 3, 2 / 3, 2 / 3]
    assert loss_weights(groups, targets, balance="weight", class_weights="none") == pytest.approx(by_group)
    assert loss_weights(groups, targets, balance="none", class_weights="balanced") == pytest.approx(by_class)
    both = loss_weights(groups, targets, balance="weight", class_weights="balanced")
    assert both == pytest.approx([a * b for a, b in zip(by_group, by_class, strict=True)])
    assert loss_weights(groups, None, balance="subsample", class_weights="balanced") == pytest.approx([1] * 4)
