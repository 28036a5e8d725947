"""Predictions of a pool that was predicted in parts: the directory around them reads as one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data import paths
from figureground.data.labelmap import encode_runs
from figureground.data.prediction_stream import stream_predictions
from figureground.data.predictions import open_predictions
from figureground.runs.artifact import ArtifactWriter
from figureground.runs.shards import write_table
from figureground.stages.predict.reduce import Predicted, tables_of

CLASSES = ClassTable(names=("ground", "cat", "dog"))


def label_map(number: int) -> LabelRuns:
    return encode_runs(np.random.default_rng(number).integers(0, 3, (4, 5), np.uint8))


def write_part(place, ids, *, model="net", failures=()):
    """An artifact as `predict` writes it."""
    writer = ArtifactWriter(place, kind="predictions", schema=1, key="k")
    predicted = [
        Predicted(id=i, runs=label_map(int(i)), scores=np.full(4, int(i) / 100), region_classes=np.array([1]), region_risks=np.array([0.5]))
        for i in ids
    ]
    for name, table in tables_of(predicted, []).items():
        if name != "faults":
            (writer.path / name).mkdir()
            write_table(writer.path / name / "00000.parquet", table)
    details = {"model": model, "classes": list(CLASSES.names), "ids": list(CLASSES.ids), "background": 0}
    writer.finish(options={}, inputs={}, counts={}, failures=failures, details=details)


@pytest.fixture
def parts(tmp_path):
    """Parts 9, 10 and 11, whose names sort otherwise as texts."""
    for number, ids in ((9, "01 02"), (10, "03"), (11, "04 05 06")):
        write_part(tmp_path / "net" / f"part-{number}", ids.split())
    return tmp_path / "net"


def test_the_directory_around_parts_reads_as_one(parts):
    """Ids in the order of the parts, every label map, score and region; streamed and held alike."""
    held = open_predictions(str(parts), CLASSES)
    assert held.ids == ("01", "02", "03", "04", "05", "06")
    assert all(held.source.read(i) == label_map(int(i)) for i in held.ids)
    assert held.scores["flip_risk"] == {i: int(i) / 100 for i in held.ids}
    assert set(held.region_scores) == set(held.ids)
    stream = stream_predictions(str(parts), CLASSES)
    assert tuple(i for part in stream.parts() for i in part.ids) == held.ids
    assert stream.manifest["details"]["classes"] == list(CLASSES.names)


def test_parts_in_the_making_and_other_folders_do_not_count(parts):
    (parts / "part-12.partial" / "labels").mkdir(parents=True)
    (parts / "part-12.partial" / "labels" / "00000.parquet").write_bytes(b"")
    (parts / "notes").mkdir()
    assert len(open_predictions(str(parts), CLASSES).ids) == 6


def test_parts_of_two_models_are_refused(parts):
    write_part(parts / "part-12", ["07"], model="another")
    with pytest.raises(InputError, match="its parts are not of one model: part-9 and part-12 differ"):
        open_predictions(str(parts), CLASSES)
    with pytest.raises(InputError, match="not of one model"):
        stream_predictions(str(parts), CLASSES)


def test_failures_of_every_part_are_known(parts):
    fault = {"code": "missing-file", "problem": "gone", "remedy": "find it", "sample": "08", "file": None}
    (parts / "part-10" / "failures.json").write_text(json.dumps([fault]))
    assert set(stream_predictions(str(parts), CLASSES).failed) == {"08"}


def test_folders_are_listed_by_name(tmp_path):
    """On disk and by URL: folders alone, hidden ones left out; none in a file or where nothing is."""
    import fsspec

    memory = fsspec.filesystem("memory")
    for name in ("b/x.txt", "a/deep/y.txt", ".hidden/z.txt", "file.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
        memory.pipe(f"/listed/{name}", b"x")
    assert paths.list_folders(str(tmp_path)) == ["a", "b"]
    assert paths.list_folders("memory://listed") == ["a", "b"]
    assert paths.list_folders(str(tmp_path / "file.txt")) == []
    assert paths.list_folders(str(tmp_path / "nowhere")) == []
