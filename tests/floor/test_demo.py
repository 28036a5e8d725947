from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.contracts.predictor_contract import CONTRACT

from figureground.core.errors import InputError
from figureground.data.dataset import open_dataset
from figureground.data.doctor import find_faults
from figureground.data.spec import parse_spec
from figureground.models.predictor import Predictor, PredictorSpec, predictor_spec_text
from figureground.stages.demo.draw import CLASSES, COMMON, SIZE_HW, picture, plans
from figureground.stages.demo.features import OUTLINE_COLUMNS, outline_features
from figureground.stages.demo.figures import FIGURES, figure
from figureground.stages.demo.grounds import GROUNDS
from figureground.stages.demo.predictor import DemoModel, fit, logits, open_demo, read_model, write_model


@pytest.fixture(scope="module")
def few_pictures() -> list[tuple[np.ndarray, np.ndarray]]:
    return [picture(label, context, seed=3, index=i) for i, (label, context) in enumerate((a, b) for a in FIGURES for b in GROUNDS)]


@pytest.fixture(scope="module")
def small_model(few_pictures: list[tuple[np.ndarray, np.ndarray]]) -> DemoModel:
    return fit(few_pictures, classes=len(CLASSES), seed=0)


def test_a_picture_is_a_function_of_seed_and_index() -> None:
    """The same arguments give the same arrays, another seed or index another picture."""
    first, again = picture("hare", "shore", seed=1, index=5), picture("hare", "shore", seed=1, index=5)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], picture("hare", "shore", seed=2, index=5)[0])
    assert not np.array_equal(first[0], picture("hare", "shore", seed=1, index=6)[0])


@pytest.mark.parametrize("label", FIGURES)
@pytest.mark.parametrize("context", GROUNDS)
def test_a_mask_is_one_whole_figure_of_its_class(label: str, context: str) -> None:
    """Each mask holds the background and its class alone, as one connected figure of the promised size (feet may be cut at the edge)."""
    image, mask = picture(label, context, seed=0, index=11)
    assert image.shape == (*SIZE_HW, 3)
    assert image.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, CLASSES.index(label)}
    assert 0.07 <= (mask > 0).mean() <= 0.18
    parts = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
    assert parts.max() >= 0.97 * parts.sum()


def test_size_and_coat_say_nothing_about_the_class() -> None:
    """Over many pictures, the mean area and the mean colour of the figures differ little between classes."""
    areas, colours = {}, {}
    for label in FIGURES:
        drawn = [picture(label, context, seed=5, index=i) for i in range(30) for context in ("street",)]
        areas[label] = np.mean([(mask > 0).mean() for _, mask in drawn])
        colours[label] = np.mean([image[mask > 0].mean(axis=0) for image, mask in drawn], axis=0)
    assert max(areas.values()) / min(areas.values()) < 1.15
    assert np.ptp(np.array(list(colours.values())), axis=0).max() < 40  # of 255, with 30 coats drawn a class


def test_the_plan_ties_each_class_to_its_ground_in_train_only() -> None:
    """19 of 20 training pictures of a class stand on its own ground; elsewhere every pair occurs equally often."""
    count = Counter((plan.split, plan.label, plan.context) for plan in plans())
    for label, own in COMMON.items():
        in_train = sum(count["train", label, context] for context in GROUNDS)
        assert count["train", label, own] / in_train == pytest.approx(0.95)
    for split in ("balanced", "test"):
        assert len({count[split, label, context] for label in FIGURES for context in GROUNDS}) == 1
    assert len({plan.id for plan in plans()}) == len(plans())


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"label": "cow"}, "duck"),
        ({"context": "moon"}, "forest"),
        ({"seed": -1}, "negative"),
        ({"index": -1}, "negative"),
    ],
)
def test_an_unknown_figure_or_ground_is_refused_with_the_known_ones(arguments: dict[str, object], word: str) -> None:
    """What cannot be drawn raises, and the message says what can."""
    with pytest.raises(InputError, match=word):
        picture(**{"label": "cat", "context": "shore", "seed": 0, "index": 0} | arguments)  # type: ignore[arg-type]


def test_a_figure_has_the_area_and_the_feet_that_were_asked_for() -> None:
    """The drawn outline covers `area_px` and its lowest point is the foot."""
    for name in FIGURES:
        parts = figure(name, np.random.default_rng(0), area_px=5000, foot_xy=(150, 180))
        canvas = np.zeros((300, 300), np.uint8)
        for part in parts:
            cv2.fillPoly(canvas, [np.round(part.outline).astype(np.int32)], 1)
        assert int(canvas.sum()) == pytest.approx(5000, rel=0.05)
        assert max(part.outline[:, 1].max() for part in parts) == pytest.approx(180)


def test_outline_features_do_not_know_left_from_right_nor_size() -> None:
    """A figure, its mirror image and the same figure twice as large have nearly the same outline features."""
    mask = (picture("cat", "shore", seed=0, index=2)[1] > 0).astype(np.float32)
    features = outline_features(mask)
    larger = cv2.resize(np.pad(mask, 20), None, fx=2, fy=2)
    assert np.abs(features - outline_features(np.ascontiguousarray(mask[:, ::-1]))).max() < 1e-3
    assert np.abs(features - outline_features(larger)).mean() < 0.02
    assert outline_features(np.zeros((20, 30), np.float32)).tolist() == [0.0] * OUTLINE_COLUMNS


def test_logits_are_log_probabilities_at_any_size(small_model: DemoModel) -> None:
    """At each pixel the exponentials sum to one, whatever the size of the picture."""
    for size in (SIZE_HW, (33, 47)):
        image = cv2.resize(picture("duck", "street", seed=0, index=0)[0], size[::-1]) / np.float32(255)
        values = logits(image, small_model)
        assert values.shape == (len(CLASSES), *size)
        assert values.dtype == np.float32
        assert np.exp(values.astype(np.float64)).sum(axis=0) == pytest.approx(1, abs=1e-5)


def test_a_fit_tells_figure_from_ground_in_pictures_it_has_not_seen(small_model: DemoModel) -> None:
    """Fitted on nine pictures, the model gives figure pixels of nine others a higher figure probability than their ground."""
    for i, (label, context) in enumerate((a, b) for a in FIGURES for b in GROUNDS):
        image, mask = picture(label, context, seed=9, index=i)
        figure_probability = 1 - np.exp(logits(image / np.float32(255), small_model)[0])
        assert figure_probability[mask > 0].mean() > 2 * figure_probability[mask == 0].mean()


def test_a_model_file_gives_the_same_logits(small_model: DemoModel, tmp_path: Path) -> None:
    """Writing and reading a model changes no number, and the spec carries the digest of the file."""
    write_model(tmp_path / "model.npz", small_model)
    for field in dataclasses.fields(DemoModel):
        assert np.array_equal(getattr(small_model, field.name), getattr(read_model(tmp_path / "model.npz"), field.name))
    predictor = open_demo(str(tmp_path / "model.npz"), {}, device="cpu")
    images = np.stack([picture("cat", "shore", seed=0, index=i)[0].transpose(2, 0, 1) / np.float32(255) for i in range(2)])
    given = predictor.forward(images)
    assert given.shape == (2, predictor.spec.classes, *SIZE_HW)
    assert np.array_equal(given[0], logits(images[0].transpose(1, 2, 0), small_model))


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
def test_the_demo_model_keeps_the_predictor_contract(law: Callable[..., None], small_model: DemoModel, tmp_path: Path) -> None:
    """The laws that every adapter keeps hold for the demo's predictor too."""
    write_model(tmp_path / "model.npz", small_model)

    def opened(spec: str | PredictorSpec) -> Predictor:
        parsed = parse_spec(predictor_spec_text(spec) if isinstance(spec, PredictorSpec) else spec)
        return open_demo(parsed.where, parsed.options, device="cpu")

    law(opened, f"demo:{tmp_path / 'model.npz'}")


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    """Anything but a whole model file raises one readable error."""
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(InputError, match="no model of the demo"):
        read_model(tmp_path / "model.npz")


@pytest.mark.slow
def test_the_demo_shows_what_was_planted_and_nothing_is_done_twice(tmp_path: Path) -> None:
    """Both predictors find the figures equally well; the tied one misnames them off their own ground, and the balanced one seldom does."""
    from figureground.api import demo
    from figureground.stages.audit.result import read_summary

    (tmp_path / "dataset.partial").mkdir()
    audit = demo(tmp_path, seed=0, workers=2).path
    assert list(find_faults(open_dataset(str(tmp_path / "dataset")))) == []
    summary = read_summary(audit)["predictions"]
    tied, balanced = summary["tied"], summary["balanced"]
    assert abs(tied["foreground_iou"]["value"] - balanced["foreground_iou"]["value"]) < 0.06
    assert tied["rates"]["flipped"]["low"] > 2 * balanced["rates"]["flipped"]["high"]
    assert tied["gaps"]["flip"]["low"] > 0.15
    assert tied["gaps"]["worst_group"]["attributes"] not in [{"class": a, "context": b} for a, b in COMMON.items()]
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("manifest.json")}
    assert demo(tmp_path, seed=0).path == audit
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("manifest.json")} == stamps
