"""Starting and ending: ports, gold, the database beside the labels, and the whole verb as a process."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from sqlalchemy.exc import OperationalError
from tests.review.conftest import BINARIES, Cluster
from tests.review.server.world import with_models
from tests.support import hear_ctrl_c

from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.review.exchange.labels import open_labels
from figureground.review.options import ReviewOptions
from figureground.review.project import open_project
from figureground.review.server import labels_writer
from figureground.review.server.gold import gold_table
from figureground.review.server.serve import Where, default_database, listen, serve
from figureground.runs.artifact import LOCK_FILE, read_manifest
from figureground.runs.sources import partial_place

PROGRAM = """
import sys
from pathlib import Path
from figureground.review.options import ReviewOptions
from figureground.review.server.serve import Where, serve
pool, out, *models = sys.argv[1:]
say = lambda text: print(text, flush=True)
serve(pool, out=Path(out), options=ReviewOptions(models=tuple(models)), where=Where(port=0), reviewer="ann", add=["bob:checker"], browser=False, say=say)
"""


def test_a_taken_port_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=r"port \d+ .*Choose another --port; 0 takes a free one"):
            listen("127.0.0.1", taken.getsockname()[1])


def test_a_host_that_is_not_ours_is_refused():
    with pytest.raises(InputError, match=r"cannot listen at 203\.0\.113\.7"):
        listen("203.0.113.7", 0)


@pytest.mark.parametrize(
    ("where", "tokens"),
    [
        (Where(), False),
        (Where(host="::1"), False),
        (Where(host="localhost"), False),
        (Where(host="0.0.0.0"), True),
        (Where(host="10.0.0.7"), True),
        (Where(names=("a.example",)), True),
        (Where(sign_in=True), True),
    ],
)
def test_tokens_are_wanted_as_soon_as_others_can_come(where, tokens):
    assert where.tokens is where.access("ann").tokens is tokens
    told = f"http://{socket.gethostname()}:8765/" if where.host == "0.0.0.0" else ""
    assert where.access("ann", 8765).elsewhere == told


def test_what_is_no_labels_artifact_is_left_alone(pool, tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "diary.txt").write_text("dear diary")
    with pytest.raises(ArtifactError, match="left alone"):
        serve(str(pool), out=tmp_path / "labels", options=ReviewOptions(), where=Where(port=0), browser=False)


def test_the_database_lies_beside_the_labels(tmp_path):
    assert default_database(tmp_path / "made" / "labels") == f"sqlite:///{tmp_path}/made/labels.sqlite"
    assert not (tmp_path / "made").exists()


def test_gold_is_read_by_id(pool, tmp_path):
    project, file = open_project(str(pool), options=with_models(ReviewOptions(), pool)), tmp_path / "gold.csv"
    file.write_text("id,rating\np3,5\np0,x\np3,5\n")
    assert gold_table(str(file), project) == {3: 5, 0: None}
    for text, problem in (
        ("id,rating\np99,5\n", "'p99' is no sample of the project"),
        ("id,rating\np99,5\np98,1\n", "'p99', 'p98' are no samples of the project"),
        ("id,rating\np1,9\n", "1 to 5, or x .* got '9' for 'p1'"),
        ("id,rating\np1,4\np2,4\np1,x\n", "'p1' has two ratings, x and 4"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=problem):
            gold_table(str(file), project)
    file.write_text("id,score\np1,3\n")
    with pytest.raises(FormatError, match="`rating`"):
        gold_table(str(file), project)


def start(pool, out):
    models = with_models(ReviewOptions(), pool).models
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(pool), str(out), *models],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_answers_and_writes_the_labels_when_it_is_ended(pool, tmp_path, end):
    out = tmp_path / "labels"
    with start(pool, out) as process:
        said = ""
        while "Review:" not in said:
            said += process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", said)[0]
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"{address}health") as answer:
                    assert b'"ok"' in answer.read()
                break
            except OSError:
                time.sleep(0.1)
        process.send_signal(end)
        more, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "Token of 'bob' (checker), shown this once: " in said
    assert f"Labels: {out}" in more
    assert read_manifest(out, kind="labels").counts["samples"] == 12
    assert open_labels(out, which="all").masks == ()
    assert (tmp_path / "labels.sqlite").is_file()


@pytest.mark.slow
def test_the_same_command_goes_on_where_it_was(pool, tmp_path):
    for _ in range(2):
        with start(pool, tmp_path / "labels") as process:
            said = ""
            while "Review:" not in said:
                said += process.stdout.readline()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            assert process.returncode == 0
    assert "'bob' takes part already" in said


HOLDER = """
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_two_servers_that_end_at_once_write_one_after_the_other(make_world, tmp_path, monkeypatch):
    """Where another process writes the same labels, it is waited for; one that never ends is told, and nothing is written."""
    world, out = make_world(), tmp_path / "labels"
    writer = labels_writer.LabelsWriter(world.database, world.project, out)
    lock = partial_place(out) / LOCK_FILE
    lock.parent.mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        monkeypatch.setattr(labels_writer, "PATIENCE_S", 0.2)
        with pytest.raises(InputError, match="another run is writing there"):
            writer()
        assert not out.exists()
        monkeypatch.setattr(labels_writer, "PATIENCE_S", 60)
        ending = threading.Timer(0.5, other.stdin.close)
        ending.start()
        writer()
    ending.join()
    assert read_manifest(out).kind == "labels"


def test_labels_are_written_every_few_minutes_and_a_failure_does_not_end_it(make_world, tmp_path, monkeypatch):
    """Something in the way, then a database that is away, then neither: written at last, and not again while nothing is new."""
    world = make_world()
    out = tmp_path / "labels"
    writer = labels_writer.LabelsWriter(world.database, world.project, out)
    said, waits, written = [], [], []

    def away():
        raise OperationalError("connect", None, ConnectionResetError(104, "Connection reset by peer"))

    class Ended:
        def wait(self, seconds):
            waits.append(seconds)
            if len(waits) == 2:
                (out / "diary.txt").unlink()
                monkeypatch.setattr(type(world.database), "_connect", lambda self: away())
            elif len(waits) == 3:
                monkeypatch.undo()
            elif len(waits) > 3:
                written.append((out / "manifest.json").stat().st_mtime_ns)
            return len(waits) > 5

    out.mkdir()
    (out / "diary.txt").write_text("in the way")
    labels_writer.write_now_and_then(writer, Ended(), said.append)
    assert [("left alone" in words, "the database does not answer" in words, "tried again" in words) for words in said] == [
        (True, False, True),
        (False, True, True),
    ]
    assert waits == [labels_writer.WRITE_EVERY_S] * 6
    assert len(written) == 3
    assert len(set(written)) == 1


@pytest.mark.slow
def test_a_database_that_is_away_at_the_end_is_one_sentence(pool, tmp_path):
    """The server of the database stops, then Ctrl-C: no traceback, exit 2, and what to do."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed")
    cluster = Cluster()
    try:
        url = cluster.new_database()
        command = [sys.executable, "-m", "figureground", "review", str(pool), "--out", str(tmp_path / "labels"), "--port", "0"]
        command += ["--no-browser", "--database", url]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=hear_ctrl_c,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process:
            said = ""
            while "Review:" not in said:
                said += process.stdout.readline()
            time.sleep(1)
            cluster.stop()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
    finally:
        cluster.stop()
    assert process.returncode == 2
    assert "Traceback" not in errors
    assert "internal error" not in errors
    assert "it does not answer" in errors
    assert "run the same command again when it is back" in " ".join(errors.split())
