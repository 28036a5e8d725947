"""The command line as a user meets it, with exit codes, stdout and stderr; a process of its own says the same."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.support import hear_ctrl_c, run_program

from figureground.stages.audit.options import AuditOptions


def in_its_own_process(*arguments, cwd=None):
    """Runs the program as a shell does; returns exit code, stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "figureground", *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folders(tmp_path):
    """Six masks of two classes and predictions with one picture flipped."""
    rng = np.random.default_rng(0)
    (tmp_path / "masks").mkdir()
    (tmp_path / "predictions").mkdir()
    for number in range(6):
        mask = np.zeros((20, 30), np.uint8)
        y, x = rng.integers(0, 10, 2)
        mask[y : y + 8, x : x + 10] = 1 + number % 2
        cv2.imwrite(str(tmp_path / "masks" / f"s{number}.png"), mask)
        cv2.imwrite(str(tmp_path / "predictions" / f"s{number}.png"), np.where(mask > 0, 3 - mask, 0) if number == 0 else mask)
    return tmp_path


def data(folders: Path) -> str:
    return f"folders:{folders / 'masks'}?classes=ground,cat,dog"


def predictions(folders: Path) -> str:
    return f"png:{folders / 'predictions'}"


def test_an_audit_from_two_folders(folders):
    """One command: exit 0, finding on stdout, progress on stderr, all tables and the page on disk."""
    code, out, err = run_program("audit", data(folders), predictions(folders), "--out", folders / "audit")
    assert code == 0, err
    assert "flipped" in out
    assert "6 of 6 samples" in err
    names = {p.name for p in (folders / "audit").iterdir()}
    assert names == {
        *("audit.json", "counts.parquet", "failures.json", "groups.parquet", "manifest.json"),
        *("regions.parquet", "report.html", "samples.parquet", "worst.parquet"),
    }


def test_json_is_the_summary_and_nothing_else(folders):
    """Stdout parses, holds the promised keys and equals audit.json; a second run skips and says the same."""
    arguments = ("audit", data(folders), predictions(folders), "--out", folders / "audit", "--json", "--resamples", "50")
    code, out, _ = run_program(*arguments)
    summary = json.loads(out)
    assert code == 0
    assert summary == json.loads((folders / "audit" / "audit.json").read_text())
    promised = "samples pixels rates flip_image_mean conditional_flip iou miou foreground_iou flips groups gaps risk"
    assert set(promised.split()) <= set(summary)
    assert set(summary["rates"]) == {"correct", "flipped", "missed", "added"}
    assert set(summary["rates"]["flipped"]) == {"value", "low", "high"}
    assert set(summary["miou"]) == {"micro", "macro", "macro-imagewise"}
    code, again, err = run_program(*arguments)
    assert (code, json.loads(again)) == (0, summary)
    assert "nothing to do" in err


@pytest.mark.slow
def test_a_training_tells_its_card_and_where_it_lies(folders):
    """`train --json` is card.json with the path before it."""
    pytest.importorskip("torchvision", reason="the extra 'train' is not installed")
    (folders / "images").mkdir()
    for mask in (folders / "masks").iterdir():
        cv2.imwrite(str(folders / "images" / mask.name), np.full((20, 30, 3), 90, np.uint8))
    source = f"{data(folders)}&images={folders / 'images'}"
    small = ("--architecture", "torchvision:lraspp_mobilenet_v3_large", "--size", "32", "--epochs", "1", "--device", "cpu")
    splits = ("--train-split", "", "--val-split", "")
    code, out, err = run_program("train", source, "--out", folders / "net", *small, *splits, "--json")
    assert code == 0, err
    card = json.loads((folders / "net" / "card.json").read_text())
    assert json.loads(out) == {"path": str(folders / "net"), **card}


def test_flags_win_over_the_file(folders):
    """Default < TOML < flag; an unknown key is refused with the nearest."""
    (folders / "options.toml").write_text('resamples = 20\nlevel = 0.9\nby = ["class"]\n')
    code, _, err = run_program(
        "audit", data(folders), predictions(folders), "--out", folders / "a", "--config", folders / "options.toml", "--resamples", "30"
    )
    assert code == 0, err
    options = json.loads((folders / "a" / "manifest.json").read_text())["options"]
    assert (options["resamples"], options["level"], options["by"]) == (30, 0.9, ["class"])
    (folders / "options.toml").write_text("resample = 20\n")
    code, _, err = run_program("audit", data(folders), predictions(folders), "--out", folders / "b", "--config", folders / "options.toml")
    assert code == 2
    assert "Did you mean `resamples`" in err


def test_the_doctor_lists_faults_and_exits_1(folders):
    """No faults: 0. Faults: a table with file, fault and remedy, and 1; the audit refuses in the same words with 2."""
    assert run_program("doctor", data(folders), predictions(folders))[0] == 0
    broken = folders / "masks" / "s3.png"
    broken.write_bytes(broken.read_bytes()[:40])
    (folders / "predictions" / "s4.png").unlink()
    code, out, _ = run_program("doctor", data(folders), predictions(folders), "--json")
    faults = json.loads(out)["faults"]
    assert code == 1
    assert {(f["sample"], f["code"]) for f in faults} == {("s3", "truncated-file"), ("s4", "missing-prediction")}
    code, out, _ = run_program("doctor", data(folders), predictions(folders))
    assert code == 1
    assert "2 faults" in out
    code, out, err = run_program("audit", data(folders), predictions(folders), "--out", folders / "a")
    assert (code, out) == (2, "")
    assert next(f["problem"] for f in faults if f["sample"] == "s4") in err
    assert len(err.strip().splitlines()) == 1
    assert not (folders / "a").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audit", "nowhere", "png:x", "--out", "a"], "nowhere"),
        (["audit", "folder:x", "png:x", "--out", "a"], "folders"),
        (["doctor", "folders:missing"], "missing"),
        (["report", "nowhere"], "no artifact"),
        (["predict", "smq:unet", "x", "--out", "a"], "there is no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tmp_path, arguments, words):
    """No traceback, the word that helps, nothing written. What the doctor cannot open at all is a finding."""
    code, out, err = run_program(*arguments, cwd=tmp_path)
    assert code == (1 if arguments[0] == "doctor" else 2), err
    assert "Traceback" not in err
    assert words in (err + out)
    assert list(tmp_path.iterdir()) == []


def test_the_target_of_out_is_never_overwritten(folders):
    """A directory with other things in it is left alone, and so is one that is read."""
    (folders / "notes").mkdir()
    (folders / "notes" / "a.txt").write_text("mine")
    code, _, err = run_program("audit", data(folders), predictions(folders), "--out", folders / "notes")
    assert code == 2
    assert "left alone" in err
    assert [path.name for path in (folders / "notes").iterdir()] == ["a.txt"]
    code, _, err = run_program("audit", data(folders), predictions(folders), "--out", folders / "masks")
    assert code == 2
    assert str(folders / "masks") in err
    assert len(list((folders / "masks").iterdir())) == 6


@pytest.mark.slow
def test_debug_shows_where(folders):
    """With --debug the traceback is there."""
    code, _, err = in_its_own_process("audit", data(folders), "png:nowhere", "--out", folders / "a", "--debug")
    assert code != 0
    assert "Traceback" in err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a signal as Ctrl-C does")
@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_ctrl_c_says_what_is_kept_and_exits_130(tmp_path, debug):
    """A real interrupt of a run that writes pictures: one line on stderr, nothing on stdout, no traceback."""
    command = ["shift", "compose", "--train", "200000", "--size", "64", "--workers", "1", "--out", str(tmp_path / "set"), *debug]
    running = subprocess.Popen(
        [sys.executable, "-m", "figureground", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )
    try:
        end = time.monotonic() + 120
        while not any(path.suffix == ".png" for path in tmp_path.rglob("*")):
            assert time.monotonic() < end, "no picture was written"
            assert running.poll() is None, running.communicate()
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert (running.returncode, out) == (130, "")
    assert err.strip().splitlines()[-1] == "figureground: stopped. What is finished is kept: the same command goes on from there"
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["audit"], 2, "Missing argument 'DATA'"),
        (["shift", "split", "x"], 2, "Missing option '--out'"),
        (["audit", "x", "y", "--out", "a", "--nothing"], 2, "No such option: --nothing"),
        (["audit", "x", "y", "--out", "a", "--resamples", "x"], 2, "Invalid value for '--resamples'"),
        (["--version"], 0, ""),
        (["shift", "compose", "--help"], 0, ""),
    ],
)
def test_what_typer_refuses_and_tells_keeps_its_words_and_codes(tmp_path, arguments, code, words):
    """Usage errors go to stderr with exit 2, help and version to stdout with 0."""
    got, out, err = run_program(*arguments, cwd=tmp_path)
    assert got == code, err
    assert words in err
    assert (out == "") == (code == 2)


def test_the_report_again(folders):
    """`report` writes the page where it is told."""
    run_program("audit", data(folders), predictions(folders), "--out", folders / "a", "--no-report", "--resamples", "20")
    assert not (folders / "a" / "report.html").exists()
    code, out, _ = run_program("report", folders / "a", "--out", folders / "page.html")
    assert code == 0
    assert out.strip() == str(folders / "page.html")
    assert (folders / "page.html").stat().st_size > 10_000


def test_every_option_is_a_flag():
    """`audit --help` names each option of the declaration."""
    _, out, _ = run_program("audit", "--help")
    for name in AuditOptions.__dataclass_fields__:
        assert "--" + name.replace("_", "-") in out


@pytest.mark.parametrize(
    ("verb", "flag", "told"),
    [
        ("train", "--seed", "At least 0. [default: 0]"),
        ("train", "--cutmix", "From 0 to 1. [default: 0.0]"),
        ("train", "--warmup", "In epochs, from 0 to 1000. [default: 0.0]"),
        ("train", "--clip", "At least 0. [default: 0.0]"),
        ("train", "--patience", "At least 0. [default: 0]"),
        ("train", "--workers", "From 0 to 256. [default: 0]"),
        ("shift compose", "--size", "In px, from 32 to 2048. [default: 64]"),
    ],
)
def test_help_tells_ranges_and_defaults_that_are_nought(verb, flag, told):
    """What may be given, and what holds where nothing is."""
    _, out, _ = run_program(*verb.split(), "--help")
    words = " ".join(out.split())
    assert told in words.partition(f" {flag} ")[2].partition(" --")[0]


def test_help_loads_nothing_heavy():
    """`--help` imports neither arrays nor tables nor networks."""
    heavy = "{'numpy', 'numba', 'pyarrow', 'cv2', 'scipy', 'matplotlib', 'torch', 'transformers', 'ray', 'starlette', 'PIL', 'jinja2'}"
    program = f"import sys; sys.argv = ['figureground', '--help']\nfrom figureground.__main__ import main\ntry:\n    main()\nexcept SystemExit:\n    pass\nprint(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_demo_with_a_seed_below_zero_is_refused(tmp_path):
    """The user's mistake: exit 2, one line, and no directory."""
    pytest.importorskip("segmentation_models_pytorch", reason="the extra 'smp' is not installed")
    code, out, err = run_program("demo", "--seed", "-1", "--out", tmp_path / "demo")
    assert (code, out) == (2, "")
    assert err.strip().splitlines() == ["figureground: `seed` must be in [0, 9223372036854775807]; got -1"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_process_of_its_own_says_the_same(folders, tmp_path):
    """Done, a fault, and a slip of the user: exit codes 0, 1 and 2, and every word, are those that the tests here see."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "s0.png").write_bytes((folders / "masks" / "s0.png").read_bytes()[:40])
    for code, arguments in (
        (0, ("doctor", data(folders), predictions(folders), "--json")),
        (1, ("doctor", f"folders:{broken}?classes=ground,cat,dog", "--json")),
        (2, ("audit", data(folders), "png:nowhere", "--out", tmp_path / "a")),
    ):
        own = in_its_own_process(*arguments)
        assert own[0] == code, own
        assert own == run_program(*arguments)


@pytest.mark.parametrize(
    ("number", "named", "words"),
    [
        (errno.EFBIG, True, "the file would be larger than the file system or `ulimit -f` allows"),
        (errno.EFBIG, False, "the file would be larger"),
        (errno.EDQUOT, True, "the quota is full"),
        (errno.EROFS, True, "nothing can be written there: the disk is mounted for reading only"),
        (errno.EACCES, True, "permission denied. Change the permissions"),
        (errno.EACCES, False, None),
        (errno.EBADF, True, None),
    ],
)
def test_what_the_system_says_of_the_disk_is_one_line(folders, monkeypatch, number, named, words):
    """Exit 2 where a person can do something about it; else it is our fault."""

    def refusing(path: Path, content: bytes) -> int:
        raise OSError(number, os.strerror(number), *([str(path)] if named else []))

    monkeypatch.setattr("figureground.api.audit", lambda *_, **__: refusing(folders / "out.partial" / "a", b""))
    code, out, err = run_program("audit", data(folders), predictions(folders), "--out", folders / "audit")
    assert (code, out) == ((2 if words else 1), "")
    assert err.startswith(
        f"figureground: {folders / 'out.partial' / 'a'}: {words}" if words and named else f"figureground: {words or 'internal error'}"
    )
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_is_told_with_the_file(folders):
    """A real one, on the tables that are written at the end."""
    script = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); from figureground.__main__ import main; sys.argv = sys.argv[1:]; main()"
    command = [sys.executable, "-c", script, "figureground", "audit", data(folders), predictions(folders), "--workers", "1"]
    done = subprocess.run([*command, "--out", str(folders / "audit")], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"figureground: {folders / 'audit.partial'}")
    assert "the file would be larger" in last
    assert not (folders / "audit").exists()


def test_a_wrong_address_of_a_cluster_leaves_nothing_behind(folders):
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    code, _, err = run_program("audit", data(folders), predictions(folders), "--engine", "ray:127.0.0.1:1", "--out", folders / "audit")
    assert code == 2
    assert "--engine ray:127.0.0.1:1: no Ray cluster answers" in err
    assert not list(folders.glob("audit*"))


def test_an_option_of_several_texts_has_one_default_as_it_is_typed():
    for verb in ("mine", "audit", "predict"):
        _, out, _ = run_program(verb, "--help")
        assert "('" not in out
        assert all(part.count("[default:") <= 1 for part in re.split(r"\n\s+--", out))
