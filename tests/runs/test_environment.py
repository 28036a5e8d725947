"""Workers see the environment of the process whose work they do, as it is when they start."""

from __future__ import annotations

import os

import pytest

from figureground.core.environment import take_environment
from figureground.runs.executor import LocalExecutor

NAMES = ("FIGUREGROUND_SET_LATER", "FIGUREGROUND_REMOVED_LATER", "OMP_NUM_THREADS")


def values(names: tuple[str, ...]) -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in names}


def make_worker():
    return values


def test_it_becomes_that_of_the_other_process(monkeypatch):
    with monkeypatch.context() as patch:
        for name in list(os.environ):
            patch.delenv(name)
        take_environment({"KEPT": "1", "NEW": "2"})
        assert dict(os.environ) == {"KEPT": "1", "NEW": "2"}
        take_environment({"KEPT": "3"})
        assert dict(os.environ) == {"KEPT": "3"}
        take_environment({})


@pytest.mark.slow
def test_workers_see_what_was_set_after_the_process_that_they_are_forked_from_was_started(monkeypatch):
    monkeypatch.setenv("FIGUREGROUND_REMOVED_LATER", "1")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    first = list(LocalExecutor(2).map_batches(make_worker, [NAMES] * 3))
    assert all(found["FIGUREGROUND_SET_LATER"] is None for found in first)
    monkeypatch.setenv("FIGUREGROUND_SET_LATER", "2")
    monkeypatch.delenv("FIGUREGROUND_REMOVED_LATER")
    second = list(LocalExecutor(2).map_batches(make_worker, [NAMES] * 3))
    assert second == [{"FIGUREGROUND_SET_LATER": "2", "FIGUREGROUND_REMOVED_LATER": None, "OMP_NUM_THREADS": "1"}] * 3
