"""Killed with SIGKILL at any moment, a loop goes on and ends with the bytes of one that nobody disturbed."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.loop.world import make_world  # noqa: E402

from figureground import rounds  # noqa: E402
from figureground.loops.state import read_states  # noqa: E402

KILLS = 50
GONE = 77
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]


def content(out: Path) -> dict[str, str]:
    """Digest of every file; of manifests without when they were written, and without digests of inputs by their times of change.

    The report says when its summary was written; that is left out, too.
    """
    found, report = {}, json.loads((out / "report" / "manifest.json").read_text())
    for file in sorted(out.rglob("*")):
        if file.is_file():
            body = file.read_bytes()
            if file.name == "manifest.json":
                said = json.loads(body)
                body = json.dumps({key: said[key] for key in said if key not in ("created", "inputs", "key")}, sort_keys=True).encode()
            if file.name == "report.html":
                body = body.replace(report["created"].encode(), b"then")
            found[str(file.relative_to(out))] = hashlib.sha256(body).hexdigest()
    return found


def start(recipe: Path, out: Path, *, operations: int = 0) -> int:
    """A child that runs the loop; forked, since importing torch anew would take most of the time.

    With `operations` it is gone before or behind so many times that a file was written or got its name: as with SIGKILL, nothing is tidied.
    """
    child = os.fork()
    if child:
        return child
    try:
        torch.set_num_threads(1)
        if operations:
            go_after(operations)
        rounds.loop(recipe, out=out, oracle=True)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent is told by the status
        import traceback

        traceback.print_exc()
        os._exit(1)


def go_after(operations: int) -> None:
    """Ends this process at an operation on files."""
    left = itertools.count(operations, -1)

    def counted(operation):
        def whole(*given, **named):
            for step in (lambda: None, lambda: operation(*given, **named)):
                found = step()
                if next(left) == 1:
                    os._exit(GONE)
            return found

        return whole

    for name in ("replace", "rename", "write_bytes"):
        setattr(Path, name, counted(getattr(Path, name)))


def ended(child: int) -> bool:
    """Whether the child is through, well."""
    found, status = os.waitpid(child, os.WNOHANG)
    assert not found or status == 0, "the loop failed"
    return bool(found)


def state_of(out: Path) -> str:
    """Round and state a loop is in."""
    states = read_states(out, rounds=2, retest=True, rate=True)
    now = next((one for one in states if not one.done), None)
    return "end" if now is None else f"{now.round}.{next(name for name, mark in now.marks.items() if mark == 'now')}"


def test_fifty_kills_change_no_byte(tmp_path):
    recipe, out = make_world(tmp_path, epochs=3), tmp_path / "LOOP"
    begin = time.monotonic()
    undisturbed = start(recipe, out)
    assert os.waitpid(undisturbed, 0)[1] == 0
    whole = time.monotonic() - begin
    expected, dice, kills, places = content(out), random.Random(0), 0, Counter[str]()
    while kills < KILLS:
        shutil.rmtree(out)
        finished = False
        while not finished:
            child, until = start(recipe, out), time.monotonic() + dice.expovariate(12 / whole)
            while not (finished := ended(child)) and (kills >= KILLS or time.monotonic() < until):
                time.sleep(0.005)
            if not finished:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                kills += 1
                places[state_of(out)] += 1
        differ = {file for file, _ in content(out).items() ^ expected.items()}
        assert not differ, f"after {kills} kills, at {dict(places)}: {sorted(differ)} differ"
    assert len(places) >= 4, f"the kills fell on {dict(places)} alone"


def test_gone_at_any_operation_on_files_changes_no_byte(tmp_path):
    """Between any two operations, however close: there a kill at a random moment hardly ever falls."""
    recipe, out = make_world(tmp_path, epochs=1), tmp_path / "LOOP"
    assert os.waitpid(start(recipe, out), 0)[1] == 0
    expected, dice, places = content(out), random.Random(0), Counter[str]()
    shutil.rmtree(out)
    while status := os.waitpid(start(recipe, out, operations=dice.randint(10, 120)), 0)[1]:
        assert os.waitstatus_to_exitcode(status) == GONE, "the loop failed"
        places[state_of(out)] += 1
    differ = {file for file, _ in content(out).items() ^ expected.items()}
    assert not differ, f"after {places.total()} ends, at {dict(places)}: {sorted(differ)} differ"
    assert len(places) >= 6, f"the ends fell on {dict(places)} alone"
