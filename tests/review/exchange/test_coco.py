"""COCO files of other tools: polygons, both run-length codes, overlaps, crowds, odd ids, and names that lead to samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.review.exchange.conftest import drawn

from figureground.core.errors import FormatError, InputError
from figureground.core.types import ClassTable

SIZE = (12, 20)


def document(*annotations: dict[str, Any], images: list[dict[str, Any]] | None = None, **changed: Any) -> dict[str, Any]:
    """An export as pycocotools' users know it, category ids unlike the class ids and with gaps."""
    images = images or [
        {"id": 42, "width": 20, "height": 12, "file_name": "holidays/IMG_1.jpg", "license": 0, "flickr_url": "", "date_captured": 0}
    ]
    categories = [{"id": 90, "name": "cat", "supercategory": ""}, {"id": 2, "name": "dog", "supercategory": ""}, {"id": 17, "name": "void"}]
    listed = [{"id": n, "image_id": 42, "iscrowd": 0, "attributes": {"occluded": False}, **a} for n, a in enumerate(annotations, start=1)]
    info = {"contributor": "", "date_created": "", "description": "", "url": "", "version": "", "year": ""}
    return {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "info": info,
        "categories": categories,
        "images": images,
        "annotations": listed,
        **changed,
    }


def polygon(top: int, left: int, bottom: int, right: int) -> list[list[float]]:
    return [[left, top, right, top, right, bottom, left, bottom]]


def counts(mask: np.ndarray) -> list[int]:
    """Uncompressed, column by column."""
    flat = mask.T.reshape(-1).astype(int).tolist()
    lengths, value = [0], 0
    for pixel in flat:
        if pixel != value:
            lengths.append(0)
            value = pixel
        lengths[-1] += 1
    return lengths


def test_later_annotations_lie_over_earlier_ones(read) -> None:
    found = read(
        "coco",
        document({"category_id": 90, "segmentation": polygon(1, 1, 8, 9)}, {"category_id": 2, "segmentation": polygon(4, 4, 11, 15)}),
    )
    assert [m.id for m in found] == ["holidays/IMG_1"]
    assert np.array_equal(found[0].runs.dense(), drawn(SIZE, (1, 1, 8, 9, 3), (4, 4, 11, 15, 7)))


def test_a_picture_of_boxes_alone_is_left_out_and_not_background(read, listener) -> None:
    bare = {"category_id": 90, "segmentation": [], "bbox": [1, 1, 5, 5]}
    images = [{"id": n, "width": 20, "height": 12, "file_name": f"{n}.jpg"} for n in (42, 43, 44)]
    content = document(bare, {"category_id": 90, "segmentation": polygon(1, 1, 8, 9)}, images=images)
    content["annotations"][1]["image_id"] = 43
    content["annotations"].append({**content["annotations"][0], "id": 3, "image_id": 43})
    found = read("coco", content)
    assert [m.id for m in found] == ["43", "44"]
    assert np.array_equal(found[0].runs.dense(), drawn(SIZE, (1, 1, 8, 9, 3)))
    assert listener.said == [
        "note: pictures without annotations are taken for background all over: 1; ?empty=skip leaves them out",
        "note: passed over: annotations without an area: 2, "
        "pictures whose annotations all have no area (boxes without outline, points, lines, tags): 1",
    ]


def test_a_polygon_in_two_pieces_is_their_union(read) -> None:
    found = read("coco", document({"category_id": 2, "segmentation": [*polygon(0, 0, 3, 3), *polygon(2, 2, 5, 5)]}))
    assert np.array_equal(found[0].runs.dense(), drawn(SIZE, (0, 0, 3, 3, 7), (2, 2, 5, 5, 7)))


def test_numbers_and_text_are_read_alike(read) -> None:
    """The same mask uncompressed, and in COCO's text code as it stands in the wild (by hand: `12 * 2 + 1 = 25, 3, ...`)."""
    mask = drawn(SIZE, (1, 2, 4, 4, 1)).astype(bool)
    as_numbers = {"size": [12, 20], "counts": counts(mask)}
    assert as_numbers["counts"] == [25, 3, 9, 3, 200]
    as_text = {"size": [12, 20], "counts": text_code([25, 3, 9, 3, 200])}
    for shape in (as_numbers, as_text):
        found = read("coco", document({"category_id": 90, "segmentation": shape, "iscrowd": 1}))
        assert np.array_equal(found[0].runs.dense(), drawn(SIZE, (1, 2, 4, 4, 3)))


def text_code(lengths: list[int]) -> str:
    """COCO's text code, five bits a sign, the least first, each from the third on as the difference to the one two before."""
    out = ""
    for n, length in enumerate(lengths):
        left = length - lengths[n - 2] if n > 2 else length
        while True:
            sign, left = left & 31, left >> 5
            more = left != (-1 if sign & 16 else 0)
            out += chr((sign | 32 if more else sign) + 48)
            if not more:
                break
    return out


def test_void_and_crowds(read, listener) -> None:
    """The category `void` is the ignore value; crowds are what is asked for."""
    content = document(
        {"category_id": 17, "segmentation": polygon(0, 0, 2, 2)},
        {"category_id": 2, "segmentation": {"size": [12, 20], "counts": counts(drawn(SIZE, (5, 5, 7, 8, 1)).astype(bool))}, "iscrowd": 1},
    )
    void = (0, 0, 2, 2, 255)
    for crowd, box in (("class", (5, 5, 7, 8, 7)), ("ignore", (5, 5, 7, 8, 255)), ("skip", (0, 0, 0, 0, 0))):
        assert np.array_equal(read("coco", content, f"?crowd={crowd}")[0].runs.dense(), drawn(SIZE, void, box))
    assert listener.said == ["note: passed over: crowd regions: 1"]


def test_pictures_find_their_samples(read, listener) -> None:
    """By file name in any folder; by id where the data knows no pictures; what is no sample is refused or passed over."""
    content = document({"category_id": 90, "segmentation": polygon(0, 0, 2, 2)})
    assert [m.id for m in read("coco", content, known={"first": "/data/pictures/IMG_1.jpg", "IMG_2": None})] == ["first"]
    assert [m.id for m in read("coco", content, known={"42": None, "43": None})] == ["42"]
    with pytest.raises(FormatError, match=r"image 42: the picture 'holidays/IMG_1.jpg' is no sample .* Did you mean `IMG_11`"):
        read("coco", content, known={"IMG_11": None})
    with pytest.raises(FormatError, match="no sample"):
        read("coco", content, known={"42": "/data/other.jpg"})
    assert read("coco", content, "?unknown=skip", known={"IMG_2": None}) == []
    assert listener.said == ["note: passed over: pictures that are no sample: 1"]


def test_a_name_that_fits_two_samples_is_refused(read) -> None:
    with pytest.raises(FormatError, match=r"may be the sample 'a', 'b'"):
        read("coco", document(), known={"a": "x/IMG_1.jpg", "b": "y/IMG_1.jpg"})


def test_pictures_without_annotations(read, listener) -> None:
    """Background all over, and said; or left out."""
    assert not read("coco", document())[0].runs.dense().any()
    assert read("coco", document(), "?empty=skip") == []
    assert "pictures without annotations are taken for background all over: 1; ?empty=skip" in listener.said[0]
    assert listener.said[1] == "note: passed over: pictures without annotations: 1"


def test_names_are_translated(read) -> None:
    content = document({"category_id": 90, "segmentation": polygon(0, 0, 2, 2)}, categories=[{"id": 90, "name": "Kitty: small"}])
    with pytest.raises(FormatError, match=r"annotation 1: the label 'Kitty: small' is not one of the 4 class names"):
        read("coco", content)
    assert read("coco", content, "?rename=Kitty: small:cat")[0].runs.dense().max() == 3
    with pytest.raises(InputError, match=r"`rename` leads to 'caat', which is no class. Did you mean `cat`"):
        read("coco", content, "?rename=Kitty:caat")
    with pytest.raises(InputError, match="THEIRS:OURS"):
        read("coco", content, "?rename=Kitty")


def test_the_nearest_class_is_named(read) -> None:
    with pytest.raises(FormatError, match="Did you mean `dog`"):
        read("coco", document({"category_id": 90, "segmentation": polygon(0, 0, 2, 2)}, categories=[{"id": 90, "name": "Dogs"}]))


def test_a_class_called_void_is_that_class(read) -> None:
    """Then void has another name."""
    classes = ClassTable(names=("background", "void"), ids=(0, 9))
    content = document({"category_id": 17, "segmentation": polygon(0, 0, 2, 2)})
    assert read("coco", content, classes=classes)[0].runs.dense().max() == 9
    content["categories"] = [{"id": 17, "name": "void pixels"}]
    assert read("coco", content, classes=classes)[0].runs.dense().max() == 255


BAD = {
    "not JSON": ("{", "no valid JSON"),
    "a list": ([], "`images` is not a list"),
    "no categories": (document(categories=None), "`categories` is not a list"),
    "strange images": (document(images=[3]), "`images` is not a list of objects"),  # type: ignore[list-item]
    "nested for ever": ("[" * 100_000, "no valid JSON"),
    "two categories of one id": (document(categories=[{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}]), "category id 1 is given twice"),
    "a category without a name": (document(categories=[{"id": 1}]), "needs a name"),
    "an image without an id": (document(images=[{"width": 2, "height": 2}]), "needs an id"),
    "an image twice": (document(images=[{"id": 42, "width": 2, "height": 2}] * 2), "image id 42 is given twice"),
    "two images of one file": (
        document(images=[{"id": i, "width": 2, "height": 2, "file_name": "a.jpg"} for i in (42, 43)]),
        "image 43 and image 42 are for one picture",
    ),
    "an annotation for nobody": (document({"image_id": 7, "category_id": 90, "segmentation": []}), "annotation 1 belongs to image 7"),
    "a size that is none": (document(images=[{"id": 42, "width": -2, "height": 2}]), "height and width must be whole numbers"),
    "a size as text": (document(images=[{"id": 42, "width": "2", "height": 2}]), "height and width must be whole numbers"),
    "a size like no picture's": (document(images=[{"id": 42, "width": 2**40, "height": 2**40}]), "is said to have"),
    "an unknown category": (document({"category_id": 5, "segmentation": polygon(0, 0, 1, 1)}), "annotation 1: .*category '5'"),
    "no shape": (document({"category_id": 90}), "annotation 1: .*neither polygons nor a run-length code"),
    "a polygon of two points": (document({"category_id": 90, "segmentation": [[0, 0, 1, 1]]}), "annotation 1: .*three x, y pairs"),
    "a polygon far away": (document({"category_id": 90, "segmentation": [[0, 0, 9e9, 0, 5, 5]]}), "annotation 1: .*far outside"),
    "a polygon of nothing": (document({"category_id": 90, "segmentation": [[0, 0, float("nan"), 0, 5, 5]]}), "annotation 1: .*far outside"),
    "a polygon of texts": (document({"category_id": 90, "segmentation": [["0", 0, 1, 0, 5, 5]]}), "annotation 1: .*else than numbers"),
    "a code of another size": (document({"category_id": 90, "segmentation": {"size": [2, 2], "counts": [4]}}), r"annotation 1: .*\[2, 2\]"),
    "a code too short": (document({"category_id": 90, "segmentation": {"size": [12, 20], "counts": [4]}}), "annotation 1: .*does not fill"),
    "a code too long": (
        document({"category_id": 90, "segmentation": {"size": [12, 20], "counts": [0, 2**70]}}),
        "annotation 1: .*does not fill",
    ),
    "a code below nothing": (
        document({"category_id": 90, "segmentation": {"size": [12, 20], "counts": [-5, 245]}}),
        "annotation 1: .*does not fill",
    ),
    "a code of other signs": (
        document({"category_id": 90, "segmentation": {"size": [12, 20], "counts": "\u0000é"}}),
        "annotation 1: .*run-length",
    ),
    "a file name that is none": (document(images=[{"id": 42, "width": 2, "height": 2, "file_name": 3}]), "`file_name` must be a text"),
    "half a character": (document(images=[{"id": 42, "width": 2, "height": 2, "file_name": "\ud800.jpg"}]), "is no Unicode text"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_one_sentence_with_the_place(case: str, read, tmp_path) -> None:
    content, told = BAD[case]
    with pytest.raises(FormatError, match=told) as error:
        read("coco", content)
    assert str(tmp_path / "export.json") in str(error.value)


def test_options_are_checked(read) -> None:
    for query, told in (("?crowds=skip", "Did you mean `crowd`"), ("?crowd=no", "must be one of class"), ("?empty=no", "must be one of")):
        with pytest.raises(InputError, match=told):
            read("coco", document(), query)


def test_an_id_that_leads_elsewhere_stays_a_name(read) -> None:
    """Without samples the name is cut to what lies below; with samples it must be one."""
    images = [{"id": 42, "width": 2, "height": 2, "file_name": "../../etc/passwd.png"}]
    assert [m.id for m in read("coco", document(images=images))] == ["etc/passwd"]
    with pytest.raises(FormatError, match="no sample"):
        read("coco", document(images=images), known={"a": "a.jpg"})
