"""Loggers: only where they are asked for, told finite numbers, and named where they are not installed."""

from __future__ import annotations

import sys
import types

import pytest

from figureground.core.errors import InputError, MissingExtra
from figureground.models.fit.loggers import finite, open_loggers


def opened(name, tmp_path):
    return open_loggers([name], folder=tmp_path, run="first", options={"lr": 0.1})[0]


def test_tensorboard_writes_curves_that_tensorboard_reads(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = opened("tensorboard", tmp_path)
    logger.log(4, {"loss": 0.5})
    logger.log(8, {"loss": 0.25})
    logger.close()
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(event.step, event.value) for event in found.Scalars("loss")] == [(4, 0.5), (8, 0.25)]


def test_mlflow_gets_a_run_with_options_and_metrics(tmp_path, monkeypatch):
    told = []
    fake = types.ModuleType("mlflow")
    fake.start_run = lambda run_name: told.append(("start", run_name))
    fake.log_params = lambda values: told.append(("params", values))
    fake.log_metrics = lambda values, step: told.append((step, values))
    fake.end_run = lambda: told.append("end")
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    logger = opened("mlflow", tmp_path)
    logger.log(4, {"loss": 0.5})
    logger.close()
    assert told == [("start", "first"), ("params", {"lr": 0.1}), (4, {"loss": 0.5}), "end"]


def test_wandb_gets_a_run_with_options_and_metrics(tmp_path, monkeypatch):
    told = []
    run = types.SimpleNamespace(log=lambda values, step: told.append((step, values)), finish=lambda: told.append("end"))
    fake = types.ModuleType("wandb")
    fake.init = lambda **given: told.append(given) or run
    monkeypatch.setitem(sys.modules, "wandb", fake)
    logger = opened("wandb", tmp_path)
    logger.log(4, {"loss": 0.5})
    logger.close()
    assert told == [{"project": "figureground", "name": "first", "config": {"lr": 0.1}, "dir": str(tmp_path)}, (4, {"loss": 0.5}), "end"]


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_logger_that_is_not_installed_names_its_extra(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=rf"`log` {name} needs the package `{name}`.*figureground\[{name}\]"):
        opened(name, tmp_path)


def test_an_unknown_logger_lists_the_known_ones(tmp_path):
    with pytest.raises(InputError, match=r"unknown logger 'tensorbord'\. Did you mean 'tensorboard'"):
        opened("tensorbord", tmp_path)


def test_no_logger_is_told_nan():
    assert finite({"a": 1.0, "b": float("nan"), "c": float("inf")}) == {"a": 1.0}
