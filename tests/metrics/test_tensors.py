"""Tensors of a training loop go in as they are: with a gradient, in half precision, in bfloat16, from an accelerator."""

from __future__ import annotations

import numpy as np
import pytest

from figureground.core.errors import InputError
from figureground.metrics.decompose import decompose
from figureground.metrics.joint import joint_counts
from figureground.metrics.meter import Meter
from figureground.metrics.risk import flip_risk, flip_risk_map, reduce_logits

torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")

DEVICES = ("cpu", *(["cuda"] if torch.cuda.is_available() else []))


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("gradient", [False, True])
def test_logits_in_any_precision_give_the_risk_of_their_numbers(dtype, gradient, device):
    logits = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(1)).to(device=device, dtype=dtype)
    plain = logits.double().cpu().numpy()
    given = logits.clone().requires_grad_(gradient)
    np.testing.assert_allclose(flip_risk_map(given), flip_risk_map(plain), rtol=1e-12)
    assert flip_risk(given) == pytest.approx(flip_risk(plain), rel=1e-12)
    reduced, expected = reduce_logits(given), reduce_logits(plain)
    np.testing.assert_array_equal(reduced.label_map, expected.label_map)
    assert reduced.scores == expected.scores
    assert given.requires_grad is gradient


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_label_maps_as_tensors_count_like_arrays(dtype, device):
    generator = torch.Generator().manual_seed(2)
    truth, predicted = (torch.randint(0, 3, (2, 7, 9), generator=generator).to(device=device, dtype=dtype) for _ in range(2))
    expected = joint_counts(truth.cpu().numpy(), predicted.cpu().numpy(), classes=3)
    assert joint_counts(truth, predicted, classes=3) == expected
    assert Meter(3).update(truth, predicted).result().parts == decompose(expected)
    matrix = torch.from_numpy(expected.matrix(range(3))).to(device)
    assert decompose(matrix) == decompose(expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_logits_in_place_of_a_label_map_are_refused_in_words(dtype, device):
    labels = torch.zeros(2, 2, dtype=torch.uint8)
    with pytest.raises(InputError, match=r"`predicted` must hold integer class ids.*argmax"):
        Meter(3).update(labels, torch.zeros(2, 2, dtype=dtype, device=device, requires_grad=True))
