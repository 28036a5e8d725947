"""Parts of a data set: together they are the whole, each in order, whatever the kind and whatever else the spec asks for."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.core.errors import FormatError, InputError
from figureground.data.dataset import open_dataset
from figureground.data.spec import rows_of_part

IDS = [f"{n:03d}" for n in range(23)]


def write_set(folder, form: str) -> str:
    """23 samples without files, two splits; the Parquet table has row groups of five."""
    folder.mkdir(exist_ok=True)
    columns = {"id": IDS, "split": ["train" if n % 3 else "val" for n in range(23)], "place": [f"p{n}" for n in range(23)]}
    if form == "csv":
        lines = [",".join(columns), *(",".join(row) for row in zip(*columns.values(), strict=True))]
        (folder / "samples.csv").write_text("\n".join(lines) + "\n")
    else:
        pq.write_table(pa.table(columns), folder / "samples.parquet", row_group_size=5)
    (folder / "dataset.toml").write_text(f'[classes]\nnames = ["ground", "cat"]\n[samples]\ntable = "samples.{form}"\n')
    return str(folder)


@given(rows=st.integers(0, 60), count=st.integers(1, 70))
def test_parts_are_even_and_together_the_whole(rows, count):
    """Sizes differ by one at most, every row is in one part, in order; only where there are fewer rows than parts is one empty."""
    found, sizes = [], []
    for number in range(1, count + 1):
        try:
            own = rows_of_part(rows, number, count, what="rows")
        except InputError:
            own = range(0)
        found += own
        sizes.append(len(own))
    assert found == list(range(rows))
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("count", [1, 2, 4, 23])
def test_parts_of_a_table(tmp_path, form, count):
    where = write_set(tmp_path / "set", form)
    whole = open_dataset(where)
    parts = [open_dataset(f"{where}?part={number}/{count}") for number in range(1, count + 1)]
    assert [s for part in parts for s in part.samples] == list(whole.samples)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_part_is_taken_before_a_split_and_with_an_attribute_table(tmp_path, form):
    """Rows of the table for samples of other parts are no strangers."""
    where = write_set(tmp_path / "set", form)
    (tmp_path / "more.csv").write_text("id,site\n" + "".join(f"{i},s{i}\n" for i in IDS))
    found = open_dataset(f"{where}?part=2/2&split=val&attributes={tmp_path / 'more.csv'}")
    assert found.ids == tuple(i for n, i in enumerate(IDS) if n >= 11 and n % 3 == 0)
    assert [s.attributes["site"] for s in found.samples] == [f"s{i}" for i in found.ids]
    assert open_dataset(f"{where}?part=2/2&split=val").ids == found.ids


def test_of_a_parquet_table_the_other_row_groups_are_not_read(tmp_path):
    """Bytes of the last row group are damaged: a part before it opens, the part with it is refused."""
    where = write_set(tmp_path / "set", "parquet")
    path = tmp_path / "set" / "samples.parquet"
    group = pq.ParquetFile(path).metadata.row_group(4)
    start = min(group.column(c).dictionary_page_offset or group.column(c).data_page_offset for c in range(3))
    data = bytearray(path.read_bytes())
    data[start : start + 12] = b"\xff" * 12
    path.write_bytes(bytes(data))
    assert open_dataset(f"{where}?part=1/2").ids == tuple(IDS[:11])
    with pytest.raises(FormatError, match="cannot be read"):
        open_dataset(f"{where}?part=2/2")


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2", "1.5/2", ""])
def test_a_part_that_is_none_is_refused(tmp_path, text):
    with pytest.raises(InputError, match="`part` must be NUMBER/COUNT"):
        open_dataset(f"{write_set(tmp_path / 'set', 'csv')}?part={text}")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_more_parts_than_samples(tmp_path, form):
    with pytest.raises(InputError, match="part 1/24 of 23 samples is empty"):
        open_dataset(f"{write_set(tmp_path / 'set', form)}?part=1/24")
