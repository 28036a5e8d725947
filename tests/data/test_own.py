"""The project's own form: what is written by hand is read as meant, and each slip is named with the file, the key and the nearest word."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from figureground.core.errors import FormatError, InputError
from figureground.data.dataset import Dataset, dataset_from_arrays, open_dataset
from figureground.data.labelmap import decode_runs


def test_a_data_set_opens_from_its_folder_or_its_file(tiny):
    for spec in (str(tiny), str(tiny / "dataset.toml"), f"own:{tiny}"):
        dataset = open_dataset(spec)
        assert (dataset.name, len(dataset), dataset.ids) == ("tiny", 4, ("000", "001", "002", "003"))
        assert dataset.classes.names == ("background", "cat", "dog")
        assert dataset.sample("000").attributes == {"context": "indoor", "camera": "a,b"}
        assert dataset.attributes == ("class", "label", "context", "split", "camera")
        assert dataset.masks is not None
        assert decode_runs(dataset.masks.read("001"))[0, :2].tolist() == [255, 2]


def test_ids_are_texts_and_keep_their_zeros(tiny):
    table = (tiny / "samples.csv").read_text()
    for write in (lambda: None, lambda: _as_parquet(tiny, table)):
        write()
        assert open_dataset(str(tiny)).ids[0] == "000"


def _as_parquet(root: Path, text: str) -> None:
    header, *lines = [line.split(",") for line in text.replace('"a,b"', "ab").splitlines()]
    pq.write_table(pa.table({name: [line[i] for line in lines] for i, name in enumerate(header)}), root / "samples.parquet")
    toml = root / "dataset.toml"
    toml.write_text(toml.read_text().replace("samples.csv", "samples.parquet"))


def test_a_byte_order_mark_is_no_part_of_the_first_column(tiny):
    table = tiny / "samples.csv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    assert open_dataset(str(tiny)).ids[0] == "000"


def test_selection_keeps_order_and_remembers_what_it_left_out(tiny):
    dataset = open_dataset(f"{tiny}?split=test")
    assert dataset.ids == ("002", "003")
    assert dataset.left_out == {"000", "001"}
    assert open_dataset(str(tiny)).select(ids=["003", "001"]).ids == ("001", "003")
    with pytest.raises(InputError, match="no split 'tset'"):
        open_dataset(f"{tiny}?split=tset")
    with pytest.raises(InputError, match="no sample '00'"):
        dataset.select(ids=["00"])


def test_groups_are_counted_by_class_and_context(tiny):
    dataset = open_dataset(str(tiny))
    assert dataset.group_counts(["class", "context"]) == {("cat", "indoor"): 2, ("dog", "indoor"): 1, ("dog", "outdoor"): 1}
    assert dataset.group_counts([]) == {(): 4}
    with pytest.raises(InputError, match="Did you mean `camera`"):
        dataset.group_counts(["camra"])


def test_an_attribute_table_is_joined_by_id(tiny, table_writer):
    path = table_writer(tiny / "more.csv", [{"id": "001", "site": "north"}, {"id": "003", "site": "south"}])
    dataset = open_dataset(f"{tiny}?attributes={path}")
    assert [dataset.attribute(s, "site") for s in dataset.samples] == ["", "north", "", "south"]
    with pytest.raises(InputError, match="already has a column `site`"):
        dataset.join(str(path))
    with pytest.raises(FormatError) as caught:
        open_dataset(str(tiny)).join(str(table_writer(tiny / "wrong.csv", [{"id": "1", "site": "x"}])))
    assert caught.value.fault.code == "unknown-sample"


def test_common_contexts_are_declared_in_the_file_or_in_the_spec(tiny):
    with (tiny / "dataset.toml").open("a") as stream:
        stream.write('[groups]\ncommon = {cat = "indoor"}\n')
    assert open_dataset(str(tiny)).common == {"cat": "indoor"}
    assert open_dataset(f"{tiny}?common=cat:outdoor,dog:indoor").common == {"cat": "outdoor", "dog": "indoor"}
    assert open_dataset(f"{tiny}?common=cat:outdoor,dog:indoor,cat:shed").common == {"cat": ("outdoor", "shed"), "dog": "indoor"}
    for wrong in ("cat", "cow:indoor", "cat:", "cat:indoor,cat:indoor"):
        with pytest.raises(InputError):
            open_dataset(f"{tiny}?common={wrong}")


def test_several_common_contexts_are_a_list_in_the_file(tiny):
    """A list of one is that one; the fingerprint knows them."""
    path, before = tiny / "dataset.toml", open_dataset(str(tiny)).fingerprint()
    bare = path.read_text()
    path.write_text(bare + '[groups]\ncommon = {cat = ["indoor", "shed"], dog = ["outdoor"]}\n')
    dataset = open_dataset(str(tiny))
    assert dataset.common == {"cat": ("indoor", "shed"), "dog": "outdoor"}
    assert dataset.fingerprint() != before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("names =", "nmaes =", ["nmaes", "Did you mean `names`"]),
        ("[samples]", "[smaples]", ["smaples", "Did you mean `samples`"]),
        ('table = "samples.csv"', "table = 3", ["samples.table", "must be a text"]),
        ('table = "samples.csv"', "", ["samples.table", "missing"]),
        ("background = 0", "background = 9", ["background", "9"]),
        ("background = 0", "background = true", ["classes.background", "True"]),
        ("ignore = 255", "ignore = 2", ["ignore", "dog"]),
        ("ignore = 255", 'ignore = "never"', ["classes.ignore", "never"]),
        ("ignore = 255", "ids = [0, 3]\nignore = 255", ["one id per name"]),
        ("ignore = 255", 'colours = ["#000000", "red", [0, 1, 2]]', ["'red'", "no colour"]),
        ('["background", "cat", "dog"]', '["background", "cat", "cat"]', ["unique"]),
        ('["background", "cat", "dog"]', "[]", ["classes.names", "list of texts"]),
        ('["background", "cat", "dog"]', '"background"', ["classes.names", "must be a list"]),
        ('context = "context"', 'context = "contxt"', ["contxt", "Did you mean `context`"]),
        ('name = "tiny"', "name = 3", ["`name` must be a text"]),
        ("[attributes]", "[groups]\ncommon = {cow = 'x'}\n[attributes]", ["cow", "no class"]),
        ("[attributes]", "[groups]\ncommon = {cat = 3}\n[attributes]", ["groups.common.cat"]),
        ("[attributes]", "[groups]\ncommon = {cat = []}\n[attributes]", ["groups.common.cat", "list of different ones", "[]"]),
        ("[attributes]", "[groups]\ncommon = {cat = ['a', 3]}\n[attributes]", ["groups.common.cat", "['a', 3]"]),
        ("[attributes]", "[groups]\ncommon = {cat = ['a', 'a']}\n[attributes]", ["groups.common.cat", "list of different ones"]),
        ("[classes]", "[classes", ["no valid TOML", "line"]),
        ('name = "tiny"\n[classes]', "classes = 3\n[groups]", ["`classes` is not a section"]),
    ],
)
def test_slips_in_the_toml_file_name_file_key_and_nearest_word(tiny, old, new, words):
    path = tiny / "dataset.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(FormatError) as caught:
        open_dataset(str(tiny))
    assert caught.value.fault.code == "bad-toml"
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_background_by_name_ids_colours_and_no_ignore(tiny):
    path = tiny / "dataset.toml"
    text = path.read_text().replace("background = 0", 'background = "dog"\nids = [4, 5, 6]\ncolours = ["#000000", [255, 0, 0], "#00ff00"]')
    path.write_text(text.replace("ignore = 255", 'ignore = "none"'))
    classes = open_dataset(str(tiny)).classes
    assert (classes.background, classes.ignore, classes.ids) == (6, None, (4, 5, 6))
    assert classes.colours == ((0, 0, 0), (255, 0, 0), (0, 255, 0))


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "empty-file", []),
        ("\n\n", "bad-table", ["no header"]),
        ("image,mask\na,b\n", "bad-table", ["no column `id`"]),
        ("Id,mask\na,b\n", "bad-table", ["Did you mean"]),
        ("id,mask\na,b\na,c\n", "duplicate-id", ["'a'"]),
        ("id,mask\n,b\n", "bad-table", ["row 1 has no `id`"]),
        ("id,mask\na,b,c\n", "bad-table", ["row 1 has 3 cells"]),
        ("id,mask,mask\na,b,c\n", "bad-table", ["two columns `mask`"]),
        ("id,,mask\na,b,c\n", "bad-table", ["column 2 has no name"]),
        ('id,mask\n"a"b,c\n', "bad-table", ["cannot be parsed"]),
        ("id,label,context\na,catt,x\n", "unknown-label", ["'catt'", "Did you mean"]),
    ],
)
def test_slips_in_the_table_have_their_fault(tiny, text, code, words):
    (tiny / "samples.csv").write_text(text)
    toml = tiny / "dataset.toml"
    toml.write_text(toml.read_text().partition("[attributes]")[0])
    with pytest.raises(FormatError) as caught:
        open_dataset(str(tiny))
    assert caught.value.fault.code == code, caught.value
    for word in words:
        assert word in str(caught.value)


def test_latin_text_is_refused_as_such(tiny):
    (tiny / "samples.csv").write_bytes("id,mask\nKätzchen,b\n".encode("latin-1"))
    with pytest.raises(FormatError) as caught:
        open_dataset(str(tiny))
    assert caught.value.fault.code == "bad-encoding"


def test_paths_that_are_no_data_set_say_what_would_be(tmp_path):
    with pytest.raises(InputError, match="folders:"):
        open_dataset(str(tmp_path))
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(InputError, match="coco:"):
        open_dataset(str(tmp_path / "x.json"))
    with pytest.raises(FormatError, match="no such file or folder"):
        open_dataset(str(tmp_path / "absent"))
    with pytest.raises(InputError, match="Did you mean 'coco'"):
        open_dataset("cocco:x.json")
    with pytest.raises(InputError, match="unknown key `spilt`"):
        open_dataset(f"{tmp_path}?spilt=test")


def test_a_sample_without_a_mask_is_refused_when_it_is_read(tiny):
    table = tiny / "samples.csv"
    table.write_text(table.read_text().replace("masks/001.png", ""))
    dataset = open_dataset(str(tiny))
    assert dataset.masks is not None
    with pytest.raises(FormatError) as caught:
        dataset.masks.read("001")
    assert caught.value.fault.code == "missing-mask"


def test_a_table_without_masks_is_a_data_set_without_masks(tiny):
    table = tiny / "samples.csv"
    table.write_text(
        "".join(line.replace(f"masks/00{n - 1}.png", "") for n, line in enumerate(table.read_text().splitlines(keepends=True)))
    )
    assert open_dataset(str(tiny)).masks is None


def test_the_fingerprint_changes_with_what_it_stands_for(tiny, png_writer):
    first = open_dataset(str(tiny)).fingerprint()
    assert open_dataset(str(tiny)).fingerprint() == first
    png_writer(tiny / "masks" / "002.png", np.full((12, 16), 1, np.uint8))
    second = open_dataset(str(tiny)).fingerprint()
    with (tiny / "samples.csv").open("a") as stream:
        stream.write("004,,masks/000.png,,,,\n")
    assert len({first, second, open_dataset(str(tiny)).fingerprint(), open_dataset(f"{tiny}?split=test").fingerprint()}) == 4


def test_data_sets_travel_to_worker_processes(tiny):
    dataset = open_dataset(str(tiny))
    twin: Dataset = pickle.loads(pickle.dumps(dataset))
    assert twin.masks is not None
    assert dataset.masks is not None
    assert twin.masks.read("000") == dataset.masks.read("000")


def test_arrays_make_a_data_set(random_map):
    maps = {f"s{n}": random_map(n) for n in range(3)}
    dataset = dataset_from_arrays(maps, classes=["ground", "a", "b"], attributes={"s1": {"label": "a", "context": "x", "site": "n"}})
    assert dataset.masks is not None
    assert all(np.array_equal(decode_runs(dataset.masks.read(i)), maps[i]) for i in maps)
    assert dataset.group_counts(["class", "context", "site"]) == {("", "", ""): 2, ("a", "x", "n"): 1}
    assert dataset.fingerprint() != dataset_from_arrays({**maps, "s0": maps["s0"] * 0}, classes=["ground", "a", "b"]).fingerprint()
    with pytest.raises(InputError, match="without a mask"):
        dataset_from_arrays(maps, classes=["ground", "a", "b"], attributes={"t": {}})
    with pytest.raises(FormatError, match="no class id"):
        dataset_from_arrays(maps, classes=["ground", "a"])
    with pytest.raises(FormatError, match="cow"):
        dataset_from_arrays(maps, classes=["ground", "a", "b"], attributes={"s1": {"label": "cow"}})
    with pytest.raises(InputError, match="must be texts"):
        dataset_from_arrays({1: maps["s0"]}, classes=["ground", "a", "b"])  # type: ignore[dict-item]
