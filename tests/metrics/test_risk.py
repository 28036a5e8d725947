"""Flip-risk and its rivals: golden values, a slow oracle, and what happens far from 0."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.data.labelmap import encode_runs
from figureground.metrics.regions import component_runs
from figureground.metrics.risk import SCORES, flip_risk, flip_risk_map, reduce_logits, region_means

LAW = settings(max_examples=40)


@st.composite
def pictures(draw):
    """Logits of a few classes, smooth or wild, with ties now and then; and a background channel."""
    classes, height, width = draw(st.integers(2, 7)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    logits = rng.normal(size=(classes, height, width)) * draw(st.sampled_from([0, 0.1, 3, 80]))
    if draw(st.booleans()):
        logits = np.round(logits)
    return logits.astype(np.float32), draw(st.integers(0, classes - 1))


def pixel_scores(logits, background):
    """Entropies, 1 - max and 1 - margin of one pixel, in exact sums of exponentials."""

    def entropy(values):
        top = max(values)
        log_total = math.log(math.fsum(math.exp(v - top) for v in values))
        return -math.fsum((q := math.exp(v - top - log_total)) * (v - top - log_total) for v in values) + 0 * q

    top = max(logits)
    total = math.fsum(math.exp(v - top) for v in logits)
    probabilities = sorted((math.exp(v - top) / total for v in logits), reverse=True)
    figure = [v for c, v in enumerate(logits) if c != background]
    scale = math.log(len(figure)) if len(figure) > 2 else 1
    return entropy(figure) / scale, entropy(logits) / math.log(len(logits)), 1 - probabilities[0], 1 - probabilities[0] + probabilities[1]


def slow_reduction(logits, background):
    """Label map and score means, one pixel after the other."""
    height, width = logits.shape[1:]
    labels, rows = np.empty((height, width), int), []
    for y in range(height):
        for x in range(width):
            values = [float(v) for v in logits[:, y, x]]
            labels[y, x] = values.index(max(values))
            if labels[y, x] != background:
                rows.append(pixel_scores(values, background))
    return labels, np.array(rows).mean(0) if rows else np.full(4, math.nan)


def test_golden_entropies():
    """The published values in nats for two foreground classes and their normalised form; three classes likewise."""
    for p, nats, normalised in (
        ((0.2, 0.4, 0.4), 0.693147, 1.0),
        ((0.1, 0.6, 0.3), 0.636514, 0.918296),
        ((0.05, 0.9, 0.05), 0.206192, 0.297472),
        ((0.1, 0.5, 0.3, 0.1), 0.936888, 0.852792),
    ):
        logits = np.log(p).reshape(-1, 1, 1)
        assert flip_risk_map(logits, normalise=False).item() == pytest.approx(nats, abs=1e-6)
        assert flip_risk_map(logits, normalise=True).item() == pytest.approx(normalised, abs=1e-6)
        assert flip_risk_map(logits).item() == pytest.approx(nats if len(p) == 3 else normalised, abs=1e-6)
        reduced = reduce_logits(logits, normalise=False)
        assert reduced.scores["flip_risk"] == pytest.approx(nats, abs=1e-6)


def test_certain_foreground_has_no_risk():
    """With p = (0, 1, 0): the entropy is 0, not NaN, however far apart the logits are."""
    for gap in (120.0, 200.0, 1e4, 1e30, 3e38):
        logits = np.array([0, gap, 0], np.float32).reshape(3, 1, 1)
        assert flip_risk(logits) == pytest.approx(0, abs=1e-12)
        assert reduce_logits(logits).scores == pytest.approx(
            {"flip_risk": 0, "entropy": 0, "one_minus_max_probability": 0, "one_minus_margin": 0}
        )
    far = np.array([0, -200, -200], np.float32).reshape(3, 1, 1)
    assert flip_risk_map(far).item() == pytest.approx(math.log(2))


@LAW
@given(pictures())
def test_reduction_agrees_with_a_loop_over_pixels(case):
    """Label map and all four scores equal those of exact sums, one pixel at a time."""
    logits, background = case
    labels, scores = slow_reduction(logits, background)
    reduced = reduce_logits(logits, background=background)
    np.testing.assert_array_equal(reduced.label_map, labels)
    assert tuple(reduced.scores) == SCORES
    np.testing.assert_allclose(list(reduced.scores.values()), scores, atol=2e-6)
    assert reduced.foreground == (labels != background).sum()


@LAW
@given(pictures())
def test_both_forms_of_flip_risk_agree(case):
    """The plain form in float64 and the fast one in float32 give the same risk, per pixel and per picture."""
    logits, background = case
    reduced = reduce_logits(logits, background=background)
    found = reduced.label_map != background
    risk = flip_risk_map(logits, background=background)
    np.testing.assert_allclose(reduced.risk, np.where(found, risk, 0), atol=2e-6)
    assert reduced.scores["flip_risk"] == pytest.approx(flip_risk(logits, background=background), abs=2e-6, nan_ok=True)
    foreground = len(logits) - 1
    assert (risk >= 0).all()
    assert (risk <= (0 if foreground == 1 else math.log(2) if foreground == 2 else 1) + 1e-12).all()


@LAW
@given(pictures(), st.floats(-50, 50), st.randoms(use_true_random=False))
def test_risk_ignores_a_shift_the_background_and_the_order(case, shift, random):
    """Adding a constant, changing the background logit alone, or reordering channels leaves the map as it is."""
    logits, background = case
    logits = logits.astype(np.float64)
    risk = flip_risk_map(logits, background=background)
    np.testing.assert_allclose(flip_risk_map(logits + shift, background=background), risk, atol=1e-9)
    other = logits.copy()
    other[background] += shift
    np.testing.assert_array_equal(flip_risk_map(other, background=background), risk)
    order = list(range(len(logits)))
    random.shuffle(order)
    np.testing.assert_allclose(flip_risk_map(logits[order], background=order.index(background)), risk, atol=1e-12)


def test_scores_have_their_ranges_and_limits():
    """All logits equal but for a hair: the largest value of each score."""
    for classes in (2, 3, 5):
        logits = np.zeros((classes, 1, 1), np.float32)
        logits[0] = -1e-6
        scores = reduce_logits(logits).scores
        assert scores["flip_risk"] == pytest.approx({2: 0, 3: math.log(2), 5: 1}[classes], abs=1e-5)
        assert scores["entropy"] == pytest.approx(1, abs=1e-5)
        assert scores["one_minus_max_probability"] == pytest.approx(1 - 1 / classes, abs=1e-5)
        assert scores["one_minus_margin"] == pytest.approx(1, abs=1e-5)


def test_two_logits_apart_by_any_distance():
    """For two foreground classes d apart the entropy has a closed form; the fast form keeps to it within 3e-7 from 0 to 90."""
    distance = np.linspace(0, 90, 20_011, dtype=np.float32)
    logits = np.stack([np.full_like(distance, -500), np.zeros_like(distance), -distance])[:, None]
    q = 1 / (1 + np.exp(-distance.astype(np.float64)))
    exact = np.log1p(np.exp(-distance.astype(np.float64))) + distance * (1 - q)
    np.testing.assert_allclose(reduce_logits(logits).risk[0], exact, atol=3e-7)


def test_nothing_predicted_foreground_has_no_score():
    """NaN, not 0: such a picture is not scored."""
    logits = np.zeros((3, 4, 4), np.float32)
    logits[0] = 1
    reduced = reduce_logits(logits)
    assert all(math.isnan(score) for score in reduced.scores.values())
    assert reduced.foreground == 0
    assert not reduced.risk.any()
    assert math.isnan(flip_risk(logits))


def test_ties_go_to_the_lowest_channel():
    """As argmax does; with the background first a tie is background."""
    logits = np.zeros((3, 1, 2), np.float32)
    logits[1:, 0, 1] = 1
    assert reduce_logits(logits).label_map.tolist() == [[0, 1]]
    assert reduce_logits(logits, ids=[4, 9, 2], background=4).label_map.tolist() == [[4, 9]]


def test_class_ids_and_their_width():
    """Channels carry the ids given; an id above 255 makes the map uint16, and the background may be any channel."""
    logits = np.eye(3, dtype=np.float32)[:, None] * 5
    reduced = reduce_logits(logits, ids=[7, 300, 0], background=300)
    assert reduced.label_map.tolist() == [[7, 300, 0]]
    assert reduced.label_map.dtype == np.uint16
    assert reduce_logits(logits).label_map.dtype == np.uint8
    assert reduced.foreground == 2


def test_pictures_larger_than_a_tile():
    """Tiles do not show: a large picture equals its parts."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4, 37, 101)).astype(np.float32) * 3
    whole = reduce_logits(logits)
    parts = [reduce_logits(np.ascontiguousarray(logits[:, y : y + 1])) for y in range(37)]
    np.testing.assert_array_equal(whole.label_map, np.concatenate([p.label_map for p in parts]))
    np.testing.assert_array_equal(whole.risk, np.concatenate([p.risk for p in parts]))
    assert whole.scores["entropy"] == pytest.approx(
        sum(p.scores["entropy"] * p.foreground for p in parts if p.foreground) / whole.foreground
    )


def test_float64_integers_and_strided_logits_are_taken():
    """Anything that `np.asarray` understands."""
    logits = np.random.default_rng(0).integers(-5, 5, (6, 5, 4))
    turned = np.asfortranarray(logits.astype(np.float64))
    assert reduce_logits(turned).scores == reduce_logits(logits).scores == reduce_logits(logits.tolist()).scores


def test_risk_per_region():
    """Each region gets the mean over its own pixels; together they give the picture's."""
    rng = np.random.default_rng(1)
    logits = np.kron(rng.normal(size=(4, 6, 6)), np.ones((1, 3, 3))).astype(np.float32) * 2
    reduced = reduce_logits(logits)
    components = component_runs(encode_runs(reduced.label_map), ignore=None)
    means, dense = region_means(reduced.risk, components), components.dense()
    np.testing.assert_allclose(means, [reduced.risk[dense == i].mean() for i in range(len(components))], rtol=1e-5)
    pixels = np.bincount(dense[dense >= 0])
    assert (means * pixels).sum() / pixels.sum() == pytest.approx(reduced.scores["flip_risk"], rel=1e-5)
    nothing = component_runs(encode_runs(np.zeros((18, 18), np.uint8)))
    assert region_means(reduced.risk, nothing).shape == (0,)
    with pytest.raises(InputError, match=r"\[18, 18\]"):
        region_means(reduced.risk[1:], components)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_logits_that_are_not_finite_are_named(value):
    """The message says which channel and pixel."""
    logits = np.zeros((3, 40, 50), np.float32)
    logits[2, 30, 7] = value
    for function in (flip_risk, flip_risk_map, reduce_logits):
        with pytest.raises(InputError, match=r"channel 2 at pixel \(30, 7\)"):
            function(logits)


def test_other_bad_logits_are_refused():
    """One channel, no such background, ids that do not fit, a batch, or text."""
    for function in (flip_risk, flip_risk_map, reduce_logits):
        with pytest.raises(InputError, match="at least one more"):
            function(np.zeros((1, 2, 2)))
        with pytest.raises(InputError, match="`background` = 3"):
            function(np.zeros((3, 2, 2)), background=3)
        with pytest.raises(InputError, match="must be numbers"):
            function(np.full((3, 2, 2), "a"))
    with pytest.raises(InputError, match="one class id per channel"):
        reduce_logits(np.zeros((3, 2, 2)), ids=[0, 1])
    with pytest.raises(InputError, match="one picture at a time"):
        reduce_logits(np.zeros((3, 2, 2, 2)))
