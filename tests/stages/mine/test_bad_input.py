"""What cannot be mined is refused in one sentence that names the model, the sample or the file."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.stages.mine.oracle import Round
from tests.stages.mine.pools import (
    CLASSES,
    generated,
    mined,
    pool,
    rows_of,
    streams,
    write_all,
    write_artifact,
    write_folder,
    write_pool_table,
    write_training,
)
from tests.stages.mine.test_exactness import check_equal, generated_of
from tests.support import Watcher

from figureground.core.errors import Fault, FormatError, InputError
from figureground.core.types import ClassTable
from figureground.data.pool import open_pool
from figureground.runs.artifact import read_manifest
from figureground.stages.mine import passage, stage
from figureground.stages.mine.options import MineOptions

COUNT = 60


@pytest.fixture(scope="module")
def data():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passage, "CHUNK", 20)
        found = generated(COUNT, seed=21)
        yield replace(found, maps={name: found.maps[name] for name in ("target", "apart")})


@pytest.fixture
def specs(tmp_path, data):
    return write_all(tmp_path / "in", data, shard=20)


def refused(error, out: Path, *given, **options) -> str:
    """The message with which mining is refused; no queue is left behind."""
    with pytest.raises(error) as caught:
        mined(out, *given, **options)
    assert not out.exists()
    return str(caught.value)


def rewrite(file: Path, change) -> None:
    """A table of an artifact with its columns changed."""
    table = pq.read_table(file)
    columns = {name: table[name].to_pylist() for name in table.column_names}
    change(columns)
    pq.write_table(pa.table({name: pa.array(own, table.schema.field(name).type) for name, own in columns.items()}), file)


def without(data, model: str, missing) -> dict[str, np.ndarray]:
    return {i: m for i, m in data.maps[model].items() if i not in missing}


# Classes


def test_classes_that_the_pool_does_not_have_are_named(tmp_path, data, specs):
    theirs = ClassTable(names=("ground", "tabby", "dog", "bird", "lynx"), ids=CLASSES.ids)
    rival = write_artifact(tmp_path / "other", data.maps["apart"], classes=theirs)
    message = refused(InputError, tmp_path / "out", pool(data), [specs[0], rival])
    assert "'other' knows classes that the pool does not have: 'tabby', 'lynx'" in message
    assert "--class-map other:tabby=CLASS" in message


def test_the_same_names_with_other_ids_need_no_class_map(tmp_path, data, specs):
    """The names decide."""
    theirs = ClassTable(names=("cat", "dog", "bird", "rare", "ground"), background=4)
    table = np.zeros(256, np.uint8)
    table[[0, 1, 2, 5, 9]] = 4, 0, 1, 2, 3
    rival = write_artifact(tmp_path / "apart", {i: table[m] for i, m in data.maps["apart"].items()}, classes=theirs)
    out = mined(tmp_path / "out", pool(data), [specs[0], rival], top=4)
    check_equal(out, Round(ids=data.ids, maps=data.maps, classes=CLASSES, top=4))


def test_a_model_of_fewer_classes_is_compared_with_those_it_has(tmp_path, data, specs):
    fewer = ClassTable(names=("ground", "cat", "dog"), ids=(0, 1, 2))
    maps = {i: np.where(m > 2, 0, m).astype(np.uint8) for i, m in data.maps["apart"].items()}
    rival = write_artifact(tmp_path / "fewer", maps, classes=fewer)
    out = mined(tmp_path / "out", pool(data), [specs[0], rival], top=4)
    check_equal(out, Round(ids=data.ids, maps={"target": data.maps["target"], "fewer": maps}, classes=CLASSES, top=4))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("apart", "must be NAME:THEIRS=OURS"),
        ("apart:", "must be NAME:THEIRS=OURS"),
        ("apart:cat", "must be NAME:THEIRS=OURS"),
        ("apart:cat=", "must be NAME:THEIRS=OURS"),
        ("apart:=cat", "must be NAME:THEIRS=OURS"),
        ("apart: =cat", "must be NAME:THEIRS=OURS"),
        ("apart:cat=dog=bird", "must be NAME:THEIRS=OURS"),
        ("aprt:cat=dog", "there is no model 'aprt'. Did you mean `apart`"),
        ("apart:cta=cat", "the model has no class 'cta'. Did you mean `cat`"),
        ("apart:3=cat", "the model has no class '3'"),
        ("apart:cat=cta", "the pool has no class 'cta'. Did you mean `cat`"),
        ("apart:cat=1", "the pool has no class '1'"),
        ("apart:cat=dog,cat=bird", "'cat' cannot be both 'dog' and 'bird'"),
    ],
)
def test_a_class_map_that_means_nothing_is_refused(text, told, tmp_path, data, specs):
    assert told in refused(InputError, tmp_path / "out", pool(data), specs, class_map=(text,))


@pytest.mark.parametrize("key", ["70000", "-1", "1.5", "²", "cat"])
def test_a_folder_without_names_is_mapped_by_numbers_alone(key, tmp_path, data, specs):
    folder = write_folder(tmp_path / "bare", data.maps["apart"])
    message = refused(InputError, tmp_path / "out", pool(data), [specs[0], f"png:{folder}"], raw=["bare"], class_map=(f"bare:{key}=cat",))
    assert f"--class-map bare:{key}=...: the model has no class '{key}'" in message
    assert "ids from 0 to 65535" in message


def test_a_number_that_a_class_map_leaves_out_is_named(tmp_path, data, specs):
    """As it stands in the file, with the sample."""
    maps = dict(data.maps["apart"])
    maps[data.ids[3]] = np.full_like(maps[data.ids[3]], 77)
    folder = write_folder(tmp_path / "bare", maps)
    message = refused(FormatError, tmp_path / "out", pool(data), [specs[0], f"png:{folder}"], raw=["bare"], class_map=("bare:1=dog",))
    assert "the map of 'bare' holds 77, which is no class id" in message
    assert data.ids[3] in message


def test_a_training_set_of_other_classes_is_refused(tmp_path, data, specs):
    mask = {"t": np.ones((4, 4), np.uint8)}
    swapped = ClassTable(names=("ground", "dog", "cat", "bird", "rare"), ids=CLASSES.ids)
    larger = ClassTable(names=(*CLASSES.names, "lynx"), ids=(*CLASSES.ids, 11))
    for name, classes, told in (("swapped", swapped, "cat (1, there 2)"), ("larger", larger, "'lynx', which the pool does not have")):
        training = write_training(tmp_path / name, mask, classes=classes)
        message = refused(InputError, tmp_path / "out", pool(data), specs, train=str(training))
        assert "has other classes than the pool" in message
        assert told in message


def test_a_training_set_without_masks_gives_no_areas(tmp_path, data, specs):
    """Where areas are given, or for another selector, its pictures are enough."""
    training = write_training(tmp_path / "training", {}, {"t": np.zeros((40, 40), np.uint8)})
    message = refused(InputError, tmp_path / "out", pool(data), specs, train=str(training))
    assert "no masks to take the areas of classes from" in message
    for name, options in (("given", {"area": ("0,1",)}), ("random", {"selector": "random"})):
        out = mined(tmp_path / name, pool(data), specs, train=str(training), **options)
        assert read_manifest(out).details["training_pictures"] == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.5,0.2", "0 <= LOW <= HIGH <= 1"),
        ("0,1.5", "0 <= LOW <= HIGH <= 1"),
        ("-0.1,1", "0 <= LOW <= HIGH <= 1"),
        ("nan,1", "0 <= LOW <= HIGH <= 1"),
        ("0.5", "must be quartiles, sd, LOW,HIGH or CLASS=LOW,HIGH"),
        ("median", "must be quartiles, sd, LOW,HIGH or CLASS=LOW,HIGH"),
        ("cta=0,1", "'cta' is no foreground class. Did you mean `cat`"),
        ("ground=0,1", "'ground' is no foreground class"),
    ],
)
def test_areas_that_are_no_parts_of_a_picture_are_refused(text, told, tmp_path, data, specs):
    assert told in refused(InputError, tmp_path / "out", pool(data), specs, area=(text,))


# Models


def test_two_models_of_one_name_are_refused(tmp_path, data, specs):
    opened = streams([specs[0], specs[1]])
    twins = [opened[0], replace(opened[1], name="target")]
    with pytest.raises(InputError, match=r"distinct names; got target, target\. Give one as NAME=SPEC"):
        stage.run_mine(pool(data), twins[0], twins[1:], options=MineOptions(), out=tmp_path / "out")


@pytest.mark.parametrize("text", ["apart=0", "apart=1.5", "apart=nan", "apart=much", "apart=", "target=0.5", "other=0.5", "0.5"])
def test_a_weight_is_a_part_of_one_for_a_rival(text, tmp_path, data, specs):
    message = refused(InputError, tmp_path / "out", pool(data), specs, weight=(text,))
    assert ("NAME=W with W in (0, 1]" in message) == text.startswith("apart=")
    assert ("there is no rival" in message) != text.startswith("apart=")


@pytest.mark.parametrize("selector", ["mad", "committee"])
def test_what_compares_needs_a_rival(selector, tmp_path, data, specs):
    assert "Give at least one --rival" in refused(InputError, tmp_path / "out", pool(data), specs[:1], selector=selector)


@pytest.mark.parametrize(("selector", "column"), [("entropy", "entropy"), ("margin", "one_minus_margin"), ("flip-risk", "flip_risk")])
def test_a_selector_without_its_score_is_refused(selector, column, tmp_path, data):
    folder = write_folder(tmp_path / "bare", data.maps["target"])
    message = refused(InputError, tmp_path / "out", pool(data), [f"png:{folder}"], selector=selector)
    assert f"`{column}`, which 'bare' does not have. Known: none" in message


def test_features_are_for_the_core_set(tmp_path, data, specs):
    assert "--features is for --selector core-set" in refused(InputError, tmp_path / "out", pool(data), specs, features="table.csv")


# Samples


def test_a_sample_that_a_model_lacks_is_refused_and_left_out_where_that_is_allowed(tmp_path, data, specs):
    """Whoever lacks it; the others are mined as if it were not in the pool."""
    lost = data.ids[5], data.ids[33]
    rival = write_artifact(tmp_path / "apart", without(data, "apart", lost), shard=20)
    message = refused(FormatError, tmp_path / "out", pool(data), [specs[0], rival])
    assert "there is no prediction for this sample in 'apart'" in message
    assert min(lost) in message
    assert str(rival) in message
    said = refused(FormatError, tmp_path / "out", pool(data), [specs[0], rival], max_failures=1)
    assert "no prediction" in said
    assert said.endswith("--max-failures N")
    out = mined(tmp_path / "out", pool(data), [specs[0], rival], max_failures=2, top=4)
    rest = generated_of(data, [i for i in data.ids if i not in lost])
    check_equal(out, Round(ids=rest.ids, maps=rest.maps, classes=CLASSES, top=4))
    assert [fault["sample"] for fault in json.loads((out / "failures.json").read_text())] == sorted(lost)


def test_a_sample_that_failed_to_be_predicted_is_listed_and_no_error(tmp_path, data):
    """In one model or several; what failed in one and is absent from another without a word is an error."""
    ids = data.ids
    failed = [Fault(code="unreadable-picture", problem="no picture", remedy="fetch it", sample=i, file=f"{i}.png") for i in ids[:3]]
    target = write_artifact(tmp_path / "target", without(data, "target", ids[:2]), failed=failed[:2])
    rival = write_artifact(tmp_path / "apart", without(data, "apart", ids[1:3]), failed=failed[1:3])
    watcher = Watcher()
    out = mined(tmp_path / "out", pool(data), [target, rival], top=4, reporter=watcher)
    rest = generated_of(data, ids[3:])
    check_equal(out, Round(ids=rest.ids, maps=rest.maps, classes=CLASSES, top=4))
    assert json.loads((out / "failures.json").read_text()) == [dataclasses.asdict(f) for f in sorted(failed, key=lambda f: f.sample)]
    assert "note: 3 samples could not be predicted and are left out; failures.json lists them" in watcher.said
    silent = write_artifact(tmp_path / "silent", without(data, "apart", ids[:1]))
    assert "in 'silent'" in refused(FormatError, tmp_path / "two", pool(data), [target, silent])


def test_predictions_of_samples_that_the_pool_does_not_have_are_counted_and_passed_by(tmp_path, data, specs):
    few, watcher = generated_of(data, data.ids[:40]), Watcher()
    out = mined(tmp_path / "out", pool(few), specs, top=4, reporter=watcher)
    check_equal(out, Round(ids=few.ids, maps=few.maps, classes=CLASSES, top=4))
    assert "note: 20 predictions are of samples that the pool does not have" in watcher.said


def test_maps_of_two_sizes_are_refused_and_left_out_where_that_is_allowed(tmp_path, data, specs):
    odd = data.ids[7]
    height, width = data.maps["apart"][odd].shape
    rival = write_artifact(tmp_path / "apart", {**data.maps["apart"], odd: np.zeros((height + 1, width), np.uint8)})
    message = refused(FormatError, tmp_path / "out", pool(data), [specs[0], rival])
    assert f"the map of 'target' is {height} px high and {width} px wide and that of 'apart' {height + 1} px high" in message
    assert odd in message
    assert "--resize nearest" in message
    out = mined(tmp_path / "out", pool(data), [specs[0], rival], max_failures=1, top=4)
    rest = generated_of(data, [i for i in data.ids if i != odd])
    check_equal(out, Round(ids=rest.ids, maps=rest.maps, classes=CLASSES, top=4))


FAULTS = {
    "an unknown class": (
        lambda c, row: c["values"][row].__setitem__(0, 77),
        "holds 77, which is no class id of the pool",
    ),
    "too many pixels": (lambda c, row: c["lengths"][row].__setitem__(0, 10**6), "pixels of a map that is"),
    "too few pixels": (lambda c, row: c["lengths"][row].__setitem__(0, 0), "pixels of a map that is"),
    "no run": (lambda c, row: (c["values"][row].clear(), c["lengths"][row].clear()), "fill 0 pixels of a map"),
    "no size": (lambda c, row: (c["values"][row].clear(), c["lengths"][row].clear(), c["height"].__setitem__(row, 0)), "is 0 px high"),
    "a size below zero": (
        lambda c, row: (c["height"].__setitem__(row, -c["height"][row]), c["width"].__setitem__(row, -c["width"][row])),
        "is -",
    ),
}


@pytest.mark.parametrize(("resize", "broken"), [("refuse", "apart"), ("nearest", "apart"), ("nearest", "target")])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_map_that_is_none_is_refused_and_left_out_where_that_is_allowed(fault, resize, broken, tmp_path, data):
    """Whatever is done with maps of another size, of which there is one in the same table; nobody else is touched."""
    change, told = FAULTS[fault]
    ids = list(data.maps["apart"])
    large = {ids[2]: data.maps["apart"][ids[2]].repeat(2, axis=0)} if resize == "nearest" else {}
    models = write_all(tmp_path / "in", replace(data, maps={**data.maps, "apart": {**data.maps["apart"], **large}}), shard=20)
    rewrite(tmp_path / "in" / broken / "labels" / "00000.parquet", lambda columns: change(columns, 4))
    message = refused(FormatError, tmp_path / "out", pool(data), models, resize=resize)
    assert told in message
    assert f"'{broken}'" in message
    assert ids[4] in message
    rest = generated_of(data, [i for i in data.ids if i != ids[4]])
    for selector in ("mad", "random", "committee"):
        out = mined(tmp_path / selector, pool(data), models, resize=resize, max_failures=1, top=COUNT, selector=selector)
        assert ids[4] not in {row["id"] for row in rows_of(out)}
        assert [fault["sample"] for fault in json.loads((out / "failures.json").read_text())] == [ids[4]]
    check_equal(tmp_path / "mad", Round(ids=rest.ids, maps=rest.maps, classes=CLASSES, top=COUNT))


def test_a_faulty_label_map_file_is_named(tmp_path, data, specs):
    folder, odd = write_folder(tmp_path / "bare", data.maps["apart"]), data.ids[9]
    (folder / f"{odd}.png").write_bytes((folder / f"{odd}.png").read_bytes()[:40])
    message = refused(FormatError, tmp_path / "out", pool(data), [specs[0], f"png:{folder}"])
    assert str(folder / f"{odd}.png") in message
    out = mined(tmp_path / "out", pool(data), [specs[0], f"png:{folder}"], max_failures=1)
    assert odd not in {row["id"] for row in rows_of(out)}


def test_the_first_fault_ends_the_run(tmp_path, data, specs):
    """It does not go through a large pool first."""
    rewrite(specs[1] / "labels" / "00000.parquet", lambda columns: columns["values"][0].__setitem__(0, 77))
    watcher = Watcher()
    refused(FormatError, tmp_path / "out", pool(data), specs, reporter=watcher)
    assert watcher.steps < COUNT


# Files


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("damage", ["cut short", "no Parquet", "holes"])
def test_a_damaged_table_is_named(damage, place, tmp_path, data, specs):
    """Whichever of the tables it is, and however much of it can still be read."""
    file = specs[1] / "labels" / f"{2 * place:05d}.parquet"
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes({"cut short": content[:half], "no Parquet": b"text", "holes": content[:4] + bytes(half) + content[4 + half :]}[damage])
    with pytest.raises(FormatError) as caught:
        mined(tmp_path / "out", pool(data), specs)
    assert str(file) in str(caught.value)
    assert "the Parquet table cannot be read" in str(caught.value)


def test_tables_of_an_artifact_that_do_not_fit_together_are_refused(tmp_path, data, specs):
    """Values of another type are read; a table without a column, or with empty rows, is not."""
    file = specs[0] / "labels" / "00001.parquet"
    table = pq.read_table(file)
    before = (mined(tmp_path / "before", pool(data), specs, top=4) / "queue.parquet").read_bytes()
    wider = table.set_column(table.schema.get_field_index("values"), "values", table["values"].cast(pa.list_(pa.uint32())))
    pq.write_table(wider, file)
    after = mined(tmp_path / "after", pool(data), specs, top=4) / "queue.parquet"
    assert after.read_bytes() == before
    pq.write_table(table.drop_columns(["lengths"]), file)
    assert "there is no column `lengths`" in refused(FormatError, tmp_path / "out", pool(data), specs)
    pq.write_table(table.drop_columns(["entropy"]), file)
    assert "00001.parquet" in refused(FormatError, tmp_path / "out", pool(data), specs, selector="entropy")
    empty = pa.array([None, *table["values"].to_pylist()[1:]], pa.list_(pa.uint16()))
    pq.write_table(table.set_column(table.schema.get_field_index("values"), "values", empty), file)
    assert "a row lacks its label map" in refused(FormatError, tmp_path / "out", pool(data), specs)


def test_an_id_that_stands_twice_is_refused(tmp_path, data, specs):
    """In one model's tables; and where the pool and every model have it twice."""
    twin = data.ids[0]
    rewrite(specs[1] / "labels" / "00002.parquet", lambda columns: columns["id"].__setitem__(3, twin))
    assert f"the id '{twin}' stands for more than one row" in refused(FormatError, tmp_path / "out", pool(data), specs, max_failures=9)
    both = open_pool(str(write_pool_table(tmp_path / "pool", [*data.ids, twin], group=20)))
    folders = [tmp_path / "twice" / name for name in data.maps]
    for folder, maps in zip(folders, data.maps.values(), strict=True):
        write_artifact(folder, maps, shard=20)
        table = pq.read_table(folder / "labels" / "00000.parquet").slice(0, 1)
        pq.write_table(table, folder / "labels" / "00003.parquet")
    message = refused(FormatError, tmp_path / "out", both, folders, top=COUNT)
    assert f"the id '{twin}' stands for more than one row" in message


class Meddler(Watcher):
    """Changes a file once the run has begun."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    def advance(self, amount: int = 1) -> None:
        super().advance(amount)
        os.utime(self.file, ns=(1, 1))


def test_predictions_or_a_pool_that_change_under_the_run_are_noticed(tmp_path, data, specs):
    """Tables of a model, label-map files, and the table of the pool."""
    table = write_pool_table(tmp_path / "pool", data.ids)
    folder = write_folder(tmp_path / "bare", data.maps["apart"])
    cases = [
        (pool(data), specs, specs[1] / "labels" / "00001.parquet", "'apart': the predictions changed while they were read"),
        (pool(data), [specs[0], f"png:{folder}"], folder / f"{data.ids[0]}.png", "'bare': the predictions changed while they were read"),
        (open_pool(str(table)), specs, table / "samples.parquet", "the pool changed while it was read"),
    ]
    for where, models, file, told in cases:
        assert told in refused(InputError, tmp_path / "out", where, models, reporter=Meddler(file))


def test_the_queue_is_not_written_where_its_sources_lie(tmp_path, data, specs):
    queue = mined(specs[0].parent / "out", pool(data), specs)
    Image.fromarray(data.maps["apart"][data.ids[0]]).save(queue / "extra.png")
    with pytest.raises(InputError, match=r"holds extra\.png"):
        mined(queue, pool(data), specs, top=3)
