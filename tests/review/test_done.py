"""What a review still waits for: the rule by hand, and by the labels that it wrote."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest

from figureground.core.errors import InputError
from figureground.review.done import unanswered


@dataclass(frozen=True)
class Opinion:
    n: int
    mean: float
    vetoed: bool = False


VETO = Opinion(0, float("nan"), vetoed=True)


def left(opinions, masks=None, **asked):
    given = {"kind": "masked", "quorum": 1, "worst": 0, "labellers": 1, **asked}
    return "".join(unanswered("abcd", opinions, masks or {}, **given))


@pytest.mark.parametrize(
    ("opinions", "quorum", "waits"),
    [
        ({}, 1, "abcd"),
        ({one: Opinion(1, 3.0) for one in "abc"}, 1, "d"),
        ({one: Opinion(1, 3.0) for one in "abcd"}, 1, ""),
        ({one: Opinion(1, 3.0) for one in "abcd"}, 2, "abcd"),
        ({"a": Opinion(2, 3.0), "b": Opinion(3, 3.0), "c": Opinion(1, 3.0), "d": VETO}, 2, "c"),
        (dict.fromkeys("abcd", VETO), 3, ""),
        ({one: Opinion(1, 3.0, vetoed=True) for one in "abcd"}, 3, ""),
    ],
)
def test_a_picture_is_rated_by_its_quorum_or_out_of_domain_by_one_word(opinions, quorum, waits):
    assert left(opinions, kind="rated", quorum=quorum) == waits


def test_of_the_whole_queue_every_picture_needs_its_masks_but_those_out_of_domain():
    """Rated or not: with `worst` = 0 nothing is said of scores."""
    assert left({}) == "abcd"
    assert left({"b": VETO}, {"a": 1, "c": 2}) == "d"
    assert left({"b": VETO}, {"a": 1, "c": 2}, labellers=2) == "ad"
    assert left(dict.fromkeys("abcd", VETO)) == ""


def test_a_work_list_stands_once_all_are_rated():
    """Until then each rating may change it, so that those without their scores are waited for, whatever is drawn."""
    rated = {"a": Opinion(1, 2.0), "b": Opinion(1, 1.0), "c": Opinion(1, 1.0)}
    assert left({}, worst=2) == "abcd"
    assert left(rated, {"b": 1, "c": 1}, worst=2) == "d"
    assert left(rated, {"b": 1}, worst=2) == "cd"
    assert left({**rated, "d": VETO}, {"b": 1, "c": 1}, worst=2) == ""
    assert left({**rated, "d": Opinion(1, 1.0)}, {"b": 1}, worst=2) == "c", "ties by place"
    assert left({**rated, "d": Opinion(1, 5.0)}, worst=9) == "abcd", "the list is longer than the queue"


def test_there_are_two_kinds():
    with pytest.raises(InputError, match="rated or masked; got 'done'"):
        left({}, kind="done")


def test_to_ask_it_loads_neither_a_server_nor_a_database():
    heavy = "{'sqlalchemy', 'fastapi', 'starlette', 'uvicorn', 'torch'}"
    program = f"import sys; import figureground.review.done; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
