"""The class table and the registry refuse what contradicts itself."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from figureground.core.errors import Fault, FormatError, InputError, MissingExtra
from figureground.core.registry import Registry
from figureground.core.types import ClassTable


def test_a_class_table_knows_its_classes():
    """Ids default to 0, 1, 2; names and ids find one another; the dtype holds every id."""
    table = ClassTable(names=("ground", "cat", "dog"))
    assert table.ids == (0, 1, 2)
    assert table.foreground == (1, 2)
    assert table.name_of(2) == "dog"
    assert table.id_of("cat") == 1
    assert table.dtype == np.uint8
    assert ClassTable(names=("ground", "cat"), ids=(0, 300)).dtype == np.uint16
    assert ClassTable(names=("ground", "cat"), ignore=65_535).dtype == np.uint16


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"names": ()}, "at least one class"),
        ({"names": ("a", "a")}, "unique"),
        ({"names": ("a", "b"), "ids": (0,)}, "one id per name"),
        ({"names": ("a", "b"), "ids": (0, 65_536)}, "65535"),
        ({"names": ("a", "b"), "background": 5}, "`background` = 5"),
        ({"names": ("a", "b"), "ignore": 1}, "also the id of class 'b'"),
        ({"names": ("a", "b"), "ignore": -1}, "`ignore` must be in"),
        ({"names": ("a", "b"), "colours": ((0, 0, 0),)}, "one RGB per class"),
        ({"names": ("a", "b"), "colours": ((0, 0, 0), (0, 0, 0))}, "unique"),
    ],
)
def test_a_class_table_that_contradicts_itself_is_refused(given, words):
    """Each contradiction is named; `background` and `ignore` are two things."""
    with pytest.raises(InputError, match=words):
        ClassTable(**given)


def test_unknown_classes_are_named():
    """Asking for what is not there says what is."""
    table = ClassTable(names=("ground", "cat"))
    with pytest.raises(InputError, match="'dog'"):
        table.id_of("dog")
    with pytest.raises(InputError, match="7"):
        table.name_of(7)


def test_errors_survive_the_way_back_from_a_worker():
    """Pickled and unpickled, an error has its words and its fault."""
    fault = Fault(code="empty-file", problem="the file is empty", remedy="Write it again.", sample="a", file="a.png")
    again = pickle.loads(pickle.dumps(FormatError(fault)))
    assert again.fault == fault
    assert str(again) == "a.png: sample 'a': the file is empty. Write it again."
    missing = pickle.loads(pickle.dumps(MissingExtra("torch", extra="torch", needed_for="smp models")))
    assert "pip install 'figureground[torch]'" in str(missing)


def test_a_registry_resolves_on_use_and_lists_what_it_knows():
    """A known name gives the object; an unknown one the nearest."""
    registry = Registry("thing", group="figureground.tests", builtin={"table": "figureground.core.types:ClassTable"})
    assert registry.resolve("table") is ClassTable
    with pytest.raises(InputError, match=r"unknown thing 'tabel'. Did you mean 'table'\? Known: table"):
        registry.resolve("tabel")
