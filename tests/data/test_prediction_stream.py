"""Predictions in parts: ids without maps, maps where they are asked for, in the order asked for, whatever they lie in."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from figureground.core.errors import FormatError, InputError
from figureground.core.types import ClassTable
from figureground.data import paths, prediction_stream
from figureground.data.labelmap import RUN_FIELDS, encode_runs, runs_to_columns
from figureground.data.prediction_stream import PredictionStream, Rows, stream_predictions
from figureground.data.predictions import open_predictions

CLASSES = ClassTable(names=("ground", "cat", "dog"))
NAMES = [f"s{n}" for n in range(12)]


def drawn(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {i: rng.integers(0, 3, rng.integers(1, 6, 2)).astype(np.uint8) for i in NAMES}


def write_tables(folder: Path, maps, *, sizes=(5, 4, 3), group: int = 2) -> Path:
    """Tables of several row groups, with a score that one sample in five lacks and a count that is no score."""
    (folder / "labels").mkdir(parents=True)
    ids = list(maps)
    schema = pa.schema([("id", pa.string()), *RUN_FIELDS, ("risk", pa.float64()), ("cat_pixels", pa.float64()), ("number", pa.int64())])
    for number, size in enumerate(sizes):
        own = ids[sum(sizes[:number]) : sum(sizes[:number]) + size]
        risks = [None if NAMES.index(i) % 5 == 0 else NAMES.index(i) / 10 for i in own]
        columns = [own, *runs_to_columns([encode_runs(maps[i]) for i in own]), risks, [1.0] * size, [1] * size]
        pq.write_table(pa.table(columns, schema=schema), folder / "labels" / f"{number}.parquet", row_group_size=group)
    return folder


def write_files(folder: Path, maps) -> Path:
    folder.mkdir()
    for i, m in maps.items():
        Image.fromarray(m).save(folder / f"{i}.png")
    return folder


def rows_of(stream: PredictionStream, ids) -> Rows:
    """Where the stream has some ids."""
    places = {i: ((part.file, part.group), row) for part in stream.parts() for row, i in enumerate(part.ids)}
    parts = list(dict.fromkeys(places[i][0] for i in ids))
    part, row = ([f(places[i]) for i in ids] for f in (lambda p: parts.index(p[0]), lambda p: p[1]))
    return Rows(parts=tuple(parts), part=np.array(part, np.int32), row=np.array(row, np.int32))


@pytest.fixture(params=["tables", "files", "tables with scores beside them"])
def stream(request, tmp_path, monkeypatch) -> PredictionStream:
    """The same predictions as an artifact, as a folder, and as an artifact that is held in memory."""
    monkeypatch.setattr(prediction_stream, "FILES_A_PART", 5)
    if request.param == "tables":
        return stream_predictions(str(write_tables(tmp_path / "net", drawn())), CLASSES)
    table = tmp_path / "scores.csv"
    table.write_text("id,risk\n" + "\n".join(f"{i},{'' if n % 5 == 0 else n / 10}" for n, i in enumerate(NAMES)) + "\n")
    if request.param == "files":
        return stream_predictions(f"png:{write_files(tmp_path / 'net', drawn())}?scores={table}", CLASSES)
    return stream_predictions(f"artifact:{write_tables(tmp_path / 'net', drawn())}?scores={table}", CLASSES)


def test_parts_hold_every_id_once_and_in_order(stream):
    """In the order of the files; a second walk gives the same parts."""
    first = list(stream.parts())
    assert [i for part in first for i in part.ids] == (NAMES if stream.files else list(stream.held.ids))
    assert sorted(i for part in first for i in part.ids) == sorted(NAMES)
    assert len({(part.file, part.group) for part in first}) == len(first) > 2
    assert list(stream.parts()) == first


@pytest.mark.parametrize("order", [NAMES, NAMES[::-1], ["s7"], ["s3", "s11", "s4", "s0"]])
def test_maps_and_scores_come_in_the_order_asked_for(order, stream):
    """Also from a worker process, which has a copy of the reader."""
    reader = pickle.loads(pickle.dumps(stream.reader))
    for _ in range(2):
        read = reader.read(order, rows_of(stream, order), scores=[name for name in stream.scores if name.endswith("risk")])
        for place, i in enumerate(order):
            np.testing.assert_array_equal(read.batch.map_of(place).dense(), drawn()[i])
        (found,) = read.scores.values()
        expected = [np.nan if NAMES.index(i) % 5 == 0 else NAMES.index(i) / 10 for i in order]
        np.testing.assert_array_equal(found, expected)
        assert read.faults == ()


def test_no_ids_are_no_maps(stream):
    none = np.empty(0, np.int32)
    read = stream.reader.read((), Rows(parts=(), part=none, row=none), scores=stream.scores[:1])
    assert len(read.batch) == sum(map(len, read.scores.values())) == 0


def test_counts_and_whole_numbers_are_no_scores(tmp_path):
    assert stream_predictions(str(write_tables(tmp_path / "net", drawn())), CLASSES).scores == ("risk",)


@given(st.lists(st.sampled_from(NAMES), unique=True, min_size=1), st.integers(1, 5))
@settings(max_examples=25)
def test_any_choice_of_rows_is_read_from_row_groups_of_any_size(tmp_path_factory, order, group):
    folder = tmp_path_factory.mktemp("net") / "net"
    stream = stream_predictions(str(write_tables(folder, drawn(), group=group)), CLASSES)
    batch = stream.reader.read(order, rows_of(stream, order)).batch
    assert [batch.map_of(place).dense().tolist() for place in range(len(order))] == [drawn()[i].tolist() for i in order]


def test_a_fingerprint_changes_with_what_is_read(stream, tmp_path):
    """Any one file."""
    before = stream.fingerprint()
    assert stream.fingerprint() == before
    files = [Path(file) for file in stream.every_file()]
    file = files[-1]
    file.write_bytes(file.read_bytes() + b" ")
    assert stream.fingerprint() != before


def test_what_the_prediction_left_out_is_known(tmp_path):
    """A file of failures of another make, or none, tells nothing."""
    folder = write_tables(tmp_path / "net", drawn())
    assert stream_predictions(str(folder), CLASSES).failed == {}
    fault = {"code": "unreadable-picture", "problem": "none", "remedy": "fetch", "sample": "s99", "file": None}
    failures = folder / "failures.json"
    failures.write_text(json.dumps([fault, {**fault, "sample": None}]))
    for spec in (str(folder), f"artifact:{folder}?risk=risk"):
        (found,) = stream_predictions(spec, CLASSES).failed.items()
        assert found[0] == found[1].sample == "s99"
    for text in ("no JSON", '{"s99": 1}', '[{"sample": "s99"}]', "[1]"):
        failures.write_text(text)
        assert stream_predictions(str(folder), CLASSES).failed == {}


def test_names_come_from_the_spec_or_the_folder(tmp_path):
    folder = write_tables(tmp_path / "net", drawn())
    names = [
        stream_predictions(spec, CLASSES, name=name).name
        for spec, name in ((str(folder), None), (f"own={folder}", None), (str(folder), "x"))
    ]
    assert names == ["net", "own", "x"]


def test_a_faulty_map_among_files_is_a_fault_of_its_sample(tmp_path):
    """Its place stays empty; of bare numbers only damage is one."""
    folder = write_files(tmp_path / "net", drawn())
    Image.fromarray(np.full((2, 2), 9, np.uint8)).save(folder / "s2.png")
    (folder / "s5.png").write_bytes(b"")
    for raw, faulty in ((False, ["s2", "s5"]), (True, ["s5"])):
        stream = stream_predictions(f"png:{folder}", CLASSES, raw=raw)
        read = stream.reader.read(NAMES, rows_of(stream, NAMES))
        assert [fault.sample for fault in read.faults] == faulty
        assert [i for i, size in zip(NAMES, read.batch.sizes_hw.tolist(), strict=True) if size == [0, 0]] == faulty
        assert read.batch.map_of(NAMES.index("s1")).dense().tolist() == drawn()["s1"].tolist()


def test_what_is_no_prediction_is_refused(tmp_path):
    """Nothing there, another folder, an unknown kind, a damaged table, and one without a column."""
    folder = write_tables(tmp_path / "net", drawn())
    (tmp_path / "empty").mkdir()
    for spec, error, told in (
        (str(tmp_path / "none"), FormatError, "no such file or folder"),
        (str(folder / "labels"), InputError, "predictions are a folder with labels.parquet"),
        (f"npz:{folder}", InputError, "npz"),
        (f"png:{folder}?speed=1", InputError, "speed"),
    ):
        with pytest.raises(error, match=told):
            stream_predictions(spec, CLASSES)
    table = pq.read_table(folder / "labels" / "1.parquet")
    pq.write_table(table.drop_columns(["id"]), folder / "labels" / "1.parquet")
    stream = stream_predictions(str(folder), CLASSES)
    with pytest.raises(FormatError, match=r"1\.parquet: there is no column `id`"):
        list(stream.parts())
    (folder / "labels" / "0.parquet").write_bytes(b"PAR1")
    with pytest.raises(FormatError, match=r"0\.parquet: the Parquet table cannot be read"):
        stream_predictions(str(folder), CLASSES)


def test_a_table_that_is_written_anew_while_it_is_read_is_not_called_damaged(tmp_path):
    """By single rows, by whole tables, and by `audit`'s way of reading."""
    folder = write_tables(tmp_path / "net", drawn(), group=20)
    stream = stream_predictions(str(folder), CLASSES)
    rows, opened = rows_of(stream, NAMES), open_predictions(str(folder), CLASSES)
    file = folder / "labels" / "2.parquet"
    pq.write_table(pq.read_table(file).slice(0, 1), file)
    for read in (lambda: stream.reader.read(NAMES, rows), lambda: opened.source.read(NAMES[-1])):
        with pytest.raises(InputError, match=r"2\.parquet: changed while it was read\. Run the same command again"):
            read()
    file.write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"2\.parquet: changed while it was read"):
        list(stream.parts())


def test_a_damaged_row_group_is_named_with_its_samples_and_what_helps(tmp_path):
    folder = write_tables(tmp_path / "net", drawn(), group=5)
    file = folder / "labels" / "1.parquet"
    start = pq.ParquetFile(file).metadata.row_group(0).column(3).dictionary_page_offset or 0
    stream = stream_predictions(str(folder), CLASSES)
    names = next(part.ids for part in stream.parts() if part.file == str(file) and part.group == 0)
    content = bytearray(file.read_bytes())
    content[start : start + 40] = b"\xff" * 40
    file.write_bytes(content)
    stream = stream_predictions(str(folder), CLASSES)
    with pytest.raises(FormatError) as caught:
        stream.reader.read(NAMES, rows_of(stream, NAMES))
    said = str(caught.value)
    assert f"{file}: the Parquet table cannot be read in row group 1, which holds '{names[0]}'" in said
    assert "`figureground predict`, given the same command, mends the tables that it wrote" in said


@pytest.mark.parametrize("column", ["values", "lengths"])
def test_numbers_that_do_not_fit_their_type_are_refused(column, tmp_path):
    """They are not taken for small ones."""
    folder = write_tables(tmp_path / "net", drawn())
    file = folder / "labels" / "0.parquet"
    table = pq.read_table(file)
    wide = [[2**40 + n for n in numbers] for numbers in table[column].to_pylist()]
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, pa.array(wide, pa.list_(pa.uint64()))), file)
    stream = stream_predictions(str(folder), CLASSES)
    with pytest.raises(FormatError, match=r"0\.parquet: the Parquet table cannot be read"):
        stream.reader.read(NAMES, rows_of(stream, NAMES))


def test_a_row_of_more_values_than_lengths_is_refused(tmp_path):
    folder = write_tables(tmp_path / "net", drawn())
    file = folder / "labels" / "0.parquet"
    table = pq.read_table(file)
    longer = [[*numbers, 1] for numbers in table["values"].to_pylist()]
    pq.write_table(table.set_column(table.schema.get_field_index("values"), "values", pa.array(longer, pa.list_(pa.uint16()))), file)
    stream = stream_predictions(str(folder), CLASSES)
    with pytest.raises(FormatError, match="more values than lengths"):
        stream.reader.read(NAMES, rows_of(stream, NAMES))


def test_of_a_row_group_only_the_rows_asked_for_are_put_together(tmp_path, monkeypatch):
    """A few maps of each of many large groups never take the memory of the groups."""
    stream = stream_predictions(str(write_tables(tmp_path / "net", drawn(), group=20)), CLASSES)
    sizes, together = [], pa.concat_tables
    monkeypatch.setattr(pa, "concat_tables", lambda tables: sizes.append([len(table) for table in tables]) or together(tables))
    ids = ["s10", "s3", "s7", "s4"]
    batch = stream.reader.read(ids, rows_of(stream, ids)).batch
    assert sizes == [[1, 2, 1]]
    assert [batch.map_of(place).dense().tolist() for place in range(4)] == [drawn()[i].tolist() for i in ids]


def test_of_a_remote_table_only_the_row_groups_asked_for_are_fetched(tmp_path, monkeypatch):
    """Three maps of 240 in 48 row groups: the bytes of three groups and of the footer, not the whole file again and again."""
    maps = {f"m{n}": np.random.default_rng(n).integers(0, 3, (100, 100)).astype(np.uint8) for n in range(240)}
    runs = [encode_runs(m) for m in maps.values()]
    table = pa.table([list(maps), *runs_to_columns(runs)], schema=pa.schema([("id", pa.string()), *RUN_FIELDS]))
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=5)
    memory = fsspec.filesystem("memory")
    memory.pipe("/ranged/net/labels/0.parquet", sink.getvalue())
    fetched = []

    class Counting(io.BytesIO):
        def read(self, size=-1):
            data = super().read(size)
            fetched.append(len(data))
            return data

    stream = stream_predictions("memory://ranged/net", CLASSES)
    ids = ["m45", "m5", "m25"]
    rows = rows_of(stream, ids)
    monkeypatch.setattr(paths, "open_binary", lambda path: Counting(sink.getvalue()))
    read = stream.reader.read(ids, rows)
    assert [read.batch.map_of(n).dense().tolist() for n in range(3)] == [maps[i].tolist() for i in ids]
    assert 0 < sum(fetched) < 0.3 * len(sink.getvalue())
