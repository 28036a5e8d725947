"""The engine `ray` on a real local cluster: same order, same errors, and a node that dies in mid-run loses nothing."""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path

import numpy as np
import pytest

from figureground.core.errors import InputError, StateError
from figureground.runs.executor import open_executor

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def square_worker(wait_s=0.0):
    def work(batch):
        time.sleep(wait_s)
        if batch < 0:
            raise InputError(f"`batch` must be at least 0; got {batch}")
        return batch * batch, os.getpid()

    return work


def node_worker(wait_s=0.0):
    def work(batch):
        time.sleep(wait_s)
        return batch, ray.get_runtime_context().get_node_id(), np.full(100_000, batch)

    return work


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [found.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=found.address, log_to_driver=False, logging_level="error")
    yield found, nodes
    ray.shutdown()
    found.shutdown()


def test_results_come_in_order_from_several_processes(cluster):
    results = list(open_executor("ray", workers=3).map_batches(functools.partial(square_worker, 0.3), range(20)))
    assert [value for value, _ in results] == [n * n for n in range(20)]
    assert len({process for _, process in results}) == 3


def test_more_workers_than_the_cluster_has_room_for_do_no_harm(cluster):
    results = list(open_executor("ray", workers=7).map_batches(square_worker, range(9)))
    assert [value for value, _ in results] == [n * n for n in range(9)]


def test_an_error_of_a_worker_comes_back_as_it_is(cluster):
    with pytest.raises(InputError, match="`batch` must be at least 0; got -1"):
        list(open_executor("ray", workers=2).map_batches(square_worker, [1, -1, 2]))


def test_a_node_that_dies_in_mid_run_loses_nothing(cluster):
    """The node is one that has just worked, and results are large enough to lie in its store until they are fetched."""
    found, nodes = cluster
    results, killed = [], None
    for value, node, large in open_executor("ray", workers=3).map_batches(functools.partial(node_worker, 0.2), range(30)):
        results.append(value)
        assert (large == value).all()
        if killed is None and (mortal := [one for one in nodes if one.node_id == node]) and value > 3:
            killed = node
            found.remove_node(mortal[0], allow_graceful=False)
    assert killed is not None
    assert results == list(range(30))


def test_when_every_worker_dies_the_run_ends_with_a_reason(cluster):
    results = open_executor("ray", workers=3).map_batches(killer_worker, range(30))
    with pytest.raises(StateError, match="every worker of the Ray cluster is gone"):
        list(results)


def killer_worker():
    return lambda batch: os._exit(1)


def folder_worker():
    return lambda batch: str(Path.cwd())


def test_workers_stand_where_the_run_was_started(cluster, tmp_path, monkeypatch):
    """So that relative paths name the same files, though nodes were started elsewhere."""
    monkeypatch.chdir(tmp_path)
    assert set(open_executor("ray", workers=3).map_batches(folder_worker, range(6))) == {str(tmp_path)}


def test_no_number_of_workers_is_one_per_core_of_the_cluster(cluster):
    assert open_executor("ray").workers == 3
    assert open_executor("ray", workers=2, accelerator=True).workers == 2


def gpu_worker():
    def work(batch):
        time.sleep(0.5)
        return tuple(ray.get_gpu_ids())

    return work


def test_a_worker_that_wants_an_accelerator_has_one_to_itself(cluster):
    """Without a number of workers there are as many as accelerators; these here are in name only."""
    found, _ = cluster
    found.add_node(num_cpus=4, num_gpus=2)
    executor = open_executor("ray", accelerator=True)
    assert executor.workers == 2
    seen = list(executor.map_batches(gpu_worker, range(6)))
    assert {len(one) for one in seen} == {1}
    assert len(set(seen)) == 2


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nobody.invalid:6379", "ray://nobody.invalid:10001", "nonsense"])
def test_a_cluster_that_is_not_there_is_told_before_anything_is_begun(address, monkeypatch):
    """Of an address that is given, and of one that the environment names."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    told = rf"no Ray cluster answers at '{address}'.*Correct the address, or start a cluster there with `ray start --head`"
    with pytest.raises(InputError, match=rf"--engine ray:{address}: {told}"):
        open_executor(f"ray:{address}", workers=2)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match=rf"RAY_ADDRESS={address}: {told}"):
        open_executor("ray", workers=2)


def worker_that_cannot_be_built():
    raise InputError("no such model")


def test_a_worker_that_cannot_be_built_ends_the_run(cluster):
    with pytest.raises(Exception, match="no such model"):
        list(open_executor("ray", workers=1).map_batches(worker_that_cannot_be_built, [1, 2]))
