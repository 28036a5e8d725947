"""Label-map runs: exact, canonical, and the same through Parquet."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from figureground.core.errors import InputError
from figureground.core.types import LabelRuns
from figureground.data.labelmap import RUN_FIELDS, check_runs, columns_to_runs, decode_runs, encode_runs, resize_nearest, runs_to_columns


@st.composite
def label_maps(draw, dtype=None):
    """Maps of few and of many values, some stretched so that runs get long."""
    kind = draw(st.sampled_from([np.uint8, np.uint16])) if dtype is None else dtype
    top = draw(st.sampled_from([1, 3, int(np.iinfo(kind).max)]))
    small = draw(hnp.arrays(kind, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, top)))
    return np.repeat(np.repeat(small, draw(st.integers(1, 5)), 0), draw(st.integers(1, 40)), 1)


def slow_runs(array):
    """Runs by a loop over pixels."""
    runs = []
    for value in array.ravel().tolist():
        if runs and runs[-1][0] == value:
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    return runs


@given(label_maps())
def test_encoding_is_exact_and_canonical(array):
    """Decoding gives the map back, and the runs are those of a loop over pixels."""
    runs = encode_runs(array)
    check_runs(runs)
    assert np.array_equal(decode_runs(runs), array)
    assert decode_runs(runs).dtype == array.dtype
    assert list(map(list, zip(runs.values.tolist(), runs.lengths.tolist(), strict=True))) == slow_runs(array)


@given(label_maps())
def test_memory_layout_does_not_matter(array):
    """A transposed, strided or Fortran-ordered array has the runs of its copy."""
    assert encode_runs(array.T) == encode_runs(np.ascontiguousarray(array.T))
    assert encode_runs(np.asfortranarray(array)) == encode_runs(array)
    assert encode_runs(array[:, ::-1]) == encode_runs(array[:, ::-1].copy())


@given(st.lists(label_maps(), max_size=4))
def test_parquet_keeps_every_map(tmp_path_factory, arrays):
    """Maps of mixed sizes and types come back from a file in order."""
    maps = [encode_runs(a) for a in arrays]
    file = tmp_path_factory.mktemp("runs") / "maps.parquet"
    pq.write_table(pa.Table.from_arrays(runs_to_columns(maps), schema=pa.schema(list(RUN_FIELDS))), file)
    back = list(columns_to_runs(pq.read_table(file)))
    assert [decode_runs(b).tolist() for b in back] == [a.tolist() for a in arrays]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 2)), "float64"),
        (np.zeros((2, 2), np.int64), "int64"),
        (np.zeros((1, 2, 2), np.uint8), r"\[1, 2, 2\]"),
        (np.zeros((0, 3), np.uint8), "empty axis"),
    ],
)
def test_what_is_no_label_map_is_refused(array, words):
    """Other types, axes and empty maps raise and say what they are."""
    with pytest.raises(InputError, match=words):
        encode_runs(array)


@pytest.mark.parametrize(
    ("values", "lengths", "words"),
    [([1, 1], [2, 2], "neighbouring"), ([1, 2], [4, 0], "at least 1"), ([1], [3], "fill"), ([], [], "as many values")],
)
def test_runs_that_are_not_canonical_are_refused(values, lengths, words):
    """Each way of being wrong is named."""
    with pytest.raises(InputError, match=words):
        check_runs(LabelRuns(height=2, width=2, values=np.array(values, np.uint8), lengths=np.array(lengths, np.uint32)))


@given(label_maps(np.uint8), st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_resizing_takes_the_pixel_under_the_centre(array, size_hw):
    """Each new pixel holds the old one at floor((i + 1/2) * old / new), the rule of PIL and of torch's nearest-exact."""
    resized = decode_runs(resize_nearest(encode_runs(array), size_hw))
    for y in range(size_hw[0]):
        for x in range(size_hw[1]):
            old_y = min(int((y + 0.5) * array.shape[0] / size_hw[0] + 1e-9), array.shape[0] - 1)
            old_x = min(int((x + 0.5) * array.shape[1] / size_hw[1] + 1e-9), array.shape[1] - 1)
            assert resized[y, x] == array[old_y, old_x]
