"""From a picture to inputs and from logits to its own size: laws, and parity with plain torch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from figureground.models.inputs import (
    InputPlan,
    network_planes,
    normalised,
    plan_input,
    resized,
    window_inputs,
    window_starts,
)
from figureground.models.logits import WindowBlend, native_logits, native_rows
from figureground.models.predictor import PredictorSpec


def spec_of(**fields) -> PredictorSpec:
    return PredictorSpec(**{"kind": "smp", "where": "x", "classes": 3, **fields})


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def inputs_of(image: np.ndarray, plan: InputPlan, spec: PredictorSpec) -> np.ndarray:
    """All network inputs of a picture, tops before lefts."""
    planes = network_planes(image, plan, spec)
    return np.concatenate([window_inputs(planes, plan, top) for top in plan.tops])


def blended(logits: np.ndarray, plan: InputPlan, spec: PredictorSpec) -> np.ndarray:
    """The logits of all windows at the size of the picture."""
    blend = WindowBlend(plan, classes=logits.shape[1], taper=spec.window == "taper")
    across = len(plan.lefts)
    bands = [blend.add(i, logits[i * across : (i + 1) * across]) for i in range(len(plan.tops))]
    return np.concatenate(bands, axis=1)


def pointwise(inputs: np.ndarray) -> np.ndarray:
    """A network that looks at one pixel at a time, so that padding and windows cannot change what it says."""
    return np.stack([inputs[:, 0] - inputs[:, 1], inputs[:, 1] * inputs[:, 2], inputs[:, 2] + 1], axis=1)


@given(length=st.integers(1, 500), window=st.integers(1, 200), overlap=st.sampled_from([0.0, 0.25, 0.5, 0.9]))
def test_windows_cover_every_pixel_and_never_leave_the_picture(length, window, overlap):
    starts = window_starts(length, window, overlap=overlap)
    assert starts[0] == 0
    if length <= window:
        assert starts == (0,)
        return
    assert starts[-1] == length - window
    steps = np.diff(starts)
    assert (steps >= 1).all()
    assert steps.max() <= max(1, int(window * (1 - overlap)))
    covered = np.zeros(length, bool)
    for start in starts:
        covered[start : start + window] = True
    assert covered.all()


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_normalisation_is_the_formula(order, scale):
    spec = spec_of(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), scale=scale, order=order)
    expected = (picture(5, 7) / 255 * scale - spec.mean) / spec.std
    planes = normalised(picture(5, 7), spec)
    assert planes.dtype == np.float32
    np.testing.assert_allclose(planes if order == "rgb" else planes[::-1], expected.transpose(2, 0, 1), rtol=1e-6, atol=1e-6)


def test_resizing_with_antialiasing_is_pillows_and_without_is_torchs():
    torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    source = picture(90, 120)
    for how, filter_ in (("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)):
        expected = np.asarray(Image.fromarray(source).resize((50, 40), filter_))
        np.testing.assert_array_equal(resized(source, (40, 50), how), expected)
    given_ = torch.from_numpy(source).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(given_, size=(40, 50), mode="bilinear", align_corners=False)[0].permute(1, 2, 0)
    assert np.abs(resized(source, (40, 50), "bilinear-plain") - expected.numpy()).max() <= 1
    assert resized(source, (90, 120), "bilinear") is source


@pytest.mark.parametrize(
    ("fields", "native", "scaled", "input_hw"),
    [
        ({}, (37, 53), (37, 53), (37, 53)),
        ({"stride_px": 32}, (37, 53), (37, 53), (64, 64)),
        ({"size_hw": (64, 96)}, (37, 53), (64, 96), (64, 96)),
        ({"size_hw": (60, 90), "stride_px": 32}, (37, 53), (60, 90), (64, 96)),
        ({"short_side_px": 32, "stride_px": 8}, (37, 53), (32, 46), (32, 48)),
        ({"short_side_px": 74}, (53, 37), (106, 74), (106, 74)),
    ],
)
def test_plans_of_whole_pictures(fields, native, scaled, input_hw):
    spec = spec_of(**fields)
    plan = plan_input(native, spec)
    assert (plan.scaled_hw, plan.input_hw, plan.windows) == (scaled, input_hw, 1)
    inputs = inputs_of(picture(*native), plan, spec)
    assert inputs.shape == (1, 3, *input_hw)
    assert native_logits(pointwise(inputs)[0], plan).shape == (3, *native)


def test_padding_is_zero_after_normalisation_at_the_bottom_and_the_right():
    spec = spec_of(stride_px=32, mean=(0.5, 0.5, 0.5))
    plan = plan_input((37, 53), spec)
    inputs = inputs_of(picture(37, 53), plan, spec)[0]
    np.testing.assert_array_equal(inputs[:, :37, :53], normalised(picture(37, 53), spec))
    assert not inputs[:, 37:].any()
    assert not inputs[:, :, 53:].any()


def test_padding_is_left_out_again():
    spec = spec_of(stride_px=32)
    plan = plan_input((37, 53), spec)
    logits = pointwise(inputs_of(picture(37, 53), plan, spec))
    np.testing.assert_array_equal(native_logits(logits[0], plan), pointwise(normalised(picture(37, 53), spec)[None])[0])


@pytest.mark.parametrize("native", [(40, 52), (37, 53), (33, 33), (61, 64)])
def test_coarse_logits_of_padding_never_reach_the_picture(native):
    """Logits at a quarter of the input: those that the picture has no part in may be anything."""
    plan = plan_input(native, spec_of(stride_px=32))
    logits = np.random.default_rng(0).normal(size=(3, plan.input_hw[0] // 4, plan.input_hw[1] // 4)).astype(np.float32)
    spoilt = logits.copy()
    spoilt[:, -(-native[0] // 4) :] = np.nan
    spoilt[:, :, -(-native[1] // 4) :] = np.nan
    found = native_logits(spoilt, plan)
    assert found.shape == (3, *native)
    np.testing.assert_array_equal(found, native_logits(logits, plan))


@given(
    sizes=st.tuples(*(st.integers(1, 40) for _ in range(4))),
    rows=st.integers(1, 9),
)
def test_bands_of_rows_are_the_whole(sizes, rows):
    height, width, coarse_height, coarse_width = sizes
    plan = InputPlan(native_hw=(height, width), scaled_hw=(64, 64), input_hw=(64, 64))
    logits = np.random.default_rng(0).normal(size=(2, coarse_height, coarse_width)).astype(np.float32)
    bands = [native_rows(logits, plan, first, min(first + rows, height)) for first in range(0, height, rows)]
    np.testing.assert_array_equal(np.concatenate(bands, axis=1), native_logits(logits, plan))


@pytest.mark.parametrize("sizes", [((24, 24), (90, 131)), ((96, 96), (50, 70)), ((7, 9), (8, 200)), ((64, 64), (64, 64)), ((1, 1), (5, 6))])
def test_logits_are_resized_as_torch_does(sizes):
    torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    source, target = sizes
    logits = np.random.default_rng(0).normal(size=(4, *source)).astype(np.float32)
    expected = torch.nn.functional.interpolate(torch.from_numpy(logits)[None].double(), size=target, mode="bilinear", align_corners=False)
    found = native_logits(logits, InputPlan(native_hw=target, scaled_hw=(64, 64), input_hw=(64, 64)))
    np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-6)


@pytest.mark.parametrize("window", ["overlap", "taper"])
@pytest.mark.parametrize("native", [(100, 140), (64, 64), (65, 64), (30, 200), (20, 30)])
def test_windows_of_a_pointwise_network_give_what_one_pass_gives(window, native):
    spec = spec_of(size_hw=(64, 64), window=window)
    plan = plan_input(native, spec)
    inputs = inputs_of(picture(*native), plan, spec)
    assert inputs.shape == (plan.windows, 3, 64, 64)
    direct = pointwise(normalised(picture(*native), spec)[None])[0]
    np.testing.assert_allclose(blended(pointwise(inputs), plan, spec), direct, atol=1e-5)


def test_a_picture_that_fits_one_window_is_one_direct_pass():
    spec = spec_of(size_hw=(64, 64), window="overlap")
    plan = plan_input((50, 64), spec)
    assert (plan.tops, plan.lefts) == ((0,), (0,))
    logits = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    np.testing.assert_array_equal(native_logits(logits[0], plan), logits[0, :, :50])
    np.testing.assert_array_equal(blended(logits, plan, spec), logits[0, :, :50])


@pytest.mark.parametrize("taper", [False, True])
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.8])
def test_blending_is_the_weighted_mean_of_the_windows_at_each_pixel(taper, overlap):
    """Against sums over whole pictures, with windows whose logits are coarser than their input."""
    spec = spec_of(classes=2, size_hw=(16, 24), window="taper" if taper else "overlap", overlap=overlap)
    plan = plan_input((50, 61), spec)
    logits = np.random.default_rng(0).normal(size=(plan.windows, 2, 4, 6)).astype(np.float32)
    tent = [1 - np.abs(np.arange(n) + 0.5 - n / 2) / (n / 2) for n in (16, 24)]
    weight = np.outer(*tent) if taper else np.ones((16, 24))
    total, weights = np.zeros((2, 50, 61)), np.zeros((50, 61))
    whole = InputPlan(native_hw=(16, 24), scaled_hw=(16, 24), input_hw=(16, 24))
    for one, (top, left) in zip(logits, [(t, x) for t in plan.tops for x in plan.lefts], strict=True):
        total[:, top : top + 16, left : left + 24] += native_logits(one, whole) * weight
        weights[top : top + 16, left : left + 24] += weight
    np.testing.assert_allclose(blended(logits, plan, spec), total / weights, atol=1e-5)


def test_overlapping_windows_are_averaged_and_tapered_ones_lean_to_the_nearer():
    """Two windows of width 4 on 6 pixels share two: one says 0, the other 1."""
    spec = spec_of(classes=1, size_hw=(1, 4), window="overlap")
    plan = plan_input((1, 6), spec)
    assert plan.lefts == (0, 2)
    logits = np.stack([np.zeros((1, 1, 4), np.float32), np.ones((1, 1, 4), np.float32)])
    np.testing.assert_allclose(blended(logits, plan, spec)[0, 0], [0, 0, 0.5, 0.5, 1, 1])
    tapered = blended(logits, plan, spec_of(classes=1, size_hw=(1, 4), window="taper"))[0, 0]
    np.testing.assert_allclose(tapered, [0, 0, 0.25, 0.75, 1, 1])
