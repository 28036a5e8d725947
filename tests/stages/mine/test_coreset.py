"""The core-set: farthest-first as by hand, ties by id, and over a pool the centres of the centres of its chunks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.mine.pools import CLASSES, generated, mined, pool, rows_of, write_all

from figureground.core.errors import InputError
from figureground.data.align import Alignment
from figureground.runs.artifact import read_manifest
from figureground.stages.mine import passage
from figureground.stages.mine.coreset import FEATURES, centre_table, k_centers, merged_centres

NAMES = ["e", "c", "a", "d", "b", "g", "f"]


def naive(points: dict[str, tuple[float, ...]], k: int) -> list[tuple[str, float]]:
    """Centres and how far each was from those before, in plain Python; that of the first is its largest distance."""

    def apart(a, b):
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))

    if not points or k < 1:
        return []
    mean = [sum(column) / len(points) for column in zip(*points.values(), strict=True)]
    chosen = [min(sorted(points), key=lambda i: apart(points[i], mean))]
    found = [(chosen[0], math.sqrt(max(apart(p, points[chosen[0]]) for p in points.values())))]
    while len(chosen) < min(k, len(points)):
        far = {i: min(apart(points[i], points[c]) for c in chosen) for i in sorted(points)}
        best = max(sorted(points), key=lambda i: far[i])
        if far[best] == 0:
            break
        chosen.append(best)
        found.append((best, math.sqrt(far[best])))
    return found


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=7), st.integers(0, 8))
@settings(max_examples=80)
def test_centres_are_those_of_plain_python(points, k):
    """On a grid, where distances tie often; points are halves, so that the mean is exact."""
    points = (points * 8)[: 2 ** int(math.log2(len(points)))] if points else []
    names = NAMES[: len(points)]
    rows, far = k_centers(np.array(points, np.float32).reshape(-1, 2), names, k=k)
    expected = naive(dict(zip(names, points, strict=True)), k)
    assert [names[row] for row in rows] == [name for name, _ in expected]
    assert far.tolist() == pytest.approx([distance for _, distance in expected])


@given(st.permutations(range(7)), st.integers(1, 7))
@settings(max_examples=30)
def test_the_order_of_samples_is_of_no_account(order, k):
    points = np.random.default_rng(0).integers(0, 3, (7, 2)).astype(np.float32)
    first = [NAMES[row] for row in k_centers(points, NAMES, k=k)[0]]
    names = [NAMES[n] for n in order]
    assert [names[row] for row in k_centers(points[list(order)], names, k=k)[0]] == first


def test_a_larger_core_set_begins_with_the_smaller_one():
    points = np.random.default_rng(1).normal(size=(7, 3)).astype(np.float32)
    whole = k_centers(points, NAMES, k=7)[0].tolist()
    assert [k_centers(points, NAMES, k=k)[0].tolist() for k in range(8)] == [whole[:k] for k in range(8)]


def test_chunks_without_a_sample_bring_no_centre():
    empty = centre_table(np.empty((0, 4)), [], np.empty(0, np.int64), k=3)
    assert len(empty) == len(merged_centres([empty, empty], k=3)) == 0
    one = centre_table(np.ones((1, 4)), ["a"], np.array([5]), k=3)
    assert merged_centres([empty, one], k=3).to_pylist() == [{"group": 0, "score": 0.0, "id": "a", "row": 5, "features": [1, 1, 1, 1]}]
    assert one.schema == FEATURES


@pytest.fixture(scope="module")
def data():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passage, "CHUNK", 60)
        yield generated(300, seed=2)


@pytest.fixture(scope="module")
def specs(tmp_path_factory, data):
    return write_all(tmp_path_factory.mktemp("predictions"), data, shard=20)


def centres_of_chunks(data, specs, features, k: int) -> list[tuple[str, float]]:
    """By definition: the centres of each chunk, and of all these together."""
    from tests.stages.mine.pools import streams

    opened = streams(specs)
    sources = [list(source.parts()) for source in (pool(data), *opened)]
    found: dict[str, tuple[float, ...]] = {}
    for chunk in Alignment(streams=sources).chunks(60):
        own = {i: features[i] for i in chunk.ids if i in features}
        found |= {i: own[i] for i, _ in naive(own, k)}
    return naive(found, k)


def area_features(data) -> dict[str, tuple[float, ...]]:
    return {i: tuple(float(np.float32(math.sqrt((m == c).mean()))) for c in CLASSES.ids) for i, m in data.maps["target"].items()}


def test_a_pool_is_spread_over_the_areas_of_its_classes(data, specs, tmp_path):
    out = mined(tmp_path / "out", pool(data), specs[:2], selector="core-set", budget=12, deduplicate=False)
    expected = centres_of_chunks(data, specs[:2], area_features(data), 12)
    rows = rows_of(out)
    assert [row["id"] for row in rows] == [i for i, _ in expected]
    assert [row["score"] for row in rows] == pytest.approx([far for _, far in expected])


def test_a_pool_is_spread_over_features_that_are_given(data, specs, tmp_path):
    """Samples without features are no candidates, and are counted."""
    rng = np.random.default_rng(3)
    features = {i: tuple(rng.integers(0, 100, 3).tolist()) for i in data.ids[:250]}
    table = tmp_path / "features.csv"
    table.write_text("id,x,y,z\n" + "\n".join(f"{i},{x},{y},{z}" for i, (x, y, z) in features.items()) + "\n")
    out = mined(tmp_path / "out", pool(data), specs[:1], selector="core-set", budget=9, deduplicate=False, features=str(table))
    assert [row["id"] for row in rows_of(out)] == [i for i, _ in centres_of_chunks(data, specs[:1], features, 9)]
    assert read_manifest(out).details["unscored"] == 50
    assert rows_of(out, "groups")[0]["fitting"] == 250


def test_features_of_no_sample_of_the_pool_choose_nothing(data, specs, tmp_path):
    table = tmp_path / "features.csv"
    table.write_text("id,x\nelsewhere,1\n")
    out = mined(tmp_path / "out", pool(data), specs[:1], selector="core-set", features=str(table))
    assert rows_of(out) == []


def test_other_features_make_another_queue(data, specs, tmp_path):
    """Although the first row of the table is the same."""
    table, queues = tmp_path / "features.csv", []
    for sign in (1, -1):
        table.write_text("id,x\n" + "\n".join(f"{i},{n * n if sign > 0 else 7 * n % 300}" for n, i in enumerate(data.ids)) + "\n")
        out = mined(tmp_path / "out", pool(data), specs[:1], selector="core-set", budget=5, features=str(table))
        queues.append([row["id"] for row in rows_of(out)])
    assert queues[0] != queues[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,x\na00000,fast\n", "must be numbers"),
        ("id,x\na00000,nan\n", "must be finite numbers; those of 'a00000'"),
        ("id\na00000\n", "must have a column of numbers"),
    ],
)
def test_features_that_are_no_numbers_are_refused(text, told, data, specs, tmp_path):
    table = tmp_path / "features.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=told):
        mined(tmp_path / "out", pool(data), specs[:1], selector="core-set", features=str(table))
    assert not (tmp_path / "out.partial").exists()
