"""What is said of a ranking in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.metrics.test_standings import drawn, members_of

from figureground.metrics.standings import Standings, standings
from figureground.stages.rank.options import RankOptions
from figureground.stages.rank.summary import summarise
from figureground.stages.rank.tables import model_table, pair_table

NAMES = ("a", "b", "c")


def told(found: Standings, *, duel: bool = False) -> str:
    members = members_of(drawn(), 0)
    models, pairs = model_table(found, NAMES), pair_table(found, NAMES, members, level=0.95)
    ids = [f"s{n}" for n in range(len(found.scores))]
    return summarise(found, models, pairs, samples=ids, void=0, duel=duel, options=RankOptions())["sentence"]


@pytest.fixture(scope="module")
def found() -> Standings:
    return standings(drawn(), resamples=20)


def test_the_sentence_names_the_first_two_and_how_far_they_are_apart(found) -> None:
    assert told(found).startswith(f"On 9 samples 'a' is first of 3, before 'b': {100 * found.value[0, 0]:.1f} against ")
    assert " % mIoU (difference " in told(found)
    assert told(found, duel=True).startswith("On 9 samples 'a' beats 'b': ")
    assert "First by" not in told(found)


def test_without_resamples_there_is_no_difference_in_brackets() -> None:
    assert "(difference" not in told(standings(drawn(), resamples=0))


@pytest.mark.parametrize(
    ("perron", "thurstone", "expected"),
    [
        ((1, 2, 0), (0, 1, 2), " First by the Perron vector 'b' and by Thurstone 'c'."),
        ((1, 2, 0), (1, 2, 0), " First by the Perron vector and Thurstone 'b'."),
        ((2, 1, 0), (0, 1, 2), " First by Thurstone 'c'."),
    ],
)
def test_another_first_by_another_ranking_is_told(perron, thurstone, expected, found) -> None:
    other = replace(found, value=np.array([found.value[0], found.value[1], perron, thurstone], float))
    assert expected in told(other)
