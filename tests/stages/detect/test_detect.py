"""The detect stage: from labels to grids of all training pictures, repeated and resumed with the same bytes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("timm", reason="timm is not installed")

from tests.stages.detect.world import by_people, make_data, quick
from tests.support import Watcher, run_program

from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.data.dataset import open_dataset
from figureground.data.grids import Thresholds, read_grids
from figureground.data.pixels import read_picture
from figureground.models.inputs import normalised, plan_input, resized
from figureground.models.predictor import open_predictor
from figureground.runs.artifact import read_manifest
from figureground.stages.detect.measure import RATES
from figureground.stages.detect.options import DetectOptions, fit_options, make_detect_options
from figureground.stages.detect.summary import KEYS, POINT
from figureground.swaps import swap_detect as detect

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("detect") / "data")


@pytest.fixture(scope="module")
def found(data, tmp_path_factory):
    return detect(data, out=tmp_path_factory.mktemp("out") / "grids", options=quick())


def test_every_training_picture_has_a_grid_and_no_other(data, found):
    grids = found.grids()
    assert grids.ids == open_dataset(data).select(split="train").ids
    assert all(grids.grid(name).shape == (4, 4) for name in grids.ids)
    assert grids.thresholds == found.thresholds
    manifest = read_manifest(found.path, kind="grids")
    assert manifest.counts == {"pictures": 24, "labels": 20}
    assert (manifest.failures, manifest.seed) == (0, 0)
    assert {path.name for path in found.path.iterdir()} == {
        *("grids.parquet", "detect.json", "curve.svg", "sheet.jpg", "detector", "manifest.json", "failures.json")
    }


def test_it_says_how_good_it_is_from_how_many_labels(found):
    summary = found.summary
    assert tuple(summary) == KEYS
    assert [point["labels"] for point in summary["curve"]] == [8, 16]
    assert (summary["learned"], summary["held_out"], summary["labels"]) == (16, 4, 20)
    for point in summary["curve"]:
        assert tuple(point) == POINT
        assert tuple(point["patches"]) == tuple(point["pixels"]) == RATES
    assert f"judged on 4 others: {100 * summary['curve'][-1]['patches']['accuracy']['value']:.1f} %" in found.sentence
    assert "From 8 to 16 labels" in found.sentence
    svg = (found.path / "curve.svg").read_text()
    assert svg.count("labelled pictures learned from") == 4


def test_the_detector_is_a_segmentation_network_that_says_the_same(data, found):
    """MODEL spec weights:OUT/detector, run as any other model, gives the grid pixel by pixel."""
    predictor = open_predictor(found.model)
    sample = open_dataset(data).select(split="train").samples[5]
    picture = read_picture(sample.image)
    plan = plan_input(picture.shape[:2], predictor.spec)
    logits = predictor.forward(normalised(resized(picture, plan.scaled_hw, predictor.spec.resize), predictor.spec)[None])[0]
    background = 1 / (1 + np.exp(logits[1] - logits[0]))
    assert np.allclose(background[::8, ::8], found.grids().grid(sample.id), atol=1e-6)
    assert predictor.spec.class_names == ("background", "figure")
    predictor.close()


@pytest.mark.slow
def test_the_same_again_does_nothing_and_another_option_does(data, found, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(found.path, out)
    told = Watcher()
    again = detect(data, out=out, options=quick(workers=0, checkpoint_every=7), reporter=told)
    assert "there already" in told.said[-1]
    assert again.summary == found.summary
    told = Watcher()
    detect(data, out=out, options=quick(curve="0", epochs=1), reporter=told)
    assert any("is replaced when the new one is finished" in line for line in told.said)


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [2, 5, 8, 20])
def test_an_interrupted_one_ends_with_the_same_bytes(data, found, tmp_path, stop_after):
    """Stopped in the first training, the second, and while grids are made."""
    out = tmp_path / "grids"
    with pytest.raises(KeyboardInterrupt):
        detect(data, out=out, options=quick(checkpoint_every=1), reporter=Watcher(stop_after=stop_after))
    assert not out.exists()
    detect(data, out=out, options=quick(checkpoint_every=1))
    for name in ("grids.parquet", "detect.json", "curve.svg", "sheet.jpg", "detector/weights.safetensors"):
        assert (out / name).read_bytes() == (found.path / name).read_bytes(), name


@pytest.mark.slow
def test_it_learns_squares_and_people_count_as_masks_do(data, tmp_path):
    """From labels in the review page: red and blue squares are told from grey ground almost everywhere, by the paper's head, too."""
    ids = [f"train{n:03d}" for n in range(20)]
    labels = by_people(data, tmp_path / "labels", ids)
    for head in ("conv", "pooled"):
        found = detect(data, labels, out=tmp_path / head, options=quick(masks="none", grid="", head=head, epochs=40, curve="0"))
        assert found.summary["source"] == "labels"
        assert found.summary["curve"][0]["patches"]["accuracy"]["value"] > (0.9 if head == "conv" else 0.75)
        assert found.summary["curve"][0]["patches"]["leakage"]["value"] <= 0.25


@pytest.mark.slow
def test_a_corrupt_picture_is_a_row_of_failures_or_stops_it(tmp_path):
    """One that is labelled is left out of the labels; one that is not has no grid."""
    data = Path(make_data(tmp_path / "data"))
    (data / "train007.png").write_bytes((data / "train007.png").read_bytes()[:40])
    with pytest.raises(FormatError, match=r"train007.*--max-failures N$"):
        detect(str(data), out=tmp_path / "stopped", options=quick(epochs=1, curve="0"))
    assert not (tmp_path / "stopped").exists()
    for name, count in (("all", 0), ("some", 4)):
        found = detect(str(data), out=tmp_path / name, options=quick(epochs=1, curve="0", max_failures=1, count=count, held_out=0.5))
        failures = json.loads((found.path / "failures.json").read_text())
        assert [row["sample"] for row in failures] == ["train007"]
        assert len(found.grids()) == 23
        assert "train007" not in found.grids()
        assert found.summary["labels"] == (23 if count == 0 else 4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": 34}, "multiple of the rows and columns of the grid, 4 x 4"),
        ({"grid": "4x2", "augment": "patches-turned"}, "as many rows as columns; the grid is 4 x 2"),
        ({"tight": 0.8, "loose": 0.5}, "`tight` must not be above `loose`"),
        ({"tight": 0.4, "leakage": 0.05}, "`leakage` 0.05 is for choosing the tight bound, and --tight gives it. Leave it out"),
        ({"loose": 0.4, "coverage": 0.9}, "`coverage` 0.9 is for choosing the loose bound"),
        ({"curve": "50,many"}, "numbers of labels with commas between"),
        ({"count": 1}, "at least 2 labelled pictures are needed"),
        ({"train_split": "training"}, "has no split 'training'; it has train, val"),
        ({"train_split": ""}, "has the splits train, val. Give --train-split the one for training"),
        ({"backbone": "no_such_network"}, "timm cannot build it"),
        ({"encoder_weights": "nowhere.safetensors"}, "there is no such weights file"),
        ({"foreground": 0.999, "count": 3, "grid": "1x1"}, "is background: there is nothing to tell apart"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(data, tmp_path, given, said):
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        detect(data, out=tmp_path / "out", options=quick(**given))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_weights_of_another_network_are_refused(data, found, tmp_path):
    """A detector of another grid is no start for this one; one of the same grid is."""
    with pytest.raises(InputError, match="the weights do not fit"):
        detect(data, out=tmp_path / "out", options=quick(weights=str(found.path / "detector"), head="pooled"))
    with pytest.raises(InputError, match="the weights do not fit the encoder"):
        detect(
            data,
            out=tmp_path / "out",
            options=quick(encoder_weights=str(found.path / "detector" / "weights.safetensors"), backbone="test_resnet"),
        )
    assert not (tmp_path / "out.partial").exists()
    assert (
        detect(data, out=tmp_path / "on", options=quick(weights=str(found.path / "detector"), epochs=1, curve="0")).summary["pictures"]
        == 24
    )


def test_what_stands_there_is_left_alone(data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("work")
    with pytest.raises(ArtifactError, match="left alone"):
        detect(data, out=tmp_path / "mine", options=quick())
    with pytest.raises(InputError):
        detect(data, out=data, options=quick())


def test_the_preset_is_the_recipe_of_the_paper_and_flags_win():
    options = make_detect_options({"preset": "background-swapping"}, {"lr": 0.3})
    assert (options.head, options.size, options.lr, options.tight, options.loose) == ("pooled", 224, 0.3, 0.33, 0.9)
    told = fit_options(options, rows=16, columns=16, labels=160)
    assert told.architecture == "grid:efficientnet_b0?rows=16&columns=16&head=pooled"
    assert (told.optimizer, told.momentum, told.weight_decay, told.clip, told.batch, told.epochs) == ("sgd", 0.9, 1e-5, 1.0, 32, 200)
    assert (told.label_smoothing, told.schedule, told.plateau_patience, told.monitor) == (0.1, "plateau", 20, "balanced_accuracy")
    with pytest.raises(InputError, match="`preset` must be one of background-swapping"):
        make_detect_options({"preset": "paper"})


def test_a_few_labels_are_shown_often():
    """200 steps: 7 labels in 1 batch 200 times, 160 in 10 batches 20 times; never more than 200 epochs."""
    assert [fit_options(DetectOptions(steps=s), rows=2, columns=2, labels=n).epochs for s, n in ((200, 7), (200, 160), (900, 7))] == [
        200,
        20,
        200,
    ]


def test_the_command_prints_a_table_and_json(data, tmp_path):
    flags = [
        *("--masks", "truth", "--count", "12", "--grid", "4x4", "--backbone", "test_efficientnet", "--size", "32", "--epochs", "1"),
        *("--curve", "0", "--tight", "0.4", "--loose", "0.8", "--device", "cpu", "--shift", "1"),
    ]
    code, out, _ = run_program("swap", "detect", data, "--out", tmp_path / "grids", *flags)
    assert code == 0
    assert "held-out labels, over patches" in out
    assert "held-out labels, over pixels" in out
    assert f"Model: weights:{tmp_path / 'grids'}/detector" in out
    assert read_grids(tmp_path / "grids").thresholds == Thresholds(tight=0.4, loose=0.8)
    code, out, _ = run_program("swap", "detect", data, "--out", tmp_path / "grids", *flags, "--json")
    assert code == 0
    assert json.loads(out)["thresholds"] == {"loose": 0.8, "tight": 0.4}
    code, out, err = run_program("swap", "detect", data, "--out", tmp_path / "other")
    assert (code, out) == (2, "")
    assert "patch labels come from --labels" in err
