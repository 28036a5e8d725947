"""Grids of a detector: what is written reads back, thresholds part pixels as said, and damaged files are named."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.data.grids import Thresholds, read_grids, to_pixels, write_grids
from figureground.runs.artifact import read_manifest

BOUNDS = Thresholds(tight=0.33, loose=0.9)


@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5).filter(str.isprintable),
        st.tuples(st.integers(1, 5), st.integers(1, 4)).flatmap(lambda s: arrays(np.float32, s, elements=st.floats(0, 1, width=32))),
        max_size=5,
    )
)
def test_what_is_written_reads_back(tmp_path_factory, grids):
    """Ids in order, every number bit for bit, the bounds; an empty artifact, too."""
    found = read_grids(write_grids(tmp_path_factory.mktemp("g") / "out", grids, thresholds=BOUNDS, details={"detector": "none"}))
    assert found.ids == tuple(grids)
    assert found.thresholds == BOUNDS
    assert found.details == {"detector": "none"}
    for sample, grid in grids.items():
        assert found.grid(sample).dtype == np.float32
        assert np.array_equal(found.grid(sample), grid)


def test_the_table_is_row_major_and_the_manifest_whole(tmp_path):
    out = write_grids(tmp_path / "out", {"007": np.array([[0, 0.25, 0.5], [1, 0.75, 0.125]])}, thresholds=BOUNDS)
    table = pq.read_table(out / "grids.parquet")
    assert table.to_pylist() == [{"id": "007", "rows": 2, "columns": 3, "background": [0, 0.25, 0.5, 1, 0.75, 0.125], "picture": None}]
    manifest = read_manifest(out, kind="grids")
    assert manifest.details == {"thresholds": {"tight": 0.33, "loose": 0.9}}
    assert manifest.counts == {"pictures": 1}


def test_a_pixel_is_figure_where_its_patch_lies_below_the_bound(tmp_path):
    """2 x 2 patches on 5 x 4 pixels: rows 0, 1, 2 belong to the first; 0.33 itself is not below 0.33."""
    grid = np.array([[0.1, 0.33], [0.5, 0.95]])
    found = read_grids(write_grids(tmp_path / "out", {"a": grid}, thresholds=BOUNDS))
    tight = found.figure("a", size_hw=(5, 4), bound=found.thresholds.tight)
    assert tight.tolist() == [[True, True, False, False]] * 3 + [[False] * 4] * 2
    loose = found.figure("a", size_hw=(5, 4), bound=found.thresholds.loose)
    assert loose.tolist() == [[True] * 4] * 3 + [[True, True, False, False]] * 2


@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 20), st.integers(1, 20))
def test_pixels_take_the_patch_they_lie_in(rows, columns, height, width):
    """The same as scaling every pixel's position one by one."""
    cells = np.arange(rows * columns).reshape(rows, columns)
    slow = [[cells[y * rows // height, x * columns // width] for x in range(width)] for y in range(height)]
    assert to_pixels(cells, (height, width)).tolist() == slow


@pytest.mark.parametrize(
    "grid", [np.array([[0.5, 1.5]]), np.array([[np.nan]]), np.array([0.5]), np.zeros((0, 3)), np.zeros((2, 2), bool), np.array([[-0.1]])]
)
def test_what_is_no_grid_of_probabilities_is_not_written(tmp_path, grid):
    with pytest.raises(InputError, match=r"sample 'a'.*expected P\(background\)"):
        write_grids(tmp_path / "out", {"a": grid}, thresholds=BOUNDS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("tight", "loose"), [(0, 0.5), (0.6, 0.5), (0.5, 1.1), (float("nan"), 0.5), (0.5, float("nan"))])
def test_bounds_that_cannot_be_are_refused(tight, loose):
    with pytest.raises(InputError, match="0 < tight <= loose <= 1"):
        Thresholds(tight=tight, loose=loose)


def test_a_directory_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("work")
    with pytest.raises(InputError, match="is not empty"):
        write_grids(tmp_path, {}, thresholds=BOUNDS)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("rows", "columns", "cells", "said"),
    [
        (2, 2, [0.1] * 3, "not the number of patches"),
        (0, 0, [], "not the number of patches"),
        (-1, -1, [0.5], "not the number of patches"),
        (1, 1, None, "not the number of patches"),
        (None, 1, [0.5], "not the number of patches"),
        (1, 1, [7.0], "a patch has 7"),
        (1, 1, [float("nan")], "no probability"),
        (1, 1, [None], "no probability"),
    ],
)
def test_a_faulty_row_is_named(tmp_path, rows, columns, cells, said):
    out = write_grids(tmp_path / "out", {"fine": np.array([[0.5]])}, thresholds=BOUNDS)
    fine = pq.read_table(out / "grids.parquet")
    bad = pa.table({"id": ["b7"], "rows": [rows], "columns": [columns], "background": [cells], "picture": [None]}, schema=fine.schema)
    pq.write_table(pa.concat_tables([fine, bad]), out / "grids.parquet")
    with pytest.raises(FormatError, match=f"grids.parquet: sample 'b7': .*{said}"):
        read_grids(out)


def test_tables_that_do_not_say_whose_they_are_can_be_read(tmp_path):
    """Of another tool, or written before the column was there."""
    out = write_grids(tmp_path / "out", {"a": np.array([[0.5]])}, thresholds=BOUNDS)
    pq.write_table(pq.read_table(out / "grids.parquet").drop_columns("picture"), out / "grids.parquet")
    assert (read_grids(out).ids, read_grids(out).pictures) == (("a",), {})


def test_faulty_files_are_named(tmp_path):
    out = write_grids(tmp_path / "out", {"a": np.array([[0.5]])}, thresholds=BOUNDS)
    whole = pq.read_table(out / "grids.parquet")
    pq.write_table(pa.concat_tables([whole, whole]), out / "grids.parquet")
    with pytest.raises(FormatError, match="sample 'a': the sample has two grids"):
        read_grids(out)
    pq.write_table(whole.drop_columns(["rows"]), out / "grids.parquet")
    with pytest.raises(FormatError, match="no column `rows`"):
        read_grids(out)
    pq.write_table(whole.set_column(3, "background", pa.array(["x"])), out / "grids.parquet")
    with pytest.raises(FormatError, match="types"):
        read_grids(out)
    (out / "grids.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(FormatError, match="cannot be read"):
        read_grids(out)
    (out / "grids.parquet").unlink()
    with pytest.raises(FormatError, match="no such file"):
        read_grids(out)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "labels"}, "expected an artifact of kind 'grids', found 'labels'"),
        ({"schema": 2}, "of schema 2"),
        ({"details": {}}, "does not tell the thresholds"),
        ({"details": {"thresholds": {"tight": 0.9, "loose": 0.3}}}, "does not tell the thresholds"),
        ({"details": 3}, "cannot be read"),
    ],
)
def test_another_manifest_is_refused(tmp_path, change, said):
    out = write_grids(tmp_path / "out", {"a": np.array([[0.5]])}, thresholds=BOUNDS)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(ArtifactError, match=said):
        read_grids(out)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(ArtifactError, match="no artifact is here"):
        read_grids(tmp_path / "nowhere")
    out = write_grids(tmp_path / "out", {"a": np.array([[0.5]])}, thresholds=BOUNDS)
    with pytest.raises(InputError, match="no grid of sample 'b'"):
        read_grids(out).grid("b")
