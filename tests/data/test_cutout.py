"""Compositing against a slow float64 oracle, its laws, and resampling against a dense matrix and Pillow."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from figureground.core.errors import InputError
from figureground.data import cutout as cutout_module
from figureground.data.cutout import HALF, composite, cover, cut_out, resize_cutout, soft_edge
from figureground.data.resample import kernel_weights, resample, resample_cutout

SIDES = st.integers(1, 24)


@st.composite
def figures_on_scenes(draw):
    """Colours, alpha, scene and the place of the figure in it."""
    height, width = draw(SIDES), draw(SIDES)
    down, across = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    top, left = draw(st.integers(0, down)), draw(st.integers(0, across))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    alpha = rng.choice(np.array([0, 1, 127, 128, 200, 254, 255], np.uint8), (height, width))
    scene = rng.integers(0, 256, (height + down, width + across, 3), np.uint8)
    return rng.integers(0, 256, (height, width, 3), np.uint8), alpha, scene, top, left


@given(figures_on_scenes())
def test_compositing_is_the_formula_rounded(case):
    """The sum figure * alpha + scene * (1 - alpha) in float64, to the nearest whole number; the arguments stay as they were."""
    rgb, alpha, scene, top, left = case
    before = scene.copy()
    share = np.zeros(scene.shape[:2])
    figure = np.zeros(scene.shape)
    box = np.s_[top : top + alpha.shape[0], left : left + alpha.shape[1]]
    share[box], figure[box] = alpha / 255, rgb
    expected = np.rint(figure * share[..., None] + scene * (1 - share[..., None]))
    out = composite(rgb, alpha, scene, top=top, left=left)
    assert out.dtype == np.uint8
    assert np.array_equal(out, expected)
    assert np.array_equal(scene, before)


@given(figures_on_scenes())
def test_clear_pixels_keep_the_scene_and_opaque_ones_the_figure(case):
    rgb, alpha, scene, top, left = case
    out = composite(rgb, alpha, scene, top=top, left=left)
    outside = np.ones(scene.shape[:2], bool)
    outside[top : top + alpha.shape[0], left : left + alpha.shape[1]] = alpha == 0
    assert np.array_equal(out[outside], scene[outside])
    inner = out[top : top + alpha.shape[0], left : left + alpha.shape[1]]
    assert np.array_equal(inner[alpha == 255], rgb[alpha == 255])


@pytest.mark.parametrize("ground", [0, 1, 77, 128, 254, 255])
def test_every_alpha_and_colour_is_rounded_to_the_nearest(ground):
    rgb = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, axis=0).repeat(3, axis=2)
    alpha = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 256, axis=1)
    out = composite(rgb, alpha, np.full((256, 256, 3), ground, np.uint8))
    share = alpha[..., None] / 255
    assert np.array_equal(out, np.rint(rgb * share + ground * (1 - share)))


def test_a_composite_checked_by_hand():
    """Alpha 51 is one fifth: 0.2 * 200 + 0.8 * 100 = 120."""
    rgb, alpha = np.full((1, 1, 3), 200, np.uint8), np.array([[51]], np.uint8)
    assert composite(rgb, alpha, np.full((1, 2, 3), 100, np.uint8), left=1).tolist() == [[[100] * 3, [120] * 3]]


def test_figures_outside_the_scene_or_of_other_sizes_are_refused():
    rgb, alpha, scene = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((6, 6, 3), np.uint8)
    for top, left in ((3, 0), (0, 3), (-1, 0), (0, -1)):
        with pytest.raises(InputError, match="must lie inside the scene"):
            composite(rgb, alpha, scene, top=top, left=left)
    with pytest.raises(InputError, match=r"got uint8 \[4, 4, 3\] and uint8 \[4, 5\]"):
        composite(rgb, np.zeros((4, 5), np.uint8), scene)
    with pytest.raises(InputError, match="float64"):
        cut_out(rgb, alpha.astype(float))


def edge_oracle(figure: np.ndarray, trim: float, feather: float) -> np.ndarray:
    """The definition of `soft_edge`, every pixel against every pixel that is no figure."""
    padded = np.pad(figure, 1)
    outside = np.argwhere(~padded)
    alpha = np.zeros(figure.shape, np.uint8)
    for y, x in np.argwhere(figure):
        depth = np.hypot(*(outside - (y + 1, x + 1)).T).min() - 0.5 - trim
        alpha[y, x] = np.rint(255 * (np.clip(depth / feather + 0.5, 0, 1) if feather else float(depth >= 0)))
    return alpha


@given(
    arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.sampled_from([True, True, True, False])),
    st.sampled_from([0.0, 0.5, 1.0, 2.5]),
    st.sampled_from([0.0, 1.0, 2.0, 5.0]),
)
def test_soft_edges_are_the_distance_to_what_is_no_figure(figure, trim, feather):
    """The definition; nothing outside the mask; with no trim the mask itself is above one half."""
    alpha = soft_edge(figure, trim_px=trim, feather_px=feather)
    assert np.array_equal(alpha, edge_oracle(figure, trim, feather))
    assert not alpha[~figure].any()
    if trim == 0:
        assert np.array_equal(alpha > HALF, figure)


def test_the_example_of_the_docstring_holds():
    assert doctest.testmod(cutout_module) == (0, 1)


def test_edges_wider_than_32_px_are_refused():
    with pytest.raises(InputError, match=r"in \[0, 32\] px; got 33 and 0"):
        soft_edge(np.ones((2, 2), bool), trim_px=33)


def test_a_cut_out_is_the_box_of_its_alpha_and_counts_its_figure():
    alpha = np.zeros((6, 7), np.uint8)
    alpha[1, 2], alpha[3, 5] = 128, 127
    rgb = np.arange(6 * 7 * 3, dtype=np.uint8).reshape(6, 7, 3)
    cutout = cut_out(rgb, alpha)
    assert (cutout.size_hw, cutout.area_px) == ((3, 4), 1)
    assert np.array_equal(cutout.rgb, rgb[1:4, 2:6])
    for nothing in (0, HALF):
        with pytest.raises(InputError, match="the figure has no pixel"):
            cut_out(rgb, np.full((6, 7), nothing, np.uint8))


def lanczos_matrix(size: int, low: float, high: float, out: int) -> np.ndarray:
    """The kernel of every pixel that comes out, dense, float64."""
    scale = (high - low) / out
    wide = max(scale, 1.0)
    matrix = np.zeros((out, size))
    for i in range(out):
        x = (np.arange(size) + 0.5 - low - (i + 0.5) * scale) / wide
        matrix[i] = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
    return matrix / matrix.sum(axis=1, keepdims=True)


@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_resampling_is_the_lanczos_kernel(height, width, out_h, out_w, seed):
    """Against dense float64 matrices, up or down, one pixel of rounding."""
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    rows, columns = lanczos_matrix(height, 0, height, out_h), lanczos_matrix(width, 0, width, out_w)
    expected = np.clip(np.einsum("ij,jkc,lk->ilc", rows, picture, columns), 0, 255)
    out = resample(picture, (out_h, out_w))
    assert out.shape == (out_h, out_w, 3)
    assert np.abs(out - expected).max() <= 0.51


@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_cut_outs_are_resampled_with_colours_times_alpha(height, width, out_h, out_w, seed):
    """Against the dense kernel; a colour under alpha 0 changes nothing."""
    rng = np.random.default_rng(seed)
    rgb, alpha = rng.integers(0, 256, (height, width, 3), np.uint8), rng.choice(np.array([0, 90, 255], np.uint8), (height, width))
    rows, columns = lanczos_matrix(height, 0, height, out_h), lanczos_matrix(width, 0, width, out_w)
    opaque = np.einsum("ij,jk,lk->il", rows, alpha.astype(float), columns)
    colours = np.einsum("ij,jkc,lk->ilc", rows, rgb * alpha[..., None].astype(float), columns)
    got_rgb, got_alpha = resample_cutout(rgb, alpha, (out_h, out_w))
    assert np.abs(got_alpha - np.clip(opaque, 0, 255)).max() <= 0.51
    sure = opaque > 20
    assert np.abs(got_rgb[sure] - np.clip(colours[sure] / opaque[sure][:, None], 0, 255)).max(initial=0) <= 0.52
    painted = np.where(alpha[..., None] == 0, rng.integers(0, 256, rgb.shape, np.uint8), rgb)
    again = resample_cutout(painted, alpha, (out_h, out_w))
    assert np.array_equal(again[0], got_rgb)
    assert np.array_equal(again[1], got_alpha)


def test_resampling_is_pillows_on_a_smooth_picture():
    """Where nothing is clipped between the passes, both agree within one level."""
    y, x = np.mgrid[:90, :70]
    picture = np.stack([60 + y + 0 * x, 50 + x + y // 2, 128 + 60 * np.sin(x / 9) * np.cos(y / 7)], axis=-1).astype(np.uint8)
    for size_hw in ((45, 33), (90, 140), (200, 31)):
        peer = Image.fromarray(picture).resize(size_hw[::-1], Image.Resampling.LANCZOS)
        assert np.abs(resample(picture, size_hw).astype(int) - np.asarray(peer)).max() <= 1


def test_resampling_is_pillows_but_for_clipping_between_the_passes():
    """On noise, where nearly every edge overshoots: Pillow's floats, clipped at the end, are the same; its 8 bits are not."""
    picture = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    for size_hw in ((45, 33), (200, 140)):
        ours = resample(picture, size_hw).astype(int)
        floats = [
            np.asarray(Image.fromarray(picture[..., channel].astype(np.float32)).resize(size_hw[::-1], Image.Resampling.LANCZOS))
            for channel in range(3)
        ]
        assert np.abs(ours - np.clip(np.round(np.stack(floats, axis=-1)), 0, 255)).max() <= 1
    clipped = np.asarray(Image.fromarray(picture).resize((140, 200), Image.Resampling.LANCZOS))
    assert np.abs(ours - clipped).max() > 5


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_weights_sum_to_one_and_stay_inside(size, out, data):
    low = data.draw(st.floats(0, size - 0.5))
    high = data.draw(st.floats(low + 0.25, size))
    first, weights = kernel_weights(size, low, high, out)
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert first.min() >= 0
    assert first.max() + weights.shape[1] <= size


def test_a_scene_covers_the_size_and_loses_only_its_sides():
    """A wide scene loses left and right equally; a stripe in its middle stays in the middle."""
    scene = np.zeros((20, 60, 3), np.uint8)
    scene[:, 28:32] = 255
    out = cover(scene, (40, 40))
    bright = np.flatnonzero(out[20, :, 0] > HALF)
    assert (bright.min(), bright.max()) == (16, 23)
    tall = cover(np.ascontiguousarray(scene.transpose(1, 0, 2)), (40, 40))
    assert np.array_equal(tall, out.transpose(1, 0, 2))
    assert cover(scene, (20, 60)) is scene


@given(SIDES, SIDES, SIDES, SIDES)
def test_a_scene_of_one_colour_stays_so_at_every_size(height, width, out_h, out_w):
    out = cover(np.full((height, width, 3), (3, 140, 255), np.uint8), (out_h, out_w))
    assert out.shape == (out_h, out_w, 3)
    assert np.array_equal(out, np.broadcast_to(np.uint8([3, 140, 255]), out.shape))


def test_a_mirrored_cut_out_is_the_mirror_image():
    """At its own size exactly, at another within rounding of where the kernel begins."""
    rng = np.random.default_rng(0)
    cutout = cut_out(rng.integers(0, 256, (9, 12, 3), np.uint8), np.full((9, 12), 255, np.uint8))
    rgb, alpha = resize_cutout(cutout, (9, 12), mirror=True)
    assert np.array_equal(rgb, cutout.rgb[:, ::-1])
    assert np.array_equal(alpha, cutout.alpha)
    plain, mirrored = resize_cutout(cutout, (5, 7))[0], resize_cutout(cutout, (5, 7), mirror=True)[0]
    assert np.abs(plain[:, ::-1].astype(int) - mirrored).max() <= 1
