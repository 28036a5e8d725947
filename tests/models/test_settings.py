"""Model specs: their settings, their text and their checks."""

from __future__ import annotations

import pytest

from figureground.core.errors import InputError
from figureground.models.predictor import (
    PREDICTORS,
    PredictorSpec,
    json_to_predictor_spec,
    open_predictor,
    predictor_spec_text,
    predictor_spec_to_json,
)
from figureground.models.settings import read_settings


def test_settings_become_fields():
    read = read_settings(
        {"size": "384x512", "classes": "3", "mean": "0.5", "std": "0.1,0.2,0.3", "order": "bgr", "scale": "255", "mine": "x"},
        where="smp:x",
        own=("mine",),
        stride_px=32,
    )
    assert read.fields == {
        "size_hw": (384, 512),
        "classes": 3,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.1, 0.2, 0.3),
        "order": "bgr",
        "scale": 255.0,
        "stride_px": 32,
    }
    assert read.own == {"mine": "x"}
    assert "stride_px" not in read.given


def test_one_side_is_a_square_and_native_is_none():
    assert read_settings({"size": "96"}, where="x").fields["size_hw"] == (96, 96)
    assert read_settings({"size": "native"}, where="x").fields["size_hw"] is None


def test_the_preset_normalisation_gives_way_to_a_given_one():
    assert read_settings({}, where="x").fields["mean"] == (0.485, 0.456, 0.406)
    assert read_settings({"norm": "half"}, where="x").fields["std"] == (0.5, 0.5, 0.5)
    assert read_settings({"mean": "0"}, where="x").fields == {"mean": (0.0, 0.0, 0.0)}
    assert read_settings({}, where="x", norm=None).fields == {}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"szie": "3"}, "Did you mean `size`"),
        ({"classes": "-3"}, "`classes` must be a whole number"),
        ({"classes": "three"}, "`classes` must be a whole number"),
        ({"size": "3x4x5"}, "HEIGHTxWIDTH"),
        ({"size": "x"}, "HEIGHTxWIDTH"),
        ({"mean": "1,2"}, "one number or three"),
        ({"std": "a"}, "made of numbers"),
        ({"mean": "nan"}, "made of numbers"),
        ({"order": "grb"}, "rgb, bgr"),
        ({"norm": "coco"}, "imagenet, half, none"),
        ({"window": "slide"}, "none, overlap, taper"),
    ],
)
def test_faulty_settings_are_refused_by_name(settings, said):
    with pytest.raises(InputError, match=said):
        read_settings(settings, where="smp:x")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"classes": 0}, "`classes`"),
        ({"size_hw": (0, 3)}, "at least 1 px"),
        ({"stride_px": 0}, "at least 1 px"),
        ({"size_hw": (3, 3), "short_side_px": 3}, "exclude each other"),
        ({"window": "overlap"}, "needs the size of the window"),
        ({"overlap": 1.0}, "`overlap`"),
        ({"std": (1.0, 0.0, 1.0)}, "above 0"),
        ({"mean": (0.5,)}, "three finite numbers"),
        ({"std": (1.0, float("inf"), 1.0)}, "three finite numbers"),
    ],
)
def test_contradictory_specs_are_refused(fields, said):
    with pytest.raises(InputError, match=said):
        PredictorSpec(**{"kind": "smp", "where": "x", "classes": 3, **fields})


def test_a_spec_goes_to_json_and_back():
    spec = PredictorSpec(
        kind="smp",
        where="unet/x",
        classes=3,
        size_hw=(64, 96),
        mean=(0.1, 0.2, 0.3),
        extra=(("a", "b"),),
        notes=("n",),
        class_names=("g", "c"),
    )
    assert json_to_predictor_spec(predictor_spec_to_json(spec)) == spec
    with pytest.raises(InputError, match="no predictor spec"):
        json_to_predictor_spec({"kind": "smp", "surprise": 1})


def test_the_text_of_a_spec_keeps_odd_paths_whole():
    spec = PredictorSpec(kind="smp", where="unet/x", classes=3, weights="/a b/100%&c=d?.pt")
    from figureground.data.spec import parse_spec

    parsed = parse_spec(predictor_spec_text(spec))
    assert (parsed.kind, parsed.where, parsed.options["weights"]) == ("smp", "unet/x", "/a b/100%&c=d?.pt")


@pytest.mark.parametrize("text", ["unet.pt", "", "smp:"])
def test_a_text_that_is_no_spec_is_refused(text):
    with pytest.raises(InputError):
        open_predictor(text)


def test_an_unknown_kind_lists_the_known_ones():
    with pytest.raises(InputError, match=r"unknown model kind 'snp'. Did you mean 'smp'.*torchvision"):
        open_predictor("snp:unet/resnet34")
    assert set(PREDICTORS.names()) >= {"smp", "torchvision", "hf", "onnx", "python"}
