"""Which candidates are in the test set, and why the others are not."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.data.labelmap import encode_runs
from figureground.stages.rank.queue import main_object
from figureground.stages.rank.testset import Candidate, Decision, choose_test_set, given_test_set

OBJECTS = ("cat", "dog", "bird", None)
CLASSES = ClassTable(names=("ground", "cat", "dog"), ids=(0, 1, 2))


@st.composite
def pools(draw) -> list[Candidate]:
    """Candidates of a few objects, some of them barred."""
    count = draw(st.integers(1, 40))
    return [
        Candidate(
            id=f"s{n:02d}",
            main_object=draw(st.sampled_from(OBJECTS)),
            vetoed=draw(st.integers(0, 5)) == 0,
            used="used for training: its id is in T" if draw(st.integers(0, 5)) == 0 else None,
            discrepancy=draw(st.integers(0, 6)) / 6,
            direction=draw(st.sampled_from(("target", "rival"))),
        )
        for n in range(count)
    ]


LIMITS = st.tuples(st.integers(1, 20), st.integers(0, 5), st.integers(0, 3), st.booleans())


def chosen(decisions: list[Decision]) -> list[str]:
    return [d.candidate.id for d in decisions if d.place is not None]


def choose(candidates, limits) -> list[Decision]:
    size, per_object, seed, duel = limits
    return choose_test_set(candidates, size=size, per_object=per_object, seed=seed, duel=duel)


@given(pools(), LIMITS)
def test_the_set_keeps_its_rules_and_every_candidate_is_told(candidates, limits) -> None:
    """No barred sample, no more of an object than allowed, no more than wanted; and no candidate that could still go in is out."""
    size, per_object, _, _ = limits
    decisions = choose(candidates, limits)
    assert sorted(d.candidate.id for d in decisions) == sorted(c.id for c in candidates)
    inside = [d.candidate for d in decisions if d.place is not None]
    assert [d.place for d in decisions[: len(inside)]] == list(range(1, len(inside) + 1))
    assert not any(c.vetoed or c.used for c in inside)
    counts = Counter(c.main_object for c in inside)
    assert len(inside) <= size
    assert not per_object or max(counts.values(), default=0) <= per_object
    for d in decisions[len(inside) :]:
        if d.kind == "object":
            assert counts[d.candidate.main_object] == per_object
        elif d.kind == "full":
            assert len(inside) == size
        else:
            assert d.kind == ("out of domain" if d.candidate.vetoed else "trained on")


@given(pools(), LIMITS, st.randoms(use_true_random=False))
def test_the_order_of_the_queue_does_not_matter(candidates, limits, random) -> None:
    mixed = list(candidates)
    random.shuffle(mixed)
    assert choose(mixed, limits) == choose(candidates, limits)


@given(pools(), LIMITS, st.data())
def test_one_more_veto_exchanges_one_sample_at_most(candidates, limits, data) -> None:
    """A sample that is called out of domain later is out; nothing else goes, and at most one comes."""
    limits = (*limits[:3], False)
    before = chosen(choose(candidates, limits))
    place = data.draw(st.integers(0, len(candidates) - 1))
    later = [replace(c, vetoed=True) if n == place else c for n, c in enumerate(candidates)]
    after = chosen(choose(later, limits))
    assert set(before) - set(after) <= {candidates[place].id}
    assert len(set(after) - set(before)) <= 1
    if candidates[place].id not in before:
        assert after == before


def test_the_order_is_that_of_a_digest_of_seed_and_id() -> None:
    """Said by a loop, so that another implementation finds the same set."""
    candidates = [Candidate(id=f"s{n}", main_object="cat" if n % 2 else "dog") for n in range(20)]
    order = sorted((c.id for c in candidates), key=lambda i: hashlib.sha256(f"7\t{i}".encode()).digest())
    cats, expected = Counter(), []
    for i in order:
        group = int(i[1:]) % 2
        if cats[group] < 3 and len(expected) < 5:
            cats[group] += 1
            expected.append(i)
    assert chosen(choose_test_set(candidates, size=5, per_object=3, seed=7)) == expected
    assert chosen(choose_test_set(candidates, size=5, per_object=3, seed=8)) != expected


def test_the_defaults_are_those_of_the_paper() -> None:
    candidates = [Candidate(id=f"s{n:03d}", main_object=f"class {n % 9}") for n in range(200)]
    decisions = choose_test_set(candidates)
    counts = Counter(d.candidate.main_object for d in decisions if d.place is not None)
    assert (sum(counts.values()), max(counts.values())) == (30, 4)
    few = choose_test_set([replace(c, main_object="cat") for c in candidates])
    assert len(chosen(few)) == 4
    assert {d.reason for d in few if d.place is None} == {"4 with main object 'cat' are in already"}


def test_a_duel_takes_the_largest_discrepancies_of_both_directions() -> None:
    """As many of either side as there are; equal ones by id."""
    scores = {
        "a": (0.2, "target"),
        "b": (0.9, "target"),
        "c": (0.9, "target"),
        "d": (0.5, "rival"),
        "e": (0.6, "rival"),
        "f": (0.7, "target"),
    }
    candidates = [Candidate(id=i, discrepancy=score, direction=side, main_object=i) for i, (score, side) in scores.items()]
    assert chosen(choose_test_set(candidates, size=6, duel=True)) == ["b", "e", "c", "d", "f", "a"]
    assert chosen(choose_test_set(candidates, size=3, duel=True)) == ["b", "e", "c"]
    one_object = [replace(c, main_object="cat" if c.id in "bcf" else c.id) for c in candidates]
    assert chosen(choose_test_set(one_object, size=4, per_object=1, duel=True)) == ["b", "e", "a", "d"]


def test_a_given_set_is_taken_as_it_is() -> None:
    """A veto that came since takes a sample out and nothing comes for it."""
    candidates = [Candidate(id=i, vetoed=i == "b") for i in "abcd"]
    decisions = given_test_set(candidates, ["d", "b", "a"], where="T")
    assert chosen(decisions) == ["d", "a"]
    assert {d.candidate.id: d.kind for d in decisions[2:]} == {"b": "out of domain", "c": "not given"}


def test_a_given_set_that_overlaps_with_training_is_refused() -> None:
    used = Candidate(id="b", used="used for training: its id is in net.csv")
    with pytest.raises(InputError, match=r"T: the test set overlaps with training: 'b', 1 of 2; .*its id is in net\.csv"):
        given_test_set([Candidate(id="a"), used], ["a", "b"], where="T")
    with pytest.raises(InputError, match="T: 1 of its 2 samples are not in the queue, such as 'x'"):
        given_test_set([Candidate(id="a")], ["a", "x"], where="T")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["111022"], "cat"),
        (["111022", "000022", "000002"], "dog"),
        (["111000", "222000"], "cat"),
        (["111000", "222200"], "dog"),
        (["000000"], None),
        (["000000", "000000", "111111"], None),
        (["000000", "000001"], "cat"),
        (["777777"], None),
    ],
)
def test_the_main_object_is_what_most_maps_see_most_of(rows: list[str], expected: str | None) -> None:
    """One vote a map; ties by area over all maps, then by the class table; void (7) is nothing."""
    maps = [encode_runs(np.array([[int(c) for c in row]], np.uint8)) for row in rows]
    assert main_object(maps, CLASSES) == expected
