"""What a repair adds to the loop: distillation against a formula written apart, kept logits, one preprocessing for all, void."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.models.fit.learnable import TINY, write_learnable

from figureground.core.errors import InputError
from figureground.core.progress import QuietReporter
from figureground.data.dataset import open_dataset
from figureground.models.fit.batch import IGNORE, Batch, counts_of
from figureground.models.fit.before import keep_logits
from figureground.models.fit.data import Loader, train_data
from figureground.models.fit.devices import open_devices
from figureground.models.fit.distil import Distillation, KeptLogits
from figureground.models.fit.freeze import encoder_stages
from figureground.models.fit.mixture import Mixture
from figureground.models.fit.networks import network_to_train
from figureground.models.fit.objectives import CrossEntropy
from figureground.models.fit.options import FitOptions
from figureground.stages.repair.labelled import join_data

OPTIONS = FitOptions(architecture=f"python:{TINY}:tiny", size=16, batch=4, norm="half", device="cpu", augment="none")


def make_batch(seed: int = 0, size: int = 5, classes: int = 3) -> tuple[Batch, torch.Tensor]:
    """A batch with some void, of which the even pictures are taught, and logits of a network."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, classes, (size, 4, 6))
    masks[rng.random(masks.shape) < 0.3] = IGNORE
    batch = Batch(
        images=torch.zeros(size, 3, 4, 6),
        masks=torch.from_numpy(masks),
        groups=torch.full((size,), -1),
        indices=torch.arange(size),
        weights=torch.from_numpy(rng.uniform(0.5, 2, size).astype(np.float32)),
        before=torch.from_numpy(rng.normal(0, 3, (size, classes, 4, 6)).astype(np.float32)),
        taught=torch.arange(size) % 2 == 0,
    )
    return batch, torch.from_numpy(rng.normal(0, 3, (size, classes, 4, 6)).astype(np.float32))


def by_hand(batch: Batch, logits: torch.Tensor, *, weight: float, temperature: float) -> float:
    """The definition, pixel by pixel in float64."""
    total, pixels = 0.0, 0
    for b in range(len(batch)):
        for y in range(logits.shape[2]):
            for x in range(logits.shape[3]):
                if batch.masks[b, y, x] == IGNORE:
                    continue
                pixels += 1
                if not batch.taught[b]:
                    continue
                new, old = (np.exp(z[b, :, y, x].numpy().astype(float) / temperature) for z in (logits, batch.before))
                new, old = new / new.sum(), old / old.sum()
                total += float(batch.weights[b]) * float((old * (np.log(old) - np.log(new))).sum())
    return weight * temperature**2 * total / pixels


@pytest.mark.parametrize(("weight", "temperature"), [(1.0, 1.0), (0.7, 2.0), (3.0, 10.0)])
def test_distillation_is_the_formula(weight, temperature):
    batch, logits = make_batch()
    found = Distillation(weight=weight, temperature=temperature)(logits, batch)
    assert float(found) == pytest.approx(by_hand(batch, logits, weight=weight, temperature=temperature), rel=1e-5)


def test_agreeing_costs_nothing_and_untaught_or_void_pixels_have_no_gradient():
    batch, logits = make_batch(1)
    cost = Distillation(weight=1.0, temperature=2.0)
    assert float(cost(batch.before.clone(), batch)) == pytest.approx(0, abs=1e-7)
    assert float(cost(batch.before + 5, batch)) == pytest.approx(0, abs=1e-6), "a shift of all logits is the same answer"
    free = logits.clone().requires_grad_()
    cost(free, batch).backward()
    silent = (batch.masks == IGNORE) | ~batch.taught[:, None, None]
    assert float(free.grad.abs().sum(1)[silent].max()) == 0
    assert float(free.grad.abs().sum(1)[~silent].min()) > 0
    assert float(cost(logits, dataclasses.replace(batch, before=None, taught=None))) == 0
    assert float(cost(logits, dataclasses.replace(batch, masks=torch.full_like(batch.masks, IGNORE)))) == 0


def test_parts_of_a_step_add_up_to_the_whole():
    batch, logits = make_batch(2)
    cost, whole = Distillation(weight=0.5, temperature=3.0), counts_of(batch, groups=0)
    parts = [torch.arange(0, 2), torch.arange(2, 5)]
    assert sum(float(cost(logits[rows], batch.rows(rows), whole=whole)) for rows in parts) == pytest.approx(float(cost(logits, batch)))


def test_what_cannot_be_distilled_is_refused():
    batch, logits = make_batch()
    with pytest.raises(InputError, match="a temperature above 0"):
        Distillation(weight=1.0, temperature=0.0)
    with pytest.raises(InputError, match=r"gave logits \[3, 4, 6\] and this one gives \[2, 4, 6\]"):
        Distillation(weight=1.0, temperature=1.0)(logits[:, :2], batch)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return open_dataset(write_learnable(tmp_path_factory.mktemp("learnable"), void=True)).select(split="train")


def joined_twice(dataset):
    """The same pictures as labelled samples and as training samples."""
    data = train_data(dataset, size=16, norm="half", stride_px=32)
    return join_data(data, data), len(data)


def test_labelled_and_training_samples_are_read_and_normalised_alike(dataset):
    """The same picture and mask give the same tensors to the last bit, on whichever side they stand (the public code normalises one side)."""
    both, count = joined_twice(dataset)
    assert len(set(both.samples)) == 2 * count
    with Loader(both, options=OPTIONS, train=False) as loader:
        found = list(loader.epoch(0))
    images, masks = (torch.cat([getattr(batch, name) for batch in found]) for name in ("images", "masks"))
    assert torch.equal(images[:count], images[count:])
    assert torch.equal(masks[:count], masks[count:])
    assert (masks == IGNORE).any()


def test_logits_are_kept_once_and_move_with_their_picture(dataset, tmp_path):
    """Flipped pictures bring flipped logits; labelled samples bring none; a second call writes nothing."""
    both, count = joined_twice(dataset)
    network, _ = network_to_train(OPTIONS, classes=3)
    kept, mixture = KeptLogits(folder=tmp_path / "before", first=count), Mixture(labelled=count, replay=count, how="ratio")
    told = {"kept": kept, "options": OPTIONS, "devices": open_devices("cpu"), "reporter": QuietReporter()}
    keep_logits(network, both, mixture.drawn(seed=0, epochs=3).tolist(), **told)
    stamps = {path: path.stat().st_mtime_ns for path in kept.folder.iterdir()}
    assert len(stamps) == count
    keep_logits(network, both, mixture.drawn(seed=0, epochs=3).tolist(), **told)
    assert {path: path.stat().st_mtime_ns for path in kept.folder.iterdir()} == stamps
    for augment in ("none", "light"):
        options = dataclasses.replace(OPTIONS, augment=augment)
        with Loader(both, options=options, train=True, plan=mixture, kept=kept) as loader:
            found = list(loader.epoch(0))
        assert all(batch.taught.tolist() == (batch.indices >= count).tolist() for batch in found)
        if augment == "none":
            batch = found[0]
            with torch.inference_mode():
                logits = network.eval()(batch.images)
            counted = (batch.masks != IGNORE) & batch.taught[:, None, None]
            assert torch.allclose(batch.before.permute(0, 2, 3, 1)[counted], logits.permute(0, 2, 3, 1)[counted], atol=0.02)


def test_moved_logits_are_those_of_the_moved_picture(dataset, tmp_path):
    """Where logits are a copy of the picture's own colours, a flip and crop of both leaves them equal."""
    from figureground.models.fit.augment import AUGMENTATIONS, changed, drawn_change, moved

    data = train_data(dataset, size=16, norm="half")
    picture, mask = data.read(0)
    planes = torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32))
    for seed in range(20):
        change = drawn_change(mask, how=AUGMENTATIONS["light"], background=0, rng=np.random.default_rng(seed))
        shown, _ = changed(picture, mask, change)
        assert np.abs(moved(planes, change).numpy() - shown.transpose(2, 0, 1)).max() <= 1


def test_what_stands_under_void_is_in_no_gradient():
    """Any logits at all under void pixels: the loss is the same, and there is no gradient there."""
    batch, logits = make_batch(3)
    void = (batch.masks == IGNORE)[:, None].expand_as(logits)
    losses = []
    for value in (0.0, 50.0):
        free = torch.where(void, torch.full_like(logits, value), logits).requires_grad_()
        loss = CrossEntropy()(free, batch.masks, batch.groups, batch.weights) + Distillation(weight=1.0, temperature=2.0)(free, batch)
        loss.backward()
        assert float(free.grad[void].abs().max()) == 0
        losses.append(loss.item())
    assert losses[0] == losses[1]


def test_stages_of_a_residual_encoder_are_its_halvings():
    """Stem, then one stage for each of its four layers, every layer in exactly one."""
    from torchvision.models import resnet18

    network = resnet18(weights=None)
    encoder = torch.nn.Sequential(
        network.conv1, network.bn1, network.maxpool, network.layer1, network.layer2, network.layer3, network.layer4
    )
    stages = encoder_stages(encoder)
    assert [sum(w.numel() for layer in stage for w in layer.parameters(recurse=False)) for stage in stages] == [
        0,
        *(sum(w.numel() for w in part.parameters()) for part in (encoder[:2], encoder[3], encoder[4], encoder[5], encoder[6])),
    ]
    assert network.layer1[0].conv1 in stages[2]
    assert network.layer2[0].downsample[0] in stages[3]
    assert encoder.training
