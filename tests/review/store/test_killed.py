"""A server that is killed while it writes, a hundred times: what was acknowledged is there, once, and the database opens."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.review.conftest import Cluster, small_project
from tests.review.store import writer

from figureground.review.store import masks, people, ratings
from figureground.review.store.database import Database, open_database

KILLS = 100


@pytest.fixture(scope="module")
def durable() -> Iterator[Cluster]:
    """A server that waits for the disk, as it would in use."""
    cluster = Cluster(durable=True)
    yield cluster
    cluster.stop()


@pytest.fixture
def program() -> Iterator[subprocess.Popen]:
    """The writing program, waiting for work."""
    command = [sys.executable, str(Path(writer.__file__)), str(Path(__file__).parents[1])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as started:
        yield started
        assert started.stdin is not None
        started.stdin.close()


def write_and_kill(program: subprocess.Popen, url: str, begin: dict, *, acknowledged: int) -> list[str]:
    """Lets the program write from there on, kills its child after some acknowledged writes, and returns all that was acknowledged."""
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(f"{url} {json.dumps(begin)}\n")
    said: list[str] = []
    pid = 0
    for line in program.stdout:
        line = line.strip()
        if line == "gone":
            break
        if line.startswith("pid"):
            pid = int(line.split()[1])
        else:
            said.append(line)
            if len(said) == acknowledged:
                os.kill(pid, signal.SIGKILL)
    return said


def check(database: Database, numbers: dict[str, dict[int, int]]) -> None:
    """All up to the last acknowledged write is there, at most the one in flight besides, and nothing twice."""
    with database.read() as c:
        found = ratings.table(c, live=False)
        for who, last in numbers["ratings"].items():
            own = Counter(int(r.seconds) for r in found if r.reviewer == who)
            assert set(own) in (set(range(1, last + 1)), set(range(1, last + 2)))
            assert set(own.values()) <= {1}
            live = [r for r in found if r.reviewer == who and r.withdrawn is None]
            assert len({r.place for r in live}) == len(live) == min(len(own), writer.PLACES)
        for number, last in numbers["masks"].items():
            mask = masks.by_number(c, number)
            assert mask.version - 1 in (last, last + 1)
            assert mask.actions == mask.version - 1
            whole = np.zeros(writer.SIZE_HW, np.uint8)
            for n in range(1, mask.version):
                x, y, piece = writer.box_of(n)
                whole[y : y + piece.shape[0], x : x + piece.shape[1]] = piece
            assert (masks.layer(c, number) == whole).all()


@pytest.mark.slow
def test_killed_a_hundred_times(kind, tmp_path, program, request):
    """Three reviewers and two masks at once; each time all goes on where it was, the write in flight sent again."""
    url = f"sqlite:///{tmp_path}/x.db" if kind == "sqlite" else request.getfixturevalue("durable").new_database()
    project = small_project(size_hw=writer.SIZE_HW)
    database = open_database(url, project)
    with database.write() as c:
        team = [people.add(c, name, role="reviewer")[0].number for name in ("Ann", "Bob", "Cleo")]
        drawn = [masks.open_(c, place, reviewer=team[0], start=np.zeros(writer.SIZE_HW, np.uint8)).number for place in (0, 1)]
    database.close()
    last = {"ratings": dict.fromkeys(team, 0), "masks": dict.fromkeys(drawn, 0)}
    chance = random.Random(4)
    for _ in range(KILLS):
        begin = {what: {number: n + 1 for number, n in numbers.items()} for what, numbers in last.items()}
        for line in write_and_kill(program, url, begin, acknowledged=chance.randint(1, 40)):
            what, number, n = line.split()
            numbers = last["ratings" if what == "r" else "masks"]
            assert int(n) == numbers[int(number)] + 1
            numbers[int(number)] = int(n)
        database = open_database(url, project)
        check(database, last)
        if kind == "sqlite":
            with database.read() as c:
                assert c.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        database.close()
    assert sum(last["ratings"].values()) > KILLS
    assert sum(last["masks"].values()) > KILLS
