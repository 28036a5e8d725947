"""Predictions that are there already are taken over where model and picture are the same, and the result is that of a run from nothing."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.support import Watcher

from figureground.core.errors import FormatError
from figureground.core.types import ClassTable, Sample
from figureground.data.dataset import Dataset
from figureground.data.sources import mask_files
from figureground.models.predictor import PredictorSpec
from figureground.models.python import CallablePredictor
from figureground.runs import shards
from figureground.stages.predict import stage
from figureground.stages.predict.options import PredictOptions
from figureground.stages.predict.stage import run_predict

CLASSES = ClassTable(names=("ground", "cat", "dog"))


class Counting:
    """A network by the colours of a pixel, which counts the pictures that go through it."""

    def __init__(self, gain: float = 1.0) -> None:
        self.seen, self.gain = 0, gain

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.seen += len(images)
        return images * np.array([0.5, 1.0, self.gain], np.float32)[:, None, None]


def model(network: Counting, **fields) -> CallablePredictor:
    given = {"kind": "python", "where": "test:counting", "classes": 3, "sha256": f"gain {network.gain}"}
    return CallablePredictor(network, spec=PredictorSpec(**{**given, **fields}))


def picture(folder: Path, number: int, *, seed: int | None = None) -> Sample:
    path = folder / f"{number:03d}.png"
    Image.fromarray(np.random.default_rng(number if seed is None else seed).integers(0, 256, (12, 16, 3), np.uint8)).save(path)
    return Sample(id=f"s{number}", image=str(path))


def pool(samples: list[Sample]) -> Dataset:
    return Dataset(name="pool", classes=CLASSES, samples=tuple(samples), masks=mask_files(samples, CLASSES))


def rows(out: Path, name: str) -> list[dict]:
    return [row for file in sorted((out / name).glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(stage, "SHARD_SIZE", 3)
    monkeypatch.setattr(shards, "SHARDS_A_FILE", 2)


def predicted(samples, out, *, gain=1.0, fields=None, **options) -> int:
    """Predicts, and says how many pictures went through the network."""
    network = Counting(gain)
    run_predict(model(network, **(fields or {})), pool(samples), out=out, options=PredictOptions(batch=2, **options))
    return network.seen


def test_of_a_grown_pool_only_the_new_pictures_are_predicted(tmp_path):
    """New ones between, before and behind the old; the tables are those of a run from nothing."""
    samples = [picture(tmp_path, n) for n in range(11)]
    assert predicted(samples[2:9:2], tmp_path / "out") == 4
    watcher, network = Watcher(), Counting()
    run_predict(model(network), pool(samples), out=tmp_path / "out", options=PredictOptions(batch=2), reporter=watcher)
    assert network.seen == 7
    assert "4 of 11 pictures were predicted before by this model and are taken over" in watcher.said
    assert predicted(samples, tmp_path / "whole") == 11
    for name in ("labels", "regions"):
        assert rows(tmp_path / "out", name) == rows(tmp_path / "whole", name)
        assert len(rows(tmp_path / "out", name)) >= 11


def test_a_pool_that_lost_pictures_or_changed_their_order_is_not_predicted_again(tmp_path):
    samples = [picture(tmp_path, n) for n in range(7)]
    predicted(samples, tmp_path / "out")
    assert predicted(samples[5:1:-1], tmp_path / "out") == 0
    assert [row["id"] for row in rows(tmp_path / "out", "labels")] == ["s5", "s4", "s3", "s2"]


def test_a_picture_that_changed_is_predicted_again(tmp_path):
    """Another content with the same name; the same content with another time, other rights and another place is not."""
    samples = [picture(tmp_path, n) for n in range(6)]
    predicted(samples, tmp_path / "out")
    picture(tmp_path, 2, seed=77)
    os.utime(samples[4].image or "", ns=(1, 1))
    Path(samples[3].image or "").chmod(0o600)
    moved = dataclasses.replace(samples[1], image=str(Path(samples[1].image or "").rename(tmp_path / "moved.png")))
    samples[1] = moved
    assert predicted(samples, tmp_path / "out") == 1
    assert predicted(samples, tmp_path / "whole") == 6
    assert rows(tmp_path / "out", "labels") == rows(tmp_path / "whole", "labels")


def uncompressed(folder: Path, number: int, *, seed: int) -> Sample:
    """A picture whose file has the size and the time of every other one of its kind."""
    path = folder / f"{number:03d}.bmp"
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)).save(path)
    os.utime(path, ns=(10**18, 10**18))
    return Sample(id=f"s{number}", image=str(path))


def size_and_time(sample: Sample) -> tuple[int, int]:
    found = Path(sample.image or "").stat()
    return found.st_size, found.st_mtime_ns


@pytest.mark.parametrize("other", ["other", "out"])
def test_pictures_of_one_size_and_time_are_told_by_their_content(tmp_path, other):
    """As archives are unpacked with their times: renumbered, and with another picture at the place of one, into the same directory too."""
    samples = [uncompressed(tmp_path, n, seed=n) for n in range(5)]
    predicted(samples, tmp_path / "out")
    before = [size_and_time(s) for s in samples]
    for number, seed in ((0, 1), (1, 0), (3, 99)):
        uncompressed(tmp_path, number, seed=seed)
    assert before == [size_and_time(s) for s in samples]
    assert predicted(samples, tmp_path / other, reuse=(str(tmp_path / "out"),)) == 3
    predicted(samples, tmp_path / "whole")
    for name in ("labels", "regions"):
        assert rows(tmp_path / other, name) == rows(tmp_path / "whole", name)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-30]),
        lambda file: file.write_bytes(b""),
        lambda file: file.unlink(),
        lambda file: file.write_bytes(file.read_bytes()[:200] + bytes([file.read_bytes()[200] ^ 1]) + file.read_bytes()[201:]),
    ],
    ids=["cut short", "empty", "gone", "one bit"],
)
@pytest.mark.parametrize("name", ["labels", "regions"])
def test_the_same_command_mends_damaged_tables(tmp_path, damage, name):
    """What the damaged table held is predicted again, the rest is taken over; afterwards there is nothing to do."""
    samples = [picture(tmp_path, n) for n in range(11)]
    predicted(samples, tmp_path / "out")
    sound = {n: rows(tmp_path / "out", n) for n in ("labels", "regions")}
    file = tmp_path / "out" / name / "00000.parquet"
    held = len(pq.read_table(tmp_path / "out" / "labels" / "00000.parquet"))
    damage(file)
    watcher, network = Watcher(), Counting()
    run_predict(model(network), pool(samples), out=tmp_path / "out", options=PredictOptions(batch=2), reporter=watcher)
    assert any(f"{file} is damaged or gone; what they held is predicted again" in line for line in watcher.said)
    assert network.seen == held < len(samples)
    assert {n: rows(tmp_path / "out", n) for n in ("labels", "regions")} == sound
    assert predicted(samples, tmp_path / "out") == 0
    assert not any("damaged" in line for line in watcher.said[-1:])


def test_damaged_tables_are_not_taken_over_from_other_directories(tmp_path):
    samples = [picture(tmp_path, n) for n in range(11)]
    predicted(samples, tmp_path / "old")
    file = tmp_path / "old" / "labels" / "00000.parquet"
    held = len(pq.read_table(file))
    content = bytearray(file.read_bytes())
    content[200] ^= 1
    file.write_bytes(content)
    assert predicted(samples, tmp_path / "out", reuse=(str(tmp_path / "old"),)) == held
    assert predicted(samples, tmp_path / "whole") == 11
    assert rows(tmp_path / "out", "labels") == rows(tmp_path / "whole", "labels")


@pytest.mark.parametrize(
    "other",
    [{"gain": 2.0}, {"fields": {"mean": (0.1, 0.1, 0.1)}}, {"fields": {"sha256": None}}],
    ids=["other weights", "another normalisation", "weights that nobody can tell apart"],
)
def test_another_model_takes_nothing_over(tmp_path, other):
    samples = [picture(tmp_path, n) for n in range(5)]
    predicted(samples, tmp_path / "out", fields=other.get("fields") if other.get("fields") == {"sha256": None} else None)
    assert predicted(samples[1:], tmp_path / "out", **other) == 4


def test_other_directories_can_be_named(tmp_path):
    """Of two earlier runs and of none, what is no prediction is passed over."""
    samples = [picture(tmp_path, n) for n in range(8)]
    predicted(samples[:3], tmp_path / "a")
    predicted(samples[2:5], tmp_path / "b")
    names = tuple(str(tmp_path / name) for name in ("a", "b", "nowhere"))
    assert predicted(samples, tmp_path / "out", reuse=names) == 3
    assert predicted(samples, tmp_path / "whole") == 8
    assert rows(tmp_path / "out", "labels") == rows(tmp_path / "whole", "labels")
    assert predicted(samples, tmp_path / "whole", reuse=names) == 0  # the same artifact, whatever it was made from


def test_a_faulty_mask_is_told_for_pictures_that_are_taken_over_too(tmp_path):
    samples = [picture(tmp_path, n) for n in range(4)]
    predicted(samples, tmp_path / "out")
    Image.fromarray(np.full((12, 16), 99, np.uint8)).save(tmp_path / "mask.png")
    masked = [dataclasses.replace(s, mask=str(tmp_path / "mask.png")) if s.id == "s2" else s for s in samples]
    with pytest.raises(FormatError, match="99"):
        predicted(masked, tmp_path / "other", reuse=(str(tmp_path / "out"),))
    assert predicted(masked, tmp_path / "other", reuse=(str(tmp_path / "out"),), max_failures=1) == 0
    assert [row["id"] for row in rows(tmp_path / "other", "labels")] == ["s0", "s1", "s3"]


def test_an_interrupted_run_that_takes_over_goes_on(tmp_path):
    """Stopped in the middle, the same command ends with the tables of a run from nothing; the older artifact stands until then."""
    samples = [picture(tmp_path, n) for n in range(12)]
    predicted(samples[:4], tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        run_predict(model(Counting()), pool(samples), out=tmp_path / "out", options=PredictOptions(batch=2), reporter=Watcher(6))
    assert len(rows(tmp_path / "out", "labels")) == 4
    assert predicted(samples, tmp_path / "out") < 8
    assert predicted(samples, tmp_path / "whole") == 12
    assert rows(tmp_path / "out", "labels") == rows(tmp_path / "whole", "labels")
