"""Options: one declaration, checked the same from flags, TOML and Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from figureground.core.errors import InputError
from figureground.core.options import describe_options, make_options, option, read_option_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One option of each kind."""

    count: int = option(3, help="How many.", unit="px", bounds=(1, 10))
    share: float = option(0.5, help="A share.", bounds=(0.0, 1.0))
    kind: Literal["a", "b"] = option("a", help="Which.")
    names: tuple[str, ...] = option((), help="Several.")
    on: bool = option(False, help="Whether.")


def test_later_layers_win():
    """Default < TOML < flag, and dashes are underscores."""
    made = make_options(Options, {"count": 5, "share": 0.1}, {"count": 7})
    assert (made.count, made.share, made.kind) == (7, 0.1, "a")


def test_descriptions_carry_what_a_flag_needs():
    """Help, unit, bounds, choices and whether it repeats."""
    infos = {i.name: i for i in describe_options(Options)}
    assert infos["count"].unit == "px"
    assert infos["count"].bounds == (1, 10)
    assert infos["kind"].choices == ("a", "b")
    assert infos["names"].many
    assert not infos["on"].many


def test_whole_numbers_are_numbers_and_one_text_is_a_list():
    """1 is taken for a float, "x" for ("x",)."""
    made = make_options(Options, {"share": 1, "names": "x"})
    assert made.share == 1.0
    assert isinstance(made.share, float)
    assert made.names == ("x",)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cuont": 3}, "Did you mean `count`"),
        ({"count": 0}, r"\[1, 10\] px"),
        ({"count": True}, "whole number"),
        ({"count": "3"}, "whole number"),
        ({"share": 2.0}, r"\[0.0, 1.0\]"),
        ({"kind": "c"}, "one of a, b"),
        ({"names": [1]}, "list of texts"),
        ({"on": 1}, "true or false"),
    ],
)
def test_what_is_not_an_option_is_refused(given, words):
    """Unknown names get the nearest known one; values say what is expected."""
    with pytest.raises(InputError, match=words):
        make_options(Options, given)


def test_an_option_file_that_is_none(tmp_path):
    """Absent files and broken TOML name the file."""
    with pytest.raises(InputError, match=r"absent\.toml"):
        read_option_file(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(InputError, match="no valid TOML"):
        read_option_file(tmp_path / "bad.toml")
