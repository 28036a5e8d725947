"""One worker, two, or a run that was interrupted and begun again: the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.stages.mine.pools import generated, mined, pool, write_all, write_training
from tests.support import Watcher

from figureground.runs.executor import LocalExecutor
from figureground.stages.mine import passage

WAYS = {
    "mad": {"top": 4},
    "region": {"top": 4, "distance": "region"},
    "core-set": {"selector": "core-set", "budget": 15},
    "committee": {"selector": "committee", "budget": 15},
    "one fault": {"top": 4, "max_failures": 30},
}


@pytest.fixture(scope="module")
def data():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passage, "CHUNK", 20)
        patch.setattr(passage, "SAVED_EVERY", 3)
        patch.setattr(passage, "HELD_ROWS", 500)
        yield generated(300, seed=12)


@pytest.fixture(scope="module")
def specs(tmp_path_factory, data):
    return write_all(tmp_path_factory.mktemp("predictions"), data, shard=20)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory, data):
    """The target's and a rival's predictions, in which some maps are of another size."""
    from dataclasses import replace

    odd = {i: m[1:] if n % 11 == 0 else m for n, (i, m) in enumerate(data.maps["twin"].items())}
    maps = {"target": data.maps["target"], "twin": odd}
    return write_all(tmp_path_factory.mktemp("faulty"), replace(data, maps=maps), shard=20)


def tables(out: Path) -> dict[str, bytes]:
    names = ("queue.parquet", "groups.parquet", "failures.json", "passed-over.csv")
    return {name: (out / name).read_bytes() for name in names}


def chosen(way, specs, faulty):
    return faulty if way == "one fault" else specs


@pytest.mark.parametrize(("way", "stop_after"), [("mad", 20), ("mad", 299), *((way, 130) for way in WAYS)])
def test_an_interrupted_run_goes_on_to_the_same_bytes(way, stop_after, tmp_path, data, specs, faulty):
    """Stopped in the first chunk, between two notes, and in the last chunk; what was noted is not compared again."""
    models = chosen(way, specs, faulty)
    whole = mined(tmp_path / "whole", pool(data), models, **WAYS[way])
    with pytest.raises(KeyboardInterrupt):
        mined(tmp_path / "out", pool(data), models, reporter=Watcher(stop_after), **WAYS[way])
    assert not (tmp_path / "out").exists()
    watcher = Watcher()
    out = mined(tmp_path / "out", pool(data), models, reporter=watcher, **WAYS[way])
    assert tables(out) == tables(whole)
    assert watcher.steps == 300 - (stop_after - 1) // 60 * 60


def test_what_is_told_of_models_counts_what_was_seen_before_an_interruption(tmp_path, data, specs):
    """A rival that disagrees in the first chunk alone is not taken for the target, one that never does is."""
    from dataclasses import replace

    first = next(i for i in data.ids[:20] if not np.array_equal(data.maps["target"][i], data.maps["apart"][i]))
    once = {**data.maps["target"], first: data.maps["apart"][first]}
    models = write_all(
        tmp_path / "in", replace(data, maps={"target": data.maps["target"], "once": once, "never": data.maps["target"]}), shard=20
    )
    with pytest.raises(KeyboardInterrupt):
        mined(tmp_path / "out", pool(data), models, reporter=Watcher(130))
    watcher = Watcher()
    mined(tmp_path / "out", pool(data), models, reporter=watcher)
    assert [text for text in watcher.said if "disagrees" in text] == [
        "warning: 'never' never disagrees with the target: is it the same model?"
    ]


def test_a_run_that_was_interrupted_twice_is_none_the_worse(tmp_path, data, specs):
    whole = mined(tmp_path / "whole", pool(data), specs, top=4)
    for stop_after in (90, 90):
        with pytest.raises(KeyboardInterrupt):
            mined(tmp_path / "out", pool(data), specs, top=4, reporter=Watcher(stop_after))
    assert tables(mined(tmp_path / "out", pool(data), specs, top=4)) == tables(whole)


def test_an_interruption_among_the_training_pictures_is_gone_on_from(tmp_path, data, specs):
    rng = np.random.default_rng(0)
    masks = {f"t{n}": rng.choice(np.array([0, 1, 2, 5], np.uint8), (6, 6)) for n in range(300)}
    training = write_training(tmp_path / "training", masks)
    options = {"top": 3, "train": str(training)}
    whole = mined(tmp_path / "whole", pool(data), specs, **options)
    with pytest.raises(KeyboardInterrupt):
        mined(tmp_path / "out", pool(data), specs, reporter=Watcher(200), **options)
    watcher = Watcher()
    assert tables(mined(tmp_path / "out", pool(data), specs, reporter=watcher, **options)) == tables(whole)
    assert watcher.steps == 300 - 256 + 300


def test_the_same_command_again_does_nothing_and_another_begins_anew(tmp_path, data, specs):
    out = mined(tmp_path / "out", pool(data), specs, top=2)
    first, watcher = tables(out), Watcher()
    mined(out, pool(data), specs, top=2, reporter=watcher)
    assert [watcher.steps, tables(out)] == [0, first]
    assert "nothing to do" in watcher.said[-1]
    mined(out, pool(data), specs, top=3, reporter=watcher)
    assert watcher.steps == 300
    assert tables(out) != first


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_two_workers_give_the_bytes_of_one(way, tmp_path, data, specs, faulty):
    models = chosen(way, specs, faulty)
    outs = [mined(tmp_path / str(n), pool(data), models, executor=LocalExecutor(n), **WAYS[way]) for n in (1, 2)]
    assert tables(outs[0]) == tables(outs[1])


@pytest.mark.slow
def test_two_workers_go_on_from_what_one_had_done(tmp_path, data, specs):
    whole = mined(tmp_path / "whole", pool(data), specs, top=4)
    with pytest.raises(KeyboardInterrupt):
        mined(tmp_path / "out", pool(data), specs, top=4, reporter=Watcher(130))
    assert tables(mined(tmp_path / "out", pool(data), specs, top=4, executor=LocalExecutor(2))) == tables(whole)
