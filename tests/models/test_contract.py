"""Every adapter keeps the predictor contract."""

from __future__ import annotations

import pytest
from tests.contracts.predictor_contract import CONTRACT, refuses_damaged_weights
from tests.models import networks

from figureground.models.predictor import open_predictor

WRITERS = {
    "smp": networks.write_smp,
    "torchvision": networks.write_torchvision,
    "hf": networks.write_hf,
    "onnx": networks.write_onnx,
    "onnx-fixed": lambda folder: networks.write_onnx(folder, fixed=True),
    "python": networks.write_python,
}


@pytest.fixture(scope="module", params=sorted(WRITERS))
def written(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    spec, weights = WRITERS[request.param](folder)
    return folder, spec, weights


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
def test_adapter_keeps(written, law, monkeypatch):
    folder, spec, _ = written
    monkeypatch.chdir(folder)
    law(open_predictor, spec)


def test_adapter_refuses_damaged_weights(written):
    _, spec, weights = written
    if weights.suffix == ".py":
        pytest.skip("a callable has no weights file")
    refuses_damaged_weights(open_predictor, spec, weights)
