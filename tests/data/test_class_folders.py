"""Pictures in folders by class and context, and Spawrious as published."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from figureground.core.errors import FormatError, InputError
from figureground.data.dataset import open_dataset
from figureground.data.formats.spawrious import BREEDS, LOCATIONS, ORDER, TABLES


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)


def test_folders_say_class_context_and_more(tmp_path):
    for name in ("train/cat/in/a.png", "train/dog/in/deep/a.jpg", "test/cat/out/b.png"):
        touch(tmp_path / "p" / name)
    dataset = open_dataset(f"classes:{tmp_path / 'p'}?levels=split,class,context")
    assert dataset.classes.names == ("background", "cat", "dog")
    assert dataset.masks is None
    rows = [(s.id, s.label, s.split, dataset.attribute(s, "context")) for s in dataset.samples]
    assert rows == [
        ("test/cat/out/b", "cat", "test", "out"),
        ("train/cat/in/a", "cat", "train", "in"),
        ("train/dog/in/deep/a", "dog", "train", "in"),
    ]
    assert open_dataset(f"classes:{tmp_path / 'p' / 'train'}").group_counts(["class", "context"]) == {("cat", "in"): 1, ("dog", "in"): 1}


def test_folders_that_say_too_little(tmp_path):
    touch(tmp_path / "p" / "cat" / "a.png")
    with pytest.raises(FormatError, match="1 folders deep, and `levels` names 2"):
        open_dataset(f"classes:{tmp_path / 'p'}")
    assert len(open_dataset(f"classes:{tmp_path / 'p'}?levels=class")) == 1
    for levels in ("context", "class,class", "class,id"):
        with pytest.raises(InputError, match="`levels` must name `class`"):
            open_dataset(f"classes:{tmp_path / 'p'}?levels={levels}")
    touch(tmp_path / "p" / "background" / "a.png")
    with pytest.raises(FormatError, match="a class is called background"):
        open_dataset(f"classes:{tmp_path / 'p'}?levels=class")
    (tmp_path / "none").mkdir()
    with pytest.raises(FormatError, match="holds no pictures"):
        open_dataset(f"classes:{tmp_path / 'none'}")


@pytest.fixture
def dogs(tmp_path):
    """The published tree with 20 pictures a folder instead of 3168."""
    for environment in ("0", "1"):
        for location in LOCATIONS:
            for breed in BREEDS:
                folder = tmp_path / "spawrious224" / environment / location / breed
                folder.mkdir(parents=True)
                for number in range(20):
                    (folder / f"{location}_{breed}_{number:02d}.png").write_bytes(b"")
    return tmp_path


def test_one_to_one_as_published(dogs):
    """Of 20 pictures 19 and, in the other environment, 17 at the own location, 1 and 3 at the filler; all of both at the test's."""
    dataset = open_dataset(f"spawrious:{dogs}?table=o2o_easy&val=0")
    found = Counter((s.split, s.label, s.attributes["location"], s.attributes["environment"]) for s in dataset.samples)
    expected = {}
    for breed, own, other in zip(ORDER, ("desert", "jungle", "dirt", "snow"), ("dirt", "snow", "desert", "jungle"), strict=True):
        expected |= {("train", breed, own, "0"): 19, ("train", breed, own, "1"): 17}
        expected |= {("train", breed, "beach", "0"): 1, ("train", breed, "beach", "1"): 3}
        expected |= {("test", breed, other, e): 20 for e in "01"}
    assert found == expected
    assert dataset.common == dict(zip(ORDER, ("desert", "jungle", "dirt", "snow"), strict=True))
    assert int(0.97 * 3168) + int(0.87 * 3168) == 3072 + 2756


def test_many_to_many_as_published(dogs):
    """Pairs of breeds share pairs of locations, from the first environment alone, and swap them in the test."""
    dataset = open_dataset(f"spawrious:{dogs / 'spawrious224'}?table=m2m_hard&val=0")
    where = {}
    for s in dataset.samples:
        where.setdefault((s.split, s.label), set()).add((s.attributes["location"], s.attributes["environment"]))
    first, last = {("dirt", "0"), ("jungle", "0")}, {("snow", "0"), ("beach", "0")}
    assert where == {
        **{("train", breed): first for breed in ("bulldog", "dachshund")},
        **{("train", breed): last for breed in ("labrador", "corgi")},
        **{("test", breed): last for breed in ("bulldog", "dachshund")},
        **{("test", breed): first for breed in ("labrador", "corgi")},
    }
    assert set(Counter((s.split, s.label) for s in dataset.samples).values()) == {40}
    pairs = {"bulldog": ("dirt", "jungle"), "dachshund": ("dirt", "jungle"), "labrador": ("snow", "beach"), "corgi": ("snow", "beach")}
    assert dataset.common == pairs


def test_no_breed_is_tested_where_it_was_trained(dogs):
    for name in TABLES:
        dataset = open_dataset(f"spawrious:{dogs}?table={name}")
        places = [{(s.label, s.attributes["location"]) for s in dataset.samples if s.split == split} for split in ("train", "test")]
        assert not places[0] & places[1], name
        held = Counter(s.split for s in dataset.samples)
        # of 19 and of 17 pictures one each, of 1 and 3 none; of 20 two
        assert (held["train"], held["val"]) == ((152, 8) if name.startswith("o2o") else (144, 16))


def test_spawrious_that_is_not_there(dogs, tmp_path):
    assert len(open_dataset(f"spawrious:{dogs}")) == 2 * 6 * 4 * 20
    with pytest.raises(InputError, match="`table` must be one of"):
        open_dataset(f"spawrious:{dogs}?table=o2o")
    with pytest.raises(InputError, match="must be a part"):
        open_dataset(f"spawrious:{dogs}?val=0.9")
    for file in (dogs / "spawrious224" / "0" / "beach" / "corgi").iterdir():
        file.unlink()
    with pytest.raises(FormatError, match="needs pictures of this folder"):
        open_dataset(f"spawrious:{dogs}?table=o2o_easy")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="no pictures ENVIRONMENT/LOCATION/BREED"):
        open_dataset(f"spawrious:{tmp_path / 'empty'}")


def test_waterbirds_without_masks_can_be_classified(tmp_path):
    """The published table gives label, place and split; pictures that are there are named also without masks."""
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    from figureground.models.fit.labelled import label_classes, labelled_data

    rows = [("a/x.jpg", 0, 0, 0), ("a/y.jpg", 1, 1, 0), ("b/z.jpg", 1, 0, 2)]
    for name, *_ in rows:
        touch(tmp_path / "birds" / name)
    table = "img_id,img_filename,y,split,place\n" + "".join(f"{n},{f},{y},{s},{p}\n" for n, (f, y, p, s) in enumerate(rows))
    (tmp_path / "birds" / "metadata.csv").write_text(table)
    dataset = open_dataset(f"waterbirds:{tmp_path / 'birds'}")
    train = dataset.select(split="train")
    data = labelled_data(train, classes=label_classes(train), size=8, norm="none")
    assert data.classes.names == ("landbird", "waterbird")
    assert data.group_names == ("landbird, land", "waterbird, water")
    picture, mask = data.read(1)
    assert picture.shape == (8, 8, 3)
    assert mask.tolist() == [[1]]
