"""One step: accumulation is the large batch, nothing that is no number reaches the weights."""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.fit.tiny import frozen, tiny
from torch import Tensor, nn

from figureground.core.errors import InputError
from figureground.models.fit.batch import IGNORE, Batch, counts_of
from figureground.models.fit.devices import OneDevice
from figureground.models.fit.networks import Network
from figureground.models.fit.objectives import CrossEntropy, DiceCrossEntropy, GroupDRO
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
    return [batch.rows(torch.arange(a, b)) for a, b in itertools.pairwise(edges)]


def rare_batch(size: int = 11) -> Batch:
    """A common group, one of two pictures, one of one picture, a picture of unknown group, and a picture of nothing but void."""
    batch = make_batch(size)
    groups = torch.zeros(size, dtype=torch.int64)
    groups[[1, 6]], groups[3], groups[5] = 1, 2, -1
    batch.masks[7] = IGNORE
    return dataclasses.replace(batch, groups=groups)


def objective_named(name: str, *, dro_step: float = 0.0) -> nn.Module:
    if name == "group-dro":
        return GroupDRO(groups=4, step=dro_step)
    return CrossEntropy() if name == "ce" else DiceCrossEntropy(classes=3, background=0)


OBJECTIVES = ("ce", "dice-ce", "group-dro")
CUTS = [(0, 5, 11), (0, 3, 6, 9, 11), (0, 4, 8, 11), (0, 7, 8, 11)]
"""Two parts, four with an incomplete last one, three likewise, and one of which is void alone."""


def make_stepper(network=None, objective=None, devices=None, **options) -> Stepper:
    torch.manual_seed(0)
    devices = devices or OneDevice(CPU)
    return Stepper(
        devices.wrap(Network(network or tiny(3, norm=False))).train(),
        objective or CrossEntropy(),
        options=FitOptions(**{"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "lr": 0.1, "schedule": "constant", **options}),
        devices=devices,
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


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("edges", CUTS)
def test_every_objective_is_that_of_the_large_batch_however_it_is_cut(name, edges):
    """Rare groups that are in one part only, an unknown one and a void picture: loss and step are those of the whole, with q at rest."""
    whole = rare_batch()
    one, several = (make_stepper(objective=objective_named(name)) for _ in range(2))
    start = weights_of(one)
    first, second = one.take([whole], step=0), several.take(rows(whole, *edges), step=0)
    assert torch.allclose(weights_of(one) - start, weights_of(several) - start, rtol=1e-4, atol=1e-7)
    assert (weights_of(one) - start).norm() > 1e-3
    assert second.loss == pytest.approx(first.loss, rel=1e-6)


def test_a_rare_group_has_all_of_its_weight_in_the_one_part_that_holds_it():
    """Seven pictures of one group and one of another, q even: the loss is half of either mean, in one batch and in four."""
    batch = dataclasses.replace(make_batch(8), groups=torch.tensor([0] * 7 + [1]), weights=torch.ones(8))
    network = make_stepper().network
    with torch.no_grad():
        means = [float(GroupDRO(groups=1, step=0.0)(network(p.images), p.masks, p.groups * 0, p.weights)) for p in rows(batch, 0, 7, 8)]
    for edges in ((0, 8), (0, 2, 4, 6, 8)):
        done = make_stepper(objective=GroupDRO(groups=2, step=0.0)).take(rows(batch, *edges), step=0)
        assert done.loss == pytest.approx(sum(means) / 2, rel=1e-6)


def test_a_step_of_one_batch_moves_the_group_weights_before_its_loss():
    """As published: the gradient is that of the q which the step's own losses have just moved."""
    batch, dro = rare_batch(), GroupDRO(groups=4, step=2.0)
    stepper, by_hand = make_stepper(objective=dro), GroupDRO(groups=4, step=2.0)
    start, network = weights_of(stepper), make_stepper().network
    loss = by_hand(network(batch.images), batch.masks, batch.groups, batch.weights)
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))])
    done = stepper.take([batch], step=0)
    assert torch.equal(dro.log_weights, by_hand.log_weights)
    assert done.loss == float(loss.detach())
    assert torch.allclose(weights_of(stepper), start - 0.1 * gradient, atol=1e-7)


@pytest.mark.parametrize("edges", CUTS)
def test_a_step_in_parts_moves_the_group_weights_once_at_its_end(edges):
    """The loss is that of the q from before; afterwards q is what one batch of all pictures would have made it. Again for a second step."""
    batch, dro = rare_batch(), GroupDRO(groups=4, step=2.0)
    stepper = make_stepper(objective=dro)
    for step in range(2):
        still, moved = GroupDRO(groups=4, step=0.0), GroupDRO(groups=4, step=2.0)
        for copy in (still, moved):
            copy.load_state_dict(dro.state_dict())
        with torch.no_grad():
            arguments = stepper.network(batch.images), batch.masks, batch.groups, batch.weights
            expected = float(still(*arguments))
            moved(*arguments)
        assert stepper.take(rows(batch, *edges), step=step).loss == pytest.approx(expected, rel=1e-5)
        assert torch.allclose(dro.log_weights, moved.log_weights, atol=1e-5)
        assert not torch.allclose(dro.log_weights, still.log_weights, atol=1e-2)


class Gloo:
    """Two processes on the processor."""

    device, world = CPU, 2

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def wrap(self, network: nn.Module) -> nn.Module:
        return nn.parallel.DistributedDataParallel(network)

    def silent(self, network: nn.Module) -> AbstractContextManager:
        return network.no_sync()

    def total(self, values: Tensor) -> Tensor:
        values = values.clone()
        torch.distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        torch.distributed.barrier()


SHARED = [(name, 0.0, edges) for name in OBJECTIVES for edges in ((0, 11), (0, 4, 11), (0, 1, 11))] + [("group-dro", 2.0, (0, 4, 11))]
"""Objective, step size of q, and how the step is cut: whole, in batches of which each process takes a part, and in one it has none of."""


def two_steps(objective: nn.Module, edges: tuple[int, ...], devices=None) -> tuple[list[float], Tensor, Tensor | None]:
    """Losses and weights after two steps, and q where there is one."""
    stepper = make_stepper(objective=objective, devices=devices)
    losses = [stepper.take(rows(rare_batch(), *edges), step=step).loss for step in range(2)]
    return losses, weights_of(stepper), getattr(objective, "log_weights", None)


def one_of_two(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = [two_steps(objective_named(name, dro_step=step), edges, Gloo(rank)) for name, step, edges in SHARED]
    torch.save(found, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_take_the_step_of_one(tmp_path: Path):
    """Every objective, however the step is cut between batches and processes; q moves on both as in one process with parts."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=one_of_two, args=(rank, str(tmp_path))) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    for (name, step, edges), first, second in zip(SHARED, *found, strict=True):
        losses, weights, q = two_steps(objective_named(name, dro_step=step), edges)
        for there in (first, second):
            assert there[0] == pytest.approx(losses, rel=1e-5), (name, edges)
            assert torch.allclose(there[1], weights, atol=1e-6), (name, edges)
        assert (q is not None) == (name == "group-dro")
        if q is not None:
            assert torch.allclose(first[2], q, atol=1e-5)
            assert torch.equal(first[2], second[2])


def test_counts_of_parts_add_up_to_those_of_the_whole():
    batch = rare_batch()
    counts = counts_of(batch, groups=4)
    assert (counts.pixels, counts.pictures, counts.groups.tolist()) == (float((batch.masks != IGNORE).sum()), 10.0, [6.0, 2.0, 1.0, 0.0])
    for edges in CUTS:
        parts = torch.stack([counts_of(part, groups=4).values for part in rows(batch, *edges)])
        assert torch.equal(parts.sum(0), counts.values)
    assert counts_of(batch, groups=0).groups.tolist() == []


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

    def forward(self, logits, masks, groups, weights, *, whole=None):
        return logits.abs().mean() + (logits * 0).abs().sqrt().sum()


class Nan(nn.Module):
    def forward(self, logits, masks, groups, weights, *, whole=None):
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
