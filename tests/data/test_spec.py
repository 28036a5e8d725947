"""Specs are taken apart as written, and keys that nobody knows are named with the nearest known one."""

from __future__ import annotations

import pytest

from figureground.core.errors import InputError
from figureground.data.spec import check_keys, chosen, listed, parse_spec


@pytest.mark.parametrize(
    ("text", "kind", "where", "options"),
    [
        ("voc:a/b?split=val", "voc", "a/b", {"split": "val"}),
        ("a/b", None, "a/b", {}),
        ("C:/data", None, "C:/data", {}),
        ("memory://set", None, "memory://set", {}),
        ("coco:s3://bucket/x.json?id=file&crowd=skip", "coco", "s3://bucket/x.json", {"id": "file", "crowd": "skip"}),
        ("what?is this", None, "what?is this", {}),
        ("folders:a?classes=traffic light,b%26c", "folders", "a", {"classes": "traffic light,b&c"}),
        ("png:a?scores=", "png", "a", {"scores": ""}),
    ],
)
def test_parts_of_a_spec(text, kind, where, options):
    spec = parse_spec(text)
    assert (spec.kind, spec.where, dict(spec.options)) == (kind, where, options)


def test_a_name_may_stand_in_front_of_predictions_only():
    spec = parse_spec("large=png:a?scores=b.csv", named=True)
    assert (spec.name, spec.kind, spec.where, spec.options) == ("large", "png", "a", {"scores": "b.csv"})
    assert parse_spec("png:a?scores=b.csv", named=True).name is None
    assert parse_spec("large=png:a").name is None


@pytest.mark.parametrize("text", ["", "voc:", "voc:?split=val"])
def test_a_spec_needs_a_place(text):
    with pytest.raises(InputError, match="names no place"):
        parse_spec(text)


def test_an_option_given_twice_is_refused():
    with pytest.raises(InputError, match="twice"):
        parse_spec("voc:a?split=val&split=train")


def test_unknown_keys_and_choices():
    with pytest.raises(InputError, match=r"place: unknown key `clases`. Did you mean `classes`"):
        check_keys({"clases": "x"}, ("classes", "masks"), where="place")
    with pytest.raises(InputError, match="must be one of a, b"):
        chosen({"x": "c"}, "x", ("a", "b"), default="a")
    assert chosen({}, "x", ("a", "b"), default="a") == "a"
    assert listed({"x": "a, b,,c"}, "x") == ["a", "b", "c"]
    assert listed({}, "x") is None
