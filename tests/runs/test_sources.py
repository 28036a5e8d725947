"""What is read is never written over: the places that are refused, and those that stay allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from figureground.core.errors import InputError
from figureground.runs.artifact import ArtifactWriter, is_artifact
from figureground.runs.sources import check_sources


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """A data set `data` with one picture, in the current directory."""
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "a.png").write_text("picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.mark.parametrize("out", ["data", "./data/", "other/../data", "data/images", "link", "."])
@pytest.mark.parametrize("source", ["data/images/a.png", "./data/images/../images/a.png", "linked.png", "link/images/a.png"])
def test_a_directory_with_something_that_is_read_is_refused(data, out, source):
    """However the two are spelled, and whether or not links lie between them."""
    Path("other").mkdir()
    Path("link").symlink_to("data")
    Path("linked.png").symlink_to("data/images/a.png")
    with pytest.raises(InputError, match=r"is read to make what is written there.*Choose another --out"):
        check_sources(Path(out), ["s3://bucket/x.png", source])


@pytest.mark.parametrize("folder", ["new.partial", ".new.replaced"])
def test_places_that_are_emptied_on_the_way_count_too(data, folder):
    """Work in the making is emptied, and so is the place of what is replaced."""
    data.rename(folder)
    with pytest.raises(InputError, match="is read"):
        check_sources(Path("new"), [f"{folder}/images/a.png"])


def test_a_link_that_would_be_removed_is_a_source(data):
    """A data set of links loses its pictures with the links, wherever these lead."""
    Path("links").mkdir()
    Path("links/a.png").symlink_to(data / "images" / "a.png")
    with pytest.raises(InputError, match="is read"):
        check_sources(Path("links"), ["links/a.png"])


@pytest.mark.parametrize("out", ["audit", "data/audit", "data/runs", "dat", "data/images/new"])
def test_a_place_that_holds_nothing_that_is_read_is_allowed(data, out):
    """Inside of the data, beside it, there already or not."""
    check_sources(Path(out), ["data/images/a.png"])
    Path(out).mkdir(parents=True)
    check_sources(Path(out), ["data/images/a.png", "data/absent.csv", "https://host/data/x.png"])


def test_an_artifact_is_not_opened_over_what_it_reads(data):
    """The refusal comes before anything is touched."""
    ArtifactWriter(data.with_name("thing"), kind="thing", schema=1, key="a").finish(options={}, inputs={}, counts={})
    assert is_artifact(Path("thing"))
    with pytest.raises(InputError, match=r"thing: thing/manifest.json is read"):
        ArtifactWriter(Path("thing"), kind="thing", schema=1, key="b", sources=["thing/manifest.json"])
    assert not Path("thing.partial").exists()
    assert is_artifact(Path("thing"))
