"""COCO files: polygons, both run-length codes, crowd, overlaps, gaps in the ids, panoptic PNGs, against pycocotools as the judge."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as judge

from figureground.core.errors import FormatError, InputError
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.formats.coco_instances import Instance, draw_region
from figureground.data.labelmap import decode_runs

SIZE = (20, 30)
SQUARE = [2, 2, 12, 2, 12, 12, 2, 12]


def rle(region: np.ndarray, *, compressed: bool) -> dict:
    """A region as COCO writes it."""
    if compressed:
        code = judge.encode(np.asfortranarray(region.astype(np.uint8)))
        return {"size": list(code["size"]), "counts": code["counts"].decode("ascii")}
    flat = region.T.reshape(-1).astype(int)
    changes = np.flatnonzero(np.diff(flat)) + 1
    edges = [0, *changes.tolist(), flat.size]
    lengths = np.diff(edges).tolist()
    return {"size": list(region.shape), "counts": ([0] if flat[0] else []) + lengths}


def document(*annotations: dict, categories: dict[int, str] | None = None, images: list[dict] | None = None) -> dict:
    images = images or [{"id": 7, "file_name": "train/000007.jpg", "height": SIZE[0], "width": SIZE[1], "group_id": 2, "license": 1}]
    named = categories or {17: "cat", 18: "dog", 90: "person"}
    listed = [{"image_id": 7, "iscrowd": 0, "id": n, **a} for n, a in enumerate(annotations)]
    return {"images": images, "annotations": listed, "categories": [{"id": i, "name": n} for i, n in named.items()]}


@pytest.fixture
def opened(tmp_path: Path):
    def open_it(content: object, query: str = "") -> Dataset:
        (tmp_path / "instances.json").write_text(json.dumps(content))
        return open_dataset(f"coco:{tmp_path / 'instances.json'}{query}")

    return open_it


def mask_of(dataset: Dataset, sample_id: str = "7") -> np.ndarray:
    assert dataset.masks is not None
    return decode_runs(dataset.masks.read(sample_id))


def box(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    region = np.zeros(SIZE, bool)
    region[top:bottom, left:right] = True
    return region


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_both_run_length_codes_are_exact(height, width, share, seed):
    region = np.random.default_rng(seed).random((height, width)) < share
    for compressed in (True, False):
        counts = rle(region, compressed=compressed)["counts"]
        one = Instance(category=1, crowd=False, polygons=(), counts=counts if compressed else tuple(counts))
        assert np.array_equal(draw_region(one, (height, width), file="f", sample="s"), region)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools under numpy 2
@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.floats(-5, 35), min_size=6, max_size=12).filter(lambda p: len(p) % 2 == 0), min_size=1, max_size=3))
def test_polygons_are_filled_as_the_reference_fills_them(polygons):
    one = Instance(category=1, crowd=False, polygons=tuple(map(tuple, polygons)), counts=None)
    expected = judge.decode(judge.merge(judge.frPyObjects(polygons, *SIZE)))
    assert np.array_equal(draw_region(one, SIZE, file="f", sample="s"), expected.astype(bool))


def test_category_ids_stay_and_background_is_zero(opened):
    dataset = opened(document({"category_id": 90, "segmentation": [SQUARE]}))
    assert dataset.classes.ids == (0, 17, 18, 90)
    assert dataset.classes.names == ("background", "cat", "dog", "person")
    assert set(np.unique(mask_of(dataset))) == {0, 90}
    assert (mask_of(dataset) == 90).sum() == 100
    assert dataset.sample("7").label == "person"
    assert dataset.sample("7").size_hw == SIZE


def test_smaller_instances_lie_on_larger_ones_in_any_order(opened):
    large, small = box(0, 0, 15, 20), box(5, 5, 8, 9)
    for order in (1, -1):
        annotations = [
            {"category_id": 17, "segmentation": rle(large, compressed=True)},
            {"category_id": 18, "segmentation": rle(small, compressed=False)},
        ]
        mask = mask_of(opened(document(*annotations[::order])))
        assert (mask == 18).sum() == small.sum()
        assert (mask == 17).sum() == large.sum() - small.sum()


def test_of_two_equal_ones_the_later_wins(opened):
    same = rle(box(0, 0, 4, 4), compressed=True)
    mask = mask_of(opened(document({"category_id": 17, "segmentation": same}, {"category_id": 18, "segmentation": same})))
    assert (mask == 18).sum() == 16
    assert not (mask == 17).any()


@pytest.mark.parametrize(("choice", "value"), [("ignore", 255), ("class", 17), ("skip", 0)])
def test_crowd_is_a_choice_and_lies_below(opened, choice, value):
    crowd = {"category_id": 17, "iscrowd": 1, "segmentation": rle(box(5, 5, 8, 8), compressed=False)}
    figure = {"category_id": 18, "segmentation": rle(box(0, 0, 7, 7), compressed=True)}
    mask = mask_of(opened(document(crowd, figure), f"?crowd={choice}"))
    assert (mask == 18).sum() == 49
    assert mask[7, 7] == value
    assert mask[19, 29] == 0


def test_an_image_without_annotations_is_all_background(opened):
    dataset = opened(document())
    assert not mask_of(dataset).any()
    assert dataset.sample("7").label is None


def test_an_image_of_two_categories_has_no_single_label(opened):
    both = [{"category_id": c, "segmentation": rle(box(c - 17, 0, c - 16, 3), compressed=True)} for c in (17, 18)]
    assert opened(document(*both)).sample("7").label is None
    kept = opened(document(*both), "?classes=cat")
    assert (kept.sample("7").label, kept.classes.names, set(np.unique(mask_of(kept)))) == ("cat", ("background", "cat"), {0, 17})


def test_ids_pictures_groups_and_attributes(opened, tmp_path):
    (tmp_path / "pictures" / "train").mkdir(parents=True)
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "pictures" / "train" / "000007.jpg")
    dataset = opened(document(), f"?id=file&images={tmp_path / 'pictures'}&groups=indoor,outdoor")
    sample = dataset.sample("000007")
    assert sample.image == str(tmp_path / "pictures" / "train" / "000007.jpg")
    assert sample.attributes == {"group_id": "2", "context": "indoor"}
    assert dataset.context_attribute == "context"
    mask_of(dataset, "000007")
    Image.new("RGB", (5, 5)).save(tmp_path / "pictures" / "train" / "000007.jpg")
    with pytest.raises(FormatError, match="its picture 5 px"):
        mask_of(dataset, "000007")
    with pytest.raises(InputError, match="Did you mean `person`"):
        opened(document(), "?classes=persn")
    with pytest.raises(InputError, match="unknown key `crowed`"):
        opened(document(), "?crowed=skip")


def test_where_255_is_a_category_another_value_is_void(opened):
    dataset = opened(document({"category_id": 255, "segmentation": [SQUARE]}, categories={255: "cat"}))
    assert dataset.classes.ignore == 65_535
    assert mask_of(dataset).dtype == np.uint16
    assert mask_of(dataset).max() == 255


def test_a_category_zero_needs_another_background(opened):
    with pytest.raises(FormatError, match=r"\?background=ID"):
        opened(document(categories={0: "cat", 1: "dog"}))
    dataset = opened(document({"category_id": 0, "segmentation": [SQUARE]}, categories={0: "cat", 1: "dog"}), "?background=9")
    assert (dataset.classes.background, set(np.unique(mask_of(dataset)))) == (9, {0, 9})
    named = opened(document({"category_id": 1, "segmentation": [SQUARE]}, categories={0: "background", 1: "dog"}))
    assert named.classes.names == ("background", "dog")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"category_id": 3, "segmentation": [SQUARE]}, "bad-annotation"),
        ({"category_id": 17, "segmentation": None}, "bad-annotation"),
        ({"category_id": 17, "segmentation": [[1, 2, 3, 4]]}, "bad-annotation"),
        ({"category_id": 17, "segmentation": [[1, 2, 3, 4, 5]]}, "bad-annotation"),
        ({"category_id": 17, "segmentation": [[1, 2, 3, 4, 5, "6"]]}, "bad-annotation"),
        ({"category_id": 17, "segmentation": [[1, 2, 3, 4, 5, 1e9]]}, "bad-annotation"),
        ({"category_id": 17, "segmentation": [[1, 2, 3, 4, 5, float("nan")]]}, "bad-annotation"),
        ({"category_id": 17, "segmentation": {"size": [20, 30], "counts": [600, 1]}}, "bad-annotation"),
        ({"category_id": 17, "segmentation": {"size": [20, 30], "counts": [-1, 601]}}, "bad-annotation"),
        ({"category_id": 17, "segmentation": {"size": [20, 30], "counts": "~~~"}}, "bad-annotation"),
        ({"category_id": 17, "segmentation": {"size": [20, 30], "counts": "\ud800"}}, "bad-annotation"),
        ({"category_id": 17, "segmentation": {"size": [20, 30], "counts": "oooooooooooooooooo"}}, "bad-annotation"),
        ({"category_id": 17, "segmentation": {"size": [30, 20], "counts": [600]}}, "size-mismatch"),
        ({"category_id": 17, "segmentation": [SQUARE], "image_id": 8}, "bad-json"),
    ],
)
def test_annotations_that_cannot_be_drawn_are_refused(opened, change, code):
    with pytest.raises(FormatError) as caught:
        mask_of(opened(document(change)))
    assert caught.value.fault.code == code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([], "bad-json"),
        ({"images": []}, "bad-json"),
        (document(images=[{"id": 7, "height": 0, "width": 4}]), "bad-json"),
        (document(images=[{"id": 7, "height": 10**9, "width": 10**9}]), "bad-json"),
        (document(images=[{"height": 4, "width": 4}]), "bad-json"),
        (document(images=[{"id": i, "height": 4, "width": 4} for i in (1, 1)]), "duplicate-id"),
        (document(images=[{"id": i, "height": 4, "width": 4} for i in (1, "1")]), "duplicate-id"),
        (document(categories={1: "cat", 2: "cat"}), "bad-json"),
        (document(categories={1: "cat", 70_000: "far"}), "bad-json"),
        ({**document(), "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "duplicate-id"),
    ],
)
def test_files_that_are_no_coco_files_are_refused(opened, content, code):
    with pytest.raises(FormatError) as caught:
        opened(content)
    assert caught.value.fault.code == code


def test_panoptic_segments_become_their_categories(tmp_path):
    numbers = np.zeros(SIZE, np.uint32)
    numbers[:5], numbers[5:9], numbers[9:12, :4] = 70_000, 300, 9
    colours = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65_536], axis=2).astype(np.uint8)
    (tmp_path / "panoptic").mkdir()
    Image.fromarray(colours).save(tmp_path / "panoptic" / "000007.png")
    content = document(categories={17: "cat", 184: "tree"})
    segments = [
        {"id": 70_000, "category_id": 184, "iscrowd": 0},
        {"id": 300, "category_id": 184, "iscrowd": 0},
        {"id": 9, "category_id": 17, "iscrowd": 1},
    ]
    content["annotations"] = [{"image_id": 7, "file_name": "000007.png", "segments_info": segments}]
    (tmp_path / "panoptic.json").write_text(json.dumps(content))
    mask = mask_of(open_dataset(f"coco:{tmp_path / 'panoptic.json'}?crowd=class"))
    assert (mask[:9] == 184).all()
    assert (mask == 17).sum() == 12
    assert (mask_of(open_dataset(f"coco:{tmp_path / 'panoptic.json'}")) == 255).sum() == 12
    segments.pop()
    (tmp_path / "panoptic.json").write_text(json.dumps(content))
    with pytest.raises(FormatError, match="segment 9"):
        mask_of(open_dataset(f"coco:{tmp_path / 'panoptic.json'}?panoptic={tmp_path / 'panoptic'}"))
