"""The predict stage: parity with plain torch and numpy, resuming, faults, and what stands in the artifact."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.support import Watcher

from figureground.core.errors import FormatError, InputError
from figureground.core.types import ClassTable, Sample
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.doctor import find_faults
from figureground.data.labelmap import decode_runs
from figureground.data.predictions import open_predictions
from figureground.models.inputs import InputPlan
from figureground.models.predictor import PredictorSpec
from figureground.models.python import CallablePredictor
from figureground.runs.artifact import read_manifest
from figureground.runs.executor import LocalExecutor
from figureground.stages.predict import stage
from figureground.stages.predict.options import PredictOptions
from figureground.stages.predict.stage import run_predict
from figureground.stages.predict.stream import Prepared, map_ahead, same_size_groups

CLASSES = ClassTable(names=("ground", "cat", "dog", "bird"))
SIZES = ((37, 53), (48, 40), (64, 64), (20, 90), (37, 53))
WEIGHTS = np.random.default_rng(4).normal(size=(4, 3)).astype(np.float32) * 6


def colour_logits(images: np.ndarray) -> np.ndarray:
    """Logits from each pixel's colour and its left neighbour's: float32 [batch, 4, height, width]."""
    return np.einsum("kc,bchw->bkhw", WEIGHTS, images - 0.5 * np.roll(images, 1, axis=3))


def predictor(function=colour_logits, **fields) -> CallablePredictor:
    return CallablePredictor(function, spec=PredictorSpec(**{"kind": "python", "where": "test:colour", "classes": 4, **fields}))


def write_pictures(folder: Path, count: int, sizes=SIZES) -> Dataset:
    """Smooth pictures of several sizes as a data set without masks."""
    rng = np.random.default_rng(0)
    samples = []
    for i in range(count):
        height, width = sizes[i % len(sizes)]
        coarse = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
        path = folder / f"{i:03d}.png"
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)
        samples.append(Sample(id=f"s{i:03d}", image=str(path), split="test" if i % 3 else "train"))
    return Dataset(name="drawn", classes=CLASSES, samples=tuple(samples), masks=None)


@pytest.fixture
def pictures(tmp_path):
    return write_pictures(tmp_path, 12)


def read_all(out: Path, dataset: Dataset):
    predictions = open_predictions(str(out), dataset.classes)
    return predictions, {i: decode_runs(predictions.source.read(i)) for i in predictions.ids}


def table_bytes(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


def picture_of(sample: Sample) -> np.ndarray:
    return np.asarray(Image.open(sample.image).convert("RGB"))


def softmax(logits: np.ndarray) -> np.ndarray:
    mass = np.exp(logits - logits.max(0))
    return mass / mass.sum(0)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    return -(probabilities * np.log(np.maximum(probabilities, 1e-300))).sum(0)


def test_label_maps_and_scores_are_those_of_plain_torch_and_numpy(tmp_path, pictures):
    """The whole path, resizing by a network of its own size included, against the plainest code that says the same."""
    torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    model = predictor(size_hw=(32, 48), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    out = run_predict(model, pictures, out=tmp_path / "out", options=PredictOptions(batch=5))
    predictions, maps = read_all(out, pictures)
    assert predictions.ids == pictures.ids
    for sample in pictures.samples:
        picture = picture_of(sample)
        small = np.asarray(Image.fromarray(picture).resize((48, 32), Image.Resampling.BILINEAR)).astype(np.float64)
        inputs = ((small / 255 - model.spec.mean) / model.spec.std).transpose(2, 0, 1)[None].astype(np.float32)
        logits = torch.nn.functional.interpolate(
            torch.from_numpy(colour_logits(inputs)).double(), size=picture.shape[:2], mode="bilinear", align_corners=False
        )[0].numpy()
        expected, found = logits.argmax(0), maps[sample.id]
        top, second = np.sort(logits, axis=0)[[-1, -2]]
        assert (found == expected)[top - second > 1e-3].all()
        assert (found != expected).mean() < 1e-3
        figure = expected > 0
        probabilities = softmax(logits)
        ranked = np.sort(probabilities, axis=0)
        oracle = {
            "flip_risk": entropy(softmax(logits[1:])) / np.log(3),
            "entropy": entropy(probabilities) / np.log(4),
            "one_minus_max_probability": 1 - ranked[-1],
            "one_minus_margin": 1 - (ranked[-1] - ranked[-2]),
        }
        for name, risk in oracle.items():
            found_score = predictions.scores[name][sample.id]
            if figure.any():
                assert found_score == pytest.approx(risk[figure].mean(), abs=2e-5)
            else:
                assert np.isnan(found_score)


def test_a_network_of_native_size_gives_its_argmax_exactly(tmp_path, pictures):
    out = run_predict(predictor(), pictures, out=tmp_path / "out")
    _, maps = read_all(out, pictures)
    for sample in pictures.samples:
        inputs = (picture_of(sample) / 255.0).astype(np.float32).transpose(2, 0, 1)[None]
        np.testing.assert_array_equal(maps[sample.id], colour_logits(inputs)[0].argmax(0))


def test_region_risks_average_to_the_picture_risk(tmp_path, pictures):
    """Regions partition the predicted foreground, so their risks weighted by area give the picture's."""
    import pyarrow.parquet as pq

    from figureground.metrics.regions import component_runs

    out = run_predict(predictor(), pictures, out=tmp_path / "out")
    predictions, _ = read_all(out, pictures)
    regions = pq.read_table(out / "regions" / "00000.parquet").to_pylist()
    for i in predictions.ids:
        own = [row for row in regions if row["id"] == i]
        dense = component_runs(predictions.source.read(i), background=0, ignore=None).dense()
        area = np.bincount(dense[dense >= 0], minlength=len(own))
        assert [row["region"] for row in own] == list(range(area.size))
        if area.size:
            mean = np.average([row["flip_risk"] for row in own], weights=area)
            assert mean == pytest.approx(predictions.scores["flip_risk"][i], rel=1e-5)


def test_a_picture_without_predicted_foreground_has_no_score(tmp_path, pictures):
    def ground(images):
        logits = np.zeros((len(images), 4, *images.shape[2:]), np.float32)
        logits[:, 0] = 5
        return logits

    out = run_predict(predictor(ground), pictures, out=tmp_path / "out")
    predictions, maps = read_all(out, pictures)
    assert not any(m.any() for m in maps.values())
    assert predictions.scores["flip_risk"].keys() == maps.keys()
    assert all(np.isnan(v) for values in predictions.scores.values() for v in values.values())


def test_class_ids_that_are_no_row_of_numbers(tmp_path, pictures):
    classes = ClassTable(names=CLASSES.names, ids=(7, 300, 3, 9), background=7)
    out = run_predict(predictor(), dataclasses.replace(pictures, classes=classes), out=tmp_path / "out")
    _, maps = read_all(out, dataclasses.replace(pictures, classes=classes))
    plain = run_predict(predictor(), pictures, out=tmp_path / "plain")
    for i, label_map in read_all(plain, pictures)[1].items():
        np.testing.assert_array_equal(maps[i], np.array([7, 300, 3, 9])[label_map])


@pytest.mark.parametrize("settings", [{"workers": 1}, {"workers": 7}])
def test_threads_change_no_byte(tmp_path, pictures, settings):
    first = run_predict(predictor(stride_px=32), pictures, out=tmp_path / "a", options=PredictOptions(batch=3))
    second = run_predict(predictor(stride_px=32), pictures, out=tmp_path / "b", options=PredictOptions(batch=3, **settings))
    assert table_bytes(first) == table_bytes(second)


def test_the_batch_size_changes_no_label(tmp_path, pictures):
    maps = [
        read_all(run_predict(predictor(), pictures, out=tmp_path / str(n), options=PredictOptions(batch=n)), pictures)[1]
        for n in (1, 3, 50)
    ]
    for i in pictures.ids:
        np.testing.assert_array_equal(maps[0][i], maps[1][i])
        np.testing.assert_array_equal(maps[0][i], maps[2][i])


@pytest.mark.parametrize("window", ["overlap", "taper"])
def test_windows_find_what_one_pass_finds(tmp_path, window):
    """For a network that looks at single pixels, sliding over a picture larger than the input changes nothing."""
    data = write_pictures(tmp_path, 4, sizes=((100, 70), (64, 64), (30, 200), (20, 20)))

    def pointwise(images):
        return np.einsum("kc,bchw->bkhw", WEIGHTS, images)

    whole = run_predict(predictor(pointwise), data, out=tmp_path / "whole")
    slid = run_predict(predictor(pointwise, size_hw=(32, 32)), data, out=tmp_path / "slid", options=PredictOptions(window=window, batch=3))
    expected, found = read_all(whole, data)[1], read_all(slid, data)[1]
    assert sum((expected[i] != found[i]).sum() for i in data.ids) <= 2  # ties between rounding errors
    assert read_manifest(slid).details["model"]["window"] == window


def test_the_same_call_again_does_nothing_and_another_setting_does(tmp_path, pictures):
    calls = []

    def counting(images):
        calls.append(len(images))
        return colour_logits(images)

    out = run_predict(predictor(counting), pictures, out=tmp_path / "out")
    once = sum(calls)
    run_predict(predictor(counting), pictures, out=out)
    run_predict(predictor(counting), pictures, out=out, options=PredictOptions(workers=3))
    assert sum(calls) == once
    run_predict(predictor(counting, mean=(0.1, 0.1, 0.1)), pictures, out=out)
    assert sum(calls) == 2 * once
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(pictures.samples[0].image)
    run_predict(predictor(counting, mean=(0.1, 0.1, 0.1)), pictures, out=out)
    assert sum(calls) == 3 * once


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(stage, "SHARD_SIZE", 4)
    whole = run_predict(predictor(), pictures, out=tmp_path / "whole")
    seen: list[int] = []

    def failing(images):
        if sum(seen) >= 6:
            raise KeyboardInterrupt
        seen.append(len(images))
        return colour_logits(images)

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_predict(predictor(failing), pictures, out=out)
    assert not out.exists()
    again: list[int] = []

    def counting(images):
        again.append(len(images))
        return colour_logits(images)

    run_predict(predictor(counting), pictures, out=out)
    assert sum(again) == 8
    assert table_bytes(out) == table_bytes(whole)
    assert [path.name for path in sorted((out / "labels").iterdir())] == ["00000.parquet"]


SLOW_MODEL = """
import sys, time
from pathlib import Path
import numpy as np
sys.path.insert(0, {tests!r})
import test_predict
from figureground.stages.predict.stage import run_predict
from figureground.stages.predict import stage

stage.SHARD_SIZE = 3

def slow(images):
    time.sleep(0.15)
    return test_predict.colour_logits(images)

run_predict(test_predict.predictor(slow), test_predict.write_pictures(Path({folder!r}), 12), out=Path({out!r}))
"""


@pytest.mark.slow
def test_a_killed_process_leaves_what_the_next_one_goes_on_with(tmp_path, monkeypatch):
    """A real kill in the middle: the next run keeps the whole shards and ends with the bytes of an uninterrupted one."""
    (tmp_path / "pictures").mkdir()
    script = SLOW_MODEL.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "pictures"), out=str(tmp_path / "out"))
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    shards = tmp_path / "out.partial" / ".shards"
    deadline = time.monotonic() + 120
    while not list(shards.glob("*.done")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == -signal.SIGKILL, said
    kept = len(list(shards.glob("*.done")))
    assert 1 <= kept < 4
    assert not (tmp_path / "out").exists()
    files = sorted((tmp_path / "pictures").iterdir())
    samples = tuple(Sample(id=f"s{file.stem}", image=str(file), split="test" if int(file.stem) % 3 else "train") for file in files)
    data = Dataset(name="drawn", classes=CLASSES, samples=samples, masks=None)
    counted: list[int] = []

    def counting(images):
        counted.append(len(images))
        return colour_logits(images)

    monkeypatch.setattr(stage, "SHARD_SIZE", 3)
    whole = run_predict(predictor(), data, out=tmp_path / "whole")
    run_predict(predictor(counting), data, out=tmp_path / "out")
    assert sum(counted) == 12 - 3 * kept
    assert table_bytes(tmp_path / "out") == table_bytes(whole)


@pytest.mark.slow
def test_worker_processes_give_the_same_bytes(tmp_path, monkeypatch):
    """Each process opens the model for itself."""
    monkeypatch.chdir(tmp_path)
    data = write_pictures(tmp_path, 150, sizes=((20, 24), (24, 20)))
    (tmp_path / "process_model.py").write_text(
        "import numpy as np\ndef forward(images):\n    return np.concatenate([images, images[:, :1] * 0 + 0.4], axis=1)\n"
    )
    one = run_predict("python:process_model:forward", data, out=tmp_path / "one")
    two = run_predict("python:process_model:forward", data, out=tmp_path / "two", executor=LocalExecutor(2))
    assert table_bytes(one) == table_bytes(two)


def test_the_manifest_says_what_determines_the_numbers(tmp_path, pictures):
    model = predictor(size_hw=(32, 32), mean=(0.1, 0.2, 0.3), sha256="f" * 64, notes=("unwrapped",))
    manifest = read_manifest(run_predict(model, pictures, out=tmp_path / "out"), kind="predictions")
    assert manifest.details["classes"] == list(CLASSES.names)
    assert manifest.details["model"]["mean"] == [0.1, 0.2, 0.3]
    assert manifest.details["model"]["size_hw"] == [32, 32]
    assert manifest.details["model"]["notes"] == ["unwrapped"]
    assert manifest.inputs["weights"] == "f" * 64
    assert manifest.options["device"] == "cpu"
    assert manifest.counts == {"pictures": 12}
    assert "bilinear" in manifest.details["logits"]
    assert json.loads((tmp_path / "out" / "failures.json").read_text()) == []


def test_a_split_alone(tmp_path, pictures):
    out = run_predict(predictor(), pictures, out=tmp_path / "out", options=PredictOptions(split="train"))
    assert read_all(out, pictures)[0].ids == ("s000", "s003", "s006", "s009")
    with pytest.raises(InputError, match="no split 'val'"):
        run_predict(predictor(), pictures, out=tmp_path / "val", options=PredictOptions(split="val"))


def test_another_number_of_channels_than_classes_is_refused_naming_both(tmp_path, pictures):
    with pytest.raises(InputError, match=r"has 3 channels and drawn has 4 classes \(ground, cat, dog, bird\)"):
        run_predict(predictor(lambda images: images, classes=3), pictures, out=tmp_path / "out")
    with pytest.raises(InputError, match=r"4 classes; got \[8, 3,"):
        run_predict(predictor(lambda images: images, size_hw=(8, 8)), pictures, out=tmp_path / "out")


def test_other_names_of_channels_are_told(tmp_path, pictures):
    watcher = Watcher()
    run_predict(predictor(class_names=("Ground", "cat", "hound", "bird")), pictures, out=tmp_path / "out", reporter=watcher)
    assert [line for line in watcher.said if "'hound' for 'dog'" in line and "1 of its channels" in line]


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda path: path.unlink(), "missing-file"),
        (lambda path: path.write_bytes(b""), "empty-file"),
        (lambda path: path.write_bytes(b"no picture"), "unreadable-picture"),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "unreadable-picture"),
        (lambda path: Image.fromarray(np.full((8, 8), 4095, np.uint16)).save(path), "unreadable-picture"),
    ],
)
def test_a_picture_that_cannot_be_read_stops_the_run_or_becomes_a_failure(tmp_path, pictures, damage, code):
    sample = pictures.samples[5]
    damage(Path(sample.image))
    with pytest.raises(FormatError) as caught:
        run_predict(predictor(), pictures, out=tmp_path / "out")
    assert (caught.value.fault.code, caught.value.fault.sample, caught.value.fault.file) == (code, sample.id, sample.image)
    assert str(caught.value).endswith("--max-failures N")
    out = run_predict(predictor(), pictures, out=tmp_path / "out", options=PredictOptions(max_failures=1))
    failures = json.loads((out / "failures.json").read_text())
    assert [(row["code"], row["sample"], row["problem"]) for row in failures] == [(code, sample.id, caught.value.fault.problem)]
    assert read_manifest(out).failures == 1
    predictions, _ = read_all(out, pictures)
    assert predictions.ids == tuple(i for i in pictures.ids if i != sample.id)


def test_more_failures_than_allowed_stop_the_run(tmp_path, pictures):
    for place in (2, 7):
        Path(pictures.samples[place].image).write_bytes(b"no picture")
    with pytest.raises(FormatError):
        run_predict(predictor(), pictures, out=tmp_path / "out", options=PredictOptions(max_failures=1))
    assert not (tmp_path / "out").exists()


def test_a_sample_without_a_picture_is_a_fault(tmp_path, pictures):
    samples = (dataclasses.replace(pictures.samples[0], image=None), *pictures.samples[1:])
    with pytest.raises(FormatError, match="has no picture"):
        run_predict(predictor(), dataclasses.replace(pictures, samples=samples), out=tmp_path / "out")


def test_logits_that_are_not_finite_are_a_fault_and_no_label(tmp_path, pictures):
    def broken(images):
        logits = colour_logits(images)
        if images.shape[3] == 90:
            logits[0, 1, 3, 4] = np.nan
        return logits

    with pytest.raises(FormatError, match=r"'s003'.*not finite"):
        run_predict(predictor(broken), pictures, out=tmp_path / "out", options=PredictOptions(batch=1))
    out = run_predict(predictor(broken), pictures, out=tmp_path / "out", options=PredictOptions(batch=1, max_failures=2))
    assert {row["sample"] for row in json.loads((out / "failures.json").read_text())} == {"s003", "s008"}


def test_a_window_with_logits_that_are_not_finite_is_a_fault_of_the_picture(tmp_path):
    data = write_pictures(tmp_path, 3, sizes=((100, 70), (90, 64), (64, 80)))
    calls = []

    def broken(images):
        calls.append(len(images))
        return colour_logits(images) if len(calls) != 3 else colour_logits(images) * np.inf

    options = PredictOptions(window="overlap", batch=2, max_failures=3)
    with np.errstate(invalid="ignore"):
        out = run_predict(predictor(broken, size_hw=(32, 32)), data, out=tmp_path / "out", options=options)
    assert [row["sample"] for row in json.loads((out / "failures.json").read_text())] == ["s000"]
    assert read_all(out, data)[0].ids == ("s001", "s002")


@pytest.mark.slow
def test_large_pictures_under_a_window_are_never_held_as_logits(tmp_path):
    """Memory follows the window and not the picture: 60 channels of 1,500 x 1,000 pixels alone would be 360 MB."""
    import tracemalloc

    height, width = 1500, 1000
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).resize((width, height)).save(
        tmp_path / "big.png"
    )
    names = tuple(f"c{i}" for i in range(60))
    samples = (Sample(id="big", image=str(tmp_path / "big.png")),)
    data = Dataset(name="big", classes=ClassTable(names=names), samples=samples, masks=None)

    def coarse(images):
        small = images[:, :1, ::16, ::16]
        return np.concatenate([small * (i % 7) - i * 0.01 for i in range(60)], axis=1)

    model = predictor(coarse, classes=60, size_hw=(128, 128), window="overlap", overlap=0.1)
    tracemalloc.start()
    out = run_predict(model, data, out=tmp_path / "out", options=PredictOptions(batch=4))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read_all(out, data)[1]["big"].shape == (height, width)
    assert peak < 150e6


def test_a_size_that_the_network_cannot_take_is_said(tmp_path, pictures):
    smp = pytest.importorskip("segmentation_models_pytorch", reason="the extra 'smp' is not installed")
    import torch

    network = smp.Linknet("mobilenet_v2", encoder_weights=None, classes=4)
    torch.save(network.state_dict(), tmp_path / "linknet.pt")
    with pytest.raises(InputError, match=r"cannot take inputs \[.*`size` and `stride`"):
        run_predict(f"smp:linknet/mobilenet_v2?weights={tmp_path / 'linknet.pt'}&stride=1", pictures, out=tmp_path / "out")


def test_a_network_on_disk_is_predicted_from_its_spec(tmp_path, pictures):
    networks = pytest.importorskip("tests.models.networks", reason="run from the root of the repository")
    spec, _ = networks.write_smp(tmp_path)
    data = dataclasses.replace(pictures, classes=ClassTable(names=CLASSES.names[:3]))
    out = run_predict(spec, data, out=tmp_path / "out", options=PredictOptions(batch=4))
    assert len(read_all(out, data)[1]) == 12
    again = PredictorSpec(**dataclasses.asdict(stage.open_predictor(spec).spec))
    assert read_manifest(out).inputs["weights"] == again.sha256


def test_an_empty_data_set_is_refused(tmp_path, pictures):
    with pytest.raises(InputError, match="no sample"):
        run_predict(predictor(), dataclasses.replace(pictures, samples=()), out=tmp_path / "out")


def test_groups_hold_one_size_and_are_bounded():
    rng = np.random.default_rng(0)
    given = []
    for i in range(200):
        size = (int(rng.integers(1, 9)), 1)
        plan = InputPlan(native_hw=size, scaled_hw=size, input_hw=size, tops=(0, 1) if i % 10 == 0 else (0,))
        given.append(Prepared(sample=Sample(id=str(i)), digest="", plan=plan, planes=np.zeros((3, *size), np.float32)))
    held, most, seen, sizes = 0, 0, [], []

    def counted():
        nonlocal held, most
        for picture in given:
            held += 1
            most = max(most, held)
            yield picture

    for group in same_size_groups(counted(), batch=8):
        assert len({picture.plan.input_hw for picture in group}) == 1
        assert len(group) <= 8
        assert len(group) == 1 or all(picture.plan.windows == 1 for picture in group)
        sizes.append(len(group))
        held -= len(group)
        seen += [int(picture.sample.id) for picture in group]
    assert sorted(seen) == list(range(200))
    assert most <= 4 * 8
    assert max(sizes) == 8


def test_work_is_begun_only_so_far_ahead():
    from concurrent.futures import ThreadPoolExecutor

    begun: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        results = map_ahead(pool, lambda i: begun.append(i) or i * i, range(100), ahead=5)
        for i in range(10):
            assert next(results) == i * i
            assert len(begun) <= i + 5
        results.close()


def figure() -> np.ndarray:
    """A 0/255 figure mask, uint8 [12, 16]."""
    return np.repeat(np.uint8([[0, 255]]), [8, 8], axis=1).repeat(12, axis=0)


MASK_DAMAGE = {
    "unknown-class-id": lambda p: Image.fromarray(np.full((12, 16), 7, np.uint8)).save(p),
    "size-mismatch": lambda p: Image.fromarray(np.ones((16, 12), np.uint8)).save(p),
    "rgb-mask": lambda p: Image.fromarray(np.ones((12, 16, 3), np.uint8)).save(p),
    "jpeg-mask": lambda p: Image.fromarray(np.ones((12, 16), np.uint8)).save(p, "JPEG"),
    "empty-file": lambda p: p.write_bytes(b""),
    "truncated-file": lambda p: p.write_bytes(p.read_bytes()[:-20]),
    "corrupt-file": lambda p: p.write_bytes(p.read_bytes().replace(b"IDAT", b"IDAX")),
    "missing-file": lambda p: p.unlink(),
    "binary-mask": lambda p: Image.fromarray(figure()).save(p),
    "unreadable-file": lambda p: (p.unlink(), p.mkdir()),
}


def write_labelled(root: Path, *, count: int = 3) -> Dataset:
    """A small set on disk with pictures, masks and labels; the last sample has no mask."""
    root.mkdir()
    lines = ["id,image,mask,label"]
    for i in range(count):
        Image.fromarray(np.full((12, 16, 3), 60 * i, np.uint8)).save(root / f"{i}.jpg")
        Image.fromarray(np.repeat(np.uint8([[0, 1]]), [8, 8], axis=1).repeat(12, axis=0)).save(root / f"{i}.png")
        lines.append(f"s{i},{i}.jpg,{f'{i}.png' if i < count - 1 else ''},cat")
    (root / "samples.csv").write_text("\n".join(lines))
    (root / "dataset.toml").write_text('[classes]\nnames = ["ground", "cat", "dog", "bird"]\n[samples]\ntable = "samples.csv"\n')
    return open_dataset(str(root))


@pytest.mark.parametrize("code", MASK_DAMAGE)
def test_a_faulty_mask_is_refused_in_the_words_of_the_doctor(tmp_path, code):
    dataset = write_labelled(tmp_path / "set")
    MASK_DAMAGE[code](tmp_path / "set" / "1.png")
    [listed] = [fault for fault in find_faults(dataset) if fault.code != "missing-mask"]
    assert (listed.code, listed.sample) == (code, "s1")
    with pytest.raises(FormatError) as caught:
        run_predict(predictor(), dataset, out=tmp_path / "out")
    assert caught.value.fault == listed
    out = run_predict(predictor(), dataset, out=tmp_path / "some", options=PredictOptions(max_failures=1))
    assert read_all(out, dataset)[0].ids == ("s0", "s2")
    assert json.loads((out / "failures.json").read_text()) == [dataclasses.asdict(listed)]


def test_pictures_without_a_mask_are_predicted_and_a_mended_mask_brings_its_picture_back(tmp_path):
    dataset = write_labelled(tmp_path / "set")
    mask = tmp_path / "set" / "1.png"
    sound = mask.read_bytes()
    options = PredictOptions(max_failures=1)
    mask.write_bytes(b"")
    assert read_all(run_predict(predictor(), dataset, out=tmp_path / "out", options=options), dataset)[0].ids == ("s0", "s2")
    mask.write_bytes(sound)
    assert read_all(run_predict(predictor(), dataset, out=tmp_path / "out", options=options), dataset)[0].ids == ("s0", "s1", "s2")


def test_masks_are_looked_at_in_worker_processes_too(tmp_path, monkeypatch):
    (tmp_path / "mask_model.py").write_text("def forward(images):\n    return images[:, [0, 1, 2, 0]]\n")
    monkeypatch.syspath_prepend(tmp_path)
    dataset = write_labelled(tmp_path / "set")
    (tmp_path / "set" / "1.png").write_bytes(b"")
    [listed] = [fault for fault in find_faults(dataset) if fault.code != "missing-mask"]
    with pytest.raises(FormatError) as caught:
        run_predict("python:mask_model:forward", dataset, out=tmp_path / "out", executor=LocalExecutor(2))
    assert caught.value.fault == listed
