"""Waterbirds-Seg out of small trees laid out like CUB-200-2011 and Places365, with rows as the published manifests have them."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from figureground.core.errors import FormatError, InputError
from figureground.data.dataset import open_dataset
from figureground.data.labelmap import decode_runs
from figureground.stages.shift.compose import run_compose
from figureground.stages.shift.composition import ComposeOptions
from figureground.stages.shift.waterbirds import compose_waterbirds

COLUMNS = ("img_id", "img_filename", "y", "split", "place", "group_id", "place_filename")
BIRDS = ("001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111", "118.House_Sparrow/House_Sparrow_0007_111029")
SOFT = np.array([0, 51, 102, 153, 204, 255], np.uint8)
"""Segmentations are means over five people."""


def write_tree(root: Path, rows: list[dict[str, str]]) -> ComposeOptions:
    """Birds of 30 x 40 px with soft segmentations, places of 20 x 50 px, and the manifest."""
    rng = np.random.default_rng(0)
    for row in rows:
        bird = row["img_filename"].removesuffix(".jpg")
        save(root / f"cub/images/{bird}.jpg", rng.integers(0, 256, (30, 40, 3), np.uint8))
        save(root / f"cub/segmentations/{bird}.png", np.repeat(np.repeat(rng.choice(SOFT, (6, 8)), 5, axis=0), 5, axis=1))
        save(root / f"places/data_large{row['place_filename']}", rng.integers(0, 256, (20, 50, 3), np.uint8))
    with (root / "metadata.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return ComposeOptions(kind="waterbirds", cub=str(root / "cub"), places=str(root / "places"), manifest=str(root / "metadata.csv"))


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def rows() -> list[dict[str, str]]:
    """Two birds a split, each on land and on water: every group once."""
    places = ("/b/bamboo_forest/00003772.jpg", "/l/lake/natural/00000123.jpg")
    out = []
    for split in range(3):
        for y, bird in ((1, BIRDS[0]), (0, BIRDS[1])):
            for place in range(2):
                name = f"{bird}{split}{place}.jpg"
                values = (str(len(out)), name, str(y), str(split), str(place), str(2 * y + place), places[place])
                out.append(dict(zip(COLUMNS, values, strict=True)))
    return out


@pytest.fixture
def options(tmp_path) -> ComposeOptions:
    return write_tree(tmp_path, rows())


def test_a_row_is_the_published_recipe(options, tmp_path):
    """The bird where it stands in its picture, soft segmentation / 255 as alpha, the place cut to the bird's form; the mask above 127."""
    composition = compose_waterbirds(options)
    assert composition.count == 12
    picture, row = composition.draw(3), rows()[3]
    bird = row["img_filename"].removesuffix(".jpg")
    figure = cv2.imread(str(tmp_path / f"cub/images/{bird}.jpg"))[..., ::-1].astype(float)
    alpha = np.asarray(Image.open(tmp_path / f"cub/segmentations/{bird}.png"))
    place = Image.open(tmp_path / f"places/data_large{row['place_filename']}")
    cut = (50 - 20 * 40 / 30) / 2
    scene = np.asarray(place.resize((40, 30), Image.Resampling.LANCZOS, box=(cut, 0, 50 - cut, 20))).astype(float)
    expected = figure * (alpha[..., None] / 255) + scene * (1 - alpha[..., None] / 255)
    assert np.percentile(np.abs(picture.image - expected), 98) <= 2  # Pillow clips between its passes, and decoders differ by a level
    assert np.array_equal(picture.mask, np.where(alpha > 127, 1, 0))
    assert (picture.label, picture.context, picture.split) == ("landbird", "water", "train")
    assert picture.id == bird
    assert dict(picture.attributes) == {"figure": bird, "ground": row["place_filename"]}
    assert np.array_equal(np.unique(composition.draw(0).mask), [0, 2])


def test_the_result_opens_with_its_groups(options, tmp_path):
    """As a data set of its own: every group of every split once, masks as drawn, the ties of Waterbirds."""
    out = run_compose(options, out=tmp_path / "out")
    dataset = open_dataset(str(out))
    assert dataset.classes.names == ("background", "landbird", "waterbird")
    assert dataset.common == {"landbird": "land", "waterbird": "water"}
    assert set(dataset.group_counts(("split", "class", "context")).values()) == {1}
    assert len(dataset) == 12
    composition = compose_waterbirds(options)
    assert dataset.masks is not None
    for index, sample in enumerate(dataset.samples):
        assert np.array_equal(decode_runs(dataset.masks.read(sample.id)), composition.draw(index).mask)
        assert sample.id == rows()[index]["img_filename"].removesuffix(".jpg")
        assert (sample.image or "").endswith(f"images/{sample.id}.jpg")


def test_segmentations_beside_the_folder_and_places_at_its_root_are_found(options, tmp_path):
    before = compose_waterbirds(options).draw(5).image
    (tmp_path / "cub/segmentations").rename(tmp_path / "segmentations")
    (tmp_path / "places/data_large").rename(tmp_path / "flat")
    moved = ComposeOptions(kind="waterbirds", cub=options.cub, places=str(tmp_path / "flat"), manifest=options.manifest)
    assert np.array_equal(compose_waterbirds(moved).draw(5).image, before)


def test_segmentations_with_an_alpha_channel_and_grey_birds_are_understood(options, tmp_path):
    """Some published segmentations are grey with alpha, which says nothing."""
    before = compose_waterbirds(options).draw(0).mask
    file = tmp_path / f"cub/segmentations/{BIRDS[0]}00.png"
    grey = Image.open(file)
    Image.merge("LA", (grey, Image.new("L", grey.size, 9))).save(file)
    save(tmp_path / f"cub/images/{BIRDS[0]}00.jpg", np.full((30, 40), 77, np.uint8))
    picture = compose_waterbirds(options).draw(0)
    assert np.array_equal(picture.mask, before)
    alpha = np.asarray(grey)
    assert np.abs(picture.image[alpha == 255].astype(int) - 77).max() <= 1


def test_absent_files_are_counted_by_kind_before_anything_is_made(options, tmp_path):
    (tmp_path / f"cub/images/{BIRDS[0]}00.jpg").unlink()
    (tmp_path / f"cub/images/{BIRDS[1]}21.jpg").unlink()
    (tmp_path / f"cub/segmentations/{BIRDS[1]}11.png").unlink()
    (tmp_path / "places/data_large/l/lake/natural/00000123.jpg").unlink()
    with pytest.raises(FormatError) as told:
        run_compose(options, out=tmp_path / "out")
    message = str(told.value)
    assert "files of 12 rows are absent: 2 pictures of birds ('" in message
    assert f"{BIRDS[1]}11.png" in message
    assert "1 places ('" in message
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.partial").exists()


def test_faulty_files_and_rows_are_named(options, tmp_path):
    file = tmp_path / f"cub/segmentations/{BIRDS[0]}00.png"
    save(file, np.full((30, 40), 127, np.uint8))
    with pytest.raises(FormatError, match="no pixel of the segmentation is above 127, the brightest is 127"):
        compose_waterbirds(options).draw(0)
    save(file, np.full((30, 41), 255, np.uint8))
    with pytest.raises(FormatError, match="the segmentation is 30 px high and 41 px wide and its picture 30 px high and 40 px wide"):
        compose_waterbirds(options).draw(0)
    manifest = tmp_path / "metadata.csv"
    good = manifest.read_text()
    for crooked in ("../../out.jpg", "/out.jpg"):
        manifest.write_text(good.replace(f"{BIRDS[0]}00.jpg", crooked))
        with pytest.raises(FormatError, match=f"`img_filename` is '{crooked}' and must be a path below"):
            compose_waterbirds(options)
    manifest.write_text(good)
    manifest.write_text(manifest.read_text().replace(",place_filename", ",where"))
    with pytest.raises(FormatError, match="there is no column `place_filename`"):
        compose_waterbirds(options)


def test_missing_options_are_told_and_rho_is_that_of_the_manifest(options):
    for name in ("cub", "places", "manifest"):
        given = {key: getattr(options, key) for key in ("cub", "places", "manifest") if key != name}
        with pytest.raises(InputError, match=f"needs `{name}`. Give --{name}"):
            compose_waterbirds(ComposeOptions(kind="waterbirds", **given))
    assert compose_waterbirds(options).details == {"rho": 0.5}


@pytest.mark.slow
@pytest.mark.parametrize(("rho", "train"), [("0.5", (615, 615, 615, 615)), ("0.95", (1167, 62, 62, 1167))])
def test_the_published_manifests_give_the_published_groups(real_data, tmp_path, rho, train):
    """Over a tree in which every bird and place is a link to one small picture."""
    manifest = real_data / f"published/waterbirds_seg/metadata_corr{rho}.csv"
    with manifest.open() as stream:
        published = list(csv.DictReader(stream))
    first = write_tree(tmp_path, published[:1])
    bird, place = published[0]["img_filename"].removesuffix(".jpg"), published[0]["place_filename"]
    for row in published[1:]:
        for pattern, source, name in (
            ("cub/images/{}.jpg", bird, row["img_filename"].removesuffix(".jpg")),
            ("cub/segmentations/{}.png", bird, row["img_filename"].removesuffix(".jpg")),
            ("places/data_large{}", place, row["place_filename"]),
        ):
            link = tmp_path / pattern.format(name)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.hardlink_to(tmp_path / pattern.format(source))
    composition = compose_waterbirds(ComposeOptions(kind="waterbirds", cub=first.cub, places=first.places, manifest=str(manifest)))
    counts = Counter((b.sample.split, b.sample.label, b.sample.attributes["place"]) for b in composition.draw.birds)
    groups = [(label, place) for label in ("landbird", "waterbird") for place in ("land", "water")]
    assert tuple(counts["train", *group] for group in groups) == train
    assert [counts["val", *group] for group in groups] == [74] * 4
    assert [counts["test", *group] for group in groups] == [642] * 4
    assert composition.details["rho"] == pytest.approx(float(rho), abs=0.001)
    picture = composition.draw(composition.count - 1)
    assert picture.image.shape == (30, 40, 3)
    assert picture.split == "test"
