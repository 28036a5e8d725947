"""Heavy augmentation against torchvision's own operations, and mixtures of batches against their definitions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.models.fit.learnable import write_learnable  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

from figureground.data.dataset import open_dataset  # noqa: E402
from figureground.models.fit import heavy  # noqa: E402
from figureground.models.fit.heavy import NAMES, cut_box, mixed_batch, operated, rand_augmented  # noqa: E402
from figureground.models.fit.labelled import label_classes, labelled_data  # noqa: E402
from figureground.models.fit.loader import Loader  # noqa: E402
from figureground.models.fit.options import FitOptions  # noqa: E402

THEIRS = {
    "shear x": "ShearX",
    "shear y": "ShearY",
    "shift x": "TranslateX",
    "shift y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "colour": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
    "identity": "Identity",
}


def picture(seed: int, size=(20, 24)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_operations_are_those_of_torchvision(name):
    """The same picture, magnitude and sign give the same pixels as torchvision's RandAugment at magnitude 9."""
    assert set(NAMES) == set(THEIRS)
    image, their = torch.from_numpy(picture(1)).permute(2, 0, 1).contiguous(), v2.RandAugment()
    magnitudes, signed = v2.RandAugment._AUGMENTATION_SPACE[THEIRS[name]]
    end = magnitudes(31, 20, 24)
    for sign in (-1, 1) if signed else (1,):
        by = sign * float(end[9]) if end is not None else 0.0
        expected = their._apply_image_or_video_transform(image, THEIRS[name], by, interpolation=v2.InterpolationMode.NEAREST, fill={})
        found = operated(image, name, sign=sign)
        assert int((found.int() - expected.int()).abs().max()) <= 1, name  # theirs has its magnitude in float32


def test_a_picture_is_a_function_of_its_generator_and_global_chance_stays():
    torch.manual_seed(3)
    state, source = torch.random.get_rng_state(), picture(2)
    one, same, other = (rand_augmented(source, rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.flags.c_contiguous
    assert np.array_equal(source, picture(2))


def mixtures():
    pictures = [picture(seed) for seed in range(4)]
    return pictures, [mixed_batch(pictures, rng=np.random.default_rng(seed)) for seed in range(60)]


def test_mixtures_are_what_they_are_called():
    """MixUp is the blend; CutMix shows only own and partner's pixels, with the share counted; brightness keeps labels whole."""
    pictures, found = mixtures()
    kinds = dict.fromkeys(("cut", "blend", "light"), 0)
    for mixed in found:
        own, other = np.stack(pictures), np.stack([pictures[p] for p in mixed.partners])
        shown = np.stack(mixed.pictures)
        if mixed.share == 1.0 and (mixed.partners == np.arange(4)).all():
            kinds["light"] += 1
            factor = shown.astype(float).mean() / own.mean()
            assert 0.4 < factor < 1.5
            continue
        is_other = (shown == other).all(-1)
        cut = ((shown == own).all(-1) | is_other).all()
        kinds["cut" if cut else "blend"] += 1
        if cut:
            taken = [(s == o).all(-1).mean() for s, o, p, i in zip(shown, other, mixed.partners, range(4), strict=True) if p != i]
            assert taken == pytest.approx([1 - mixed.share] * len(taken), abs=0.01)
        else:
            np.testing.assert_allclose(shown, mixed.share * own + (1 - mixed.share) * other, atol=0.5001)
    assert min(kinds.values()) > 8


def test_the_rectangle_of_a_cut_by_hand():
    """A share of 3/4 cuts half of each side; its middle is anywhere, so it may lose some at the frame and never grows."""
    boxes = [cut_box((40, 80), 0.75, np.random.default_rng(seed)) for seed in range(200)]
    heights, widths = ([box[axis].stop - box[axis].start for box in boxes] for axis in (0, 1))
    assert (max(heights), max(widths)) == (20, 40)
    assert (min(heights), min(widths)) == (10, 20)
    assert cut_box((40, 80), 1.0, np.random.default_rng(0))[0] in [slice(k, k) for k in range(41)]


@pytest.mark.slow
def test_batches_are_the_same_by_threads_and_processes_and_carry_both_labels(tmp_path):
    dataset = open_dataset(write_learnable(tmp_path / "data"))
    data = labelled_data(dataset, classes=label_classes(dataset), size=16, norm="none")
    options = FitOptions(task="classify", augment="heavy", batch=4, seed=2, class_weights="balanced")

    def made(workers: int) -> list:
        with Loader(data, options=dataclasses.replace(options, workers=workers), train=True) as loader:
            return [*loader.epoch(0), *loader.epoch(1)]

    batches, others = made(0), made(1)
    for one, other in zip(batches, others, strict=True):
        for name in ("images", "masks", "weights", "mixed_masks", "mixed_weights"):
            assert torch.equal(getattr(one, name), getattr(other, name)), name
        assert torch.allclose(one.weights + one.mixed_weights, torch.ones(len(one)))
        assert one.mixed_masks.shape == one.masks.shape == (len(one), 1, 1)
    assert any(bool((b.mixed_weights > 0).any()) for b in batches)
    with Loader(data, options=options, train=False) as loader:
        assert next(iter(loader.epoch(0))).mixed_masks is None
    assert heavy.OPERATIONS == 2
