"""The best of each group, kept while a pool goes by, and how quotas are filled from them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.core.types import ClassTable
from figureground.stages.mine.choose import choose
from figureground.stages.mine.groups import Group, mad_groups
from figureground.stages.mine.tops import COLUMNS, candidates, floors, merged

LAW = settings(max_examples=60)
IDS = [f"s{n:02d}" for n in range(30)]
SCORED = st.dictionaries(st.sampled_from(IDS), st.sampled_from([0.0, 0.25, 0.5, 1.0, float("nan")]), max_size=30)


class Everyone:
    """Lets everyone in but a few."""

    def __init__(self, *refused: str) -> None:
        self.refused, self.asked, self.prepared = refused, [], []

    def prepare(self, ids) -> None:
        self.prepared += ids

    def refusal(self, sample_id: str) -> str | None:
        self.asked.append(sample_id)
        return "not liked" if sample_id in self.refused else None


def table_of(groups: list[dict[str, float]], keep: int = 99) -> pa.Table:
    parts = []
    for number, own in enumerate(groups):
        scores = np.array(list(own.values()), np.float64)
        parts.append(candidates(number, scores, list(own), rows=np.arange(len(own)), keep=keep))
    return merged(parts, keep=[keep] * len(groups))


def quotas(*sizes: int) -> list[Group]:
    return [Group(rival=0, direction="target", class_id=n, one_sided=False, quota=size) for n, size in enumerate(sizes)]


@LAW
@given(st.lists(SCORED, min_size=1, max_size=3), st.integers(1, 6), st.integers(1, 4), st.randoms())
def test_the_best_of_parts_merged_in_any_order_are_the_best_of_the_whole(groups, keep, pieces, random):
    """Best first, ties by id, and what has no score is nobody's."""
    parts = [COLUMNS.empty_table()]
    for number, own in enumerate(groups):
        for piece in range(pieces):
            some = {i: s for place, (i, s) in enumerate(own.items()) if place % pieces == piece}
            scores = np.array(list(some.values()), np.float64)
            parts.append(candidates(number, scores, list(some), rows=np.arange(len(some)), keep=keep))
    random.shuffle(parts)
    at = random.randint(1, len(parts))
    found = merged([merged(parts[:at], keep=[keep] * len(groups)), *parts[at:]], keep=[keep] * len(groups))
    expected = [
        (number, i, score)
        for number, own in enumerate(groups)
        for score, i in sorted(((s, i) for i, s in own.items() if s == s), key=lambda one: (-one[0], one[1]))[:keep]
    ]
    assert [(row["group"], row["id"], row["score"]) for row in found.to_pylist()] == expected
    worst = [[score for g, _, score in expected if g == number] for number in range(len(groups))]
    assert floors(found, keep=[keep] * len(groups)).tolist() == [own[-1] if len(own) == keep else -np.inf for own in worst]


@LAW
@given(st.lists(SCORED, min_size=1, max_size=4), st.integers(1, 5), st.integers(0, 12), st.sets(st.sampled_from(IDS), max_size=4))
def test_the_laws_of_a_choice(groups, quota, budget, refused):
    """Nobody twice, no quota and no budget exceeded, nobody asked twice, and a place is empty only where candidates have run out."""
    groups = [{i: s for i, s in own.items() if s == s} for own in groups]
    admission = Everyone(*refused)
    choice = choose(table_of(groups), quotas(*[quota] * len(groups)), budget=budget, admission=admission)
    taken = [one.id for one in choice.chosen]
    assert len(set(taken)) == len(taken)
    assert len(admission.asked) == len(set(admission.asked))
    assert set(admission.asked) == set(taken) | set(choice.refused)
    assert set(admission.asked) <= set(admission.prepared)
    assert not set(taken) & refused
    assert (choice.filled <= quota).all()
    assert not budget or len(taken) <= budget
    assert int(choice.filled.sum()) == sum(1 + len(one.others) for one in choice.chosen)
    if not budget:
        assert choice.filled.tolist() == [min(quota, len(own.keys() - refused)) for own in groups]
        best = {i for own in groups for i in sorted(own.keys() - refused, key=lambda i: (-own[i], i))[:quota]}
        assert set(taken) == best


def test_groups_take_turns_and_the_best_of_a_round_comes_first():
    """By hand: a shared sample counts for both, and an id that sorts first wins a tie."""
    groups = [{"a": 0.9, "c": 0.5, "e": 0.1}, {"b": 0.9, "c": 0.8}, {"c": 0.2, "f": 0.1}]
    choice = choose(table_of(groups), quotas(2, 2, 1), budget=0, admission=Everyone())
    assert [one.id for one in choice.chosen] == ["a", "b", "c"]
    assert choice.filled.tolist() == [2, 2, 1]
    third = choice.chosen[2]
    assert (third.group, third.others) == (2, [1, 0])


def test_a_refused_sample_gives_its_place_to_the_next():
    choice = choose(table_of([{"a": 0.9, "b": 0.8, "c": 0.7}]), quotas(2), budget=0, admission=Everyone("a"))
    assert [one.id for one in choice.chosen] == ["b", "c"]
    assert dict(choice.refused) == {"a": "not liked"}


def test_every_rival_direction_and_foreground_class_has_a_quota():
    """In this order, one-sided ones last."""
    classes = ClassTable(names=("cat", "ground", "dog"), background=1)
    groups = mad_groups(classes, (5, 2), one_sided=True)
    plain = [(r, d, c, False, q) for r, q in ((0, 5), (1, 2)) for d in ("target", "rival") for c in (0, 2)]
    sided = [(r, d, None, True, q) for r, q in ((0, 5), (1, 2)) for d in ("target", "rival")]
    assert [(g.rival, g.direction, g.class_id, g.one_sided, g.quota) for g in groups] == plain + sided
    assert len(mad_groups(classes, (5, 2), one_sided=False)) == len(plain)


@pytest.mark.parametrize("keep", [1, 3])
def test_ties_with_the_last_candidate_are_all_kept_until_ids_decide(keep):
    """A chunk does not know the ids of the others."""
    scores = np.full(6, 0.5)
    assert len(candidates(0, scores, IDS[:6], rows=np.arange(6), keep=keep)) == 6
    scores[0] = 0.6
    assert len(candidates(0, scores, IDS[:6], rows=np.arange(6), keep=1)) == 1
