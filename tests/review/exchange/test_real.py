"""Real masks and real annotation files, where they are at hand: out and back exactly, and drawn as pycocotools draws them."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as judge
from pycocotools.coco import COCO

from figureground.core.types import ClassTable
from figureground.data.dataset import Dataset, open_dataset
from figureground.review.exchange.masks import LabelledMask
from figureground.review.exchange.outlines import outlines
from figureground.review.exchange.pictures import KnownPictures
from figureground.review.exchange.regions import pieces
from figureground.review.exchange.spec import read_masks, write_masks

SETS = {"coco128": 12, "animals4": 30, "feral_cats": 40, "voc21": 60}


def masks_of(dataset: Dataset, step: int) -> list[LabelledMask]:
    assert dataset.masks is not None
    return [LabelledMask(id=s.id, image=s.image, runs=dataset.masks.read(s.id)) for s in dataset.samples[::step]]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name == "coco128" else [pytest.mark.slow]) for name in SETS])
@pytest.mark.parametrize("form", ["coco:{}.json", "coco:{}.json?polygons=yes", "labelstudio:{}.json", "cvat:{}.xml", "png:{}"])
def test_real_masks_come_back(name: str, form: str, real_data: Path, tmp_path: Path) -> None:
    """Found again by their pictures, among all the samples of the data set."""
    dataset = open_dataset(str(real_data / name))
    masks = masks_of(dataset, SETS[name] * (4 if name == "coco128" else 1))
    spec = form.format(tmp_path / "l")
    write_masks(spec, masks, dataset.classes)
    known = KnownPictures((s.id, s.image) for s in dataset.samples)
    found = {m.id: m for m in read_masks(spec.partition("?")[0], dataset.classes, known=known)}
    assert set(found) == {m.id for m in masks}
    assert all(np.array_equal(found[m.id].runs.dense(), m.runs.dense()) for m in masks)


def test_outlines_of_real_regions_are_filled_back(real_data: Path) -> None:
    dataset = open_dataset(str(real_data / "coco128"))
    for mask in masks_of(dataset, 20):
        for piece in pieces(mask.runs, dataset.classes):
            polygons = [list(map(float, points)) for points in outlines(piece.pixels, top=piece.top, left=piece.left)]
            merged = judge.merge(judge.frPyObjects(polygons, *mask.runs.size_hw))
            assert judge.area(merged) == piece.area
            assert judge.toBbox(merged).tolist() == list(piece.box_xywh)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools under numpy 2
@pytest.mark.parametrize("name", ["val_balanced", "test_balanced"])
def test_published_polygons_and_codes_are_drawn_as_pycocotools_draws_them(name: str, real_data: Path) -> None:
    """Category by category, later over earlier."""
    file = real_data / "published" / "coco_cd" / f"instances_{name}.json"
    with contextlib.redirect_stdout(io.StringIO()):
        api = COCO(str(file))
    categories = {c["id"]: c["name"] for c in api.dataset["categories"]}
    classes = ClassTable(names=("background", *categories.values()), ids=(0, *categories))
    found = list(read_masks(f"coco:{file}", classes))
    assert len(found) == len(api.dataset["images"])
    for image, mask in list(zip(api.dataset["images"], found, strict=True))[::5]:
        expected = np.zeros((image["height"], image["width"]), int)
        for annotation in api.dataset["annotations"]:
            if annotation["image_id"] == image["id"]:
                expected[api.annToMask(annotation).astype(bool)] = annotation["category_id"]
        assert np.array_equal(mask.runs.dense(), expected)


def test_published_polygons_in_other_tools_own_words(real_data: Path, tmp_path: Path) -> None:
    """The outlines of feral cats, as CVAT's points and as Label Studio's percent, are the masks drawn from them, but for the outline itself."""
    dataset = open_dataset(str(real_data / "feral_cats"))
    assert dataset.masks is not None
    for sample in dataset.samples[:: len(dataset) // 12]:
        found = sorted((real_data / "feral_cats" / "polygons").rglob(f"{sample.id}.txt"))
        if not found:
            continue
        runs = dataset.masks.read(sample.id)
        outlines_xy = [np.array(line.split()[1:], float).reshape(-1, 2) for line in found[0].read_text().splitlines() if line.strip()]
        for read_back in (
            as_cvat(sample.id, outlines_xy, runs.size_hw, tmp_path),
            as_labelstudio(sample.id, outlines_xy, runs.size_hw, tmp_path),
        ):
            drawn, given = (m.dense().astype(np.uint8) for m in (read_back.runs, runs))
            around = np.ones((3, 3), np.uint8)
            assert (drawn <= cv2.dilate(given, around)).all()
            assert (drawn < cv2.erode(given, around)).sum() <= 0.002 * given.sum()  # slits between two outlines


def as_cvat(i: str, outlines_xy: list[np.ndarray], size_hw: tuple[int, int], folder: Path) -> LabelledMask:
    height, width = size_hw
    shapes = "".join(
        f'<polygon label="cat" source="manual" occluded="0" points="{";".join(f"{x * width:.2f},{y * height:.2f}" for x, y in one)}" z_order="0"/>'
        for one in outlines_xy
    )
    text = (
        f'<annotations><version>1.1</version><image id="0" name="{i}.jpg" width="{width}" height="{height}">{shapes}</image></annotations>'
    )
    (folder / "l.xml").write_text(text)
    return next(iter(read_masks(f"cvat:{folder / 'l.xml'}", ClassTable(names=("background", "cat")))))


def as_labelstudio(i: str, outlines_xy: list[np.ndarray], size_hw: tuple[int, int], folder: Path) -> LabelledMask:
    result = [
        {"type": "polygonlabels", "original_width": size_hw[1], "original_height": size_hw[0],
         "value": {"points": (100 * one).tolist(), "polygonlabels": ["cat"]}} for one in outlines_xy
    ]  # fmt: skip
    (folder / "l.json").write_text(
        json.dumps([{"data": {"image": f"/data/upload/3/0a1b2c3d-{i}.jpg"}, "annotations": [{"result": result}]}])
    )
    return next(iter(read_masks(f"labelstudio:{folder / 'l.json'}", ClassTable(names=("background", "cat")))))
