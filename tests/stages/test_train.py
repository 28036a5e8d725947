"""The train stage: its artifact, the model kind that opens it, what it refuses, and that a killed run ends with the same bytes."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from safetensors.torch import load_file  # noqa: E402
from tests.models.fit.learnable import TINY, write_learnable  # noqa: E402
from tests.support import Watcher  # noqa: E402

from figureground import api  # noqa: E402
from figureground.core.errors import ArtifactError, InputError  # noqa: E402
from figureground.data.dataset import open_dataset  # noqa: E402
from figureground.data.predictions import open_predictions  # noqa: E402
from figureground.models.digest import file_digest  # noqa: E402
from figureground.models.fit.evaluate import FIGURES  # noqa: E402
from figureground.models.fit.history import COLUMNS  # noqa: E402
from figureground.models.fit.options import FitOptions  # noqa: E402
from figureground.models.predictor import open_predictor  # noqa: E402
from figureground.models.torch_network import find_device  # noqa: E402
from figureground.runs import artifact  # noqa: E402
from figureground.runs.artifact import read_manifest  # noqa: E402
from figureground.stages.predict.options import PredictOptions  # noqa: E402
from figureground.stages.train.result import read_weights  # noqa: E402
from figureground.stages.train.stage import choose_splits, run_train  # noqa: E402

ARCHITECTURE = f"python:{TINY}:tiny"
OPTIONS = FitOptions(architecture=ARCHITECTURE, size=16, batch=4, epochs=12, lr=0.02, norm="half", device="cpu", augment="none")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_learnable(tmp_path_factory.mktemp("data") / "learnable")


@pytest.fixture(scope="module")
def weights(data, tmp_path_factory):
    return api.train(data, out=tmp_path_factory.mktemp("out") / "weights", options=OPTIONS)


def test_the_artifact_holds_weights_card_and_curves(weights):
    assert {p.name for p in weights.path.iterdir()} == {
        "weights.safetensors",
        "card.json",
        "card.md",
        "curves.csv",
        "curves.svg",
        "manifest.json",
        "failures.json",
    }
    manifest = read_manifest(weights.path, kind="weights")
    assert manifest.counts == {"train": 16, "val": 8, "epochs": 12, "steps": 48}
    assert manifest.seed == 0
    assert not weights.path.with_name("weights.partial").exists()
    assert (weights.path / "weights.safetensors").stat().st_mode & 0o777 == (weights.path / "card.md").stat().st_mode & 0o777


def test_the_card_says_what_the_weights_are(weights):
    card = weights.card
    assert card["sha256"] == file_digest([weights.path / "weights.safetensors"])
    assert card["classes"] == {"names": ["ground", "cat", "dog"], "ids": [0, 1, 2], "background": 0, "ignore": 255}
    assert card["options"] == json.loads(json.dumps(dataclasses.asdict(OPTIONS)))
    assert card["parameters"] == sum(
        t.numel()
        for name, t in load_file(weights.path / "weights.safetensors").items()
        if "running" not in name and "num_batches" not in name
    )
    assert set(FIGURES) <= set(card["figures"])
    assert card["data"]["train"]["samples"] == 16
    text = (weights.path / "card.md").read_text()
    assert all(
        word in text for word in (card["sha256"], card["data"]["train"]["sha256"], "figureground predict weights:DIR", "| seed | 0 |")
    )
    assert weights.sentence.startswith(f"{ARCHITECTURE}: 12 epochs")


def test_the_data_digest_is_of_content_and_not_of_places_or_times(weights, tmp_path):
    """The same data elsewhere has the same digest; one pixel of one mask changes it."""
    from figureground.models.fit.card import content_digest

    spec = write_learnable(tmp_path / "copy")
    assert content_digest(open_dataset(spec).select(split="train")) == weights.card["data"]["train"]["sha256"]
    file = Path(spec) / "train003_mask.png"
    from PIL import Image

    pixels = np.array(Image.open(file))
    pixels[0, 0] = 2
    Image.fromarray(pixels).save(file)
    assert content_digest(open_dataset(spec).select(split="train")) != weights.card["data"]["train"]["sha256"]


def test_curves_are_a_table_with_a_row_an_epoch_and_a_picture(weights):
    rows = list(csv.DictReader(io.StringIO((weights.path / "curves.csv").read_text())))
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    assert int(rows[-1]["step"]) == 48
    best = rows[weights.card["training"]["best_epoch"] - 1]
    assert float(best["loss"]) == pytest.approx(weights.card["figures"]["loss"], rel=1e-6)
    svg = (weights.path / "curves.svg").read_text()
    assert svg.startswith("<svg")
    assert "prefers-color-scheme: dark" in svg
    assert all(word in svg for word in ("flipped, worst group", "foreground IoU, any label", "validation", "#d55e00"))
    assert "#010101" not in svg
    assert "http://www.w3.org/2000/svg" in svg, "a picture of its own needs its namespace"


def test_the_model_kind_weights_predicts_what_was_validated(weights, data, tmp_path):
    """Predict and audit of the validation split give the figures of the card: the same pictures, size and arithmetic."""
    model = f"{weights.model}?architecture={ARCHITECTURE}"
    out = api.predict(model, data, out=tmp_path / "predictions", options=PredictOptions(split="val", device="cpu"))
    audit = api.audit(f"{data}?split=val", str(out), out=tmp_path / "audit")
    found = audit.table("samples")
    total = {name: sum(found[name].to_pylist()) for name in ("correct", "flipped", "missed", "foreground", "added", "background")}
    figures = weights.card["figures"]
    for part in ("correct", "flipped", "missed"):
        assert total[part] / total["foreground"] == pytest.approx(figures[part], abs=2e-3)
    assert total["added"] / total["background"] == pytest.approx(figures["added"], abs=2e-3)
    assert figures["correct"] > 0.5, "an untrained network would make this trivial"
    assert len(open_predictions(str(out), open_dataset(data).classes).ids) == 8


def test_python_code_is_not_run_on_the_word_of_a_card(weights):
    with pytest.raises(InputError, match=r"not run on the word of a file.*\?architecture=python:"):
        open_predictor(weights.model)


def test_settings_win_over_the_card_and_a_spec_reads_itself_back(weights):
    predictor = open_predictor(f"{weights.model}?architecture={ARCHITECTURE}&size=24x32&norm=imagenet")
    assert predictor.spec.size_hw == (24, 32)
    assert predictor.spec.mean[0] == 0.485
    assert predictor.spec.class_names == ("ground", "cat", "dog")
    again = open_predictor(predictor.spec)
    picture = np.random.default_rng(0).normal(size=(1, 3, 24, 32)).astype(np.float32)
    assert np.array_equal(predictor.forward(picture), again.forward(picture))
    assert again.spec == predictor.spec


def test_weights_that_were_changed_or_moved_are_told(weights, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(weights.path, moved)
    assert open_predictor(f"weights:{moved}?architecture={ARCHITECTURE}").spec.sha256 == weights.card["sha256"]
    with pytest.raises(InputError, match="do not fit the network"):
        open_predictor(f"weights:{moved}?architecture={ARCHITECTURE}%3Fwidth=4")
    (moved / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(InputError, match="is not the file that its card is about"):
        open_predictor(f"weights:{moved}?architecture={ARCHITECTURE}")
    (moved / "card.json").write_text('{"card": 2}')
    with pytest.raises(InputError, match="no card of weights of version 1"):
        open_predictor(f"weights:{moved}")
    with pytest.raises(InputError, match="cannot be read as a card of weights"):
        open_predictor(f"weights:{tmp_path}")


@pytest.mark.slow
def test_the_same_command_does_nothing_and_another_option_trains_anew(data, tmp_path):
    short = dataclasses.replace(OPTIONS, epochs=1)
    out = run_train(open_dataset(data), options=short, out=tmp_path / "w")
    first = (out / "manifest.json").read_bytes()
    run_train(open_dataset(data), options=dataclasses.replace(short, workers=0, checkpoint_every=3), out=out)
    assert (out / "manifest.json").read_bytes() == first
    run_train(open_dataset(data), options=dataclasses.replace(short, seed=1), out=out)
    assert read_manifest(out).seed == 1
    assert file_digest([out / "weights.safetensors"]) == read_weights(out).card["sha256"]


def test_it_starts_from_earlier_weights(weights, data, tmp_path):
    """With a learning rate of next to nothing, the loss of the first epoch is where the earlier training ended."""
    options = dataclasses.replace(OPTIONS, weights=str(weights.path), epochs=1, lr=1e-9)
    again = api.train(data, out=tmp_path / "w", options=options)
    assert again.figures["loss"] == pytest.approx(weights.figures["loss"], rel=0.2)
    assert again.figures["flipped"] == pytest.approx(weights.figures["flipped"], abs=0.05)


def test_splits_that_are_not_there_or_share_samples_are_refused(data):
    dataset = open_dataset(data)
    assert set(choose_splits(dataset, OPTIONS)) == {"train", "val"}
    assert set(choose_splits(dataset, dataclasses.replace(OPTIONS, val_split=""))) == {"train"}
    with pytest.raises(
        InputError, match=r"has no split 'valid'; it has train, val. Give --val-split one of them, or --val-split '' for no"
    ):
        choose_splits(dataset, dataclasses.replace(OPTIONS, val_split="valid"))
    with pytest.raises(InputError, match="--train-split '' for every sample"):
        choose_splits(dataset, dataclasses.replace(OPTIONS, train_split="x"))
    with pytest.raises(InputError, match="8 samples are trained and validated on, for example 'val000'"):
        choose_splits(dataset, dataclasses.replace(OPTIONS, train_split=""))


def test_a_training_that_breaks_leaves_no_artifact_and_the_last_good_weights(data, tmp_path):
    options = dataclasses.replace(OPTIONS, architecture=f"python:{TINY}:breaking?good=3")
    kept = tmp_path / "w.last-good.safetensors"
    with pytest.raises(
        InputError, match=r"step 4, epoch 1, batch 4 of 4, learning rate 0.02: the loss is nan.*w.last-good.safetensors; --weights starts"
    ):
        run_train(open_dataset(data), options=options, out=tmp_path / "w")
    assert not (tmp_path / "w").exists()
    assert load_file(kept)
    assert not list((tmp_path / "w.partial").rglob("last-good*"))
    with pytest.raises(ArtifactError):
        read_weights(tmp_path / "w")
    before = kept.read_bytes()  # the advice of the message, with the same --out
    again = dataclasses.replace(options, architecture=f"python:{TINY}:breaking?good=1000", epochs=1, lr=1e-4, weights=str(kept))
    run_train(open_dataset(data), options=again, out=tmp_path / "w")
    assert kept.read_bytes() == before


def test_the_weights_that_training_starts_from_are_not_replaced(weights, data, tmp_path):
    out = shutil.copytree(weights.path, tmp_path / "u1")
    before = (out / "weights.safetensors").read_bytes()
    for given in (out, out / "weights.safetensors", f"weights:{out}"):
        with pytest.raises(InputError, match=r"u1: .*weights.safetensors is read to make .* Choose another --out"):
            run_train(open_dataset(data), options=dataclasses.replace(OPTIONS, epochs=1, weights=str(given)), out=out)
    assert (out / "weights.safetensors").read_bytes() == before
    assert not (tmp_path / "u1.partial").exists()


@pytest.mark.slow
def test_an_interruption_behind_the_last_batch_costs_no_batch(data, tmp_path, monkeypatch):
    """Stopped while the manifest is written, the same command trains nothing anew and ends with the weights and curves of an unbroken run."""
    options, whole = dataclasses.replace(OPTIONS, epochs=2, checkpoint_every=3), Watcher()
    run_train(open_dataset(data), options=options, out=tmp_path / "whole", reporter=whole)
    real = artifact.write_atomically

    def interrupted(path, content):
        if path.name == artifact.MANIFEST:
            raise KeyboardInterrupt
        return real(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(artifact, "write_atomically", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_train(open_dataset(data), options=options, out=tmp_path / "cut")
    assert not (tmp_path / "cut").exists()
    again = Watcher()
    run_train(open_dataset(data), options=options, out=tmp_path / "cut", reporter=again)
    assert (whole.steps, again.steps) == (8, 0)
    for name in ("weights.safetensors", "curves.csv", "card.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes(), name


def test_a_training_goes_on_under_another_name_of_the_same_device(data, tmp_path):
    """Begun with what the machine chooses, gone on with by name: it is the same training, and no batch is trained twice but the last."""
    options, again = dataclasses.replace(OPTIONS, epochs=2, checkpoint_every=1, device="auto"), Watcher()
    with pytest.raises(KeyboardInterrupt):
        run_train(open_dataset(data), options=options, out=tmp_path / "w", reporter=Watcher(6))
    named = dataclasses.replace(options, device=find_device("auto").type)
    run_train(open_dataset(data), options=named, out=tmp_path / "w", reporter=again)
    assert again.steps == 8 - 5


def test_another_artifact_is_not_overwritten(data, tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="left alone"):
        run_train(open_dataset(data), options=OPTIONS, out=tmp_path / "w")


def command(data, out, *more) -> list[str]:
    flags = ["--architecture", ARCHITECTURE, "--size", "16", "--batch", "2", "--epochs", "60", "--lr", "0.02", "--device", "cpu"]
    return [sys.executable, "-m", "figureground", "train", data, "--out", str(out), *flags, "--checkpoint-every", "3", *more]


@pytest.mark.slow
@pytest.mark.parametrize("after", ["first", "later"])
def test_a_killed_run_ends_with_the_same_weights_as_an_unbroken_one(data, tmp_path, after):
    """SIGKILL in mid-epoch, whatever was being written; the same command again; every byte of weights and curves is the same."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command(data, tmp_path / "whole"), check=True, env=env, capture_output=True)
    process = subprocess.Popen(command(data, tmp_path / "cut"), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    state = tmp_path / "cut.partial" / ".shards" / "state" / "state.pt"
    deadline = time.monotonic() + 120
    while not state.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.001)
    if after == "later":
        time.sleep(0.6)
    assert process.poll() is None, f"the run was over before it could be killed: {process.stderr.read()}"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "cut").exists()
    again = subprocess.run(command(data, tmp_path / "cut"), check=True, env=env, capture_output=True, text=True)
    assert "going on in epoch" in again.stderr
    for name in ("weights.safetensors", "curves.csv", "card.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes(), name


@pytest.mark.slow
def test_the_verb_trains_tells_and_refuses(data, tmp_path):
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    done = subprocess.run(
        command(data, tmp_path / "w", "--epochs", "2", "--json", "--log", "tensorboard"),
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["training"]["epochs"] == 2
    assert "epoch 2 of 2: loss" in done.stderr
    assert list((tmp_path / "w" / "tensorboard").glob("events*"))
    bad = subprocess.run(command(data, tmp_path / "x", "--monitor", "luck"), env=env, capture_output=True, text=True, check=False)
    assert bad.returncode == 2
    assert "`monitor` must be one of loss, miou" in bad.stderr
    broken = subprocess.run(
        command(data, tmp_path / "x", "--architecture", f"python:{TINY}:breaking"), env=env, capture_output=True, text=True, check=False
    )
    assert broken.returncode == 2
    assert broken.stderr.strip().splitlines()[-1].startswith("figureground: training stopped at step 4")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "alone"),
    [
        (["ce"], ["--batch", "3"]),
        (["group-dro", "--dro-step", "0"], ["--batch", "3"]),
        (["group-dro", "--dro-step", "2"], ["--batch", "2", "--accumulate", "2"]),
    ],
)
def test_two_processes_of_accelerate_train_what_one_does(data, tmp_path, objective, alone):
    """A batch shared between two processes is the whole batch, also where it does not divide; with moving group weights it is a batch in parts."""
    pytest.importorskip("accelerate", reason="the extra 'accelerate' is not installed")
    flags = ["--architecture", f"{ARCHITECTURE}?norm=False", "--epochs", "2", "--augment", "none", "--optimizer", "sgd"]
    flags += ["--objective", *objective, "--batch", "4" if "2" in objective else "3"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}
    one = subprocess.run(command(data, tmp_path / "one", *flags, *alone), env=env, capture_output=True, text=True, check=False)
    assert one.returncode == 0, one.stderr
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [
        subprocess.Popen(
            command(data, tmp_path / "two", *flags, "--device", "accelerate"),
            env={**env, **where, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    told = [process.communicate(timeout=300) for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], told
    a, b = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    assert all(torch.allclose(a[name], b[name], atol=1e-5) for name in a)
    figures = [read_weights(tmp_path / name).figures for name in ("one", "two")]
    assert figures[0]["loss"] == pytest.approx(figures[1]["loss"], rel=1e-4)


@pytest.mark.slow
def test_a_pretrained_unet_learns_real_animals(real_data, tmp_path):
    """Forty photographs of flamingos and emus, ImageNet weights in the encoder: two epochs find more figure than none."""
    pytest.importorskip("segmentation_models_pytorch", reason="the extra 'smp' is not installed")
    animals = open_dataset(str(real_data / "animals4"))
    ids = [s.id for s in animals.samples if s.label in ("flamingo", "emu")][::3]
    weights = real_data / "weights" / "tf_efficientnet_lite0.imagenet1k.safetensors"
    options = FitOptions(
        architecture="smp:unet/tu-tf_efficientnet_lite0?decoder_channels=64,32,16,8,8",
        encoder_weights=str(weights),
        train_split="",
        val_split="",
        size=64,
        norm="half",
        epochs=2,
        lr=2e-3,
        device="cpu",
    )
    out = api.train(animals.select(ids=ids), out=tmp_path / "w", options=options)
    rows = list(csv.DictReader(io.StringIO((out.path / "curves.csv").read_text())))
    assert float(rows[1]["train_loss"]) < 0.9 * float(rows[0]["train_loss"])
    predictor = open_predictor(out.model)
    assert predictor.spec.classes == 5
    assert out.figures is None
    assert "encoder from" in out.card["training"]["notes"][0]
