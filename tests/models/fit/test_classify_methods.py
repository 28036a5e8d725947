"""Methods against shortcuts on the one loop: group-dro moves its weights, groups are evened out, errors come again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.models.fit.learnable import write_learnable  # noqa: E402

import figureground as fg  # noqa: E402
from figureground.core.errors import InputError  # noqa: E402
from figureground.core.progress import QuietReporter  # noqa: E402
from figureground.models.fit.labelled import label_classes, labelled_data  # noqa: E402
from figureground.models.fit.loop import fit  # noqa: E402
from figureground.models.fit.networks import network_to_train  # noqa: E402
from figureground.models.fit.objectives import GroupDRO  # noqa: E402
from figureground.stages.train.errors import repeated_errors  # noqa: E402

PYTHON = f"python:{Path(__file__).with_name('tiny.py')}:answering"
OPTIONS = fg.FitOptions(
    task="classify", architecture=PYTHON, size=16, batch=8, epochs=2, lr=0.01, norm="half", device="cpu", augment="none", monitor="accuracy"
)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_learnable(tmp_path_factory.mktemp("data") / "learnable")


def test_group_dro_as_published_on_pictures():
    """Two steps by hand, after Algorithm 1: q_g *= exp(step * mean loss of the group), then to the sum 1; the loss is sum q_g loss_g.

    Three pictures of group 0 with the loss log 2 and one of group 1 with the loss log 4, step 1: q = (2/6, 4/6), then (4/20, 16/20).
    """
    objective = GroupDRO(groups=2, step=1.0).train()
    logits = torch.zeros(4, 2, 1, 1)
    logits[3, 1] = float(np.log(3))  # truth 0 has the share 1/4
    masks, groups, weights = torch.zeros(4, 1, 1, dtype=torch.int64), torch.tensor([0, 0, 0, 1]), torch.ones(4)
    for q in ((1 / 3, 2 / 3), (1 / 5, 4 / 5)):
        loss = float(objective(logits, masks, groups, weights))
        assert objective.weights.tolist() == pytest.approx(q)
        assert loss == pytest.approx(q[0] * np.log(2) + q[1] * np.log(4))


def test_group_dro_moves_its_weights_in_a_training(data, tmp_path):
    """The weights in the state of the loop are no longer even, and the more so the larger the step."""
    dataset = fg.open_dataset(data)
    classes = label_classes(dataset)
    train, val = (labelled_data(dataset.select(split=s), classes=classes, size=16, norm="half") for s in ("train", "val"))
    found = []
    for step in (0.0, 1.0):
        options = dataclasses.replace(OPTIONS, objective="group-dro", dro_step=step)
        network, _ = network_to_train(options, classes=2)
        fit(network, train=train, val=val, options=options, state_dir=tmp_path / str(step))
        states = [torch.load(p, weights_only=True) for p in (tmp_path / str(step)).glob("*.pt")]
        q = next(s["objective"]["log_weights"] for s in states if "objective" in s).exp()
        assert float(q.sum()) == pytest.approx(1)
        found.append(float(q.max() - q.min()))
    assert found[0] == pytest.approx(0)
    assert found[1] > 0.01


@pytest.mark.slow
def test_errors_of_a_first_model_are_shown_more_often(data, tmp_path):
    """A model of one epoch answers; the table of its answers says the same; the second training shows so many more samples."""
    first = fg.train(data, out=tmp_path / "first", options=dataclasses.replace(OPTIONS, epochs=1, lr=1e-4))
    model = f"weights:{first.path}?architecture={PYTHON}"
    answers = fg.classify(model, data, out=tmp_path / "answers", options=fg.ClassifyOptions(split="train"))
    rows = answers.table().to_pylist()
    wrong = [r["answer"] != r["label"] for r in rows]
    assert 0 < sum(wrong) < len(wrong)
    train = fg.open_dataset(data).select(split="train")
    quiet = QuietReporter()
    for where in (model, str(answers.path), str(answers.path / "answers.parquet")):
        plan = repeated_errors(train, dataclasses.replace(OPTIONS, errors_of=where, upweight=5), quiet)
        assert plan.times.tolist() == [5 if w else 1 for w in wrong]
    second = fg.train(data, out=tmp_path / "second", options=dataclasses.replace(OPTIONS, errors_of=model, upweight=5))
    shown = len(wrong) + 4 * sum(wrong)
    assert second.card["training"]["steps"] == 2 * -(-shown // 8)
    assert f"{sum(wrong)} of 16 training samples are shown 5 times" in second.card["training"]["notes"][-1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"balance": "subsample", "errors_of": "x"}, "Leave one of the two out"),
        ({"objective": "group-dro", "augment": "heavy"}, "mixes pictures of two groups"),
        ({"errors_of": "nowhere"}, "cannot be read as a card"),
        ({"task": "segment", "augment": "heavy", "monitor": "loss"}, "counts for task classify only"),
    ],
)
def test_what_contradicts_itself(data, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        fg.train(data, out=tmp_path / "w", options=dataclasses.replace(OPTIONS, **change))
    assert not (tmp_path / "w").exists()


def test_a_first_model_without_errors_or_without_answers(data, tmp_path):
    train = fg.open_dataset(data).select(split="train")
    table = tmp_path / "right.csv"
    quiet = QuietReporter()
    table.write_text("id,answer\n" + "".join(f"{s.id},{s.label}\n" for s in train.samples))
    with pytest.raises(InputError, match="right about all 16"):
        repeated_errors(train, dataclasses.replace(OPTIONS, errors_of=str(table)), quiet)
    table.write_text("id,answer\n" + "".join(f"{s.id},{s.label}\n" for s in train.samples[1:]))
    with pytest.raises(InputError, match="says nothing of the training samples"):
        repeated_errors(train, dataclasses.replace(OPTIONS, errors_of=str(table)), quiet)


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"balance": "subsample"}, {"balance": "weight"}, {"class_weights": "balanced"}, {"augment": "heavy"}])
def test_methods_learn(data, tmp_path, change):
    """Colours on two grounds are learned whatever evens out groups or changes pictures."""
    weights = fg.train(data, out=tmp_path / "w", options=dataclasses.replace(OPTIONS, batch=4, epochs=12, lr=0.03, **change))
    assert weights.figures["worst_group_accuracy"] == 1.0
