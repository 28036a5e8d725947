"""Artifacts are whole or absent, runs go on where they stopped, workers keep order and pass errors on."""

from __future__ import annotations

import functools
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.floor.workplace import ROOT
from tests.support import Watcher, hear_ctrl_c

from figureground.core.errors import ArtifactError, Fault, FormatError, InputError, StateError
from figureground.core.whole_file import write_atomically
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished, is_artifact, read_manifest, to_json
from figureground.runs.executor import LocalExecutor, open_executor
from figureground.runs.progress import LineReporter, QuietReporter
from figureground.runs.shards import map_in_shards, read_shards


def key_of(**options):
    return artifact_key(kind="thing", schema=1, inputs={"data": "abc"}, options=options)


def writer_at(path, key=None):
    return ArtifactWriter(path, kind="thing", schema=1, key=key or key_of())


def write_thing(path, key=None, text="content"):
    writer = writer_at(path, key)
    write_atomically(writer.path / "file.txt", text.encode())
    return writer.finish(options={"a": 1}, inputs={"data": "abc"}, counts={"rows": 1}, seed=0)


def test_an_artifact_appears_only_when_it_is_finished(tmp_path):
    """Until `finish`, only the partial directory is there; afterwards only the final one."""
    out = tmp_path / "thing"
    writer = writer_at(out)
    assert not out.exists()
    assert writer.path.name == "thing.partial"
    writer.finish(options={}, inputs={}, counts={})
    assert is_artifact(out)
    assert not writer.path.exists()
    assert sorted(p.name for p in out.iterdir()) == ["failures.json", "manifest.json"]


def test_the_same_key_is_finished_and_another_is_not(tmp_path):
    """The key is what "done already" means."""
    write_thing(tmp_path / "thing", key_of(a=1))
    assert finished(tmp_path / "thing", kind="thing", key=key_of(a=1))
    assert not finished(tmp_path / "thing", kind="thing", key=key_of(a=2))
    assert not finished(tmp_path / "other", kind="thing", key=key_of(a=1))


def test_an_older_artifact_of_the_kind_is_replaced_and_nothing_else_is(tmp_path):
    """Another key replaces; another kind, a foreign directory or a file is left alone."""
    out = tmp_path / "thing"
    write_thing(out, key_of(a=1), "old")
    write_thing(out, key_of(a=2), "new")
    assert (out / "file.txt").read_text() == "new"
    with pytest.raises(ArtifactError, match="kind 'thing'"):
        ArtifactWriter(out, kind="other", schema=1, key="k")
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("precious")
    with pytest.raises(ArtifactError, match="left alone"):
        writer_at(foreign)
    assert (foreign / "thesis.txt").read_text() == "precious"


def test_what_is_about_to_be_replaced_is_said(tmp_path):
    """One line where another key stands there, none where nothing does or the same one."""
    watcher = Watcher()
    out = tmp_path / "thing"
    ArtifactWriter(out, kind="thing", schema=1, key="k", reporter=watcher)
    created = write_thing(out, key_of(a=1)).created
    ArtifactWriter(out, kind="thing", schema=1, key=key_of(a=1), reporter=watcher)
    assert watcher.said == []
    ArtifactWriter(out, kind="thing", schema=1, key=key_of(a=2), reporter=watcher)
    [line] = watcher.said
    assert f"artifact 'thing' of {created}" in line
    assert "replaced when the new one is finished" in line


def test_files_of_a_person_in_an_artifact_are_never_removed(tmp_path):
    """They are named, at the start and before the replacement; an artifact that does not say what it wrote is replaced as before."""
    out = tmp_path / "thing"
    assert write_thing(out, key_of(a=1)).names == ["failures.json", "file.txt", "manifest.json"]
    for name in ("report.html", ".DS_Store"):
        (out / name).touch()
    writer = writer_at(out, key_of(a=2))
    (out / "NOTES.md").write_text("precious")
    (out / "mine").mkdir()
    with pytest.raises(InputError, match=r"thing: holds NOTES.md, mine beside the artifact"):
        writer.finish(options={}, inputs={}, counts={})
    with pytest.raises(InputError, match=r"holds NOTES.md, mine .* Move them elsewhere, or choose another --out"):
        writer_at(out, key_of(a=3))
    assert (out / "NOTES.md").read_text() == "precious"
    old = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({name: value for name, value in old.items() if name != "names"}))
    write_thing(out, key_of(a=3), "new")
    assert (out / "file.txt").read_text() == "new"


def test_partial_work_of_another_key_is_dropped(tmp_path):
    """Shards of other options never mix in."""
    writer = writer_at(tmp_path / "thing", key_of(a=1))
    writer.write_shard("000000.done", b"")
    assert writer_at(tmp_path / "thing", key_of(a=1)).shard("000000.done").exists()
    assert not writer_at(tmp_path / "thing", key_of(a=2)).shard("000000.done").exists()


def test_the_manifest_says_what_it_is(tmp_path):
    """Kind, key, versions and counts are read back; a directory without one, or of another kind, is refused."""
    write_thing(tmp_path / "thing")
    manifest = read_manifest(tmp_path / "thing", kind="thing")
    assert manifest.counts == {"rows": 1}
    assert manifest.versions["numpy"] == np.__version__
    with pytest.raises(ArtifactError, match="expected an artifact of kind 'audit'"):
        read_manifest(tmp_path / "thing", kind="audit")
    with pytest.raises(ArtifactError, match="no artifact is here"):
        read_manifest(tmp_path)
    (tmp_path / "thing" / "manifest.json").write_text("{")
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_manifest(tmp_path / "thing")


def test_failures_are_listed_with_the_artifact(tmp_path):
    """A fault becomes a row of failures.json."""
    writer = writer_at(tmp_path / "thing")
    fault = Fault(code="empty-file", problem="p", remedy="r", sample="s", file="f")
    assert writer.finish(options={}, inputs={}, counts={}, failures=[fault]).failures == 1
    assert json.loads((tmp_path / "thing" / "failures.json").read_text())[0]["sample"] == "s"


def test_json_has_no_nan():
    """Undefined numbers are null, numpy numbers are numbers."""
    text = to_json({"a": float("nan"), "b": np.float32(0.5), "c": np.array([1, 2]), "d": (1,), "e": float("inf")})
    assert json.loads(text) == {"a": None, "b": 0.5, "c": [1, 2], "d": [1], "e": None}


def square(numbers):
    if 13 in numbers:
        raise FormatError(Fault(code="c", problem="unlucky", remedy="r", sample="13"))
    return {"squares": pa.table({"n": numbers, "square": [n * n for n in numbers], "pid": [os.getpid()] * len(numbers)})}


def make_square():
    return square


def die(numbers):
    os._exit(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers):
    """Whoever is faster, results stand in the order of the batches; two workers are other processes."""
    results = list(LocalExecutor(workers).map_batches(make_square, [[i] for i in range(9)]))
    assert [r["squares"]["square"][0].as_py() for r in results] == [i * i for i in range(9)]
    pids = {r["squares"]["pid"][0].as_py() for r in results}
    assert (os.getpid() in pids) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_worker_comes_back_as_it_is(workers):
    """The fault keeps its sample."""
    with pytest.raises(FormatError, match="unlucky") as caught:
        list(LocalExecutor(workers).map_batches(make_square, [[1], [13], [2]]))
    assert caught.value.fault.sample == "13"


def test_a_worker_that_dies_is_said(tmp_path):
    """A killed process is a clear message, not a hang."""
    with pytest.raises(StateError, match="a worker process died"):
        list(LocalExecutor(2).map_batches(functools.partial(functools.partial, die), [[1], [2]]))


def test_engines_are_named():
    """Unknown engines list the known ones."""
    assert open_executor("local", workers=3).workers == 3
    assert open_executor().workers >= 1
    with pytest.raises(InputError, match="Known: local"):
        open_executor("lokal")
    with pytest.raises(InputError, match="no address"):
        open_executor("local:somewhere")


def test_an_interrupted_map_goes_on_behind_the_last_shard(tmp_path):
    """Shards that are there are not computed again, and the result is that of an unbroken run."""
    arguments = {"executor": LocalExecutor(), "reporter": QuietReporter(), "what": "squares", "unit": "numbers", "shard_size": 3}
    numbers = list(range(8))
    broken = writer_at(tmp_path / "broken")
    with pytest.raises(FormatError):
        map_in_shards([*numbers[:6], 13, 7], make_square, writer=broken, **arguments)
    seen = []

    def make_watched():
        def watched(batch):
            seen.extend(batch)
            return square(batch)

        return watched

    shards = map_in_shards(numbers, make_watched, writer=broken, **arguments)
    whole = writer_at(tmp_path / "whole")
    map_in_shards(numbers, make_square, writer=whole, **arguments)
    assert seen == [6, 7]
    assert read_shards(broken, "squares", shards).equals(read_shards(whole, "squares", shards))


def test_lines_tell_start_and_end():
    """Without a terminal: what was done before, and a line at the end."""
    stream = io.StringIO()
    reporter = LineReporter(stream)
    with reporter.track("audit", total=10, unit="samples", done=4) as progress:
        for _ in range(6):
            progress.advance()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "audit: 4 of 10 samples were done before, continuing"
    assert lines[-1].startswith("audit: 10 of 10 samples in ")


def hold_and_wait(path):
    """Opens a writer in a process of its own and keeps it until killed."""
    program = f"import time; from pathlib import Path; from figureground.runs.artifact import ArtifactWriter; ArtifactWriter(Path({str(path)!r}), kind='thing', schema=1, key={key_of()!r}); print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_two_runs_never_write_one_artifact(tmp_path):
    """A second run is told so; when the first is killed, the next goes on with what it left."""
    process = hold_and_wait(tmp_path / "thing")
    try:
        with pytest.raises(InputError, match="another run is writing there"):
            writer_at(tmp_path / "thing")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    write_thing(tmp_path / "thing")
    assert sorted(p.name for p in (tmp_path / "thing").iterdir()) == ["failures.json", "file.txt", "manifest.json"]


def wait_long(batch):
    (Path(batch[0]) / str(os.getpid())).touch()
    time.sleep(60)


def make_wait():
    return wait_long


@pytest.mark.slow
def test_workers_end_with_the_run_that_was_killed(tmp_path):
    """However a run ends, none of its workers is left behind."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.runs import test_runs; from figureground.runs.executor import LocalExecutor\nif __name__ == '__main__':\n    list(LocalExecutor(2).map_batches(test_runs.make_wait, [[{str(tmp_path)!r}]] * 2))"
    script = tmp_path.parent / f"{tmp_path.name}.py"
    script.write_text(program)
    process = subprocess.Popen([sys.executable, str(script)])
    while len(workers := [int(p.name) for p in tmp_path.iterdir()]) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    for _ in range(200):
        if not any(Path(f"/proc/{worker}").exists() for worker in workers):
            break
        time.sleep(0.05)
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def work_until_stopped(batch):
    folder, number = batch
    (Path(folder) / f"begun-{number}").touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        (Path(folder) / f"stopped-{number}").touch()
        raise


def make_work_until_stopped():
    return work_until_stopped


STOPPED = """
import sys; sys.path.insert(0, {root!r})
from tests.runs import test_runs
from figureground.runs.executor import LocalExecutor
if __name__ == "__main__":
    try:
        list(LocalExecutor(2).map_batches(test_runs.make_work_until_stopped, [({out!r}, number) for number in range(9)]))
    except KeyboardInterrupt:
        print("stopped")
"""


WAITING_LONG = """
import sys, time; sys.path.insert(0, {root!r})
from tests.runs import test_runs
from figureground.runs.executor import LocalExecutor
if __name__ == "__main__":
    try:
        list(LocalExecutor(2).map_batches(test_runs.make_wait_and_clean_up, [{out!r}] * 9))
    except KeyboardInterrupt:
        print("stopped")
"""


def wait_and_clean_up(folder):
    """Work that takes its time to end, as the writing of a state does."""
    (Path(folder) / str(os.getpid())).touch()
    try:
        time.sleep(60)
    finally:
        time.sleep(20)


def make_wait_and_clean_up():
    return wait_and_clean_up


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.02, 0.5])
def test_a_second_interruption_ends_workers_that_take_their_time(tmp_path, pause):
    """Ctrl-C twice (or more: signals that come at once count as one): nothing is waited for any more, and no process is left."""
    script = tmp_path.parent / f"{tmp_path.name}.py"
    script.write_text(WAITING_LONG.format(root=str(ROOT), out=str(tmp_path)))
    process = subprocess.Popen([sys.executable, str(script)], start_new_session=True, stdout=subprocess.PIPE, preexec_fn=hear_ctrl_c)
    while len(workers := [int(p.name) for p in tmp_path.iterdir()]) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    for _ in range(12):
        time.sleep(pause)
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
            break
    assert process.communicate(timeout=1) is not None
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [False, True], ids=["the main process alone", "the whole group, as at a terminal"])
def test_an_interruption_ends_what_is_under_way_and_begins_nothing_new(tmp_path, whole_group):
    script = tmp_path.parent / f"{tmp_path.name}.py"
    script.write_text(STOPPED.format(root=str(ROOT), out=str(tmp_path)))
    process = subprocess.Popen(
        [sys.executable, str(script)],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    while len(list(tmp_path.iterdir())) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    if whole_group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    said, complaints = process.communicate(timeout=50)
    assert (said, complaints) == ("stopped\n", "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["begun-0", "begun-1", "stopped-0", "stopped-1"]


PREPARED = """
import os, sys
from figureground.runs.executor import LocalExecutor, prepare_workers

def make():
    return lambda batch: (batch, "prepared" in sys.modules and sys.modules["prepared"].where != os.getpid(), os.environ["OMP_NUM_THREADS"])

if __name__ == "__main__":
    prepare_workers(sys.argv[1:], workers=2)
    print(list(LocalExecutor(2).map_batches(make, range(4))))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are not forked here")
@pytest.mark.parametrize("modules", [["prepared"], []])
def test_workers_are_forked_from_a_process_that_has_imported_for_them(tmp_path, modules):
    """The module was imported once, by another process than the worker's; without preparation it is not there."""
    (tmp_path / "prepared.py").write_text("import os\nwhere = os.getpid()\n")
    script = tmp_path / "program.py"
    script.write_text(PREPARED)
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    found = subprocess.run(
        [sys.executable, script, *modules], check=True, capture_output=True, text=True, env={**environment, "PYTHONPATH": str(tmp_path)}
    )
    assert found.stdout.strip() == str([(batch, bool(modules), "1") for batch in range(4)])
    assert found.stderr == ""
