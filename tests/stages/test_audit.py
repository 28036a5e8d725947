"""The audit against a slow oracle, its tables against its summary, and its behaviour when something is wrong or interrupted."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from planted import CLASSES, planted, planted_dataset

import figureground
from figureground.api import audit
from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.data.given import as_predictions
from figureground.runs.artifact import read_manifest
from figureground.runs.executor import LocalExecutor
from figureground.runs.progress import LineReporter, QuietReporter
from figureground.stages.audit import stage
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.stage import run_audit

FAST = AuditOptions(resamples=200, common=("cat=indoor", "dog=outdoor"))


def slow_rates(pairs):
    """Correct, flipped, missed and added by a loop over pixels."""
    n = Counter()
    for truth, predicted in pairs:
        for t, p in zip(truth.ravel().tolist(), predicted.ravel().tolist(), strict=True):
            if t == 255:
                continue
            n["foreground" if t else "background"] += 1
            n["correct"] += t > 0 and t == p
            n["flipped"] += t > 0 and p > 0 and t != p
            n["missed"] += t > 0 and p == 0
            n["added"] += t == 0 and p > 0
    return {name: n[name] / n["background" if name == "added" else "foreground"] for name in ("correct", "flipped", "missed", "added")}


def slow_iou(pairs, class_id):
    """Pooled IoU of one class by sets of pixels."""
    both = union = 0
    for truth, predicted in pairs:
        t, p = (truth == class_id), (predicted == class_id) & (truth != 255)
        both += int((t & p).sum())
        union += int((t | p).sum())
    return both / union if union else None


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """One audit of the planted set, with its arrays."""
    masks, predictions, attributes = planted()
    dataset, _ = planted_dataset()
    result = audit(dataset, predictions, options=FAST, out=tmp_path_factory.mktemp("audit") / "out")
    return result, masks, predictions, attributes


def test_rates_are_those_of_a_loop_over_pixels(audited):
    """Overall and in each group, each of the four rates."""
    result, masks, predictions, attributes = audited
    overall = slow_rates([(masks[i], predictions[i]) for i in masks])
    for name, rate in overall.items():
        assert result.summary["rates"][name]["value"] == pytest.approx(rate, abs=1e-12)
    for group in result.summary["groups"]:
        columns = {"class": "label", "context": "context"}
        own = [i for i in masks if all(attributes[i][columns[a]] == v for a, v in group["attributes"].items())]
        assert group["samples"] == len(own) > 0
        for name, rate in slow_rates([(masks[i], predictions[i]) for i in own]).items():
            assert group["rates"][name]["value"] == pytest.approx(rate, abs=1e-12)


def test_overlaps_are_those_of_sets_of_pixels(audited):
    """Class IoU, their mean, and the IoU of any foreground."""
    result, masks, predictions, _ = audited
    pairs = [(masks[i], predictions[i]) for i in masks]
    ious = [slow_iou(pairs, c) for c in range(3)]
    for name, iou in zip(CLASSES, ious, strict=True):
        assert result.summary["iou"][name]["value"] == pytest.approx(iou)
    assert result.summary["miou"]["macro"]["value"] == pytest.approx(np.mean(ious))
    any_label = slow_iou([(np.where(t == 255, t, t > 0), p > 0) for t, p in pairs], 1)
    assert result.summary["foreground_iou"]["value"] == pytest.approx(any_label)


def test_the_planted_groups_are_found(audited):
    """The counterfactual groups carry the flips, the gaps are positive, and the sentence names the worst group."""
    summary = audited[0].summary
    kinds = {
        (g["attributes"]["class"], g["attributes"]["context"]): g["kind"] for g in summary["groups"] if g["by"] == ["class", "context"]
    }
    assert kinds[("cat", "outdoor")] == kinds[("dog", "indoor")] == "counterfactual"
    assert kinds[("cat", "indoor")] == kinds[("dog", "outdoor")] == "common"
    assert summary["gaps"]["worst_group"]["attributes"] == {"class": "cat", "context": "outdoor"}
    assert summary["gaps"]["flip"]["value"] > 0.4
    assert all(gap["value"] > 0.2 for gap in summary["gaps"]["iou"])
    assert [gap["class"] for gap in summary["gaps"]["iou"]] == ["cat", "dog"]


def test_gaps_are_differences_of_group_numbers(audited):
    """IoU gap of cats: their IoU on the indoor cats minus that on the outdoor cats."""
    result, masks, predictions, attributes = audited
    by_group = {
        context: [(masks[i], predictions[i]) for i in masks if attributes[i]["label"] == "cat" and attributes[i]["context"] == context]
        for context in ("indoor", "outdoor")
    }
    wanted = slow_iou(by_group["indoor"], 1) - slow_iou(by_group["outdoor"], 1)
    assert result.summary["gaps"]["iou"][0]["value"] == pytest.approx(wanted)


def test_the_tables_add_up_to_the_summary(audited):
    """Counts, samples and regions hold the same pixels; parts sum to the foreground exactly."""
    result, masks, _, _ = audited
    samples, counts, regions = (result.table(name).to_pylist() for name in ("samples", "counts", "regions"))
    assert sum(r["pixels"] for r in counts) == sum(s["pixels"] for s in samples) == result.summary["pixels"]["counted"]
    assert sum(s["ignored"] for s in samples) == result.summary["pixels"]["ignored"] == 5 * len(masks)
    for s in samples:
        assert s["correct"] + s["flipped"] + s["missed"] == s["foreground"]
        assert s["foreground"] + s["background"] == s["pixels"]
    truth = [r for r in regions if r["side"] == "truth"]
    for part in ("correct", "flipped", "missed"):
        assert sum(r[part] for r in truth) == sum(s[part] for s in samples)
    predicted = [r for r in regions if r["side"] == "predicted"]
    assert sum(r["added"] for r in predicted) == sum(s["added"] for s in samples)


def test_intervals_hold_their_values(audited):
    """Every interval of a rate lies in [0, 1] around its value."""
    summary = audited[0].summary
    for rates in [summary["rates"], *(g["rates"] for g in summary["groups"])]:
        for rate in rates.values():
            assert 0 <= rate["low"] <= rate["value"] + 1e-12
            assert rate["value"] - 1e-12 <= rate["high"] <= 1


def test_image_means_weigh_pictures_alike(audited):
    """The mean of each picture's flipped share."""
    result, masks, predictions, _ = audited
    shares = [slow_rates([(masks[i], predictions[i])])["flipped"] for i in masks]
    assert result.summary["flip_image_mean"]["value"] == pytest.approx(np.mean(shares))
    assert result.summary["flip_image_mean"]["samples"] == len(masks)


def test_bca_agrees_on_the_value_and_gives_other_ends():
    """The kind of interval never changes an estimate."""
    dataset, predictions = planted_dataset(6)
    percentile, bca = (
        audit(dataset, predictions, options=AuditOptions(resamples=300, interval=kind)).summary["rates"]["flipped"]
        for kind in ("percentile", "bca")
    )
    assert percentile["value"] == bca["value"]
    assert (percentile["low"], percentile["high"]) != (bca["low"], bca["high"])
    assert 0 <= bca["low"] < bca["value"] < bca["high"] <= 1


def test_clusters_widen_the_interval_of_what_they_share():
    """Resampling whole clusters of like samples is less sure than resampling samples as if they were apart."""
    masks, predictions, attributes = planted(2)
    many = {f"{i}.{copy}": masks[i] for i in masks for copy in range(10)}
    preds = {f"{i}.{copy}": predictions[i] for i in masks for copy in range(10)}
    attrs = {f"{i}.{copy}": attributes[i] | {"scene": i} for i in masks for copy in range(10)}
    dataset = figureground.dataset_from_arrays(many, classes=CLASSES, attributes=attrs)
    widths = []
    for cluster in ("", "scene"):
        rate = audit(dataset, preds, options=AuditOptions(resamples=300, cluster=cluster)).summary["rates"]["flipped"]
        widths.append(rate["high"] - rate["low"])
    assert widths[1] > 2 * widths[0]


def test_one_unit_alone_gets_no_interval():
    """A group within one cluster could be anything in the next: no interval, marked, and no gap or worst group pretends otherwise."""
    masks, predictions, attributes = planted(25)
    attrs = {i: a | {"scene": f"{a['label']} {a['context']}"} for i, a in attributes.items()}
    dataset = figureground.dataset_from_arrays(masks, classes=CLASSES, attributes=attrs)
    for kind in ("percentile", "bca"):
        options = AuditOptions(resamples=50, cluster="scene", common=FAST.common, interval=kind)
        summary = audit(dataset, predictions, options=options).summary
        crossed = [g for g in summary["groups"] if g["by"] == ["class", "context"]]
        assert all(g["few"] and g["rates"]["flipped"]["value"] is not None for g in crossed)
        assert all(g["rates"]["flipped"]["low"] is g["rates"]["flipped"]["high"] is None for g in crossed)
        assert summary["gaps"]["worst_group"]["low"] is None
        assert all(gap["few"] and gap["low"] is None for gap in summary["gaps"]["iou"])
        assert summary["rates"]["flipped"]["low"] < summary["rates"]["flipped"]["value"] < summary["rates"]["flipped"]["high"]


def test_no_resamples_no_intervals():
    """Values stay, ends are null."""
    dataset, predictions = planted_dataset()
    rate = audit(dataset, predictions, options=AuditOptions(resamples=0)).summary["rates"]["flipped"]
    assert rate["value"] is not None
    assert rate["low"] is rate["high"] is None


def test_two_predictions_are_compared_on_the_same_samples():
    """A prediction against itself differs by exactly nothing; against the truth by its flips."""
    dataset, predictions = planted_dataset()
    perfect = {i: np.where(planted()[0][i] == 255, 0, planted()[0][i]) for i in predictions}
    result = audit(dataset, [predictions, dict(predictions), perfect], options=FAST)
    same = [d for d in result.summary["differences"] if (d["a"], d["b"]) == ("prediction 1", "prediction 2")]
    assert all(d["value"] == d["low"] == d["high"] == 0 for d in same)
    flips = next(d for d in result.summary["differences"] if d["b"] == "prediction 3" and d["metric"] == "flipped")
    assert flips["value"] == result.summary["predictions"]["prediction 1"]["rates"]["flipped"]["value"]
    assert flips["low"] > 0


def test_a_perfect_prediction_has_nothing_but_correct():
    """Rates 1, 0, 0, 0; nothing flipped, and the sentence says so."""
    dataset, _ = planted_dataset()
    perfect = {i: np.where(m == 255, 0, m) for i, m in planted()[0].items()}
    summary = audit(dataset, perfect, options=FAST).summary
    assert [summary["rates"][n]["value"] for n in ("correct", "flipped", "missed", "added")] == [1, 0, 0, 0]
    assert summary["foreground_iou"]["value"] == summary["miou"]["macro"]["value"] == summary["boundary_f"]["value"] == 1
    assert "hardly ever flipped" in summary["sentence"]


def test_nothing_to_judge_is_said():
    """Masks of background alone: undefined rates are null, and the sentence says why."""
    masks = {"a": np.zeros((4, 4), np.uint8), "b": np.zeros((4, 4), np.uint8)}
    summary = audit(masks, {i: m.copy() for i, m in masks.items()}, classes=CLASSES, options=AuditOptions(resamples=50)).summary
    assert summary["rates"]["flipped"]["value"] is None
    assert summary["rates"]["added"]["value"] == 0
    assert "no foreground" in summary["sentence"]
    assert summary["iou"]["cat"] == {"value": None, "low": None, "high": None, "present": False}


def test_merging_classes_turns_flipped_into_correct():
    """Cat and dog as one animal: no flips, the missed part as before."""
    dataset, predictions = planted_dataset()
    summary = audit(dataset, predictions, options=AuditOptions(resamples=0, merge=("animal=cat,dog",), confusable=("cat,dog",))).summary
    merged = summary["merged"][0]["rates"]
    assert merged["flipped"] == 0
    assert merged["missed"] == pytest.approx(summary["rates"]["missed"]["value"])
    assert summary["confusable"]["within"] == pytest.approx(summary["rates"]["flipped"]["value"])
    assert summary["confusable"]["across"] == 0


def test_risk_that_knows_the_flips_is_told_from_one_that_does_not():
    """A score equal to the flipped share ranks perfectly, a constant one not at all."""
    dataset, predictions = planted_dataset(6)
    [given] = as_predictions(predictions, dataset)
    rates = {i: slow_rates([(planted(6)[0][i], predictions[i])])["flipped"] for i in predictions}
    scored = figureground.Predictions(
        name="p", source=given.source, ids=given.ids, scores={"flip_risk": rates, "flat": dict.fromkeys(rates, 0.5)}
    )
    risk = audit(dataset, scored, options=AuditOptions(resamples=50)).summary["risk"]
    assert risk["auroc"] == risk["spearman"] == pytest.approx(1)
    assert risk["eaurc"] == pytest.approx(0)
    assert risk["n_scored"] == 24
    assert risk["rivals"]["flat"]["auroc"] == 0.5
    assert risk["rivals"]["flat"]["spearman"] is None
    assert sum(d["n"] for d in risk["deciles"]) == 24


def test_groups_by_other_columns_afterwards(audited):
    """The tables are enough to regroup: two films, rates as a loop over pixels gives them."""
    result, masks, predictions, attributes = audited
    rows = {row["group"]: row for row in result.by("film").to_pylist()}
    for film in ("film 0", "film 1"):
        own = [(masks[i], predictions[i]) for i in masks if attributes[i]["film"] == film]
        assert rows[film]["flipped"] == pytest.approx(slow_rates(own)["flipped"])
    with pytest.raises(InputError, match="colour"):
        result.by("colour")


def test_regrouping_keeps_clusters_and_ties():
    """Groups made afterwards are those of the audit: the same intervals, the same kinds."""
    dataset, predictions = planted_dataset(6)
    result = audit(dataset, predictions, options=AuditOptions(resamples=80, cluster="film", common=FAST.common))
    wanted = {row["group"]: row for row in result.table("groups").to_pylist() if row["by"] == "class x context"}
    assert {row["group"]: row for row in result.by("class", "context").to_pylist()} == wanted
    assert {row["kind"] for row in wanted.values()} == {"common", "counterfactual"}


def test_another_training_set_is_another_audit(tmp_path):
    """What is common is part of the key: swapping the contexts of the training set gives a new audit with the ties the other way round."""
    dataset, predictions = planted_dataset()
    for number, ties in enumerate([("indoor", "outdoor"), ("outdoor", "indoor")]):
        rows = "".join(f"t{i},,{label},train,{context}\n" for i, (label, context) in enumerate(zip(("cat", "dog"), ties, strict=True)))
        (tmp_path / "samples.csv").write_text("id,mask,label,split,context\n" + rows)
        (tmp_path / "dataset.toml").write_text(
            '[classes]\nnames = ["ground", "cat", "dog"]\n[samples]\ntable = "samples.csv"\n[attributes]\nlabel = "label"\ncontext = "context"\n'
        )
        options = AuditOptions(resamples=0, train=str(tmp_path))
        summary = audit(dataset, predictions, options=options, out=tmp_path / "a").summary
        assert summary["common"] == {"cat": ties[0], "dog": ties[1]}, number


def test_training_split_says_what_is_common():
    """Without a declaration the majority context of the training split is common."""
    masks, predictions, attributes = planted()
    train = {f"t{i}": np.ones((2, 2), np.uint8) for i in range(5)}
    tied = {i: {"label": "cat", "context": "outdoor" if i != "t0" else "indoor", "split": "train"} for i in train}
    dataset = figureground.dataset_from_arrays(masks | train, classes=CLASSES, attributes=attributes | tied)
    summary = audit(dataset, predictions, options=AuditOptions(resamples=0, split="test")).summary
    assert summary["common"] == {"cat": "outdoor"}
    assert {g["kind"] for g in summary["groups"] if g["attributes"].get("class") == "dog"} == {None}


def test_a_finished_audit_is_not_done_again(tmp_path, capsys):
    """The same inputs and options: one line, the same files; other options: new numbers."""
    dataset, predictions = planted_dataset()
    first = audit(dataset, predictions, options=FAST, out=tmp_path / "a")
    stamp = (first.path / "manifest.json").stat().st_mtime_ns
    audit(dataset, predictions, options=FAST, out=tmp_path / "a", reporter=LineReporter())
    assert "nothing to do" in capsys.readouterr().err
    assert (first.path / "manifest.json").stat().st_mtime_ns == stamp
    audit(dataset, predictions, options=AuditOptions(resamples=10), out=tmp_path / "a")
    assert read_manifest(tmp_path / "a").options["resamples"] == 10


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_audit_goes_on_and_gives_the_same_bytes(tmp_path, monkeypatch, workers):
    """Cut off behind the second shard, run again: only the rest is measured and every table is the same."""
    monkeypatch.setattr(stage, "SHARD_SIZES", (4, 4))
    dataset, predictions = planted_dataset()
    given = as_predictions(predictions, dataset)
    settings = {"options": FAST, "reporter": QuietReporter()}
    whole = run_audit(dataset, given, out=tmp_path / "whole", executor=LocalExecutor(), **settings)

    class Cut(LocalExecutor):
        def map_batches(self, make_worker, batches):
            for number, result in enumerate(super().map_batches(make_worker, batches)):
                if number == 2:
                    raise KeyboardInterrupt
                yield result

    with pytest.raises(KeyboardInterrupt):
        run_audit(dataset, given, out=tmp_path / "cut", executor=Cut(), **settings)
    assert not (tmp_path / "cut").exists()
    seen = []

    class Watched(LocalExecutor):
        def map_batches(self, make_worker, batches):
            batches = list(batches)
            seen.extend(i for batch in batches for i in batch)
            return super().map_batches(make_worker, batches)

    again = run_audit(dataset, given, out=tmp_path / "cut", executor=Watched(workers), **settings)
    assert len(seen) == 4
    for name in ("counts", "samples", "regions", "groups", "worst"):
        assert (again / f"{name}.parquet").read_bytes() == (whole / f"{name}.parquet").read_bytes()
    assert (again / "audit.json").read_text() == (whole / "audit.json").read_text()


def test_faults_stop_the_audit_unless_they_may_happen(tmp_path):
    """A prediction of another size is refused and nothing is left behind; with --max-failures it is left out and listed."""
    dataset, predictions = planted_dataset()
    odd = "cat-indoor-0"
    predictions[odd] = predictions[odd][:-1]
    with pytest.raises(FormatError, match=r"23 px high.*--max-failures N$") as caught:
        audit(dataset, predictions, options=FAST, out=tmp_path / "a")
    assert caught.value.fault.sample == odd
    assert not (tmp_path / "a").exists()
    result = audit(dataset, predictions, options=AuditOptions(resamples=0, max_failures=1), out=tmp_path / "a")
    assert result.summary["samples"] == 11
    assert json.loads((tmp_path / "a" / "failures.json").read_text())[0]["sample"] == odd
    assert audit(dataset, predictions, options=AuditOptions(resamples=0, resize="nearest")).summary["samples"] == 12


def test_missing_and_surplus_predictions_are_refused():
    """Every sample needs its prediction, and every prediction its sample."""
    dataset, predictions = planted_dataset()
    less = {i: p for i, p in predictions.items() if i != "cat-indoor-0"}
    with pytest.raises(FormatError, match="no prediction"):
        audit(dataset, less, options=FAST)
    with pytest.raises(FormatError, match="does not have"):
        audit(dataset, predictions | {"stranger": predictions["cat-indoor-0"]}, options=FAST)


def test_a_figure_mask_read_as_class_ids_is_refused():
    """0 and 255 alone, with 255 as ignore: every figure would silently not count."""
    masks = {f"{n}": np.kron(np.eye(2, dtype=np.uint8) * 255, np.ones((3, 3), np.uint8)) for n in range(3)}
    with pytest.raises(FormatError, match="no mask holds a foreground class"):
        audit(masks, {i: np.zeros_like(m) for i, m in masks.items()}, classes=CLASSES)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": ("colour",)}, "colour"),
        ({"cluster": "colour"}, "colour"),
        ({"common": ("cat",)}, "CLASS=CONTEXT"),
        ({"common": ("cow=indoor",)}, "cow"),
        ({"common": ("cat=mars",)}, "known: indoor, outdoor"),
        ({"risk": "nope"}, "no prediction has a score column `nope`"),
        ({"confusable": ("cat,cat",)}, "different"),
        ({"merge": ("cat,dog",)}, "merge"),
        ({"confusable": ("cat",)}, "at least two"),
        ({"split": "nowhere"}, "nowhere"),
    ],
)
def test_options_that_do_not_fit_are_said_before_anything_is_measured(tmp_path, options, words):
    """Unknown attributes, classes and splits name themselves and leave nothing on disk."""
    dataset, predictions = planted_dataset()
    with pytest.raises(InputError, match=words):
        audit(dataset, predictions, options=AuditOptions(resamples=0, **options), out=tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_an_audit_is_saved_opened_and_reported(audited, tmp_path):
    """A copy opens like the original; what is no audit is refused."""
    saved = audited[0].save(tmp_path / "kept")
    assert figureground.open_audit(saved.path).summary == audited[0].summary
    assert saved.report(tmp_path / "page.html").read_text().lower().startswith("<!doctype html>")
    with pytest.raises(ArtifactError):
        figureground.open_audit(tmp_path)
    with pytest.raises(InputError, match="one of counts"):
        saved.table("nothing")


@pytest.mark.slow
def test_real_networks(real_data, tmp_path):
    """The six published networks on the real set: the parts add up, cats outdoors are the worst large group, risk is better than chance."""
    names = sorted(p.name for p in (real_data / "predictions").iterdir())[:2]
    specs = [f"png:{real_data}/predictions/{n}/voc21?scores={real_data}/predictions/{n}/voc21.csv" for n in names]
    result = audit(str(real_data / "voc21"), specs, options=AuditOptions(resamples=50), out=tmp_path / "a")
    for name in names:
        one = result.summary["predictions"][name]
        assert one["samples"] == 616
        assert sum(one["rates"][r]["value"] for r in ("correct", "flipped", "missed")) == pytest.approx(1)
        assert one["gaps"]["worst_group"]["attributes"] == {"class": "cat", "context": "outdoor"}
        assert one["flips"][0]["truth"] == "cat"
        assert one["risk"]["auroc"] > 0.7
    assert pq.read_table(result.path / "samples.parquet").num_rows == 2 * 616


@pytest.mark.parametrize(("added", "words"), [(0, "has the right region and the wrong label"), (1, "is called by another class")])
def test_the_finding_speaks_of_the_right_region_only_where_it_is(added, words):
    """All of the figure has the other name; with the ground called so, too, no region was found."""
    truth = np.zeros((8, 8), np.uint8)
    truth[:4, :4] = 1
    predicted = np.where(truth == 1, 2, 2 * added)
    result = audit({"a": truth}, {"a": predicted}, classes=["ground", "cat", "dog"])
    assert words in result.sentence
