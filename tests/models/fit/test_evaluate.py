"""Validation figures against loops over pixels, and that validating changes nothing."""

from __future__ import annotations

import math
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.models.fit.batch import IGNORE, Batch
from figureground.models.fit.devices import OneDevice
from figureground.models.fit.evaluate import figures_of, validate
from figureground.models.fit.objectives import CrossEntropy, GroupDRO
from figureground.models.fit.step import mass_of

CLASSES = ClassTable(names=("cat", "ground", "dog"), ids=(2, 5, 9), background=5)
NAMES = ("cat, in", "dog, in", "dog, out")


class Answers(nn.Module):
    """Gives the logits that stand in the first channels of its input."""

    def forward(self, images):
        return images


def batch_of(truth, predicted, groups, seed=0):
    """A batch whose network answers `predicted`."""
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(size=(len(truth), 3, *truth.shape[1:])).astype(np.float32))
    logits.scatter_(1, torch.from_numpy(predicted)[:, None], 9.0)
    return Batch(
        images=logits,
        masks=torch.from_numpy(truth),
        groups=torch.tensor(groups),
        indices=torch.arange(len(truth)),
        weights=torch.ones(len(truth)),
    )


def run(batches, objective=None, network=None, names=NAMES):
    return validate(
        network or Answers(),
        objective or CrossEntropy(),
        batches,
        devices=OneDevice(torch.device("cpu")),
        classes=CLASSES,
        group_names=names,
        mass_of=lambda batch: mass_of(batch, "ce"),
        autocast=nullcontext,
    )


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(5)
    truth, predicted = rng.integers(0, 3, (7, 6, 5)), rng.integers(0, 3, (7, 6, 5))
    truth[:, 0] = IGNORE
    return truth, predicted, [0, 1, 1, -1, 2, 0, 1]


def test_figures_are_those_of_a_loop_over_pixels(case):
    truth, predicted, groups = case
    found = run([batch_of(truth[:3], predicted[:3], groups[:3]), batch_of(truth[3:], predicted[3:], groups[3:])])
    pairs = [
        (int(t), int(p), g)
        for one, other, g in zip(truth, predicted, groups, strict=True)
        for t, p in zip(one.flat, other.flat, strict=True)
        if t != IGNORE
    ]
    ground = 1
    figure = [(t, p) for t, p, _ in pairs if t != ground]
    assert found.correct == pytest.approx(sum(t == p for t, p in figure) / len(figure))
    assert found.flipped == pytest.approx(sum(t != p and p != ground for t, p in figure) / len(figure))
    assert found.missed == pytest.approx(sum(p == ground for _, p in figure) / len(figure))
    back = [(t, p) for t, p, _ in pairs if t == ground]
    assert found.added == pytest.approx(sum(p != ground for _, p in back) / len(back))
    either = [(t, p) for t, p, _ in pairs if t != ground or p != ground]
    assert found.foreground_iou == pytest.approx(sum(t != ground and p != ground for t, p in either) / len(either))
    for c in range(3):
        union = sum(t == c or p == c for t, p, _ in pairs)
        assert found.class_iou[c] == pytest.approx(sum(t == c and p == c for t, p, _ in pairs) / union)
    assert found.miou == pytest.approx(np.mean(found.class_iou))
    rates = {}
    for number, name in enumerate(NAMES):
        own = [(t, p) for t, p, g in pairs if g == number and t != ground]
        rates[name] = sum(t != p and p != ground for t, p in own) / len(own)
    assert found.group_flipped == pytest.approx(rates)
    assert found.worst_group_flipped == pytest.approx(max(rates.values()))
    assert found.worst_group == max(rates, key=rates.get)


def test_the_loss_is_the_mean_over_all_pixels_however_they_are_batched(case):
    """Batches of 1, 2 and 4 pictures, one of them with more void, give the loss of all seven at once."""
    truth, predicted, groups = case
    truth = truth.copy()
    truth[0] = np.where(np.arange(5) < 4, IGNORE, truth[0])
    whole = batch_of(truth, predicted, groups)
    parts = [
        Batch(**{name: getattr(whole, name)[rows] for name in ("images", "masks", "groups", "indices", "weights")})
        for rows in (slice(0, 1), slice(1, 3), slice(3, 7))
    ]
    assert run(parts).loss == pytest.approx(run([whole]).loss, rel=1e-6)


def test_nothing_known_gives_nan_and_not_zero():
    empty = figures_of(np.zeros((1, 3, 3), np.int64), classes=CLASSES, group_names=(), loss=math.nan)
    assert all(math.isnan(value) for value in empty.figures().values())
    assert empty.worst_group == ""


def test_validation_changes_neither_network_nor_objective_and_brings_modes_back(case):
    """Batch statistics, group weights and training modes are as before; the published code moved group weights here."""
    truth, predicted, groups = case
    network, objective = nn.Sequential(nn.BatchNorm2d(3), Answers()).train(), GroupDRO(groups=3, step=0.5).train()
    before = [t.clone() for t in (*network.state_dict().values(), *objective.state_dict().values())]
    run([batch_of(truth, predicted, groups)], objective=objective, network=network)
    after = [*network.state_dict().values(), *objective.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert network.training
    assert objective.training


def test_another_number_of_channels_is_refused(case):
    truth, predicted, groups = case
    with pytest.raises(InputError, match="gives 2 channels for 3 classes"):
        run([batch_of(truth, predicted, groups)], network=nn.Conv2d(3, 2, 1))
