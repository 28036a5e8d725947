"""Data sets that are written: what comes back is what was given."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, Sample
from figureground.data.dataset import open_dataset
from figureground.data.write import jpeg_bytes, png_bytes, png_rgb_bytes, write_table_and_toml

NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1, max_size=12)
"""Any text: quotes, commas, line ends, blanks, control signs, other scripts."""


def samples_of(texts: list[str]) -> list[Sample]:
    return [
        Sample(
            id=f"{place}{text}",
            image=f"images/{place}.jpg",
            mask=None,
            label="cat",
            split="train",
            attributes={"context": text, "note, odd": text[::-1]},
        )
        for place, text in enumerate(texts)
    ]


@given(texts=st.lists(NAMES, min_size=1, max_size=4), name=NAMES, third=NAMES)
def test_any_text_survives(tmp_path_factory, texts, name, third):
    """Ids, attributes, class names, contexts and the set's own name come back sign by sign."""
    folder = tmp_path_factory.mktemp("set")
    classes = ClassTable(names=("background", "cat", "~" + third))
    samples = samples_of(texts)
    write_table_and_toml(folder, name=name, classes=classes, samples=samples, common={"cat": texts[0], "~" + third: texts[-1]})
    found = open_dataset(str(folder))
    assert found.name == name
    assert found.classes == classes
    assert found.common == {"cat": texts[0], "~" + third: texts[-1]}
    assert found.context_attribute == "context"
    assert [(s.id, s.label, s.split, dict(s.attributes)) for s in found.samples] == [
        (s.id, s.label, s.split, dict(s.attributes)) for s in samples
    ]
    assert [s.image for s in found.samples] == [str(folder / s.image) for s in samples]


def test_ids_colours_and_void_are_kept(tmp_path):
    """Whatever a class table can hold is in the file."""
    classes = ClassTable(
        names=("a", "b"), ids=(3, 700), background=700, ignore=None, colours=((1, 2, 3), (4, 5, 6)), ignore_colour=(9, 9, 9)
    )
    sample = Sample(id="x", image="/far/x.jpg", mask="http://far/x.png", split=None, attributes={})
    write_table_and_toml(tmp_path, name="n", classes=classes, samples=[sample], common={}, label=None, context=None)
    found = open_dataset(str(tmp_path))
    assert found.classes == classes
    assert found.label_attribute is None
    assert found.context_attribute is None
    assert found.samples[0] == sample


def test_another_label_column_and_a_missing_attribute(tmp_path):
    """The label may stand in a column of any name; a sample without an attribute has an empty cell."""
    classes = ClassTable(names=("background", "cat"))
    samples = [Sample(id="1", label="cat", attributes={"place": "sea"}), Sample(id="2", label=None, attributes={"place": "wood", "n": "2"})]
    write_table_and_toml(tmp_path, name="n", classes=classes, samples=samples, common={}, label="kind", context="place")
    assert (tmp_path / "samples.csv").read_text() == "id,image,mask,kind,split,place,n\n1,,,cat,,sea,\n2,,,,,wood,2\n"
    found = open_dataset(str(tmp_path))
    assert [s.label for s in found.samples] == ["cat", None]
    assert found.label_attribute == "kind"
    write_table_and_toml(tmp_path, name="n", classes=classes, samples=found.samples, common={}, label="kind", context="place")
    assert [s.attributes["place"] for s in open_dataset(str(tmp_path)).samples] == ["sea", "wood"]


@pytest.mark.parametrize(
    ("samples", "extra", "word"),
    [
        ([], {}, "at least one"),
        ([Sample(id="a"), Sample(id="a")], {}, "'a' twice"),
        ([Sample(id="")], {}, "id of its own"),
        ([Sample(id="a", attributes={"mask": "x"})], {}, "'mask'"),
        ([Sample(id="a", attributes={" x": "x"})], {}, "outer blanks"),
        ([Sample(id="a")], {"context": "place"}, "'place'"),
        ([Sample(id="a")], {"common": {"dog": "sea"}}, "'dog'"),
        ([Sample(id="a\udcff")], {}, "no Unicode"),
    ],
)
def test_what_no_table_can_hold_is_refused(tmp_path, samples, extra, word):
    """One clear error, and no file."""
    given = {"common": {}, "context": None} | extra
    with pytest.raises(InputError, match=word):
        write_table_and_toml(tmp_path, name="n", classes=ClassTable(names=("background", "cat")), samples=samples, **given)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    """The table is whole or absent, and there is no temporary file."""
    real = Path.write_bytes

    def full(self, content):
        real(self, content[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_table_and_toml(
            tmp_path, name="n", classes=ClassTable(names=("background", "cat")), samples=[Sample(id="a")], common={}, context=None
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_holds_label_maps_unchanged(dtype):
    """Every value of either type comes back."""
    label_map = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (17, 31)).astype(dtype)
    back = cv2.imdecode(np.frombuffer(png_bytes(label_map), np.uint8), cv2.IMREAD_UNCHANGED)
    assert back.dtype == dtype
    assert np.array_equal(back, label_map)
    assert png_bytes(np.asfortranarray(label_map)) == png_bytes(label_map)


def test_pictures_keep_the_order_of_their_channels():
    """Red stays red: exactly in PNG, nearly in JPEG."""
    red = np.zeros((16, 24, 3), np.uint8)
    red[..., 0], red[..., 1] = 200, 30
    for data, most in ((png_rgb_bytes(red), 0), (jpeg_bytes(red), 3)):
        back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert int(np.abs(back.astype(int) - red).max()) <= most
    noisy = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    assert len(jpeg_bytes(noisy, 30)) < len(jpeg_bytes(noisy))


@pytest.mark.parametrize(
    "call",
    [
        lambda: png_bytes(np.zeros((2, 2), np.int64)),
        lambda: png_bytes(np.zeros((0, 2), np.uint8)),
        lambda: png_bytes(np.zeros((2, 2, 3), np.uint8)),
        lambda: jpeg_bytes(np.zeros((2, 2), np.uint8)),
        lambda: jpeg_bytes(np.zeros((2, 2, 3), np.uint8), 0),
        lambda: png_rgb_bytes(np.zeros((2, 2, 4), np.uint8)),
    ],
)
def test_other_arrays_are_refused(call):
    with pytest.raises(InputError, match="must be"):
        call()
