"""A classifier on the one training loop: what it learns, reports, resumes and refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.models.fit.learnable import write_learnable  # noqa: E402

from figureground import api  # noqa: E402
from figureground.core.errors import InputError  # noqa: E402
from figureground.core.types import ClassTable  # noqa: E402
from figureground.data.dataset import open_dataset  # noqa: E402
from figureground.models.fit.answers import FIGURES, answer_figures  # noqa: E402
from figureground.models.fit.labelled import group_shares, label_classes, labelled_data  # noqa: E402
from figureground.models.fit.options import FitOptions, check_together, make_fit_options  # noqa: E402
from figureground.models.predictor import open_predictor  # noqa: E402

FILE = str(Path(__file__).with_name("tiny.py"))
OPTIONS = FitOptions(
    task="classify",
    architecture=f"python:{FILE}:answering",
    size=16,
    batch=4,
    epochs=10,
    lr=0.03,
    norm="half",
    device="cpu",
    augment="none",
)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_learnable(tmp_path_factory.mktemp("data") / "learnable")


@pytest.fixture(scope="module")
def weights(data, tmp_path_factory):
    return api.train(data, out=tmp_path_factory.mktemp("out") / "weights", options=dataclasses.replace(OPTIONS, monitor="accuracy"))


def test_it_learns_and_says_how_well(weights):
    """Red cats and blue dogs are told apart in a second; every accuracy is named in card, curves and sentence."""
    figures = weights.figures
    assert [figures[name] for name in FIGURES[1:]] == [1.0, 1.0, 1.0, 1.0]
    assert figures["group_samples"] == {"cat, dark": 2, "cat, light": 2, "dog, dark": 2, "dog, light": 2}
    assert (weights.path / "curves.csv").read_text().splitlines()[0] == "epoch,step,lr,train_loss," + ",".join(FIGURES) + ",worst_group"
    assert weights.card["classes"] == {"names": ["cat", "dog"]}
    assert weights.card["task"] == "classify"
    assert "100.0 % of the answers are right" in weights.sentence
    assert "mean of groups" in (weights.path / "curves.svg").read_text()


def test_an_interrupted_training_ends_with_the_same_weights(data, weights, tmp_path, monkeypatch):
    """Stopped behind its first checkpoint and started again, by processes instead of threads: the same bytes."""
    from figureground.models.fit import loop

    saved = loop._Run.save

    def stop(self):
        saved(self)
        raise KeyboardInterrupt

    options = dataclasses.replace(OPTIONS, monitor="accuracy", checkpoint_every=3)
    monkeypatch.setattr(loop._Run, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        api.train(data, out=tmp_path / "again", options=options)
    monkeypatch.undo()
    again = api.train(data, out=tmp_path / "again", options=options)
    assert (again.path / "weights.safetensors").read_bytes() == (weights.path / "weights.safetensors").read_bytes()


def test_the_four_accuracies_by_hand():
    """Groups of 8 and 2 pictures with 8 and 1 right answers, trained as 3 to 1; two pictures of no group, one of them right."""
    counts = np.zeros((3, 2, 2), np.int64)
    counts[0] = [[8, 0], [0, 0]]
    counts[1] = [[0, 0], [1, 1]]
    counts[2] = [[1, 1], [0, 0]]
    shares = {"a": 0.75, "b": 0.25, "gone": 0.5}
    found = answer_figures(counts, classes=ClassTable(names=("x", "y")), group_names=("a", "b"), shares=shares, loss=0.3)
    assert found.accuracy == pytest.approx(10 / 12)
    assert found.adjusted_accuracy == pytest.approx(0.75 * 1 + 0.25 * 0.5)
    assert found.mean_group_accuracy == pytest.approx(0.75)
    assert (found.worst_group_accuracy, found.worst_group) == (0.5, "b")
    assert found.class_accuracy == {"x": 0.9, "y": 0.5}


def test_groups_are_the_label_and_any_column(data):
    dataset = open_dataset(data)
    classes = label_classes(dataset)
    assert classes.names == ("cat", "dog")
    assert labelled_data(dataset, classes=classes, size=16, norm="none", groups="split").group_names == (
        "cat, train",
        "cat, val",
        "dog, train",
        "dog, val",
    )
    bare = dataclasses.replace(dataset, samples=tuple(dataclasses.replace(s, attributes={}) for s in dataset.samples))
    assert labelled_data(bare, classes=classes, size=16, norm="none").group_names == ("cat", "dog")
    assert group_shares(labelled_data(dataset.select(split="train"), classes=classes, size=16, norm="none")) == dict.fromkeys(
        ("cat, dark", "cat, light", "dog, dark", "dog, light"), 0.25
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"groups": "weather"}, "no attribute `weather`"),
        ({"size": 0}, "at least 1 px"),
        ({"objective": "dice-ce"}, "counts for task segment only"),
        ({"monitor": "miou"}, "counts for task segment only"),
        ({"cutmix": 0.5}, "counts for task segment only"),
        ({"architecture": "smp:unet/resnet18"}, "must be timm:NAME"),
        ({"architecture": "timm:no_such_net"}, "unknown network"),
        ({"architecture": "timm:resnet18?pretrained=True"}, "--encoder-weights FILE"),
        ({"architecture": f"python:{FILE}:tiny"}, "must give logits \\[batch, classes\\]"),
        ({"task": "segment", "monitor": "accuracy"}, "counts for task classify only"),
        ({"task": "segment", "class_weights": "balanced", "monitor": "loss"}, "counts for task classify only"),
        ({"objective": "group-dro", "class_weights": "balanced"}, "class_weights"),
        ({"weights": "nowhere.safetensors"}, "no such weights file"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(data, tmp_path, change, words):
    if "timm" in change.get("architecture", ""):
        pytest.importorskip("timm")
    with pytest.raises(InputError, match=words):
        api.train(data, out=tmp_path / "w", options=dataclasses.replace(OPTIONS, **change))
    assert not (tmp_path / "w").exists()


def test_labels_that_cannot_be_learned_are_refused(data):
    dataset = open_dataset(data)
    one = dataset.select(ids=[s.id for s in dataset.samples if s.label == "cat"])
    with pytest.raises(InputError, match="only cat"):
        label_classes(one)
    with pytest.raises(InputError, match="'dog', which the classifier does not know"):
        labelled_data(dataset, classes=ClassTable(names=("cat", "hare")), size=16, norm="none")
    unlabelled = dataclasses.replace(dataset, samples=tuple(dataclasses.replace(s, label=None) for s in dataset.samples))
    with pytest.raises(InputError, match="have no label"):
        labelled_data(unlabelled, classes=label_classes(dataset), size=16, norm="none")


def test_a_classifier_gives_no_masks(weights):
    with pytest.raises(InputError, match="classifies pictures"):
        open_predictor(weights.model)


def test_imagenet_weights_come_from_a_file_all_but_the_classes(real_data):
    """Of EfficientNet-Lite0 every tensor but those of the classifier is that of the file."""
    pytest.importorskip("timm")
    from safetensors.torch import load_file

    from figureground.models.fit.networks import network_to_train

    file = real_data / "weights" / "tf_efficientnet_lite0.imagenet1k.safetensors"
    if not file.is_file():
        pytest.skip("the published weights are not here")
    options = FitOptions(task="classify", architecture="timm:tf_efficientnet_lite0", encoder_weights=str(file))
    network, notes = network_to_train(options, classes=3)
    found, given = network.network.state_dict(), load_file(file)
    assert found["classifier.weight"].shape == (3, 1280)
    assert all(torch.equal(found[name], given[name]) for name in given if not name.startswith("classifier."))
    assert "left out: 2 names" in notes[-1]
    with pytest.raises(InputError, match="do not fit the encoder"):
        network_to_train(dataclasses.replace(options, architecture="timm:resnet18"), classes=3)


def test_the_task_presets_what_others_report():
    options = make_fit_options({"task": "classify", "lr": 0.5})
    assert (options.architecture, options.monitor, options.label_smoothing, options.lr) == ("timm:resnet18", "accuracy", 0.1, 0.5)
    check_together(options)
    check_together(FitOptions())
    with pytest.raises(InputError, match="recipe of task segment"):
        make_fit_options({"task": "classify"}, {"preset": "label-flips"})
