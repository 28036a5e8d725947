"""What is opened for review: queues, data sets, further models, pictures as a browser shows them; and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import figureground
from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.core.types import ClassTable
from figureground.review.layers import VOID, layer_to_runs, to_layer
from figureground.review.options import ReviewOptions, grid_of
from figureground.review.project import evenly, open_project
from figureground.review.target import joined_marks, same_target, target_marks
from figureground.review.words import counted
from figureground.stages.mine.options import MineOptions

NAMES = ("ground", "cat", "dog")
SIZE_HW = (24, 32)


def write_pool(folder: Path, count: int = 6, *, suffix: str = ".png") -> Path:
    """A data set of noise with pictures beside it, and one class a sample in turn."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    lines = ["id,image,label"]
    for n in range(count):
        Image.fromarray(rng.integers(0, 256, (*SIZE_HW, 3), np.uint8)).save(folder / "images" / f"p{n}{suffix}")
        lines.append(f"p{n},images/p{n}{suffix},{NAMES[1 + n % 2]}")
    (folder / "samples.csv").write_text("\n".join(lines) + "\n")
    (folder / "dataset.toml").write_text('[classes]\nnames = ["ground", "cat", "dog"]\n[samples]\ntable = "samples.csv"\n')
    return folder


def maps(seed: int, count: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {f"p{n}": np.kron(rng.integers(0, 3, (3, 4), np.uint8), np.ones((8, 8), np.uint8)) for n in range(count)}


def write_maps(folder: Path, drawn: dict[str, np.ndarray]) -> str:
    folder.mkdir(parents=True)
    for name, one in drawn.items():
        Image.fromarray(one).save(folder / f"{name}.png")
    return f"png:{folder}"


@pytest.fixture
def queue(tmp_path):
    pool = write_pool(tmp_path / "pool")
    specs = [f"{name}={write_maps(tmp_path / name, maps(seed))}" for seed, name in enumerate(("target", "first", "second"))]
    options = MineOptions(top=4, deduplicate=False, sheet=0)
    return figureground.mine(str(pool), specs[0], specs[1:], out=tmp_path / "queue", options=options)


def test_a_queue_opens_in_its_order_with_the_maps_of_all_models(queue, tmp_path):
    import pyarrow.parquet as pq

    project, rows = open_project(str(queue)), pq.read_table(queue / "queue.parquet").to_pylist()
    assert [item.id for item in project.items] == [row["id"] for row in rows]
    assert [item.place for item in project.items] == list(range(len(rows)))
    assert project.models == ("target", "first", "second")
    for item in project.items:
        assert item.size_hw == SIZE_HW
        assert item.reason
        for model in range(3):
            np.testing.assert_array_equal(project.layer_of(item.place, model), maps(model)[item.id])
        shown, media = project.picture(item.place)
        assert (shown, media) == ((tmp_path / "pool" / "images" / f"{item.id}.png").read_bytes(), "image/png")


def test_a_queue_is_the_same_project_from_any_folder(queue, tmp_path, monkeypatch):
    digest = open_project(str(queue)).digest
    monkeypatch.chdir(tmp_path)
    assert open_project("queue").digest == digest


def test_a_further_model_is_offered_beside_those_of_the_queue(queue, tmp_path):
    some = {name: one for name, one in maps(9).items() if name != "p2"}
    spec = f"later={write_maps(tmp_path / 'later', some)}"
    project = open_project(str(queue), options=ReviewOptions(models=(spec,)))
    assert project.models[-1] == "later"
    for item in project.items:
        layer = project.layer_of(item.place, 3)
        if item.id == "p2":
            assert layer is None
        else:
            np.testing.assert_array_equal(layer, some[item.id])
    with pytest.raises(InputError, match="two models 'first'"):
        open_project(str(queue), options=ReviewOptions(models=(f"first=png:{tmp_path / 'later'}",)))


def test_pictures_that_moved_are_found_through_the_pool(queue, tmp_path):
    (tmp_path / "pool").rename(tmp_path / "elsewhere")
    with pytest.raises(FormatError, match="there is no such picture"):
        open_project(str(queue))
    project = open_project(str(queue), options=ReviewOptions(pool=str(tmp_path / "elsewhere")))
    assert all(str(tmp_path / "elsewhere") in item.image for item in project.items)


def test_a_picture_of_another_size_than_its_maps_is_refused(queue, tmp_path):
    Image.new("RGB", (33, 24)).save(tmp_path / "pool" / "images" / "p3.png")
    with pytest.raises(FormatError, match=r"p3.*33 x 24.*32 x 24"):
        open_project(str(queue))


def test_a_data_set_opens_without_any_model(tmp_path):
    project = open_project(str(write_pool(tmp_path / "pool")))
    assert project.models == ()
    assert [item.label for item in project.items] == ["cat", "dog"] * 3


def test_some_pictures_of_a_data_set_are_taken_evenly(tmp_path):
    where = str(write_pool(tmp_path / "pool", 40))
    project = open_project(where, options=ReviewOptions(pictures=10))
    assert sorted(item.label for item in project.items) == ["cat"] * 5 + ["dog"] * 5
    assert open_project(where, options=ReviewOptions(pictures=10)).items == project.items
    assert open_project(where, options=ReviewOptions(pictures=10, seed=1)).items != project.items


@given(st.dictionaries(st.text(min_size=1, max_size=4), st.sampled_from("abc"), max_size=40), st.integers(1, 50), st.integers(0, 3))
def test_labels_take_turns(labels, count, seed):
    chosen = evenly(labels, count, seed=seed)
    assert len(chosen) == len(set(chosen)) == min(count, len(labels))
    taken = [sum(labels[i] == name for i in chosen) for name in set(labels.values())]
    there = [sum(label == name for label in labels.values()) for name in set(labels.values())]
    for one, all_of_it in zip(taken, there, strict=True):
        assert one == all_of_it or one >= max(taken) - 1


@given(st.integers(0, 2**32 - 1))
def test_layers_and_class_ids_go_to_and_fro(seed):
    rng = np.random.default_rng(seed)
    classes = ClassTable(names=("ground", "a", "b"), ids=(2, 700, 9), background=2, ignore=255)
    ids = rng.choice([2, 700, 9, 255], (5, 7)).astype(np.uint16)
    layer = to_layer(ids, classes)
    assert layer.dtype == np.uint8
    for value, place in ((2, 0), (700, 1), (9, 2), (255, VOID)):
        np.testing.assert_array_equal(layer == place, ids == value)
    np.testing.assert_array_equal(layer_to_runs(layer, classes).dense(), ids)


def test_a_turned_picture_goes_out_as_it_is_stored(tmp_path):
    folder = write_pool(tmp_path / "pool", 1, suffix=".jpg")
    file = folder / "images" / "p0.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(file).save(file, exif=exif, quality=95)
    project = open_project(str(folder))
    with Image.open(io.BytesIO(project.picture(0)[0])) as shown:
        assert 0x0112 not in shown.getexif()
        assert shown.size == SIZE_HW[::-1]
        difference = np.abs(np.asarray(shown, np.int16) - project.pixels(0))
    assert difference.mean() < 6


def test_a_format_that_browsers_do_not_show_goes_out_as_jpeg(tmp_path):
    project = open_project(str(write_pool(tmp_path / "pool", 1, suffix=".tif")))
    data, media = project.picture(0)
    assert (data[:2], media) == (b"\xff\xd8", "image/jpeg")


def test_a_broken_picture_says_which(tmp_path):
    folder = write_pool(tmp_path / "pool", 2)
    project = open_project(str(folder))
    (folder / "images" / "p1.png").write_bytes(b"no picture")
    with pytest.raises(FormatError, match="p1"):
        project.picture(1)
    with pytest.raises(FormatError, match="p1"):
        open_project(str(folder))


def test_what_is_neither_a_queue_nor_a_data_set_is_refused(queue, tmp_path):
    import json

    with pytest.raises(FormatError, match="no such file"):
        open_project(str(tmp_path / "nowhere"))
    manifest = json.loads((queue / "manifest.json").read_text())
    (queue / "manifest.json").write_text(json.dumps({**manifest, "kind": "audit"}))
    with pytest.raises(ArtifactError, match="'queue' or a data set, found 'audit'"):
        open_project(str(queue))


def test_a_queue_without_its_maps_is_refused(queue):
    (queue / "maps.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"maps\.parquet.*Mine again"):
        open_project(str(queue))


@pytest.mark.parametrize(("text", "found"), [("16x16", (16, 16)), ("4 x 9", (4, 9)), ("128X1", (128, 1))])
def test_grids_are_read(text, found):
    assert grid_of(text) == found


@pytest.mark.parametrize("text", ["", "16", "0x4", "129x4", "4x", "axb", "-1x4"])
def test_other_grids_are_refused(text):
    with pytest.raises(InputError, match="grid"):
        grid_of(text)


def test_pictures_of_a_queue_that_moved_are_looked_for_with_pool(queue, tmp_path):
    """The remedy is the flag, not the cell of a table that nobody has written by hand."""
    (tmp_path / "pool").rename(tmp_path / "elsewhere")
    with pytest.raises(FormatError, match="Say where the pictures lie now with --pool DATA") as refused:
        open_project(str(queue))
    assert "cell" not in str(refused.value)
    assert refused.value.fault.file is not None


def test_a_target_is_known_by_what_it_saw_wherever_its_maps_lie(tmp_path):
    """Copied, or as arrays instead of pictures, it is the same; with one other map it is another; rivals do not matter."""
    pool, drawn = str(write_pool(tmp_path / "pool")), maps(1)

    def opened(*specs: str):
        return open_project(pool, options=ReviewOptions(models=specs))

    first = opened(f"a={write_maps(tmp_path / 'a', drawn)}")
    copied = opened(f"b={write_maps(tmp_path / 'b', drawn)}", f"rival={write_maps(tmp_path / 'rival', maps(2))}")
    (tmp_path / "npy").mkdir()
    for name, one in drawn.items():
        np.save(tmp_path / "npy" / f"{name}.npy", one)
    arrays = opened(f"npy:{tmp_path / 'npy'}")
    assert first.target == copied.target == arrays.target
    assert len(set(first.target)) == 6
    assert first.version == copied.version
    other = opened(f"a={write_maps(tmp_path / 'c', {**drawn, 'p4': maps(3)['p4']})}")
    assert (first.digest, first.target[:4]) == (other.digest, other.target[:4])
    assert not same_target(first.target, other.target)
    assert first.version != other.version


def test_maps_that_come_later_do_not_make_another_target(tmp_path):
    pool, drawn = str(write_pool(tmp_path / "pool")), maps(1)
    some = {name: one for name, one in drawn.items() if name not in ("p0", "p3")}
    partly = open_project(pool, options=ReviewOptions(models=(f"a={write_maps(tmp_path / 'partly', some)}",)))
    whole = open_project(pool, options=ReviewOptions(models=(f"a={write_maps(tmp_path / 'whole', drawn)}",)))
    assert (partly.lacking(0), whole.lacking(0)) == (2, 0)
    assert same_target(partly.target, whole.target)
    assert joined_marks(partly.target, whole.target) == whole.target


@given(st.lists(st.sampled_from(["", "x", "y"]), max_size=4), st.lists(st.sampled_from(["", "x", "y"]), max_size=4))
def test_the_same_target_is_the_same_from_either_side(one, other):
    assert same_target(one, other) is same_target(other, one)
    assert same_target(one, one)


@given(st.integers(0, 200))
def test_at_most_32_maps_are_read_evenly_spread(count):
    ids = [f"s{n}" for n in range(count)]
    asked: list[str] = []

    class Noted(dict):
        def get(self, key):
            asked.append(key)

    assert target_marks(ids, Noted()) == ("",) * min(32, count)
    places = [int(i[1:]) for i in asked]
    assert places == sorted(set(places))
    assert not places or max(np.diff([*places, count])) <= -(-count // len(places))


def test_a_target_without_a_map_of_any_picture_is_refused(tmp_path):
    """A folder of something else is no model of these pictures; a rival without maps is only told of."""
    pool = str(write_pool(tmp_path / "pool"))
    strange = write_maps(tmp_path / "strange", {"cat_0": maps(0)["p0"], "cat_1": maps(0)["p1"]})
    message = r"strange: the target 'a' has no map of any of the 6 pictures, such as 'p0'; it has 2 maps, such as of 'cat_0'\."
    with pytest.raises(InputError, match=message):
        open_project(pool, options=ReviewOptions(models=(f"a={strange}",)))
    good = f"good={write_maps(tmp_path / 'good', maps(1))}"
    project = open_project(pool, options=ReviewOptions(models=(good, f"a={strange}")))
    assert [project.lacking(model) for model in range(2)] == [0, 6]


def test_numbers_and_nouns_agree():
    assert [counted(n, "map") for n in (0, 1, 2)] == ["0 maps", "1 map", "2 maps"]
    assert [counted(n, "class", "classes") for n in (1, 1500)] == ["1 class", "1,500 classes"]
