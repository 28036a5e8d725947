"""Whether small groups differ by chance: dealing their members out again."""

from __future__ import annotations

import doctest
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import permutation_test

from figureground.stages.shift import balance_chance
from figureground.stages.shift.balance import Difference, PictureFacts, balance_table
from figureground.stages.shift.balance_chance import dealt_p


def difference(facts: Sequence[PictureFacts], inside: int) -> Difference:
    """In the number of pieces, between the first so many pictures and the others."""
    table = balance_table(facts, ["cat"] * len(facts), ["in"] * inside + ["out"] * (len(facts) - inside))
    return next(one for one in table.differences if one.fact == "objects")


def test_the_example():
    result = doctest.testmod(balance_chance)
    assert (result.attempted, result.failed) == (2, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "part"), [((5, 95), 0.27), ((5, 95), 0.1), ((5, 5), 0.5), ((30, 200), 0.02)])
def test_false_alarms_of_small_groups_and_whole_numbers(sizes, part):
    """Some pictures hold a second piece, in both groups alike: no more than 5 in 100 are called beyond chance."""
    rng, n = np.random.default_rng(3), sum(sizes)
    found = []
    for _ in range(200):
        facts = [PictureFacts(objects=float(1 + extra)) for extra in rng.random(n) < part]
        found.append(difference(facts, sizes[0]))
    assert np.mean([not one.by_chance for one in found]) <= 0.05
    if sizes[0] < sizes[1]:
        assert np.mean([abs(one.d) > 1.96 * one.se for one in found]) > 0.15  # what the standard error alone says


def test_small_groups_that_differ_are_still_found():
    """Five pictures of two pieces against forty, few of which have two."""
    facts = [PictureFacts(objects=v) for v in [2.0] * 5 + [1.0] * 36 + [2.0] * 4]
    one = difference(facts, 5)
    assert one.p < 0.01
    assert not one.by_chance
    assert one.sentence.startswith("number of pieces differs between cat-in and cat-out: 2.00 against 1.10")


@pytest.mark.parametrize(("inside", "outside"), [(3, 4), (5, 14), (8, 300)])
def test_dealing_out_again_against_scipy(inside, outside):
    """Without clusters it is scipy's permutation test of the difference of means."""
    rng = np.random.default_rng(4)
    one, two = rng.normal(0.9, 1, inside), rng.normal(size=outside)
    told = permutation_test((one, two), lambda a, b, axis: a.mean(axis) - b.mean(axis), n_resamples=4999, rng=1).pvalue
    assert dealt_p(one, two, np.arange(inside), np.arange(inside, inside + outside)) == pytest.approx(told, abs=0.03)


def test_clusters_are_dealt_out_whole_and_turned_where_they_are_in_both():
    """By hand: two clusters against two have 6 deals, of which 2 are as far; three pairs have 8 turns, of which 2 are."""
    values, units = np.array([5.0, 5.0, 6.0, 6.0]), np.array([0, 0, 1, 1])
    assert dealt_p(values, values - 5, units, units + 2) == pytest.approx(2 / 6)
    pairs = np.array([1.0, 2.0, 4.0])
    assert dealt_p(pairs + 1, pairs, np.arange(3), np.arange(3)) == pytest.approx(2 / 8)
