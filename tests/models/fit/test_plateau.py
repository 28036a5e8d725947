"""A plateau of the validation brings the learning rate down, also across an interruption."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.models.fit.learnable import TINY
from tests.models.fit.test_loop import run, same, splits  # noqa: F401
from tests.support import Watcher

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.models.fit.evaluate import figures_of

HOW = {
    "architecture": f"python:{TINY}:tiny?norm=False",
    "optimizer": "sgd",
    "schedule": "plateau",
    "plateau_patience": 1,
    "plateau_factor": 0.5,
    "monitor": "balanced_accuracy",
    "epochs": 8,
    "lr": 1e-9,
}


@pytest.mark.slow
def test_an_epoch_runs_at_the_rate_that_those_before_it_brought(splits, tmp_path):  # noqa: F811
    """With a rate too small to learn from nothing gets better: two epochs that are no better halve it, again and again."""
    result = run(splits, tmp_path / "a", **HOW)
    assert [line.lr / 1e-9 for line in result.history] == pytest.approx([1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125])


@pytest.mark.slow
def test_an_interrupted_one_goes_on_at_its_rate(splits, tmp_path):  # noqa: F811
    whole = run(splits, tmp_path / "a", **HOW, checkpoint_every=1)
    with pytest.raises(KeyboardInterrupt):
        run(splits, tmp_path / "b", **HOW, checkpoint_every=1, reporter=Watcher(stop_after=18))
    assert same(run(splits, tmp_path / "b", **HOW, checkpoint_every=1), whole)


def test_a_plateau_needs_a_validation(splits, tmp_path):  # noqa: F811
    with pytest.raises(InputError, match="plateau waits for a validation"):
        run(splits, tmp_path / "a", validated=False, schedule="plateau")


def test_balanced_accuracy_by_hand():
    """Truth ground 8 of 10 right, cat 1 of 4 right, dog nowhere: (0.8 + 0.25) / 2; without any truth it is undefined."""
    classes = ClassTable(names=("ground", "cat", "dog"))
    counts = np.array([[[8, 2, 0], [3, 1, 0], [0, 0, 0]]], np.int64)
    found = figures_of(counts, classes=classes, group_names=(), loss=0.0)
    assert found.balanced_accuracy == pytest.approx((0.8 + 0.25) / 2)
    assert math.isnan(figures_of(np.zeros_like(counts), classes=classes, group_names=(), loss=0.0).balanced_accuracy)
