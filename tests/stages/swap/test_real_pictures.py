"""Real photographs of animals: from masks and from patches pooled from them to a swapped set, with the quality that its proof tells."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from figureground.data.dataset import open_dataset
from figureground.data.grids import Thresholds, write_grids
from figureground.stages.swap.build import run_build
from figureground.stages.swap.infill import run_infill
from figureground.stages.swap.options import BuildOptions, InfillOptions

ANIMALS = Path(__file__).resolve().parents[4] / "shared" / "data" / "animals4"
pytestmark = pytest.mark.skipif(not ANIMALS.is_dir(), reason="the real pictures are not beside the project")


@pytest.fixture(scope="module")
def animals():
    """Twelve photographs of each of four animals, all for training."""
    data = open_dataset(str(ANIMALS))
    some = [s for label in data.classes.names for s in [s for s in data.samples if s.label == label][:12]]
    return dataclasses.replace(data, samples=tuple(dataclasses.replace(s, split="train") for s in some))


def pooled(data, side=16):
    """P(background) of each patch: the part of it that is ground."""
    grids = {}
    for sample in data.samples:
        figure = (data.masks.read(sample.id).dense() > 0).astype(np.float32)
        grids[sample.id] = np.clip(1 - cv2.resize(figure, (side, side), interpolation=cv2.INTER_AREA), 0, 1)
    return grids


@pytest.mark.slow
def test_patches_leak_some_ground_and_fitted_edges_less(animals, tmp_path):
    """Truth leaks nothing; blocks of 16 x 16 patches cut out a little ground with the animals; GrabCut inside them less; holes hide all."""
    where = write_grids(tmp_path / "grids", pooled(animals), thresholds=Thresholds(tight=0.5, loose=0.99))
    found = {}
    for name, options in {
        "truth": InfillOptions(infill="mean"),
        "blocks": InfillOptions(infill="mean", masks=f"grids:{where}"),
        "fitted": InfillOptions(infill="mean", masks=f"grids:{where}", refine="guided"),
    }.items():
        bank = run_infill(animals, options=options, out=tmp_path / name)
        made = run_build(bank, animals, options=BuildOptions(copies=4), out=tmp_path / f"{name}-set")
        found[name] = json.loads((made / "proof.json").read_text())
    assert found["truth"]["masks"]["leakage"] == 0.0
    assert found["truth"]["masks"]["iou"] == 1.0
    assert 0.02 < found["blocks"]["masks"]["leakage"] < 0.15
    assert found["blocks"]["masks"]["iou"] > 0.8
    assert found["fitted"]["masks"]["iou"] > 0.8
    assert all(one["masks"]["hidden"] > 0.995 for one in found.values())
    for one in found.values():
        assert one["source"]["before"]["mutual_information"] == pytest.approx(np.log(4), abs=1e-6)
        assert one["source"]["after"]["mutual_information"] < 4 * one["source"]["after"]["expected"]
