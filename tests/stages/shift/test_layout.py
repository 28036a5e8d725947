"""Which sample has which number: group counts, balance, and what may change with rho."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.stages.shift.layout import Layout
from figureground.stages.shift.plan import context_order, dial_ranks, group_counts


def homes(classes, contexts):
    """For each class one context, or several but not all."""
    some = st.lists(st.integers(0, contexts - 1), min_size=1, max_size=contexts - 1, unique=True).map(tuple)
    return st.lists(some, min_size=classes, max_size=classes).map(tuple)


@st.composite
def layouts(draw):
    classes, contexts = draw(st.integers(2, 4)), draw(st.integers(2, 6))
    return Layout(
        classes=classes,
        contexts=contexts,
        homes=draw(homes(classes, contexts)),
        rho=draw(st.floats(0, 1)),
        train=draw(st.integers(1, 60)),
        val=draw(st.integers(0, 3)),
        test=draw(st.integers(0, 3)),
        seed=draw(st.integers(0, 5)),
    )


@given(layout=layouts())
def test_counts_are_those_of_the_dial(layout):
    """Training groups as `group_counts` says, every other group alike, ids unique and counted within their split."""
    places = [layout.place(index) for index in range(len(layout))]
    counts = {split: Counter((p.row, p.column) for p in places if p.split == split) for split in ("train", "val", "test")}
    for row in range(layout.classes):
        sizes = group_counts(
            layout.dial("train").per_class(row), rho=layout.rho, contexts=layout.contexts, own=list(layout.homes[: row + 1])
        )[row]
        assert [counts["train"][row, column] for column in range(layout.contexts)] == sizes.tolist()
    assert sum(layout.dial("train").per_class(row) for row in range(layout.classes)) == layout.train
    for split, each in (("val", layout.val), ("test", layout.test)):
        assert set(counts[split].values()) <= {each}
        assert sum(counts[split].values()) == each * layout.groups
    assert len({p.id for p in places}) == len(layout)
    for split in counts:
        numbers = [p.number for p in places if p.split == split]
        assert numbers == list(range(len(numbers)))


@given(layout=layouts(), higher=st.floats(0, 1))
def test_a_higher_rho_only_brings_samples_home(layout, higher):
    """When rho grows a sample stays where it is or moves into its own context, never into a third; classes never change."""
    low, high = sorted((layout.rho, higher))
    one, other = (
        Layout(
            classes=layout.classes,
            contexts=layout.contexts,
            homes=layout.homes,
            rho=rho,
            train=layout.train,
            val=1,
            test=1,
            seed=layout.seed,
        )
        for rho in (low, high)
    )
    for index in range(layout.train):
        a, b = one.place(index), other.place(index)
        assert (a.row, a.id) == (b.row, b.id)
        assert b.column in (a.column, *one.homes[a.row])


@pytest.mark.parametrize("contexts", range(2, 7))
def test_the_dial_from_end_to_end(contexts):
    """Over all counts of a class, from nobody at home to all: one step of the dial moves one sample, and that one home."""
    count = 25
    for row in range(4):
        home = row % contexts
        orders = [context_order(count, rho=n / count, contexts=contexts, homes=[home], row=row, seed=3) for n in range(count + 1)]
        assert (orders[0] != home).all()
        assert (orders[-1] == home).all()
        for low, high in pairwise(orders):
            (moved,) = np.flatnonzero(low != high)
            assert high[moved] == home


@pytest.mark.parametrize(("contexts", "wanted"), [(2, "a0bf7b02e7dd21cb"), (3, "c8dcbda23f1a3b80")])
def test_orders_that_results_rest_on_stay(contexts, wanted):
    """Published figures were made with these orders of two and three contexts; another digest means other pictures."""
    digest = hashlib.sha256()
    for row in range(contexts):
        for count in (20, 201):
            for rho in (0.0, 0.5, 0.6, 0.8, 0.95, 1.0):
                order = context_order(count, rho=rho, contexts=contexts, homes=[row], row=row, seed=5)
                digest.update(order.astype("<i8").tobytes())
    assert digest.hexdigest()[:16] == wanted


def test_the_order_of_samples_by_hand():
    """The second class of four contexts: ranks 5 to 0 from the last down go to 3, 0, 2 in turns, and from the front up home."""
    rank = dial_ranks(6, row=1, seed=0)
    for at_home, wanted in ((0, [2, 0, 3, 2, 0, 3]), (2, [1, 1, 3, 2, 0, 3]), (3, [1, 1, 1, 2, 0, 3])):
        assert context_order(6, rho=at_home / 6, contexts=4, homes=[1], row=1, seed=0).tolist() == [wanted[r] for r in rank]


def test_a_hand_checked_layout():
    """Three classes, seven samples, rho 1: in turns, each at home; then groups in order."""
    layout = Layout(classes=3, contexts=2, homes=((0,), (1,), (0,)), rho=1.0, train=7, val=1, test=0, seed=0)
    places = [layout.place(index) for index in range(13)]
    assert [p.id for p in places[5:9]] == ["train_000005", "train_000006", "val_000000", "val_000001"]
    assert [(p.row, p.column) for p in places] == [
        *((0, 0), (1, 1), (2, 0), (0, 0), (1, 1), (2, 0), (0, 0)),
        *((0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)),
    ]


@pytest.mark.parametrize(
    ("train", "rho", "said"),
    [
        (200, 0.95, ()),
        (12, 0.95, ("rho = 0.95 becomes 1.000 with 12 training samples; --train 40 meets it",)),
        (41, 0.75, ()),
        (10, 0.7, ("rho = 0.7 becomes 0.800 with 10 training samples; --train 20 meets it",)),
        (0, 0.7, ()),
    ],
)
def test_a_rho_that_whole_samples_do_not_give_is_told(train, rho, said):
    """Twelve samples at 0.95 hold no counterexample: the user learns it, and the next number that has what was asked."""
    assert Layout(classes=2, contexts=2, homes=((0,), (1,)), rho=rho, train=train, val=1, test=0, seed=0).notes == said


@given(layout=layouts())
def test_the_rho_that_is_told_is_the_one_of_the_samples(layout):
    """Counted picture by picture; and the number that the note names gives what was asked."""
    at_home = [place.column in layout.homes[place.row] for place in map(layout.place, range(layout.train))]
    assert layout.dial("train").reached == pytest.approx(np.mean(at_home))
    for note in layout.notes:
        enough = int(note.split("--train ")[1].split()[0])
        assert enough >= layout.train
        assert dataclasses.replace(layout, train=enough).notes == ()


def test_a_million_samples_are_no_list():
    """A far index of a huge layout costs what a near one does."""
    layout = Layout(classes=2, contexts=2, homes=((0,), (1,)), rho=0.95, train=1_000_000, val=10**9, test=10**9, seed=0)
    assert layout.place(len(layout) - 1).number == 4 * 10**9 - 1
    homes = np.array([layout.place(index).column == layout.place(index).row for index in range(0, 1_000_000, 997)])
    assert abs(homes.mean() - 0.95) < 0.03


@pytest.mark.parametrize("index", [-1, 13])
def test_outside_is_refused(index):
    layout = Layout(classes=3, contexts=2, homes=((0,), (1,), (0,)), rho=1.0, train=7, val=1, test=0, seed=0)
    with pytest.raises(InputError, match=r"\[0, 13\)"):
        layout.place(index)
