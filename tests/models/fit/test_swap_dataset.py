"""The torch data set that swaps as it reads: the same whatever reads it, another ground in each epoch, and what `swap build` writes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from tests.stages.swap.world import world
from torch.utils.data import DataLoader

from figureground.core.errors import InputError
from figureground.data.backgrounds import read_backgrounds
from figureground.data.dataset import open_dataset
from figureground.data.pixels import read_picture
from figureground.data.swap_options import SwapOptions
from figureground.data.swapper import Swapper
from figureground.models.fit.samples import train_data
from figureground.models.fit.swap import SwapDataset
from figureground.stages.swap.build import run_build
from figureground.stages.swap.infill import run_infill
from figureground.stages.swap.options import BuildOptions, InfillOptions


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return world(tmp_path_factory.mktemp("swap"))


@pytest.fixture(scope="module")
def bank(data, tmp_path_factory):
    return run_infill(data, options=InfillOptions(infill="mean", pictures="png"), out=tmp_path_factory.mktemp("bank") / "bg")


def reading(data, size=0):
    return train_data(data.select(split="train"), size=size, norm="none")


def test_epoch_k_is_copy_k_of_the_written_set(data, bank, tmp_path):
    """At the picture's own size, to the bit, masks too."""
    written = open_dataset(str(run_build(bank, data, options=BuildOptions(copies=3, pictures="png"), out=tmp_path / "o")))
    found = SwapDataset(reading(data), bank)
    for epoch in range(3):
        found.set_epoch(epoch)
        for index, sample in enumerate(data.select(split="train").samples):
            picture, mask = found[index]
            other = written.sample(f"{sample.id}-{epoch}")
            assert np.array_equal(picture, read_picture(other.image))
            assert np.array_equal(mask, written.masks.read(other.id).dense())


def test_grounds_are_kept_at_the_size_of_training(data, bank):
    """The same pictures as from grounds that are scaled anew each time; what is kept is as small as what is shown."""
    small, whole = SwapDataset(reading(data, size=24), bank), read_backgrounds(bank)
    assert small.swapper.grounds.size_hw == (24, 24)
    train, swapper = reading(data, size=24), Swapper(grounds=whole, options=SwapOptions())
    for index in range(len(small)):
        picture, mask = small[1, index]
        made = swapper(*train.read(index), train.samples[index], epoch=1, index=index)
        assert np.array_equal(picture, made.picture)
        assert np.array_equal(mask, made.mask)
    assert {small.swapper.grounds.read_ground(row).shape for row in range(len(whole.ids))} == {(24, 24, 3)}
    assert whole.read_ground(0).shape != (24, 24, 3)


def collected(rows):
    return [(picture.tobytes(), mask.tobytes()) for picture, mask in rows]


@pytest.mark.slow
def test_workers_batches_and_order_change_nothing_and_epochs_differ(data, bank):
    """Two workers that stay from epoch to epoch see each new epoch, and give what this process gives in any order."""
    found = SwapDataset(reading(data), bank)
    loader = DataLoader(found, batch_size=3, num_workers=2, persistent_workers=True, collate_fn=list)
    epochs = []
    for epoch in range(2):
        found.set_epoch(epoch)
        epochs.append([row for batch in loader for row in collected(batch)])
    alone = SwapDataset(reading(data), bank)
    for epoch in (1, 0):
        alone.set_epoch(epoch)
        backwards = collected(alone[i] for i in reversed(range(len(alone))))[::-1]
        assert backwards == epochs[epoch]
        assert backwards == collected(alone[epoch, i] for i in range(len(alone)))
    assert sum(a == b for a, b in zip(*epochs, strict=True)) == 0


def test_pictures_are_taken_to_the_size_of_training(data, bank):
    """Larger than the pictures, and smaller: figures, masks and grounds follow."""
    for size in (48, 20):
        found = SwapDataset(reading(data, size), bank, options=SwapOptions(scale_low=1, scale_high=1, turn=0, shift=0))
        for index in range(4):
            picture, mask = found[index]
            own, own_mask = reading(data, size).read(index)
            assert picture.shape == (size, size, 3)
            assert np.array_equal(mask, own_mask)
            assert np.array_equal(picture[mask > 0], own[mask > 0])


@pytest.mark.parametrize(
    "kind", [torch.tensor, lambda mask: mask[..., None], Image.fromarray], ids=["tensor", "with channels", "picture of PIL"]
)
def test_a_mask_that_would_stay_behind_its_figure_is_refused(data, bank, kind):
    class Other(Labelled):
        def read(self, index):
            picture, mask = reading(data).read(index)
            return picture, kind(mask)

    with pytest.raises(InputError, match=r"sample '.*': behind its picture the reading gives \w+ \[\d.*numpy array \[height, width\]"):
        SwapDataset(Other(data), bank)[0]


class Labelled:
    """A reading of pictures with a label and no mask."""

    def __init__(self, data):
        self.data = data.select(split="train")
        self.samples = self.data.ids

    def read(self, index):
        sample = self.data.samples[index]
        return read_picture(sample.image), sample.label, {"id": sample.id}


def test_any_reading_will_do(data, bank):
    """What stands behind the picture is handed on; with probability 0 the picture is as it was, with one half about half are swapped."""
    found = SwapDataset(Labelled(data), bank, options=SwapOptions(probability=0.0))
    picture, label, more = found[2]
    assert np.array_equal(picture, Labelled(data).read(2)[0])
    assert (label, more) == (found.reading.read(2)[1], {"id": found.reading.samples[2]})
    half = SwapDataset(Labelled(data), bank, options=SwapOptions(probability=0.5))
    same = [np.array_equal(half[epoch, index][0], half.reading.read(index)[0]) for epoch in range(10) for index in range(16)]
    assert 55 < sum(same) < 105


def test_the_label_cannot_be_told_from_the_ground(data, bank):
    """A classifier of mean colours off the figure is right on every picture before, and by chance after."""

    def accuracy(pairs):
        colours = np.array([picture[mask == 0].mean(axis=0) for picture, mask in pairs])
        labels = np.array([found.reading.labels[i % 16] == "duck" for i in range(len(pairs))])
        distance = np.linalg.norm(colours[:, None] - np.stack([colours[labels].mean(0), colours[~labels].mean(0)]), axis=2)
        return ((distance[:, 0] < distance[:, 1]) == labels).mean()

    found = SwapDataset(reading(data), bank)
    assert accuracy([found.reading.read(i) for i in range(16)]) == 1.0
    assert accuracy([found[epoch, i] for epoch in range(20) for i in range(16)]) < 0.6


def test_bad_input(data, bank):
    found = SwapDataset(reading(data), read_backgrounds(bank))
    with pytest.raises(IndexError):
        found[len(found)]
    assert np.array_equal(found[-1][0], found[len(found) - 1][0])
    with pytest.raises(InputError, match="epoch"):
        found.set_epoch(-1)
    with pytest.raises(InputError, match="does not know"):
        SwapDataset(train_data(data.select(split="test"), size=0, norm="none"), bank)
    assert isinstance(found, torch.utils.data.Dataset)
