"""Six published networks on real pictures: the figures are those that their label maps and masks give, read without this package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.stages.mine.test_real_maps import networks

import figureground
from figureground.data.dataset import open_dataset
from figureground.data.labelmap import encode_runs
from figureground.review.exchange.labels import write_labels
from figureground.review.exchange.masks import LabelledMask

VOID = 255


def dense(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def confusion(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    keep = truth != VOID
    return np.bincount(truth[keep].astype(int) * 21 + predicted[keep], minlength=441).reshape(21, 21)


def miou(table: np.ndarray) -> float:
    hit, either = table.diagonal(), table.sum(0) + table.sum(1) - table.diagonal()
    return float((hit[either > 0] / either[either > 0]).mean())


@pytest.mark.slow
def test_six_networks_are_ranked_by_their_maps(real_data: Path, tmp_path: Path) -> None:
    """On a part of the pictures: mined among all six, labelled with the true masks, ranked."""
    dataset = open_dataset(str(real_data / "voc21"))
    part = dataset.select(ids=dataset.ids[::6])
    names = networks(real_data)
    specs = [f"{name}=png:{real_data / 'predictions' / name / 'voc21'}" for name in names]
    options = figureground.MineOptions(top=3, sheet=0, deduplicate=False)
    queue = figureground.mine(part, specs[0], specs[1:], out=tmp_path / "queue", options=options)
    masks = [
        LabelledMask(id=s.id, image=s.image, runs=encode_runs(dense(Path(str(s.mask)))), by="ann", created="2026") for s in part.samples
    ]
    labels = write_labels(tmp_path / "labels", masks, dataset.classes, reviewer="ann", status="accepted", source="truth")
    chosen = figureground.RankOptions(labels=(str(labels),), unknown="ignore", resamples=100)
    found = figureground.rank(queue, specs, out=tmp_path / "rank", options=chosen)
    assert found.summary is not None
    assert (len(found.test_set), found.waiting) == (30, ())
    truth = {i: dense(Path(str(part.sample(i).mask))) for i in found.test_set}
    expected = {}
    for name in names:
        folder = real_data / "predictions" / name / "voc21"
        expected[name] = miou(sum(confusion(truth[i], dense(folder / f"{i}.png")) for i in found.test_set))
    for one in found.summary["models"]:
        assert one["miou"]["value"] == pytest.approx(expected[one["model"]], abs=1e-12)
    assert [one["model"] for one in found.summary["models"]] == sorted(names, key=lambda name: -expected[name])
