"""Predictions from folders, artifacts and memory give the same label maps, and scores find their samples."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from figureground.core.errors import FormatError, InputError
from figureground.core.types import ClassTable
from figureground.data.dataset import open_dataset
from figureground.data.labelmap import decode_runs, encode_runs, runs_to_columns
from figureground.data.predictions import open_predictions, pairing_faults, predictions_from_arrays, unique_names

THREE = ClassTable(names=("background", "cat", "dog"))
COLUMNS = ("height", "width", "values", "lengths")


def write_artifact(folder: Path, maps: dict[str, np.ndarray], *, shards: int = 1, rows: int = 2, **scores: list[float | None]) -> Path:
    """A predictions artifact as one table or as shards with small row groups."""
    ids = list(maps)
    for n in range(shards):
        part = ids[n::shards]
        columns = runs_to_columns([encode_runs(maps[i]) for i in part])
        extra = {name: pa.array(values[n::shards], pa.float64()) for name, values in scores.items()}
        table = pa.table({"id": part, **dict(zip(COLUMNS, columns, strict=True)), **extra})
        path = folder / "labels.parquet" if shards == 1 else folder / "labels" / f"{n:05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, row_group_size=rows)
    return folder


@pytest.fixture
def maps(random_map):
    return {f"{n:03d}": random_map(n) for n in range(7)}


def test_folders_artifacts_and_arrays_agree(tmp_path, maps, png_writer):
    for i, array in maps.items():
        png_writer(tmp_path / "png" / f"{i}.png", array)
        (tmp_path / "npy").mkdir(exist_ok=True)
        np.save(tmp_path / "npy" / f"{i}.npy", array.astype(np.int64))
    one, many = write_artifact(tmp_path / "one", maps), write_artifact(tmp_path / "many", maps, shards=3)
    opened = [
        open_predictions(f"png:{tmp_path / 'png'}", THREE),
        open_predictions(f"npy:{tmp_path / 'npy'}", THREE),
        open_predictions(str(one), THREE),
        open_predictions(f"artifact:{many}", THREE),
        predictions_from_arrays(maps, THREE),
    ]
    for predictions in opened:
        assert sorted(predictions.ids) == sorted(maps)
        twin = pickle.loads(pickle.dumps(predictions))
        for i in (*maps, *reversed(maps)):
            assert np.array_equal(decode_runs(twin.source.read(i)), maps[i])
            assert twin.source.read(i).values.dtype == np.uint8
        with pytest.raises(FormatError) as caught:
            predictions.source.read("nobody")
        assert caught.value.fault.code == "missing-prediction"
    assert len({p.fingerprint() for p in opened}) == len(opened)


def test_ids_may_lie_in_sub_folders(tmp_path, maps, png_writer):
    png_writer(tmp_path / "p" / "town" / "000.png", maps["000"])
    assert open_predictions(f"png:{tmp_path / 'p'}", THREE).ids == ("town/000",)


def test_scores_of_a_table_are_joined_by_id(tmp_path, tiny_predictions, table_writer):
    rows = [{"id": f"00{n}", "flip_risk": ["0.5", "", "nan", "1e-3"][n], "note": "x", "area": str(n)} for n in range(4)]
    table = table_writer(tiny_predictions.parent / "scores.csv", rows)
    for given in (str(table), "scores.csv"):  # as a path, and beside the folder
        predictions = open_predictions(f"png:{tiny_predictions}?scores={given}", THREE)
        assert set(predictions.scores) == {"flip_risk", "area"}
        risk = predictions.scores["flip_risk"]
        assert (risk["000"], risk["003"]) == (0.5, 0.001)
        assert math.isnan(risk["001"])
        assert math.isnan(risk["002"])
    named = open_predictions(f"best=png:{tiny_predictions}?scores={table}&risk=area", THREE)
    assert named.name == "best"
    assert dict(named.scores["flip_risk"]) == {f"00{n}": float(n) for n in range(4)}
    with pytest.raises(InputError, match="Did you mean `area`"):
        open_predictions(f"png:{tiny_predictions}?scores={table}&risk=aera", THREE)
    with pytest.raises(InputError, match="unknown key `score`"):
        open_predictions(f"png:{tiny_predictions}?score={table}", THREE)


@pytest.mark.parametrize(("cell", "code"), [("inf", "bad-table"), ("high", "bad-table")])
def test_a_word_among_numbers_is_a_fault(tiny_predictions, table_writer, cell, code):
    table = table_writer(tiny_predictions.parent / "s.csv", [{"id": f"00{n}", "risk": cell if n == 2 else "1"} for n in range(4)])
    with pytest.raises(FormatError) as caught:
        open_predictions(f"png:{tiny_predictions}?scores={table}", THREE)
    assert (caught.value.fault.code, caught.value.fault.sample) == (code, "002")


def test_scores_for_other_ids_are_a_fault(tiny_predictions, table_writer):
    table = table_writer(tiny_predictions.parent / "s.csv", [{"id": str(n), "risk": "1"} for n in range(4)])
    with pytest.raises(FormatError, match="leading zeros"):
        open_predictions(f"png:{tiny_predictions}?scores={table}", THREE)


def test_an_artifact_carries_scores_regions_and_manifest(tmp_path, maps):
    folder = write_artifact(tmp_path / "a", maps, risk=[0.1, None, 0.3, 0.4, 0.5, 0.6, 0.7], area=list(range(7)))
    pq.write_table(pa.table({"id": ["000", "000"], "region": [0, 1], "flip_risk": [0.2, None]}), folder / "regions.parquet")
    (folder / "manifest.json").write_text('{"kind": "predictions"}')
    predictions = open_predictions(str(folder), THREE)
    assert math.isnan(predictions.scores["flip_risk"]["001"])
    assert predictions.scores["area"]["006"] == 6
    assert predictions.region_scores is not None
    assert predictions.region_scores["000"][0] == 0.2
    assert math.isnan(predictions.region_scores["000"][1])
    assert predictions.manifest == {"kind": "predictions"}


def test_faults_of_an_artifact(tmp_path, maps):
    with pytest.raises(FormatError, match="no such file or folder"):
        open_predictions(str(tmp_path / "absent"), THREE)
    with pytest.raises(InputError, match="png:FOLDER"):
        open_predictions(str(tmp_path), THREE)
    folder = write_artifact(tmp_path / "a", maps)
    table = pq.read_table(folder / "labels.parquet")
    cases = {
        "bad-table": table.drop_columns("values"),
        "duplicate-id": pa.concat_tables([table, table]),
        "unknown-class-id": table.set_column(
            3, "values", pa.array([[7 + k % 2 for k in range(len(v))] for v in table["lengths"].to_pylist()], pa.list_(pa.uint16()))
        ),
        "corrupt-file": table.set_column(1, "height", pa.array([99] * 7, pa.int32())),
        "corrupt-file, a row without a height": table.set_column(1, "height", pa.array([None] * 7, pa.int32())),
        "corrupt-file, a run without a value": table.set_column(
            3, "values", pa.array([[None] * len(v) for v in table["lengths"].to_pylist()], pa.list_(pa.uint16()))
        ),
        "bad-table, signed values": table.set_column(3, "values", table["values"].cast(pa.list_(pa.int64()))),
    }
    for code, wrong in cases.items():
        pq.write_table(wrong, folder / "labels.parquet")
        with pytest.raises(FormatError) as caught:
            open_predictions(str(folder), THREE).source.read("000")
        assert caught.value.fault.code == code.partition(",")[0], caught.value
    (folder / "labels.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(FormatError) as caught:
        open_predictions(str(folder), THREE)
    assert caught.value.fault.code == "corrupt-file"
    write_artifact(folder, maps)
    (folder / "manifest.json").write_text("[")
    with pytest.raises(FormatError, match="manifest"):
        open_predictions(str(folder), THREE)


def test_faults_of_a_folder(tmp_path, maps, png_writer):
    folder = tmp_path / "p"
    with pytest.raises(FormatError, match="no such folder"):
        open_predictions(f"png:{folder}", THREE)
    folder.mkdir()
    (folder / "notes.txt").touch()
    with pytest.raises(FormatError, match=r"no .png label maps; it holds 1 x .txt"):
        open_predictions(f"png:{folder}", THREE)
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 lossy")
    with pytest.raises(FormatError) as caught:
        open_predictions(f"png:{folder}", THREE).source.read("a")
    assert caught.value.fault.code == "jpeg-mask"
    png_writer(folder / "a.png", maps["000"])
    open_predictions(f"png:{folder}", THREE).source.read("a")  # the picture beside it does no harm
    np.save(folder / "a.npy", maps["000"])
    with pytest.raises(FormatError) as caught:
        open_predictions(f"png:{folder}", THREE)
    assert (caught.value.fault.code, caught.value.fault.sample) == ("duplicate-id", "a")


def test_ids_are_paired_both_ways(tiny, tiny_predictions):
    (tiny_predictions / "001.png").rename(tiny_predictions / "01.png")
    dataset = open_dataset(str(tiny))
    predictions = open_predictions(f"png:{tiny_predictions}", dataset.classes)
    faults = list(pairing_faults(dataset, predictions))
    assert [(f.code, f.sample) for f in faults] == [("missing-prediction", "001"), ("unknown-sample", "01")]
    assert "Did you mean `01`" in faults[0].remedy
    assert [f.sample for f in pairing_faults(dataset.select(split="test"), predictions)] == ["01"]  # left-out samples are no surprise


@pytest.mark.parametrize(
    ("specs", "names"),
    [
        (["png:a/voc21", "png:b/voc21"], ["a", "b"]),
        (["png:a/voc21?scores=x.csv"], ["voc21"]),
        (["png:x/a", "png:y/a", "png:x/b"], ["x/a", "y/a", "b"]),
        (["png:x", "png:x"], ["x", "x-2"]),
        (["a/b/c", "png:a/b/c", "d"], ["a/b/c", "a/b/c-2", "d"]),
        (["one=png:x/a", "png:y/a"], ["one", "a"]),
        ([], []),
    ],
)
def test_names_are_short_and_distinct(specs, names):
    assert unique_names(specs) == names


def test_one_name_for_two_is_refused():
    with pytest.raises(InputError, match="'a'"):
        unique_names(["a=png:x", "a=png:y"])


def test_counts_of_pixels_are_no_scores_unless_one_is_named(tmp_path, tiny, tiny_predictions):
    table = tmp_path / "scores.csv"
    rows = [f"00{n},{n / 4},{n / 3},{n * 10},{n}" for n in range(4)]
    table.write_text("\n".join(["id,flip_risk,entropy,foreground_pixels,lost_pixels", *rows]))
    classes = open_dataset(str(tiny)).classes
    assert list(open_predictions(f"png:{tiny_predictions}?scores={table}", classes).scores) == ["flip_risk", "entropy"]
    named = open_predictions(f"png:{tiny_predictions}?scores={table}&risk=lost_pixels", classes)
    assert list(named.scores) == ["flip_risk", "entropy"]
    assert named.scores["flip_risk"] == {f"00{n}": float(n) for n in range(4)}
