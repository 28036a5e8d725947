"""The refit stage: its solvers against scikit-learn and scipy, the choice by hand, the verb on a real network, and what it refuses."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.models.fit.learnable import write_learnable  # noqa: E402
from tests.support import Watcher  # noqa: E402

import figureground as fg  # noqa: E402
from figureground.cli import app as cli  # noqa: E402
from figureground.core.errors import InputError  # noqa: E402
from figureground.core.progress import QuietReporter  # noqa: E402
from figureground.data.dataset import open_dataset  # noqa: E402
from figureground.data.held_out import held_out  # noqa: E402
from figureground.models.classifier import features, open_classifier  # noqa: E402
from figureground.models.fit.labelled import labelled_data  # noqa: E402
from figureground.stages.refit.methods import Points, balanced, refit_afr, refit_dfr, reweighted  # noqa: E402
from figureground.stages.refit.options import RefitOptions, values  # noqa: E402
from figureground.stages.refit.solve import Head, held_logistic, l1_logistic, mean_head  # noqa: E402

FILE = Path(__file__).parents[1] / "models" / "fit" / "tiny.py"
PYTHON = f"python:{FILE}:linear"
pytestmark = pytest.mark.usefixtures("one_thread")


def cost(head, x, y, strength):
    logits = x @ head.weight.T + head.bias
    logits = logits - logits.max(1, keepdims=True)
    picked = logits[np.arange(len(y)), y] - np.log(np.exp(logits).sum(1))
    return np.abs(head.weight).sum() - strength * picked.sum()


@pytest.mark.parametrize("strength", [1.0, 0.1])
def test_two_classes_are_binary_logistic_regression_with_l1(strength):
    """The direction, the offset and which features are left out, as scikit-learn finds them by another method."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 8))
    y = (x[:, 0] + 0.5 * x[:, 1] + rng.normal(size=60) > 0.3).astype(np.int64)
    found = l1_logistic(x, y, classes=2, strength=strength, steps=20_000)
    other = linear_model.LogisticRegression(l1_ratio=1.0, C=strength, solver="saga", tol=1e-10, max_iter=100_000).fit(x, y)
    np.testing.assert_allclose(found.weight[1] - found.weight[0], other.coef_[0], atol=2e-4)
    np.testing.assert_allclose(found.bias[1] - found.bias[0], other.intercept_[0], atol=2e-4)


def test_three_classes_have_no_better_neighbour():
    """A convex cost is smallest where 500 small random moves and the moves of a general minimiser make it no smaller."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(45, 5)), np.arange(45) % 3
    x[:, 0] += y
    head = l1_logistic(x, y, classes=3, strength=0.5, steps=20_000)
    least = cost(head, x, y, 0.5)
    for size in (1e-3, 1e-1):
        for _ in range(250):
            moved = Head(weight=head.weight + size * rng.normal(size=(3, 5)), bias=head.bias + size * rng.normal(size=3))
            assert cost(moved, x, y, 0.5) >= least - 1e-9

    def parts(v):
        """|w| is smooth as the sum of two parts at least 0."""
        return cost(Head(weight=(v[:15] - v[15:30]).reshape(3, 5), bias=v[30:]), x, y, 0.5)

    smooth = minimize(parts, np.full(33, 0.1), bounds=[(0, None)] * 30 + [(None, None)] * 3)
    assert smooth.fun - 0.02 < least < smooth.fun + 1e-6  # the general one stops a little early


def test_a_held_head_is_the_minimum_of_its_cost():
    """With enough steps, what scipy finds for the written formula; with a huge pull, the head before."""
    rng = np.random.default_rng(3)
    x, y, w = rng.normal(size=(30, 4)), rng.integers(0, 3, 30), rng.random(30)
    before = Head(weight=rng.normal(size=(3, 4)), bias=rng.normal(size=3))

    def formula(v, pull):
        weight, bias = v[:12].reshape(3, 4), v[12:]
        total = 0.0
        for k in range(30):
            logits = weight @ x[k] + bias
            total += w[k] / w.sum() * (np.log(np.exp(logits).sum()) - logits[y[k]])
        return total + pull * (((weight - before.weight) ** 2).sum() + ((bias - before.bias) ** 2).sum())

    soft, stiff = held_logistic(x, y, w, before=before, pulls=[0.05, 1e4], steps=4000, rate=1.0)
    best = minimize(formula, np.zeros(15), args=(0.05,), tol=1e-10)
    np.testing.assert_allclose(np.concatenate([soft.weight.ravel(), soft.bias]), best.x, atol=1e-4)
    np.testing.assert_allclose(stiff.weight, before.weight, atol=1e-3)
    same = held_logistic(x, y, w, before=before, pulls=[0.0], steps=0, rate=1.0)[0]
    np.testing.assert_array_equal(same.weight, before.weight)


def test_afr_weights_by_hand():
    """P of the truth .5 and .5 in class 0 and .8 in class 1: exp(-.5g)/2 twice and exp(-.8g), g = 2."""
    logit = np.log(4.0)
    points = Points(features=np.array([[0.0], [0.0], [logit]]), targets=np.array([0, 0, 1]), groups=np.zeros(3, np.int64), names=("g",))
    before = Head(weight=np.array([[0.0], [1.0]]), bias=np.zeros(2))
    raw = np.array([np.exp(-1) / 2, np.exp(-1) / 2, np.exp(-1.6)])
    np.testing.assert_allclose(reweighted(before, points, gamma=2.0), raw / raw.sum())
    np.testing.assert_allclose(reweighted(before, points, gamma=0.0), [0.25, 0.25, 0.5])


def test_afr_says_where_it_makes_things_worse():
    """The layer before is right about all but one sample, and a huge gamma weighs nothing but that."""
    features = np.array([[-2.0], [-1.0], [1.0], [2.0], [-3.0]])
    points = Points(features=features, targets=np.array([0, 0, 1, 1, 1]), groups=np.array([0, 0, 1, 1, 2]), names=("a", "b", "odd"))
    val, before = points.rows(np.arange(4)), Head(weight=np.array([[-1.0], [1.0]]), bias=np.zeros(2))
    said = Watcher()
    refit_afr(points, val, before, RefitOptions(method="afr", gammas="30", pulls="0", steps=2000, rate=0.1), said)
    assert "no choice is as good as the layer before: on the validation its worst group was 100.0 %" in " ".join(said.said)
    said = Watcher()
    refit_afr(points, val, before, RefitOptions(method="afr", gammas="0,30", pulls="0,100"), said)
    assert not said.said


def planted(n, rng, minority):
    """Feature 0 tells the class weakly, feature 1 the context strongly; `minority` of the samples have the other context."""
    y = np.arange(n) % 2
    context = np.where(rng.random(n) < minority, 1 - y, y)
    x = np.stack([(2 * y - 1) + 0.6 * rng.normal(size=n), 3 * (2 * context - 1) + 0.3 * rng.normal(size=n), rng.normal(size=n)], 1)
    return Points(features=x, targets=y, groups=2 * y + context, names=("0, 0", "0, 1", "1, 0", "1, 1"))


def test_both_methods_leave_the_shortcut():
    """A head that reads the context is right in half of the groups; each method makes its worst group much better."""
    rng = np.random.default_rng(4)
    train, test, shortcut = (
        planted(400, rng, 0.1),
        planted(400, rng, 0.5),
        Head(weight=np.array([[0, -1.0, 0], [0, 1.0, 0]]), bias=np.zeros(2)),
    )
    assert test.accuracy(shortcut).worst == 0
    options = RefitOptions(draws=4, gammas="4:12:3", pulls="0,0.01", steps=2000, rate=1.0)
    dfr = refit_dfr(train, options, QuietReporter())
    afr = refit_afr(train, planted(200, rng, 0.5), shortcut, options, QuietReporter())
    assert test.accuracy(dfr.head).worst > 0.85
    assert test.accuracy(afr.head).worst > 0.7
    assert [sum(one["chosen"] for one in found.rows) for found in (dfr, afr)] == [1, 1]
    assert len(dfr.rows) == 7
    assert len(afr.rows) == 6
    for found in (dfr, afr):
        best = max(one["worst_group_accuracy"] for one in found.rows)
        assert next(one for one in found.rows if one["chosen"])["worst_group_accuracy"] == best
    again = refit_dfr(train, options, QuietReporter())
    np.testing.assert_array_equal(again.head.weight, dfr.head.weight)


def test_dfr_undoes_the_standardisation():
    """Shifted and stretched features give the same answers: the head is one of features as they are."""
    points = planted(80, np.random.default_rng(5), 0.3)
    options = RefitOptions(draws=2, strengths="0.3")
    moved = dataclasses.replace(points, features=points.features * [5.0, 0.1, 2.0] + [3.0, -7.0, 0.5])
    one, other = (refit_dfr(p, options, QuietReporter()).head for p in (points, moved))
    np.testing.assert_allclose(one.logits(points.features), other.logits(moved.features), atol=1e-6)


def test_balanced_draws_are_as_many_of_each_group():
    groups = np.array([0] * 9 + [1] * 3 + [2] * 5)
    chosen = balanced(groups, np.arange(17), np.random.default_rng(0))
    assert np.bincount(groups[chosen]).tolist() == [3, 3, 3]
    assert len(set(chosen.tolist())) == 9


def test_the_mean_head():
    heads = [Head(weight=np.full((2, 1), v), bias=np.full(2, -v)) for v in (1.0, 3.0)]
    assert (mean_head(heads).weight[0, 0], mean_head(heads).bias[0]) == (2.0, -2.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "learnable"
    write_learnable(folder, train=5, val=4)
    return str(folder)


@pytest.fixture(scope="module")
def weights(data, tmp_path_factory):
    options = fg.FitOptions(
        task="classify", architecture=PYTHON, size=16, batch=4, epochs=1, lr=0.001, norm="half", device="cpu", augment="none", held_out=0.4
    )
    return fg.train(data, out=tmp_path_factory.mktemp("out") / "weights", options=options)


@pytest.fixture(scope="module")
def model(weights):
    return f"weights:{weights.path}?architecture={PYTHON}"


def test_features_and_head_are_the_network(model, data):
    """The last layer of the features is what the network says."""
    classifier = open_classifier(model)
    read = labelled_data(open_dataset(data), classes=classifier.classes, size=16, norm="half")
    found = features(classifier, read, batch=3, workers=0, device="cpu", reporter=QuietReporter())
    layer = classifier.network.network[-1]
    picture = torch.from_numpy((read.read(5)[0].astype(np.float32) / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]
    with torch.inference_mode():
        np.testing.assert_allclose(layer(torch.from_numpy(found[5])), classifier.network.network(picture)[0], atol=1e-5)


@pytest.mark.parametrize("method", ["dfr", "afr"])
def test_the_verb_writes_weights_like_any_other(method, weights, model, data, tmp_path, capsys, monkeypatch):
    """Only the last layer differs; `classify` opens it and finds the accuracy the card tells; the same call does nothing."""
    out = tmp_path / "refitted"
    more = (
        ["--draws", "2", "--strengths", "1,0.1"]
        if method == "dfr"
        else ["--gammas", "1,4", "--pulls", "0,0.1", "--steps", "300", "--rate", "1"]
    )
    monkeypatch.setattr(sys, "argv", ["figureground", "refit", model, data, "--method", method, "--out", str(out), *more])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (0, None)
    assert f"refitted by {method}" in capsys.readouterr().out
    from safetensors.torch import load_file

    new, old = load_file(out / "weights.safetensors"), load_file(weights.path / "weights.safetensors")
    assert {name for name in old if not torch.equal(old[name], new[name])} == {"4.weight", "4.bias"}
    card = json.loads((out / "card.json").read_text())
    assert card["refit"]["from"]["sha256"] == weights.card["sha256"]
    assert card["refit"]["data"]["samples"] == (16 if method == "dfr" else 8)
    rows = list(csv.DictReader((out / "choices.csv").read_text().splitlines()))
    assert [row["chosen"] for row in rows].count("true") == 1
    answers = fg.classify(
        f"weights:{out}?architecture={PYTHON}", data, out=tmp_path / "a", options=fg.ClassifyOptions(split="val", resamples=0)
    )
    if method == "afr":
        assert card["figures"]["worst_group_accuracy"] == answers.summary["worst_group_accuracy"]["value"]
        assert card["figures"]["group_samples"] == {one["group"]: one["samples"] for one in answers.summary["groups"]}
    else:
        assert answers.summary["worst_group_accuracy"]["value"] == 1.0
    before = (out / "manifest.json").stat().st_mtime_ns
    with pytest.raises(SystemExit):
        cli.main()
    assert (out / "manifest.json").stat().st_mtime_ns == before
    assert "Refitted: weights" in (out / "card.md").read_text()


def test_what_training_left_out_is_what_afr_takes(data, weights):
    own = open_dataset(data).select(split="train")
    learned, left = held_out(own, part=0.4, seed=0)
    assert (len(learned), len(left)) == (12, 8)
    assert not set(learned.ids) & set(left.ids)
    assert [sum(s.label == name for s in left.samples) for name in ("cat", "dog")] == [4, 4]
    assert weights.card["data"]["train"]["samples"] == 12
    turned = dataclasses.replace(own, samples=own.samples[::-1])
    assert set(held_out(turned, part=0.4, seed=0)[1].ids) == set(left.ids)
    assert set(held_out(own, part=0.4, seed=1)[1].ids) != set(left.ids)
    with pytest.raises(InputError, match="leaves out no sample"):
        held_out(own, part=0.01, seed=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split": "summer"}, "no split 'summer'"),
        ({"strengths": "0"}, "numbers above 0"),
        ({"method": "afr", "gammas": "high"}, "numbers of at least 0"),
        ({"method": "afr", "split": "val"}, "fitted to and chosen by"),
        ({"groups": "split", "split": "train", "method": "afr", "val_split": "spring"}, "no split 'spring'"),
        ({"groups": "weather"}, "no attribute `weather`"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(model, data, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        fg.refit(model, data, out=tmp_path / "r", options=RefitOptions(**change))
    assert not (tmp_path / "r").exists()


def test_networks_and_samples_that_cannot_be_refitted(data, model, weights, tmp_path):
    other = fg.train(
        data,
        out=tmp_path / "other",
        options=fg.FitOptions(task="classify", architecture=f"python:{FILE}:answering", size=16, epochs=1, norm="half", device="cpu"),
    )
    with pytest.raises(InputError, match="no linear layer with 2 outputs"):
        fg.refit(f"weights:{other.path}?architecture=python:{FILE}:answering", data, out=tmp_path / "r")
    dataset = open_dataset(data)
    cats = dataset.select(ids=[s.id for s in dataset.samples if s.label == "cat"])
    with pytest.raises(InputError, match="of class dog"):
        fg.refit(model, cats, out=tmp_path / "r")
    few = dataset.select(ids=[i for i in dataset.ids if i not in ("val001", "val005", "val009")])
    with pytest.raises(InputError, match="dog, dark has less"):
        fg.refit(model, few, out=tmp_path / "r")
    learned, _ = held_out(dataset.select(split="train"), part=0.4, seed=0)
    with pytest.raises(InputError, match="Give the data set that it was trained on"):
        fg.refit(
            model,
            dataset.select(ids=[i for i in dataset.ids if i != learned.ids[0]]),
            out=tmp_path / "r",
            options=RefitOptions(method="afr"),
        )
    with pytest.raises(InputError, match="counts for task classify only"):
        fg.train(data, out=tmp_path / "r", options=fg.FitOptions(held_out=0.2))
    assert not (tmp_path / "r").exists()


def test_grids():
    assert values("20:30:21", name="gammas", positive=False)[:2] == (20.0, 20.5)
    assert values("1, 0.3,0.3", name="strengths", positive=True) == (0.3, 1.0)
