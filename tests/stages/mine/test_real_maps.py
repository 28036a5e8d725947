"""Six published networks on real pictures: what is mined equals brute force on their maps."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.stages.mine.oracle import Round, training_bounds
from tests.stages.mine.pools import mined, rows_of
from tests.stages.mine.test_exactness import check_equal

from figureground.data.dataset import open_dataset
from figureground.data.pixels import read_picture
from figureground.data.pool import open_pool
from figureground.runs.artifact import read_manifest
from figureground.stages.mine.duplicates import picture_hash

NEAR = 6
TARGET = "espnetv2_s_2.0"


def networks(real_data: Path) -> list[str]:
    """The target first."""
    found = sorted(path.name for path in (real_data / "predictions").iterdir())
    return [TARGET, *(name for name in found if name != TARGET)]


def specs_of(real_data: Path, name: str, folder: Path) -> list[str]:
    """Each network under a folder of its own name, so that it is called by that."""
    for network in networks(real_data):
        (folder / network).symlink_to(real_data / "predictions" / network / name)
    return [f"png:{folder / network}" for network in networks(real_data)]


def maps_of(real_data: Path, name: str, ids) -> dict[str, dict[str, np.ndarray]]:
    folder = real_data / "predictions"
    return {n: {i: np.asarray(Image.open(folder / n / name / f"{i}.png")) for i in ids} for n in networks(real_data)}


def near_duplicates(images: dict[str, str], trained: list[str]):
    """Whether a picture is too near to one that was taken or to one of training."""
    hashed = cache(lambda path: picture_hash(read_picture(path)))
    known = [hashed(path) for path in trained]

    def refused(sample_id: str, taken: list[str]) -> bool:
        own = hashed(images[sample_id])
        return any((own ^ other).bit_count() <= NEAR for other in (*known, *(hashed(images[i]) for i in taken)))

    return refused


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pool", "voc21"])
def test_default_options_select_what_brute_force_does(name, real_data, tmp_path):
    """On a pool without masks, its areas from the training set beside it, and on a set that gives its own areas by hand."""
    where = open_pool(str(real_data / name))
    ids = [i for part in where.parts() for i in part.ids]
    classes, images = where.classes, where.images(ids)
    maps = maps_of(real_data, name, ids)
    if name == "pool":
        training = open_dataset(str(real_data / "voc21"))
        masks = [np.asarray(Image.open(sample.mask)) for sample in training.samples]
        trained = [sample.image for sample in training.samples]
        options, bounds = {"train": str(real_data / "voc21")}, training_bounds(masks, "quartiles", classes)
    else:
        options, bounds, trained = {}, {}, []
    out = mined(tmp_path / "out", where, specs_of(real_data, name, tmp_path), **options)
    expected = Round(ids=ids, maps=maps, classes=classes, bounds=bounds, refused=near_duplicates(images, trained))
    check_equal(out, expected)
    details = read_manifest(out).details
    queued = len(rows_of(out))
    assert 100 < queued < details["places"] <= details["bound"]
    assert details["near_duplicates"] > 0


def test_a_few_real_maps_select_what_brute_force_does(real_data, tmp_path):
    """Of one kind of animal, with given areas and without pictures."""
    from figureground.data.pool import pool_of

    dataset = open_dataset(str(real_data / "pool"))
    ids = [i for i in dataset.ids if i.startswith("Leopards")][:40]
    chosen = {"top": 3, "area": ("0.02,0.6",), "deduplicate": False}
    out = mined(tmp_path / "out", pool_of(dataset.select(ids=ids)), specs_of(real_data, "pool", tmp_path), **chosen)
    bounds = dict.fromkeys(dataset.classes.foreground, (0.02, 0.6))
    check_equal(out, Round(ids=ids, maps=maps_of(real_data, "pool", ids), classes=dataset.classes, bounds=bounds, top=3))
