"""CVAT's exports: masks, polygons, boxes and ellipses by z-order, projects and tasks, videos refused, entities never expanded."""

from __future__ import annotations

import numpy as np
import pytest
from tests.review.exchange.conftest import drawn

from figureground.core.errors import FormatError, InputError
from figureground.core.types import ClassTable
from figureground.data.labelmap import encode_runs
from figureground.review.exchange.masks import LabelledMask
from figureground.review.exchange.spec import read_masks, write_masks

SIZE = (10, 20)
HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <job>
      <id>1757241</id>
      <size>1</size>
      <mode>annotation</mode>
      <overlap>0</overlap>
      <bugtracker></bugtracker>
      <created>2026-01-24 11:42:54.060462+00:00</created>
      <subset>default</subset>
      <start_frame>0</start_frame>
      <labels>
        <label>
          <name>cat</name>
          <color>#ddff33</color>
          <type>any</type>
          <attributes>
          </attributes>
        </label>
      </labels>
    </job>
    <dumped>2026-01-24 11:48:05.249995+00:00</dumped>
  </meta>
"""


def export(*shapes: str, image: str = 'id="0" name="holidays/IMG_1.jpg" subset="default" task_id="5" width="20" height="10"') -> str:
    return f"{HEAD}  <image {image}>\n" + "\n".join(shapes) + "\n  </image>\n</annotations>\n"


def mask(label: str, rle: str, box: tuple[int, int, int, int], z_order: int | None = 0) -> str:
    left, top, width, height = box
    order = "" if z_order is None else f' z_order="{z_order}"'
    size = f'left="{left}" top="{top}" width="{width}" height="{height}"'
    return f'<mask label="{label}" source="manual" occluded="1" rle="{rle}" {size}{order}>\n<attribute name="Visibility">Full</attribute>\n</mask>'


def test_masks_polygons_and_boxes_are_drawn_by_their_order(read, listener) -> None:
    """A higher z-order lies above whatever comes later; points, tags and attributes are no areas."""
    found = read(
        "cvat",
        export(
            '<polygon label="dog" source="manual" occluded="0" points="4.00,2.00;10.00,2.00;10.00,6.00;4.00,6.00" z_order="1">\n</polygon>',
            mask("horse", "0, 2, 1, 1", (8, 5, 2, 2)),
            '<box label="cat" source="manual" occluded="0" xtl="0.00" ytl="0.00" xbr="6.00" ybr="5.00" z_order="0"></box>',
            '<points label="cat" source="manual" points="3.1,4.1" z_order="0"></points>',
            '<tag label="good" source="manual"></tag>',
        ),
    )
    expected = drawn(SIZE, (5, 8, 6, 10, 300), (6, 9, 7, 10, 300), (0, 0, 5, 6, 3), (2, 4, 6, 10, 7))
    assert found[0].id == "holidays/IMG_1"
    assert np.array_equal(found[0].runs.dense(), expected)
    assert listener.said == ["note: passed over: shapes without an area: 2"]


def test_a_picture_of_points_and_tags_alone_is_left_out(read, listener) -> None:
    assert list(read("cvat", export('<points label="cat" points="3.1,4.1"></points>', '<tag label="good"></tag>'))) == []
    assert listener.said[0].endswith("(boxes without outline, points, lines, tags): 1, shapes without an area: 2")


def test_a_turned_box_turns_about_its_middle(read) -> None:
    """By 90 degrees: 8 wide and 2 high about (10, 5) becomes 2 wide and 8 high."""
    found = read("cvat", export('<box label="dog" xtl="6" ytl="4" xbr="14" ybr="6" rotation="90.0"></box>'))
    assert np.array_equal(found[0].runs.dense(), drawn(SIZE, (1, 9, 9, 11, 7)))


def test_an_ellipse(read) -> None:
    found = read("cvat", export('<ellipse label="dog" cx="10.0" cy="5.0" rx="6.0" ry="4.0"></ellipse>'))[0].runs.dense() == 7
    rows, columns = np.mgrid[:10, :20] + 0.5
    assert np.count_nonzero(found != (((columns - 10) / 6) ** 2 + ((rows - 5) / 4) ** 2 <= 1)) <= 8


def test_void_and_background_are_labels_too(read) -> None:
    found = read(
        "cvat",
        export(mask("cat", "0,200", (0, 0, 20, 10), None), mask("void", "0,2", (0, 0, 2, 1)), mask("background", "0,2", (3, 0, 2, 1))),
    )
    assert np.array_equal(found[0].runs.dense(), drawn(SIZE, (0, 0, 10, 20, 3), (0, 0, 1, 2, 255), (0, 3, 1, 5, 0)))


def test_pictures_find_their_samples(read) -> None:
    content = export(mask("cat", "0,1", (0, 0, 1, 1)))
    assert [m.id for m in read("cvat", content, known={"a": "elsewhere/IMG_1.jpg", "b": None})] == ["a"]
    with pytest.raises(FormatError, match=r"image 'holidays/IMG_1.jpg': the picture .* Did you mean `IMG_2`"):
        read("cvat", content, known={"IMG_2": None})


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><annotations>&b;</annotations>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><annotations>&f;</annotations>'
BAD = {
    "an entity bomb": (BOMB, "has a document type"),
    "a file from outside": (OUTSIDE, "has a document type"),
    "a document type alone": ("<!DOCTYPE annotations><annotations/>", "has a document type"),
    "no XML": ("{}", "no whole XML"),
    "cut short": (export(mask("cat", "0,1", (0, 0, 1, 1)))[:-60], "no whole XML"),
    "nothing but a head": ('<?xml version="1.0"?>', "no whole XML"),
    "nested for ever": ("<annotations>" + "<a>" * 200_000, "nested more than 64 deep"),
    "an unknown encoding": ('<?xml version="1.0" encoding="klingon"?><annotations/>', "the text cannot be read|no whole XML"),
    "bytes that are no text": (b'<?xml version="1.0" encoding="utf-8"?><annotations>\xff</annotations>', "no whole XML"),
    "another root": ("<annotation/>", "the root is <annotation>"),
    "a video": ('<annotations><track id="0" label="cat"/></annotations>', "tracks of a video"),
    "no size": (export(image='id="0" name="a.jpg"'), "image 'a.jpg': `height` must be a whole number"),
    "a size below nothing": (export(image='id="0" name="a.jpg" width="-2" height="2"'), "height and width must be whole numbers"),
    "a size like no picture's": (export(image='id="0" name="a.jpg" width="999999999" height="999999999"'), "is said to have"),
    "no name": (export(mask("cat", "0,1", (0, 0, 1, 1)), image='id="0" width="2" height="2"'), "the picture '' is no sample"),
    "two images of one name": (export().replace("</annotations>", export().partition("</meta>")[2]), "are for one picture"),
    "an unknown label": (export(mask("caat", "0,1", (0, 0, 1, 1))), "mask 1: the label 'caat' is not one of the 4 .* Did you mean `cat`"),
    "no label": (export("<mask rle='0,1' left='0' top='0' width='1' height='1'/>"), "mask 1: the label 'None' is not one"),
    "runs that overrun": (export(mask("cat", "0, 5", (0, 0, 2, 2))), "mask 1: its `rle` says 5 pixels and its box has 4"),
    "runs that fall short": (export(mask("cat", "0, 3", (0, 0, 2, 2))), "mask 1: its `rle` says 3 pixels and its box has 4"),
    "runs without end": (export(mask("cat", "0, 99999999999999999999", (0, 0, 2, 2))), "no list of whole numbers"),
    "runs below nothing": (export(mask("cat", "-1, 5", (0, 0, 2, 2))), "no list of whole numbers"),
    "runs of words": (export(mask("cat", "0, three", (0, 0, 2, 2))), "no list of whole numbers"),
    "no runs": (export(mask("cat", "", (0, 0, 2, 2))), "no list of whole numbers"),
    "a box outside": (export(mask("cat", "0, 4", (19, 0, 2, 2))), "at 19, 0 is not inside the picture of 20 x 10"),
    "a box before the picture": (export(mask("cat", "0, 4", (-1, 0, 2, 2))), "is not inside"),
    "a box of no width": (export(mask("cat", "0, 4", (0, 0, 0, 2))), "is not inside"),
    "a place that is no number": (
        export(mask("cat", "0, 4", (0, 0, 2, 2)).replace('left="0"', 'left="0.5"')),
        "`left` must be a whole number",
    ),
    "an order that is no number": (export(mask("cat", "0, 4", (0, 0, 2, 2)).replace('z_order="0"', 'z_order="top"')), "`z_order` must be"),
    "a polygon of nothing": (export('<polygon label="cat" points="nan,1;2,3;4,5"/>'), "polygon 1: a coordinate is no finite number"),
    "a polygon of words": (export('<polygon label="cat" points="one"/>'), "a coordinate is no finite number"),
    "a polygon of two points": (export('<polygon label="cat" points="1,1;2,2"/>'), "polygon 1: .*three x, y pairs"),
    "a polygon far away": (export('<polygon label="cat" points="1,1;2,2;-1e9,3"/>'), "polygon 1: .*far outside"),
    "a box without a corner": (export('<box label="cat" xtl="1" ytl="1" xbr="3"/>'), "box 1: a coordinate is no finite number"),
    "another shape": (export('<cuboid label="cat"/>'), "cuboid 1: shapes of this kind cannot be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_one_sentence_with_the_place(case: str, read, tmp_path) -> None:
    content, told = BAD[case]
    with pytest.raises(FormatError, match=told) as error:
        read("cvat", content)
    assert str(tmp_path / "export.xml") in str(error.value)


def test_names_that_xml_cannot_hold_are_refused(tmp_path) -> None:
    """And those that it can, with all its signs, come back."""
    runs = encode_runs(np.array([[0, 1]], np.uint8))
    classes = ClassTable(names=("background", "cat"))
    with pytest.raises(InputError, match="XML cannot hold"):
        write_masks(f"cvat:{tmp_path / 'l.xml'}", [LabelledMask(id="a\x01", image=None, runs=runs)], classes)
    assert list(tmp_path.iterdir()) == []
    odd = LabelledMask(id="<&>\"' \n", image=None, runs=runs)
    write_masks(f"cvat:{tmp_path / 'l.xml'}", [odd], classes)
    assert [m.id for m in read_masks(f"cvat:{tmp_path / 'l.xml'}", classes)] == [odd.id]
