"""Random damage to the files of a model ends in a clear refusal or in a model, never in a traceback of another library."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.models import networks

from figureground.core.errors import FiguregroundError
from figureground.models.hf import preprocessing
from figureground.models.predictor import PredictorSpec, open_predictor

VALUES = (
    None,
    True,
    -1,
    0,
    3,
    1e400,
    "x",
    [],
    {},
    [0.5],
    ["a", "b", "c"],
    {"height": None, "width": 3},
    {"shortest_edge": "n"},
    {"longest_edge": 3},
)
KEYS = ("do_resize", "size", "resample", "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std", "do_center_crop")


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, or the end cut off."""
    if rng.random() < 0.3:
        return content[: int(rng.integers(len(content)))]
    changed = bytearray(content)
    reach = len(changed) if rng.random() < 0.5 else min(len(changed), 400)  # half of the blows land in the header
    for at in rng.integers(0, reach, rng.integers(1, 20)):
        changed[at] = rng.integers(256)
    return bytes(changed)


@pytest.mark.parametrize("kind", [pytest.param("smp", marks=pytest.mark.slow), "onnx", "torch"])
def test_damaged_weights_give_a_model_or_a_refusal(tmp_path, kind):
    if kind == "onnx":
        spec, path = networks.write_onnx(tmp_path)
    else:
        spec, path = networks.write_smp(tmp_path)
    if kind == "torch":
        torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")
        torch.save({"weight": torch.zeros(3, 3), "bias": torch.zeros(3)}, path)
    content, rng, said = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(100 if kind == "onnx" else 25):
        path.write_bytes(damaged(content, rng))
        try:
            open_predictor(spec)
        except FiguregroundError as error:
            said.append(str(error))
    assert said
    assert not [text for text in said if "\n" in text]


def test_damaged_preprocessors_give_fields_or_a_refusal():
    pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
    rng, said = np.random.default_rng(1), []
    good = {"size": {"height": 8, "width": 8}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_rescale": True}
    for _ in range(600):
        config = dict(good)
        for key in rng.choice(KEYS, size=rng.integers(1, 4)):
            config[str(key)] = VALUES[int(rng.integers(len(VALUES)))]
        try:
            fields, _ = preprocessing(config, "hf:x")
            PredictorSpec(kind="hf", where="x", classes=3, **fields)
        except FiguregroundError as error:
            said.append(str(error))
    assert said
    assert all(text.startswith("hf:x") for text in said)


def test_damaged_configurations_give_a_model_or_a_refusal(tmp_path):
    spec, _ = networks.write_hf(tmp_path)
    path = Path(spec.removeprefix("hf:")) / "config.json"
    good, rng, said = json.loads(path.read_text()), np.random.default_rng(2), []
    for _ in range(40):
        config = dict(good)
        config[str(rng.choice(sorted(good)))] = VALUES[int(rng.integers(len(VALUES)))]
        path.write_text(json.dumps(config))
        try:
            open_predictor(spec)
        except FiguregroundError as error:
            said.append(str(error))
    assert said
    assert not [text for text in said if "\n" in text]
