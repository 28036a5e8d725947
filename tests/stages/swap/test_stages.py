"""Backgrounds and swapped data sets on disk: what is in them, that they repeat and resume, and what bad input does."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.stages.swap.world import FILL, MAKE, cells_of, files_of, patch_labels, pictures, small_world, square, world
from tests.support import Watcher

from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.data.backgrounds import read_backgrounds
from figureground.data.dataset import open_dataset
from figureground.data.pixels import read_picture
from figureground.data.recombine import swap_stream
from figureground.data.splits import training_part
from figureground.data.swapper import Swapper
from figureground.runs.executor import LocalExecutor, open_executor
from figureground.stages.swap.build import run_build
from figureground.stages.swap.infill import run_infill
from figureground.stages.swap.options import BuildOptions
from figureground.stages.swap.proof import association, proof_sentence


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return world(tmp_path_factory.mktemp("swap"))


@pytest.fixture(scope="module")
def bank(data, tmp_path_factory):
    return run_infill(data, options=FILL, out=tmp_path_factory.mktemp("bank") / "bg")


@pytest.fixture(scope="module")
def made(data, bank, tmp_path_factory):
    return run_build(bank, data, options=MAKE, out=tmp_path_factory.mktemp("made") / "set")


def test_backgrounds_are_the_pictures_without_their_figures(data, bank):
    """Training pictures alone; outside the hole to the bit, inside the mean colour; the figure is that of the mask."""
    found, train = read_backgrounds(bank), data.select(split="train")
    assert found.ids == train.ids
    assert set(found.pools) == {"duck", "hare"}
    for row, sample in enumerate(train.samples):
        figure = data.masks.read(sample.id).dense() > 0
        assert np.array_equal(found.figure(sample.id), figure)
        ground, picture = found.read_ground(row), read_picture(sample.image)
        changed = (ground != picture).any(axis=2)
        near = {(y + dy, x + dx) for y, x in np.argwhere(figure).tolist() for dy in range(-2, 3) for dx in range(-2, 3)}
        assert {tuple(place) for place in np.argwhere(changed).tolist()} <= near
        assert len(np.unique(ground[figure], axis=0)) == 1
    table = pq.read_table(bank / "grounds.parquet").to_pydict()
    assert table["iou"] == [1.0] * len(train)
    assert table["hidden"] == [1.0] * len(train)
    assert table["leakage"] == [0.0] * len(train)


def test_after_the_swap_the_ground_says_nothing(data, made):
    """Label and context: one decides the other before; after it is what chance alone leaves, by an oracle that counts the table itself."""
    proof, found = json.loads((made / "proof.json").read_text()), open_dataset(str(made))
    rows = found.select(split="train")
    assert (proof["samples"], proof["pictures"], proof["swapped"]) == (16, 48, 48)
    assert proof["context"]["before"]["mutual_information"] == pytest.approx(math.log(2))
    assert proof["context"]["before"]["cramers_v"] == 1.0
    pairs = [(s.label, found.attribute(s, "context")) for s in rows.samples]
    oracle = 0.0
    for a, b in set(pairs):
        joint = pairs.count((a, b)) / 48
        oracle += joint * math.log(joint / (sum(p[0] == a for p in pairs) / 48) / (sum(p[1] == b for p in pairs) / 48))
    assert proof["context"]["after"]["mutual_information"] == pytest.approx(oracle, abs=1e-12)
    assert oracle < 6 * proof["context"]["after"]["expected"]
    assert proof["source"]["before"]["mutual_information"] == pytest.approx(math.log(2))
    assert proof["masks"] == {"iou": 1.0, "kept": 1.0, "hidden": 1.0, "leakage": 0.0, "n": 16}
    assert not any(proof["gates"].values())
    words = proof_sentence(proof)
    assert "48 of 48 pictures stand on a drawn ground. Mutual information of label and context: 0.6931 nats before" in words


def test_an_ideal_swap_of_many_leaves_no_information(data, bank):
    """Twenty thousand draws: mutual information of the order of chance alone, every background drawn, classes alike."""
    found = read_backgrounds(bank)
    rows = [found.drawn(swap_stream(seed=0, epoch=e, index=i)) for e in range(1250) for i in range(16)]
    after = association([found.labels[i] for i in range(16)] * 1250, [found.labels[row] for row in rows])
    assert after.mutual_information < 10 * after.expected < 1e-3
    counts = np.bincount(rows, minlength=16)
    assert counts.min() > 1000


def test_masks_follow_their_figures(data, made):
    """Each mask holds the label of its picture and ground; rows say where both are from; other splits are as they were."""
    found = open_dataset(str(made))
    for sample in found.select(split="train").samples:
        mask = found.masks.read(sample.id).dense()
        assert set(np.unique(mask)) == {0, found.classes.id_of(sample.label)}
        own = data.sample(sample.attributes["swap_figure"])
        assert sample.label == own.label
        assert sample.attributes["swap_context"] == own.attributes["context"]
    for split in ("val", "test"):
        assert [s.id for s in found.select(split=split).samples] == [s.id for s in data.select(split=split).samples]
        one = found.select(split=split).samples[0]
        assert np.array_equal(found.masks.read(one.id).dense(), data.masks.read(one.id).dense())


def test_the_picture_off_the_figure_is_the_ground(data, bank, tmp_path):
    """Without change of the figure every picture is figure on ground, to the bit."""
    still = BuildOptions(scale_low=1, scale_high=1, turn=0, shift=0, pictures="png", others=False)
    found, grounds = open_dataset(str(run_build(bank, data, options=still, out=tmp_path / "o"))), read_backgrounds(bank)
    for sample in found.samples:
        own, ground = (sample.attributes[name] for name in ("swap_figure", "swap_ground"))
        figure = grounds.figure(own)[..., None]
        expected = np.where(figure, read_picture(data.sample(own).image), grounds.read_ground(grounds.rows[ground]))
        assert np.array_equal(read_picture(sample.image), expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("engine", ["workers", "ray"])
def test_engines_give_the_same_bytes(data, bank, made, tmp_path, engine, request):
    """One process, two processes and Ray: both artifacts are the same to the byte."""
    if engine == "ray":
        request.getfixturevalue("ray_on_one_node")
    executor = LocalExecutor(2) if engine == "workers" else open_executor("ray", workers=2)
    assert files_of(run_infill(data, options=FILL, out=tmp_path / "bg", executor=executor)) == files_of(bank)
    assert files_of(run_build(tmp_path / "bg", data, options=MAKE, out=tmp_path / "set", executor=executor)) == files_of(made)


def test_interrupted_runs_go_on_to_the_same_bytes(data, bank, made, tmp_path, monkeypatch):
    """Ctrl-C after a shard of either stage; the same command ends with the bytes of a run in one go, and then does nothing."""
    for module, size in (("infill", 4), ("build", 8)):
        monkeypatch.setattr(f"figureground.stages.swap.{module}.SHARD_SIZE", size)
    fill = {"options": dataclasses.replace(FILL, infill="patches"), "out": tmp_path / "bg"}
    with pytest.raises(KeyboardInterrupt):
        run_infill(data, **fill, reporter=Watcher(stop_after=8))
    assert not (tmp_path / "bg").exists()
    watcher = Watcher()
    run_infill(data, **fill, reporter=watcher)
    assert watcher.steps == 8
    whole = run_infill(data, options=fill["options"], out=tmp_path / "whole")
    assert files_of(whole) == files_of(tmp_path / "bg")
    with pytest.raises(KeyboardInterrupt):
        run_build(bank, data, options=MAKE, out=tmp_path / "set", reporter=Watcher(stop_after=24))
    assert files_of(run_build(bank, data, options=MAKE, out=tmp_path / "set")) == files_of(made)
    watcher = Watcher()
    run_build(bank, data, options=MAKE, out=tmp_path / "set", reporter=watcher)
    assert (watcher.steps, "nothing to do" in watcher.said[0]) == (0, True)


def test_a_corrupt_picture_in_the_middle_is_a_row_in_failures(tmp_path):
    """It stops the run, or is listed and left out by both stages; it is never replaced by another."""
    data = small_world(tmp_path / "d")
    (tmp_path / "d" / "s3.png").write_bytes((tmp_path / "d" / "s3.png").read_bytes()[:200])
    with pytest.raises(FormatError, match="s3"):
        run_infill(data, options=FILL, out=tmp_path / "bg")
    assert not (tmp_path / "bg").exists()
    bank = run_infill(data, options=dataclasses.replace(FILL, max_failures=1), out=tmp_path / "bg")
    failures = json.loads((bank / "failures.json").read_text())
    assert [row["sample"] for row in failures] == ["s3"]
    assert "s3" not in read_backgrounds(bank).ids
    found = run_build(bank, data, options=MAKE, out=tmp_path / "o")
    assert [row["sample"] for row in json.loads((found / "failures.json").read_text())] == ["s3"]
    rows = open_dataset(str(found)).samples
    assert len(rows) == 7 * 3
    assert not any("s3" in (s.attributes["swap_figure"], s.attributes["swap_ground"]) for s in rows)


def test_gates_keep_pictures_as_they_are_and_out_of_the_bank(tmp_path):
    """An empty mask: shown as it is, no background; one that covers all: likewise; both are counted and told."""

    def change(some, labels, masks):
        masks["s0"], masks["s1"] = masks["s0"] * 0, np.full_like(masks["s1"], 2)

    data = small_world(tmp_path / "d", change=change)
    bank = run_infill(data, options=FILL, out=tmp_path / "bg")
    found = read_backgrounds(bank)
    assert (found.figure("s0"), found.figure("s1"), found.images[:2]) == (None, None, ("", ""))
    table = pq.read_table(bank / "grounds.parquet").to_pydict()
    assert table["gates"][:2] == [["empty-tight", "empty-loose"], ["large", "full-loose"]]
    made = run_build(bank, data, options=MAKE, out=tmp_path / "o")
    proof, rows = json.loads((made / "proof.json").read_text()), open_dataset(str(made))
    assert {gate: n for gate, n in proof["gates"].items() if n} == {"empty-tight": 1, "large": 1, "empty-loose": 1, "full-loose": 1}
    assert (proof["pictures"], proof["swapped"]) == (24, 18)
    for sample in rows.samples:
        if sample.attributes["swap_figure"] in ("s0", "s1"):
            assert sample.attributes["swap_ground"] == ""
            assert np.array_equal(read_picture(sample.image), pictures(8)[sample.attributes["swap_figure"]])


def test_patch_labels_of_some_pictures_are_enough(data, tmp_path):
    """Only labelled pictures are cut out and filled; the others are shown as they are, and counted."""
    train = training_part(data, "train")
    where = patch_labels(tmp_path / "labels", {i: cells_of(data, i) for i in train.ids[:6]})
    bank = run_infill(data, options=dataclasses.replace(FILL, masks=f"labels:{where}"), out=tmp_path / "bg")
    proof = json.loads((run_build(bank, data, out=tmp_path / "o") / "proof.json").read_text())
    assert (proof["swapped"], proof["gates"]["no-mask"]) == (6, 10)
    assert proof["masks"]["n"] == 6
    assert 0 < proof["masks"]["leakage"] < 0.6
    assert 0.3 < proof["masks"]["iou"] < 1


def test_random_masks_leave_figures_in_the_grounds(data, tmp_path):
    """The control: cut-outs that are mostly old ground, and figures that the holes do not hide."""
    bank = run_infill(data, options=dataclasses.replace(FILL, masks="random"), out=tmp_path / "bg")
    masks = json.loads((run_build(bank, data, out=tmp_path / "o") / "proof.json").read_text())["masks"]
    assert masks["leakage"] > 0.5
    assert masks["hidden"] < 0.7


def test_a_class_without_backgrounds_is_told(tmp_path):
    """One clear error that names the class; of one class alone nothing can be drawn."""

    def change(some, labels, masks):
        labels["s6"], labels["s7"] = "dog", "cat"
        for name, label in labels.items():
            masks[name] = masks[name] * 0 if label == "dog" else square()

    data = small_world(tmp_path / "d", change=change)
    bank = run_infill(data, options=FILL, out=tmp_path / "bg")
    with pytest.raises(InputError, match=r"no background is of the class 'dog'.*some of its pictures$"):
        run_build(bank, data, out=tmp_path / "o")
    with pytest.raises(InputError, match="all backgrounds are of the class 'cat'"):
        run_build(bank, data, options=BuildOptions(allow_missing=True), out=tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_allow_missing_draws_from_the_classes_that_are_there(data, bank, tmp_path):
    """Three classes of which one has no background: its pictures are swapped onto grounds of the other two."""
    found = read_backgrounds(bank)
    labels = ["goat", *found.labels[1:]]
    with pytest.raises(InputError, match=r"'goat'.*, or draw from duck, hare alone with `allow_missing`"):
        found.check(labels, BuildOptions())
    found.check(labels, BuildOptions(allow_missing=True))


@pytest.mark.parametrize(
    ("what", "words"),
    [("one", "one class 'cat'"), ("none", "neither label nor mask"), ("masks", "no masks"), ("other", "made of other data")],
)
def test_data_that_cannot_be_swapped_is_told(tmp_path, what, words):
    """One class only, no labels, no masks where they are asked for, backgrounds of another data set."""

    def change(some, labels, masks):
        if what == "one":
            labels |= dict.fromkeys(labels, "cat")
        if what == "none":
            labels |= dict.fromkeys(labels, "")
        if what in ("none", "masks"):
            masks.clear()

    data, bank = small_world(tmp_path / "d", change=change), tmp_path / "bg"
    if what == "other":
        run_infill(data, options=FILL, out=bank)
        with pytest.raises(InputError, match=words):
            run_build(bank, small_world(tmp_path / "e", 10), out=tmp_path / "o")
        return
    with pytest.raises(InputError, match=words):
        run_infill(data, options=FILL, out=bank)
    assert not bank.exists()


def test_backgrounds_of_other_data_are_told(tmp_path):
    """The same ids with another picture, or another class, would put figures where none are."""
    from figureground.data.write import png_rgb_bytes

    data = small_world(tmp_path / "d")
    bank = run_infill(data, options=FILL, out=tmp_path / "bg")
    table = (tmp_path / "d" / "samples.csv").read_text()
    (tmp_path / "d" / "samples.csv").write_text(table.replace("s2-mask.png,cat,", "s2-mask.png,dog,"))
    with pytest.raises(InputError, match="other data, sample 's2' is of class 'cat' there and 'dog' here"):
        run_build(bank, open_dataset(str(tmp_path / "d")), out=tmp_path / "o")
    (tmp_path / "d" / "samples.csv").write_text(table)
    (tmp_path / "d" / "s2.png").write_bytes(png_rgb_bytes(np.zeros((20, 24, 3), np.uint8)))
    with pytest.raises(InputError, match="other data, sample 's2' has another picture there than"):
        run_build(bank, data, out=tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_masks_that_leave_nothing_to_swap_are_told(tmp_path):
    """Every figure too small; masks that cover everything."""
    with pytest.raises(InputError, match=r"no figure can be cut out of 8 pictures \(8 small\). Give other --masks"):
        run_infill(small_world(tmp_path / "d"), options=dataclasses.replace(FILL, coverage_low=0.79), out=tmp_path / "bg")
    full = small_world(tmp_path / "full", change=lambda some, labels, masks: masks.update({n: m * 0 + m.max() for n, m in masks.items()}))
    for limit, words in (
        (0.8, r"no figure can be cut out of 8 pictures \(8 large, 8 full-loose\)"),
        (1.0, "no picture is left for a background"),
    ):
        with pytest.raises(InputError, match=words):
            run_infill(full, options=dataclasses.replace(FILL, coverage_high=limit), out=tmp_path / "bg")
    assert not (tmp_path / "bg").exists()


def test_a_class_whose_figures_cannot_be_cut_out_is_told(tmp_path):
    """Its pictures would keep their own ground, and that would tell it from the others: as bad as before the swap."""

    def change(some, labels, masks):
        for name in ("s1", "s3", "s5", "s7"):
            masks[name] = np.full_like(masks[name], 2)
            masks[name][:, :10] = 0

    data = small_world(tmp_path / "d", change=change)
    bank = run_infill(data, options=dataclasses.replace(FILL, coverage_high=0.5), out=tmp_path / "bg")
    with pytest.raises(InputError, match="no figure of class 'dog' can be cut out, so that its pictures would all keep their own grounds"):
        run_build(bank, data, out=tmp_path / "o")
    assert not (tmp_path / "o").exists()
    rows = open_dataset(str(run_build(bank, data, options=BuildOptions(allow_missing=True), out=tmp_path / "o"))).samples
    assert {s.label for s in rows if s.attributes["swap_ground"]} == {"cat"}
    with pytest.raises(InputError, match="no figure can be cut out of these 2 samples"):
        Swapper.of(bank, ["s1", "s3"], options=BuildOptions())


def test_grounds_of_held_out_pictures_are_not_drawn(data, bank):
    """Backgrounds of more pictures than are trained on: the others' stay out, and nothing changes where all are trained on."""
    whole = read_backgrounds(bank)
    assert whole.of(whole.ids) is whole
    half = whole.ids[: len(whole.ids) // 2]
    swapper = Swapper.of(bank, half, options=BuildOptions())
    drawn = {swapper.grounds.ids[swapper.grounds.drawn(np.random.default_rng(k))] for k in range(300)}
    assert drawn == set(half)
    assert {whole.labels[whole.rows[i]] for i in drawn} == {"duck", "hare"}


def test_a_broken_background_names_the_pictures_that_are_not_made(data, tmp_path):
    bank = run_infill(data, options=FILL, out=tmp_path / "bg")
    broken = read_backgrounds(bank)
    (bank / broken.images[3]).write_bytes(b"")
    made = run_build(bank, data, options=dataclasses.replace(MAKE, max_failures=40), out=tmp_path / "o")
    failures = json.loads((made / "failures.json").read_text())
    assert failures
    assert all(row["file"].endswith(broken.images[3]) for row in failures)
    there = {s.id for s in open_dataset(str(made)).samples if s.split == "train"}
    assert there | {row["sample"] for row in failures} == {f"{i}-{copy}" for i in training_part(data, "train").ids for copy in range(3)}
    assert not there & {row["sample"] for row in failures}


def test_backgrounds_that_are_damaged_are_told(bank, tmp_path):
    """No artifact, another kind, a table that is no table."""
    with pytest.raises(ArtifactError, match="no artifact is here"):
        read_backgrounds(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "audit", "schema": 1, "details": {}, "key": ""}))
    with pytest.raises(ArtifactError, match="'backgrounds', found 'audit'"):
        read_backgrounds(tmp_path)
    (tmp_path / "manifest.json").write_text((bank / "manifest.json").read_text())
    (tmp_path / "grounds.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(FormatError, match="cannot be read"):
        read_backgrounds(tmp_path)


def test_backgrounds_of_one_size(data, tmp_path):
    """With --size every background has it; swapped pictures keep their own, which is told."""
    bank = run_infill(data, options=dataclasses.replace(FILL, size=48), out=tmp_path / "bg")
    found = read_backgrounds(bank)
    assert {found.read_ground(row).shape for row in range(16)} == {(48, 48, 3)}
    told = Watcher()
    made = open_dataset(str(run_build(bank, data, out=tmp_path / "o", reporter=told))).select(split="train")
    assert {read_picture(s.image).shape for s in made.samples} == {(32, 32, 3)}
    assert any("backgrounds were made at 48 px, and pictures keep their own size" in line for line in told.said)
