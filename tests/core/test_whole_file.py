"""Files are whole or absent, whatever ends their writing."""

from __future__ import annotations

from pathlib import Path

import pytest

from figureground.core.whole_file import is_temporary, whole_file, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_that_is_written_stands_alone(tmp_path):
    """Its content is what was given, over an older file too, and there is nothing else."""
    assert write_atomically(tmp_path / "a.csv", b"old") == tmp_path / "a.csv"
    write_atomically(tmp_path / "a.csv", b"new")
    assert (tmp_path / "a.csv").read_bytes() == b"new"
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("end", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("older", [True, False])
def test_what_ends_the_writing_leaves_no_temporary_file(tmp_path, monkeypatch, end, older):
    """A full disk and an interruption: the older file stays as it was, and nothing half-written is left."""
    if older:
        (tmp_path / "a.csv").write_bytes(b"old")
    real = Path.write_bytes

    def half(self, content):
        real(self, content[:2])
        raise type(end)(*end.args)

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(type(end)) as told:
        write_atomically(tmp_path / "a.csv", b"new content")
    if isinstance(end, OSError):
        assert told.value.filename == str(tmp_path / "a.csv")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == ({"a.csv": b"old"} if older else {})


def test_a_file_that_cannot_take_its_name_is_removed(tmp_path):
    """A folder of that name is in the way."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(OSError, match="a"):
        write_atomically(tmp_path / "a", b"content")
    assert names(tmp_path) == ["a"]


def test_an_unfinished_file_is_told_by_its_name(tmp_path):
    """Only while it is written; no other name is taken for one."""
    with whole_file(tmp_path / "a.csv") as temporary:
        temporary.write_bytes(b"content")
        assert [is_temporary(name) for name in names(tmp_path)] == [True]
    assert not any(map(is_temporary, ["a.csv", "a.tmp", ".key", ".a.tmp.csv"]))
