"""What a start does with labels: its own go on, those from elsewhere stay, and their masks come in to be checked."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.review.server.starting import import_masks, rate, served
from tests.review.server.world import with_models

from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.data.labels import read_labels
from figureground.review.options import ReviewOptions
from figureground.review.store import checks, masks, people, ratings
from figureground.review.store.database import open_database
from figureground.runs.artifact import read_manifest


def test_labels_of_another_database_are_not_replaced(pool, tmp_path, monkeypatch):
    """Copied away from their database, or reviewed with another one: what people said stays as it is; with their own it goes on."""
    out, moved = tmp_path / "labels", tmp_path / "moved"
    served(pool, out, monkeypatch, asked=lambda app, _: rate(app))
    shutil.copytree(out, moved)
    for given in ({"out": moved}, {"out": out, "database": f"sqlite:///{tmp_path}/other.db"}):
        with pytest.raises(ArtifactError, match=r"labels from another review database.*--database that they were written from") as refused:
            served(pool, monkeypatch=monkeypatch, **given)
        assert str(given["out"]) in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels", "labels.sqlite", "moved"]
    assert len(read_labels(moved).ratings) == 1
    served(pool, moved, monkeypatch, database=f"sqlite:///{out}.sqlite", asked=lambda app, _: rate(app, place=1))
    assert (len(read_labels(moved).ratings), len(read_labels(out).ratings)) == (2, 1)
    served(pool, out, monkeypatch)
    assert len(read_labels(out).ratings) == 2


def test_imported_labels_are_not_replaced(pool, tmp_path, monkeypatch):
    import_masks(pool, tmp_path / "labels")
    with pytest.raises(ArtifactError, match=r"holds masks that `labels import` wrote.*--masks"):
        served(pool, tmp_path / "labels", monkeypatch)
    assert [path.name for path in tmp_path.iterdir()] == ["labels"]
    assert len(read_labels(tmp_path / "labels").masks) == 3


def test_labels_from_elsewhere_that_come_in_meanwhile_stay(pool, tmp_path, monkeypatch):
    def replaced(*_):
        shutil.rmtree(tmp_path / "labels", ignore_errors=True)
        import_masks(pool, tmp_path / "labels")

    with pytest.raises(ArtifactError, match="`labels import` wrote"):
        served(pool, tmp_path / "labels", monkeypatch, asked=replaced)
    assert len(read_labels(tmp_path / "labels").masks) == 3


def test_ratings_of_one_model_are_not_taken_for_those_of_another(pool, tmp_path, monkeypatch):
    """The rival in the target's place is refused, and the labels tell which model it was and what was asked."""
    served(pool, tmp_path / "labels", monkeypatch, asked=lambda app, _: rate(app))
    rival = ReviewOptions(models=(f"target=png:{pool / 'rival'}",))
    with pytest.raises(InputError, match="another target: it was begun with 'target'"):
        served(pool, tmp_path / "labels", monkeypatch, options=rival)
    manifest = read_manifest(tmp_path / "labels")
    assert [(m["name"], m["source"], m["digest"] is None) for m in manifest.details["models"]] == [
        ("target", str(pool / "target"), False),
        ("rival", str(pool / "rival"), True),
    ]
    assert manifest.options == {"quorum": 1, "worst": 100, "repeats": 0.05, "grid": "16x16", "labellers": 1, "seed": 0}
    served(pool, tmp_path / "labels", monkeypatch, options=replace(with_models(ReviewOptions(), pool), quorum=3))
    assert read_manifest(tmp_path / "labels").options["quorum"] == 3


def test_what_another_server_wrote_into_the_database_is_in_the_labels_at_the_end(pool, tmp_path, monkeypatch):
    """Ratings that came by another process, of which this server knows nothing."""
    out, url = tmp_path / "labels", f"sqlite:///{tmp_path}/review.db"

    def elsewhere(_app, writer):
        writer()
        other = open_database(url, writer.project)
        with other.write() as connection:
            ratings.save(connection, 1, place=2, showing=0, score=2, out_of_domain=False, seconds=1)
        other.close()

    served(pool, out, monkeypatch, database=url, asked=elsewhere)
    assert [(r.id, r.score) for r in read_labels(out).ratings] == [("p2", 2)]


def test_pictures_without_a_map_are_told(pool, tmp_path, monkeypatch):
    """Of each model, and numbers and words agree."""
    for name, count in (("a", 11), ("b", 9)):
        (tmp_path / name).mkdir()
        for n in range(count):
            shutil.copy(pool / "target" / f"p{n}.png", tmp_path / name)
    said = served(pool, tmp_path / "labels", monkeypatch, options=ReviewOptions(models=(f"png:{tmp_path / 'a'}", f"png:{tmp_path / 'b'}")))
    assert said[:3] == ["12 pictures of pool, 2 models", "1 of 12 pictures has no map of 'a'", "3 of 12 pictures have no map of 'b'"]
    said = served(pool, tmp_path / "more", monkeypatch, options=ReviewOptions(models=(f"png:{pool / 'target'}",)))
    assert said[0] == "12 pictures of pool, 1 model"


def test_masks_from_elsewhere_come_in_once_to_be_checked(pool, tmp_path, monkeypatch):
    """An import, then the same again, then another review's labels: each mask once, as its reviewer's, exactly; nobody is let in by it."""
    first = import_masks(pool, tmp_path / "in")
    out = tmp_path / "labels"
    came = served(pool, out, monkeypatch, masks=first)[0]
    assert came == f"Masks of {first}: 3 came to be checked, 0 were there already"
    found = read_labels(out)
    assert [(m.id, m.reviewer, m.status) for m in found.masks] == [(f"p{n}", "Lin", "submitted") for n in range(3)]
    assert [m.runs for m in found.masks] == [m.runs for m in read_labels(first).masks]
    key = read_manifest(out).key
    assert served(pool, out, monkeypatch, masks=first)[0] == f"Masks of {first}: 0 came to be checked, 3 were there already"
    assert read_manifest(out).key == key
    said = served(pool, tmp_path / "second", monkeypatch, masks=out, options=replace(with_models(ReviewOptions(), pool), pictures=6))
    held = len(read_labels(tmp_path / "second").masks)
    assert 0 < held <= 3
    left = f"; left out: {3 - held} of other pictures" if held < 3 else ""
    assert said[0] == f"Masks of {out}: {held} came to be checked, 0 were there already{left}"
    with pytest.raises(InputError, match="nobody has one yet"):
        served(pool, out, monkeypatch, tokens=True)


def test_an_imported_mask_is_checked_and_drawn_anew_by_another(pool, tmp_path, monkeypatch):
    """Who made it elsewhere cannot mend it: what is sent back is offered to somebody who is here."""

    def check(app, _):
        with app.state.room.database.write() as connection:
            bob = people.add(connection, "bob", role="checker")[0].number
            assert masks.claim(connection, bob, places=[0]) is None
            waiting = checks.claim(connection, bob)
            assert waiting.place == 0
            checks.save(connection, bob, mask=waiting.number, version=waiting.version, verdict="returned", comment="no")
            assert masks.claim(connection, bob, places=[0]) == 0

    served(pool, tmp_path / "labels", monkeypatch, masks=import_masks(pool, tmp_path / "in"), asked=check)


def test_masks_that_do_not_fit_are_one_sentence_and_leave_nothing(pool, tmp_path, monkeypatch):
    """Other classes, another size, other pictures, no labels."""
    labels = import_masks(pool, tmp_path / "in")
    text = (labels / "manifest.json").read_text()
    (labels / "manifest.json").write_text(text.replace('"dog"', '"wolf"'))
    with pytest.raises(InputError, match=r"--masks .*in: the labels have other classes than the project: wolf = 2 where it has dog = 2"):
        served(pool, tmp_path / "labels", monkeypatch, masks=labels)
    (labels / "manifest.json").write_text(text)
    whole = pq.read_table(labels / "masks.parquet")

    def spoiled(column, values):
        place = whole.schema.get_field_index(column)
        pq.write_table(
            whole.set_column(place, whole.schema.field(place), pa.array(values, whole.schema.field(place).type)), labels / "masks.parquet"
        )

    spoiled("id", ["x", "y", "z"])
    with pytest.raises(InputError, match=r"none of its 3 masks is of a sample of the project: there are 'x' and 2 more"):
        served(pool, tmp_path / "labels", monkeypatch, masks=labels)
    height, width = whole["width"].to_pylist(), whole["height"].to_pylist()
    turned = whole.set_column(3, whole.schema.field(3), pa.array(height, pa.int32())).set_column(
        4, whole.schema.field(4), pa.array(width, pa.int32())
    )
    pq.write_table(turned, labels / "masks.parquet")
    with pytest.raises(FormatError, match=r"masks\.parquet: sample 'p0': the mask is .* and its picture "):
        served(pool, tmp_path / "labels", monkeypatch, masks=labels)
    with pytest.raises(ArtifactError, match="no artifact is here"):
        served(pool, tmp_path / "labels", monkeypatch, masks=tmp_path / "nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
