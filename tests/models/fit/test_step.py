"""One step: accumulation is the large batch, nothing that is no number reaches the weights."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from tests.models.fit.tiny import frozen, tiny
from torch import nn

from figureground.core.errors import InputError
from figureground.models.fit.batch import IGNORE, Batch
from figureground.models.fit.devices import OneDevice
from figureground.models.fit.networks import Network
from figureground.models.fit.objectives import CrossEntropy, GroupDRO
from figureground.models.fit.options import FitOptions
from figureground.models.fit.precision import open_precision, seed_step
from figureground.models.fit.step import NotFinite, Stepper, forward, make_optimizer, mass_of, part_of

CPU = torch.device("cpu")


def make_batch(size: int, seed: int = 0) -> Batch:
    """Pictures of which each has another amount of void."""
    rng = np.random.default_rng(seed)
    masks = torch.from_numpy(rng.integers(0, 3, (size, 8, 8)))
    for number in range(size):
        masks[number, : number % 6] = IGNORE
    return Batch(
        images=torch.from_numpy(rng.normal(size=(size, 3, 8, 8)).astype(np.float32)),
        masks=masks,
        groups=torch.arange(size) % 2,
        indices=torch.arange(size),
        weights=torch.from_numpy(rng.uniform(0.5, 2, size).astype(np.float32)),
    )


def rows(batch: Batch, *edges: int) -> list[Batch]:
    fields = [f.name for f in dataclasses.fields(Batch)]
    return [Batch(**{name: getattr(batch, name)[a:b] for name in fields}) for a, b in itertools.pairwise(edges)]


def make_stepper(network=None, objective=None, **options) -> Stepper:
    torch.manual_seed(0)
    return Stepper(
        Network(network or tiny(3, norm=False)).train(),
        objective or CrossEntropy(),
        options=FitOptions(**{"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "lr": 0.1, "schedule": "constant", **options}),
        devices=OneDevice(CPU),
        precision=open_precision("fp32", CPU),
        classes=3,
        steps=10,
        warmup_steps=0,
    )


def weights_of(stepper: Stepper) -> torch.Tensor:
    return torch.cat([w.detach().flatten() for w in stepper.network.parameters()])


@pytest.mark.parametrize("edges", [(0, 4, 8, 11), (0, 1, 11), (0, 3, 5, 10, 11)])
def test_accumulated_batches_are_the_step_of_the_large_batch(edges):
    """Parts of unequal size and unequal void, the last one incomplete, give the gradient of the whole: a mean of means would not."""
    whole = make_batch(11)
    one, several = make_stepper(), make_stepper()
    first = one.take([whole], step=0)
    second = several.take(rows(whole, *edges), step=0)
    assert torch.allclose(weights_of(one), weights_of(several), atol=1e-7)
    assert second.loss == pytest.approx(first.loss, rel=1e-6)
    assert second.mass == first.mass == (whole.masks != IGNORE).sum()


def test_a_mean_of_means_would_be_another_step():
    """The test above can fail: the parts' own means differ from the mean of the whole."""
    whole = make_batch(11)
    network, objective = Network(tiny(3, norm=False)), CrossEntropy()
    with torch.no_grad():
        losses = [float(objective(network(p.images), p.masks, p.groups, p.weights)) for p in (whole, *rows(whole, 0, 4, 8, 11))]
    assert abs(np.mean(losses[1:]) - losses[0]) > 1e-3


def test_one_step_of_sgd_by_hand():
    stepper, batch = make_stepper(), make_batch(4)
    before = [w.detach().clone() for w in stepper.network.parameters()]
    loss = CrossEntropy()(stepper.network(batch.images), batch.masks, batch.groups, batch.weights)
    gradients = torch.autograd.grad(loss, list(stepper.network.parameters()))
    stepper.take([batch], step=0)
    for old, gradient, new in zip(before, gradients, stepper.network.parameters(), strict=True):
        assert torch.allclose(new, old - 0.1 * gradient, atol=1e-7)


def test_clipping_bounds_the_step():
    free, clipped = make_stepper(), make_stepper(clip=0.01)
    start = weights_of(free)
    batch = make_batch(4)
    free.take([batch], step=0)
    clipped.take([batch], step=0)
    long, short = weights_of(free) - start, weights_of(clipped) - start
    assert long.norm() > 0.002
    assert short.norm() == pytest.approx(0.1 * 0.01, rel=1e-3)
    assert torch.allclose(short / short.norm(), long / long.norm(), atol=1e-4)


def test_a_step_on_nothing_but_void_changes_nothing():
    stepper, batch = make_stepper(), make_batch(4)
    start = weights_of(stepper)
    done = stepper.take([dataclasses.replace(batch, masks=torch.full_like(batch.masks, IGNORE))], step=0)
    assert torch.equal(start, weights_of(stepper))
    assert (done.loss, done.mass) == (0.0, 0.0)


class Poison(nn.Module):
    """A loss that is fine, with a gradient that is not."""

    def forward(self, logits, masks, groups, weights):
        return logits.abs().mean() + (logits * 0).abs().sqrt().sum()


class Nan(nn.Module):
    def forward(self, logits, masks, groups, weights):
        return logits.mean() * float("nan")


@pytest.mark.parametrize(("objective", "what"), [(Poison(), "gradient"), (Nan(), "loss")])
def test_what_is_no_number_stops_before_the_weights_and_statistics(objective, what):
    """Weights and running statistics are exactly those from before the step, with a finite loss and a NaN gradient too."""
    stepper = make_stepper(tiny(3), objective)
    before = {name: t.clone() for name, t in stepper.network.state_dict().items()}
    with pytest.raises(NotFinite, match=what):
        stepper.take([make_batch(4)], step=0)
    assert all(torch.equal(t, before[name]) for name, t in stepper.network.state_dict().items())


def test_masses_count_pixels_for_ce_and_pictures_otherwise():
    batch = make_batch(3)
    batch.masks[1] = IGNORE
    assert mass_of(batch, "ce") == 64 + 48
    assert mass_of(batch, "dice-ce") == mass_of(batch, "group-dro") == 2


def test_group_weights_move_in_training_steps():
    dro = GroupDRO(groups=2, step=0.5)
    make_stepper(objective=dro).take([make_batch(4)], step=0)
    assert not torch.allclose(dro.weights, torch.tensor([0.5, 0.5], dtype=torch.float64))


def test_dropout_of_a_step_depends_on_seed_step_and_part_alone():
    def draw(seed, step, part):
        seed_step(seed, step=step, part=part)
        return torch.rand(3).tolist()

    first = draw(1, 2, 0)
    torch.rand(100)
    assert draw(1, 2, 0) == first
    assert len({tuple(draw(*key)) for key in ((1, 2, 0), (1, 2, 1), (1, 3, 0), (2, 2, 0))}) == 4


@dataclasses.dataclass
class Two:
    rank: int
    world: int = 2


def test_processes_share_a_batch_between_them_and_none_is_without():
    batch = make_batch(5)
    parts = [part_of(batch, Two(rank)).indices.tolist() for rank in (0, 1)]
    assert parts == [[0, 2, 4], [1, 3]]
    alone = part_of(rows(batch, 0, 1)[0], Two(1))
    assert len(alone) == 1
    assert (alone.masks == IGNORE).all()


def test_a_network_without_free_weights_is_refused():
    with pytest.raises(InputError, match="no weight of the network may change"):
        make_optimizer(frozen(3), FitOptions())


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_the_optimizer_is_the_one_that_is_named(name, kind):
    made = make_optimizer(tiny(3), FitOptions(optimizer=name, lr=0.25, weight_decay=0.125, momentum=0.5))
    assert type(made) is kind
    assert made.param_groups[0]["lr"] == 0.25
    assert made.param_groups[0]["weight_decay"] == 0.125
    if name == "sgd":
        assert made.param_groups[0]["momentum"] == 0.5


def test_what_a_network_cannot_take_is_one_clear_error():
    with pytest.raises(InputError, match=r"cannot train on inputs \[1, 3, 1, 1\].*larger --batch"):
        forward(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train(), torch.zeros(1, 3, 1, 1), classes=4)
    with pytest.raises(InputError, match="another --size"):
        forward(nn.Conv2d(3, 4, 9), torch.zeros(2, 3, 4, 4), classes=4)


def test_bf16_computes_in_bf16_and_keeps_weights_in_fp32():
    precision = open_precision("bf16", CPU)
    layer = nn.Conv2d(3, 2, 1)
    with precision.autocast():
        assert layer(torch.ones(1, 3, 2, 2)).dtype == torch.bfloat16
    assert layer.weight.dtype == torch.float32
    assert open_precision("auto", CPU).name == "fp32"
    with pytest.raises(InputError, match="fp16 needs a CUDA device"):
        open_precision("fp16", CPU)
