"""The classify stage: its artifact, its figures against those counted by hand, its verb, and what it refuses."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.models.fit.learnable import write_learnable  # noqa: E402

import figureground as fg  # noqa: E402
from figureground.cli import app as cli  # noqa: E402
from figureground.core.errors import InputError  # noqa: E402
from figureground.metrics.flips import figure_flips  # noqa: E402
from figureground.models.classifier import open_classifier  # noqa: E402
from figureground.report import words, write_report  # noqa: E402
from figureground.stages.classify.contrast import common_contexts, group_kinds  # noqa: E402
from figureground.stages.classify.measure import Answered, measure  # noqa: E402
from figureground.stages.classify.pictures import flipped_figures, kept_pictures  # noqa: E402

FILE = Path(__file__).parents[1] / "models" / "fit" / "tiny.py"
PYTHON = f"python:{FILE}:answering"
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pairs of validation pictures that share a figure on two grounds: the number within the class."""
    folder = tmp_path_factory.mktemp("data") / "learnable"
    write_learnable(folder, val=6)
    rows = list(csv.DictReader((folder / "samples.csv").read_text().splitlines()))
    counts: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = (row["split"], row["label"], row["context"])
        counts[key] = counts.get(key, -1) + 1
        row["figure"] = f"{row['split']} {row['label']} {counts[key]}"
    with (folder / "samples.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return str(folder)


@pytest.fixture(scope="module")
def weights(data, tmp_path_factory):
    options = fg.FitOptions(
        task="classify", architecture=PYTHON, size=16, batch=4, epochs=2, lr=0.005, norm="half", device="cpu", augment="none"
    )
    return fg.train(data, out=tmp_path_factory.mktemp("out") / "weights", options=options)


@pytest.fixture(scope="module")
def model(weights):
    return f"weights:{weights.path}?architecture={PYTHON}"


@pytest.fixture(scope="module")
def answers(model, data, tmp_path_factory):
    options = fg.ClassifyOptions(split="val", figure="figure", resamples=200)
    return fg.classify(model, data, out=tmp_path_factory.mktemp("out") / "answers", options=options)


def test_the_tables_add_up(answers, model, data):
    """Answers are the network's own, accuracies and flips those that a loop over the answers counts."""
    rows = answers.table().to_pylist()
    assert len(rows) == 24
    assert all(r["p_cat"] + r["p_dog"] == pytest.approx(1) for r in rows)
    assert all(r["answer"] == max(("cat", "dog"), key=lambda name: r[f"p_{name}"]) for r in rows)
    classifier, dataset = open_classifier(model), fg.open_dataset(data)
    from figureground.data.pixels import read_picture

    picture = read_picture(dataset.sample(rows[0]["id"]).image, sample="x").astype(np.float32) / 255
    with torch.inference_mode():
        logits = classifier.network.network(torch.from_numpy((picture - 0.5) / 0.5).permute(2, 0, 1)[None])
    assert rows[0]["p_cat"] == pytest.approx(float(logits.softmax(1)[0, 0]), abs=1e-5)
    assert answers.summary["accuracy"]["value"] == pytest.approx(np.mean([r["answer"] == r["label"] for r in rows]))
    for group in answers.table("groups").to_pylist():
        own = [r["answer"] == r["label"] for r in rows if (r["label"], r["context"]) == (group["label"], group["context"])]
        assert (group["samples"], group["accuracy"]) == (len(own), pytest.approx(np.mean(own)))
        assert group["low"] <= group["accuracy"] <= group["high"]
        assert group["low"] < group["high"]
    pairs = {}
    for r in rows:
        pairs.setdefault(r["figure"], []).append(r["answer"])
    flips = answers.table("flips").to_pylist()
    assert {f["figure"]: f["rate"] for f in flips} == {name: float(a != b) for name, (a, b) in pairs.items()}
    assert answers.summary["flip_rate"]["value"] == pytest.approx(np.mean([f["rate"] for f in flips]))
    assert answers.summary["flip_rate"]["figures"] == 12
    assert answers.summary["sentence"].startswith("24 pictures: ")


def test_the_same_call_does_nothing_and_the_artifact_opens(answers, model, data):
    before = (answers.path / "manifest.json").stat().st_mtime_ns
    again = fg.classify(model, data, out=answers.path, options=fg.ClassifyOptions(split="val", figure="figure", resamples=200, workers=0))
    assert (again.path / "manifest.json").stat().st_mtime_ns == before
    assert fg.open_answers(answers.path).sentence == answers.sentence


def test_batches_change_nothing(answers, model, data, tmp_path):
    other = fg.classify(model, data, out=tmp_path / "a", options=fg.ClassifyOptions(split="val", figure="figure", batch=5, resamples=0))
    found, expected = (np.array(one.table()["p_cat"]) for one in (other, answers))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert other.summary["accuracy"]["low"] is None


def test_the_command(model, data, tmp_path, capsys, monkeypatch):
    arguments = ["classify", model, data, "--split", "val", "--figure", "figure", "--resamples", "50", "--out", str(tmp_path / "a")]
    monkeypatch.setattr(sys, "argv", ["figureground", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (0, None)
    told = capsys.readouterr().out
    assert "On another ground" in told
    assert "worst group" in told
    assert json.loads((tmp_path / "a" / "summary.json").read_text())["samples"] == 24


def answered(right, contexts, clusters=None):
    n = len(right)
    names = ("cat, in", "cat, out")
    return Answered(
        ids=tuple(map(str, range(n))),
        labels=("cat",) * n,
        contexts=tuple(contexts),
        figures=("",) * n,
        clusters=tuple(clusters or map(str, range(n))),
        names=("cat", "dog"),
        probabilities=np.array([[0.9, 0.1] if one else [0.2, 0.8] for one in right], np.float32),
        groups=np.array([0 if c == "in" else 1 for c in contexts]),
        group_names=names,
        group_values=(("cat", "in"), ("cat", "out")),
    )


def test_intervals_are_honest():
    """All right in 10 pictures reaches down to 0.025^(1/10); the same pictures of 2 figures reach much further down."""
    options = fg.ClassifyOptions(resamples=400)
    found = measure(
        answered([True] * 10 + [True, False] * 5, ["in"] * 10 + ["out"] * 10), options, shares={"cat, in": 0.9, "cat, out": 0.1}
    )
    assert found.of_groups[0] == (pytest.approx(0.025 ** (1 / 10)), 1.0)
    assert found.accuracy.adjusted == pytest.approx(0.95)
    assert (found.gaps[0].best, found.gaps[0].worst, found.gaps[0].value) == ("in", "out", 0.5)
    assert found.gaps[0].low < 0.5 < found.gaps[0].high
    assert found.of_worst[0] <= 0.5 <= found.of_worst[1]
    few = measure(answered([True] * 10, ["in"] * 10, ["a", "b"] * 5), options, shares={})
    assert few.of_groups[0] == (pytest.approx(0.025**0.5), 1.0)
    assert np.isnan(few.accuracy.adjusted)
    assert np.isnan(few.accuracy.groups[1])


def counted(right, kinds, wanted):
    own = [one for one, kind in zip(right, kinds, strict=True) if kind == wanted]
    return sum(own) / len(own)


def test_common_against_counterfactual_is_what_a_loop_counts():
    """Two classes, three contexts; the parts are of pictures together, and a class in its common context alone is left out."""
    rng = np.random.default_rng(3)
    labels = ["cat"] * 30 + ["dog"] * 30 + ["hare"] * 10
    contexts = [*(["in", "out", "sea"] * 20), *["sea"] * 10]
    right = rng.random(70) < 0.6
    common = {"cat": "in", "dog": "out", "hare": "sea"}
    kinds = ["common" if common[a] == b else "counterfactual" for a, b in zip(labels, contexts, strict=True)]
    groups = sorted(set(zip(labels, contexts, strict=True)))
    answers = Answered(
        ids=tuple(map(str, range(70))), labels=tuple(labels), contexts=tuple(contexts), figures=("",) * 70, clusters=tuple(map(str, range(70))),
        names=("cat", "dog", "hare"), probabilities=np.array([[0.1 + 0.8 * ((a == name) == ok) for name in ("cat", "dog", "hare")] for a, ok in zip(labels, right, strict=True)], np.float32),
        groups=np.array([groups.index(pair) for pair in zip(labels, contexts, strict=True)]),
        group_names=tuple(f"{a}, {b}" for a, b in groups), group_values=tuple(groups),
    )  # fmt: skip
    found = measure(answers, fg.ClassifyOptions(resamples=300), shares={}, common=common)
    assert [one.label for one in found.contrasts] == ["", "cat", "dog"]
    for one in found.contrasts:
        own = [k for k, label in enumerate(labels) if label == one.label or (not one.label and label != "hare")]
        parts = {kind: counted([right[k] for k in own], [kinds[k] for k in own], kind) for kind in ("common", "counterfactual")}
        assert (one.common, one.counterfactual) == pytest.approx((parts["common"], parts["counterfactual"]))
        assert one.of_gap[0] < one.gap < one.of_gap[1]
        assert one.of_common[0] <= one.common <= one.of_common[1]
    assert found.kinds == tuple("common" if common[a] == b else "counterfactual" for a, b in groups)
    bare = measure(answers, fg.ClassifyOptions(resamples=0), shares={}, common={"cat": "in"})
    assert [one.label for one in bare.contrasts] == ["", "cat"]
    assert np.isnan(bare.contrasts[0].of_gap[0])
    assert not measure(answers, fg.ClassifyOptions(resamples=0), shares={}).contrasts


def test_all_right_against_all_wrong_is_not_certain():
    """No resample differs: the gap reaches as far as the exact bounds of both parts at 97.5 % allow."""
    rows, contexts = [True] * 10 + [False] * 10, ["in"] * 10 + ["out"] * 10
    found = measure(answered(rows, contexts), fg.ClassifyOptions(resamples=100), shares={}, common={"cat": "in"})
    reach = 1 - 0.0125 ** (1 / 10)
    assert found.contrasts[0].of_gap == pytest.approx((1 - 2 * reach, 1.0))
    assert (found.gaps[0].low, found.gaps[0].high) == pytest.approx((1 - 2 * reach, 1.0))


def test_which_contexts_are_common(data):
    """As declared, else as the network was trained, else as most of the training split; a tie says nothing."""
    declared = fg.open_dataset(data)
    asked = {"groups": "", "trained": {}, "labels": ("cat", "dog")}
    assert common_contexts(declared, **asked) == {"cat": "dark", "dog": "light"}
    dataset = dataclasses.replace(declared, common={})
    assert common_contexts(dataset, **asked) == {}, "every group has as many"
    first = next(s.id for s in dataset.samples if (s.split, s.label, s.attributes["context"]) == ("train", "dog", "light"))
    uneven = dataclasses.replace(dataset, samples=tuple(s for s in dataset.samples if s.id != first))
    assert common_contexts(uneven, **asked) == {"dog": "dark"}
    trained = {"column": "context", "shares": {"cat, in": 0.4, "cat, in, too": 0.1, "dog, a": 0.2, "dog, b": 0.2, "fox, a": 0.1}}
    assert common_contexts(uneven, **{**asked, "trained": trained}) == {"cat": "in"}
    assert common_contexts(uneven, **{**asked, "trained": trained, "labels": ("cat", "cat, in")}) == {"cat": "in", "cat, in": "too"}
    assert common_contexts(uneven, **{**asked, "trained": {**trained, "column": "place"}}) == {"dog": "dark"}
    assert common_contexts(declared, **{**asked, "trained": trained}) == {"cat": "dark", "dog": "light"}
    assert common_contexts(uneven, **{**asked, "groups": "split"}) == {"cat": "train", "dog": "train"}


def test_a_class_of_several_common_contexts():
    values = [("cat", "in"), ("cat", "out"), ("cat", "sea"), ("dog", "in"), ("fox", "in"), ("cat", "")]
    kinds = group_kinds(values, {"cat": ("in", "sea"), "dog": "out"})
    assert kinds == ("common", "counterfactual", "common", "counterfactual", "", "")


def shown(figures, answers, contexts, sure):
    n = len(figures)
    probabilities = np.array([[p, 1 - p] if a == "cat" else [1 - p, p] for a, p in zip(answers, sure, strict=True)], np.float32)
    return Answered(
        ids=tuple(f"i{k:02d}" for k in range(n)), labels=("cat",) * n, contexts=tuple(contexts), figures=tuple(figures), clusters=tuple(figures),
        names=("cat", "dog"), probabilities=probabilities, groups=np.zeros(n, int), group_names=("cat, in",), group_values=(("cat", "in"),),
    )  # fmt: skip


def test_the_figures_whose_answer_changes_most_come_first_and_of_equal_ones_the_surest():
    one = shown(
        [*"aabbccdd"], ["cat", "dog", "cat", "dog", "cat", "cat", "cat", "dog"], ["in", "out"] * 4, [0.9, 0.6, 0.8, 0.8, 1, 1, 0.7, 0.7]
    )
    flips = figure_flips(one.answers, one.figures, one.contexts, one.labels)
    assert flipped_figures(flips, one, most=9) == ("b", "d", "a")
    assert flipped_figures(flips, one, most=1) == ("b",)


def test_of_many_pictures_of_a_figure_every_ground_and_answer_is_shown(answers, model, data):
    """Twenty pictures on two grounds, one answer that is rare: it is among the eight that are kept, by ground and id."""
    contexts, replies = ["in"] * 10 + ["out"] * 10, ["cat"] * 10 + ["dog"] * 9 + ["cat"]
    one = shown(["f"] * 20, replies, contexts, [0.9] * 20)
    ids = {row: sample.id for row, sample in zip(one.ids, fg.open_dataset(data).samples, strict=False)}
    one = dataclasses.replace(one, ids=tuple(ids[name] for name in one.ids))
    flips = figure_flips(one.answers, one.figures, one.contexts, one.labels)
    table = kept_pictures(flips, one, fg.open_dataset(data), most=1)
    found = [one.ids.index(name) for name in table["id"].to_pylist()]
    assert (len(found), 19 in found) == (8, True)
    assert [contexts[k] for k in found] == sorted(contexts[k] for k in found)
    with Image.open(io.BytesIO(table["picture"][0].as_py())) as picture:
        assert picture.size == (table["width"][0].as_py(), table["height"][0].as_py()) == (16, 16)


def test_the_report_of_real_answers(answers, tmp_path):
    """What the stage writes is what the page shows."""
    html = write_report(answers.path, tmp_path / "page.html").read_text(encoding="utf-8")
    text = re.sub(r"[ \n]+", " ", re.sub(r"<[^>]*>", "", html))
    assert words.opening(answers.sentence)[0] in text
    kept = answers.table("pictures")
    flipped = {row["figure"] for row in answers.table("flips").to_pylist() if row["flipped"]}
    assert set(kept["figure"].to_pylist()) == flipped
    assert html.count("<img ") == kept.num_rows + (2 if flipped else 0)
    for row in answers.table("groups").to_pylist():
        assert f"<bdi>{row['group']}</bdi>" in html
        assert words.percent(row["accuracy"]) in text
    assert words.percent(answers.summary["flip_rate"]["value"]) in text


def test_figures_that_all_flip_prove_nothing_exactly():
    """Ten figures, right inside and wrong outside: every resample has accuracy 1/2, and the interval has a width all the same."""
    rows = [True] * 10 + [False] * 10
    contexts = ["in"] * 10 + ["out"] * 10
    found = measure(answered(rows, contexts, [*map(str, range(10))] * 2), fg.ClassifyOptions(resamples=100), shares={"cat, in": 1.0})
    reach = 1 - 0.0125 ** (1 / 10)  # each of two groups at 97.5 %
    assert found.of_all == pytest.approx(((1 - reach) / 2, (1 + reach) / 2))
    assert found.of_mean == pytest.approx(found.of_all)
    assert found.of_adjusted == pytest.approx((1 - reach, 1.0))


def test_a_group_without_an_error_is_no_certainty_in_a_weighed_mean():
    """Twenty of twenty right weigh 0.9; ten of twenty elsewhere vary. What is added up reaches 0.9 of the exact bound below, at least."""
    right, contexts = [True] * 20 + [True, False] * 10, ["in"] * 20 + ["out"] * 20
    shares = {"cat, in": 0.9, "cat, out": 0.1}
    found = measure(answered(right, contexts), fg.ClassifyOptions(resamples=200), shares=shares)
    exact = 0.025 ** (1 / 20)  # 1 minus it: the error that twenty right answers leave possible
    assert found.of_groups[0] == pytest.approx((exact, 1.0))
    assert found.of_adjusted[0] <= 0.95 - 0.9 * (1 - exact)
    assert 0.95 < found.of_adjusted[1] < 1
    assert found.of_mean[0] <= 0.75 - 0.5 * (1 - exact)
    assert found.accuracy.adjusted == pytest.approx(0.95)


def test_the_bounds_of_a_weighed_mean_cover_it_where_most_groups_are_sure():
    """Two hundred tests of twenty pictures a group whose large one is nearly always right: resamples alone cover 3 of 4."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        right = [*(rng.random(20) < 0.97), *(rng.random(20) < 0.3)]
        found = measure(
            answered(right, ["in"] * 20 + ["out"] * 20),
            fg.ClassifyOptions(resamples=100),
            shares={"cat, in": 0.95, "cat, out": 0.05},
        )
        covered += found.of_adjusted[0] <= 0.95 * 0.97 + 0.05 * 0.3 <= found.of_adjusted[1]
    assert covered >= 190


def test_contexts_that_are_level_are_told_by_two_names():
    found = measure(answered([True, False] * 4, ["in"] * 4 + ["out"] * 4), fg.ClassifyOptions(resamples=0), shares={})
    assert [(gap.best, gap.worst, gap.value) for gap in found.gaps] == [("in", "out", 0.0)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split": "summer"}, "no split 'summer'"),
        ({"figure": "figur"}, "no attribute `figur`"),
        ({"groups": "weather"}, "no attribute `weather`"),
        ({"device": "abacus"}, "cannot be used here"),
    ],
)
def test_what_is_not_there_is_refused_and_nothing_is_written(model, data, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        fg.classify(model, data, out=tmp_path / "a", options=fg.ClassifyOptions(**change))
    assert not (tmp_path / "a").exists()


def test_models_that_do_not_fit(weights, data, tmp_path):
    with pytest.raises(InputError, match="not run on the word of a file"):
        fg.classify(weights, data, out=tmp_path / "a")
    card = json.loads((weights.path / "card.json").read_text())
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes((weights.path / "weights.safetensors").read_bytes())
    (folder / "card.json").write_text(json.dumps({**card, "classes": {"names": ["cat", "hare"]}}))
    with pytest.raises(InputError, match="'dog', which the classifier does not know"):
        fg.classify(f"weights:{folder}?architecture={PYTHON}", data, out=tmp_path / "a")
    (folder / "card.json").write_text(json.dumps({**card, "classes": {"names": ["cat", "dog", "hare"]}}))
    with pytest.raises(InputError, match="do not fit the network"):
        fg.classify(f"weights:{folder}?architecture={PYTHON}", data, out=tmp_path / "a")
    (folder / "card.json").write_text(json.dumps({**card, "task": "segment"}))
    with pytest.raises(InputError, match="does not classify"):
        fg.classify(f"weights:{folder}", data, out=tmp_path / "a")
    with pytest.raises(InputError, match="weights=FILE&names"):
        fg.classify("timm:resnet18", data, out=tmp_path / "a")


def test_repair_refuses_a_classifier(weights, data, tmp_path):
    from figureground.stages.repair.target import open_target

    with pytest.raises(InputError, match="holds a classifier"):
        open_target(str(weights.path))
    assert dataclasses.is_dataclass(weights)
