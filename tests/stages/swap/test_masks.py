"""Where figures are by masks, patches, grids and chance; both masks, their gates, and their quality against counts by hand."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.swap.world import cells_of, patch_labels, world

from figureground.core.errors import ArtifactError, InputError
from figureground.core.types import ClassTable, Sample
from figureground.data.grids import Thresholds, write_grids
from figureground.data.labelmap import figure_of
from figureground.data.splits import training_part
from figureground.stages.swap.figure_masks import FigureMasks, figure_masks, mask_quality
from figureground.stages.swap.options import InfillOptions
from figureground.stages.swap.sources import RandomSource, TruthSource, open_source, random_rectangle

CLASSES = ClassTable(names=("ground", "cat", "dog"))
PLAIN = InfillOptions(grow=0, coverage_low=0.05, coverage_high=0.8)
BOUNDS = Thresholds(tight=0.5, loose=0.9)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return world(tmp_path_factory.mktemp("swap"))


def both(chances, options=PLAIN, size=(8, 8)):
    return figure_masks(np.asarray(chances, np.float32), np.zeros((*size, 3), np.uint8), thresholds=BOUNDS, options=options)


def test_two_bounds_by_hand():
    """Below 0.5 is cut out, below 0.9 is filled; each pixel takes its patch; the bounds themselves are outside."""
    found = both([[0.1, 0.5], [0.89, 0.9]], size=(4, 4))
    assert found.tight.astype(int).tolist() == [[1, 1, 0, 0]] * 2 + [[0, 0, 0, 0]] * 2
    assert found.loose.astype(int).tolist() == [[1, 1, 1, 1]] * 2 + [[1, 1, 0, 0]] * 2
    assert (found.gates, found.cut, found.ground) == ((), True, True)
    grown = both([[0.1] + [1.0] * 7] + [[1.0] * 8] * 7, InfillOptions(grow=2))
    assert (grown.tight.sum(), grown.loose.sum()) == (1, 9)


@pytest.mark.parametrize(
    ("chances", "gates", "cut", "ground"),
    [
        (np.ones((4, 4)), ("empty-tight", "empty-loose"), False, False),
        (np.full((4, 4), 0.7), ("empty-tight", "full-loose"), False, False),
        (np.zeros((4, 4)), ("large", "full-loose"), False, False),
        (np.where(np.eye(8) * np.arange(8) == 3, 0.0, 1.0), ("small",), False, False),
        (np.where(np.arange(16).reshape(4, 4) < 4, 0.0, 0.8), ("full-loose",), True, False),
    ],
)
def test_gates(chances, gates, cut, ground):
    """Empty, tiny, huge and full masks, and what each keeps away."""
    found = both(chances)
    assert (found.gates, found.cut, found.ground) == (gates, cut, ground)


def test_nothing_known_is_a_gate_of_its_own():
    found = figure_masks(None, np.zeros((4, 4, 3), np.uint8), thresholds=BOUNDS, options=PLAIN)
    assert (found.gates, found.cut, found.ground) == (("no-mask",), False, False)


@given(st.integers(0, 2**31), st.sampled_from(["none", "guided", "grabcut"]))
@settings(max_examples=30, deadline=None)
def test_what_is_cut_out_is_always_filled(seed, refine):
    """Tight is a part of loose, whatever the grid, the picture and the way of fitting edges; and twice the same."""
    rng = np.random.default_rng(seed)
    picture, chances = rng.integers(0, 256, (24, 20, 3)).astype(np.uint8), rng.random(tuple(rng.integers(1, 9, 2)))
    options = InfillOptions(refine=refine, grow=int(rng.integers(0, 3)))
    one, other = (figure_masks(chances.astype(np.float32), picture, thresholds=BOUNDS, options=options) for _ in range(2))
    assert not (one.tight & ~one.loose).any()
    assert np.array_equal(one.tight, other.tight)
    assert np.array_equal(one.loose, other.loose)


@pytest.mark.parametrize("refine", ["guided", "grabcut"])
def test_fitted_edges_are_nearer_to_the_truth_than_blocks(refine):
    """A disc of another colour under patches: blocks overlap it less than fitted edges do."""
    y, x = np.indices((96, 96))
    truth = np.hypot(y - 47, x - 50) < 27
    picture = np.where(truth[..., None], np.array([200, 80, 60]), np.array([60, 120, 90]))
    picture = (picture + np.random.default_rng(0).normal(0, 8, picture.shape)).clip(0, 255).astype(np.uint8)
    chances = 1 - cv2.resize(truth.astype(np.float32), (8, 8), interpolation=cv2.INTER_AREA)
    iou = {}
    for how in ("none", refine):
        tight = figure_masks(chances, picture, thresholds=BOUNDS, options=InfillOptions(refine=how)).tight
        iou[how] = (tight & truth).sum() / (tight | truth).sum()
    assert iou[refine] > iou["none"] + 0.03
    assert iou[refine] > 0.93


def test_quality_by_hand():
    """Six true figure pixels, four cut out with two of ground: IoU 4/8, kept 4/6, leakage 2/6; void counts nowhere."""
    truth = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [255, 255, 0, 2]])
    tight = np.array([[1, 1, 0, 1], [1, 1, 0, 1], [1, 0, 0, 0]], bool)
    loose = tight | (truth == 1)
    found = mask_quality(FigureMasks(tight=tight, loose=loose, gates=()), truth, figure_of(truth, "cat", CLASSES), CLASSES)
    assert (found.iou, found.kept, found.leakage) == pytest.approx((4 / 8, 4 / 6, 2 / 6))
    assert found.hidden == pytest.approx(6 / 7)  # the dog is not taken away
    none = mask_quality(FigureMasks(tight=tight & False, loose=loose, gates=()), truth * 0, truth < 0, CLASSES)
    assert all(math.isnan(value) for value in (none.iou, none.kept, none.leakage, none.hidden))


def test_truth_cuts_out_the_label_and_fills_every_thing():
    """The class of the sample is the figure; another class and void are filled and not cut out; without a label all things are."""

    class Masks:
        def read(self, sample_id):
            from figureground.data.labelmap import encode_runs

            return encode_runs(np.array([[0, 1, 2, 255]], np.uint8))

    source = TruthSource(masks=Masks(), classes=CLASSES)
    assert source.chances(Sample(id="a", label="dog"))[0].tolist() == pytest.approx([1.0, 0.7, 0.0, 0.7])
    assert source.chances(Sample(id="a"))[0].tolist() == pytest.approx([1.0, 0.0, 0.0, 0.7])


def test_patch_labels_of_several_people_are_their_mean(data, tmp_path):
    """P(background) is one minus the part of people who say figure."""
    train = training_part(data, "train")
    cells = {train.ids[0]: cells_of(data, train.ids[0])}
    where = patch_labels(tmp_path / "labels", cells, reviewers=("ann", "ben"))
    source, digests = open_source(InfillOptions(masks=f"labels:{where}"), data, train)
    assert np.array_equal(source.chances(train.samples[0]), 1 - cells[train.ids[0]].astype(np.float32))
    assert source.chances(train.samples[1]) is None
    assert (source.thresholds.tight, source.thresholds.loose) == (0.5, 0.9)
    assert list(digests) == ["labels"]


def test_grids_bring_their_thresholds_and_options_win(data, tmp_path):
    train = training_part(data, "train")
    grids = {i: 1 - cells_of(data, i).astype(np.float32) for i in data.ids}
    where = write_grids(tmp_path / "grids", grids, thresholds=Thresholds(tight=0.33, loose=0.8))
    source, _ = open_source(InfillOptions(masks=f"grids:{where}"), data, train)
    assert (source.thresholds.tight, source.thresholds.loose) == (0.33, 0.8)
    source, _ = open_source(InfillOptions(masks=f"grids:{where}", tight=0.4), data, train)
    assert (source.thresholds.tight, source.thresholds.loose) == (0.4, 0.8)
    with pytest.raises(InputError, match=r"`tight` 0\.95 and the `loose` of 0\.8 that the grids name do not go together"):
        open_source(InfillOptions(masks=f"grids:{where}", tight=0.95), data, train)


@given(st.integers(1, 16), st.integers(1, 16), st.floats(0, 1), st.integers(0, 2**31))
@settings(deadline=None)
def test_random_rectangles_have_the_area_that_was_asked(rows, columns, part, seed):
    """A rectangle of about so many patches, whole on the grid, with a ring around it that is filled."""
    cells = max(1, round(part * rows * columns))
    found = random_rectangle(rows, columns, cells, np.random.default_rng(seed))
    inside = found == 0
    assert inside.any(axis=1).sum() * inside.any(axis=0).sum() == inside.sum()
    assert abs(int(inside.sum()) - cells) <= max(rows, columns)
    ring = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~inside
    assert np.array_equal(ring, (found > 0) & (found < 1))


def test_random_masks_are_like_in_area_and_not_in_place(data):
    """Of the area of the truth on average, the same for a sample whatever its place, other with another seed, and bad by the truth."""
    train = training_part(data, "train")
    source, _ = open_source(InfillOptions(masks="random"), data, train)
    other, _ = open_source(InfillOptions(masks="random", seed=1), data, train)
    assert isinstance(source, RandomSource)
    areas, ious, moved = [], [], 0
    for sample in train.samples:
        figure = data.masks.read(sample.id).dense() > 0
        found = figure_masks(source.chances(sample), np.zeros((*figure.shape, 3), np.uint8), thresholds=BOUNDS, options=InfillOptions())
        areas.append((found.tight.mean(), figure.mean()))
        ious.append((found.tight & figure).sum() / (found.tight | figure).sum())
        assert np.array_equal(source.chances(sample), source.chances(sample))
        moved += not np.array_equal(source.chances(sample), other.chances(sample))
    own, true = np.mean(areas, axis=0)
    assert own == pytest.approx(true, rel=0.25)
    assert np.mean(ious) < 0.35
    assert moved > len(train) / 2


def test_bad_labels_are_told(data, tmp_path):
    """Another grid than asked, pictures outside the training split or the data, none at all, grids of two sizes, no such kind."""
    train, test = training_part(data, "train"), data.select(split="test")
    first, cells = train.ids[0], np.zeros((8, 8), bool)
    wrong = {
        "grid": (InfillOptions(masks=f"labels:{patch_labels(tmp_path / 'a', {first: cells})}", grid="16x16"), "8 x 8 patches"),
        "text": (InfillOptions(masks=f"labels:{tmp_path / 'a'}", grid="16"), "rows x columns, each from 1 to 128, such as 16x16; got '16'"),
        "split": (InfillOptions(masks=f"labels:{patch_labels(tmp_path / 'b', {test.ids[0]: cells})}"), "not for training"),
        "strange": (InfillOptions(masks=f"labels:{patch_labels(tmp_path / 'c', {'nobody': cells})}"), "does not have"),
        "sizes": (
            InfillOptions(masks=f"labels:{patch_labels(tmp_path / 'e', {first: cells, train.ids[1]: np.zeros((4, 4), bool)})}"),
            "are of grids 4 x 4 and 8 x 8",
        ),
        "none": (InfillOptions(masks=f"labels:{patch_labels(tmp_path / 'd', {})}"), "no picture in it has patch labels"),
        "kind": (InfillOptions(masks="sam"), "must be truth"),
        "nowhere": (InfillOptions(masks="labels:"), "must be truth"),
        "exact": (InfillOptions(masks="truth", tight=0.3), "exact"),
        "edges": (InfillOptions(masks="truth", refine="guided"), "`refine` fits the edges of patches"),
        "side": (InfillOptions(masks="random", grid="8x8"), "--masks random goes by exact masks"),
    }
    for options, words in wrong.values():
        with pytest.raises(InputError, match=words):
            open_source(options, data, train)
    with pytest.raises(ArtifactError, match="no artifact"):
        open_source(InfillOptions(masks=f"labels:{tmp_path}"), data, train)
    where = write_grids(tmp_path / "g", {test.ids[0]: np.ones((4, 4), np.float32)}, thresholds=BOUNDS)
    with pytest.raises(InputError, match="no grid of a picture"):
        open_source(InfillOptions(masks=f"grids:{where}"), data, train)
