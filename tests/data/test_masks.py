"""Mask files of every allowed form give the ids that were written; every other form is refused with its own fault."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from figureground.core.errors import FormatError
from figureground.core.types import ClassTable
from figureground.data.labelmap import decode_runs, encode_runs
from figureground.data.masks import read_mask, read_numbers, runs_from_array
from figureground.data.sources import MaskFiles, joined, relabelled

THREE = ClassTable(names=("background", "cat", "dog"))
WIDE = ClassTable(names=("background", "cat", "far"), ids=(0, 300, 65_000), ignore=65_535)
COLOURED = ClassTable(names=("background", "cat", "dog"), colours=((0, 0, 0), (128, 0, 0), (0, 128, 0)), ignore_colour=(224, 224, 192))
MAP = np.array([[0, 0, 1, 1], [2, 255, 1, 0], [2, 2, 2, 0]], np.uint8)


def fault(path: Path | str, classes: ClassTable = THREE, **settings: str) -> str:
    """The code of the fault that reading raises."""
    with pytest.raises(FormatError) as caught:
        read_mask(str(path), classes, sample="s", **settings)  # type: ignore[arg-type]
    assert str(path) in str(caught.value)
    assert "'s'" in str(caught.value)
    return caught.value.fault.code


@pytest.mark.parametrize("mode", [None, "P"])
def test_index_png_gives_ids_and_never_colours(tmp_path, png_writer, mode):
    path = png_writer(tmp_path / "m.png", MAP, mode=mode)
    runs = read_mask(str(path), THREE)
    assert np.array_equal(decode_runs(runs), MAP)
    assert runs.values.dtype == np.uint8


def test_one_bit_png_gives_zero_and_one(tmp_path):
    Image.fromarray(np.array([[True, False, True]])).save(tmp_path / "m.png")
    assert np.array_equal(decode_runs(read_mask(str(tmp_path / "m.png"), THREE)), [[1, 0, 1]])


def test_sixteen_bit_png_keeps_large_ids(tmp_path, png_writer):
    label_map = np.array([[0, 300, 65_000, 65_535]], np.uint16)
    runs = read_mask(str(png_writer(tmp_path / "m.png", label_map)), WIDE)
    assert np.array_equal(decode_runs(runs), label_map)
    assert runs.values.dtype == np.uint16


def test_sixteen_bit_files_of_few_classes_come_back_in_eight(tmp_path, png_writer):
    assert read_mask(str(png_writer(tmp_path / "m.png", MAP.astype(np.uint16))), THREE).values.dtype == np.uint8


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">u2", "<i4", ">i8", "u8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_every_integer_type_and_order(tmp_path, dtype, order):
    label_map = np.array([[0, 1, 2], [2, 2, 0]])
    np.save(tmp_path / "m.npy", np.asarray(label_map, dtype, order=order))
    assert np.array_equal(decode_runs(read_mask(str(tmp_path / "m.npy"), THREE)), label_map)


def test_bool_npy_is_zero_and_one(tmp_path):
    np.save(tmp_path / "m.npy", MAP == 1)
    assert np.array_equal(decode_runs(read_mask(str(tmp_path / "m.npy"), THREE)), MAP == 1)


def test_colours_are_looked_up_in_rgb_palette_and_rgba_files(tmp_path):
    table = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0), (224, 224, 192)], np.uint8)
    rgb = table[np.where(MAP == 255, 3, MAP)]
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png")
    Image.fromarray(rgb).convert("RGBA").save(tmp_path / "rgba.png")
    np.save(tmp_path / "m.npy", rgb)
    for name in ("rgb.png", "p.png", "rgba.png", "m.npy"):
        assert np.array_equal(decode_runs(read_mask(str(tmp_path / name), COLOURED)), MAP), name


def test_faults_of_content(tmp_path, png_writer):
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "rgb.png")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).convert("LA").save(tmp_path / "la.png")
    Image.fromarray(np.full((4, 4, 3), 9, np.uint8)).save(tmp_path / "nine.png")
    Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save(tmp_path / "clear.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "lossy.png", "JPEG")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "m.bmp")
    np.save(tmp_path / "float.npy", np.zeros((2, 2)))
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2), np.uint8))
    np.save(tmp_path / "objects.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    np.save(tmp_path / "negative.npy", np.array([[0, -1]]))
    np.save(tmp_path / "nothing.npy", np.zeros((0, 4), np.uint8))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "folder.png").mkdir()
    expected = {
        "rgb.png": "rgb-mask",
        "la.png": "rgb-mask",
        "lossy.png": "jpeg-mask",
        "m.bmp": "unsupported-mask",
        "float.npy": "unsupported-mask",
        "cube.npy": "unsupported-mask",
        "objects.npy": "unsupported-mask",
        "negative.npy": "unknown-class-id",
        "nothing.npy": "unsupported-mask",
        "empty.png": "empty-file",
        "text.png": "corrupt-file",
        "folder.png": "unreadable-file",
        "absent.png": "missing-file",
    }
    assert {name: fault(tmp_path / name) for name in expected} == expected
    assert fault(tmp_path / "nine.png", COLOURED) == "unknown-colour"
    assert fault(tmp_path / "clear.png", COLOURED) == "unsupported-mask"


def test_faults_of_numbers(tmp_path, png_writer):
    four = png_writer(tmp_path / "four.png", np.array([[0, 1, 4]], np.uint8))
    binary = png_writer(tmp_path / "binary.png", np.array([[0, 255]], np.uint8))
    void = png_writer(tmp_path / "void.png", np.array([[0, 1, 255]], np.uint8))
    no_void = ClassTable(names=("background", "cat"), ignore=None)
    assert fault(four) == "unknown-class-id"
    assert fault(binary, no_void) == "binary-mask"
    assert fault(void, no_void) == "unknown-class-id"
    assert fault(void, role="prediction") == "ignore-in-prediction"
    assert fault(four, role="prediction") == "unknown-class-id"
    read_mask(str(void), THREE)


def test_a_figure_mask_is_found_where_the_label_promises_a_figure(tmp_path, png_writer):
    """0/255 with ignore = 255 would count no figure pixel at all; a label tells it from a mask that is void on purpose."""
    file = str(png_writer(tmp_path / "m.png", np.array([[0, 255]], np.uint8)))
    with pytest.raises(FormatError) as caught:
        MaskFiles(files={"s": file}, classes=THREE, labels={"s": "cat"}).read("s")
    assert caught.value.fault.code == "binary-mask"
    for labels in ({}, {"s": "background"}):
        MaskFiles(files={"s": file}, classes=THREE, labels=labels).read("s")


def test_truncated_and_changed_npy(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.zeros((5, 5), np.uint8))
    whole = stream.getvalue()
    for end in (1, 7, 20, 100, len(whole) - 1):
        (tmp_path / "m.npy").write_bytes(whole[:end])
        assert fault(tmp_path / "m.npy") in ("truncated-file", "corrupt-file")
    huge = whole.replace(b"(5, 5)", b"(9**9**9, 5)").replace(b"'shape': (9**9**9, 5), }      ", b"'shape': (9**9**9, 5), }")
    (tmp_path / "m.npy").write_bytes(huge)
    assert fault(tmp_path / "m.npy") == "corrupt-file"
    (tmp_path / "m.npy").write_bytes(whole.replace(b"(5, 5), }            ", b"(999999999, 999999)}"))
    assert fault(tmp_path / "m.npy") in ("truncated-file", "corrupt-file")


def test_arrays_are_checked_like_files():
    assert np.array_equal(decode_runs(runs_from_array(MAP.astype(np.int64), THREE)), MAP)
    with pytest.raises(FormatError):
        runs_from_array(MAP + 3, THREE)


def test_a_plain_read_needs_no_classes(tmp_path, png_writer):
    path = png_writer(tmp_path / "m.png", np.array([[7, 9]], np.uint8))
    assert read_numbers(str(path)).values.tolist() == [7, 9]


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=6),
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
)
def test_relabelling_runs_is_relabelling_pixels(rows, table):
    label_map, lookup = np.array(rows, np.uint8), np.array(table, np.uint8)
    assert relabelled(encode_runs(label_map), lookup) == encode_runs(lookup[label_map])


def test_joining_keeps_the_pixels():
    runs = joined(np.array([1, 1, 0, 0, 2], np.uint8), np.array([1, 2, 1, 1, 1], np.uint32), size_hw=(2, 3))
    assert decode_runs(runs).tolist() == [[1, 1, 1], [0, 0, 2]]
