"""What is handed on can be read again: the labels artifact, and files for other tools."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from figureground.review.exchange.labels import open_labels
from figureground.review.server.labels_writer import LabelsWriter


@pytest.fixture
def labelled(world):
    """A review with a rating, a grid and a mask."""
    ann = world.local()
    ann.post("/api/ratings", {"place": 0, "showing": 0, "score": 4, "out_of_domain": False, "seconds": 1.0})
    ann.ask("PUT", "/api/patches/0?rows=16&columns=16", {"cells": "10" * 128, "version": 0})
    world.draw(ann, 3)
    return world


def test_the_labels_are_a_zip_of_the_artifact(labelled, tmp_path):
    answer = labelled.local().client.get("/api/export/labels")
    assert answer.headers["content-disposition"] == 'attachment; filename="labels.zip"'
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path)
    told = json.loads((tmp_path / "labels" / "manifest.json").read_text())
    assert ([model["name"] for model in told["details"]["models"]], told["options"]["quorum"]) == (["target", "rival"], 1)
    found = open_labels(tmp_path / "labels", which="all")
    assert [mask.id for mask in found.masks] == [labelled.project.items[3].id]
    np.testing.assert_array_equal(found.masks[0].runs.dense(), labelled.project.layer_of(3, 0))


def test_other_tools_get_files_of_theirs(labelled):
    ann = labelled.local()
    name = labelled.project.items[3].id
    with zipfile.ZipFile(io.BytesIO(ann.client.get("/api/export/png").content)) as found:
        file = next(one for one in found.namelist() if one.endswith(f"{name}.png"))
        np.testing.assert_array_equal(np.asarray(Image.open(found.open(file))), labelled.project.layer_of(3, 0))
    assert json.loads(ann.client.get("/api/export/coco").content)["annotations"]
    assert json.loads(ann.client.get("/api/export/labelstudio").content)
    assert b"<annotations>" in ann.client.get("/api/export/cvat").content


def test_where_nothing_is_there_to_export_it_is_said(world):
    answer = world.local().client.get("/api/export/coco")
    assert answer.status_code == 409
    assert answer.json()["error"].startswith("there is nothing to export")


def test_accepted_masks_only(labelled):
    assert labelled.local().client.get("/api/export/coco?which=accepted").status_code == 409


def test_the_artifact_is_written_where_the_server_was_told_and_again_only_after_changes(make_world, tmp_path):
    world, manifest = make_world(), tmp_path / "labels" / "manifest.json"
    world.room.exporter = LabelsWriter(world.database, world.project, tmp_path / "labels")
    ann = world.local()
    assert ann.post("/api/export") == {"where": str(tmp_path / "labels")}
    first = manifest.stat().st_mtime_ns
    ann.get("/api/project")
    ann.post("/api/export")
    assert manifest.stat().st_mtime_ns == first, "reading changes nothing"
    ann.post("/api/ratings", {"place": 0, "showing": 0, "score": 4, "out_of_domain": False, "seconds": 1.0})
    ann.post("/api/export")
    assert manifest.stat().st_mtime_ns != first


def test_without_a_place_for_labels_that_is_said(world):
    assert world.local().ask("POST", "/api/export").status_code == 409
