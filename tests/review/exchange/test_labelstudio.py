"""Label Studio's exports: brush, polygon, box and ellipse, several annotations a task, the many names of a picture, and damage."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.review.exchange.conftest import drawn

from figureground.core.errors import FormatError, InputError
from figureground.core.types import ClassTable
from figureground.data.labelmap import encode_runs
from figureground.review.exchange.brush import encode_brush
from figureground.review.exchange.labelstudio_names import image_of, names_of_image
from figureground.review.exchange.masks import LabelledMask
from figureground.review.exchange.spec import read_masks, write_masks

SIZE = (10, 20)


def region(kind: str, label: str, value: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """One region as the editor writes it, sizes of the picture beside it."""
    known = {"original_width": 20, "original_height": 10, "image_rotation": 0, "from_name": "label", "to_name": "image", "origin": "manual"}
    return {**known, "id": "djbpw94CXj", "type": kind, "value": {**value, kind: [label]}, **changed}


def box(top: float, left: float, bottom: float, right: float, label: str) -> dict[str, Any]:
    value = {
        "x": 100 * left / 20,
        "y": 100 * top / 10,
        "width": 100 * (right - left) / 20,
        "height": 100 * (bottom - top) / 10,
        "rotation": 0,
    }
    return region("rectanglelabels", label, value)


def annotation(*result: dict[str, Any], **changed: Any) -> dict[str, Any]:
    known = {
        "id": 1001,
        "completed_by": 1,
        "was_cancelled": False,
        "ground_truth": False,
        "lead_time": 19.2,
        "prediction": {},
        "result_count": 0,
    }
    when = {"created_at": "2026-01-31T07:40:19.861611Z", "updated_at": "2026-01-31T07:40:19.861611Z", "last_action": None}
    return {**known, **when, "result": list(result), **changed}


def export(*annotations: dict[str, Any], image: str = "/data/upload/1/e97d4735-IMG-1.jpg", **changed: Any) -> list[dict[str, Any]]:
    """A project of one task as 'JSON' export writes it."""
    task = {
        "id": 68,
        "annotations": list(annotations),
        "file_upload": "e97d4735-IMG-1.jpg",
        "drafts": [],
        "predictions": [],
        "data": {"image": image},
    }
    rest = {"meta": {}, "created_at": "2026-01-31T07:39:58.952432Z", "inner_id": 1, "total_annotations": len(annotations), "project": 132}
    return [{**task, **rest, **changed}]


def test_all_shapes_are_drawn_in_their_order(read, listener) -> None:
    """Later over earlier: a box, a polygon, a brush layer; what has no area is passed over."""
    brush = np.zeros(SIZE, bool)
    brush[8:, 5:9] = True
    corners = [(4.0, 2.0), (10.0, 2.0), (10.0, 6.0), (4.0, 6.0)]
    points = [[100 * x / 20, 100 * y / 10] for x, y in corners]
    found = read(
        "labelstudio",
        export(
            annotation(
                box(0, 0, 5, 6, "cat"),
                region("polygonlabels", "dog", {"points": points, "closed": True}),
                region("brushlabels", "horse", {"format": "rle", "rle": encode_brush(brush)}),
                {"id": "x", "type": "choices", "value": {"choices": ["good"]}, "from_name": "quality", "to_name": "image"},
                region("keypointlabels", "cat", {"x": 1, "y": 1, "width": 0.5}),
            )
        ),
    )
    assert np.array_equal(found[0].runs.dense(), drawn(SIZE, (0, 0, 5, 6, 3), (2, 4, 6, 10, 7), (8, 5, 10, 9, 300)))
    assert (found[0].id, found[0].by, found[0].created) == ("IMG-1", "user 1", "2026-01-31T07:40:19.861611Z")
    assert listener.said == ["note: passed over: regions without an area: 2"]


def test_a_picture_of_points_alone_is_left_out(read, listener) -> None:
    point = region("keypointlabels", "cat", {"x": 5, "y": 5, "width": 1})
    assert list(read("labelstudio", export(annotation(point)))) == []
    assert listener.said[0].endswith("(boxes without outline, points, lines, tags): 1, regions without an area: 1")


def test_turned_boxes_and_ellipses(read) -> None:
    """A box turned by 90 degrees about its upper left corner lies to the left of it; an ellipse holds the pixels whose middle it does."""
    turned = region("rectanglelabels", "cat", {"x": 50, "y": 0, "width": 10, "height": 40, "rotation": 90})
    assert np.array_equal(read("labelstudio", export(annotation(turned)))[0].runs.dense(), drawn(SIZE, (0, 6, 2, 10, 3)))
    ellipse = region("ellipselabels", "dog", {"x": 50, "y": 50, "radiusX": 30, "radiusY": 40, "rotation": 0})
    rows, columns = np.mgrid[:10, :20] + 0.5
    inside = ((columns - 10) / 6) ** 2 + ((rows - 5) / 4) ** 2 <= 1
    found = read("labelstudio", export(annotation(ellipse)))[0].runs.dense() == 7
    assert np.count_nonzero(found != inside) <= 8  # pixels that the outline just touches
    assert abs(int(found.sum()) - math.pi * 24) < 5


def test_a_label_may_stand_in_an_entry_of_its_own(read) -> None:
    """As from `Brush` or `Rectangle` with separate `Labels`: two entries of one id."""
    shape = {**box(0, 0, 4, 4, "cat"), "type": "rectangle"}
    shape["value"].pop("rectanglelabels")
    label = {**shape, "type": "labels", "value": {**shape["value"], "labels": ["dog"]}}
    assert np.array_equal(read("labelstudio", export(annotation(shape, label)))[0].runs.dense(), drawn(SIZE, (0, 0, 4, 4, 7)))


def test_of_several_annotations_the_ground_truth_counts_else_the_newest(read, listener) -> None:
    """Cancelled ones never do."""
    old = annotation(box(0, 0, 4, 4, "cat"), updated_at="2026-01-01T00:00:00Z", completed_by={"id": 3, "email": "ann@example.org"})
    new = annotation(box(0, 0, 4, 4, "dog"), updated_at="2026-02-01T00:00:00Z")
    skipped = annotation(box(0, 0, 4, 4, "horse"), updated_at="2026-03-01T00:00:00Z", was_cancelled=True)
    assert read("labelstudio", export(new, old, skipped))[0].runs.dense().max() == 7
    found = read("labelstudio", export(new, {**old, "ground_truth": True}))[0]
    assert (found.runs.dense().max(), found.by) == (3, "ann@example.org")
    assert read("labelstudio", export(skipped)) == []
    assert listener.said[0] == "note: passed over: older annotations of a task: 1"
    assert listener.said[2] == "note: passed over: tasks without annotations: 1"


def test_predictions_are_read_when_asked(read) -> None:
    said = [{"model_version": "net 2", "score": 0.5, "result": [box(0, 0, 4, 4, "dog")]}]
    found = read("labelstudio", export(predictions=said), "?from=predictions")
    assert (found[0].runs.dense().max(), found[0].by) == (7, "net 2")


@pytest.mark.parametrize(
    ("image", "known"),
    [
        ("/data/upload/1/e97d4735-IMG-1.jpg", "IMG-1.jpg"),
        ("/data/upload/1-abc-IMG-1.jpg", "IMG-1.jpg"),
        ("upload/e97d4735-IMG-1.jpg", "IMG-1.jpg"),
        ("/data/local-files/?d=photos%2FIMG%201.jpg", "photos/IMG 1.jpg"),
        ("/data/local-files/?d=photos/IMG 1.jpg", "photos/IMG 1.jpg"),
        ("s3://bucket/photos/IMG%201.jpg", "photos/IMG 1.jpg"),
        ("https://example.org/a/IMG_1.jpg?token=a/b.png", "a/IMG_1.jpg"),
        ("C:\\photos\\IMG_1.jpg", "photos/IMG_1.jpg"),
    ],
)
def test_the_names_of_a_picture_lead_to_its_sample(image: str, known: str, read) -> None:
    content = export(annotation(box(0, 0, 4, 4, "dog")), image=image, file_upload="")
    assert [m.id for m in read("labelstudio", content, known={"the one": known, "other": "photos/IMG_2.jpg"})] == ["the one"]


def test_a_picture_without_a_name_goes_by_its_upload(read) -> None:
    content = export(annotation(box(0, 0, 4, 4, "dog")), image="data:image/png;base64,AAAA")
    assert [m.id for m in read("labelstudio", content, known={"the one": "x/IMG-1.jpg"})] == ["the one"]


def test_the_entry_that_names_the_picture() -> None:
    assert image_of({"note": "a", "photo": "x/1.JPG"}, None) == "x/1.JPG"
    assert image_of({"image": "x/1", "photo": "x/1.JPG"}, None) == "x/1"
    assert image_of({"image": "x/1", "photo": "x/2.jpg"}, "photo") == "x/2.jpg"
    assert image_of({"image": 3}, None) == ""
    assert names_of_image("") == []
    assert names_of_image("http://[bad/a.png") == ["http://[bad/a.png"]


def test_an_empty_annotation_needs_the_size_of_its_picture(tmp_path, read, listener) -> None:
    """From the task, or from the picture; where neither says it, the task is passed over."""
    Image.new("RGB", (20, 10)).save(tmp_path / "IMG-1.png")
    content = export(annotation())
    assert read("labelstudio", content) == []
    assert "empty annotations that do not say the size of their picture: 1" in listener.said[-1]
    found = read("labelstudio", content, known={"a": str(tmp_path / "IMG-1.png")})
    assert (found[0].runs.size_hw, found[0].runs.values.tolist()) == (SIZE, [0])
    assert read("labelstudio", content, "?empty=skip", known={"a": str(tmp_path / "IMG-1.png")}) == []


def test_a_mask_of_another_size_than_its_picture_is_refused(tmp_path, read) -> None:
    """As where a phone's picture was turned on the screen by its EXIF tag."""
    Image.new("RGB", (10, 20)).save(tmp_path / "IMG-1.png")
    with pytest.raises(FormatError, match="10 px high and 20 px wide and its picture 20 px high and 10 px wide"):
        read("labelstudio", export(annotation(box(0, 0, 4, 4, "dog"))), known={"a": str(tmp_path / "IMG-1.png")})


def with_value(**value: Any) -> list[dict[str, Any]]:
    return export(annotation(region("brushlabels", "dog", value)))


WHOLE = encode_brush(np.ones(SIZE, bool))
BAD = {
    "no JSON": ("[", "no valid JSON"),
    "JSON-MIN": ([{"image": "a.jpg", "tag": [], "id": 1}], "not as JSON-MIN"),
    "a word": ("3", "is not laid out as Label Studio's"),
    "annotations of nothing": (export(annotations=[3]), "task 68 is not laid out"),  # type: ignore[arg-type]
    "a result of nothing": (export(annotation(result=[3])), "task 68 is not laid out"),  # type: ignore[arg-type]
    "no size": (export(annotation({"id": "q", "type": "brushlabels"})), "task 68: no region says the size of its picture"),
    "no value": (
        export(annotation({"id": "q", "type": "brushlabels", "original_width": 20, "original_height": 10})),
        "task 68, region q: a region needs a type and a value",
    ),
    "no label": (
        export(annotation(region("brushlabels", "dog", {"rle": WHOLE}) | {"value": {"rle": WHOLE}})),
        "must have one label; it has 0",
    ),
    "two labels": (
        export(annotation(region("brushlabels", "dog", {}) | {"value": {"rle": WHOLE, "brushlabels": ["cat", "dog"]}})),
        "must have one label; it has 2",
    ),
    "an unknown label": (export(annotation(box(0, 0, 1, 1, "dogs"))), "region djbpw94CXj: the label 'dogs' is not one of the 4"),
    "a turned picture": (export(annotation(box(0, 0, 1, 1, "dog") | {"image_rotation": 90})), "the picture was turned by 90 degrees"),
    "two sizes": (export(annotation(box(0, 0, 1, 1, "dog"), box(0, 0, 1, 1, "dog") | {"original_width": 3})), "of different sizes"),
    "a size of nothing": (export(annotation(box(0, 0, 1, 1, "dog") | {"original_width": 0})), "height and width must be whole numbers"),
    "a size like no picture's": (export(annotation(box(0, 0, 1, 1, "dog") | {"original_width": 10**12})), "is said to have"),
    "an unknown shape": (export(annotation(region("bitmasklabels", "dog", {}))), "regions of type 'bitmask' cannot be read"),
    "no code": (with_value(), "must be a list of whole numbers"),
    "a code of texts": (with_value(rle=["a"]), "must be a list of whole numbers"),
    "a code of large numbers": (with_value(rle=[256]), "must be a list of whole numbers"),
    "a short code": (with_value(rle=[1, 2, 3]), "cut short"),
    "a code of another size": (with_value(rle=encode_brush(np.ones((2, 2), bool))), "is for 16 numbers"),
    "a code that ends early": (with_value(rle=WHOLE[:-2]), "cut short, or goes on beyond"),
    "a code that overruns": (with_value(rle=[0, 0, 3, 32, *encode_brush(np.ones((11, 20), bool))[4:]]), "cut short, or goes on beyond"),
    "a box of nothing": (export(annotation(region("rectanglelabels", "dog", {"x": 1}))), "region djbpw94CXj: a coordinate is no finite"),
    "a box without end": (export(annotation(box(0, 0, float("inf"), 1, "dog"))), "a coordinate is no finite number"),
    "a box far away": (export(annotation(box(0, 0, 1e9, 1, "dog"))), "region djbpw94CXj: .*far outside"),
    "a polygon of words": (export(annotation(region("polygonlabels", "dog", {"points": "1,2"}))), "a coordinate is no finite number"),
    "a polygon of triples": (
        export(annotation(region("polygonlabels", "dog", {"points": [[1, 2, 3]]}))),
        "a coordinate is no finite number",
    ),
    "a polygon of two points": (export(annotation(region("polygonlabels", "dog", {"points": [[1, 2], [3, 4]]}))), "three x, y pairs"),
    "no picture": (export(annotation(box(0, 0, 1, 1, "dog")), data={}, file_upload=None), "the picture '' is no sample"),
    "two tasks of one picture": (export(annotation(box(0, 0, 1, 1, "dog"))) * 2, "task 68 and task 68 are for one picture"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_one_sentence_with_the_place(case: str, read, tmp_path) -> None:
    content, told = BAD[case]
    with pytest.raises(FormatError, match=told) as error:
        read("labelstudio", content)
    assert str(tmp_path / "export.json") in str(error.value)


def test_options_of_an_export_are_written(tmp_path) -> None:
    """The address of the pictures and the names of the tags; what is read back is the same."""
    classes = ClassTable(names=("background", "cat"))
    mask = LabelledMask(id="1", image="photos/1.jpg", runs=encode_runs(np.array([[0, 1]], np.uint8)), by="net")
    file = tmp_path / "l.json"
    query = "?as=predictions&images=/data/local-files/%3Fd=photos/&from_name=tag&to_name=img"
    write_masks(f"labelstudio:{file}{query}", [mask], classes)
    text = file.read_text()
    assert '"image":"/data/local-files/?d=photos/1.jpg"' in text
    assert '"from_name":"tag","to_name":"img"' in text
    assert '"model_version":"net"' in text
    found = list(read_masks(f"labelstudio:{file}?from=predictions", classes))
    assert (found[0].id, found[0].by, found[0].runs) == ("1", "net", mask.runs)
    with pytest.raises(InputError, match="Did you mean `from_name`"):
        write_masks(f"labelstudio:{file}?fromname=tag", [mask], classes)
