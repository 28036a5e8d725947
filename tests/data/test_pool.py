"""A pool: its ids and pictures are the same whether it is held in memory or stays in its table."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from figureground.core.errors import FormatError, InputError
from figureground.core.types import ClassTable, Sample
from figureground.data import pool as pools
from figureground.data.dataset import Dataset
from figureground.data.pool import Pool, open_pool, pool_of

IDS = [f"{n:02d}" for n in range(23)]
PICTURES = {i: f"pictures/{i}.png" for i in IDS if int(i) % 4}
HEAD = 'name = "drawn"\n[classes]\nnames = ["ground", "cat"]\n[samples]\ntable = "samples.{}"\n'


def write_pool(folder: Path, kind: str, *, images: bool = True) -> Path:
    folder.mkdir()
    (folder / "dataset.toml").write_text(HEAD.format(kind))
    names = [PICTURES.get(i, "") for i in IDS]
    if kind == "csv":
        lines = [f"{i},{image}" if images else i for i, image in zip(IDS, names, strict=True)]
        (folder / "samples.csv").write_text("\n".join(["id,image" if images else "id", *lines]) + "\n")
    else:
        columns = {"id": IDS, **({"image": [name or None for name in names]} if images else {})}
        pq.write_table(pa.table(columns), folder / "samples.parquet", row_group_size=5)
    return folder


@pytest.fixture(params=["csv", "parquet"])
def opened(request, tmp_path, monkeypatch) -> Pool:
    monkeypatch.setattr(pools, "IDS_A_PART", 5)
    return open_pool(str(write_pool(tmp_path / "pool", request.param)))


def test_ids_come_in_parts_and_in_order(opened):
    assert [i for part in opened.parts() for i in part.ids] == IDS
    assert [len(part.ids) for part in opened.parts()] == [5, 5, 5, 5, 3]
    assert [part.group for part in opened.parts()] == [0, 1, 2, 3, 4]
    assert len(opened) == len(IDS)
    assert (opened.name, opened.classes.names) == ("drawn", ("ground", "cat"))


def test_pictures_of_those_that_have_one(opened):
    """Beside the table; ids without a picture, or of another pool, are left out."""
    found = opened.images(["01", "04", "22", "99"])
    assert {i: Path(path).relative_to(Path(opened.files[0]).parent).as_posix() for i, path in found.items()} == {
        "01": "pictures/01.png",
        "22": "pictures/22.png",
    }
    assert opened.images([]) == {}


def test_a_table_stays_where_it_is(tmp_path):
    """Only one in Parquet; its ids are texts, whatever type they are written in."""
    folder = write_pool(tmp_path / "pool", "parquet")
    assert open_pool(str(folder)).dataset is None
    assert open_pool(str(folder / "dataset.toml")).dataset is None
    assert open_pool(str(write_pool(tmp_path / "other", "csv"))).dataset is not None
    pq.write_table(pa.table({"id": [7, 10]}), folder / "samples.parquet")
    assert [part.ids for part in open_pool(str(folder)).parts()] == [("7", "10")]


def test_a_pool_without_pictures_has_none(tmp_path):
    for kind in ("csv", "parquet"):
        assert open_pool(str(write_pool(tmp_path / kind, kind, images=False))).images(IDS) == {}


def test_a_fingerprint_changes_with_the_samples(opened, tmp_path):
    """Of a table with the file, of samples in memory with an id or the place of a picture."""
    before = opened.fingerprint()
    assert opened.fingerprint() == before
    if opened.dataset is None:
        os.utime(opened.table, ns=(1, 1))
        assert opened.fingerprint() != before
        return
    classes = ClassTable(names=("ground", "cat"))
    variants = [
        (classes, "a", "x.png"),
        (classes, "b", "x.png"),
        (classes, "a", "y.png"),
        (ClassTable(names=("ground", "dog")), "a", "x.png"),
    ]
    prints = {
        pool_of(Dataset(name="drawn", classes=c, samples=(Sample(id=i, image=image),), masks=None)).fingerprint()
        for c, i, image in variants
    }
    assert len(prints) == len(variants)


def test_what_is_read_is_told(opened):
    """So that nothing is written over it."""
    files = list(opened.every_file())
    assert {Path(file).name for file in files} >= {"dataset.toml", Path(opened.files[-1]).name}
    if opened.dataset is not None:
        assert any(file.endswith("pictures/01.png") for file in files)


def test_a_table_that_is_none_is_refused(tmp_path):
    """Damaged, without ids, with an empty one, or not there; the file is named."""
    folder = write_pool(tmp_path / "pool", "parquet")
    table = folder / "samples.parquet"
    content = table.read_bytes()
    holes = content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :]
    for damaged, told in ((content[:-20], "cannot be read"), (holes, "cannot be read")):
        table.write_bytes(damaged)
        with pytest.raises(FormatError, match=told) as caught:
            list(open_pool(str(folder)).parts())
        assert str(table) in str(caught.value)
        assert "Write it again from its source" in str(caught.value)
    for columns, told in (
        ({"name": ["a"]}, "no column `id`"),
        ({"id": ["a", None]}, "row 2 of row group 1 has no `id`"),
        ({"id": [""]}, "row 1"),
    ):
        pq.write_table(pa.table(columns), table)
        with pytest.raises(FormatError, match=told):
            list(open_pool(str(folder)).parts())
    table.write_bytes(content)
    opened = open_pool(str(folder))
    table.unlink()
    with pytest.raises(FormatError, match="no such file"):
        list(opened.parts())


def test_a_table_that_is_written_anew_while_it_is_read_is_not_called_damaged(tmp_path):
    folder = write_pool(tmp_path / "pool", "parquet")
    table = folder / "samples.parquet"
    opened = open_pool(str(folder))
    content = table.read_bytes()
    for half_written in (content[:-20], content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :]):
        table.write_bytes(half_written)
        with pytest.raises(InputError, match=r"samples\.parquet: changed while it was read\. Run the same command again"):
            list(opened.parts())


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_pool_without_samples_is_refused(tmp_path, kind):
    folder = write_pool(tmp_path / "pool", kind)
    table = folder / f"samples.{kind}"
    if kind == "parquet":
        pq.write_table(pq.read_table(table).slice(0, 0), table)
    else:
        table.write_text(table.read_text().splitlines()[0] + "\n")
    with pytest.raises(FormatError, match="the table has no samples"):
        open_pool(str(folder))
    with pytest.raises(InputError, match="the pool has no samples"):
        pool_of(Dataset(name="drawn", classes=ClassTable(names=("ground", "cat")), samples=(), masks=None))
