"""`figureground shift compose` as a user meets it."""

from __future__ import annotations

import json

import pytest
from tests.support import run_program

SMALL = ("--train", 8, "--val", 1, "--test", 1, "--size", 32, "--rho", 0.75, "--workers", 1)


def test_group_counts_and_a_second_run(tmp_path):
    """Counts of each split on stdout, progress on stderr; the same command again does nothing; doctor finds nothing."""
    code, out, err = run_program("shift", "compose", *SMALL, "--out", tmp_path / "set")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "train:"
    assert lines[1].split() == ["shore", "forest"]
    assert lines[2].split() == ["duck", "3*", "1"]
    assert lines[3].split() == ["hare", "1", "3*"]
    assert out.count("1*") == 4
    assert "16 of 16 pictures" in err
    assert (tmp_path / "set" / "sheet.jpg").exists()
    code, out, err = run_program("shift", "compose", *SMALL, "--out", tmp_path / "set", "--json")
    assert code == 0
    assert "nothing to do" in err
    told = json.loads(out)
    assert told["path"] == str(tmp_path / "set")
    assert told["details"]["groups"]["train"]["duck"] == {"shore": 3, "forest": 1}
    code, out, _ = run_program("doctor", tmp_path / "set")
    assert (code, "No faults found" in out) == (0, True)


def test_an_options_file_and_flags(tmp_path):
    """The file counts, and a flag wins over it."""
    (tmp_path / "o.toml").write_text("classes = 3\ncontexts = 3\ntrain = 9\nval = 0\ntest = 0\nsize = 32\n")
    code, out, err = run_program(
        "shift", "compose", "--config", tmp_path / "o.toml", "--contexts", 2, "--out", tmp_path / "set", "--workers", 1
    )
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines()[2:5]] == ["duck", "hare", "cat"]
    assert "street" not in out


def test_tied_validation_is_told(tmp_path):
    """The table says how validation is tied, and shows that no counterexample is in it."""
    code, out, err = run_program("shift", "compose", *SMALL, "--val-rho", 1, "--out", tmp_path / "set")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[4] == "val, rho 1:"
    assert [line.split() for line in lines[5:8]] == [["shore", "forest"], ["duck", "2*", "0"], ["hare", "0", "2*"]]
    assert lines[8] == "test:"


def test_several_ties_of_a_class_are_starred(tmp_path):
    """One flag or many; every context has a column in every table, though training has nothing there."""
    ties = ("--common", "duck=shore,duck=street", "--common", "hare=forest", "--common", "hare=street")
    sizes = ("--contexts", 4, "--train", 8, "--val", 0, "--test", 1, "--size", 32, "--rho", 1, "--workers", 1)
    code, out, err = run_program("shift", "compose", *ties, *sizes, "--out", tmp_path / "set")
    assert code == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert lines[1] == lines[5] == ["shore", "street", "forest", "meadow"]
    assert lines[2:4] == [["duck", "2*", "2*", "0", "0"], ["hare", "0", "2*", "2*", "0"]]
    assert lines[6:8] == [["duck", "1*", "1*", "1", "1"], ["hare", "1", "1*", "1*", "1"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--common", "duck=shore,duck=forest,hare=forest"), ["'duck'", "every context (shore, forest)"]),
        (("--common", "duck=shore,hare=sea"), ["'hare'", "'sea'", "there are shore, forest"]),
        (("--common", "duk=shore,hare=forest"), ["'duk'", "no class here", "`duck`"]),
        (("--common", "duck=shore"), ["no context for class 'hare'"]),
        (("--beside", "street"), ["beside", "paste only"]),
        (("--val-rho", 1.2), ["val_rho", "1.2"]),
        (("--val-rho", -0.5), ["val_rho", "[0, 1]", "-1 for every group alike", "-0.5"]),
        (("--kind", "waterbirds", "--val-rho", 1), ["val_rho", "figures and paste only"]),
        (("--rho", 1.2), ["rho", "[0.0, 1.0]", "1.2"]),
        (("--rho", -0.1), ["rho", "-0.1"]),
        (("--classes", 1), ["classes", "duck, hare", "got 1"]),
        (("--classes", 99), ["classes", "goat", "got 99"]),
        (("--contexts", 99), ["contexts", "shore", "snow", "got 99"]),
        (("--size", 8), ["size", "[32, 2048] px", "8"]),
        (("--train", -1), ["train", "-1"]),
        (("--kind", "figure"), ["figure", "figures"]),
        (("--train", 0, "--val", 0, "--test", 0), ["train 0"]),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tmp_path, arguments, words):
    code, out, err = run_program("shift", "compose", *arguments, "--out", tmp_path / "set")
    assert code == 2, err
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert all(word in err for word in words), err
    assert not list(tmp_path.iterdir())
