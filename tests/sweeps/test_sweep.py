"""A sweep end to end with a tiny network: every run is there, nothing is done twice, and any engine finds the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from figureground.core.errors import InputError
from figureground.runs.executor import open_executor
from figureground.runs.progress import QuietReporter
from figureground.sweeps.recipe import read_recipe
from figureground.sweeps.run import run_sweep

pytest.importorskip("torch")
pytestmark = pytest.mark.slow
TINY = Path(__file__).parents[1] / "models" / "fit" / "tiny.py"
RECIPE = """
name = "drawn"
[compose]
train = 8
val = 1
test = 2
size = 32
sheet = 0
[train]
size = 32
epochs = 1
batch = 4
lr = 1e-2
device = "cpu"
[sweep]
rho = [0.5, 1.0]
seeds = {seeds}
objectives = ["ce", "group-dro"]
architectures = ["python:{tiny}:tiny"]
cluster = "{cluster}"
"""


def recipe(folder, seeds="[0, 1]", cluster=""):
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(seeds=seeds, cluster=cluster, tiny=TINY), encoding="utf-8")
    return read_recipe(path)


def sweep(chosen, out, engine="local", workers=1):
    return run_sweep(chosen, out=out, executor=open_executor(engine, workers=workers), reporter=QuietReporter(), resamples=20)


def stamps(out):
    return {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}


def test_a_sweep_goes_on_where_it_was_and_a_new_seed_costs_only_its_runs(tmp_path):
    out = tmp_path / "sweep"
    table = sweep(recipe(tmp_path), out)
    rows = json.loads((table / "sweep.json").read_text())
    assert [(row["objective"], row["rho"], row["seeds"]) for row in rows] == [
        ("ce", 0.5, 2), ("ce", 1.0, 2), ("group-dro", 0.5, 2), ("group-dro", 1.0, 2)
    ]  # fmt: skip
    assert len((table / "sweep.csv").read_text().splitlines()) == 5
    assert (table / "sweep.svg").stat().st_size > 1000
    changed = json.loads((table / "differences.json").read_text())
    assert [(row["objective"], row["rho"], row["against"]) for row in changed] == [
        ("ce", 1.0, "rho 0.5"), ("group-dro", 0.5, "ce"), ("group-dro", 1.0, "rho 0.5"), ("group-dro", 1.0, "ce")
    ]  # fmt: skip
    for figure in ("class_iou", "counterfactual_flip"):
        found = [row[figure]["value"] for row in rows]
        expected = [found[1] - found[0], found[2] - found[0], found[3] - found[2], found[3] - found[1]]
        assert [row[figure]["value"] for row in changed] == pytest.approx(expected)
    before = stamps(out)
    assert len(before) == 8
    assert sweep(recipe(tmp_path), out) == table
    assert stamps(out) == before
    more = json.loads((sweep(recipe(tmp_path, seeds="[0, 1, 2]"), out) / "sweep.json").read_text())
    after = stamps(out)
    assert {row["seeds"] for row in more} == {3}
    assert len(after) == 12
    assert all(after[path] == stamp for path, stamp in before.items())


def test_two_processes_and_a_cluster_find_the_same_to_the_byte(ray_on_one_node, tmp_path):
    found = {}
    for name, engine, workers in (("one", "local", 1), ("two", "local", 2), ("ray", "ray", 2)):
        folder = tmp_path / name
        folder.mkdir()
        found[name] = (sweep(recipe(folder), folder / "sweep", engine, workers) / "sweep.json").read_bytes()
    assert found["one"] == found["two"] == found["ray"]


def test_what_does_not_fit_is_said_before_the_first_network_is_trained(tmp_path):
    with pytest.raises(InputError, match="no attribute `patient`"):
        sweep(recipe(tmp_path, seeds="[0]", cluster="patient"), tmp_path / "sweep")
    wrong = dataclasses.replace(recipe(tmp_path), architectures=("smp:unet/nosuchnet",))
    with pytest.raises(InputError, match="nosuchnet"):
        sweep(wrong, tmp_path / "other")
    assert not (tmp_path / "sweep" / "runs").exists()
    assert not (tmp_path / "other").exists()
