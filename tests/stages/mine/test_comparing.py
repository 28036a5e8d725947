"""Scores of the same worth are the same number, so that ties are decided by id and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from figureground.core.types import ClassTable, batch_of
from figureground.data.labelmap import encode_runs
from figureground.metrics.discrepancy import DISTANCES
from figureground.stages.mine.compare import compare

CLASSES = ClassTable(names=tuple("abcdefghijklmnopqrst"))


@pytest.mark.parametrize("distance", DISTANCES)
def test_calling_classes_by_other_names_changes_no_score(distance):
    """Not in the last bit, although sums run over the classes in their order."""
    rng = np.random.default_rng(0)
    maps = [rng.integers(0, 20, (9, 17)).astype(np.uint8) for _ in range(2)]
    maps[1] = np.where(rng.random(maps[0].shape) < 0.7, maps[0], maps[1])
    renamed = [[0, *(1 + rng.permutation(19)).tolist()] for _ in range(40)]
    batches = [batch_of([encode_runs(np.array(names, np.uint8)[m]) for names in renamed]) for m in maps]
    found = compare(batches, np.ones(40, bool), classes=CLASSES, distance=distance)
    assert len(set(found.distances[0].tolist())) == 1
    assert found.distances[0, 0] > 0


def test_no_distance_is_worked_out_where_none_is_asked_for():
    """Whether maps differ is known all the same."""
    one, other = (batch_of([encode_runs(np.array([[0, c]], np.uint8)) for c in own]) for own in ((1, 2), (1, 1)))
    found = compare([one, other], np.ones(2, bool), classes=CLASSES, distance=None)
    assert found.distances.tolist() == [[0, 0]]
    assert found.differing.tolist() == [[False, True]]
    assert found.parts[:, :, :3].tolist() == [[[0.5, 0.5, 0], [0.5, 0, 0.5]], [[0.5, 0.5, 0], [0.5, 0.5, 0]]]
