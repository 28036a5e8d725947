"""`mine` as a user meets it: exit codes, stdout and stderr."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.stages.mine.pools import generated, write_all, write_folder, write_pool_table
from tests.support import run_program


def mine(*arguments: object) -> tuple[int, str, str]:
    """Runs the verb; returns exit code, stdout and stderr."""
    return run_program("mine", *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool in a table, two networks with their predictions of it, and a third as label maps."""
    where, data = tmp_path_factory.mktemp("round"), generated(80, seed=30)
    data = replace(data, maps={"small": data.maps["target"], "large": data.maps["apart"], "third": data.maps["blind"]})
    write_pool_table(where / "pool", data.ids)
    write_all(where, replace(data, maps={name: data.maps[name] for name in ("small", "large")}))
    write_folder(where / "third", data.maps["third"])
    return where


def models(folder: Path) -> list[object]:
    return ["--target", folder / "small", "--rival", folder / "large", "--rival", f"png:{folder / 'third'}"]


def test_a_queue_is_written_and_told_in_a_few_lines(folder, tmp_path):
    """A second run has nothing to do; notes go to stderr, numbers to stdout."""
    out = tmp_path / "queue"
    code, stdout, stderr = mine(folder / "pool", *models(folder), "--top", 3, "--workers", 1, "--out", out)
    assert code == 0, stderr
    queue = pq.read_table(out / "queue.parquet").to_pylist()
    assert f"{len(queue)} of 80 samples queued. They fill " in stdout
    assert str(out / "queue.parquet") in stdout
    assert {row["rival"] for row in queue} == {"large", "third"}
    assert "without --train" in stderr
    code, again, stderr = mine(folder / "pool", *models(folder), "--top", 3, "--workers", 2, "--out", out)
    assert (code, again) == (0, stdout)
    assert "nothing to do" in stderr


def test_json_is_one_object_with_the_counts(folder, tmp_path):
    options = ("--selector", "entropy", "--budget", 7, "--workers", 1, "--json")
    code, stdout, stderr = mine(folder / "pool", *models(folder), *options, "--out", tmp_path / "queue")
    assert code == 0, stderr
    told = json.loads(stdout)
    assert (told["queued"], told["samples"], told["failures"], told["target"]) == (7, 80, 0, "small")
    assert told["rivals"] == [{"name": "large", "weight": 1}, {"name": "third", "weight": 1}]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--weight", "lrge=0.5"], "there is no rival 'lrge'"),
        pytest.param(["--area", "0.5,0.1"], "0 <= LOW <= HIGH <= 1", marks=pytest.mark.slow),
        pytest.param(["--class-map", "third:1=lynx"], "the pool has no class 'lynx'", marks=pytest.mark.slow),
        pytest.param(["--rival", "nowhere"], "no such file or folder", marks=pytest.mark.slow),
        pytest.param(["--rival", "it=PLACE/small", "--rival", "it=PLACE/large"], "the name 'it' is given to two", marks=pytest.mark.slow),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_two(wrong, told, folder, tmp_path):
    arguments = [str(word).replace("PLACE", str(folder)) for word in wrong]
    code, stdout, stderr = mine(folder / "pool", *models(folder), *arguments, "--workers", 1, "--out", tmp_path / "queue")
    assert (code, stdout) == (2, "")
    assert told in stderr
    assert len(stderr.splitlines()) == 1
    assert not (tmp_path / "queue").exists()


def test_the_library_and_the_command_line_write_the_same_queue(folder, tmp_path):
    """Class maps, weights and repeated options included."""
    from figureground import api
    from figureground.stages.mine.options import MineOptions

    given = ["--area", "0,0.5", "--area", "cat=0.01,1", "--weight", "large=0.5", "--class-map", "third:1=dog,2=cat", "--no-one-sided"]
    code, _, stderr = mine(folder / "pool", *models(folder), *given, "--top", 4, "--workers", 1, "--out", tmp_path / "line")
    assert code == 0, stderr
    options = MineOptions(area=("0,0.5", "cat=0.01,1"), weight=("large=0.5",), class_map=("third:1=dog,2=cat",), one_sided=False, top=4)
    rivals = [folder / "large", f"png:{folder / 'third'}"]
    out = api.mine(folder / "pool", folder / "small", rivals, out=tmp_path / "library", options=options)
    assert (out / "queue.parquet").read_bytes() == (tmp_path / "line" / "queue.parquet").read_bytes()
