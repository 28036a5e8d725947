"""A split on disk: data sets that open again, masks and pictures where the tables say, and nothing half-written."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.support import Watcher

from figureground import api
from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.core.types import ClassTable, Sample
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.write import write_table_and_toml
from figureground.runs.artifact import read_manifest
from figureground.runs.executor import LocalExecutor
from figureground.stages.shift.split_options import BalanceOptions, SplitOptions
from figureground.stages.shift.split_stage import run_split

GROUPS = {("cat", "indoor"): 14, ("cat", "outdoor"): 9, ("dog", "indoor"): 9, ("dog", "outdoor"): 14}
OPTIONS = SplitOptions(rho=("0.5", "0.9"), val=2, test=3)


def photographs(folder: Path, *, context: str | None = "place", colours: bool = False) -> str:
    """A data set of small pictures with one object each, dogs outdoors larger; ids with a comma, a quote and an umlaut among them."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    samples = []
    for (label, place), n in GROUPS.items():
        for i in range(n):
            name = f"{label}_{place}_{i}"
            mask = np.zeros((24, 32), np.uint8)
            top, left = rng.integers(0, 12, 2)
            side = 10 if (label, place) == ("dog", "outdoor") else 6
            mask[top : top + side, left : left + side] = 1 if label == "cat" else 2
            drawn = np.array([[0, 0, 0], [0, 0, 255], [255, 0, 0]], np.uint8)[mask] if colours else mask
            cv2.imwrite(str(folder / f"{name}.jpg"), rng.integers(0, 256, (24, 32, 3), np.uint8))
            cv2.imwrite(str(folder / f"{name}.png"), drawn)
            sample_id = {"cat_indoor_0": 'a "quoted", cat', "dog_indoor_1": "Hündin"}.get(name, name)
            attributes = {"place": place, "film": f"{place}{i // 2}"}
            samples.append(Sample(id=sample_id, image=f"{name}.jpg", mask=f"{name}.png", label=label, split="old", attributes=attributes))
    table = ((0, 0, 0), (255, 0, 0), (0, 0, 255)) if colours else None
    classes = ClassTable(names=("background", "cat", "dog"), colours=table)
    write_table_and_toml(folder, name="pets", classes=classes, samples=samples, common={}, context=context)
    return str(folder)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "manifest.json"}


def members(out: Path, rho: str) -> dict[str, dict[tuple[str, str], set[str]]]:
    """Split -> group -> ids of the data set of a correlation."""
    dataset = open_dataset(str(out / f"rho-{rho}"))
    found: dict[str, dict[tuple[str, str], set[str]]] = {}
    for s in dataset.samples:
        found.setdefault(s.split or "", {}).setdefault((s.label or "", dataset.attribute(s, "context")), set()).add(s.id)
    return found


def test_data_sets_that_open_again(tmp_path):
    """Each correlation is a data set with the same masks and pictures, one val and one test set, and balanced groups there."""
    origin = open_dataset(photographs(tmp_path / "pets"))
    out = api.split(origin, out=tmp_path / "out", options=OPTIONS)
    half, most = members(out, "0.5"), members(out, "0.9")
    assert half["val"] == most["val"]
    assert half["test"] == most["test"]
    assert {len(ids) for ids in half["val"].values()} == {2}
    assert {len(ids) for ids in half["test"].values()} == {3}
    assert {g: len(ids) for g, ids in half["train"].items()} == dict.fromkeys(GROUPS, 4) | {("cat", "indoor"): 5, ("dog", "outdoor"): 5}
    assert {g: len(ids) for g, ids in most["train"].items()} == {
        ("cat", "indoor"): 8,
        ("cat", "outdoor"): 1,
        ("dog", "indoor"): 1,
        ("dog", "outdoor"): 8,
    }
    for rho in ("0.5", "0.9"):
        dataset = open_dataset(str(out / f"rho-{rho}"))
        assert dict(dataset.common) == {"cat": "indoor", "dog": "outdoor"}
        for s in dataset.samples:
            assert dataset.masks.read(s.id) == origin.masks.read(s.id)
            assert Path(s.image).samefile(origin.sample(s.id).image)
            assert s.attributes["source_split"] == "old"
            assert s.attributes["film"] == origin.sample(s.id).attributes["film"]
    assert not (out / "masks").exists()


def test_balance_tables_beside_it(tmp_path):
    """The planted size of dogs outdoors stands in the table of training and of test, and is told."""
    watcher = Watcher()
    out = api.split(photographs(tmp_path / "pets"), out=tmp_path / "out", options=OPTIONS, reporter=watcher)
    for file, n in (("rho-0.5/balance.csv", "5"), ("balance-test.csv", "3")):
        rows = list(csv.DictReader((out / file).read_text().splitlines()))
        one = next(r for r in rows if (r["row"], r["fact"], r["class"], r["context"]) == ("group", "object_area", "dog", "outdoor"))
        assert one["n"] == n
        assert float(one["mean"]) > 0.1
        assert any("object area differs" in r["warning"] and "dog-outdoor" in r["warning"] for r in rows)
    assert any(text.startswith("test: ") and "object area differs" in text for text in watcher.said)
    bare = api.split(tmp_path / "pets", out=tmp_path / "bare", options=SplitOptions(rho=("0.5",), val=2, test=3, balance=False))
    assert not list(bare.rglob("balance*"))
    assert not list(bare.rglob("sheet*"))


def test_a_contact_sheet_of_the_test_set(tmp_path):
    """Every block of the sheet shows pictures of its group, as many as are asked for; 0 is none."""
    origin = open_dataset(photographs(tmp_path / "pets"))
    for sample in origin.samples:
        colour = (0, 0, 250) if sample.label == "cat" else (0, 250, 0)
        cv2.imwrite(sample.image, np.full((24, 32, 3), colour, np.uint8))
    for most in (1, 3):
        out = api.split(origin, out=tmp_path / f"out{most}", options=replace(OPTIONS, sheet=most))
        sheet = cv2.imread(str(out / "sheet.jpg")).astype(int)
        red = (sheet[..., 2] > 200) & (sheet[..., :2].max(axis=2) < 80)
        green = (sheet[..., 1] > 200) & (sheet[..., ::2].max(axis=2) < 80)
        for found in (red, green):
            assert 2 * most * 24 * 32 * 0.8 < found.sum() < 2 * most * 24 * 32 * 1.1
        assert np.nonzero(red)[0].max() < np.nonzero(green)[0].min()
    assert not (api.split(origin, out=tmp_path / "none", options=replace(OPTIONS, sheet=0)) / "sheet.jpg").exists()


def test_the_order_of_the_samples_changes_no_byte(tmp_path):
    """Samples in reverse, and two worker processes, give the same tables."""
    origin = open_dataset(photographs(tmp_path / "pets"))
    turned = Dataset(
        name=origin.name,
        classes=origin.classes,
        samples=origin.samples[::-1],
        masks=origin.masks,
        label_attribute=origin.label_attribute,
        context_attribute=origin.context_attribute,
    )
    one = run_split(origin, options=OPTIONS, out=tmp_path / "one")
    other = run_split(turned, options=OPTIONS, out=tmp_path / "two", executor=LocalExecutor(2))
    assert content(one) == content(other)


def test_the_same_command_does_nothing_and_another_seed_does(tmp_path):
    spec = photographs(tmp_path / "pets")
    watcher = Watcher()
    out = api.split(spec, out=tmp_path / "out", options=OPTIONS)
    created, before = read_manifest(out).key, content(out)
    api.split(spec, out=out, options=OPTIONS, reporter=watcher)
    assert watcher.said == [f"{out}: this split is there already, nothing to do"]
    api.split(spec, out=out, options=SplitOptions(rho=("0.5", "0.9"), val=2, test=3, seed=1))
    assert read_manifest(out).key != created
    assert content(out)["rho-0.5/samples.csv"] != before["rho-0.5/samples.csv"]


def test_relative_paths_survive_a_move(tmp_path):
    """With relative paths, pictures and split can be moved together; with absolute ones the split alone."""
    spec = photographs(tmp_path / "a" / "pets")
    api.split(spec, out=tmp_path / "a" / "out", options=SplitOptions(rho=("0.5",), val=2, test=3, paths="relative"))
    absolute = api.split(spec, out=tmp_path / "far", options=SplitOptions(rho=("0.5",), val=2, test=3))
    shutil.move(absolute, tmp_path / "b" / "deep")
    moved = open_dataset(str(tmp_path / "b" / "deep" / "rho-0.5"))
    assert moved.masks.read(moved.ids[0]) is not None
    shutil.move(tmp_path / "a", tmp_path / "c")
    dataset = open_dataset(str(tmp_path / "c" / "out" / "rho-0.5"))
    assert all(Path(s.image).exists() for s in dataset.samples)
    assert dataset.masks.read(dataset.ids[0]) is not None


def test_masks_in_colours_stay_where_they_are(tmp_path):
    origin = open_dataset(photographs(tmp_path / "pets", colours=True))
    out = api.split(origin, out=tmp_path / "out", options=OPTIONS)
    dataset = open_dataset(str(out / "rho-0.9"))
    assert dataset.classes.colours == origin.classes.colours
    assert all(dataset.masks.read(s.id) == origin.masks.read(s.id) for s in dataset.samples)


def test_masks_drawn_from_annotations_are_written(tmp_path, real_data):
    """COCO-CD without pictures: masks become files, light is missing, and the published size comes out again."""
    spec = f"coco:{real_data}/published/coco_cd/instances_val_balanced.json?groups=indoor,outdoor"
    origin = open_dataset(spec)
    out = api.split(spec, out=tmp_path / "out", options=SplitOptions(rho=("0.9", "0.5"), val=5, test=10))
    for rho in ("0.9", "0.5"):
        dataset = open_dataset(str(out / f"rho-{rho}"))
        assert dataset.classes.ids == origin.classes.ids
        assert sum(s.split == "train" for s in dataset.samples) == 78  # 35 of a group are left: 39 of each class at 0.9
        assert all(dataset.masks.read(s.id) == origin.masks.read(s.id) for s in dataset.samples)
    rows = list(csv.DictReader((out / "balance-test.csv").read_text().splitlines()))
    assert {r["mean"] for r in rows if r["row"] == "group" and r["fact"] == "brightness"} == {""}
    shutil.move(out, tmp_path / "elsewhere")
    moved = open_dataset(str(tmp_path / "elsewhere" / "rho-0.5"))
    assert moved.masks.read(moved.ids[0]) == origin.masks.read(moved.ids[0])


def test_scenes_of_two_attributes_stay_whole(tmp_path):
    """No film stands in two splits."""
    out = api.split(
        photographs(tmp_path / "pets"), out=tmp_path / "out", options=SplitOptions(rho=("0.5",), val=1, test=1, scene=("film",))
    )
    dataset = open_dataset(str(out / "rho-0.5"))
    films: dict[str, set[str]] = {}
    for s in dataset.samples:
        films.setdefault(s.attributes["film"], set()).add(s.split or "")
    assert all(len(splits) == 1 for splits in films.values())
    assert {split for splits in films.values() for split in splits} == {"train", "val", "test"}


def test_scenes_are_clusters_of_the_balance_table(tmp_path):
    """The tables of a split by film are those that the film as the cluster gives."""
    options = SplitOptions(rho=("0.5",), val=0, test=4, scene=("film",))
    out = api.split(photographs(tmp_path / "pets"), out=tmp_path / "out", options=options)
    for file, split in (("rho-0.5/balance.csv", "train"), ("balance-test.csv", "test")):
        by_film, alone = (api.balance(out / "rho-0.5", options=BalanceOptions(split=split, cluster=c)).to_csv() for c in ("film", ""))
        assert (out / file).read_text() == by_film != alone


def test_classes_contexts_and_ties(tmp_path):
    """The tie that is asked for is the one that is made and declared; the manifest says the groups."""
    options = SplitOptions(rho=("1",), val=1, test=1, common=("cat=outdoor", "dog=indoor"), context="place")
    out = api.split(photographs(tmp_path / "pets", context=None), out=tmp_path / "out", options=options)
    assert dict(open_dataset(str(out / "rho-1")).common) == {"cat": "outdoor", "dog": "indoor"}
    details = read_manifest(out).details
    assert details["train"][0]["groups"] == [[0, 7], [7, 0]]
    assert details["context"] == {"how": "attribute"}


def test_a_list_of_ties_may_hold_names_with_commas(tmp_path):
    """They are known from the data."""
    spec = photographs(tmp_path / "pets")
    table = tmp_path / "pets" / "samples.csv"
    table.write_text(table.read_text().replace(",outdoor,", ',"out, far",'))
    options = SplitOptions(rho=("1",), val=1, test=1, common=("cat=out, far,dog=indoor",), balance=False)
    out = run_split(open_dataset(spec), options=options, out=tmp_path / "split")
    assert dict(open_dataset(str(out / "rho-1")).common) == {"cat": "out, far", "dog": "indoor"}


@pytest.mark.slow
def test_a_found_context_goes_into_the_table(tmp_path, real_data):
    """The clusters stand in `found_context`, their stability in the manifest."""
    options = SplitOptions(rho=("0.5",), val=1, test=1, context="found:2", classes=("flamingo", "emu"))
    out = api.split(str(real_data / "animals4"), out=tmp_path / "out", options=options)
    dataset = open_dataset(str(out / "rho-0.5"))
    assert dataset.context_attribute == "found_context"
    assert {s.attributes["found_context"] for s in dataset.samples} == {"found-1", "found-2"}
    assert -1 <= read_manifest(out).details["context"]["stability"] <= 1


def test_a_correlation_that_whole_samples_miss_is_told(tmp_path):
    watcher = Watcher()
    options = SplitOptions(rho=("0.9",), val=2, test=3, train=6)
    api.split(photographs(tmp_path / "pets"), out=tmp_path / "out", options=options, reporter=watcher)
    assert "warning: rho = 0.9 becomes 1.000 with 6 training samples" in watcher.said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rho": ("1.5",)}, r"`rho` must be in \[0, 1\]"),
        ({"rho": ("much",)}, "`rho` must be a number"),
        ({"rho": ()}, "at least once"),
        ({"train": 1000}, "group cat-outdoor is too small for rho = 0.5"),
        ({"test": 8}, r"groups are too small for --val 2 beside --test 8: cat-outdoor \(9 samples\), dog-indoor"),
        ({"classes": ("cat",)}, "at least two values of class; got cat"),
        ({"contexts": ("indoor",)}, "at least two values of context; got indoor"),
        ({"classes": ("cta",)}, "no sample of pets has that label. Did you mean `cat`"),
        ({"contexts": ("moon",)}, "Contexts: indoor, outdoor"),
        ({"context": "plce"}, "Did you mean `place`"),
        ({"common": ("cat:indoor",)}, "must be CLASS=CONTEXT"),
        ({"common": ("cat=indoor",)}, "no context for class 'dog'"),
        ({"common": ("cat=indoor,dog=outdoor", "cat=outdoor")}, r"ties class 'cat' to every context \(indoor, outdoor\), so none is left"),
        ({"common": ("cat=indoor", "dgo=outdoor")}, "'dgo', which is no class here. Did you mean `dog`"),
        ({"common": ("cat=indoor", "dog=outdoor", "cow=outdoor")}, "'cow', which is no class here"),
        ({"common": ("cat=indoor", "dog=indoor")}, "every class to 'indoor'"),
        ({"scene": ("flm",)}, "no attribute `flm`"),
        ({"stuff": ("x.json",)}, "--context area-rule only"),
    ],
)
def test_bad_input_leaves_nothing_behind(tmp_path, change, words):
    given = {"rho": ("0.5",), "val": 2, "test": 3, **change}
    with pytest.raises(InputError, match=words):
        api.split(photographs(tmp_path / "pets"), out=tmp_path / "out", options=SplitOptions(**given))
    assert [p.name for p in tmp_path.iterdir()] == ["pets"]


def test_no_labels_and_no_context(tmp_path, real_data):
    """Each says what is missing and how to bring it."""
    with pytest.raises(InputError, match="no sample has a label"):
        api.split(str(real_data / "pool"), out=tmp_path / "out", options=OPTIONS)
    with pytest.raises(InputError, match=r"--context ATTRIBUTE.*area-rule.*found:2"):
        api.split(str(real_data / "animals4"), out=tmp_path / "out", options=OPTIONS)


def test_a_picture_that_cannot_be_read_makes_no_artifact(tmp_path):
    """The fault names the file, and what is finished is no data set."""
    spec = photographs(tmp_path / "pets")
    for file in (tmp_path / "pets").glob("*.jpg"):
        file.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(FormatError, match=r"\.jpg"):
        api.split(spec, out=tmp_path / "out", options=OPTIONS)
    assert not (tmp_path / "out").exists()


def test_something_else_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="is no figureground artifact"):
        api.split(photographs(tmp_path / "pets"), out=tmp_path / "out", options=OPTIONS)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


def test_an_interrupted_split_ends_with_the_same_bytes(tmp_path, monkeypatch):
    """Stopped while it draws, it goes on behind the last whole shard."""
    from figureground.stages.shift import split_stage

    origin = open_dataset(photographs(tmp_path / "pets"))
    whole = run_split(origin, options=OPTIONS, out=tmp_path / "whole")
    monkeypatch.setattr(split_stage, "SHARD_SIZE", 7)
    worker, calls = split_stage._SampleWorker.__call__, []

    def stop(self, samples):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(samples)
        return worker(self, samples)

    monkeypatch.setattr(split_stage._SampleWorker, "__call__", stop)
    with pytest.raises(KeyboardInterrupt):
        run_split(origin, options=OPTIONS, out=tmp_path / "cut")
    assert not (tmp_path / "cut").exists()
    done = [s.id for samples in calls for s in samples]
    calls.clear()
    monkeypatch.setattr(split_stage._SampleWorker, "__call__", lambda self, s: calls.append(s) or worker(self, s))
    run_split(origin, options=OPTIONS, out=tmp_path / "cut")
    assert not {s.id for samples in calls for s in samples} & set(done)
    assert content(tmp_path / "cut") == content(whole)
    json.loads((tmp_path / "cut" / "manifest.json").read_text())


def test_a_context_decided_by_areas_goes_into_the_table(tmp_path, real_data):
    """Of real COCO pictures: the rule's context is the data set's, and only decided samples take part."""
    coco = real_data / "coco128"
    stuff = tuple(str(coco / f"panoptic/annotations/panoptic_{part}2017.json") for part in ("train", "val"))
    options = SplitOptions(rho=("0.8",), val=0, test=0, context="area-rule", stuff=stuff, classes=("person", "dog"), balance=False)
    dataset = open_dataset(str(api.split(str(coco), out=tmp_path / "out", options=options) / "rho-0.8"))
    assert dataset.context_attribute == "area_context"
    assert {s.attributes["area_context"] for s in dataset.samples} == {"indoor", "outdoor"}
    agreed = [s.attributes["area_context"] == s.attributes["context"] for s in dataset.samples if s.attributes["context"]]
    assert all(agreed)
