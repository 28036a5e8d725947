"""`rank` as a user meets it: exit codes, stdout and stderr, and what is refused in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.stages.mine.pools import CLASSES, write_artifact
from tests.stages.rank.round import Mined, labelled, make_round, renamed, write_labels
from tests.support import run_program

import figureground
from figureground.stages.rank.queue import read_queue


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Mined:
    """A round, and `labels` with all its masks beside it."""
    found = make_round(tmp_path_factory.mktemp("cli") / "in", count=60, seed=4, top=3)
    labelled(found, found.folder / "labels")
    return found


def rank(given: Mined, out: Path, *arguments: object, models: bool = True) -> tuple[int, str, str]:
    return run_program("rank", given.queue, *(given.specs if models else []), *arguments, "--resamples", 20, "--out", out)


def refused(given: Mined, out: Path, *arguments: object, models: bool = True) -> str:
    """The one line with which it is refused: exit 2, nothing on stdout, nothing written."""
    code, stdout, stderr = rank(given, out, *arguments, models=models)
    assert (code, stdout) == (2, ""), stderr
    assert len(stderr.splitlines()) == 1, stderr
    assert not out.exists()
    assert not out.with_name(out.name + ".partial").exists()
    return stderr


def test_first_the_set_then_the_ranking(given, tmp_path) -> None:
    """Waiting is no error: it says how many masks wait and what to do, and exits 0."""
    out = tmp_path / "out"
    code, stdout, stderr = rank(given, out, "--size", 10)
    assert (code, stderr) == (0, "")
    assert "10 of " in stdout
    assert "Nothing is ranked yet: 0 of 10 masks are there, 10 wait, first that of '" in stdout
    assert f"figureground review {out / 'test'} --worst 0 --out LABELS" in stdout
    assert not (out / "ranking.json").exists()
    code, stdout, stderr = rank(given, out, "--size", 10, "--labels", given.folder / "labels")
    assert code == 0
    assert "On 10 samples 'target' is first of 4, before '" in stdout
    assert str(out / "ranking.svg") in stdout
    code, again, stderr = rank(given, out, "--size", 10, "--labels", given.folder / "labels")
    assert (code, again) == (0, stdout)
    assert "nothing to do" in stderr


def test_json_is_one_object(given, tmp_path) -> None:
    code, stdout, _ = rank(given, tmp_path / "out", "--json")
    told = json.loads(stdout)
    assert (code, told["state"], told["ranking"]) == (0, "waiting", None)
    assert told["models"] == ["target", "twin", "apart", "blind"]
    code, stdout, _ = rank(given, tmp_path / "out", "--json", "--labels", given.folder / "labels")
    told = json.loads(stdout)
    assert (code, told["state"], told["waiting"]) == (0, "ranked", [])
    assert told["ranking"]["models"][0]["model"] == "target"


def test_a_set_alone_needs_no_model(given, tmp_path) -> None:
    code, stdout, _ = rank(given, tmp_path / "out", "--labels", given.folder / "labels", models=False)
    assert code == 0
    assert "no model was named" in stdout


def test_masks_that_were_not_checked_are_told(given, tmp_path) -> None:
    labels = labelled(given, tmp_path / "labels", status="submitted")
    code, stdout, _ = rank(given, tmp_path / "out", "--labels", labels)
    assert code == 0
    assert "of those that wait have masks that were not accepted" in stdout
    code, stdout, _ = rank(given, tmp_path / "out", "--labels", labels, "--masks", "submitted")
    assert "is first of 4" in stdout


def test_the_library_and_the_command_line_write_the_same_ranking(given, tmp_path) -> None:
    code, _, stderr = rank(given, tmp_path / "line", "--labels", given.folder / "labels", "--per-object", 2)
    assert code == 0, stderr
    options = figureground.RankOptions(labels=(str(given.folder / "labels"),), per_object=2, resamples=20)
    found = figureground.rank(given.queue, given.specs, out=tmp_path / "library", options=options)
    assert (found.path / "ranking.json").read_bytes() == (tmp_path / "line" / "ranking.json").read_bytes()
    assert figureground.open_ranking(found.path).sentence == found.sentence


def test_labels_of_unknown_samples_are_refused_or_passed_over(given, tmp_path) -> None:
    masks = {i: given.truth[i] for i in given.candidates}
    labels = write_labels(tmp_path / "labels", {**masks, "stranger": np.zeros((4, 4), np.uint8)})
    told = refused(given, tmp_path / "out", "--labels", labels)
    assert f"{labels / 'masks.parquet'}: sample 'stranger': 1 samples of the labels are not in the queue" in told
    assert "--unknown ignore" in told
    code, stdout, _ = rank(given, tmp_path / "out", "--labels", labels, "--unknown", "ignore")
    assert (code, "is first of 4" in stdout) == (0, True)
    vetoed = write_labels(tmp_path / "vetoed", {}, vetoed=["stranger"])
    assert f"{vetoed / 'ratings.parquet'}: sample 'stranger'" in refused(given, tmp_path / "other", "--labels", vetoed)


def test_labels_of_other_classes_are_refused(given, tmp_path) -> None:
    labels = write_labels(tmp_path / "labels", {}, classes=renamed(CLASSES, "cat", "lynx"))
    told = refused(given, tmp_path / "out", "--labels", labels)
    assert f"{labels}: the classes differ from those of the queue: 'lynx' (1; in the queue not there)" in told


def test_no_candidate_left_is_refused(given, tmp_path) -> None:
    (tmp_path / "used.csv").write_text("id\n" + "\n".join(given.candidates[1:]) + "\n")
    labels = write_labels(tmp_path / "labels", {}, vetoed=given.candidates[:1])
    told = refused(given, tmp_path / "out", "--train", tmp_path / "used.csv", "--labels", labels)
    count = len(given.candidates)
    assert f"none of its {count} candidates is left to test: 1 out of domain, {count - 1} trained on. Mine a larger or another pool" in told


def test_one_model_is_no_ranking(given, tmp_path) -> None:
    code, stdout, stderr = run_program("rank", given.queue, given.specs[0], "--out", tmp_path / "out")
    assert (code, stdout) == (2, "")
    assert "a ranking needs at least two models; got 'target' alone" in stderr


def test_a_model_without_a_prediction_is_named_before_anybody_labels(given, tmp_path) -> None:
    missing = given.candidates[:]
    maps = {i: m for i, m in given.data.maps["apart"].items() if i not in missing[2:]}
    folder = write_artifact(tmp_path / "partial", maps)
    told = refused(given, tmp_path / "out", folder)
    assert f"{folder}: sample '" in told
    assert "there is no prediction for this sample and of " in told
    assert "in 'partial'" in told


def test_a_prediction_of_another_size_is_refused_or_resized(given, tmp_path) -> None:
    maps = {i: np.repeat(m, 2, axis=0) for i, m in given.data.maps["apart"].items()}
    folder = write_artifact(tmp_path / "tall", maps)
    told = refused(given, tmp_path / "out", folder, "--labels", given.folder / "labels")
    assert "the prediction of 'tall'" in told
    assert "--resize nearest" in told
    code, _, stderr = rank(given, tmp_path / "out", folder, "--labels", given.folder / "labels", "--resize", "nearest")
    assert code == 0, stderr


def test_a_test_set_that_overlaps_with_training_is_refused(given, tmp_path) -> None:
    rank(given, tmp_path / "first")
    chosen = figureground.open_ranking(tmp_path / "first").test_set
    (tmp_path / "used.csv").write_text(f"id\n{chosen[1]}\n")
    told = refused(given, tmp_path / "out", "--test", tmp_path / "first", "--train", tmp_path / "used.csv")
    assert f"{tmp_path / 'first'}: the test set overlaps with training: '{chosen[1]}', 1 of {len(chosen)}" in told
    manifest = tmp_path / "first" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"test": [', '"tested": ['))
    assert "its manifest does not tell the test set" in refused(given, tmp_path / "out", "--test", tmp_path / "first")
    labels = given.folder / "labels"
    assert "is given to --labels and to --train" in refused(given, tmp_path / "out", "--labels", labels, "--train", labels)
    assert "is given to --labels and to --known" in refused(given, tmp_path / "out", "--labels", labels, "--known", labels)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--duel", "A", "B"], "leave PREDICTIONS out"),
        (["--size", "0"], "`size` must be in [1, 1000000]"),
        (["--masks", "draft"], "`masks` must be one of accepted, submitted"),
        (["--labels", "nowhere"], "nowhere: no artifact is here"),
        (["--train", "nowhere"], "nowhere"),
        (["--test", "nowhere.csv"], "nowhere.csv"),
        (["nowhere"], "nowhere"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_two(arguments, told, given, tmp_path) -> None:
    assert told in refused(given, tmp_path / "out", *arguments)


def test_what_is_no_queue_is_refused(given, tmp_path) -> None:
    code, _, stderr = run_program("rank", given.folder / "labels", "--out", tmp_path / "out")
    assert (code, "expected an artifact of kind 'queue', found 'labels'" in stderr) == (2, True)
    code, _, stderr = run_program("rank", tmp_path / "nothing", "--out", tmp_path / "out")
    assert (code, "no artifact is here" in stderr) == (2, True)


def damaged(given: Mined, where: Path) -> Path:
    shutil.copytree(given.queue, where)
    return where


def test_a_damaged_or_empty_queue_is_refused(given, tmp_path) -> None:
    cut = damaged(given, tmp_path / "cut")
    (cut / "maps.parquet").write_bytes((cut / "maps.parquet").read_bytes()[:200])
    code, _, stderr = run_program("rank", cut, "--out", tmp_path / "out")
    assert (code, "the queue cannot be read" in stderr) == (2, True)
    empty = damaged(given, tmp_path / "empty")
    pq.write_table(pq.read_table(empty / "queue.parquet").slice(0, 0), empty / "queue.parquet")
    code, _, stderr = run_program("rank", empty, "--out", tmp_path / "out")
    assert (code, "the queue is empty, so nothing can test" in stderr) == (2, True)
    bare = damaged(given, tmp_path / "bare")
    maps = pq.read_table(bare / "maps.parquet")
    pq.write_table(maps.filter(pa.compute.not_equal(maps["id"], given.candidates[0])), bare / "maps.parquet")
    code, _, stderr = run_program("rank", bare, "--out", tmp_path / "out")
    assert (code, f"sample '{given.candidates[0]}' has no map of any model" in stderr) == (2, True)
    assert len(read_queue(given.queue).rows) == len(given.candidates)


def test_masks_that_are_all_void_are_refused(given, tmp_path) -> None:
    void = {i: np.full_like(given.truth[i], 255) for i in given.candidates}
    labels = write_labels(tmp_path / "labels", void)
    assert "every pixel of the masks is void" in refused(given, tmp_path / "out", "--labels", labels)


def test_nothing_is_written_over_what_is_read(given, tmp_path) -> None:
    labels = labelled(given, tmp_path / "labels")
    code, _, stderr = rank(given, labels, "--labels", labels)
    assert (code, "kind 'labels', which 'ranking' will not overwrite" in stderr or "would be removed" in stderr) == (2, True)
