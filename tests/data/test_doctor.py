"""Each fault of the list is found by the doctor, and every reader refuses it in the same words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from figureground.core.errors import Fault, FormatError
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.doctor import find_faults
from figureground.data.faults import FAULT_CODES, make_fault
from figureground.data.predictions import Predictions, open_predictions, pairing_faults


def small(value: int, shape: tuple[int, int] = (12, 16)) -> Image.Image:
    return Image.fromarray(np.full(shape, value, np.uint8))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[45] ^= 1
    path.write_bytes(bytes(data))


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


MASK_DAMAGE: dict[str, Callable[[Path], object]] = {
    "unknown-class-id": lambda p: small(3).save(p),
    "size-mismatch": lambda p: small(1, (16, 12)).save(p),
    "rgb-mask": lambda p: small(1).convert("RGB").save(p),
    "jpeg-mask": lambda p: small(1).save(p, "JPEG"),
    "empty-file": lambda p: p.write_bytes(b""),
    "truncated-file": cut,
    "corrupt-file": flip,
    "missing-file": lambda p: p.unlink(),
    "binary-mask": lambda p: Image.fromarray(np.repeat([[0, 255]], [8, 8], axis=1).repeat(12, 0).astype(np.uint8)).save(p),
    "unreadable-file": lambda p: (p.unlink(), p.mkdir()),
    "unsupported-mask": lambda p: (p.unlink(), p.write_bytes(b"BM" + bytes(60)), p.rename(p.with_suffix(".bmp"))),
}
PREDICTION_DAMAGE: dict[str, Callable[[Path], object]] = {
    **{
        k: v
        for k, v in MASK_DAMAGE.items()
        if k not in ("missing-file", "binary-mask", "unreadable-file", "unsupported-mask", "size-mismatch")
    },
    "ignore-in-prediction": lambda p: small(255).save(p),
    "size-mismatch": lambda p: small(1, (6, 8)).save(p),
}


def opened(root: Path, folder: Path | None = None) -> tuple[Dataset, Predictions | None]:
    dataset = open_dataset(str(root))
    return dataset, open_predictions(f"png:{folder}", dataset.classes) if folder else None


def test_a_sound_set_has_no_faults(tiny, tiny_predictions):
    assert list(find_faults(*opened(tiny, tiny_predictions))) == []
    assert list(find_faults(*opened(tiny))) == []


@pytest.mark.parametrize("code", MASK_DAMAGE)
def test_each_fault_of_a_mask_is_listed_and_refused_in_the_same_words(tiny, code):
    path = tiny / "masks" / "002.png"
    MASK_DAMAGE[code](path)
    if code == "unsupported-mask":
        edit(tiny / "samples.csv", "masks/002.png", "masks/002.bmp")
    dataset, _ = opened(tiny)
    faults = list(find_faults(dataset))
    assert [(f.code, f.sample) for f in faults] == [(code, "002")], faults
    assert faults[0].remedy
    assert dataset.masks is not None
    with pytest.raises(FormatError) as caught:
        dataset.masks.read("002")
    assert caught.value.fault == faults[0]
    assert str(caught.value) == str(faults[0])


@pytest.mark.parametrize("code", PREDICTION_DAMAGE)
def test_each_fault_of_a_prediction_is_listed_and_refused_in_the_same_words(tiny, tiny_predictions, code):
    PREDICTION_DAMAGE[code](tiny_predictions / "001.png")
    dataset, predictions = opened(tiny, tiny_predictions)
    assert predictions is not None
    faults = list(find_faults(dataset, predictions))
    assert [(f.code, f.sample) for f in faults] == [(code, "001")], faults
    if code == "size-mismatch":
        assert "12 px high and 16 px wide" in faults[0].problem
        assert "--resize nearest" in faults[0].remedy
        return
    with pytest.raises(FormatError) as caught:
        predictions.source.read("001")
    assert caught.value.fault == faults[0]


def test_ids_without_a_partner_are_listed(tiny, tiny_predictions):
    (tiny_predictions / "000.png").unlink()
    small(1).save(tiny_predictions / "009.png")
    dataset, predictions = opened(tiny, tiny_predictions)
    assert predictions is not None
    faults = list(find_faults(dataset, [predictions]))
    assert [(f.code, f.sample) for f in faults] == [("missing-prediction", "000"), ("unknown-sample", "009")]
    assert faults == list(pairing_faults(dataset, predictions))


def test_a_sample_without_a_mask_is_listed(tiny):
    edit(tiny / "samples.csv", "masks/003.png", "")
    assert [(f.code, f.sample) for f in find_faults(open_dataset(str(tiny)))] == [("missing-mask", "003")]


def test_two_files_for_one_id_and_two_rows_for_one_id(tiny, tiny_predictions):
    np.save(tiny_predictions / "001.npy", np.ones((12, 16), np.uint8))
    with pytest.raises(FormatError) as caught:
        opened(tiny, tiny_predictions)
    assert (caught.value.fault.code, caught.value.fault.sample) == ("duplicate-id", "001")
    edit(tiny / "samples.csv", "003,", "001,")
    with pytest.raises(FormatError) as caught:
        opened(tiny)
    assert (caught.value.fault.code, caught.value.fault.sample) == ("duplicate-id", "001")


def test_figure_masks_declared_as_class_ids_are_found_in_three_ways(tiny):
    figure = np.zeros((12, 16), np.uint8)
    figure[3:6, 4:9] = 255
    for n in range(4):
        Image.fromarray(figure).save(tiny / "masks" / f"00{n}.png")
    assert {f.code for f in find_faults(open_dataset(str(tiny)))} == {"binary-mask"}  # 255 is ignore, and labels promise figures
    table = tiny / "samples.csv"
    for name in ("cat", "dog"):
        edit(table, f".png,{name},", ".png,,")
    faults = list(find_faults(open_dataset(str(tiny))))  # no labels: only the whole set shows it
    assert [(f.code, f.sample) for f in faults] == [("binary-mask", None)]
    assert "4 of 4" in faults[0].problem
    edit(tiny / "dataset.toml", "ignore = 255", 'ignore = "none"')
    assert [f.code for f in find_faults(open_dataset(str(tiny)))] == ["binary-mask"] * 4  # 255 is no class id
    edit(tiny / "dataset.toml", 'names = ["background", "cat", "dog"]', 'names = ["background", "figure"]\nids = [0, 255]')
    assert list(find_faults(open_dataset(str(tiny)))) == []  # the remedy works


def test_masks_that_are_void_on_purpose_are_no_fault(tiny):
    """A crowd region alone in its picture, with no label, in a set that has figures elsewhere."""
    small(255).save(tiny / "masks" / "000.png")
    edit(tiny / "samples.csv", "masks/000.png,cat", "masks/000.png,")
    assert list(find_faults(open_dataset(str(tiny)))) == []


@pytest.mark.parametrize(
    ("damage", "code"), [(b"", "unreadable-picture"), (b"\xff\xd8\xff\xe0 nothing", "unreadable-picture"), (None, "missing-file")]
)
def test_a_picture_that_is_named_must_be_there(tiny, damage, code):
    path = tiny / "images" / "001.jpg"
    path.unlink() if damage is None else path.write_bytes(damage)
    dataset = open_dataset(str(tiny))
    assert [(f.code, f.sample) for f in find_faults(dataset)] == [(code, "001")]
    assert dataset.masks is not None
    dataset.masks.read("001")  # an audit needs no pixels of it


def test_pictures_may_be_absent_from_the_table(tiny):
    for n in range(4):
        edit(tiny / "samples.csv", f"images/00{n}.jpg", "")
    assert list(find_faults(open_dataset(str(tiny)))) == []


def test_a_colour_that_no_class_has(tiny):
    edit(tiny / "dataset.toml", "ignore = 255", 'ignore = 255\ncolours = ["#000000", "#ff0000", "#00ff00"]\nignore_colour = "#ffffff"')
    for n in range(4):
        Image.new("RGB", (16, 12), (255, 0, 0)).save(tiny / "masks" / f"00{n}.png")
    Image.new("RGB", (16, 12), (9, 9, 9)).save(tiny / "masks" / "003.png")
    faults = list(find_faults(open_dataset(str(tiny))))
    assert [(f.code, f.sample) for f in faults] == [("unknown-colour", "003")]
    assert "#090909" in faults[0].problem


def test_several_faults_are_all_listed(tiny, tiny_predictions):
    small(7).save(tiny / "masks" / "000.png")
    (tiny / "masks" / "001.png").write_bytes(b"")
    (tiny_predictions / "000.png").write_bytes(b"")
    small(255).save(tiny_predictions / "003.png")
    found = [(f.code, f.sample) for f in find_faults(*opened(tiny, tiny_predictions))]
    assert found == [("unknown-class-id", "000"), ("empty-file", "000"), ("empty-file", "001"), ("ignore-in-prediction", "003")]


def test_every_code_has_a_meaning_and_no_other_code_can_be_made():
    assert all(meaning and code == code.lower() for code, meaning in FAULT_CODES.items())
    with pytest.raises(KeyError):
        make_fault("no-such-code", "p", "r")
    assert str(Fault(code="x", problem="p", remedy="r.", sample="s", file="f")) == "f: sample 's': p. r."
