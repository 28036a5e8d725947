"""What every predictor must keep, as plain functions: run them over your own adapter too.

    from tests.contracts.predictor_contract import CONTRACT, refuses_damaged_weights

    @pytest.mark.parametrize("law", CONTRACT)
    def test_my_adapter(law):
        law(open_predictor, "mykind:my-network?weights=weights.safetensors")

Each law takes a function that opens a spec (text or `PredictorSpec`) and the text of a spec, and asserts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from figureground.core.errors import InputError
from figureground.models.predictor import Predictor, PredictorSpec, json_to_predictor_spec, predictor_spec_to_json

Open = Callable[[str | PredictorSpec], Predictor]


def gives_one_float32_map_per_class(open_model: Open, spec: str) -> None:
    """`forward` gives float32 [batch, classes, height', width'] of finite numbers, in memory of its own."""
    model = open_model(spec)
    images = pictures(model.spec, batch=2)
    logits = model.forward(images)
    assert logits.dtype == np.float32
    assert logits.ndim == 4
    assert logits.shape[:2] == (2, model.spec.classes)
    assert logits.shape[2] <= images.shape[2]
    assert logits.shape[3] <= images.shape[3]
    assert np.isfinite(logits).all()
    assert not np.shares_memory(logits, images)


def leaves_its_input_alone(open_model: Open, spec: str) -> None:
    """`forward` never writes into the images."""
    model = open_model(spec)
    images = pictures(model.spec, batch=1)
    before = images.copy()
    model.forward(images)
    np.testing.assert_array_equal(images, before)


def gives_the_same_numbers_again(open_model: Open, spec: str) -> None:
    """The same images give the same bytes, in one opened model and in a second one."""
    model = open_model(spec)
    images = pictures(model.spec, batch=2)
    first = model.forward(images)
    np.testing.assert_array_equal(model.forward(images), first)
    np.testing.assert_array_equal(open_model(spec).forward(images), first)


def sees_each_picture_alone(open_model: Open, spec: str) -> None:
    """What else is in the batch changes a picture's logits by no more than rounding."""
    model = open_model(spec)
    images = pictures(model.spec, batch=3)
    together = model.forward(images)
    alone = np.concatenate([model.forward(images[i : i + 1]) for i in range(3)])
    turned = model.forward(np.ascontiguousarray(images[::-1]))[::-1]
    scale = np.abs(together).max()
    np.testing.assert_allclose(alone, together, atol=1e-4 * scale)
    np.testing.assert_allclose(turned, together, atol=1e-4 * scale)


def looks_at_the_picture(open_model: Open, spec: str) -> None:
    """Two pictures do not give the same logits."""
    model = open_model(spec)
    first, second = model.forward(pictures(model.spec, batch=2))
    assert not np.array_equal(first, second)


def takes_the_sizes_it_claims(open_model: Open, spec: str) -> None:
    """Without a fixed size, inputs of several sizes (multiples of the stride) run, and the logits follow their shape."""
    model = open_model(spec)
    if model.spec.size_hw is not None:
        sizes = [padded(model.spec.size_hw, model.spec.stride_px)]
    else:
        sizes = [padded(size, model.spec.stride_px) for size in ((64, 64), (96, 64), (64, 128))]
    for height, width in sizes:
        logits = model.forward(np.zeros((1, 3, height, width), np.float32))
        assert abs(logits.shape[2] * width - logits.shape[3] * height) <= max(height, width)


def survives_json(open_model: Open, spec: str) -> None:
    """The spec goes to JSON and back unchanged, and opens to the same numbers."""
    model = open_model(spec)
    again = json_to_predictor_spec(json.loads(json.dumps(predictor_spec_to_json(model.spec))))
    assert again == model.spec
    reopened = open_model(again)
    assert reopened.spec == model.spec
    images = pictures(model.spec, batch=1)
    np.testing.assert_array_equal(reopened.forward(images), model.forward(images))


def says_which_weights_ran(open_model: Open, spec: str) -> None:
    """The spec bears a digest, and a spec with another digest is refused."""
    model = open_model(spec)
    assert model.spec.sha256 is not None
    assert len(model.spec.sha256) == 64
    with pytest.raises(InputError, match="changed since"):
        open_model(with_setting(spec, "sha256", "0" * 64))


def refuses_unknown_settings(open_model: Open, spec: str) -> None:
    """A setting that is misspelt is refused by name, with the known ones."""
    with pytest.raises(InputError, match=r"wieghts_of_nothing.*Known"):
        open_model(with_setting(spec, "wieghts_of_nothing", "1"))


def refuses_another_number_of_classes(open_model: Open, spec: str) -> None:
    """`classes` that contradicts the network is refused."""
    wrong = open_model(spec).spec.classes + 4
    stripped = "&".join(part for part in spec.partition("?")[2].split("&") if part and not part.startswith("classes="))
    with pytest.raises(InputError):
        open_model(with_setting(f"{spec.partition('?')[0]}?{stripped}".rstrip("?"), "classes", str(wrong)))


def refuses_to_run_when_closed(open_model: Open, spec: str) -> None:
    """After `close`, `forward` raises instead of giving numbers."""
    model = open_model(spec)
    images = pictures(model.spec, batch=1)
    model.close()
    with pytest.raises(InputError, match="closed"):
        model.forward(images)


CONTRACT = (
    gives_one_float32_map_per_class,
    leaves_its_input_alone,
    gives_the_same_numbers_again,
    sees_each_picture_alone,
    looks_at_the_picture,
    takes_the_sizes_it_claims,
    survives_json,
    says_which_weights_ran,
    refuses_unknown_settings,
    refuses_another_number_of_classes,
    refuses_to_run_when_closed,
)
"""Every law that needs nothing but a spec."""


def refuses_damaged_weights(open_model: Open, spec: str, weights: Path) -> None:
    """Weights that are cut short are refused with their place; `weights` is a file of the model and is restored."""
    content = weights.read_bytes()
    try:
        weights.write_bytes(content[: len(content) // 3])
        with pytest.raises(InputError) as caught:
            open_model(spec)
    finally:
        weights.write_bytes(content)
    said = str(caught.value)
    assert weights.name in said or str(weights.parent) in said
    assert "\n" not in said


def pictures(spec: PredictorSpec, *, batch: int) -> np.ndarray:
    """Smooth random inputs that a network of this spec takes: float32 [batch, 3, height, width]."""
    height, width = padded(spec.size_hw or (64, 64), spec.stride_px)
    rng = np.random.default_rng(7)
    coarse = rng.normal(size=(batch, 3, -(-height // 8), -(-width // 8))).astype(np.float32)
    return np.ascontiguousarray(coarse.repeat(8, axis=2).repeat(8, axis=3)[:, :, :height, :width])


def padded(size_hw: tuple[int, int], stride: int) -> tuple[int, int]:
    """The size rounded up to multiples of the stride."""
    return -(-size_hw[0] // stride) * stride, -(-size_hw[1] // stride) * stride


def with_setting(spec: str, key: str, value: str) -> str:
    """The spec text with one more setting."""
    return f"{spec}{'&' if '?' in spec else '?'}{key}={value}"
