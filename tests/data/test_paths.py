"""Everything opens from fsspec URLs as from local paths."""

from __future__ import annotations

import os
import time
from pathlib import Path

import fsspec
import pytest

from figureground.core.errors import FormatError, InputError
from figureground.data import paths
from figureground.data.dataset import open_dataset
from figureground.data.doctor import find_faults
from figureground.data.predictions import open_predictions


@pytest.fixture
def remote(tiny: Path, tiny_predictions: Path):
    """The tiny data set and its predictions in fsspec's memory file system."""
    memory = fsspec.filesystem("memory")
    for root, name in ((tiny, "set"), (tiny_predictions, "predictions")):
        for file in root.rglob("*.*"):
            memory.pipe_file(f"/figureground/{name}/{file.relative_to(root)}", file.read_bytes())
    yield "memory://figureground"
    memory.rm("/figureground", recursive=True)


def test_a_data_set_and_its_predictions_open_from_urls(remote, tiny, tiny_predictions):
    here, there = open_dataset(str(tiny)), open_dataset(f"{remote}/set")
    assert here.masks is not None
    assert there.masks is not None
    assert [there.masks.read(i) for i in there.ids] == [here.masks.read(i) for i in here.ids]
    assert there.sample("000").image == f"{remote}/set/images/000.jpg"
    predictions = open_predictions(f"png:{remote}/predictions", there.classes)
    assert predictions.ids == open_predictions(f"png:{tiny_predictions}", here.classes).ids
    assert list(find_faults(there, predictions)) == []
    assert there.fingerprint() == open_dataset(f"{remote}/set").fingerprint()


def test_folders_open_from_urls(remote):
    assert open_dataset(f"folders:{remote}/set?classes=background,cat,dog").ids == ("000", "001", "002", "003")


def test_absent_urls_have_the_same_fault_as_absent_files(remote, tmp_path):
    for base in (remote, str(tmp_path)):
        with pytest.raises(FormatError) as caught:
            paths.read_bytes(f"{base}/nothing.png", sample="s")
        assert caught.value.fault.code == "missing-file"
        with pytest.raises(FormatError):
            paths.list_files(f"{base}/nothing")
        assert paths.stamp(f"{base}/nothing") == "absent"
        assert not paths.exists(f"{base}/nothing")


def test_a_file_system_nobody_knows_is_named():
    with pytest.raises(InputError, match="nosuch"):
        paths.read_bytes("nosuch://x")


def test_joining_and_taking_apart():
    assert paths.join("a/b", "../c") == str(Path("a/b/../c"))
    assert paths.join("s3://a/b/", "c.png") == "s3://a/b/c.png"
    assert paths.join("a", "s3://b/c") == "s3://b/c"
    assert paths.join("a", "") == "a"
    assert paths.parent("s3://a/b/c.png") == "s3://a/b"
    assert (paths.leaf("s3://a/b.c.png"), paths.stem("x/b.c.png")) == ("b.c.png", "b.c")


def test_hidden_files_are_no_data(tmp_path):
    for name in ("a.png", "._a.png", ".cache/b.png", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert paths.list_files(str(tmp_path)) == ["a.png", "sub/c.png"]


def test_a_path_no_system_can_hold_is_a_fault():
    for path in ("a\0b", "x" * 5000):
        with pytest.raises(FormatError):
            paths.read_bytes(path)
        assert not paths.exists(path)
        assert not paths.is_folder(path)


def stamped(monkeypatch, *infos) -> list[str]:
    """The stamps of a URL of which a server says one thing after the other; an error is raised."""
    answers = iter(infos)

    def ask(url: str, method: str):
        if method == "cat_file":
            return b"content"
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(paths, "_ask", ask)
    return [paths.stamp("s3://bucket/a.png") for _ in infos]


def test_the_tag_of_a_url_counts_before_its_time(monkeypatch):
    one, other, later = stamped(
        monkeypatch,
        {"size": 7, "LastModified": "noon", "ETag": '"a"'},
        {"size": 7, "LastModified": "noon", "ETag": '"b"'},
        {"size": 7, "LastModified": "night", "ETag": '"a"'},
    )
    assert one != other
    assert one == later


def test_a_url_of_which_no_tag_and_no_time_is_known_is_read(monkeypatch):
    first, second, empty = stamped(monkeypatch, {"size": 7}, {"size": 7}, {"size": 7, "ETag": ""})
    assert first == second == empty == f"7:{paths.content_digest(b'content')}"


def test_what_cannot_be_asked_never_counts_as_unchanged(monkeypatch):
    refused = stamped(monkeypatch, OSError("no answer"), OSError("no answer"))
    assert len({*refused, "absent"}) == 3


def test_a_strict_stamp_tells_files_of_one_size_and_time_apart(tmp_path):
    file = tmp_path / "a"
    stamps = []
    for content in (b"one", b"two"):
        time.sleep(0.02)  # the clock of a file system ticks in a few thousandths of a second
        file.write_bytes(content)
        os.utime(file, ns=(10**18, 10**18))
        stamps.append((paths.stamp(str(file)), paths.strict_stamp(str(file))))
    assert stamps[0][0] == stamps[1][0]
    assert stamps[0][1] != stamps[1][1]
