"""`figureground swap infill` and `swap build` as a user meets them."""

from __future__ import annotations

import json

import pytest
from tests.stages.swap.world import world
from tests.support import run_program


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("swap")
    world(folder)
    return folder / "world"


def test_from_a_data_set_to_its_proof(data, tmp_path):
    """Counts and gates, then the sentence of the proof; `--json` gives the file; the written set has no faults."""
    bank, out = tmp_path / "bg", tmp_path / "set"
    code, told, err = run_program("swap", "infill", data, "--infill", "grey", "--coverage-low", 0.08, "--out", bank, "--workers", 1)
    assert code == 0, err
    assert "of 16 pictures can be cut out" in told
    assert "x small: the figure's part of the picture is below the stated range" in told
    code, told, err = run_program("swap", "build", bank, "--data", data, "--copies", 2, "--out", out, "--workers", 1)
    assert code == 0, err
    assert "Mutual information of label and context: 0.6931 nats before" in told
    assert told.splitlines()[-1] == f"Data set: {out}"
    code, told, _ = run_program("swap", "build", bank, "--data", data, "--copies", 2, "--out", out, "--json")
    assert code == 0
    assert {k: v for k, v in json.loads(told).items() if k != "path"} == json.loads((out / "proof.json").read_text())
    code, told, _ = run_program("doctor", out)
    assert (code, "No faults found" in told) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--infill", "patch"), ["patch", "Did you mean", "patches"]),
        (("--masks", "labels:nowhere"), ["nowhere", "no artifact"]),
        (("--tight", 1.5), ["tight", "[0.0, 1.0]"]),
        (("--coverage-low", 0.9), ["coverage_low", "coverage_high"]),
        (("--split", "fit"), ["fit", "train"]),
        (("--refine", "sam"), ["refine", "guided"]),
        (("--infill", "onnx:net.onnx"), ["onnx:net.onnx", "no such file"]),
    ],
)
def test_bad_input_of_infill_is_one_line_and_exit_2(data, tmp_path, arguments, words):
    code, out, err = run_program("swap", "infill", data, *arguments, "--out", tmp_path / "bg", "--workers", 1)
    assert (code, out) == (2, ""), err
    assert len(err.strip().splitlines()) == 1
    assert all(word in err for word in words), err
    assert not list(tmp_path.iterdir())


def test_bad_input_of_build_is_one_line_and_exit_2(data, tmp_path):
    for arguments, words in (
        ((tmp_path, "--data", data), "no artifact is here"),
        ((data, "--data", data), "'backgrounds', found 'dataset'"),
    ):
        code, out, err = run_program("swap", "build", *arguments, "--out", tmp_path / "o", "--workers", 1)
        assert (code, out, len(err.strip().splitlines())) == (2, "", 1)
        assert words in err
    assert not list(tmp_path.iterdir())
