"""The labels artifact: all that was said, in ids and names, one state of it, read back as it was given."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from figureground.core.errors import ArtifactError, FormatError
from figureground.core.types import ClassTable
from figureground.data.labelmap import encode_runs
from figureground.data.labels import TABLES, ErrorMark, read_labels
from figureground.review.store import checks, masks, patches, people, ratings
from figureground.review.store.database import open_database
from figureground.review.store.labels import check_origin, layer_to_runs, with_void, write_labels
from figureground.runs.artifact import read_manifest

RNG = np.random.default_rng(2)
LAYER = RNG.choice([0, 1, 2, 255], (40, 60)).astype(np.uint8)
GRID = RNG.random((5, 7)) < 0.5


@pytest.fixture
def full(database, team):
    """A bit of everything."""
    with database.write() as c:
        ratings.save(c, team.ann, place=3, showing=0, score=3, out_of_domain=False, seconds=1.5)
        ratings.save(c, team.ann, place=3, showing=0, score=4, out_of_domain=False, seconds=2)
        ratings.save(c, team.bob, place=3, showing=0, score=1, out_of_domain=False, seconds=2)
        ratings.save(c, team.bob, place=4, showing=0, score=None, out_of_domain=True, seconds=2)
        patches.save(c, 6, reviewer=team.ann, cells=GRID, version=0, seconds=3)
        drawn = masks.open_(c, 5, reviewer=team.ann, start=LAYER).number
        version = masks.save_boxes(c, drawn, key="k", version=1, boxes=[], actions=2, seconds=4)
        version = masks.submit(c, drawn, version=version)
        marks = [checks.Mark(x=1, y=2, kind="extra", comment="see")]
        checks.save(c, team.bob, mask=drawn, version=version, verdict="returned", comment="so", marks=marks, seconds=5.5)
        masks.open_(c, 1, reviewer=team.bob, start=np.zeros((40, 60), np.uint8))
        people.revoke(c, team.cleo)
    return database


def test_everything_comes_back(full, project, tmp_path):
    """Each record as it was given, in the order of the queue or of time, with ids and names for numbers."""
    out = write_labels(full, project, tmp_path / "labels")
    found = read_labels(out)
    assert found.classes == project.classes
    said = [(r.id, r.reviewer, r.showing, r.score, r.out_of_domain, r.seconds, r.withdrawn is None) for r in found.ratings]
    assert said == [
        ("s003", "Ann", 0, 3, False, 1.5, False),
        ("s003", "Ann", 0, 4, False, 2, True),
        ("s003", "Bob", 0, 1, False, 2, True),
        ("s004", "Bob", 0, None, True, 2, True),
    ]
    three, four = found.opinions
    assert (three.id, three.n, three.mean, three.low, three.high, three.vetoed) == ("s003", 2, 2.5, 1, 5, False)
    assert (four.id, four.n, math.isnan(four.mean), math.isnan(four.sd), four.vetoed) == ("s004", 0, True, True, True)
    (grid,) = found.patches
    assert (grid.id, grid.reviewer, grid.version, grid.seconds, grid.cells.tolist()) == ("s006", "Ann", 1, 3, GRID.tolist())
    empty, drawn = found.masks
    assert (empty.id, empty.reviewer, empty.status, empty.runs.values.tolist()) == ("s001", "Bob", "draft", [0])
    assert (drawn.id, drawn.reviewer, drawn.status, drawn.version, drawn.actions, drawn.seconds) == ("s005", "Ann", "returned", 3, 2, 4)
    assert (drawn.runs.dense() == np.array([0, 3, 7, 255])[np.minimum(LAYER, 3)]).all()
    (check,) = found.checks
    assert (check.id, check.labeller, check.checker, check.mask_version, check.seconds) == ("s005", "Ann", "Bob", 3, 5.5)
    assert (check.verdict, check.comment, check.marks) == ("returned", "so", (ErrorMark(x=1, y=2, kind="extra", comment="see"),))
    assert [(p.name, p.role, p.revoked is None) for p in found.reviewers] == [
        ("Ann", "reviewer", True),
        ("Bob", "checker", True),
        ("Cleo", "admin", False),
    ]


def test_no_hash_and_no_number_of_a_person_goes_out(full, project, tmp_path):
    """What is in the files are just the columns that are declared; nothing that opens the page."""
    out = write_labels(full, project, tmp_path / "labels")
    assert {path.name for path in out.iterdir()} == {*(f"{name}.parquet" for name in TABLES), "manifest.json", "failures.json"}
    for name, schema in TABLES.items():
        assert pq.read_schema(out / f"{name}.parquet").equals(schema), name
        assert not {"token_hash", "number", "seed"} & set(schema.names)


def test_the_same_state_is_not_written_twice_and_a_change_is(full, project, tmp_path, team):
    """The key of the manifest is that of what was said: any change of it, of whatever kind, makes another."""
    out = tmp_path / "labels"
    keys = [read_manifest(write_labels(full, project, out)).key]
    before = (out / "manifest.json").stat().st_mtime_ns
    write_labels(full, project, out)
    assert (out / "manifest.json").stat().st_mtime_ns == before

    changes = [
        lambda c: ratings.save(c, team.ann, place=0, showing=0, score=1, out_of_domain=False, seconds=1),
        lambda c: ratings.undo(c, team.ann),
        lambda c: patches.save(c, 6, reviewer=team.ann, cells=~GRID, version=1, seconds=3),
        lambda c: masks.save_boxes(c, 2, key="z", version=1, boxes=[(0, 0, LAYER)], actions=1, seconds=1),
        lambda c: masks.submit(c, 2, version=2),
        lambda c: checks.save(c, people.add(c, "Dora", role="checker")[0].number, mask=2, version=3, verdict="accepted"),
        lambda c: people.revoke(c, team.bob),
    ]
    for change in changes:
        with full.write() as c:
            change(c)
        keys.append(read_manifest(write_labels(full, project, out)).key)
    assert len(set(keys)) == len(keys)
    assert read_labels(out).best_masks().keys() == {"s001"}
    counts = read_manifest(out).counts
    assert (counts["samples"], counts["masks"], counts["ratings"], counts["checks"]) == (12, 2, 5, 2)


def test_nothing_was_said_yet(database, project, tmp_path):
    """An artifact of empty tables, which reads as such."""
    found = read_labels(write_labels(database, project, tmp_path / "labels"))
    assert (found.ratings, found.opinions, found.patches, found.masks, found.checks, found.reviewers) == ((),) * 6
    assert found.best_masks("accepted", "draft") == {}


def test_many_masks_keep_their_order(make_project, tmp_path):
    """More than go into one group of rows: each with its own runs."""
    project = make_project(samples=70, size_hw=(3, 5))
    opened = open_database(f"sqlite:///{tmp_path}/x.db", project)
    with opened.write() as c:
        who = people.add(c, "Ann", role="reviewer")[0].number
        for place in reversed(range(70)):
            masks.open_(c, place, reviewer=who, start=np.arange(15, dtype=np.uint8).reshape(3, 5) % (place % 3 + 1))
    found = read_labels(write_labels(opened, project, tmp_path / "labels"))
    opened.close()
    ids = np.array(project.classes.ids)
    assert [mask.id for mask in found.masks] == [f"s{place:03d}" for place in range(70)]
    for place, mask in enumerate(found.masks):
        assert (mask.runs.dense() == ids[np.arange(15).reshape(3, 5) % (place % 3 + 1)]).all()


def test_void_where_the_classes_have_none(make_project, tmp_path):
    """An id that no class has stands for it, and the artifact says which."""
    taken = ClassTable(names=("a", "b"), ids=(0, 255), ignore=None)
    assert with_void(taken).ignore == 65_535
    assert with_void(ClassTable(names=("a", "b"), ids=(0, 65_535), ignore=None)).ignore == 255
    assert with_void(ClassTable(names=("a", "b", "c"), ids=(0, 255, 65_535), ignore=None)).ignore == 65_534
    assert with_void(make_project().classes) == make_project().classes
    project = make_project(classes=taken, size_hw=(1, 3))
    opened = open_database(f"sqlite:///{tmp_path}/x.db", project)
    with opened.write() as c:
        who = people.add(c, "Ann", role="reviewer")[0].number
        masks.open_(c, 0, reviewer=who, start=np.array([[0, 1, 255]], np.uint8))
    found = read_labels(write_labels(opened, project, tmp_path / "labels"))
    opened.close()
    assert found.classes.ignore == 65_535
    assert found.masks[0].runs.dense().tolist() == [[0, 255, 65_535]]


def test_layers_become_runs(project):
    """Class places become class ids, in the dtype of the classes; the runs stay canonical."""
    runs = layer_to_runs(LAYER, project.classes)
    assert runs == encode_runs(np.array([0, 3, 7, 255], np.uint8)[np.minimum(LAYER, 3)])


def test_writing_goes_on_while_people_work(full, project, tmp_path, team):
    """Artifacts written during ratings are each one state: opinions are those of just the ratings beside them."""
    stop = threading.Event()

    def work() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            with full.write() as c:
                ratings.save(c, team.bob, place=n % 12, showing=0, score=n % 5 + 1, out_of_domain=False, seconds=1)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            found = read_labels(write_labels(full, project, tmp_path / "labels"))
            scores: dict[str, list[int]] = {}
            for r in found.ratings:
                if r.withdrawn is None and r.score is not None:
                    scores.setdefault(r.id, []).append(r.score)
            assert {o.id: (o.n, o.mean) for o in found.opinions if o.n} == {i: (len(s), float(np.mean(s))) for i, s in scores.items()}
    finally:
        stop.set()
        worker.join()


def test_best_masks(tmp_path, full, project):
    """Of several masks the status named first wins, then the one changed last; only accepted ones where none is named."""
    found = read_labels(write_labels(full, project, tmp_path / "labels"))
    assert found.best_masks() == {}
    assert set(found.best_masks("returned")) == {"s005"}
    assert [mask.status for mask in found.best_masks("returned", "draft").values()] == ["draft", "returned"]


def spoil(out: Path, name: str, change) -> None:
    """Writes a table anew with one thing changed."""
    pq.write_table(change(pq.read_table(out / f"{name}.parquet")), out / f"{name}.parquet")


def test_damaged_artifacts_are_refused(full, project, tmp_path):
    """No artifact, one of another kind or of tomorrow, one without classes: what it is, and what to do."""
    with pytest.raises(ArtifactError, match=r"manifest\.json is absent"):
        read_labels(tmp_path)
    out = write_labels(full, project, tmp_path / "labels")
    manifest = json.loads((out / "manifest.json").read_text())
    for wrong, said in (
        ({"kind": "audit"}, "found 'audit'"),
        ({"schema": 2}, "of schema 2"),
        ({"details": {}}, "does not tell the classes"),
        ({"details": {**manifest["details"], "background": 99}}, "does not tell the classes"),
    ):
        (out / "manifest.json").write_text(json.dumps(manifest | wrong))
        with pytest.raises(ArtifactError, match=said):
            read_labels(out)
    for text in ("[", "[]", '{"kind": "labels"}', "[" * 100_000):
        (out / "manifest.json").write_text(text)
        with pytest.raises(ArtifactError, match="cannot be read"):
            read_labels(out)


def test_damaged_tables_are_refused(full, project, tmp_path):
    """Bytes that are no table, a column that is gone, runs that do not fill the picture, ids that are no class's, values of another type."""
    out = write_labels(full, project, tmp_path / "labels")
    whole = {name: (out / f"{name}.parquet").read_bytes() for name in TABLES}
    cases = [
        ("masks", lambda t: t.set_column(3, "height", pa.array([39, 40], pa.int32())), "no label map"),
        ("masks", lambda t: t.set_column(5, "values", pa.array([[1], t["values"][1].as_py()], pa.list_(pa.uint16()))), "class"),
        ("masks", lambda t: t.drop_columns(["lengths"]), "no column `lengths`"),
        ("ratings", lambda t: t.drop_columns(["reviewer"]), "no column `reviewer`"),
        ("ratings", lambda t: t.set_column(3, "score", pa.array(["x"] * 4)), "cannot be read"),
        ("patches", lambda t: t.set_column(2, "rows", pa.array([4], pa.int32())), "cannot be read"),
    ]
    for name, change, said in cases:
        spoil(out, name, change)
        with pytest.raises(FormatError, match=said):
            read_labels(out)
        (out / f"{name}.parquet").write_bytes(whole[name])
    for name, content in whole.items():
        (out / f"{name}.parquet").write_bytes(content[: len(content) // 2])
        with pytest.raises(FormatError, match=f"{name}.parquet"):
            read_labels(out)
        (out / f"{name}.parquet").unlink()
    assert read_labels(out).masks == ()


def test_masks_that_came_from_another_tool(full, project, tmp_path):
    """An artifact with a table of masks alone, without counts of actions, is one too."""
    out = write_labels(full, project, tmp_path / "labels")
    for name in set(TABLES) - {"masks"}:
        (out / f"{name}.parquet").unlink()
    spoil(out, "masks", lambda t: t.drop_columns(["version", "actions", "seconds", "image"]))
    found = read_labels(out)
    assert [(mask.id, mask.version, mask.actions, mask.seconds, mask.image) for mask in found.masks] == [
        ("s001", 0, 0, 0, None),
        ("s005", 0, 0, 0, None),
    ]
    assert found.reviewers == ()


def test_checks_from_before_their_time_was_kept(full, project, tmp_path):
    """It is 0, and all else is as it was."""
    out = write_labels(full, project, tmp_path / "labels")
    (known,) = read_labels(out).checks
    spoil(out, "checks", lambda t: t.drop_columns(["seconds"]))
    assert read_labels(out).checks == (replace(known, seconds=0.0),)


def test_labels_from_before_identities_are_known_by_their_project(full, project, tmp_path):
    """Written by the version before: the same project goes on, another one does not, and neither does a database that is not there."""
    out = write_labels(full, project, tmp_path / "labels")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["details"].pop("review") == full.identity
    manifest["key"] = "of another version"
    (out / "manifest.json").write_text(json.dumps(manifest))
    for digest in ("", "e" * 64):
        with pytest.raises(ArtifactError, match="from another review database"):
            check_origin(out, identity="", digest=digest)
    check_origin(out, identity=full.identity, digest=project.digest)
    write_labels(full, project, out)
    assert read_manifest(out).details["review"] == full.identity
    with pytest.raises(ArtifactError, match="from another review database"):
        check_origin(out, identity="0f" * 16, digest=project.digest)


def test_labels_tell_what_they_are_of(full, tmp_path, make_project):
    """The models, which of them was rated, and what was asked; something else asked makes other labels."""
    of_two = make_project(models=("A", "B"), target=("1", "2"))
    out = write_labels(full, of_two, tmp_path / "labels", options={"quorum": 3, "seed": 7})
    first = read_manifest(out)
    assert [(model["name"], model["source"]) for model in first.details["models"]] == [("A", "png:A"), ("B", "png:B")]
    assert [model["digest"] is None for model in first.details["models"]] == [False, True]
    assert (first.options, first.seed) == ({"quorum": 3, "seed": 7}, 7)
    write_labels(full, make_project(models=("A", "B"), target=("1", "3")), out, options={"quorum": 3, "seed": 7})
    assert read_manifest(out).details["models"][0]["digest"] != first.details["models"][0]["digest"]
    write_labels(full, of_two, out, options={"quorum": 2, "seed": 7})
    assert read_manifest(out).options["quorum"] == 2


def test_what_stands_at_out_is_not_written_over(full, project, tmp_path):
    """A folder with something else in it stays, and the message says so."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    with pytest.raises(ArtifactError, match="is no figureground artifact"):
        write_labels(full, project, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "dear"
