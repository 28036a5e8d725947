"""What a round says of files it could not use: which one, what is wrong with it, and whether it is listed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from tests.stages.mine.pools import generated, mined, pool, write_all, write_folder, write_training
from tests.support import Watcher

from figureground.core.errors import FormatError
from figureground.runs.artifact import read_manifest


@pytest.fixture
def data():
    return generated(24, seed=3, models=("target", "apart"))


@pytest.mark.parametrize("broken", [1, 2])
def test_training_pictures_that_cannot_be_read_are_told_and_listed(tmp_path, data, broken):
    """They are no samples left out, and what can be read counts."""
    rng = np.random.default_rng(0)
    images = {f"t{n}": rng.integers(0, 256, (20, 20, 3), np.uint8) for n in range(5)}
    training = write_training(tmp_path / "training", {}, images)
    files = [training / f"t{n}-image.png" for n in (1, 3)][:broken]
    for file in files:
        file.write_bytes(b"no picture")
    watcher = Watcher()
    out = mined(tmp_path / "out", pool(data), write_all(tmp_path / "in", data), top=3, train=str(training), area=("0,1",), reporter=watcher)
    failures = json.loads((out / "failures.json").read_text())
    assert [(row["sample"], row["file"], row["code"]) for row in failures] == [
        (sample, str(file), "unreadable-picture") for sample, file in zip(("t1", "t3"), files, strict=False)
    ]
    [told] = [line for line in watcher.said if "training picture" in line]
    assert told.startswith("note: a training picture" if broken == 1 else "note: 2 training pictures")
    assert f"{files[0]}: sample 't1': the picture cannot be decoded" in told
    assert read_manifest(out).counts["failures"] == 0
    assert read_manifest(out).details["training_pictures"] == 5 - broken


def test_nothing_is_told_of_training_pictures_that_can_be_read(tmp_path, data):
    training = write_training(tmp_path / "training", {}, {"t": np.zeros((20, 20, 3), np.uint8)})
    watcher = Watcher()
    mined(tmp_path / "out", pool(data), write_all(tmp_path / "in", data), top=3, train=str(training), area=("0,1",), reporter=watcher)
    assert not [line for line in watcher.said if "training picture" in line]


@pytest.mark.parametrize("folder", [True, False])
def test_maps_of_two_sizes_name_the_file_of_the_rival(tmp_path, data, folder):
    """A folder's file, or the table of an artifact."""
    wrong = data.ids[4]
    data.maps["apart"][wrong] = np.zeros((99, 5), np.uint8)
    specs = [str(spec) for spec in write_all(tmp_path / "in", data, shard=10)]
    if folder:
        specs[1] = f"png:{write_folder(tmp_path / 'apart', data.maps['apart'])}"
    with pytest.raises(FormatError, match="99 px high and 5 px wide") as caught:
        mined(tmp_path / "out", pool(data), specs, top=3)
    expected = tmp_path / "apart" / f"{wrong}.png" if folder else tmp_path / "in" / "apart" / "labels" / "00000.parquet"
    assert str(caught.value).startswith(f"{expected}: sample '{wrong}'")


def test_a_coloured_prediction_is_told_what_a_prediction_can_be(tmp_path, data):
    specs = [str(spec) for spec in write_all(tmp_path / "in", data)]
    folder = write_folder(tmp_path / "apart", data.maps["apart"])
    Image.new("RGB", (16, 16), (200, 0, 0)).save(folder / f"{data.ids[2]}.png")
    with pytest.raises(FormatError) as caught:
        mined(tmp_path / "out", pool(data), [specs[0], f"png:{folder}"], top=3)
    said = str(caught.value)
    assert "the prediction is a colour image" in said
    assert "Save class ids as a grey or palette PNG" in said
    assert "mask" not in said
    assert "Declare" not in said


def test_a_fault_of_the_features_is_told_once(tmp_path, data):
    """In its own words, not within another message."""
    table = tmp_path / "features.csv"
    table.write_text("id,x\na,1\na,2\n")
    with pytest.raises(FormatError) as caught:
        mined(tmp_path / "out", pool(data), write_all(tmp_path / "in", data)[:1], selector="core-set", features=str(table))
    assert str(caught.value).count("features.csv") == 1
