"""Known layouts open where they lie: folders, PASCAL VOC, Oxford pets, Waterbirds."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from figureground.core.errors import FormatError, InputError
from figureground.data.dataset import open_dataset
from figureground.data.labelmap import decode_runs

TRIMAP = np.array([[2, 2, 3], [3, 1, 1], [2, 3, 1]], np.uint8)


@pytest.fixture
def voc(tmp_path: Path, png_writer) -> Path:
    """A VOC year with two training pictures and one for validation."""
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for n, name in enumerate(("2007_000032", "2007_000039", "2008_000001")):
        label_map = np.zeros((4, 5), np.uint8)
        label_map[1:3, 1:4], label_map[0, 0] = 8 + n, 255
        png_writer(root / "SegmentationClass" / f"{name}.png", label_map, mode="P")
        (root / "JPEGImages").mkdir(exist_ok=True)
        Image.new("RGB", (5, 4)).save(root / "JPEGImages" / f"{name}.jpg")
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_000032\n2007_000039\n")
    (lists / "val.txt").write_text("2008_000001\n")
    (lists / "trainval.txt").write_text("2007_000032\n2007_000039\n2008_000001\n")
    return root


def test_voc_reads_indices_lists_and_void(voc):
    for where in (voc, voc.parent):
        dataset = open_dataset(f"voc:{where}")
        assert dataset.group_counts(["split"]) == {("train",): 2, ("val",): 1}
        assert len(dataset.classes) == 21
        assert dataset.classes.names[8] == "cat"
        assert dataset.masks is not None
        assert set(np.unique(decode_runs(dataset.masks.read("2008_000001")))) == {0, 10, 255}
    assert open_dataset(f"voc:{voc}?split=val").ids == ("2008_000001",)


def test_voc_without_lists_takes_every_mask(voc):
    for file in (voc / "ImageSets" / "Segmentation").iterdir():
        file.unlink()
    assert len(open_dataset(f"voc:{voc}")) == 3


def test_voc_faults(voc, tmp_path):
    (voc / "SegmentationClass" / "2007_000032.png").unlink()
    dataset = open_dataset(f"voc:{voc}")
    assert dataset.masks is not None
    with pytest.raises(FormatError) as caught:
        dataset.masks.read("2007_000032")
    assert caught.value.fault.code == "missing-mask"
    (voc / "ImageSets" / "Segmentation" / "val.txt").write_text("a\na\n")
    with pytest.raises(FormatError) as caught:
        open_dataset(f"voc:{voc}")
    assert caught.value.fault.code == "duplicate-id"
    with pytest.raises(FormatError, match="no VOC year"):
        open_dataset(f"voc:{tmp_path}")
    with pytest.raises(FormatError, match="no such folder"):
        open_dataset(f"voc:{tmp_path / 'absent'}")
    with pytest.raises(InputError, match="unknown key"):
        open_dataset(f"voc:{voc}?spilt=val")


@pytest.fixture
def pets(tmp_path: Path, png_writer) -> Path:
    root = tmp_path / "pets"
    names = ("Abyssinian_1", "Egyptian_Mau_12", "beagle_3")
    (root / "images").mkdir(parents=True)
    for name in names:
        png_writer(root / "annotations" / "trimaps" / f"{name}.png", TRIMAP)
        Image.new("RGB", (3, 3)).save(root / "images" / f"{name}.jpg")
    (root / "annotations" / "trimaps" / "._beagle_3.png").write_bytes(b"not a picture")
    annotations = root / "annotations"
    (annotations / "list.txt").write_text("#Image CLASS-ID SPECIES BREED ID\nAbyssinian_1 1 1 1\nEgyptian_Mau_12 10 1 5\nbeagle_3 5 2 4\n")
    (annotations / "trainval.txt").write_text("Abyssinian_1 1 1 1\nbeagle_3 5 2 4\n")
    (annotations / "test.txt").write_text("Egyptian_Mau_12 10 1 5\n")
    return root


@pytest.mark.parametrize(("border", "value"), [("ignore", 255), ("foreground", 2), ("background", 0)])
def test_pets_border_is_a_choice(pets, border, value):
    dataset = open_dataset(f"pets:{pets}?border={border}")
    assert dataset.masks is not None
    expected = np.array([0, 2, 0, value])[TRIMAP]
    assert np.array_equal(decode_runs(dataset.masks.read("beagle_3")), expected)


def test_pets_by_species_and_by_breed(pets):
    species = open_dataset(f"pets:{pets}")
    assert species.group_counts(["class", "split"]) == {("cat", "test"): 1, ("cat", "trainval"): 1, ("dog", "trainval"): 1}
    breed = open_dataset(f"pets:{pets}?classes=breed")
    assert breed.classes.names == ("background", "Abyssinian", "beagle", "Egyptian Mau")
    assert breed.classes.ids == (0, 1, 5, 10)
    assert breed.sample("Egyptian_Mau_12").attributes == {"species": "cat", "breed": "Egyptian Mau"}
    assert breed.masks is not None
    assert breed.masks.read("Egyptian_Mau_12").values.max() == 255
    assert 10 in breed.masks.read("Egyptian_Mau_12").values
    assert species.fingerprint() != open_dataset(f"pets:{pets}?border=background").fingerprint()


def test_pets_faults(pets, png_writer):
    png_writer(pets / "annotations" / "trimaps" / "beagle_3.png", TRIMAP - 1)
    dataset = open_dataset(f"pets:{pets}")
    assert dataset.masks is not None
    with pytest.raises(FormatError) as caught:
        dataset.masks.read("beagle_3")
    assert caught.value.fault.code == "unknown-class-id"
    with pytest.raises(InputError, match="`border` must be one of"):
        open_dataset(f"pets:{pets}?border=both")
    (pets / "annotations" / "list.txt").write_text("beagle_3 5 2\n")
    with pytest.raises(FormatError, match="entry 1"):
        open_dataset(f"pets:{pets}")
    (pets / "annotations" / "list.txt").unlink()
    with pytest.raises(FormatError, match="no such file"):
        open_dataset(f"pets:{pets}")


@pytest.fixture
def waterbirds(tmp_path: Path, png_writer, table_writer) -> Path:
    """The layout that the published generator writes: images with metadata.csv, and masks beside."""
    root = tmp_path / "birds"
    rows = []
    for n in range(4):
        name = f"00{n}.Bird/Bird_{n}"
        y, place = n // 2, n % 2
        png_writer(root / "masks" / f"{name}.png", np.array([[0, 1 + y]], np.uint8))
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 1)).save(root / "images" / f"{name}.jpg")
        rows.append(
            {"img_id": str(n), "img_filename": f"{name}.jpg", "y": str(y), "split": str(n % 3), "place": str(place), "group_id": str(n)}
        )
    table_writer(root / "images" / "metadata.csv", rows)
    return root


def test_waterbirds_with_masks(waterbirds):
    for where in (waterbirds, waterbirds / "images", waterbirds / "images" / "metadata.csv"):
        dataset = open_dataset(f"waterbirds:{where}")
        assert dataset.group_counts(["class", "context"]) == {(c, p): 1 for c in ("landbird", "waterbird") for p in ("land", "water")}
        assert [s.split for s in dataset.samples] == ["train", "val", "test", "train"]
        assert dataset.common == {"landbird": "land", "waterbird": "water"}
        assert dataset.masks is not None
        assert dataset.masks.read("003.Bird/Bird_3").values.tolist() == [0, 2]
        assert dataset.sample("003.Bird/Bird_3").image == str(waterbirds / "images" / "003.Bird" / "Bird_3.jpg")
    (waterbirds / "masks").rename(waterbirds / "elsewhere")
    assert open_dataset(f"waterbirds:{waterbirds}").masks is None
    assert open_dataset(f"waterbirds:{waterbirds}?masks={waterbirds / 'elsewhere'}").masks is not None


def test_waterbirds_faults(waterbirds):
    table = waterbirds / "images" / "metadata.csv"
    text = table.read_text()
    table.write_text(text.replace("3,003", "3,000").replace("Bird_3", "Bird_0"))
    with pytest.raises(FormatError) as caught:
        open_dataset(f"waterbirds:{waterbirds}")
    assert caught.value.fault.code == "duplicate-id"
    table.write_text(text.replace("place", "plaice"))
    with pytest.raises(FormatError, match="Did you mean `plaice`"):
        open_dataset(f"waterbirds:{waterbirds}")
    table.write_text(text.replace(".jpg,0,0,0,", ".jpg,0,7,0,"))
    with pytest.raises(FormatError, match="`split` is '7'"):
        open_dataset(f"waterbirds:{waterbirds}")


def test_folders_with_names_and_pictures(tiny):
    dataset = open_dataset(f"folders:{tiny}?classes=background,cat,dog")
    assert dataset.ids == ("000", "001", "002", "003")
    assert dataset.sample("002").image == str(tiny / "images" / "002.jpg")
    assert dataset.masks is not None
    assert dataset.masks.read("002").size_hw == (12, 16)
    assert open_dataset(f"folders:{tiny}?classes=3").classes.names == ("background", "class 1", "class 2")


def test_folders_without_names_look_at_the_masks_and_say_so(tiny, caplog):
    with caplog.at_level(logging.WARNING):
        dataset = open_dataset(f"folders:{tiny / 'masks'}")
    assert dataset.classes.names == ("background", "class 1", "class 2")
    assert dataset.classes.ids == (0, 1, 2)
    assert "no class names were given" in caplog.text
    assert dataset.sample("000").image is None


def test_folders_of_colours_and_of_arrays(tmp_path):
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "maps" / "a.npy", np.array([[0, 1]]))
    Image.fromarray(np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8)).save(tmp_path / "b.png")
    dataset = open_dataset(f"folders:{tmp_path}?masks=maps&classes=ground,cat&ignore=none")
    assert dataset.masks is not None
    assert dataset.masks.read("a").values.tolist() == [0, 1]
    assert dataset.classes.ignore is None
    (tmp_path / "maps" / "a.npy").unlink()
    coloured = open_dataset(f"folders:{tmp_path}?classes=ground,cat&colours=%23000000,ff0000")
    assert coloured.masks is not None
    assert coloured.masks.read("b").values.tolist() == [0, 1]


def test_folders_with_pictures_that_have_no_mask(tiny):
    (tiny / "masks" / "001.png").unlink()
    dataset = open_dataset(f"folders:{tiny}?classes=3")
    assert dataset.masks is not None
    with pytest.raises(FormatError) as caught:
        dataset.masks.read("001")
    assert caught.value.fault.code == "missing-mask"
    assert open_dataset(f"folders:{tiny}?classes=3&unlabelled=skip").ids == ("000", "002", "003")


@pytest.mark.parametrize(
    "query", ["clases=3", "classes=3&background=x", "classes=3&ignore=-1", "classes=a,b&colours=red,blue", "unlabelled=maybe"]
)
def test_folders_options_that_make_no_sense(tiny, query):
    with pytest.raises(InputError):
        open_dataset(f"folders:{tiny}?{query}")
