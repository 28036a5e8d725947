"""The engine `ray` on a real local cluster: same order, same errors, and a node that dies in mid-run loses nothing."""

from __future__ import annotations

import functools
import os
import time

import pytest

from figureground.core.errors import InputError
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
    found, nodes = cluster
    results = []
    for place, (value, _) in enumerate(open_executor("ray", workers=3).map_batches(functools.partial(square_worker, 0.2), range(24))):
        results.append(value)
        if place == 4:
            found.remove_node(nodes[0], allow_graceful=False)
    assert results == [n * n for n in range(24)]


def worker_that_cannot_be_built():
    raise InputError("no such model")


def test_a_worker_that_cannot_be_built_ends_the_run(cluster):
    with pytest.raises(Exception, match="no such model"):
        list(open_executor("ray", workers=1).map_batches(worker_that_cannot_be_built, [1, 2]))
