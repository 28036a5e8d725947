"""Contexts from areas of stuff and things, and contexts found as clusters of grounds."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score
from tests.support import Watcher

from figureground.core.errors import FormatError, InputError
from figureground.core.types import Sample
from figureground.data.dataset import Dataset, dataset_from_arrays, open_dataset
from figureground.data.pixels import read_picture
from figureground.runs.executor import LocalExecutor
from figureground.runs.progress import QuietReporter
from figureground.stages.shift import coco_context
from figureground.stages.shift.choose_context import with_context
from figureground.stages.shift.coco_context import area_contexts, area_rule, contexts_of
from figureground.stages.shift.context import adjusted_rand_index, found_contexts
from figureground.stages.shift.ground_features import FEATURES, ground_features

LABELS = st.integers(0, 25).flatmap(
    lambda n: st.tuples(st.lists(st.integers(0, 4), min_size=n, max_size=n), st.lists(st.integers(0, 4), min_size=n, max_size=n))
)


@pytest.mark.parametrize(
    ("indoor", "outdoor", "wanted"),
    [
        (2, 0, "indoor"),
        (1.99, 0, ""),
        (0, 2, "outdoor"),
        (0, 1.99, ""),
        (50, 50, "indoor"),
        (1.5, 1.5, ""),
        (49, 51, "outdoor"),
        (51, 49, "indoor"),
        (1.9, 1.8, ""),
        (0, 0, ""),
    ],
)
def test_the_area_rule_by_hand(indoor, outdoor, wanted):
    """Half decides, two per cent are needed, and a tie is indoor."""
    assert area_rule(indoor, outdoor, 100) == wanted


def test_the_lists_have_the_published_sizes_and_share_no_name():
    lists = [
        coco_context.INDOOR_STUFF,
        coco_context.NATURAL_STUFF,
        coco_context.BUILT_STUFF,
        coco_context.NEUTRAL_STUFF,
        coco_context.INDOOR_THINGS,
        coco_context.OUTDOOR_THINGS,
    ]
    assert [len(one) for one in lists] == [20, 24, 12, 16, 26, 19]
    assert max(Counter(name for one in lists for name in one).values()) == 1
    assert len(coco_context.SPEAKS_FOR) == 20 + 24 + 12 + 26 + 19


def coco(path: Path, annotations: list[dict], categories: dict[int, str], images: int = 3) -> str:
    pictures = [{"id": i, "height": 10, "width": 10, "file_name": f"pictures/p{i}.jpg"} for i in range(1, images + 1)]
    names = [{"id": i, "name": name} for i, name in categories.items()]
    path.write_text(json.dumps({"images": pictures, "annotations": annotations, "categories": names}))
    return str(path)


def square(image: int, category: int, side: float, **more: object) -> dict:
    return {
        "id": 100 * image + category,
        "image_id": image,
        "category_id": category,
        "segmentation": [[0, 0, side, 0, side, side, 0, side]],
        "iscrowd": 0,
        **more,
    }


def test_areas_of_things_and_stuff_add_up(tmp_path):
    """Things of the data's own file and stuff of the other decide together; the classes asked for say nothing; an area may be drawn."""
    things = coco(tmp_path / "things.json", [square(1, 1, 9), square(1, 2, 4, area=16), square(2, 3, 6)], {1: "cat", 2: "couch", 3: "car"})
    stuff = coco(
        tmp_path / "stuff.json", [square(1, 9, 5), square(2, 8, 3, area=9.0), square(3, 7, 5)], {9: "grass", 8: "rug", 7: "wall-wood"}
    )
    dataset = open_dataset(f"coco:{things}")
    assert contexts_of(dataset, [stuff], figures={"cat"}) == {"1": "outdoor", "2": "outdoor", "3": ""}  # 16 : 25, 9 : 36, neutral
    assert area_contexts([stuff]).by_stem == {"p1": "outdoor", "p2": "indoor", "p3": ""}
    assert contexts_of(dataset, [stuff], figures={"cat", "car"})["2"] == "indoor"


def test_panoptic_files_hold_both(tmp_path):
    """With a panoptic file the things of the data's own file are not counted twice; merged names count as what they merge."""
    things = coco(tmp_path / "things.json", [square(1, 3, 6)], {3: "car"})
    segments = [{"id": 1, "category_id": 5, "area": 20}, {"id": 2, "category_id": 6, "area": 30}]
    panoptic = coco(
        tmp_path / "panoptic.json",
        [{"image_id": 1, "file_name": "p1.png", "segments_info": segments}],
        {5: "tree-merged", 6: "ceiling-merged"},
    )
    assert contexts_of(open_dataset(f"coco:{things}"), [panoptic], figures=())["1"] == "indoor"


def test_samples_are_known_by_image_id_or_file_name(tmp_path):
    stuff = coco(tmp_path / "stuff.json", [square(1, 9, 5)], {9: "grass"})
    by_name = dataset_from_arrays({"p1": np.ones((2, 2), np.uint8), "q": np.ones((2, 2), np.uint8)}, classes=["ground", "cat"])
    assert contexts_of(by_name, [stuff], figures=()) == {"p1": "outdoor", "q": ""}
    with pytest.raises(InputError, match=r"none of its 3 images is a sample of arrays"):
        contexts_of(by_name.select(ids=["q"]), [stuff], figures=())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "no valid JSON"),
        ("[]", "`images` is not a list"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "needs an id, a height and a width"),
        ('{"images": [], "annotations": [{"image_id": 4}], "categories": []}', "belongs to image '4'"),
        (
            '{"images": [{"id": 4, "height": 2, "width": 2}], "annotations": [{"image_id": 4, "category_id": 3}], "categories": []}',
            "category '3'",
        ),
        ('{"images": [], "annotations": [], "categories": [{"id": "a"}]}', "needs a name and an id"),
    ],
)
def test_a_faulty_file_is_named(tmp_path, content, words):
    (tmp_path / "stuff.json").write_text(content)
    with pytest.raises(FormatError, match=words) as refused:
        area_contexts([str(tmp_path / "stuff.json")])
    assert "stuff.json" in str(refused.value)


def test_the_area_rule_agrees_with_the_contexts_of_real_pictures(real_data):
    """Where both decide, at least 97 % of the contexts are those that stand in the table; our lists were not made for these pictures."""
    dataset = open_dataset(str(real_data / "coco128"))
    files = [str(real_data / f"coco128/panoptic/annotations/panoptic_{part}2017.json") for part in ("train", "val")]
    found = contexts_of(dataset, files, figures=())
    pairs = [(s.attributes["context"], found[s.id]) for s in dataset.samples]
    both = [a == b for a, b in pairs if a and b]
    assert len(both) > 175
    assert np.mean(both) >= 0.97
    assert np.mean([a == b for a, b in pairs]) >= 0.92


@given(LABELS)
def test_adjusted_rand_index_against_sklearn(labels):
    first, other = (np.array(one, np.int64) for one in labels)
    if first.size < 2:
        assert np.isnan(adjusted_rand_index(first, other)) == (first.size == 0)
    else:
        assert adjusted_rand_index(first, other) == pytest.approx(adjusted_rand_score(first, other), abs=1e-9)


@given(st.integers(0, 50), st.sampled_from([(5, 7), (40, 33), (150, 200), (1, 1)]))
def test_no_figure_pixel_has_a_say(seed, size):
    """Whatever stands in figure and void pixels, the features are the same to the last bit."""
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (*size, 3), np.uint8)
    ground = rng.random(size) < rng.choice([0.0, 0.3, 0.9])
    other = np.where(ground[..., None], rgb, rng.integers(0, 256, rgb.shape, np.uint8))
    np.testing.assert_array_equal(ground_features(rgb, ground), ground_features(other, ground))


def test_ground_features_by_hand():
    """An even ground has no deviation and no steps; without ground there is no number; a coloured third is seen."""
    even = np.full((30, 40, 3), 51, np.uint8)
    all_ground = np.ones((30, 40), bool)
    found = ground_features(even, all_ground)
    assert found.shape == (FEATURES,)
    assert np.isfinite(found).all()
    scales = found[-30:].reshape(3, 10)
    np.testing.assert_allclose(scales[:, 0], 0.2, rtol=1e-6)
    np.testing.assert_allclose(scales[:, 3:6], 0, atol=1e-6)
    np.testing.assert_allclose(scales[:, 6:], np.log(1e-3), rtol=1e-3)
    assert np.isnan(ground_features(even, ~all_ground)).all()
    even[:10] = (0, 0, 255)
    assert ground_features(even, all_ground)[2] == pytest.approx(-1, abs=1e-6)  # yellow - blue of the upper third
    upper = all_ground.copy()
    upper[:10] = False
    assert np.isnan(ground_features(even, upper)[:3]).all()
    with pytest.raises(InputError, match="must be uint8"):
        ground_features(even, upper[:5])


def blobs(per: int, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = np.array([[0, 0, 0, 0], [apart, 0, apart, 0], [0, apart, 0, apart]])
    return np.concatenate([c + rng.normal(size=(per, 4)) for c in centres]), np.repeat(np.arange(3), per)


def test_clear_clusters_are_found_and_stable_and_noise_is_not():
    points, truth = blobs(40, 9.0)
    found = found_contexts(points, clusters=3)
    assert adjusted_rand_score(truth, found.names) == 1
    assert found.stability == pytest.approx(1)
    assert not found.shaky
    assert found.sizes == {"found-1": 40, "found-2": 40, "found-3": 40}
    noise = found_contexts(np.random.default_rng(1).normal(size=(150, 20)), clusters=4)
    assert noise.stability < 0.4
    assert noise.shaky


def test_clusters_are_numbered_by_size_and_repeat_by_seed():
    points, truth = blobs(40, 9.0)
    kept = np.concatenate([np.flatnonzero(truth == 0)[:10], np.flatnonzero(truth == 1), np.flatnonzero(truth == 2)[:20]])
    found = found_contexts(points[kept], clusters=3, seed=4)
    assert found.sizes == {"found-1": 40, "found-2": 20, "found-3": 10}
    assert [found.names[i] for i in (0, 20, 60)] == ["found-3", "found-1", "found-2"]
    assert found_contexts(points[kept], clusters=3, seed=4) == found


def test_missing_values_and_samples_without_ground():
    """A hole is filled with the mean of its column; a sample without a number is in no cluster; constant columns do no harm."""
    points, truth = blobs(20, 9.0)
    points = np.concatenate([points, np.full((60, 1), 7.0)], axis=1)
    points[5] = np.nan
    points[6, 1] = np.nan
    found = found_contexts(points, clusters=3)
    assert found.names[5] == ""
    others = [i for i in range(60) if i != 5]
    assert adjusted_rand_score(truth[others], [found.names[i] for i in others]) == 1


@pytest.mark.parametrize(
    ("features", "clusters", "words"),
    [
        (np.zeros((5, 3)), 1, "at least 2 clusters"),
        (np.zeros((5, 3)), 2, "cannot be found in 1 different grounds"),
        (np.full((5, 3), np.nan), 2, "cannot be found in 0 different grounds"),
        (np.empty((0, 3)), 2, "cannot be found in 0 different grounds"),
    ],
)
def test_too_few_grounds(features, clusters, words):
    with pytest.raises(InputError, match=words):
        found_contexts(features, clusters=clusters)


def planted(folder: Path, real_data: Path, per_scene: int) -> tuple[Dataset, dict[str, str]]:
    """Real animals on real sea and forest, and which ground each was set on."""
    animals = open_dataset(str(real_data / "animals4"))
    scenes = [(kind, file) for kind in ("sea", "forest") for file in sorted((real_data / "scenes6" / kind).glob("*.jpg"))[:per_scene]]
    samples, masks, truth = [], {}, {}
    for number, (kind, file) in enumerate(scenes):
        animal = animals.samples[(7 * number) % len(animals)]
        picture = cv2.resize(read_picture(animal.image or ""), (96, 96))
        figure = cv2.resize((animals.masks.read(animal.id).dense() > 0).astype(np.uint8), (96, 96), interpolation=cv2.INTER_NEAREST)
        rgb = np.where(figure[..., None] > 0, picture, cv2.resize(read_picture(str(file)), (96, 96)))
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), rgb[..., ::-1])
        sample_id = f"s{number:03d}"
        masks[sample_id], truth[sample_id] = figure, kind
        samples.append(Sample(id=sample_id, image=str(path), label="animal"))
    arrays = dataset_from_arrays(masks, classes=["ground", "animal"])
    dataset = Dataset(name="planted", classes=arrays.classes, samples=tuple(samples), masks=arrays.masks, label_attribute="label")
    return dataset, truth


@pytest.mark.slow
def test_planted_grounds_are_recovered(tmp_path, real_data):
    """Sea and forest behind real animals come out as two clusters, whatever the order of the samples, far better than chance."""
    dataset, truth = planted(tmp_path, real_data, 60)
    watcher = Watcher()
    choice = with_context(dataset, "found:2", executor=LocalExecutor(1), reporter=watcher)
    names = [choice.dataset.attribute(s, "context") for s in choice.dataset.samples]
    assert choice.dataset.context_attribute == "found_context"
    assert adjusted_rand_score(list(truth.values()), names) > 0.5
    assert choice.details["stability"] > 0.5
    assert "stability" in watcher.said[0]
    turned = Dataset(name="t", classes=dataset.classes, samples=dataset.samples[::-1], masks=dataset.masks, label_attribute="label")
    again = with_context(turned, "found:2", executor=LocalExecutor(1), reporter=QuietReporter()).dataset
    assert {s.id: s.attributes["found_context"] for s in again.samples} == dict(zip(dataset.ids, names, strict=True))


def test_a_low_stability_is_told(tmp_path):
    """Grounds of nothing but noise are clustered all the same, with a warning."""
    rng = np.random.default_rng(0)
    samples, masks = [], {}
    for number in range(24):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), rng.integers(0, 256, (16, 16, 3), np.uint8))
        masks[f"s{number}"] = np.zeros((16, 16), np.uint8)
        samples.append(Sample(id=f"s{number}", image=str(path), label="cat"))
    arrays = dataset_from_arrays(masks, classes=["ground", "cat"])
    dataset = Dataset(name="noise", classes=arrays.classes, samples=tuple(samples), masks=arrays.masks)
    watcher = Watcher()
    with_context(dataset, "found:3", executor=LocalExecutor(1), reporter=watcher)
    assert any(text.startswith("warning: other samples would give other clusters") for text in watcher.said)


@pytest.mark.parametrize(
    ("how", "stuff", "words"),
    [
        ("", (), r"has no context column\. Name a column with --context ATTRIBUTE .*area-rule.*found:2"),
        ("place", (), r"has no column `place`\..*site"),
        ("label", (), "no column that can be a context"),
        ("found:1", (), "needs a number of clusters from 2"),
        ("found:x", (), "needs a number of clusters from 2"),
        ("found:2", (), "has no picture"),
        ("area-rule", (), "needs annotations of stuff"),
        ("site", ("stuff.json",), "--stuff is read with --context area-rule only"),
    ],
)
def test_no_such_context(how, stuff, words):
    """Each refusal names the way out."""
    masks = {f"s{i}": np.ones((2, 2), np.uint8) for i in range(4)}
    attributes = {i: {"label": "cat", "site": "a"} for i in masks}
    dataset = dataset_from_arrays(masks, classes=["ground", "cat"], attributes=attributes)
    with pytest.raises(InputError, match=words):
        with_context(dataset, how, stuff=stuff, executor=LocalExecutor(1), reporter=QuietReporter())
