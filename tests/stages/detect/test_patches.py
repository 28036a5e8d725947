"""Patch labels: pooled from masks as a loop over pixels does, or as people gave them; only of training pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.detect.world import by_people, make_data, quick, true_cells

from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.core.types import ClassTable
from figureground.data.dataset import dataset_from_arrays, open_dataset
from figureground.stages.detect.patches import coverage_of, find_labels, ranked

PEOPLE = quick(masks="none", grid="")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("patches") / "data", void=True)


def find(data, folders=(), options=PEOPLE, spec=""):
    whole = open_dataset(data + spec)
    return find_labels([str(one) for one in folders], data=whole, training=whole.select(split="train"), options=options)


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_coverage_is_that_of_a_loop_over_pixels(seed, height, width, rows, columns):
    """Also of pictures with fewer pixels than patches, whose pixels are then enlarged; void counts neither way."""
    rng = np.random.default_rng(seed)
    counted = rng.random((height, width)) < 0.8
    figure = (rng.random((height, width)) < 0.5) & counted
    up, wide = -(-rows // height), -(-columns // width)
    total, hit = np.zeros((rows, columns)), np.zeros((rows, columns))
    for y in range(height * up):
        for x in range(width * wide):
            patch = y * rows // (height * up), x * columns // (width * wide)
            total[patch] += counted[y // up, x // wide]
            hit[patch] += figure[y // up, x // wide]
    expected = np.divide(hit, total, out=np.zeros_like(hit), where=total > 0)
    assert np.allclose(coverage_of(figure, counted, (rows, columns)), expected)


def test_masks_are_pooled_of_as_many_training_pictures_as_asked(data):
    found = find(data, options=quick(count=10))
    whole = open_dataset(data)
    assert (len(found.figures), found.rows, found.columns, found.source) == (10, 4, 4, "masks")
    assert all(whole.sample(name).split == "train" for name in found.figures)
    assert all(np.array_equal(cells, true_cells(whole, name)) for name, cells in found.figures.items())
    more = find(data, options=quick(count=15))
    assert list(more.figures)[:10] == list(found.figures)
    assert list(find(data, options=quick(count=10, seed=1)).figures) != list(found.figures)
    assert len(find(data, options=quick(count=0)).figures) == 24
    assert (find(data, options=quick(grid="")).rows, find(data, options=quick(grid="2x8")).columns) == (16, 8)


def test_the_figure_is_the_class_of_the_picture():
    """Another class beside it is ground, as for what is cut out; a picture without a label has every class for its figure."""
    mask = np.array([[1, 1, 2, 2], [1, 1, 0, 255]], np.uint8)
    dataset = dataset_from_arrays({"a": mask, "b": mask, "c": mask}, classes=ClassTable(names=("ground", "cat", "dog"), ignore=255))
    labels = {"a": "cat", "b": "dog", "c": None}
    dataset = dataclasses.replace(dataset, samples=tuple(dataclasses.replace(s, label=labels[s.id]) for s in dataset.samples))
    found = find_labels((), data=dataset, training=dataset, options=quick(grid="1x2", foreground=0.4, count=0))
    assert {name: cells.tolist() for name, cells in found.figures.items()} == {
        "a": [[True, False]],
        "b": [[False, True]],
        "c": [[True, True]],
    }


def test_more_of_a_patch_must_be_figure_than_the_bound(data):
    loose, strict = (find(data, options=quick(foreground=part)).figures for part in (0.0, 0.75))
    assert all((loose[name] | ~strict[name]).all() for name in loose)
    assert sum(cells.sum() for cells in loose.values()) > sum(cells.sum() for cells in strict.values())


def test_what_people_said_comes_back(data, tmp_path):
    ids = [f"train{n:03d}" for n in range(6)]
    found = find(data, [by_people(data, tmp_path / "labels", ids)])
    whole = open_dataset(data)
    assert set(found.figures) == set(ids)
    assert list(found.figures) == ranked(ids, seed=0)
    assert all(np.array_equal(cells, true_cells(whole, name)) for name, cells in found.figures.items())
    assert (found.rows, found.columns, found.source) == (4, 4, "labels")


def test_of_several_people_at_least_half_decide(data, tmp_path):
    """Three say figure by row: Ann the first row, Ben the first two, Cyd the first three; two of three agree on two rows."""
    rows = {"Ann": 1, "Ben": 2, "Cyd": 3}

    def cells(sample, who):
        return np.arange(4)[:, None].repeat(4, 1) < rows[who]

    three = find(data, [by_people(data, tmp_path / "three", ["train000"], who=tuple(rows), cells=cells)])
    assert three.figures["train000"].sum(1).tolist() == [4, 4, 0, 0]
    two = find(data, [by_people(data, tmp_path / "two", ["train000"], who=("Ann", "Cyd"), cells=cells)])
    assert two.figures["train000"].sum(1).tolist() == [4, 4, 4, 0]


def test_a_labelled_picture_outside_training_is_refused_by_name(data, tmp_path):
    labels = by_people(data, tmp_path / "labels", ["train000", "val003"])
    with pytest.raises(InputError, match="sample 'val003' has patch labels and is in split 'val'"):
        find(data, [labels])
    with pytest.raises(InputError, match="sample 'val003' has patch labels and is left out of learnable"):
        find(data, [labels], spec="?split=train")
    whole = open_dataset(data)
    assert set(find_labels([labels], data=whole, training=whole, options=PEOPLE).figures) == {"train000", "val003"}


def test_a_labelled_picture_that_nobody_knows_is_refused(data, tmp_path):
    other = make_data(tmp_path / "other")
    labels = by_people(other, tmp_path / "labels", ["train001"])
    (tmp_path / "other" / "samples.csv").write_text((tmp_path / "other" / "samples.csv").read_text().replace("train001,", "renamed,", 1))
    with pytest.raises(FormatError, match="sample 'train001': it has patch labels, and learnable does not have it"):
        find(other, [labels])


def test_labels_of_another_grid_are_refused(data, tmp_path):
    four = by_people(data, tmp_path / "four", ["train000", "train001"])
    eight = by_people(data, tmp_path / "eight", ["train001", "train002"], grid=(8, 2))
    with pytest.raises(InputError, match=r"grids 4x4, and 16x16 was asked for\. Name theirs: --grid 4x4"):
        find(data, [four], options=quick(masks="none", grid="16x16"))
    with pytest.raises(InputError, match=r"of grids 4x4 and 8x2\. Name theirs"):
        find(data, [four, eight])
    found = find(data, [four, eight], options=quick(masks="none", grid="8x2"))
    assert set(found.figures) == {"train001", "train002"}
    assert found.notes == ("left out, since their labels are of another grid: 'train000'",)


def test_labels_without_patches_are_refused(data, tmp_path):
    with pytest.raises(InputError, match="holds no patch labels"):
        find(data, [by_people(data, tmp_path / "labels", [])])
    with pytest.raises(ArtifactError, match="no artifact is here"):
        find(data, [tmp_path / "nowhere"])


@pytest.mark.parametrize(("value", "word"), [(True, "figure"), (False, "background")])
def test_patches_of_one_class_are_refused(data, tmp_path, value, word):
    labels = by_people(data, tmp_path / "labels", ["train000", "train001"], cells=lambda *_: np.full((4, 4), value))
    with pytest.raises(InputError, match=f"every patch of all 2 labelled pictures is {word}"):
        find(data, [labels])


def test_labels_or_masks_and_not_both(data):
    with pytest.raises(InputError, match="Give one of the two"):
        find(data)
    with pytest.raises(InputError, match="Give one of the two"):
        find(data, ["labels"], options=quick())
    with pytest.raises(InputError, match="`grid` must be rows x columns"):
        find(data, options=quick(grid="16"))
