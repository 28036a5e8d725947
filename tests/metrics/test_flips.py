"""Flips under another ground, against pairs listed one by one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.metrics.answers import group_accuracy
from figureground.metrics.flips import FigureFlips, figure_flips, flip_rate, flip_rate_interval

ROWS = st.lists(
    st.tuples(st.sampled_from(["cat", "dog", "hare"]), st.sampled_from(["", "f", "g", "h"]), st.sampled_from(["", "in", "out", "sea"])),
    max_size=14,
)


def listed(rows):
    """Pairs and flips of each figure, pair by pair."""
    found = {}
    for (answer, figure, context), (other, same, elsewhere) in combinations(rows, 2):
        if figure and figure == same and context and elsewhere and context != elsewhere:
            pairs, flipped = found.get(figure, (0, 0))
            found[figure] = (pairs + 1, flipped + (answer != other))
    return found


@pytest.mark.slow
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_pairs_are_those_that_can_be_listed_in_any_order(rows, order):
    def of(some):
        answers, figures, contexts = (list(part) for part in zip(*some, strict=True)) if some else ([], [], [])
        return figure_flips(answers, figures, contexts, ["cat"] * len(some))

    found = of(rows)
    assert {one.figure: (one.pairs, one.flipped) for one in found} == listed(rows)
    shuffled = list(rows)
    order.shuffle(shuffled)
    assert of(shuffled) == found
    assert all(0 <= one.rate <= 1 for one in found)


def test_each_figure_counts_the_same_however_many_pictures_it_has():
    """f: 1 pair, flipped. g: on three grounds, cat cat dog: 2 of 3 pairs flipped. h: in one context, in no pair."""
    found = figure_flips(
        ["cat", "dog", "cat", "cat", "dog", "cat", "dog"],
        ["f", "f", "g", "g", "g", "h", "h"],
        ["in", "out", "in", "out", "sea", "in", "in"],
        ["cat"] * 7,
    )
    assert [(one.figure, one.pictures, one.pairs, one.flipped) for one in found] == [("f", 2, 1, 1), ("g", 3, 3, 2)]
    assert flip_rate(found) == pytest.approx((1 + 2 / 3) / 2)


def one(name: str, flipped: int, pairs: int = 2) -> FigureFlips:
    return FigureFlips(figure=name, label="cat", pictures=3, pairs=pairs, flipped=flipped)


def test_intervals_draw_figures_and_no_flip_is_no_proof():
    """0 of 10 figures: the exact upper end is 1 - 0.025^(1/10); with variance the bootstrap of the mean."""
    ends = flip_rate_interval([one(str(i), 0) for i in range(10)], level=0.95, resamples=500, seed=0)
    assert (float(ends.low), float(ends.high)) == (0.0, pytest.approx(0.3085, abs=1e-4))
    ends = flip_rate_interval([one(str(i), 2) for i in range(10)], level=0.95, resamples=500, seed=0)
    assert (float(ends.low), float(ends.high)) == (pytest.approx(0.6915, abs=1e-4), 1.0)
    rates = np.array([0, 1, 2] * 20) / 2
    ends = flip_rate_interval([one(str(i), round(2 * r)) for i, r in enumerate(rates)], level=0.95, resamples=4000, seed=1)
    reach = 1.96 * rates.std() / np.sqrt(rates.size)
    assert (float(ends.low), float(ends.high)) == (pytest.approx(0.5 - reach, abs=0.02), pytest.approx(0.5 + reach, abs=0.02))
    assert np.isnan(flip_rate([]))
    ends = flip_rate_interval([one("a", 1)], level=0.95, resamples=10, seed=0)
    assert ends.low < 0.5 < ends.high, "one figure proves little"
    assert np.isnan(flip_rate_interval([], level=0.95, resamples=10, seed=0).low)


def test_a_figure_has_one_label():
    with pytest.raises(InputError, match="'f' has pictures of the labels cat, dog"):
        figure_flips(["cat", "cat"], ["f", "f"], ["in", "out"], ["cat", "dog"])
    with pytest.raises(InputError, match="of one length"):
        figure_flips(["cat"], ["f", "f"], ["in", "out"], ["cat", "dog"])


@given(rows=st.lists(st.tuples(st.booleans(), st.integers(-1, 3)), max_size=20), shares=st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_accuracies_as_loops_have_them(rows, shares):
    right, groups = [r for r, _ in rows], [g for _, g in rows]
    found = group_accuracy(right, groups, shares=shares)
    each = {g: np.mean([r for r, h in rows if h == g]) for g in range(4) if g in groups}
    assert found.accuracy == pytest.approx(np.mean(right) if rows else float("nan"), nan_ok=True)
    assert found.worst == pytest.approx(min(each.values()) if each else float("nan"), nan_ok=True)
    assert found.mean == pytest.approx(np.mean(list(each.values())) if each else float("nan"), nan_ok=True)
    total = sum(shares[g] for g in each)
    expected = sum(shares[g] * each[g] for g in each) / total if total > 0 else float("nan")
    assert found.adjusted == pytest.approx(expected, nan_ok=True, rel=1e-6)
    assert found.counts.tolist() == [groups.count(g) for g in range(4)]
    with pytest.raises(InputError, match="must be in"):
        group_accuracy([True], [4], shares=shares)
