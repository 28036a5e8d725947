"""Pools smaller than the quotas, classes that nobody sees, one sample, and none."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tests.stages.mine.oracle import Round
from tests.stages.mine.pools import CLASSES, generated, mined, pool, rows_of, write_all, write_artifact
from tests.stages.mine.test_exactness import check_equal

from figureground.core.errors import Fault, InputError
from figureground.core.types import ClassTable
from figureground.runs.artifact import read_manifest

SELECTORS = ("mad", "random", "entropy", "margin", "flip-risk", "committee", "core-set")


def few(count: int):
    return generated(count, seed=7)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_pool_smaller_than_its_quotas_is_mined_whole(count, tmp_path):
    """Every sample in which anyone sees foreground that others see otherwise is queued, once."""
    data = few(count)
    out = mined(tmp_path / "out", pool(data), write_all(tmp_path / "in", data))
    check_equal(out, Round(ids=data.ids, maps=data.maps, classes=CLASSES))
    target = data.maps["target"]
    seen = {i for own in data.maps.values() for i, m in own.items() if ((m != target[i]) & ((m != 0) | (target[i] != 0))).any()}
    assert {row["id"] for row in rows_of(out)} == seen != set()


@pytest.mark.parametrize("selector", SELECTORS)
def test_every_selector_takes_a_pool_of_one(selector, tmp_path):
    data = few(1)
    maps = {name: {data.ids[0]: np.array([[0, 1], [n, 2]], np.uint8)} for n, name in enumerate(("target", "twin", "apart"))}
    one = replace(data, maps=maps, scores={name: dict.fromkeys(data.ids, 0.5) for name in data.scores})
    out = mined(tmp_path / "out", pool(one), write_all(tmp_path / "in", one), selector=selector, distance="region")
    assert [(row["id"], row["rank"]) for row in rows_of(out)] == [(data.ids[0], 1)]


@pytest.mark.parametrize("selector", SELECTORS)
def test_where_no_sample_is_left_the_queue_is_empty(selector, tmp_path):
    """All of them failed to be predicted: they are listed, no quota is filled, and that is no error."""
    data = few(3)
    lost = [Fault(code="unreadable-picture", problem="no picture", remedy="fetch it", sample=i, file=None) for i in data.ids]
    nobody = {"elsewhere": np.ones((4, 4), np.uint8)}
    specs = [write_artifact(tmp_path / name, nobody, failed=lost) for name in ("target", "twin")]
    out = mined(tmp_path / "out", pool(data), specs, selector=selector, sheet=4)
    assert rows_of(out) == []
    assert {(row["seen"], row["fitting"], row["filled"]) for row in rows_of(out, "groups")} == {(0, 0, 0)}
    manifest = read_manifest(out)
    assert manifest.counts == {"samples": 0, "queued": 0, "failures": 3}
    assert len(manifest.details["empty"]) == len(rows_of(out, "groups"))


def test_a_class_that_nobody_sees_has_an_empty_quota(tmp_path):
    """It is named, and takes nothing from the others."""
    data = few(30)
    maps = {name: {i: np.where(m == 9, 0, m).astype(np.uint8) for i, m in own.items()} for name, own in data.maps.items()}
    data = replace(data, maps=maps)
    out = mined(tmp_path / "out", pool(data), write_all(tmp_path / "in", data), top=2)
    check_equal(out, Round(ids=data.ids, maps=data.maps, classes=CLASSES, top=2))
    empty = [words for words in read_manifest(out).details["empty"] if "rare" in words]
    assert empty == [f"rival {r}, class rare, by the {d}" for r in ("twin", "apart", "blind") for d in ("target", "rival")]


def test_a_pool_of_ground_alone_queues_nothing(tmp_path):
    data = few(20)
    data = replace(data, maps={name: {i: np.zeros((5, 5), np.uint8) for i in data.ids} for name in data.maps})
    out = mined(tmp_path / "out", pool(data), write_all(tmp_path / "in", data))
    assert rows_of(out) == []
    assert read_manifest(out).counts["samples"] == 20


def test_a_pool_without_a_foreground_class_is_refused(tmp_path):
    classes = ClassTable(names=("ground",))
    data = replace(few(2), classes=classes)
    data = replace(data, maps={name: {i: np.zeros((5, 5), np.uint8) for i in data.ids} for name in data.maps})
    specs = write_all(tmp_path / "in", data)
    for selector in ("mad", "random"):
        with pytest.raises(InputError, match="needs a foreground class"):
            mined(tmp_path / "out", pool(data), specs, selector=selector)


def test_models_that_agree_everywhere_queue_nothing_and_are_warned_of(tmp_path):
    """Where all agree there is nothing to ask."""
    from tests.support import Watcher

    data = few(30)
    maps = dict.fromkeys(("target", "twin"), data.maps["target"])
    data = replace(data, maps=maps)
    watcher = Watcher()
    out = mined(tmp_path / "out", pool(data), write_all(tmp_path / "in", data), top=3, reporter=watcher)
    check_equal(out, Round(ids=data.ids, maps=maps, classes=CLASSES, top=3))
    assert rows_of(out) == []
    assert "warning: 'twin' never disagrees with the target: is it the same model?" in watcher.said


def test_classes_that_no_model_sees_and_that_no_training_mask_has_are_told(tmp_path):
    """Nobody sees `rare`; the training mask has one class only, and of the others one has bounds that are given."""
    from tests.stages.mine.pools import write_training
    from tests.support import Watcher

    ids = ("a", "b")
    seen = CLASSES.foreground[:3]
    target = {i: np.array([[0, *seen]], np.uint8) for i in ids}
    rival = {i: np.array([[0, *seen[::-1]]], np.uint8) for i in ids}
    data = replace(few(2), ids=ids, maps={"target": target, "rival": rival}, scores={})
    training = write_training(tmp_path / "training", {"t": np.array([[0, seen[0]]], np.uint8)})
    specs, watcher = write_all(tmp_path / "in", data), Watcher()
    mined(
        tmp_path / "out", pool(data), specs, train=str(training), area=("quartiles", f"{CLASSES.name_of(seen[1])}=0,0.5"), reporter=watcher
    )
    assert "note: no model sees 'rare' in any sample" in watcher.said
    assert "note: no training mask has 'bird': figures of any size are taken, or say --area bird=LOW,HIGH" in watcher.said


@pytest.mark.parametrize("distance", ["foreground", "flip", "region"])
def test_a_rival_that_differs_where_the_distance_is_blind_is_no_twin(distance, tmp_path):
    """`foreground` does not see flips, `flip` no borders: the warning is about the maps."""
    from tests.support import Watcher

    ids = ("a", "b")
    target = {i: np.array([[0, 1, 1, 0]], np.uint8) for i in ids}
    rival = {i: np.array([[0, 2, 2, 0]] if distance == "foreground" else [[0, 1, 0, 0]], np.uint8) for i in ids}
    data = replace(few(2), ids=ids, maps={"target": target, "rival": rival}, scores={})
    watcher = Watcher()
    mined(tmp_path / "out", pool(data), write_all(tmp_path / "in", data), distance=distance, reporter=watcher)
    assert not [text for text in watcher.said if text.startswith("warning")]


def test_a_sheet_shows_the_first_samples_whose_pictures_can_be_read(tmp_path):
    """Of any selector, with and without rivals."""
    data = few(6)
    images = {i: str(tmp_path / f"{i}.png") for i in data.ids[:5]}
    for path in images.values():
        Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(path)
    specs = write_all(tmp_path / "in", data)
    for name, chosen, options in (("all", specs, {}), ("alone", specs[:1], {"selector": "random"})):
        out = mined(tmp_path / name, pool(data, images=images), chosen, deduplicate=False, sheet=3, **options)
        with Image.open(out / "sheet.jpg") as sheet:
            assert sheet.width > sheet.height / 2 > 50
    assert not (mined(tmp_path / "none", pool(data), specs, sheet=3) / "sheet.jpg").exists()
    assert {row["image"] for row in rows_of(tmp_path / "alone")} == {*images.values(), None}
    assert json.loads((tmp_path / "alone" / "failures.json").read_text()) == []
