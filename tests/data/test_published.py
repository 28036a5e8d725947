"""The real data sets open, and the published annotations give their published group counts. Skipped where they are not at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from figureground.data.dataset import open_dataset
from figureground.data.doctor import find_faults
from figureground.data.labelmap import decode_runs
from figureground.data.predictions import open_predictions

DATA = Path(__file__).parents[2] / "../shared/data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside the project")


@pytest.mark.parametrize(("name", "samples"), [("animals4", 243), ("feral_cats", 296), ("coco128", 200), ("voc21", 616)])
def test_every_set_with_masks_opens_and_is_sound(name, samples):
    dataset = open_dataset(str(DATA / name))
    assert len(dataset) == samples
    assert [str(f) for f in find_faults(dataset)] == []


def test_masks_are_read_as_pillow_reads_them():
    dataset = open_dataset(str(DATA / "voc21"))
    assert dataset.masks is not None
    for sample in dataset.samples[::20]:
        assert sample.mask is not None
        assert np.array_equal(decode_runs(dataset.masks.read(sample.id)), np.asarray(Image.open(sample.mask)))


def test_panoptic_files_agree_with_the_masks_made_from_them():
    ours = open_dataset(str(DATA / "coco128"))
    assert ours.masks is not None
    for split in ("train", "val"):
        panoptic = open_dataset(f"coco:{DATA}/coco128/panoptic/annotations/panoptic_{split}2017.json?id=file&crowd=class")
        assert len(panoptic) == 100
        assert panoptic.masks is not None
        assert all(panoptic.masks.read(i) == ours.masks.read(i) for i in panoptic.ids[::2])


def test_published_predictions_open_with_their_scores():
    dataset = open_dataset(str(DATA / "voc21"))
    folder = DATA / "predictions" / "dicenet_s_0.75"
    predictions = open_predictions(f"png:{folder}/voc21?scores={folder}/voc21.csv", dataset.classes)
    assert list(find_faults(dataset, predictions)) == []
    assert len(predictions.scores["flip_risk"]) == 616


@pytest.mark.parametrize(
    ("file", "counts"), [("test_balanced", (125,) * 4), ("val_balanced", (50,) * 4), ("train_corr0.95", (792, 42, 42, 792))]
)
def test_coco_cd_group_counts(file, counts):
    dataset = open_dataset(f"coco:{DATA}/published/coco_cd/instances_{file}.json?groups=indoor,outdoor")
    assert dataset.group_counts(["group_id"]) == {(str(n),): count for n, count in enumerate(counts)}
    names = [("cat", "indoor"), ("cat", "outdoor"), ("dog", "indoor"), ("dog", "outdoor")]
    assert dataset.group_counts(["class", "context"]) == dict(zip(names, counts, strict=True))
    assert dataset.masks is not None
    for sample_id in dataset.ids[:: max(1, len(dataset) // 40)]:
        assert set(dataset.masks.read(sample_id).values.tolist()) <= {0, 1, 2, 255}


@pytest.mark.parametrize(("rho", "train"), [("0.5", (615, 615, 615, 615)), ("0.95", (1167, 62, 62, 1167))])
def test_waterbirds_seg_group_counts(rho, train):
    dataset = open_dataset(f"waterbirds:{DATA}/published/waterbirds_seg/metadata_corr{rho}.csv")
    names = [("landbird", "land"), ("landbird", "water"), ("waterbird", "land"), ("waterbird", "water")]
    for split, counts in (("train", train), ("val", (74,) * 4), ("test", (642,) * 4)):
        chosen = dataset.select(split=split)
        assert chosen.group_counts(["class", "context"]) == dict(zip(names, counts, strict=True))
        assert chosen.group_counts(["group_id"]) == {(str(n),): count for n, count in enumerate(counts)}
