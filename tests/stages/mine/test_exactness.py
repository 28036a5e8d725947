"""Mining equals brute force on dense maps, for every option; three hundred samples here, two thousand among the slow tests."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from tests.stages.mine.oracle import Round, nearest, slow_random, slow_votes, training_bounds
from tests.stages.mine.pools import (
    CLASSES,
    MODELS,
    generated,
    mined,
    pool,
    rows_of,
    write_all,
    write_artifact,
    write_folder,
    write_training,
)

from figureground.core.types import ClassTable
from figureground.stages.mine import passage


@pytest.fixture(scope="module", params=[300, pytest.param(2000, marks=pytest.mark.slow)])
def data(request):
    """Samples, in many chunks, so that candidates of several files are merged many times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passage, "CHUNK", request.param // 14)
        patch.setattr(passage, "HELD_ROWS", 2 * request.param)
        yield generated(request.param)


@pytest.fixture(scope="module")
def specs(tmp_path_factory, data):
    return write_all(tmp_path_factory.mktemp("predictions"), data, shard=max(8, len(data.ids) // 9))


@pytest.fixture(scope="module")
def masks():
    """Training masks with void pixels and without the class `rare`."""
    rng = np.random.default_rng(3)
    found = generated(60, seed=9).maps["target"]
    return {i: np.where(rng.random(m.shape) < 0.1, 255, np.where(m == 9, 0, m)).astype(np.uint8) for i, m in found.items()}


@pytest.fixture(scope="module")
def training(tmp_path_factory, masks):
    return write_training(tmp_path_factory.mktemp("training") / "set", masks)


def check_equal(out, expected: Round):
    """The queue and the counts of every quota are those of brute force."""
    queue, groups, passed = expected.queue()
    found = [{name: row[name] for name in wanted} for row, wanted in zip(rows_of(out), queue, strict=True)]
    for row, wanted in zip(found, queue, strict=True):
        for name in ("score", "discrepancy", "target_area", "rival_area"):
            if wanted[name] is not None:
                wanted[name] = pytest.approx(wanted[name], abs=1e-11)
        assert row == wanted
    names = ("rival", "direction", "class", "one_sided", "seen", "fitting", "quota", "filled")
    found = [tuple(row[name] for name in names) for row in rows_of(out, "groups")]
    assert found == [tuple(group[name] for name in names) for group in groups]
    lines = (out / "passed-over.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["id", *sorted(passed)]


def bounds(low: float, high: float, **single: tuple[float, float]) -> Mapping[int, tuple[float, float]]:
    return {c: single.get(CLASSES.name_of(c), (low, high)) for c in CLASSES.foreground}


CASES = {
    "defaults": ({}, {}),
    "pixel": ({"distance": "pixel", "top": 10}, {}),
    "foreground": ({"distance": "foreground", "top": 10}, {}),
    "flip": ({"distance": "flip", "top": 10}, {}),
    "region": ({"distance": "region", "top": 10}, {}),
    "one each": ({"top": 1}, {}),
    "more than there are": ({"top": 3000, "area": ("0.1,0.11",)}, {"bounds": bounds(0.1, 0.11)}),
    "given bounds": ({"area": ("0.05,0.2",), "top": 8}, {"bounds": bounds(0.05, 0.2)}),
    "bounds of a class": ({"area": ("0.05,0.2", "cat=0.3,1"), "top": 8}, {"bounds": bounds(0.05, 0.2, cat=(0.3, 1))}),
    "a class without a rule": ({"area": ("dog=0.25,0.25",), "top": 8}, {"bounds": bounds(0, 1, dog=(0.25, 0.25))}),
    "two-sided alone": ({"one_sided": False, "top": 8}, {}),
    "no reserve": ({"deduplicate": False, "top": 8}, {}),
    "weights": ({"weight": ("twin=0.3", "blind=0.01"), "top": 10}, {"weights": {"twin": 0.3, "blind": 0.01}}),
    "a budget": ({"budget": 37, "top": 10}, {}),
    "a budget of more than there are": ({"budget": 3000, "top": 3}, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_maximum_discrepancy_is_that_of_brute_force(name, tmp_path, data, specs):
    """Ids, ranks, scores, reasons and areas, and how every quota was filled."""
    options, told = CASES[name]
    fields = {k: v for k, v in options.items() if k in ("distance", "top", "one_sided", "budget")}
    out = mined(tmp_path / "out", pool(data), specs, **options)
    check_equal(out, Round(ids=data.ids, maps=data.maps, classes=CLASSES, **fields, **told))


@pytest.mark.parametrize("rule", ["quartiles", "sd"])
def test_areas_of_training_masks_bound_the_classes(rule, tmp_path, data, specs, training, masks):
    """A class that no training mask has is bound by nothing, one that is named by what is said of it."""
    own = training_bounds(list(masks.values()), rule, CLASSES)
    assert set(own) == {1, 2, 5}
    out = mined(tmp_path / "out", pool(data), specs, top=10, area=(rule, "bird=0.1,0.3"), train=str(training))
    check_equal(out, Round(ids=data.ids, maps=data.maps, classes=CLASSES, top=10, bounds={**own, 5: (0.1, 0.3)}))


@pytest.mark.parametrize(("selector", "column"), [("entropy", "entropy"), ("margin", "one_minus_margin"), ("flip-risk", "flip_risk")])
def test_a_score_of_the_target_selects_its_largest(selector, column, tmp_path, data, specs):
    """Ties go to the id that sorts first; what has no score is not selected, and counted."""
    from figureground.runs.artifact import read_manifest

    out = mined(tmp_path / "out", pool(data), specs, selector=selector, top=10)
    scores = data.scores[column]
    expected = Round(ids=data.ids, maps=data.maps, classes=CLASSES, top=10, scores=scores)
    check_equal(out, expected)
    assert read_manifest(out).details["unscored"] == sum(map(math.isnan, scores.values())) == len(data.ids) // 20


@pytest.mark.parametrize("seed", [0, 7])
def test_a_random_draw_depends_on_seed_and_id(seed, tmp_path, data, specs):
    out = mined(tmp_path / "out", pool(data), specs[:1], selector="random", budget=50, seed=seed)
    scores = {i: slow_random(i, seed) for i in data.ids}
    maps = {"target": data.maps["target"]}
    check_equal(out, Round(ids=data.ids, maps=maps, classes=CLASSES, budget=50, scores=scores))


@pytest.mark.parametrize("weights", [{}, {"twin": 0.5, "blind": 0.25}])
def test_a_committee_selects_where_its_votes_are_divided(weights, tmp_path, data, specs):
    options = {"weight": tuple(f"{name}={weight}" for name, weight in weights.items())}
    out = mined(tmp_path / "out", pool(data), specs, selector="committee", top=20, **options)
    each = [weights.get(name, 1.0) for name in MODELS]
    scores = {i: slow_votes([data.maps[name][i] for name in MODELS], each, 0) for i in data.ids}
    check_equal(out, Round(ids=data.ids, maps=data.maps, classes=CLASSES, top=20, scores=scores))


def test_a_class_map_merges_and_renames(tmp_path, data, specs):
    """A rival of more classes and other ids, as an artifact with a table of its own and as a folder of bare numbers."""
    theirs = ClassTable(names=("dog", "ground", "tabby", "lion", "bird", "rare"), ids=(0, 1, 2, 3, 4, 5))
    to_theirs = np.zeros(256, np.uint8)
    to_theirs[[0, 1, 2, 5, 9]] = 1, 2, 0, 4, 5
    rng = np.random.default_rng(1)
    other = {}
    for i, own in data.maps["apart"].items():
        drawn = to_theirs[own]
        drawn[(own == 1) & (rng.random(own.shape) < 0.5)] = 3  # half of every cat is a lion, so that merging joins runs
        other[i] = drawn
    expected = Round(ids=data.ids, maps={"target": data.maps["target"], "other": data.maps["apart"]}, classes=CLASSES, top=5)
    artifact = write_artifact(tmp_path / "other", other, classes=theirs)
    for distance in ("miou", "region"):
        out = mined(
            tmp_path / distance, pool(data), [specs[0], artifact], top=5, distance=distance, class_map=("other:tabby=cat,lion=cat",)
        )
        expected.distance = distance
        check_equal(out, expected)
    few = data.ids[:200]
    small = Round(ids=few, maps={m: {i: own[i] for i in few} for m, own in expected.maps.items()}, classes=CLASSES, top=5)
    folder = write_folder(tmp_path / "png" / "other", {i: other[i] for i in few})
    target = write_artifact(tmp_path / "few" / "target", {i: data.maps["target"][i] for i in few})
    given = ("other:0=dog,1=ground,2=cat", "other:3=cat,4=bird,5=rare")
    out = mined(tmp_path / "bare", pool(generated_of(data, few)), [target, f"png:{folder}"], raw=["other"], top=5, class_map=given)
    check_equal(out, small)


def generated_of(data, ids):
    from dataclasses import replace

    return replace(data, ids=tuple(ids), maps={m: {i: own[i] for i in ids} for m, own in data.maps.items()})


def test_rivals_of_another_size_are_brought_to_the_target_s(tmp_path, data, specs):
    """Each pixel of the target takes the rival's class under its centre."""
    rng = np.random.default_rng(2)
    sizes = {i: tuple(rng.integers(5, 40, 2).tolist()) if n % 3 else m.shape for n, (i, m) in enumerate(data.maps["apart"].items())}
    scaled = {i: nearest(m, sizes[i]) for i, m in data.maps["apart"].items()}
    back = {i: nearest(m, data.maps["target"][i].shape) for i, m in scaled.items()}
    rival = write_artifact(tmp_path / "scaled", scaled)
    out = mined(tmp_path / "out", pool(data), [specs[0], rival, specs[1]], resize="nearest", top=10)
    maps = {"target": data.maps["target"], "scaled": back, "twin": data.maps["twin"]}
    check_equal(out, Round(ids=data.ids, maps=maps, classes=CLASSES, top=10))


@pytest.mark.slow
def test_folders_of_label_maps_give_the_queue_of_artifacts(tmp_path, data):
    """To the byte, whatever the order of the files and the rows of a table."""
    few = generated_of(data, data.ids[:400])
    folders = [f"png:{write_folder(tmp_path / 'png' / name, few.maps[name])}" for name in MODELS]
    artifacts = write_all(tmp_path / "tables", few, shard=50)
    outs = [mined(tmp_path / f"out{n}", pool(few), specs, top=5) for n, specs in enumerate((folders, artifacts))]
    first, second = ((out / "queue.parquet").read_bytes() for out in outs)
    assert first == second
    check_equal(outs[0], Round(ids=few.ids, maps=few.maps, classes=CLASSES, top=5))


@pytest.mark.parametrize("order", ["reversed", "shuffled", "sorted"])
def test_the_order_of_tables_is_of_no_account(order, tmp_path, data, specs):
    """Each model in another order and in shards of another size gives the same rows."""
    few = generated_of(data, data.ids[:300])
    rng = np.random.default_rng(5)
    orders = {"reversed": few.ids[::-1], "shuffled": rng.permutation(few.ids).tolist(), "sorted": sorted(few.ids)}
    other = write_artifact(tmp_path / "apart", {i: few.maps["apart"][i] for i in orders[order]}, shard=37)
    target = write_artifact(tmp_path / "target", few.maps["target"], shard=64)
    out = mined(tmp_path / "out", pool(few), [target, other], top=6)
    maps = {name: few.maps[name] for name in ("target", "apart")}
    check_equal(out, Round(ids=few.ids, maps=maps, classes=CLASSES, top=6))


def test_the_queue_holds_the_maps_that_were_compared(tmp_path, data, specs):
    """The runs of the target, of the shown rival and of every model, so that a page needs no model."""
    out = mined(tmp_path / "out", pool(data), specs, top=2)
    for row in rows_of(out):
        for name, model in (("target", "target"), ("rival", row["rival"])):
            dense = np.repeat(row[f"{name}_values"], row[f"{name}_lengths"]).reshape(row["height"], row["width"])
            np.testing.assert_array_equal(dense, data.maps[model][row["id"]])
    every = rows_of(out, "maps")
    assert [(row["id"], row["model"]) for row in every] == [(row["id"], model) for row in rows_of(out) for model in data.maps]
    for row in every:
        dense = np.repeat(row["values"], row["lengths"]).reshape(row["height"], row["width"])
        np.testing.assert_array_equal(dense, data.maps[row["model"]][row["id"]])
