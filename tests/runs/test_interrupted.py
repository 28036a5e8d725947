"""An artifact whose making ends anywhere: the same command goes on from what is there, and nothing half-made looks finished."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from figureground.core.errors import InputError
from figureground.core.whole_file import write_atomically
from figureground.runs import artifact
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, is_artifact

CALLS = ("rename", "replace", "unlink", "rmdir", "mkdir")
"""What `os` does to names; files are written through `write_atomically`, which ends with `replace`."""
PARTS = range(3)
FILES = {"part0.txt", "part1.txt", "part2.txt", "sum.txt", "failures.json", "manifest.json"}


def command(folder: Path, name: str = "new") -> list[int]:
    """A stage of three parts, as every stage is built; returns the parts that it worked on."""
    out, key = folder / "thing", artifact_key(kind="thing", schema=1, inputs={}, options={"name": name})
    if finished(out, kind="thing", key=key):
        return []
    writer, worked = ArtifactWriter(out, kind="thing", schema=1, key=key), []
    for part in PARTS:
        if not writer.shard(f"{part}.done").exists():
            worked.append(part)
            (writer.path / f"part{part}.txt").write_text(f"{name} {part}")
            writer.write_shard(f"{part}.done", b"")
    write_atomically(writer.path / "sum.txt", name.encode())
    writer.finish(options={"name": name}, inputs={}, counts={"parts": 3})
    return worked


def content(folder: Path) -> dict[str, bytes]:
    """Every file and folder below a folder; the manifest without the time at which it was made."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}
    return {n: json.dumps({**json.loads(b), "created": ""}).encode() if n.endswith("manifest.json") else b for n, b in files.items()}


def check_what_looks_finished(folder: Path) -> None:
    """Whatever has a manifest under its final name is whole, and of one command alone."""
    if is_artifact(out := folder / "thing"):
        assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == FILES
        name = (out / "sum.txt").read_text()
        assert [(out / f"part{part}.txt").read_text() for part in PARTS] == [f"{name} {part}" for part in PARTS]


class Steps:
    """Stands before and behind every call of `os` while an artifact is finished, or emptied."""

    def __init__(self, monkeypatch, at) -> None:
        self.count, self.busy, self.at = 0, False, at
        for call in CALLS:
            monkeypatch.setattr(os, call, self.watched(getattr(os, call)))

    def watched(self, real):
        def call(*arguments, **named):
            self.step()
            found = real(*arguments, **named)
            self.step()
            return found

        return call

    def step(self) -> None:
        if not self.busy:
            self.busy = True
            try:
                self.at(self.count)
            finally:
                self.busy = False
                self.count += 1


def watch(monkeypatch, function: str, at) -> None:
    """Calls `at(number of the step)` at every step of a function of the module of artifacts, or of the writer's."""
    owner = ArtifactWriter if hasattr(ArtifactWriter, function) else artifact
    real = getattr(owner, function)

    def watched(*arguments, **named):
        with monkeypatch.context() as patch:
            Steps(patch, at)
            return real(*arguments, **named)

    monkeypatch.setattr(owner, function, watched)


@pytest.fixture
def whole(tmp_path) -> dict[str, bytes]:
    """What an unbroken command leaves."""
    command(tmp_path / "whole")
    return content(tmp_path / "whole")


def interrupted(*_) -> None:
    raise KeyboardInterrupt


@pytest.fixture(params=[False, True], ids=["alone", "over an older one"])
def folder(request, tmp_path):
    """Where the artifact goes: empty, or with an artifact of another command."""
    folder = tmp_path / "here"
    folder.mkdir()
    if request.param:
        command(folder, "old")
    return folder


def test_a_run_that_is_killed_at_any_step_of_finishing_goes_on_without_working_again(folder, whole, tmp_path, monkeypatch):
    """The disk as it is before and behind every call is what a kill there leaves; on each copy the same command ends with the same bytes."""
    copies = []

    def copy(number: int) -> None:
        copies.append(shutil.copytree(folder, tmp_path / f"killed{number}"))

    with monkeypatch.context() as patch:
        watch(patch, "finish", copy)
        command(folder)
    assert len(copies) > 12
    for killed in copies:
        check_what_looks_finished(killed)
        assert command(killed) == []
        assert content(killed) == whole
    assert content(folder) == whole


def test_a_run_that_is_interrupted_at_any_step_of_finishing_goes_on_without_working_again(folder, whole, tmp_path, monkeypatch):
    """The same with an exception, after which the process lives on and holds its lock."""
    number, ended = 0, False
    while not ended:
        here = shutil.copytree(folder, tmp_path / f"interrupted{number}")

        def interrupt(step: int, number: int = number) -> None:
            if step == number:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            watch(patch, "finish", interrupt)
            try:
                command(here)
                ended = True
            except KeyboardInterrupt:
                pass
        check_what_looks_finished(here)
        assert command(here) == []
        assert content(here) == whole
        number += 1
    assert number > 12


def test_a_run_that_is_killed_while_it_drops_the_work_of_another_leaves_nothing_that_the_other_would_take_for_whole(
    whole, tmp_path, monkeypatch
):
    """The first command, given again, never builds on shards whose files are gone."""
    folder, copies = tmp_path / "here", []
    with monkeypatch.context() as patch:
        patch.setattr(artifact, "_replace_directory", interrupted)
        with pytest.raises(KeyboardInterrupt):
            command(folder)
    assert (folder / "thing.partial" / "manifest.json").is_file()
    with monkeypatch.context() as patch:
        watch(patch, "_empty", lambda number: copies.append(shutil.copytree(folder, tmp_path / f"killed{number}")))
        command(folder, "other")
    assert len(copies) > 12
    for killed in copies:
        there = {path.name for path in (killed / "thing.partial").iterdir()}
        assert there >= FILES or not is_artifact(killed / "thing.partial")
        command(killed)
        assert content(killed) == whole


def test_what_a_killed_run_was_just_writing_is_no_part_of_the_artifact(tmp_path):
    """Temporary files, at the top, among shards and in folders, go when the same command goes on; files of similar names stay."""
    writer = ArtifactWriter(tmp_path / "thing", kind="thing", schema=1, key="k")
    (writer.path / "masks").mkdir()
    for name in (".weights.77.tmp", ".shards/.0.done.77.tmp", "masks/.a.png.77.tmp", "masks/a.tmp", "kept.txt"):
        (writer.path / name).write_bytes(b"half")
    writer = ArtifactWriter(tmp_path / "thing", kind="thing", schema=1, key="k")
    assert list(writer.path.rglob("*77.tmp")) == []
    writer.finish(options={}, inputs={}, counts={})
    assert set(content(tmp_path / "thing")) == {"masks", "masks/a.tmp", "kept.txt", "failures.json", "manifest.json"}


def test_a_full_disk_at_the_start_does_not_cost_what_is_there(tmp_path, monkeypatch):
    """The key of a partial directory is not written again, so that no failure to do so can lose it."""
    writer = ArtifactWriter(tmp_path / "thing", kind="thing", schema=1, key="k")
    writer.write_shard("0.done", b"")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(artifact, "write_atomically", full)
        patch.setattr(Path, "write_text", full)
        ArtifactWriter(tmp_path / "thing", kind="thing", schema=1, key="k")
        with pytest.raises(InputError, match="No space left"):
            ArtifactWriter(tmp_path / "other", kind="thing", schema=1, key="k")
    assert ArtifactWriter(tmp_path / "thing", kind="thing", schema=1, key="k").shard("0.done").exists()


def test_a_directory_that_someone_keeps_beside_an_artifact_is_left_alone(tmp_path):
    """Replacing an artifact removes what it replaces and nothing that a person may have named."""
    command(tmp_path, "old")
    (tmp_path / "thing.old").mkdir()
    (tmp_path / "thing.old" / "thesis.txt").write_text("mine")
    command(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thing", "thing.old"]
    assert (tmp_path / "thing.old" / "thesis.txt").read_text() == "mine"


def test_what_killed_runs_left_is_tidied_up_and_what_is_in_the_making_stays(tmp_path):
    command(tmp_path)
    thing, making = tmp_path / "thing", tmp_path / "other.partial"
    (thing / ".shards").mkdir()
    left = [thing / ".key", thing / ".lock", thing / ".shards" / "part0.done", thing / ".sum.txt.1.tmp", tmp_path / ".plan.json.1.tmp"]
    kept = [making / ".key", making / ".shards" / "part0.done", making / ".sum.txt.1.tmp", tmp_path / "plan.json"]
    (making / ".shards").mkdir(parents=True)
    for file in (*left, *kept):
        file.touch()
    before = {name: (thing / name).read_bytes() for name in FILES}
    artifact.tidy(tmp_path)
    assert not [file for file in left if file.exists()]
    assert not (thing / ".shards").exists()
    assert all(file.exists() for file in kept)
    assert {name: (thing / name).read_bytes() for name in FILES} == before
