"""Starting and ending: ports, people, gold, the database beside the labels, and the whole verb as a process."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from tests.review.server.world import with_models
from tests.support import hear_ctrl_c

from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.review.exchange.labels import open_labels
from figureground.review.options import ReviewOptions
from figureground.review.project import open_project
from figureground.review.server import serve as serving
from figureground.review.server.serve import Where, default_database, gold_table, listen, serve
from figureground.runs.artifact import read_manifest

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


def test_beyond_this_machine_somebody_must_be_able_to_come_in(pool, tmp_path):
    with pytest.raises(InputError, match="--add NAME:admin"):
        serve(str(pool), out=tmp_path / "labels", options=ReviewOptions(), where=Where(port=0, sign_in=True), browser=False)
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize("text", ["ann", "ann:king", ":admin", "a/b:admin", " ann:admin"])
def test_who_is_added_has_a_name_and_a_role(pool, tmp_path, text):
    with pytest.raises(InputError):
        serve(str(pool), out=tmp_path / "labels", options=ReviewOptions(), where=Where(port=0), add=[text], browser=False)


def test_what_is_no_labels_artifact_is_left_alone(pool, tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "diary.txt").write_text("dear diary")
    with pytest.raises(ArtifactError, match="left alone"):
        serve(str(pool), out=tmp_path / "labels", options=ReviewOptions(), where=Where(port=0), browser=False)


def test_the_database_lies_beside_the_labels(tmp_path):
    assert default_database(tmp_path / "made" / "labels") == f"sqlite:///{tmp_path}/made/labels.sqlite"
    assert (tmp_path / "made").is_dir()


def test_gold_is_read_by_id(pool, tmp_path):
    project = open_project(str(pool), options=with_models(ReviewOptions(), pool))
    (tmp_path / "gold.csv").write_text("id,rating\np3,5\np0,x\n")
    assert gold_table(str(tmp_path / "gold.csv"), project) == {3: 5, 0: None}
    for text, problem in (("id,rating\np99,5\n", "'p99'"), ("id,rating\np1,9\n", "1 to 5, or x")):
        (tmp_path / "gold.csv").write_text(text)
        with pytest.raises(InputError, match=problem):
            gold_table(str(tmp_path / "gold.csv"), project)
    (tmp_path / "gold.csv").write_text("id,score\np1,3\n")
    with pytest.raises(FormatError, match="`rating`"):
        gold_table(str(tmp_path / "gold.csv"), project)


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


def test_labels_are_written_every_few_minutes_and_a_failure_does_not_end_it(make_world, tmp_path, monkeypatch):
    world = make_world()
    out = tmp_path / "labels"
    writer = serving.LabelsWriter(world.database, world.project, out, world.room)
    said, waits = [], []

    class Ended:
        def wait(self, seconds):
            waits.append(seconds)
            if len(waits) == 2:
                (out / "diary.txt").unlink()
            return len(waits) > 2

    out.mkdir()
    (out / "diary.txt").write_text("in the way")
    serving._write_now_and_then(writer, Ended(), said.append)
    assert len(said) == 1
    assert "tried again" in said[0]
    assert (out / "manifest.json").is_file()
    assert waits == [serving.WRITE_EVERY_S] * 3
