"""The generator: exact masks against a slow oracle, pictures as pure functions, and nothing but shape that tells classes apart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.core.errors import InputError
from figureground.stages.shift.composition import ComposeOptions
from figureground.stages.shift.figures import paint
from figureground.stages.shift.figures.animals import FIGURES
from figureground.stages.shift.figures.canvas import Canvas
from figureground.stages.shift.figures.chance import Chance
from figureground.stages.shift.figures.grounds import GROUNDS
from figureground.stages.shift.figures.kind import compose_figures
from figureground.stages.shift.figures.picture import draw_picture
from figureground.stages.shift.figures.placing import Manner, place_figure
from figureground.stages.shift.figures.raster import Part, cover
from figureground.stages.shift.figures.shapes import bounds
from figureground.stages.shift.figures.textures import textures

CLASSES, CONTEXTS = tuple(FIGURES), tuple(GROUNDS)


def inside(outline: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether the winding number of a polygon around each point is not 0, edge by edge as in a textbook."""
    winding = np.zeros(len(points), int)
    x, y = points.T
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        side = (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)
        winding += (y0 <= y) & (y < y1) & (side > 0)
        winding -= (y1 <= y) & (y < y0) & (side < 0)
    return winding != 0


def oracle(parts, fronts, size, fine):
    """Part of each pixel that is in any of the parts and in none of the fronts, by fine x fine points."""
    at = (np.arange(size * fine) + 0.5) / fine
    points = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)

    def union(some):
        found = np.zeros(len(points), bool)
        for part in some:
            near = ((points >= part.outline.min(axis=0)) & (points <= part.outline.max(axis=0))).all(axis=1)
            found[near] |= inside(part.outline, points[near])
        return found

    return (union(parts) & ~union(fronts)).reshape(size, fine, size, fine).mean(axis=(1, 3))


@pytest.mark.slow
@pytest.mark.parametrize("label", CLASSES)
def test_masks_are_exact(label):
    """A pixel is figure exactly where half of its 16 x 16 points or more see the figure; a finer grid differs only around one half."""
    for number, occlusion in ((0, 0.0), (1, 1.0)):
        manner, size = Manner(occlusion=occlusion), 32
        drawn = draw_picture(label, "street", size=size, key=(5, number), manner=manner)
        assert (drawn.placed.occluder == "none") == (occlusion == 0)
        assert np.array_equal(drawn.figure, oracle(drawn.placed.parts, drawn.placed.fronts, size, 16) >= 0.5)
        finer = oracle(drawn.placed.parts, drawn.placed.fronts, size, 30)
        assert np.all(np.abs(finer - 0.5)[drawn.figure != (finer >= 0.5)] < 0.03)


def test_coverage_by_hand():
    """A box over halves and quarters of pixels, another that hides it, and shades that lie one over the other."""
    box = Part(outline=np.array([(1.0, 1.5), (3.5, 1.5), (3.5, 3.0), (1.0, 3.0)]), shade=2.0)
    lid = Part(outline=np.array([(2.0, 0.0), (9.0, 0.0), (9.0, 9.0), (2.0, 9.0)]), shade=0.5)
    alone = cover([box], size_hw=(4, 5))
    assert alone.inside.tolist() == [[0, 0, 0, 0, 0], [0, 128, 128, 64, 0], [0, 256, 256, 128, 0], [0, 0, 0, 0, 0]]
    assert np.array_equal(alone.visible, alone.inside)
    assert alone.shade[2].tolist() == [1, 2, 2, 2, 1]
    hidden = cover([box], size_hw=(4, 5), front=cover([lid], size_hw=(4, 5)))
    assert np.array_equal(hidden.inside, alone.inside)
    assert hidden.visible.tolist() == [[0, 0, 0, 0, 0], [0, 128, 0, 0, 0], [0, 256, 0, 0, 0], [0, 0, 0, 0, 0]]
    both = cover([box, lid], size_hw=(4, 5))
    assert both.shade[2].tolist() == [1, 2, 0.5, 0.5, 0.5]
    assert both.inside[1].tolist() == [0, 128, 256, 256, 256]
    assert not cover([], size_hw=(4, 5)).inside.any()


@pytest.mark.slow
@given(
    corners=st.lists(st.tuples(st.floats(-6, 18), st.floats(-6, 18)), min_size=3, max_size=9),
    others=st.lists(st.tuples(st.floats(-6, 18), st.floats(-6, 18)), min_size=3, max_size=5),
)
@settings(max_examples=60)
def test_any_polygon_is_covered_as_the_oracle_says(corners, others):
    """Crossing itself, outside the picture, turning either way: points inside are those with a winding number."""
    first, second = (Part(outline=np.array(some, float)) for some in (corners, others))
    found = cover([first, second], size_hw=(12, 12))
    # points that lie on an edge to the last bit may fall either way
    assert np.abs(found.inside / 256 - oracle([first, second], [], 12, 16)).max() <= 1 / 16
    assert abs(found.inside.sum() / 256 - oracle([first, second], [], 12, 16).sum()) < 0.2
    turned = cover([Part(outline=first.outline[::-1].copy()), second], size_hw=(12, 12))
    assert np.abs(turned.inside.astype(int) - found.inside).max() <= 16


OPTIONS = ComposeOptions(classes=3, contexts=3, train=20, val=2, test=3, size=32, seed=7, rho=0.7)


def same(a, b):
    return (
        np.array_equal(a.image, b.image)
        and np.array_equal(a.mask, b.mask)
        and (a.id, a.label, a.context, a.attributes) == (b.id, b.label, b.context, b.attributes)
    )


def test_a_picture_is_a_function_of_its_index():
    """In any order, again, and from a composition of its own, a picture is the same; and no two are."""
    first, second = compose_figures(OPTIONS), compose_figures(OPTIONS)
    drawn = [first.draw(index) for index in range(first.count)]
    for index in reversed(range(second.count)):
        assert same(second.draw(index), drawn[index])
    assert len({picture.image.tobytes() for picture in drawn}) == first.count == 20 + 9 * 5
    other = compose_figures(dataclasses.replace(OPTIONS, seed=8))
    assert not any(same(other.draw(index), drawn[index]) for index in range(first.count))


@pytest.mark.parametrize("change", [{"rho": 1.0}, {"rho": 0.0}, {"train": 0}, {"train": 33, "rho": 0.5}, {"val": 9, "test": 5}])
def test_validation_and_test_stay(change):
    """Neither rho nor the number of other pictures changes a picture of validation or test."""
    one, other = compose_figures(OPTIONS), compose_figures(dataclasses.replace(OPTIONS, **change))
    again = {picture.id: picture for picture in map(other.draw, range(other.count)) if picture.split != "train"}
    mine = [picture for picture in map(one.draw, range(one.count)) if picture.split != "train"]
    assert len(mine) == 45
    assert all(same(picture, again[picture.id]) for picture in mine)


@pytest.mark.parametrize("contexts", [2, 3, 4, 5])
def test_rho_moves_figures_to_other_grounds_and_changes_nothing_else(contexts):
    """Training sample n keeps class, mask, pose and what stands before it for every rho; where its ground stays, so does every byte."""
    options = dataclasses.replace(OPTIONS, contexts=contexts)
    one, other = compose_figures(dataclasses.replace(options, rho=0.4)), compose_figures(dataclasses.replace(options, rho=0.9))
    moved = 0
    for index in range(OPTIONS.train):
        a, b = one.draw(index), other.draw(index)
        assert np.array_equal(a.mask, b.mask)
        assert (a.label, a.attributes) == (b.label, b.attributes)
        assert (a.context == b.context) == np.array_equal(a.image, b.image)
        moved += a.context != b.context
        if a.context != b.context:
            assert b.context == other.common[b.label]
            assert np.abs(a.image.astype(int) - b.image)[a.mask > 0].mean() < 20  # the same coat; soft edges show the ground
    assert moved >= 5


def test_validation_and_test_set_each_figure_on_every_ground():
    """Of a class, the n-th picture of every context shows one figure in one pose, light and coat, in a scene of its own."""
    composition = compose_figures(OPTIONS)
    pictures = [composition.draw(index) for index in range(OPTIONS.train, composition.count)]
    by_figure = {}
    for picture in pictures:
        by_figure.setdefault(picture.attributes["figure"], []).append(picture)
    assert len(by_figure) == 3 * 5
    for some in by_figure.values():
        assert sorted(p.context for p in some) == ["forest", "shore", "street"]
        assert len({p.label for p in some}) == 1
        assert all(np.array_equal(p.mask, some[0].mask) and p.attributes == some[0].attributes for p in some)
    alone = [p for p in map(composition.draw, range(OPTIONS.train)) if p.attributes["figure"] == p.id]
    assert len(alone) == OPTIONS.train


def paired(count, size=48, **manner):
    """Masks of every class for the same keys, bool [classes, count, size, size]."""
    return np.array(
        [
            [draw_picture(label, "shore", size=size, key=(1, k), manner=Manner(**manner), distractors=0).figure for k in range(count)]
            for label in CLASSES
        ]
    )


@pytest.mark.slow
def test_area_and_place_know_nothing_of_the_class():
    """For one key every class has the same visible area and the same centre of gravity, hidden parts or not."""
    masks = paired(60)
    area = masks.mean(axis=(2, 3))
    assert np.all(np.abs(area / area.mean(axis=0) - 1) < 0.05)
    assert area.min() > 0.055
    assert area.max() < 0.135
    at = (np.arange(48) + 0.5) / 48
    x, y = ((masks * grid).sum(axis=(2, 3)) / masks.sum(axis=(2, 3)) for grid in (at[None, :], at[:, None]))
    for middle in (x, y):
        away = np.abs(middle - np.median(middle, axis=0))
        assert np.mean(away > 0.02) < 0.05  # the few that would have reached over the edge
        spread = middle.std()
        assert np.all(np.abs(middle.mean(axis=1) - middle.mean()) < 0.1 * spread)
    border = masks[:, :, [0, -1]].sum() + masks[:, :, :, [0, -1]].sum()
    assert border == 0


def test_spread_and_area_do_what_they_say():
    """Without spread all figures stand at one place; the area is that of the options."""
    still = paired(12, spread=0.0, area_low=0.1, area_high=0.1)
    assert np.all(np.abs(still.mean(axis=(2, 3)) - 0.1) < 0.006)
    at = (np.arange(48) + 0.5) / 48
    x = (still * at).sum(axis=(2, 3)) / still.sum(axis=(2, 3))
    assert np.all(np.abs(x - 0.5) < 0.02)


@pytest.mark.parametrize("label", CLASSES)
def test_figures_fit(label):
    """Whatever the pose, a figure of the usual areas stands inside the picture, feet on the ground below the horizon."""
    for number in range(60):
        left, top, right, bottom = bounds(place_figure(label, Chance((3, number)), size=100, manner=Manner()).parts)
        assert left > 0
        assert top > 0
        assert right < 100
        assert 60 < bottom < 100


def test_the_light_on_a_figure_is_one_whatever_its_shape(monkeypatch):
    """A coat of one colour keeps this mean on every class, for any side the light comes from."""
    monkeypatch.setattr(paint, "colour", lambda *_, **__: np.array([0.5, 0.4, 0.3], np.float32))
    for label in CLASSES:
        for number, light in ((1, -0.9), (2, 0.8)):
            canvas = Canvas(np.zeros((3, 64, 64), np.float32), textures(64))
            parts = place_figure(label, Chance((number,)), size=64, manner=Manner(occlusion=0)).parts
            window = paint.window_of(parts, paint.around(parts, 64))
            paint.paint_body(canvas, Chance((6, number)), window, light=light)
            found = canvas.planes.sum(axis=(1, 2)) / window.alpha.sum()
            assert found == pytest.approx([0.5, 0.4, 0.3], rel=1e-4)
            assert canvas.planes[0].max() > 0.55  # lit and shaded all the same


def separable(features: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy on the second half of a linear classifier fitted to the first half."""
    x = np.column_stack([features, features**2, np.ones(len(features))])
    half = len(x) // 2
    weights = np.linalg.lstsq(x[:half], 2.0 * labels[:half] - 1, rcond=None)[0]
    return float(((x[half:] @ weights > 0) == labels[half:]).mean())


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [("duck", "hare"), ("cat", "heron"), ("tortoise", "goat")])
def test_only_shape_tells_classes_apart(first, second):
    """Mean colour, its spread, area and centre of a figure say next to nothing of its class; the width of its box says much."""
    plain, box, labels = [], [], []
    for number in range(1200):
        label = (first, second)[number % 2]
        drawn = draw_picture(label, CONTEXTS[number // 2 % 5], size=48, key=(2, number), manner=Manner())
        pixels = drawn.image[drawn.figure] / 255
        y, x = np.nonzero(drawn.figure)
        plain.append([*pixels.mean(axis=0), drawn.figure.mean(), y.mean() / 48, x.mean() / 48])
        box.append([np.ptp(x) / np.sqrt(len(x)), np.ptp(y) / np.sqrt(len(y))])
        labels.append(number % 2)
    # 600 tested: a standard error of chance is 0.02
    assert separable(np.array(plain), np.array(labels)) < 0.58
    assert separable(np.array(box), np.array(labels)) > 0.8


def test_grounds_differ_and_figures_hide_them():
    """The same key gives the same figure on every ground, and pictures that are nowhere near one another."""
    drawn = {name: draw_picture("hare", name, size=64, key=(4, 1), manner=Manner()) for name in CONTEXTS}
    for name, one in drawn.items():
        assert np.array_equal(one.figure, drawn["shore"].figure)
        for other in CONTEXTS[CONTEXTS.index(name) + 1 :]:
            away = np.abs(one.image.astype(int) - drawn[other].image)
            assert away[~one.figure].mean() > 25
            assert away[one.figure].mean() < 0.4 * away[~one.figure].mean()


def test_options_reach_the_picture():
    """No occluder and no distractor where none is asked for; grain as strong as asked."""
    quiet = dataclasses.replace(OPTIONS, occlusion=0.0, distractors=0, noise=0.0)
    pictures = [compose_figures(quiet).draw(index) for index in range(12)]
    assert {(p.attributes["occluder"], p.attributes["distractors"]) for p in pictures} == {("none", "0")}
    busy = dataclasses.replace(quiet, occlusion=1.0, distractors=4, noise=0.2)
    loud = [compose_figures(busy).draw(index) for index in range(12)]
    assert {p.attributes["occluder"] for p in loud} == {"blades", "lump"}
    assert len({p.attributes["distractors"] for p in loud}) > 2

    def rough(some):
        return np.mean([np.abs(np.diff(p.image.astype(int), axis=1)).mean() for p in some])

    assert rough(loud) > 2 * rough(pictures)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": 1}, ["2 to 6", "duck", "goat", "got 1"]),
        ({"classes": 7}, ["2 to 6", "got 7"]),
        ({"contexts": 1}, ["2 to 5", "shore", "snow"]),
        ({"contexts": 6}, ["2 to 5", "got 6"]),
        ({"rho": 1.5}, ["rho", "[0, 1]", "1.5"]),
        ({"area_low": 0.15}, ["area_low", "0.15", "0.13"]),
        ({"train": 0, "val": 0, "test": 0}, ["train 0"]),
    ],
)
def test_bad_options_are_refused(change, words):
    """One error that says what there is."""
    with pytest.raises(InputError) as caught:
        compose_figures(dataclasses.replace(OPTIONS, **change))
    assert all(word in str(caught.value) for word in words)


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="duck, hare"):
        draw_picture("dog", "shore", size=32, key=(0,), manner=Manner())
    with pytest.raises(InputError, match="shore, forest"):
        draw_picture("duck", "moon", size=32, key=(0,), manner=Manner())
