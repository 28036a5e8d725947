"""`shift split` and `shift balance` as a user meets them: exit codes, stdout and stderr."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.support import run_program


def shift(*arguments: object) -> tuple[int, str, str]:
    """Runs a verb of `shift`; returns exit code, stdout and stderr."""
    return run_program("shift", *arguments)


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty masks without pictures, ten of each group; dogs outdoors are larger."""
    folder = tmp_path_factory.mktemp("pets")
    lines = ["id,image,mask,label,split,context"]
    for number in range(40):
        label, context = ("cat", "dog")[number % 2], ("in", "out")[number // 20]
        mask = np.zeros((16, 16), np.uint8)
        side = (10 if (label, context) == ("dog", "out") else 5) + number // 4 % 2
        mask[2 : 2 + side, 3 : 3 + side] = 1 + number % 2
        cv2.imwrite(str(folder / f"{number}.png"), mask)
        lines.append(f"s{number},,{number}.png,{label},,{context}")
    (folder / "samples.csv").write_text("\n".join(lines) + "\n")
    (folder / "dataset.toml").write_text(
        '[classes]\nnames = ["ground", "cat", "dog"]\n[samples]\ntable = "samples.csv"\n[attributes]\nlabel = "label"\ncontext = "context"\n'
    )
    return folder


def test_a_data_set_is_not_split_into_its_own_directory(tmp_path):
    """One line, exit 2, and every file of the input as it was; beside it and inside of it there is room."""
    data = tmp_path / "composed"
    made = ("compose", "--train", 40, "--val", 2, "--test", 2, "--size", 32, "--classes", 2, "--contexts", 2, "--workers", 1, "--out", data)
    assert shift(*made)[0] == 0
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    split = ("split", data, "--rho", 0.5, "--val", 1, "--test", 1, "--workers", 1, "--out")
    for out in (data, data / ".." / "composed"):
        code, _, err = shift(*split, out)
        assert code == 2, err
        assert len(err.splitlines()) == 1
        assert "is read to make what is written there" in err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert shift(*split, data / "halves")[0] == 0
    code, _, err = shift(*split, data / "halves", "--seed", 1)
    assert code == 0
    assert "it is replaced when the new one is finished" in err
    (data / "halves" / "NOTES.md").write_text("mine")
    code, _, err = shift(*split, data / "halves", "--seed", 2)
    assert (code, "holds NOTES.md beside" in err) == (2, True)
    assert {path: path.read_bytes() for path in before} == before


def test_split_prints_its_groups(pets, tmp_path):
    """A table of groups and where each data set lies; again, nothing is done; --json says the same in one object."""
    command = ("split", pets, "--rho", "0.5", "--rho", "0.75", "--val", 1, "--test", 2, "--out", tmp_path / "out", "--workers", 1)
    code, out, err = shift(*command)
    assert code == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert ["cat", "in", "*", "5", "7", "1", "2"] in lines
    assert ["cat", "out", "4", "2", "1", "2"] in lines
    assert ["all", "18", "18", "4", "8"] in lines
    assert f"rho 0.75: {tmp_path / 'out' / 'rho-0.75'}" in out
    assert "object area differs" in err
    code, out, err = shift(*command, "--json")
    assert code == 0
    assert "nothing to do" in err
    told = json.loads(out)
    assert [one["groups"] for one in told["train"]] == [[[5, 4], [4, 5]], [[7, 2], [2, 7]]]
    assert (told["path"], told["val"], told["test"]) == (str(tmp_path / "out"), 4, 8)
    code, out, _ = shift("balance", tmp_path / "out" / "rho-0.5", "--split", "test", "--workers", 1)
    assert code == 0
    assert "8 samples" in out


def test_balance_prints_what_differs(pets, tmp_path):
    code, out, err = shift("balance", pets, "--out", tmp_path / "b.csv", "--workers", 1)
    assert code == 0, err
    assert "Cramer's V 0.000" in out
    assert "object area differs between dog-in and dog-out" in out
    assert (tmp_path / "b.csv").read_text().startswith("row,fact,class,context,n,mean")
    code, out, _ = shift("balance", pets, "--json", "--workers", 1)
    document = json.loads(out)
    assert code == 0
    assert document["rows"][1] | {"value": 0.0, "mean": None, "other_n": None} == document["rows"][1]
    assert not [row for row in document["rows"] if "" in row.values()]
    assert next(r for r in document["rows"] if r["fact"] == "brightness")["mean"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rho", "2"), "`rho` must be in [0, 1]"),
        (("--rho", "0.5", "--train", "100"), "group cat-in is too small for rho = 0.5"),
        (("--rho", "0.5", "--context", "place"), "has no column `place`"),
        (("--rho", "0.5", "--classes", "cat"), "at least two values of class; got cat"),
        (("--rho", "0.5", "--context", "found:2"), "has no picture"),
        (("--rho", "0.5", "--context", "area-rule"), "Give --stuff STUFF.json"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(pets, tmp_path, arguments, words):
    code, out, err = shift("split", pets, *arguments, "--val", 1, "--test", 1, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert err.startswith("figureground: ")
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_one_line_and_leaves_no_data_set(pets, tmp_path, monkeypatch, capsys):
    """A write that the system refuses for want of room is told as that, and what exists is whole."""
    from figureground.cli import app
    from figureground.runs.artifact import KEY_FILE

    def full(path: Path, content: bytes) -> int:
        if KEY_FILE in path.name:  # the disk fills after the directory is begun
            return write(path, content)
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", full)
    command = ["figureground", "shift", "split", str(pets), "--rho", "0.5", "--val", "1", "--test", "1", "--workers", "1"]
    monkeypatch.setattr(sys, "argv", [*command, "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert stopped.value.code == 2
    assert error.startswith(f"figureground: {tmp_path}")
    assert "the disk is full. Free some space" in error
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(SystemExit) as stopped:
        app.main()
    assert not stopped.value.code
    assert (tmp_path / "out" / "rho-0.5" / "dataset.toml").exists()
