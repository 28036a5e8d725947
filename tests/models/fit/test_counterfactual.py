"""Counterfactual pictures: what they show, what they cost by the written formula, and a real training with them."""

from __future__ import annotations

import dataclasses
import math
import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.models.fit.learnable import write_learnable  # noqa: E402

import figureground as fg  # noqa: E402
from figureground.core.errors import InputError  # noqa: E402
from figureground.data.dataset import open_dataset  # noqa: E402
from figureground.models.fit.batch import IGNORE, Batch, Counts  # noqa: E402
from figureground.models.fit.counterfactual import counterfactual_loss, counterfactual_source  # noqa: E402
from figureground.models.fit.labelled import label_classes, labelled_data  # noqa: E402
from figureground.models.fit.loader import Loader  # noqa: E402
from figureground.models.fit.options import FitOptions  # noqa: E402

FILE = str(Path(__file__).with_name("tiny.py"))
OPTIONS = FitOptions(
    task="classify", architecture=f"python:{FILE}:linear", size=16, batch=8, epochs=1, lr=0.01, norm="half", device="cpu", augment="none"
)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_learnable(tmp_path_factory.mktemp("data") / "learnable")


@pytest.fixture(scope="module")
def source(data):
    train = open_dataset(data).select(split="train")
    return counterfactual_source(train, labelled_data(train, classes=label_classes(train), size=16, norm="half"))


def batch(targets, told, weights):
    n = len(targets)
    return Batch(
        images=torch.zeros(n, 3, 2, 2),
        masks=torch.tensor(targets)[:, None, None],
        groups=torch.zeros(n, dtype=torch.int64),
        indices=torch.arange(n),
        weights=torch.tensor(weights),
        told=torch.tensor(told),
    )


def test_the_loss_is_the_written_formula():
    """Three classes, a picture without pictures beside it, one that does not count; by loops over probabilities."""
    rng = np.random.default_rng(0)
    colour, without = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    targets, told, weights = [2, 0, 1, IGNORE], [True, True, False, True], [1.0, 0.5, 1.0, 1.0]

    def probability(row, k):
        return math.exp(row[k]) / sum(math.exp(v) for v in row)

    terms = [
        weights[i] * (-math.log(probability(colour[i], targets[i])) - math.log(1 - probability(without[i], targets[i]))) for i in (0, 1)
    ]
    shaped = [torch.from_numpy(one)[:, :, None, None] for one in (colour, without)]
    assert counterfactual_loss(*shaped, batch(targets, told, weights), whole=None).item() == pytest.approx(sum(terms) / 4, rel=1e-5)
    whole = Counts(values=torch.tensor([10.0, 10.0], dtype=torch.float64))
    assert counterfactual_loss(*shaped, batch(targets, told, weights), whole=whole).item() == pytest.approx(sum(terms) / 10, rel=1e-5)


def test_of_two_classes_it_is_cross_entropy_to_the_other():
    """Also where the network is so sure that 1 - p rounds to 0."""
    without = torch.tensor([[0.3, -1.0], [90.0, -90.0]])
    found = counterfactual_loss(
        torch.tensor([[40.0, -40.0], [40.0, -40.0]])[..., None, None],
        without[..., None, None],
        batch([0, 0], [True, True], [1.0, 1.0]),
        whole=None,
    )
    expected = torch.nn.functional.cross_entropy(without, torch.tensor([1, 1]))
    assert found.item() == pytest.approx(expected.item())
    assert expected.item() > 90


def test_what_the_pictures_show(source):
    """The figure stays and nothing of the ground does; the box of the figure is made of the ground around it and all else stays."""
    picture, figure = source.cut.data.read(0)[0], source.cut.figure(0)
    colour, without = source.beside(0, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(colour[figure], picture[figure])
    assert (colour[~figure] == picture[~figure]).all(1).mean() < 0.05
    np.testing.assert_array_equal(without[~figure], picture[~figure])  # these figures are boxes
    ground = picture[~figure].astype(float)
    assert np.abs(without[figure].mean(0) - ground.mean(0)).max() < 25
    assert np.abs(picture[figure].mean(0) - ground.mean(0)).max() > 100
    np.testing.assert_array_equal(source.read(0, rng=np.random.default_rng(0))[0], picture)
    again = pickle.loads(pickle.dumps(source)).beside(0, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(again[0], colour)


def test_the_random_colour_is_one_colour_with_noise(source):
    """Its means over many draws fill the range, and within a picture it spreads by about 0.2 of it."""
    figure = source.cut.figure(0)
    grounds = [source.beside(0, rng=np.random.default_rng(seed))[0][~figure] / 255 for seed in range(60)]
    middle = [np.median(one[:, 0]) for one in grounds]
    assert min(middle) < 0.15
    assert max(middle) > 0.85
    spread = [one[:, 0].std() for one, m in zip(grounds, middle, strict=True) if 0.4 < m < 0.6]
    assert 0.15 < np.mean(spread) < 0.22


def test_batches_bring_them_along(source):
    """Normalised like the pictures, in the order of the batch, and the same for any augmentation: the figure moves with its picture."""
    for augment in ("none", "light"):
        with Loader(source.cut.data, options=dataclasses.replace(OPTIONS, augment=augment), train=True, source=source) as loader:
            first = next(iter(loader.epoch(0)))
        assert first.told.all()
        assert first.beside.shape == (8, 2, 3, 16, 16)
        same = (first.images == first.beside[:, 0]).all(1).flatten(1).float().mean(1)
        assert (same > 0.1).all()
    with Loader(source.cut.data, options=OPTIONS, train=False) as loader:
        assert next(iter(loader.epoch(0))).beside is None


def test_no_figure_no_pictures(data):
    """A mask of ground alone, and one that fills the picture, have nothing beside them."""
    train = open_dataset(data).select(split="train")
    read = labelled_data(train, classes=label_classes(train), size=16, norm="half")
    blank = {s: np.zeros((16, 16), np.uint8) for s in train.ids}
    blank[train.ids[1]] = np.ones((16, 16), np.uint8)
    masks = fg.dataset_from_arrays(blank, classes=train.classes).masks
    source = counterfactual_source(dataclasses.replace(train, masks=masks), read)
    assert source.beside(0, rng=np.random.default_rng(0)) is None
    assert source.beside(1, rng=np.random.default_rng(0)) is None


@pytest.mark.slow
def test_training_with_them(data, tmp_path):
    """A step sees three pictures for one; a step in parts is one step; the same call gives the same weights."""
    options = dataclasses.replace(OPTIONS, counterfactual=1.0)
    one, other = (fg.train(data, out=tmp_path / name, options=options) for name in ("one", "other"))
    assert one.card["sha256"] == other.card["sha256"]
    plain = fg.train(data, out=tmp_path / "plain", options=OPTIONS)
    assert plain.card["sha256"] != one.card["sha256"]
    cut = fg.train(data, out=tmp_path / "cut", options=dataclasses.replace(options, batch=4, accumulate=2))
    assert cut.card["training"]["steps"] == 2


def test_what_does_not_go_with_them(data, tmp_path):
    for change in ({"coral": 1.0}, {"backmix": 0.5}, {"masktune": "x"}, {"augment": "heavy"}):
        with pytest.raises(InputError, match="Leave one out"):
            fg.train(data, out=tmp_path / "w", options=dataclasses.replace(OPTIONS, counterfactual=1.0, **change))
    bare = dataclasses.replace(open_dataset(data), masks=None)
    with pytest.raises(InputError, match="has no masks"):
        fg.train(bare, out=tmp_path / "w", options=dataclasses.replace(OPTIONS, counterfactual=1.0))
    assert not (tmp_path / "w").exists()
