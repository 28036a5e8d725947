"""The same loop with the engine `ray`: predictions, queue, test set and figures of the local one."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("ray")

from tests.loop.world import make_world  # noqa: E402

from figureground import rounds  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore")]


def test_a_loop_on_ray_is_the_local_one(ray_on_one_node, tmp_path):
    file = make_world(tmp_path, rounds=1, epochs=3, networks=2)
    summaries, queues = [], []
    for engine in ("local", "ray"):
        found = rounds.loop(file, out=tmp_path / engine, oracle=True, engine=engine, workers=1)
        assert found.outcome == "finished"
        summaries.append(json.loads((found.report / "loop.json").read_text()))
        queues.append([(found.path / f"round-1/queue/{name}.parquet").read_bytes() for name in ("queue", "maps")])
    assert summaries[0] == summaries[1]
    assert queues[0] == queues[1]
