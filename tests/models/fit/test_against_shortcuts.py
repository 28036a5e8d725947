"""Deep CORAL, MaskTune and BackMix: each against a formula or a case by hand, and each trained for real."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.models.fit.learnable import write_learnable  # noqa: E402
from tests.models.fit.tiny import linear  # noqa: E402
from torch import nn  # noqa: E402

import figureground as fg  # noqa: E402
from figureground.core.errors import InputError  # noqa: E402
from figureground.core.progress import QuietReporter  # noqa: E402
from figureground.core.types import ClassTable  # noqa: E402
from figureground.data.dataset import dataset_from_arrays, open_dataset  # noqa: E402
from figureground.models.fit.backmix import backmix_source  # noqa: E402
from figureground.models.fit.batch import Batch, Counts  # noqa: E402
from figureground.models.fit.coral import Coral, covariance_distance, domains_of  # noqa: E402
from figureground.models.fit.labelled import label_classes, labelled_data  # noqa: E402
from figureground.models.fit.masktune import masked_source, peaks, salience  # noqa: E402
from figureground.models.fit.networks import Network  # noqa: E402
from figureground.models.fit.options import FitOptions, check_together, make_fit_options  # noqa: E402

FILE = str(Path(__file__).with_name("tiny.py"))
OPTIONS = FitOptions(
    task="classify", architecture=f"python:{FILE}:linear", size=16, batch=8, epochs=2, lr=0.01, norm="half", device="cpu", augment="none"
)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_learnable(tmp_path_factory.mktemp("data") / "learnable")


@pytest.fixture(scope="module")
def plain(data, tmp_path_factory):
    return fg.train(data, out=tmp_path_factory.mktemp("out") / "plain", options=OPTIONS)


@pytest.fixture(scope="module")
def read(data):
    train = open_dataset(data).select(split="train")
    return labelled_data(train, classes=label_classes(train), size=16, norm="half")


def test_the_distance_is_the_written_formula():
    """Three domains and a picture of none, every number by loops."""
    rng = np.random.default_rng(0)
    x, domains = rng.normal(size=(14, 3)), np.array([0] * 5 + [1] * 4 + [2] * 4 + [-1])

    def covariance(rows):
        mean = [sum(row[j] for row in rows) / len(rows) for j in range(3)]
        return [[sum((r[i] - mean[i]) * (r[j] - mean[j]) for r in rows) / (len(rows) - 1) for j in range(3)] for i in range(3)]

    each = [covariance([x[k] for k in range(14) if domains[k] == one]) for one in range(3)]
    pairs = [(0, 1), (0, 2), (1, 2)]
    squares = [sum((each[a][i][j] - each[b][i][j]) ** 2 for i in range(3) for j in range(3)) for a, b in pairs]
    found = covariance_distance(torch.from_numpy(x), torch.from_numpy(domains))
    assert float(found) == pytest.approx(sum(squares) / 3 / (4 * 3**2))


def test_one_feature_by_hand_and_nothing_to_compare():
    """Variances 2 and 8: (2 - 8)^2 / 4 = 9; a domain of one picture has none."""
    x = torch.tensor([[0.0], [2.0], [1.0], [5.0], [3.0]], requires_grad=True)
    assert covariance_distance(x, torch.tensor([0, 0, 1, 1, 2])).item() == pytest.approx(9)
    alone = covariance_distance(x, torch.tensor([0, 0, 1, 2, -1]))
    alone.backward()
    assert alone.item() == 0
    assert not x.grad.any()


def test_coral_sees_what_goes_into_the_last_layer(read):
    """The penalty of a batch is the distance of its features, times weight and share of the step; its gradient reaches the first layer."""
    domains = domains_of(read)
    assert [read.group_names[g].split(", ")[1] for g in np.flatnonzero(domains == 0)] == ["dark", "dark"]
    network = Network(linear(2), classifies=True)
    coral = Coral(network.network, classes=2, domains=domains, weight=3.0)
    images, groups = torch.rand(6, 3, 16, 16), torch.tensor([0, 1, 2, 3, 0, -1])
    batch = Batch(
        images=images, masks=torch.zeros(6, 1, 1, dtype=torch.int64), groups=groups, indices=torch.arange(6), weights=torch.ones(6)
    )
    network(images)
    whole = Counts(values=torch.tensor([12.0, 12.0], dtype=torch.float64))
    found = coral(batch, whole=whole)
    own = torch.tensor([*domains[[0, 1, 2, 3, 0]], -1])
    with torch.no_grad():
        expected = covariance_distance(network.network[:-1](images), own)
    assert found.item() == pytest.approx(3 * float(expected) / 2, rel=1e-4)
    found.backward()
    assert network.network[0][0].weight.grad.abs().sum() > 0
    with pytest.raises(InputError, match="saw none"):
        coral(batch, whole=None)
    coral.close()
    assert not network.network[-1]._forward_pre_hooks


def test_coral_brings_covariances_together(data, plain, read, tmp_path):
    """Trained from the same start, the features of the two grounds vary more alike than without."""
    held = fg.train(data, out=tmp_path / "coral", options=dataclasses.replace(OPTIONS, coral=1e4))

    def distance(weights):
        from safetensors.torch import load_file

        network = linear(2).eval()
        network.load_state_dict(load_file(weights.path / "weights.safetensors"))
        images = torch.from_numpy(np.stack([(read.read(k)[0] / 255 - 0.5) / 0.5 for k in range(len(read))])).permute(0, 3, 1, 2).float()
        with torch.no_grad():
            return float(covariance_distance(network[:-1](images), torch.from_numpy(domains_of(read)[read.groups])))

    assert distance(held) < 0.9 * distance(plain)
    cut = fg.train(data, out=tmp_path / "cut", options=dataclasses.replace(OPTIONS, coral=1.0, batch=4, accumulate=2, epochs=1))
    assert cut.card["training"]["steps"] == 2


class Looks(nn.Module):
    """Class 1 is the brightness of the red channel; the map of features is the picture itself."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Identity()

    def forward(self, images):
        red = self.map(images)[:, 0].mean((1, 2))
        return torch.stack([-red, red], 1)[:, :, None, None]


def test_salience_by_hand():
    """Gradient of class 1 by red is 1 / 16 everywhere: a = sum(G A) / sum(A) = 1 / 16 for red, 0 for the others; of class 0 it is below 0."""
    images = torch.zeros(2, 3, 4, 4)
    images[:, 0, 1, 2], images[:, 1] = 8.0, 5.0
    heat = salience(Looks().eval(), images, torch.tensor([1, 0]))
    assert float(heat[0, 1, 2]) == pytest.approx(0.5)
    assert int((heat[0] > 0).sum()) == 1
    assert not heat[1].any()
    assert np.argwhere(peaks(heat.numpy())).tolist() == [[0, 1, 2]]


def test_peaks_are_two_deviations_above_the_mean():
    heat = np.zeros((1, 3, 4))
    heat[0, 0, 0], heat[0, 1, 1] = 10, 3
    limit = heat.mean() + 2 * heat.std()
    assert np.array_equal(peaks(heat), heat > limit)
    assert peaks(heat).sum() == 1


def test_masked_pictures(read):
    """Where the map stands out there is 0, elsewhere the picture; the file's picture is left alone."""
    network = Network(linear(2), classifies=True)
    source = masked_source(network, read, options=OPTIONS, device=torch.device("cpu"), reporter=QuietReporter())
    mask, before = source.mask(3), read.read(3)[0].copy()
    shown = source.read(3, rng=np.random.default_rng(0))[0]
    assert not shown[mask].any()
    np.testing.assert_array_equal(shown[~mask], before[~mask])
    np.testing.assert_array_equal(read.read(3)[0], before)
    assert 0 < sum(source.mask(k).mean() for k in range(len(read))) / len(read) < 0.25
    assert source.identity() != dataclasses.replace(source, bits=source.bits ^ 1).identity()


def test_masktune_goes_on_from_the_first_network(data, plain, tmp_path):
    """One epoch at a small rate: weights near those of the first network, and not the same."""
    given = {"task": "classify", "masktune": str(plain.path), "architecture": OPTIONS.architecture, "size": 16, "norm": "half"}
    options = make_fit_options({**given, "device": "cpu", "val_split": "", "monitor": "loss"})
    assert (options.epochs, options.lr, options.schedule) == (1, 1e-5, "constant")
    tuned = fg.train(data, out=tmp_path / "tuned", options=options)
    from safetensors.torch import load_file

    old, new = (load_file(one.path / "weights.safetensors")["4.weight"] for one in (plain, tuned))
    assert 0 < float((old - new).abs().max()) < 1e-3


def test_backmix_by_hand():
    """Two pictures of 2 x 3: the figure stays, the ground is the other's, and the other's figure is a hole of 0."""
    pictures = {"a": np.full((2, 3, 3), 50, np.uint8), "b": np.full((2, 3, 3), 90, np.uint8)}
    masks = {"a": np.array([[1, 0, 0], [0, 0, 0]], np.uint8), "b": np.array([[0, 2, 0], [0, 0, 255]], np.uint8)}

    class Read:
        samples, labels, size_hw = ("a", "b"), ("cat", "dog"), (2, 3)

        def read(self, index):
            return pictures["ab"[index]], None

        def __len__(self):
            return 2

    classes = ClassTable(names=("ground", "cat", "dog"))
    source = backmix_source(dataset_from_arrays(masks, classes=classes), Read(), chance=1.0)
    shown = source.read(0, rng=np.random.default_rng(0))[0]
    assert shown[..., 0].tolist() == [[50, 0, 90], [90, 90, 90]]
    assert source.read(1, rng=np.random.default_rng(0))[0][..., 0].tolist() == [[0, 90, 50], [50, 50, 50]]
    never = dataclasses.replace(source, chance=0.0)
    assert never.read(0, rng=np.random.default_rng(0))[0] is pictures["a"]
    masks["a"][1, 2] = 2  # a dog beside the cat is no part of the figure, and leaves a hole in its ground
    both = backmix_source(dataset_from_arrays(masks, classes=classes), Read(), chance=1.0)
    assert both.read(0, rng=np.random.default_rng(0))[0][..., 0].tolist() == [[50, 0, 90], [90, 90, 90]]
    assert both.read(1, rng=np.random.default_rng(0))[0][..., 0].tolist() == [[0, 90, 50], [50, 50, 0]]
    masks["a"][:] = 0
    empty = backmix_source(dataset_from_arrays(masks, classes=classes), Read(), chance=1.0)
    assert empty.read(0, rng=np.random.default_rng(0))[0] is pictures["a"]


def test_backmix_draws_grounds_of_known_figures_alone():
    """Where a figure is not known, its picture would bring the figure along with the ground; it is never its own ground either."""
    masks = {name: np.array([[1, 0, 0]], np.uint8) for name in "abcd"}

    class Read:
        samples, labels, size_hw = tuple("abcd"), ("cat",) * 4, (1, 3)

        def read(self, index):
            return np.full((1, 3, 3), 10 * (index + 1), np.uint8), None

        def __len__(self):
            return 4

    dataset = dataset_from_arrays(masks, classes=ClassTable(names=("ground", "cat")))
    source = backmix_source(dataset, Read(), chance=1.0, known=(True, False, True, True))
    drawn = [{int(source.read(own, rng=np.random.default_rng(k))[0][0, 2, 0]) for k in range(60)} for own in range(4)]
    assert drawn == [{30, 40}, {10, 30, 40}, {10, 40}, {10, 30}]
    with pytest.raises(InputError, match=r"pictures whose figure is known, and has 1\. Give figures of more"):
        backmix_source(dataset, Read(), chance=1.0, known=(True, False, False, False))


def test_backmix_is_drawn_evenly_and_trains_the_same_again(data, read, tmp_path):
    """Grounds come from all other pictures about equally often; a copy for another process shows the same; training repeats bit for bit."""
    dataset = open_dataset(data).select(split="train")
    source = backmix_source(dataset, read, chance=1.0)
    light = [source.read(0, rng=np.random.default_rng(seed))[0][0, 0].mean() > 120 for seed in range(60)]
    assert 15 < sum(light) < 45
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(*(each.read(2, rng=np.random.default_rng(1))[0] for each in (source, copy)))
    options = dataclasses.replace(OPTIONS, backmix=0.5, epochs=1)
    one = fg.train(data, out=tmp_path / "one", options=options)
    other = fg.train(data, out=tmp_path / "other", options=options)
    assert one.card["sha256"] == other.card["sha256"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coral": 1.0, "groups": "split"}, "the training samples have 1"),
        ({"coral": 1.0, "architecture": f"python:{FILE}:answering"}, "no linear layer with 2 outputs"),
        ({"coral": 1.0, "augment": "heavy"}, "which coral cannot compare"),
        ({"masktune": "nowhere.safetensors"}, "no such weights file"),
        ({"masktune": "a", "backmix": 1.0}, "leave `backmix` out"),
        ({"masktune": "a", "weights": "b"}, "leave `weights` out"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(data, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        fg.train(data, out=tmp_path / "w", options=dataclasses.replace(OPTIONS, **change))
    assert not (tmp_path / "w").exists()


def test_they_are_of_classifiers_and_need_masks(data, tmp_path):
    for name, value in {"coral": 1.0, "masktune": "x", "backmix": 0.5}.items():
        with pytest.raises(InputError, match="counts for task classify only"):
            check_together(FitOptions(**{name: value}))
    bare = dataclasses.replace(open_dataset(data), masks=None)
    with pytest.raises(InputError, match="and the data set has none"):
        fg.train(bare, out=tmp_path / "w", options=dataclasses.replace(OPTIONS, backmix=0.5))
