"""The order of the rate screen: every picture once, some twice, the second far behind the first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from figureground.review.schedule import APART, schedule


@given(count=st.integers(0, 120), repeats=st.floats(0, 1), seed=st.integers(0, 5), who=st.integers(0, 2**31 - 1))
def test_everything_once_and_a_share_twice(count, repeats, seed, who):
    """First showings are a permutation; so many places as asked for come again, once, behind their first showing."""
    plan = schedule(seed=seed, reviewer_seed=who, count=count, repeats=repeats)
    first = [place for place, showing in plan if showing == 0]
    again = [place for place, showing in plan if showing == 1]
    assert sorted(first) == list(range(count))
    assert len(again) == len(set(again)) == round(repeats * count)
    assert all(plan.index((place, 0)) < plan.index((place, 1)) for place in again)


@given(count=st.integers(APART, 150), share=st.floats(0, 1), who=st.integers(0, 1000))
def test_a_repeat_is_hidden_far_behind(count, share, who):
    """With enough pictures behind each repeat's first showing there are at least nine others in between."""
    repeats = share * (count - APART + 1) / count
    plan = schedule(seed=0, reviewer_seed=who, count=count, repeats=repeats)
    at = {item: number for number, item in enumerate(plan)}
    assert all(at[place, 1] - at[place, 0] >= APART for place, showing in plan if showing == 1)


def test_the_order_is_each_reviewers_own_and_stays():
    """The same for the same seeds; another for another reviewer, and for another seed of the project."""
    plan = schedule(seed=1, reviewer_seed=5, count=50, repeats=0.1)
    assert plan == schedule(seed=1, reviewer_seed=5, count=50, repeats=0.1)
    assert plan != schedule(seed=1, reviewer_seed=6, count=50, repeats=0.1)
    assert plan != schedule(seed=2, reviewer_seed=5, count=50, repeats=0.1)


def test_repeats_do_not_stand_in_one_place():
    """Over many reviewers a repeat comes early and late, so that nobody learns where they are."""
    found = {
        number
        for who in range(60)
        for number, (_, showing) in enumerate(schedule(seed=0, reviewer_seed=who, count=60, repeats=0.05))
        if showing
    }
    assert len(found) > 35
    assert min(found) < 20
    assert max(found) > 55
