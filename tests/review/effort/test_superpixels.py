"""Superpixels: connected, complete, repeatable, along edges, and the same as grown by a heap in plain Python."""

from __future__ import annotations

import heapq
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.review import superpixels as module
from figureground.review.superpixels import superpixels

LAW = settings(max_examples=30, deadline=None)


@st.composite
def pictures(draw):
    height, width, seed = draw(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99)))
    colours = np.random.default_rng(seed).integers(0, 256, (draw(st.integers(1, 4)), 3), np.uint8)
    return colours[np.random.default_rng(seed + 1).integers(0, len(colours), (height, width))]


def slow_growth(lab, seeds, colour_weight, place_weight):
    """The same growth with a heap of (bucket, turn): the first in a bucket leaves it first."""
    height, width = lab.shape[:2]
    segments, members = np.full((height, width), -1, np.int32), [[] for _ in seeds]
    heap, turn = [], 0
    for k, at in enumerate(seeds):
        heap.append((0, turn, at // width, at % width, k))
        turn += 1
    heapq.heapify(heap)
    while heap:
        _, _, y, x, k = heapq.heappop(heap)
        if segments[y, x] >= 0:
            continue
        segments[y, x] = k
        members[k].append((*lab[y, x].astype(float), y, x))
        mean = [sum(column) / len(column) for column in zip(*members[k], strict=True)]
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width and segments[v, u] < 0:
                colour = sum((float(a) - b) ** 2 for a, b in zip(lab[v, u], mean[:3], strict=True))
                far = math.sqrt(colour * colour_weight + ((v - mean[3]) ** 2 + (u - mean[4]) ** 2) * place_weight)
                heapq.heappush(heap, (min(4095, int(far * 64)), turn, v, u, k))
                turn += 1
    return segments


@LAW
@given(pictures(), st.integers(4, 12))
def test_segments_are_numbered_without_gaps_and_connected(picture, size):
    """Every pixel has a segment, every number is used, and each segment is one piece at the sides."""
    segments = superpixels(picture, size)
    assert segments.dtype == np.int32
    assert segments.shape == picture.shape[:2]
    assert np.unique(segments).tolist() == list(range(segments.max() + 1))
    for k in range(segments.max() + 1):
        assert cv2.connectedComponents((segments == k).astype(np.uint8), connectivity=4)[0] == 2


@LAW
@given(pictures(), st.integers(4, 12))
def test_growth_agrees_with_a_heap_in_plain_python(picture, size):
    """Buckets and reused entries change nothing."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    seeds = module._seeds(lab, size)
    expected = slow_growth(lab, seeds.tolist(), (1.0 / 12.0) ** 2, 1.0 / size**2)
    np.testing.assert_array_equal(superpixels(picture, size), expected)


def test_segments_follow_a_strong_edge():
    """No segment stands on both sides of a black and white border that the grid does not meet."""
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[:, 37:] = 255
    segments = superpixels(picture, 10)
    assert not set(segments[:, :37].reshape(-1)) & set(segments[:, 37:].reshape(-1))


def test_large_pictures_are_cut_at_half_size(monkeypatch):
    """Above the bound segments stand in squares of two pixels, still one piece each, odd sizes too."""
    picture = np.random.default_rng(0).integers(0, 256, (41, 33, 3), np.uint8)
    monkeypatch.setattr(module, "_MANY", 1000)
    segments = superpixels(picture, 10)
    assert segments.shape == (41, 33)
    np.testing.assert_array_equal(segments[0:40:2], segments[1:41:2])
    np.testing.assert_array_equal(segments[:, 0:32:2], segments[:, 1:33:2])
    assert np.unique(segments).tolist() == list(range(segments.max() + 1))


@pytest.mark.parametrize(
    ("picture", "size"),
    [(np.zeros((4, 4), np.uint8), 8), (np.zeros((4, 4, 3)), 8), (np.zeros((0, 4, 3), np.uint8), 8), (np.zeros((4, 4, 3), np.uint8), 3)],
)
def test_other_input_is_refused(picture, size):
    with pytest.raises(InputError):
        superpixels(picture, size)
