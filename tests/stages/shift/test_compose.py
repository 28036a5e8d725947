"""The compose stage: what it writes opens without a fault, and is the same however it came about."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from figureground import api
from figureground.core.errors import ArtifactError, InputError
from figureground.data.dataset import open_dataset
from figureground.data.doctor import find_faults
from figureground.runs.artifact import is_artifact, read_manifest
from figureground.runs.executor import LocalExecutor
from figureground.stages.shift import compose
from figureground.stages.shift.balance_stage import run_balance
from figureground.stages.shift.compose import run_compose
from figureground.stages.shift.composition import KINDS, ComposeOptions
from figureground.stages.shift.sheet import FRAME, contact_sheet
from figureground.stages.shift.split_options import BalanceOptions

OPTIONS = ComposeOptions(train=21, val=1, test=2, size=32, seed=3, rho=0.8, sheet=2)


def contents(folder: Path) -> dict[str, str]:
    """Digest of every file but the manifest, which holds the time."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run_compose(OPTIONS, out=tmp_path_factory.mktemp("compose") / "set")


def test_the_data_set_opens_without_a_fault(made):
    """Own form, class table, ties, masks that hold the class of the sample alone, groups as the dial says."""
    dataset = open_dataset(str(made))
    assert list(find_faults(dataset)) == []
    assert dataset.classes.names == ("background", "duck", "hare")
    assert dataset.common == {"duck": "shore", "hare": "forest"}
    assert (dataset.label_attribute, dataset.context_attribute) == ("label", "context")
    for sample in dataset.samples:
        assert np.unique(dataset.masks.read(sample.id).values).tolist() == [0, dataset.classes.id_of(sample.label)]
        assert cv2.imread(sample.image).shape == (32, 32, 3)
    counts = Counter((s.split, s.label, s.attributes["context"]) for s in dataset.samples)
    assert counts[("train", "duck", "shore")] == 9
    assert counts[("train", "duck", "forest")] == 2
    assert counts[("train", "hare", "forest")] == 8
    assert counts[("train", "hare", "shore")] == 2
    assert {n for (split, _, _), n in counts.items() if split == "val"} == {1}
    assert {n for (split, _, _), n in counts.items() if split == "test"} == {2}
    assert [s.id for s in dataset.samples][20:23] == ["train_000020", "val_000000", "val_000001"]


def test_what_is_written_is_what_is_drawn(made):
    """Masks and, without loss, pictures on disk are those of the composition; columns tell what they say."""
    composition = KINDS.resolve("figures")(OPTIONS)
    dataset = open_dataset(str(made))
    for index, sample in enumerate(dataset.samples):
        picture = composition.draw(index)
        assert np.array_equal(dataset.masks.read(sample.id).dense(), picture.mask)
        found = cv2.imread(sample.image)[..., ::-1].astype(int)
        assert np.abs(found - picture.image).mean() < 6
        assert float(sample.attributes["area"]) == pytest.approx((picture.mask > 0).mean(), abs=1e-4)


def test_png_keeps_every_bit(tmp_path):
    out = run_compose(ComposeOptions(train=2, val=0, test=0, size=32, pictures="png", sheet=0), out=tmp_path / "set")
    composition = KINDS.resolve("figures")(ComposeOptions(train=2, val=0, test=0, size=32))
    for index in range(2):
        assert np.array_equal(cv2.imread(str(out / f"images/train_00000{index}.png"))[..., ::-1], composition.draw(index).image)
    assert not (out / "sheet.jpg").exists()


@pytest.mark.slow
def test_processes_change_nothing(made, tmp_path):
    """Two worker processes write the same bytes as this one."""
    out = run_compose(OPTIONS, out=tmp_path / "set", executor=LocalExecutor(2))
    assert contents(out) == contents(made)


class Breaks:
    """An executor that raises after some batches."""

    workers = 1

    def __init__(self, after: int, error: BaseException) -> None:
        self.after, self.error = after, error

    def map_batches(self, make_worker, batches):
        worker = make_worker()
        for number, batch in enumerate(batches):
            if number == self.after:
                raise self.error
            yield worker(batch)


class Counts(LocalExecutor):
    seen = 0

    def map_batches(self, make_worker, batches):
        for result in super().map_batches(make_worker, batches):
            self.seen += 1
            yield result


def test_an_interrupted_run_goes_on(made, tmp_path, monkeypatch):
    """What is done is not drawn again, and the end is the same; a finished one is left alone."""
    monkeypatch.setattr(compose, "SHARD_SIZE", 7)
    with pytest.raises(KeyboardInterrupt):
        run_compose(OPTIONS, out=tmp_path / "set", executor=Breaks(2, KeyboardInterrupt()))
    assert not (tmp_path / "set").exists()
    kept = tmp_path / "set.partial" / "images" / "train_000000.jpg"
    kept.write_bytes(before := kept.read_bytes() + b" ")  # shows that it is not written again
    counts = Counts()
    out = run_compose(OPTIONS, out=tmp_path / "set", executor=counts)
    assert counts.seen == 5 - 2
    assert (out / "images" / "train_000000.jpg").read_bytes() == before
    (out / "images" / "train_000000.jpg").write_bytes(before[:-1])
    assert contents(out) == contents(made)
    assert run_compose(OPTIONS, out=out, executor=counts) == out
    assert counts.seen == 3


def test_a_full_disk_is_one_error(tmp_path):
    """It says so, leaves no data set, and the same command goes on."""
    with pytest.raises(InputError, match=r"set: cannot be written \(No space left on device\)"):
        run_compose(OPTIONS, out=tmp_path / "set", executor=Breaks(0, OSError(errno.ENOSPC, "No space left on device")))
    assert not is_artifact(tmp_path / "set")
    assert is_artifact(run_compose(OPTIONS, out=tmp_path / "set"))


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ArtifactError, match="left alone"):
        run_compose(OPTIONS, out=tmp_path)


def test_all_pictures_of_a_figure_are_a_cluster(tmp_path):
    """The table beside the pictures is the one that `figure` as the cluster gives, and not the one without."""
    options = ComposeOptions(train=0, val=0, test=4, size=32, pictures="png", sheet=0)
    out = run_compose(options, out=tmp_path / "set")
    written = (out / "balance.csv").read_text()
    assert run_balance(open_dataset(str(out)), options=BalanceOptions(cluster="figure")).to_csv() == written
    assert run_balance(open_dataset(str(out))).to_csv() != written


def test_manifest_and_balance(made):
    """The manifest holds options, groups and association; the balance table is that of the training pictures."""
    manifest = read_manifest(made, kind="dataset")
    assert manifest.seed == 3
    assert manifest.options["rho"] == 0.8
    assert manifest.counts == {"samples": 21 + 4 * 3}
    assert manifest.details["groups"]["train"] == {"duck": {"shore": 9, "forest": 2}, "hare": {"forest": 8, "shore": 2}}
    assert manifest.details["common"] == {"duck": "shore", "hare": "forest"}
    table = np.array([[9, 2], [2, 8]])
    share = table / 21
    expected = (share * np.log(share / np.outer(share.sum(axis=1), share.sum(axis=0)))).sum()
    assert manifest.details["mutual_information"] == pytest.approx(expected, abs=1e-9)
    rows = list(csv.DictReader((made / "balance.csv").read_text().splitlines()))
    groups = {(r["class"], r["context"]): int(r["n"]) for r in rows if r["row"] == "group" and r["fact"] == "object_area" and r["context"]}
    assert groups == {("duck", "shore"): 9, ("duck", "forest"): 2, ("hare", "forest"): 8, ("hare", "shore"): 2}
    assert {float(r["mean"]) for r in rows if r["row"] == "group" and r["fact"] == "border_contact"} == {0.0}


def test_a_test_set_is_balanced(tmp_path):
    """Groups of a class differ in nothing but what a ground is, its light and its sharpness; classes no more than chance has it."""
    out = run_compose(ComposeOptions(train=0, val=0, test=100, size=32, sheet=0), out=tmp_path / "set")
    rows = list(csv.DictReader((out / "balance.csv").read_text().splitlines()))
    within = {r["fact"]: abs(float(r["value"])) for r in rows if r["row"] == "context" and r["class"] == "duck"}
    assert [within[fact] for fact in ("object_area", "centre_x", "centre_y", "objects", "border_contact")] == [0] * 5
    assert within["brightness"] > 1
    across = {r["fact"]: abs(float(r["value"])) for r in rows if r["row"] == "class" and not r["context"]}
    # the standard error of a difference of two classes of 200 is 0.1
    assert max(across[fact] for fact in ("object_area", "centre_x", "centre_y", "brightness")) < 0.25


def test_the_sheet_shows_every_group():
    """Blocks in order, the tied groups framed, larger pictures made smaller, smaller ones kept."""
    tints = {("a", "x"): 10, ("a", "y"): 80, ("b", "x"): 150, ("b", "y"): 220}
    groups = {group: [np.full((200, 200, 3), tint, np.uint8)] * 3 for group, tint in tints.items()}
    sheet = contact_sheet(groups, classes=["a", "b"], contexts=["x", "y"], common={"a": "x", "b": "y"}, caption="two by two")
    places = {}
    for group, tint in tints.items():
        y, x = np.nonzero((sheet == tint).all(axis=2))
        assert 3 * 127 * 127 < len(y) < 3.1 * 128 * 128
        places[group] = y.mean(), x.mean()
    assert places["a", "x"][0] == pytest.approx(places["a", "y"][0], abs=1)
    assert places["a", "x"][0] < places["b", "x"][0]
    assert places["a", "x"][1] < places["a", "y"][1]
    framed = np.argwhere((sheet == FRAME).all(axis=2))
    for group, tied in ((("a", "x"), True), (("a", "y"), False), (("b", "x"), False), (("b", "y"), True)):
        near = np.abs(framed - places[group]).max(axis=1) < 160
        assert near.any() == tied or not tied
    assert len(framed) > 1500
    empty = contact_sheet({}, classes=["a"], contexts=["x"], common={}, caption="")
    assert empty.ndim == 3


def test_the_library_call(tmp_path):
    """`api.compose` does what the command does."""
    out = api.compose(tmp_path / "set", options=ComposeOptions(train=4, val=0, test=1, size=32, classes=4, contexts=5))
    assert len(open_dataset(str(out))) == 4 + 20
    assert json.loads((out / "manifest.json").read_text())["kind"] == "dataset"


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match="figures"):
        run_compose(ComposeOptions(kind="figurs"), out=tmp_path / "set")
