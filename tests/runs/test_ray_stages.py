"""Predict, audit and mine on a Ray cluster of three nodes: the artifacts of the local engine to the byte, though a node dies."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.models.fit.learnable import write_learnable
from tests.support import Watcher

from figureground import api
from figureground.stages.audit import stage as audit_stage
from figureground.stages.mine import passage
from figureground.stages.mine.options import MineOptions
from figureground.stages.predict import stage as predict_stage

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

MODEL = """
import os, time
from pathlib import Path
import numpy as np

def make():
    with (Path(__file__).parent / f"opened-by-{os.getpid()}").open("a") as file:
        file.write("x")
    mix = np.random.default_rng(SEED).normal(size=(3, 3)).astype(np.float32)
    def forward(images):
        time.sleep(WAIT)
        return np.einsum("kc,bchw->bkhw", mix, images - 0.5)
    return forward
"""


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        found.add_node(num_cpus=1)
    ray.init(address=found.address, log_to_driver=False, logging_level="error")
    yield found
    ray.shutdown()
    found.shutdown()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    return write_learnable(tmp_path_factory.mktemp("ray") / "data", train=18, val=6)


@pytest.fixture(scope="module")
def predicted(data, tmp_path_factory) -> tuple[str, str]:
    """Predictions of two networks that differ."""
    folder = tmp_path_factory.mktemp("predicted")
    return tuple(str(api.predict(write_model(folder / name, seed=n), data, out=folder / name / "out")) for n, name in enumerate("ab"))  # pyright: ignore


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """So that there is work for everybody."""
    monkeypatch.setattr(predict_stage, "SHARD_SIZE", 4)
    monkeypatch.setattr(audit_stage, "SHARD_SIZES", (4, 4))
    monkeypatch.setattr(passage, "CHUNK", 4)


def write_model(folder: Path, *, seed: int = 0, wait_s: float = 0.0) -> str:
    folder.mkdir()
    (folder / "model.py").write_text(f"SEED, WAIT = {seed}, {wait_s}\n{MODEL}")
    return f"python:{folder / 'model.py'}:make?factory=1"


class KillsANode(Watcher):
    """Kills a node of the cluster, as a lost machine would, once some samples are done."""

    def __init__(self, cluster, node, *, after: int) -> None:
        super().__init__()
        self.cluster, self.node, self.after = cluster, node, after

    def advance(self, amount: int = 1) -> None:
        super().advance(amount)
        if self.node is not None and self.steps >= self.after:
            self.cluster.remove_node(self.node, allow_graceful=False)
            self.node = None


def contents(artifact: Path) -> dict[str, bytes]:
    """Everything but when and how it was made."""
    files = (file for file in sorted(artifact.rglob("*")) if file.is_file() and file.name != "manifest.json")
    return {str(file.relative_to(artifact)): file.read_bytes() for file in files}


def run(verb: str, data: str, predicted: tuple[str, str], folder: Path, out: str, *, reporter=None, **where) -> Path:
    """One verb on the cluster or here; predict reads the network of `folder`."""
    if verb == "predict":
        return api.predict(f"python:{folder / 'model' / 'model.py'}:make?factory=1", data, out=folder / out, reporter=reporter, **where)
    where = {key if key != "actors" else "workers": value for key, value in where.items()}
    if verb == "audit":
        return api.audit(data, list(predicted), out=folder / out, reporter=reporter, **where).path
    options = MineOptions(top=3, train="", sheet=0)
    return api.mine(data, predicted[0], [predicted[1]], out=folder / out, options=options, reporter=reporter, **where)


@pytest.mark.parametrize("verb", ["predict", "audit", "mine"])
def test_the_cluster_gives_what_one_machine_gives(cluster, data, predicted, tmp_path, verb):
    write_model(tmp_path / "model", wait_s=0.02)
    here = run(verb, data, predicted, tmp_path, "here")
    there = run(verb, data, predicted, tmp_path, "there", engine="ray", actors=3)
    assert contents(there) == contents(here)
    assert len(contents(here)) >= 2


def test_each_actor_opens_the_model_once(cluster, data, tmp_path):
    """No number of actors means one per core of the cluster; the process that starts the run opens the model too."""
    model = write_model(tmp_path / "model", wait_s=0.3)
    api.predict(model, data, out=tmp_path / "out", engine="ray")
    opened = {file.name: file.read_text() for file in (tmp_path / "model").glob("opened-by-*")}
    assert set(opened.values()) == {"x"}
    assert len(opened) == 1 + int(ray.cluster_resources()["CPU"])


@pytest.mark.parametrize("verb", ["predict", "audit", "mine"])
def test_a_node_that_dies_in_mid_run_changes_nothing(cluster, data, predicted, tmp_path, verb):
    write_model(tmp_path / "model", wait_s=0.02)
    here = run(verb, data, predicted, tmp_path, "here")
    killer = KillsANode(cluster, cluster.add_node(num_cpus=1), after=20)
    there = run(verb, data, predicted, tmp_path, "there", engine="ray", actors=4, reporter=killer)
    assert killer.node is None
    assert contents(there) == contents(here)
