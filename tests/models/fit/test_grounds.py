"""Training with figures on grounds that are drawn anew as they are shown: the pictures, the masks, and a whole training of each task."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.models.fit.learnable import write_learnable  # noqa: E402

import figureground as fg  # noqa: E402
from figureground.core.errors import ArtifactError, InputError  # noqa: E402
from figureground.core.progress import QuietReporter  # noqa: E402
from figureground.data.backgrounds import read_backgrounds  # noqa: E402
from figureground.data.dataset import open_dataset  # noqa: E402
from figureground.data.recombine import drawn_jitter, recombined  # noqa: E402
from figureground.data.swap_options import SwapOptions  # noqa: E402
from figureground.models.fit.labelled import label_classes, labelled_data  # noqa: E402
from figureground.models.fit.loader import Loader  # noqa: E402
from figureground.models.fit.options import FitOptions  # noqa: E402
from figureground.models.fit.samples import train_data  # noqa: E402
from figureground.models.fit.swap import SwapDataset, swapping_source  # noqa: E402
from figureground.stages.swap.infill import run_infill  # noqa: E402
from figureground.stages.swap.options import InfillOptions  # noqa: E402

FILE = str(Path(__file__).with_name("tiny.py"))
CLASSIFY = FitOptions(
    task="classify", architecture=f"python:{FILE}:linear", size=16, batch=8, epochs=2, lr=0.01, norm="half", device="cpu", augment="none"
)
SEGMENT = replace(CLASSIFY, task="segment", architecture=f"python:{FILE}:tiny")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_learnable(tmp_path_factory.mktemp("data") / "learnable", void=True)


@pytest.fixture(scope="module")
def bank(data, tmp_path_factory):
    options = InfillOptions(infill="mean", pictures="png")
    return str(run_infill(open_dataset(data), options=options, out=tmp_path_factory.mktemp("bank") / "bg"))


@pytest.fixture(scope="module")
def masked(data):
    return train_data(open_dataset(data).select(split="train"), size=0, norm="half")


@pytest.fixture(scope="module")
def labelled(data):
    train = open_dataset(data).select(split="train")
    return labelled_data(train, classes=label_classes(train), size=16, norm="half")


def test_a_sample_is_what_its_draws_say(masked, bank):
    """Chance, ground and jitter in their order, put together by the paste itself; another generator gives another picture."""
    source, grounds = swapping_source(masked, replace(SEGMENT, grounds=bank)), read_backgrounds(bank)
    for index in range(len(masked)):
        picture, mask = source.read(index, rng=np.random.default_rng(index))
        rng = np.random.default_rng(index)
        rng.random()
        ground, (own, own_mask) = grounds.read_ground(grounds.drawn(rng)), masked.read(index)
        figure = grounds.figure(masked.samples[index])
        made = recombined(own, figure, ground, jitter=drawn_jitter(rng, SwapOptions()), mask=own_mask, background=0)
        np.testing.assert_array_equal(picture, made.picture)
        np.testing.assert_array_equal(mask, made.mask)
        assert not np.array_equal(picture, source.read(index, rng=np.random.default_rng(100 + index))[0])


def test_a_classifier_keeps_its_target_and_never_swapped_pictures_are_as_they_are(labelled, bank):
    source = swapping_source(labelled, replace(CLASSIFY, grounds=bank))
    picture, target = source.read(3, rng=np.random.default_rng(0))
    assert target.tolist() == labelled.read(3)[1].tolist() == [[labelled.targets[3]]]
    assert not np.array_equal(picture, labelled.read(3)[0])
    never = swapping_source(labelled, replace(CLASSIFY, grounds=bank, swap_probability=0.0))
    np.testing.assert_array_equal(never.read(3, rng=np.random.default_rng(0))[0], labelled.read(3)[0])
    again = pickle.loads(pickle.dumps(source)).read(3, rng=np.random.default_rng(0))[0]
    np.testing.assert_array_equal(picture, again)
    assert never.identity() != source.identity()


def test_the_dataset_swaps_what_a_classifier_reads(labelled, bank):
    """Its target is no mask: it stays, and the picture is that of epoch and index."""
    shown = SwapDataset(labelled, bank)
    picture, target = shown[0, 3]
    assert target.tolist() == [[labelled.targets[3]]]
    assert not np.array_equal(picture, labelled.read(3)[0])
    np.testing.assert_array_equal(picture, shown.swapper(labelled.read(3)[0], None, labelled.samples[3], epoch=0, index=3).picture)


def test_epochs_differ_and_the_same_epoch_is_the_same(labelled, bank):
    """Through the loader, which gives each sample its own random numbers."""
    options = replace(CLASSIFY, grounds=bank)
    with Loader(labelled, options=options, train=True, source=swapping_source(labelled, options)) as loader:
        first, second, again = (
            {int(i): image for batch in loader.epoch(epoch) for i, image in zip(batch.indices, batch.images, strict=True)}
            for epoch in (0, 1, 0)
        )
    assert all(torch.equal(first[i], again[i]) for i in first)
    assert sum(torch.equal(first[i], second[i]) for i in first) <= 1


@pytest.mark.parametrize("options", [CLASSIFY, SEGMENT], ids=["classify", "segment"])
def test_a_training_with_grounds_is_another_and_tells_them(data, bank, tmp_path, options):
    plain = fg.train(data, out=tmp_path / "plain", options=options)
    swapped = fg.train(data, out=tmp_path / "swapped", options=replace(options, grounds=bank))
    assert plain.card["sha256"] != swapped.card["sha256"]
    assert swapped.card["training"]["epochs"] == 2
    moved = tmp_path / "elsewhere"
    Path(bank).rename(moved)
    said: list[str] = []
    try:
        again = fg.train(data, out=tmp_path / "swapped", options=replace(options, grounds=str(moved)), reporter=_Lines(said))
    finally:
        moved.rename(bank)
    assert again.card["sha256"] == swapped.card["sha256"]
    assert any("nothing to do" in line for line in said)


def test_a_training_says_what_is_swapped_and_what_groups_still_mean(data, bank, tmp_path):
    swapped = {"grounds": bank, "epochs": 1, "swap_probability": 0.25}
    card = fg.train(data, out=tmp_path / "chance", options=replace(CLASSIFY, **swapped)).card
    notes = " ".join(card["training"]["notes"])
    assert "training samples are set on drawn grounds, each time with a chance of 0.25" in notes
    assert "contexts" not in notes
    grouped = replace(CLASSIFY, **swapped, groups="split", balance="weight")
    assert "groups go by the contexts of the files" in " ".join(
        fg.train(data, out=tmp_path / "groups", options=grouped).card["training"]["notes"]
    )


class _Lines(QuietReporter):
    def __init__(self, said):
        self.said = said

    def say(self, line):
        self.said.append(line)


@pytest.mark.parametrize("method", ["backmix", "counterfactual"])
def test_figures_of_a_swap_take_the_place_of_masks(data, bank, tmp_path, method):
    """With figures by the true masks the network is that of the masks, to the bit; a data set without masks will do."""
    options = replace(CLASSIFY, **{method: 1.0})
    masks = fg.train(data, out=tmp_path / "masks", options=options)
    bare = replace(open_dataset(data), masks=None)
    figures = fg.train(bare, out=tmp_path / "figures", options=replace(options, figures=bank))
    assert figures.card["sha256"] == masks.card["sha256"]


@pytest.mark.slow
def test_processes_make_the_same_network(data, bank, tmp_path):
    options = replace(CLASSIFY, grounds=bank, augment="light")
    one = fg.train(data, out=tmp_path / "one", options=options)
    two = fg.train(data, out=tmp_path / "two", options=replace(options, workers=2))
    assert one.card["sha256"] == two.card["sha256"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"backmix": 1.0}, "`grounds` and `backmix` both say"),
        ({"masktune": "x"}, "`grounds` and `masktune` both say"),
        ({"counterfactual": 1.0}, "`grounds` and `counterfactual` both say"),
        ({"coral": 1.0}, "`coral` compares contexts, and `grounds` shows each figure in any of them"),
        ({"swap_scale_low": 2.0, "swap_scale_high": 1.0}, "`swap_scale_low` must not be above"),
        ({"train_split": "val", "val_split": ""}, "does not know 8 of 8 samples"),
        ({"grounds": "", "figures": "x"}, "and neither is given"),
        ({"grounds": "", "swap_turn": 5.0}, "`swap_turn` says how figures are set on `grounds`, and there are none"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(data, bank, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        fg.train(data, out=tmp_path / "w", options=replace(CLASSIFY, **{"grounds": bank, **change}))
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("options", [{"grounds": "bank"}, {"figures": "bank", "backmix": 1.0}], ids=["grounds", "figures"])
def test_grounds_of_other_data_are_refused(bank, tmp_path, options):
    """The ids are the same and the pictures are not."""
    other = write_learnable(tmp_path / "other", void=True, seed=1)
    with pytest.raises(InputError, match=r"was made of other data, sample .* has another picture there than"):
        fg.train(other, out=tmp_path / "w", options=replace(CLASSIFY, **{k: bank if v == "bank" else v for k, v in options.items()}))
    assert not (tmp_path / "w").exists()


def test_grounds_that_are_not_there(data, tmp_path):
    with pytest.raises(ArtifactError, match="`swap infill` wrote"):
        fg.train(data, out=tmp_path / "w", options=replace(CLASSIFY, grounds=str(tmp_path / "nowhere")))
    assert not (tmp_path / "w").exists()
