"""What is written is read back pixel for pixel, whatever the classes, sizes and shapes; judged by pycocotools, Pillow and slow readers."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as judge
from pycocotools.coco import COCO
from tests.review.exchange.maps import brush_by_hand, class_tables, label_maps, labelled, same_maps

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data.dataset import open_dataset
from figureground.data.labelmap import encode_runs
from figureground.review.exchange.brush import decode_brush, encode_brush
from figureground.review.exchange.masks import LabelledMask, names_of
from figureground.review.exchange.outlines import outlines
from figureground.review.exchange.pictures import KnownPictures
from figureground.review.exchange.regions import pieces
from figureground.review.exchange.spec import read_masks, write_masks

SPECS = {
    "coco": "coco:{}/l.json",
    "coco by class": "coco:{}/l.json?per=class",
    "coco polygons": "coco:{}/l.json?polygons=yes",
    "coco polygons by class": "coco:{}/l.json?polygons=yes&per=class",
    "labelstudio": "labelstudio:{}/l.json",
    "labelstudio by region": "labelstudio:{}/l.json?per=region",
    "labelstudio predictions": "labelstudio:{}/l.json?as=predictions",
    "cvat": "cvat:{}/l.xml",
    "cvat by class": "cvat:{}/l.xml?per=class",
    "png": "png:{}/l",
}


def back(spec: str, classes: ClassTable, known: KnownPictures | None = None) -> list[LabelledMask]:
    """Reads what a writing spec wrote."""
    bare = spec.partition("?")[0] + ("?from=predictions" if "predictions" in spec else "")
    return list(read_masks(bare, classes, known=known))


@pytest.mark.parametrize("form", SPECS)
@settings(max_examples=10)
@given(drawn=labelled())
def test_every_map_comes_back(form: str, drawn: tuple[ClassTable, list[LabelledMask]]) -> None:
    """Without a word on the samples: ids, pixels, void, gaps in the ids."""
    check_round_trip(form, *drawn)


@pytest.mark.slow
@pytest.mark.parametrize("form", SPECS)
@settings(max_examples=250)
@given(drawn=labelled())
def test_every_map_comes_back_of_many(form: str, drawn: tuple[ClassTable, list[LabelledMask]]) -> None:
    """The same for many more."""
    check_round_trip(form, *drawn)


def check_round_trip(form: str, classes: ClassTable, masks: list[LabelledMask]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spec = SPECS[form].format(folder)
        written = write_masks(spec, masks, classes)
        assert written.samples == len(masks)
        found = back(spec, classes)
    assert same_maps(found, sorted(masks, key=lambda m: m.id) if form == "png" else masks)
    if form.startswith(("coco", "labelstudio")):
        assert [(m.by, m.created) for m in found] == [(m.by, m.created) for m in masks]


@pytest.mark.parametrize("form", ["coco", "labelstudio", "cvat", "png"])
@settings(max_examples=6)
@given(drawn=labelled())
def test_masks_find_their_samples_by_picture(form: str, drawn: tuple[ClassTable, list[LabelledMask]]) -> None:
    """Pictures in folders with other names than their ids, two of them with one file name."""
    classes, masks = drawn
    images = ["p/one/1.jpg", "p/two/1.jpg", "p/two/2.jpeg"]
    masks = [LabelledMask(id=m.id, image=image, runs=m.runs) for m, image in zip(masks, images, strict=False)]
    known = KnownPictures((m.id, m.image) for m in masks)
    with tempfile.TemporaryDirectory() as folder:
        spec = SPECS[form].format(folder)
        write_masks(spec, masks, classes)
        found = {m.id: m for m in back(spec, classes, known)}
        assert set(found) == {m.id for m in masks}
        assert all(np.array_equal(found[m.id].runs.dense(), m.runs.dense()) and found[m.id].image == m.image for m in masks)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # its decoder under numpy 2
@settings(max_examples=25)
@given(drawn=labelled(), polygons=st.booleans())
def test_pycocotools_reads_the_same_pixels_from_a_coco_file(drawn: tuple[ClassTable, list[LabelledMask]], polygons: bool) -> None:
    """Its own reader, annToMask, category ids as class ids; areas and boxes agree."""
    classes, masks = drawn
    with tempfile.TemporaryDirectory() as folder:
        write_masks(f"coco:{folder}/l.json?polygons={'yes' if polygons else 'no'}", masks, classes)
        with contextlib.redirect_stdout(io.StringIO()):
            api = COCO(f"{folder}/l.json")
    for image, mask in zip(api.dataset["images"], masks, strict=True):
        drawn_map = np.full(mask.runs.size_hw, classes.background, np.int64)
        for annotation in api.loadAnns(api.getAnnIds(imgIds=[image["id"]])):
            pixels = api.annToMask(annotation).astype(bool)
            assert not (drawn_map[pixels] != classes.background).any()
            drawn_map[pixels] = annotation["category_id"]
            assert annotation["area"] == pixels.sum()
            assert annotation["bbox"] == judge.toBbox(api.annToRLE(annotation)).tolist()
        assert np.array_equal(drawn_map, mask.runs.dense())


@settings(max_examples=25)
@given(data=st.data())
def test_outlines_hold_just_their_pixels(data: st.DataObject) -> None:
    """COCO's own code fills them back; together they have as much area as pixels; each is a closed way along edges that never turns back."""
    rows, columns = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 50))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    mask = rng.random((rows, columns)) < data.draw(st.floats(0.05, 1))
    mask[rng.integers(rows), rng.integers(columns)] = True
    found = list(outlines(mask, top=3, left=5))
    shifted = [[n - (5, 3)[k % 2] for k, n in enumerate(points)] for points in found]
    merged = judge.merge(judge.frPyObjects([list(map(float, p)) for p in shifted], rows, columns))
    assert int(judge.area(merged)) == mask.sum()
    area = 0.0
    for points in shifted:
        corners = np.array(points).reshape(-1, 2)
        steps = np.diff(np.concatenate([corners, corners[:1]]), axis=0)
        assert (np.count_nonzero(steps, axis=1) == 1).all()
        assert (steps * np.roll(steps, -1, axis=0) == 0).all()
        area += cv2.contourArea(corners.astype(np.int32))
    assert area == mask.sum()
    assert np.array_equal(sum(crossings(points, mask.shape) % 2 for points in shifted), mask)  # by the even-odd rule, each pixel once


def crossings(points: list[int], shape: tuple[int, ...]) -> np.ndarray:
    """How many upright edges of an outline of whole numbers lie to the left of the middle of each pixel."""
    counts, corners = np.zeros(shape, np.int64), np.array(points).reshape(-1, 2)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if x0 == x1:
            counts[min(y0, y1) : max(y0, y1), x0:] += 1
    return counts


@settings(max_examples=40)
@given(data=st.data())
def test_brush_codes_are_what_a_slow_reader_reads(data: st.DataObject) -> None:
    """Four equal channels, 255 or 0; and codes with other widths, single words and half-transparent paint are read alike."""
    mask = data.draw(label_maps(ClassTable(names=("no", "yes"), ignore=None), most=(20, 25))).dense().astype(bool)
    code = encode_brush(mask)
    assert np.array_equal(np.array(brush_by_hand(code)).reshape(*mask.shape, 4), np.repeat(mask[:, :, None] * 255, 4, axis=2))
    assert np.array_equal(decode_brush(code, mask.shape), mask)
    rgba = np.random.default_rng(data.draw(st.integers(0, 9999))).integers(0, 3, (*mask.shape, 4))
    other = packed_otherwise(
        rgba.reshape(-1).tolist(), width=data.draw(st.integers(2, 32)), kinds=data.draw(st.permutations([1, 3, 6, 16]))
    )
    assert np.array_equal(decode_brush(other, mask.shape), rgba[:, :, 3] > 0)


def packed_otherwise(words: list[int], *, width: int, kinds: list[int]) -> list[int]:
    """A brush code with lengths and words of other widths, the odd piece word by word."""
    bits, place, turn = f"{len(words):032b}{width - 1:05b}" + "".join(f"{k - 1:04b}" for k in kinds), 0, 0
    while place < len(words):
        same = next((n for n, word in enumerate(words[place:]) if word != words[place]), len(words) - place)
        kind = turn % 4
        if same > 1:
            length = min(same, 1 << kinds[kind])
            bits += f"1{kind:02b}{length - 1:0{kinds[kind]}b}{words[place]:0{width}b}"
        else:
            length = min(1 << kinds[kind], 5, len(words) - place)
            bits += f"0{kind:02b}{length - 1:0{kinds[kind]}b}" + "".join(f"{word:0{width}b}" for word in words[place : place + length])
        place, turn = place + length, turn + 1
    bits += "0" * (-len(bits) % 8)
    return [int(bits[n : n + 8], 2) for n in range(0, len(bits), 8)]


def test_a_brush_code_by_hand() -> None:
    """Two pixels, the second painted: 8 words of 8 bits; lengths of 3, 4, 8, 16 bits; 4 x 0, then 4 x 255."""
    bits = "0" * 28 + "1000" + "00111" + "0010" + "0011" + "0111" + "1111" + "1" + "00" + "011" + "0" * 8 + "1" + "00" + "011" + "1" * 8
    code = [int(bits.ljust(88, "0")[n : n + 8], 2) for n in range(0, 88, 8)]
    assert encode_brush(np.array([[False, True]])) == code
    assert decode_brush(code, (1, 2)).tolist() == [[False, True]]


@settings(max_examples=25)
@given(drawn=labelled())
def test_cvat_masks_read_by_hand(drawn: tuple[ClassTable, list[LabelledMask]]) -> None:
    """Runs of the box, ground first, as CVAT's documents say; every label is declared."""
    classes, masks = drawn
    with tempfile.TemporaryDirectory() as folder:
        write_masks(f"cvat:{folder}/l.xml", masks, classes)
        root = ElementTree.parse(f"{folder}/l.xml").getroot()
    declared = [label.findtext("name") for label in root.iter("label")]
    values = {name: value for value, name in names_of(classes).items()}
    for image, mask in zip(root.iter("image"), masks, strict=True):
        drawn_map = np.full((int(image.attrib["height"]), int(image.attrib["width"])), classes.background)
        for shape in image.iter("mask"):
            left, top, width = (int(shape.attrib[key]) for key in ("left", "top", "width"))
            place = 0
            for turn, length in enumerate(int(n) for n in shape.attrib["rle"].split(",")):
                for pixel in range(place, place + length):
                    if turn % 2:
                        drawn_map[top + pixel // width, left + pixel % width] = values[shape.attrib["label"]]
                place += length
            assert place == width * int(shape.attrib["height"])
            assert shape.attrib["label"] in declared
        assert np.array_equal(drawn_map, mask.runs.dense())


@settings(max_examples=25)
@given(data=st.data())
def test_pieces_are_the_regions_of_a_slow_search(data: st.DataObject) -> None:
    """Each piece is one class, connected at sides or corners, its box as small as can be; together they are all but the background."""
    classes = data.draw(class_tables())
    runs = data.draw(label_maps(classes, most=(12, 12)))
    label_map, seen = runs.dense(), np.zeros(runs.size_hw, int)
    for piece in pieces(runs, classes):
        height, width = piece.pixels.shape
        part = (slice(piece.top, piece.top + height), slice(piece.left, piece.left + width))
        assert (label_map[part][piece.pixels] == piece.value).all()
        seen[part] += piece.pixels
        assert all(side.any() for side in (piece.pixels[0], piece.pixels[-1], piece.pixels[:, 0], piece.pixels[:, -1]))
        assert {(y + piece.top, x + piece.left) for y, x in zip(*np.nonzero(piece.pixels), strict=True)} == flooded(label_map, piece)
    assert np.array_equal(seen, label_map != classes.background)


def flooded(label_map: np.ndarray, piece) -> set[tuple[int, int]]:
    y, x = np.argwhere(piece.pixels)[0] + (piece.top, piece.left)
    todo, found = [(int(y), int(x))], {(int(y), int(x))}
    while todo:
        y, x = todo.pop()
        for b, a in ((y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
            inside = 0 <= b < label_map.shape[0] and 0 <= a < label_map.shape[1]
            if inside and (b, a) not in found and label_map[b, a] == piece.value:
                found.add((b, a))
                todo.append((b, a))
    return found


def test_the_folder_of_pngs_is_a_data_set(tmp_path: Path) -> None:
    """It opens as one, with the same masks, and any PNG reader sees the class ids."""
    classes = ClassTable(names=("ground", "cat"), ids=(3, 700), background=3, ignore=255)
    label_map = np.array([[3, 700], [255, 3]], np.uint16)
    write_masks(f"png:{tmp_path / 'out'}", [LabelledMask(id="x/y", image="p/y.jpg", runs=encode_runs(label_map))], classes)
    dataset = open_dataset(str(tmp_path / "out"))
    assert (dataset.ids, dataset.classes) == (("x/y",), classes)
    assert dataset.samples[0].image == str(Path("p/y.jpg").absolute())
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "x" / "y.png")), label_map)


def test_a_second_export_replaces_the_first_and_an_equal_one_does_nothing(tmp_path: Path) -> None:
    classes = ClassTable(names=("ground", "cat"))
    one = LabelledMask(
        id="a", image=None, runs=LabelRuns(height=1, width=1, values=np.array([1], np.uint8), lengths=np.array([1], np.uint32))
    )
    for spec in (f"png:{tmp_path / 'out'}", f"coco:{tmp_path / 'new' / 'l.json'}"):
        write_masks(spec, [one, LabelledMask(id="b", image=None, runs=one.runs)], classes)
        write_masks(spec, [one], classes)
        write_masks(spec, [one], classes)
        assert [m.id for m in read_masks(spec, classes)] == ["a"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "out"]


@pytest.mark.parametrize("form", ["coco", "labelstudio", "cvat", "png"])
def test_nothing_is_written_of_masks_that_are_no_masks(form: str, tmp_path: Path) -> None:
    """An unknown value, an id twice, none at all: one error, no file, no folder."""
    classes = ClassTable(names=("ground", "cat"))
    good = LabelledMask(id="a", image=None, runs=encode_runs(np.array([[0, 1]], np.uint8)))
    wrong = LabelledMask(id="b", image=None, runs=encode_runs(np.array([[7]], np.uint8)))
    for masks, told in (
        ([good, wrong], "7"),
        ([good, good], "twice"),
        ([], "no mask"),
        ([LabelledMask(id="", image=None, runs=good.runs)], "no id"),
    ):
        with pytest.raises((InputError, ValueError), match=told):
            write_masks(SPECS[form].format(tmp_path), masks, classes)
    assert list(tmp_path.iterdir()) == []
