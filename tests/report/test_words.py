"""Numbers become words without lying: rounding never says 0 or 100 where it is not, undefined is never 0."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.report import groups, words


@pytest.mark.parametrize("module", [words, groups])
def test_the_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.271, "27.1\u202f%"),
        (0.0, "0.0\u202f%"),
        (1.0, "100.0\u202f%"),
        (0.0001, "<\u202f0.1\u202f%"),
        (0.99999, ">\u202f99.9\u202f%"),
        (0.9994, "99.9\u202f%"),
        (None, "undefined"),
        (math.nan, "undefined"),
    ],
)
def test_percent(value, said):
    assert words.percent(value) == said


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_part_that_is_neither_nothing_nor_all_is_never_shown_as_such(value):
    assert words.percent(value) not in {"0.0\u202f%", "100.0\u202f%"}


@given(st.floats(0, 1))
def test_the_digits_are_within_half_a_unit_of_the_value(value):
    said = words.bare(value)
    if "<" not in said and ">" not in said:
        assert abs(float(said) - 100 * value) <= 0.05 + 1e-9


def test_signs_are_said_where_asked_and_no_minus_stands_before_zero():
    assert words.bare(0.012, sign=True) == "+1.2"
    assert words.bare(-0.012, sign=True) == "\u22121.2"
    assert words.bare(-0.00001, sign=True) == "\u22120.001"
    assert words.bare(-1e-9, sign=True) == words.bare(0.0, sign=True) == words.bare(-0.0) == "0.0"


def test_an_interval_with_an_undefined_end_is_not_shown():
    assert words.interval(0.1, 0.2) == "10.0\u201320.0"
    assert words.interval(-0.1, 0.2, sign=True) == "\u221210.0 to +20.0"
    assert words.interval(None, 0.2) == words.interval(0.1, math.nan) == ""


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0 px"), (999, "999 px"), (1_500, "1.5 kpx"), (999_900, "1,000 kpx"), (123_456_789, "123 Mpx"), (None, "?")]
)
def test_pixels(value, said):
    assert words.pixels(value).replace("\u202f", " ") == said


def test_names_of_groups_and_lists():
    assert words.group_name({"class": "cat", "context": ""}) == "cat \u00d7 (no context)"
    assert words.group_name({}) == "all samples"
    assert words.listing([]) == ""
    assert words.listing(["a"]) == "a"
    assert words.listing(["a", "b", "c"]) == "a, b and c"
    assert words.listing(list("abcdefgh"), most=2) == "a, b and 6 more"


def test_confusions_read_as_words():
    assert words.confused_pair("cat > dog") == ("cat", "dog")
    assert words.confused_pair("") is words.confused_pair(None) is None


@pytest.mark.parametrize(
    ("flips", "said"),
    [
        ({"a": 0.1, "b": 0.3}, "Of 2 predictions, a flips the least foreground (10.0\u202f%) and b the most (30.0\u202f%)."),
        ({"a": 0.1, "b": None}, "a flips 10.0\u202f% of the foreground."),
        ({"a": None, "b": None}, "2 predictions compared; no foreground truth pixel was counted, so no share can be given."),
    ],
)
def test_predictions_are_compared_in_one_sentence(flips, said):
    assert words.compare_sentence(flips) == said


@pytest.mark.parametrize(
    ("auroc", "grade"),
    [(0.95, "apart very well"), (0.85, "apart well"), (0.7, "only in part"), (0.5, "hardly"), (0.2, "points the wrong way")],
)
def test_the_words_for_risk_follow_the_number(auroc, grade):
    (said,) = words.risk_sentences(share=None, best=None, auroc=auroc, tau=0.1, spearman=None)
    assert grade in said


def test_undefined_risk_says_why():
    (said,) = words.risk_sentences(share=None, best=None, auroc=None, tau=None, spearman=None)
    assert words.REASONS["risk"] in said


def test_the_opening_is_the_first_sentence():
    assert words.opening("27 % are flipped; indoors 3 %. Over all, 60 % is correct.") == (
        "27 % are flipped; indoors 3 %.",
        "Over all, 60 % is correct.",
    )
    assert words.opening("Only 2.5 % is.") == ("Only 2.5 % is.", "")
