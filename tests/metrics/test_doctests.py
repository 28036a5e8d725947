"""The examples in the docstrings of the metrics, which a reader can check by hand."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest


@pytest.mark.parametrize("name", ["joint", "decompose", "groups", "risk", "ranking"])
def test_examples_in_docstrings(name):
    """Every example gives what it says, and there is at least one."""
    module = importlib.import_module(f"figureground.metrics.{name}")
    result = doctest.testmod(module, extraglobs={"np": np})
    assert result.attempted > 0
    assert result.failed == 0
