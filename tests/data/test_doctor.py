"""Each fault of the list is found by the doctor, and every reader refuses it in the same words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from figureground.cli.app import app
from figureground.core.errors import Fault, FormatError, InputError
from figureground.core.types import ClassTable
from figureground.data.dataset import Dataset, dataset_from_arrays, open_dataset
from figureground.data.doctor import find_faults
from figureground.data.faults import FAULT_CODES, make_fault
from figureground.data.labelmap import RUN_FIELDS, encode_runs, runs_to_columns
from figureground.data.predictions import Predictions, open_predictions, pairing_faults, predictions_from_arrays


def small(value: int, shape: tuple[int, int] = (12, 16)) -> Image.Image:
    return Image.fromarray(np.full(shape, value, np.uint8))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[45] ^= 1
    path.write_bytes(bytes(data))


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


MASK_DAMAGE: dict[str, Callable[[Path], object]] = {
    "unknown-class-id": lambda p: small(3).save(p),
    "size-mismatch": lambda p: small(1, (16, 12)).save(p),
    "rgb-mask": lambda p: small(1).convert("RGB").save(p),
    "jpeg-mask": lambda p: small(1).save(p, "JPEG"),
    "empty-file": lambda p: p.write_bytes(b""),
    "truncated-file": cut,
    "corrupt-file": flip,
    "missing-file": lambda p: p.unlink(),
    "binary-mask": lambda p: Image.fromarray(np.repeat([[0, 255]], [8, 8], axis=1).repeat(12, 0).astype(np.uint8)).save(p),
    "unreadable-file": lambda p: (p.unlink(), p.mkdir()),
    "unsupported-mask": lambda p: (p.unlink(), p.write_bytes(b"BM" + bytes(60)), p.rename(p.with_suffix(".bmp"))),
}
PREDICTION_DAMAGE: dict[str, Callable[[Path], object]] = {
    **{
        k: v
        for k, v in MASK_DAMAGE.items()
        if k not in ("missing-file", "binary-mask", "unreadable-file", "unsupported-mask", "size-mismatch")
    },
    "ignore-in-prediction": lambda p: small(255).save(p),
    "size-mismatch": lambda p: small(1, (6, 8)).save(p),
}


def opened(root: Path, folder: Path | None = None) -> tuple[Dataset, Predictions | None]:
    dataset = open_dataset(str(root))
    return dataset, open_predictions(f"png:{folder}", dataset.classes) if folder else None


def test_a_sound_set_has_no_faults(tiny, tiny_predictions):
    assert list(find_faults(*opened(tiny, tiny_predictions))) == []
    assert list(find_faults(*opened(tiny))) == []


@pytest.mark.parametrize("code", MASK_DAMAGE)
def test_each_fault_of_a_mask_is_listed_and_refused_in_the_same_words(tiny, code):
    path = tiny / "masks" / "002.png"
    MASK_DAMAGE[code](path)
    if code == "unsupported-mask":
        edit(tiny / "samples.csv", "masks/002.png", "masks/002.bmp")
    dataset, _ = opened(tiny)
    faults = list(find_faults(dataset))
    assert [(f.code, f.sample) for f in faults] == [(code, "002")], faults
    assert faults[0].remedy
    assert dataset.masks is not None
    with pytest.raises(FormatError) as caught:
        dataset.masks.read("002")
    assert caught.value.fault == faults[0]
    assert str(caught.value) == str(faults[0])


@pytest.mark.parametrize("code", PREDICTION_DAMAGE)
def test_each_fault_of_a_prediction_is_listed_and_refused_in_the_same_words(tiny, tiny_predictions, code):
    PREDICTION_DAMAGE[code](tiny_predictions / "001.png")
    dataset, predictions = opened(tiny, tiny_predictions)
    assert predictions is not None
    faults = list(find_faults(dataset, predictions))
    assert [(f.code, f.sample) for f in faults] == [(code, "001")], faults
    if code == "size-mismatch":
        assert "12 px high and 16 px wide" in faults[0].problem
        assert "--resize nearest" in faults[0].remedy
        return
    with pytest.raises(FormatError) as caught:
        predictions.source.read("001")
    assert caught.value.fault == faults[0]


def test_ids_without_a_partner_are_listed(tiny, tiny_predictions):
    (tiny_predictions / "000.png").unlink()
    small(1).save(tiny_predictions / "009.png")
    dataset, predictions = opened(tiny, tiny_predictions)
    assert predictions is not None
    faults = list(find_faults(dataset, [predictions]))
    assert [(f.code, f.sample) for f in faults] == [("missing-prediction", "000"), ("unknown-sample", "009")]
    assert faults == list(pairing_faults(dataset, predictions))


def test_a_sample_without_a_mask_is_listed(tiny):
    edit(tiny / "samples.csv", "masks/003.png", "")
    assert [(f.code, f.sample) for f in find_faults(open_dataset(str(tiny)))] == [("missing-mask", "003")]


def test_two_files_for_one_id_and_two_rows_for_one_id(tiny, tiny_predictions):
    np.save(tiny_predictions / "001.npy", np.ones((12, 16), np.uint8))
    with pytest.raises(FormatError) as caught:
        opened(tiny, tiny_predictions)
    assert (caught.value.fault.code, caught.value.fault.sample) == ("duplicate-id", "001")
    edit(tiny / "samples.csv", "003,", "001,")
    with pytest.raises(FormatError) as caught:
        opened(tiny)
    assert (caught.value.fault.code, caught.value.fault.sample) == ("duplicate-id", "001")


def test_figure_masks_declared_as_class_ids_are_found_in_three_ways(tiny):
    figure = np.zeros((12, 16), np.uint8)
    figure[3:6, 4:9] = 255
    for n in range(4):
        Image.fromarray(figure).save(tiny / "masks" / f"00{n}.png")
    assert {f.code for f in find_faults(open_dataset(str(tiny)))} == {"binary-mask"}  # 255 is ignore, and labels promise figures
    table = tiny / "samples.csv"
    for name in ("cat", "dog"):
        edit(table, f".png,{name},", ".png,,")
    faults = list(find_faults(open_dataset(str(tiny))))  # no labels: only the whole set shows it
    assert [(f.code, f.sample) for f in faults] == [("binary-mask", None)]
    assert "4 of 4" in faults[0].problem
    edit(tiny / "dataset.toml", "ignore = 255", 'ignore = "none"')
    assert [f.code for f in find_faults(open_dataset(str(tiny)))] == ["binary-mask"] * 4  # 255 is no class id
    edit(tiny / "dataset.toml", 'names = ["background", "cat", "dog"]', 'names = ["background", "figure"]\nids = [0, 255]')
    assert list(find_faults(open_dataset(str(tiny)))) == []  # the remedy works


def test_masks_that_are_void_on_purpose_are_no_fault(tiny):
    """A crowd region alone in its picture, with no label, in a set that has figures elsewhere."""
    small(255).save(tiny / "masks" / "000.png")
    edit(tiny / "samples.csv", "masks/000.png,cat", "masks/000.png,")
    assert list(find_faults(open_dataset(str(tiny)))) == []


@pytest.mark.parametrize(
    ("damage", "code"), [(b"", "unreadable-picture"), (b"\xff\xd8\xff\xe0 nothing", "unreadable-picture"), (None, "missing-file")]
)
def test_a_picture_that_is_named_must_be_there(tiny, damage, code):
    path = tiny / "images" / "001.jpg"
    path.unlink() if damage is None else path.write_bytes(damage)
    dataset = open_dataset(str(tiny))
    assert [(f.code, f.sample) for f in find_faults(dataset)] == [(code, "001")]
    assert dataset.masks is not None
    dataset.masks.read("001")  # an audit needs no pixels of it


@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_a_picture_that_ends_early_is_found(tiny, kind):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    path = tiny / "images" / "001.jpg"
    with Image.open(path) as old:
        Image.fromarray(cv2.resize(pixels, old.size)).save(path, {".jpg": "JPEG", ".png": "PNG"}[kind])
    assert list(find_faults(open_dataset(str(tiny)))) == []
    path.write_bytes(path.read_bytes()[:-20])
    assert [(f.code, f.sample) for f in find_faults(open_dataset(str(tiny)))] == [("truncated-file", "001")]


def test_pictures_may_be_absent_from_the_table(tiny):
    for n in range(4):
        edit(tiny / "samples.csv", f"images/00{n}.jpg", "")
    assert list(find_faults(open_dataset(str(tiny)))) == []


def test_a_colour_that_no_class_has(tiny):
    edit(tiny / "dataset.toml", "ignore = 255", 'ignore = 255\ncolours = ["#000000", "#ff0000", "#00ff00"]\nignore_colour = "#ffffff"')
    for n in range(4):
        Image.new("RGB", (16, 12), (255, 0, 0)).save(tiny / "masks" / f"00{n}.png")
    Image.new("RGB", (16, 12), (9, 9, 9)).save(tiny / "masks" / "003.png")
    faults = list(find_faults(open_dataset(str(tiny))))
    assert [(f.code, f.sample) for f in faults] == [("unknown-colour", "003")]
    assert "#090909" in faults[0].problem


def test_several_faults_are_all_listed(tiny, tiny_predictions):
    small(7).save(tiny / "masks" / "000.png")
    (tiny / "masks" / "001.png").write_bytes(b"")
    (tiny_predictions / "000.png").write_bytes(b"")
    small(255).save(tiny_predictions / "003.png")
    found = [(f.code, f.sample) for f in find_faults(*opened(tiny, tiny_predictions))]
    assert found == [("unknown-class-id", "000"), ("empty-file", "000"), ("empty-file", "001"), ("ignore-in-prediction", "003")]


def test_every_code_has_a_meaning_and_no_other_code_can_be_made():
    assert all(meaning and code == code.lower() for code, meaning in FAULT_CODES.items())
    with pytest.raises(KeyError):
        make_fault("no-such-code", "p", "r")
    assert str(Fault(code="x", problem="p", remedy="r.", sample="s", file="f")) == "f: sample 's': p. r."


def test_a_file_name_that_is_not_utf8_is_refused_by_every_reader_in_printable_words(tmp_path, tiny, tiny_predictions):
    for folder in (tiny / "masks", tiny_predictions):
        try:
            (folder / "003.png").rename(folder / os.fsdecode(b"s\xff3.png"))
        except OSError:
            pytest.skip("this file system takes only UTF-8 names")
    for read in (
        lambda: open_dataset(f"folders:{tiny}?classes=3"),
        lambda: open_predictions(f"png:{tiny_predictions}", open_dataset(str(tiny)).classes),
        lambda: open_dataset(os.fsdecode(os.fsencode(tiny) + b"\xff")),
        lambda: open_predictions(os.fsdecode(b"png:" + os.fsencode(tiny) + b"\xff"), open_dataset(str(tiny)).classes),
    ):
        with pytest.raises(FormatError) as caught:
            read()
        assert caught.value.fault.code == "bad-encoding"
        assert "\\xff" in (caught.value.fault.file or "")
        assert str(caught.value).isprintable()
    result = CliRunner().invoke(app, ["doctor", str(tiny), f"png:{tiny_predictions}", "--json"])
    assert result.exit_code == 1
    assert [f["code"] for f in json.loads(result.stdout)["faults"]] == ["bad-encoding"]


def test_an_id_that_is_no_unicode_text_is_refused():
    with pytest.raises(FormatError, match=r"sample 'a\\udc00': the id is no Unicode text") as caught:
        dataset_from_arrays({"a\udc00": np.zeros((2, 2), np.uint8)}, classes=("ground", "cat"))
    assert caught.value.fault.code == "bad-encoding"


@pytest.mark.parametrize(("ignore", "expected"), [("254", False), ('"none"', False), ("255", True)])
def test_the_remedy_for_a_figure_mask_speaks_of_the_value_that_is_in_it(tiny, ignore, expected):
    MASK_DAMAGE["binary-mask"](tiny / "masks" / "002.png")
    for name in ("000", "001", "003"):
        small(1).save(tiny / "masks" / f"{name}.png")
    edit(tiny / "dataset.toml", "ignore = 255", f"ignore = {ignore}")
    [fault] = find_faults(open_dataset(str(tiny)))
    assert fault.code == "binary-mask"
    assert "instead of 255" in fault.remedy
    assert "ids = [0, 255]" in fault.remedy
    assert "254" not in fault.remedy
    assert ("with another `ignore`" in fault.remedy) == expected


@pytest.mark.parametrize("table", ["id,image,mask,label,split,context\n", "id,image,mask,label,split,context\n\n\n"])
def test_a_table_without_samples_is_one_clear_fault(tiny, table):
    (tiny / "samples.csv").write_text(table)
    with pytest.raises(FormatError, match="the table has no samples") as caught:
        open_dataset(str(tiny))
    assert (caught.value.fault.code, caught.value.fault.file) == ("bad-table", str(tiny / "samples.csv"))
    result = CliRunner().invoke(app, ["doctor", str(tiny), "--json"])
    assert result.exit_code == 1
    assert [f["problem"] for f in json.loads(result.stdout)["faults"]] == ["the table has no samples"]


def test_a_data_set_of_another_kind_without_samples_is_a_fault_too(tmp_path):
    (tmp_path / "empty.json").write_text('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}')
    with pytest.raises(FormatError, match="the data set has no samples"):
        open_dataset(f"coco:{tmp_path / 'empty.json'}")
    bare = Dataset(name="bare", classes=ClassTable(names=("ground", "cat")), samples=(), masks=None)
    assert [f.code for f in find_faults(bare)] == ["bad-layout"]


def test_empty_mappings_are_refused():
    with pytest.raises(InputError, match="`masks` must hold at least one"):
        dataset_from_arrays({}, classes=("ground", "cat"))
    with pytest.raises(InputError, match="`predictions` must hold at least one"):
        predictions_from_arrays({}, ClassTable(names=("ground", "cat")))


def test_faults_of_pairs_name_the_file_or_the_folder(tiny, tiny_predictions):
    small(1, (6, 8)).save(tiny_predictions / "001.png")
    small(1).save(tiny_predictions / "009.png")
    (tiny_predictions / "000.png").unlink()
    files = {f.code: f.file for f in find_faults(*opened(tiny, tiny_predictions))}
    assert files == {
        "missing-prediction": str(tiny_predictions),
        "unknown-sample": str(tiny_predictions / "009.png"),
        "size-mismatch": str(tiny_predictions / "001.png"),
    }


def test_faults_of_pairs_name_the_table_of_an_artifact(tmp_path, tiny):
    maps = {"000": np.ones((6, 8), np.uint8), "001": np.ones((12, 16), np.uint8), "002": np.ones((12, 16), np.uint8)}
    (tmp_path / "run").mkdir()
    columns = [pa.array(maps), *runs_to_columns([encode_runs(m) for m in maps.values()])]
    pq.write_table(pa.table(columns, names=["id", *(field.name for field in RUN_FIELDS)]), tmp_path / "run" / "labels.parquet")
    dataset = open_dataset(str(tiny))
    found = {f.code: f.file for f in find_faults(dataset, open_predictions(str(tmp_path / "run"), dataset.classes))}
    assert found == {"missing-prediction": str(tmp_path / "run"), "size-mismatch": str(tmp_path / "run" / "labels.parquet")}
    in_memory = list(find_faults(dataset, predictions_from_arrays(maps, dataset.classes)))
    assert {f.file for f in in_memory} == {None}
