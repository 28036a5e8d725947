"""Waterbirds as it is published, pictures and metadata.csv and no masks: from patch labels to a classifier that was trained on swapped grounds."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("timm", reason="the extra 'timm' is not installed")

from tests.stages.swap.world import cells_of, patch_labels  # noqa: E402

import figureground as fg  # noqa: E402
from figureground.data.dataset import open_dataset  # noqa: E402
from figureground.data.pixels import read_picture  # noqa: E402
from figureground.data.write import png_rgb_bytes  # noqa: E402
from figureground.models.fit.options import make_fit_options  # noqa: E402
from figureground.stages.detect.options import make_detect_options  # noqa: E402
from figureground.stages.shift.compose import run_compose  # noqa: E402
from figureground.stages.shift.compose_options import ComposeOptions  # noqa: E402
from figureground.stages.swap.options import InfillOptions  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
SPLITS = {"train": 0, "val": 1, "test": 2}


def publish(source: fg.Dataset, folder: Path) -> None:
    """The pictures of a data set of two classes and contexts, called and listed as Waterbirds is."""
    (folder / "001.Bird").mkdir(parents=True)
    contexts = sorted({source.attribute(s, "context") for s in source.samples})
    with (folder / "metadata.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["img_id", "img_filename", "y", "split", "place", "place_filename"])
        for number, sample in enumerate(source.samples, start=1):
            name = f"001.Bird/{sample.id}.png"
            (folder / name).write_bytes(png_rgb_bytes(read_picture(sample.image)))
            y, place = source.classes.names.index(sample.label) - 1, contexts.index(source.attribute(sample, "context"))
            table.writerow([number, name, y, SPLITS[sample.split], place, f"/p/{number}.jpg"])


def test_from_patch_labels_to_answers(tmp_path):
    options = ComposeOptions(train=24, val=2, test=3, size=32, rho=1.0, sheet=0, occlusion=0.0)
    source = open_dataset(str(run_compose(options, out=tmp_path / "world")))
    publish(source, tmp_path / "birds")
    birds = f"waterbirds:{tmp_path / 'birds'}"
    cells = {f"001.Bird/{s.id}": cells_of(source, s.id) for s in source.select(split="train").samples}
    labels = patch_labels(tmp_path / "labels", cells)
    detector = make_detect_options(
        {
            "backbone": "test_efficientnet",
            "size": 32,
            "norm": "half",
            "epochs": 2,
            "curve": "0",
            "batch": 8,
            "device": "cpu",
            "resamples": 10,
        }
    )
    grids = fg.swap_detect(birds, labels, out=tmp_path / "grids", options=detector)
    assert grids.path == tmp_path / "grids"
    grounds = fg.swap_infill(birds, out=tmp_path / "grounds", options=InfillOptions(masks=f"labels:{labels}"))
    training = {"task": "classify", "architecture": "timm:test_resnet", "size": 32, "epochs": 2, "batch": 8, "device": "cpu"}
    weights = fg.train(birds, out=tmp_path / "weights", options=make_fit_options({**training, "grounds": str(grounds)}))
    answers = fg.classify(weights, f"{birds}?split=test", out=tmp_path / "answers")
    assert [group["group"] for group in answers.summary["groups"]] == [
        f"{bird}, {place}" for bird in ("landbird", "waterbird") for place in ("land", "water")
    ]
    written = fg.swap_build(grounds, birds, out=tmp_path / "set")
    proof = json.loads((written / "proof.json").read_text())
    assert proof["context"]["before"]["mutual_information"] == pytest.approx(np.log(2))
    assert proof["context"]["after"]["mutual_information"] < 0.2
    assert "masks" not in proof or proof["masks"] is None
