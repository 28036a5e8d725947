"""Near-duplicates, broken files and training pictures: passed over as brute force does, and listed."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.stages.mine.oracle import Round, slow_hash
from tests.stages.mine.pools import CLASSES, generated, mined, pool, rows_of, write_all, write_training
from tests.stages.mine.test_exactness import check_equal
from tests.support import Watcher

from figureground.core.errors import FormatError
from figureground.runs.artifact import read_manifest
from figureground.stages.mine import passage
from figureground.stages.mine.duplicates import Seen, bits_apart, picture_hash

NEAR = 6


def drawn(rng: np.random.Generator, side: int = 32) -> np.ndarray:
    """A smooth grey picture."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6), dtype=np.uint8))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module", params=[300, pytest.param(2000, marks=pytest.mark.slow)])
def crowd(request, tmp_path_factory):
    """Samples of which several share a picture up to a little noise, some a training picture, some have none and some a broken one."""
    folder, rng = tmp_path_factory.mktemp("crowd"), np.random.default_rng(8)
    data = generated(request.param, seed=4)
    base = [drawn(rng) for _ in range(request.param // 3)]
    trained = {f"t{n}": base[n] for n in range(0, len(base), 10)}
    greys: dict[str, np.ndarray | None] = {}
    images: dict[str, str] = {}
    for n, i in enumerate(data.ids):
        if n % 13 == 0:
            continue  # no picture
        images[i] = str(folder / f"{i}.png")
        noise = rng.integers(-3, 4, (32, 32)) if n % 2 else 0
        greys[i] = np.clip(base[rng.integers(len(base))].astype(int) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(greys[i]).save(images[i])
        if n % 11 == 0:
            whole = Path(images[i]).read_bytes()
            Path(images[i]).write_bytes([b"", whole[: len(whole) // 2], b"no picture"][n // 11 % 3])
            greys[i] = None
            if n % 4 == 0:
                Path(images[i]).unlink()
    masks = {i: np.ones((8, 8), np.uint8) for i in list(trained)[::2]}
    training = write_training(folder / "training", masks, {**trained, "broken": base[0]})
    (training / "broken-image.png").write_bytes(b"no picture")
    specs = write_all(folder / "predictions", data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passage, "CHUNK", request.param // 7)
        yield data, specs, images, greys, training, list(trained.values())


def expected_of(crowd, *, trained: bool, near: int = NEAR, **fields) -> Round:
    data, _, _, greys, _, trained_greys = crowd
    hashes = {i: slow_hash(grey) for i, grey in greys.items() if grey is not None}
    known = [slow_hash(grey) for grey in trained_greys] if trained else []

    def refused(sample_id: str, taken: list[str]) -> bool:
        if sample_id not in greys:
            return False
        if greys[sample_id] is None:
            return True
        others = known + [hashes[i] for i in taken if i in hashes]
        return any(np.count_nonzero(hashes[sample_id] != other) <= near for other in others)

    return Round(ids=data.ids, maps=data.maps, classes=CLASSES, refused=refused, **fields)


@pytest.mark.parametrize(("options", "near"), [({}, NEAR), ({"near": 0}, 0), ({"near": 14, "budget": 90}, 14)])
def test_near_duplicates_are_passed_over_as_brute_force_does(options, near, crowd, tmp_path):
    data, specs, images, *_ = crowd
    out = mined(tmp_path / "out", pool(data, images=images), specs, top=4, **options)
    expected = expected_of(crowd, trained=False, near=near, top=4, budget=options.get("budget", 0))
    check_equal(out, expected)
    assert any("near-duplicate" in why for why in reasons(out).values())


def test_training_pictures_count_as_taken_whether_or_not_they_have_a_mask(crowd, tmp_path):
    """One that cannot be read counts for nothing."""
    data, specs, images, _, training, trained = crowd
    out = mined(tmp_path / "out", pool(data, images=images), specs, top=4, area=("0,1",), train=str(training))
    check_equal(out, expected_of(crowd, trained=True, top=4))
    assert read_manifest(out).details["training_pictures"] == len(trained)
    assert any("near-duplicate of training picture 't" in why for why in reasons(out).values())


def test_training_pictures_count_for_every_selector(crowd, tmp_path):
    data, specs, images, _, training, _ = crowd
    out = mined(tmp_path / "out", pool(data, images=images), specs, selector="entropy", budget=30, train=str(training))
    check_equal(out, expected_of(crowd, trained=True, budget=30, scores=data.scores["entropy"]))


def test_without_deduplication_no_picture_is_read(crowd, tmp_path):
    data, specs, images, *_ = crowd
    out = mined(tmp_path / "out", pool(data, images=images), specs, top=4, deduplicate=False)
    check_equal(out, Round(ids=data.ids, maps=data.maps, classes=CLASSES, top=4))
    assert reasons(out) == {}


def twins(folder: Path, count: int, alike: int):
    """Two models that disagree the more the lower the number; the first pictures are one picture."""
    folder.mkdir()
    images, maps = {}, {"target": {}, "rival": {}}
    for n in range(count):
        i = f"s{n:03d}"
        images[i] = str(folder / f"{i}.png")
        Image.fromarray(photograph(0 if n < alike else n)).save(images[i])
        one = np.ones((count, 4), np.uint8)
        maps["target"][i], maps["rival"][i] = one, np.where(np.arange(count)[:, None] < count - n, 2, one).astype(np.uint8)
    return replace(generated(count), ids=tuple(images), maps=maps, scores={}), images


@pytest.mark.slow
def test_quotas_are_filled_although_more_near_duplicates_come_first_than_are_kept(tmp_path):
    """Of 60 alike one is taken, and then the next best that differ; the note says why the predictions are read again."""
    data, images = twins(tmp_path / "images", 80, alike=60)
    specs, watcher = write_all(tmp_path / "in", data), Watcher()
    out = mined(tmp_path / "out", pool(data, images=images), specs, top=3, one_sided=False, reporter=watcher)
    assert {row["id"] for row in rows_of(out)} == {"s000", "s060", "s061", "s062"}  # the rival sees no cat in the first
    assert [row["filled"] for row in rows_of(out, "groups") if row["seen"]] == [3, 3, 3]
    assert any("read again" in text for text in watcher.said)
    with pytest.raises(KeyboardInterrupt):
        mined(tmp_path / "cut", pool(data, images=images), specs, top=3, one_sided=False, reporter=Watcher(100))
    again = mined(tmp_path / "cut", pool(data, images=images), specs, top=3, one_sided=False)
    assert (again / "queue.parquet").read_bytes() == (out / "queue.parquet").read_bytes()


@pytest.mark.slow
def test_where_too_much_would_have_to_be_kept_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("figureground.stages.mine.filling.MOST_KEPT", 100)
    data, images = twins(tmp_path / "images", 80, alike=60)
    watcher = Watcher()
    out = mined(tmp_path / "out", pool(data, images=images), write_all(tmp_path / "in", data), top=3, one_sided=False, reporter=watcher)
    assert {row["id"] for row in rows_of(out)} == {"s000"}
    assert any("3 quotas are not full although there are more samples" in text for text in watcher.said)


def test_pictures_that_are_all_gone_are_an_error_and_are_looked_for_again(tmp_path):
    """An error when none can be read; a queue is mined anew when a picture that decided is back or is another."""
    data, images = twins(tmp_path / "images", 8, alike=0)
    specs = write_all(tmp_path / "in", data)
    (tmp_path / "images").rename(tmp_path / "away")
    with pytest.raises(FormatError, match=r"none of the other \d+ pictures"):
        mined(tmp_path / "out", pool(data, images=images), specs, top=4)
    (tmp_path / "away").rename(tmp_path / "images")
    gone = tmp_path / "images" / "s000.png"
    gone.rename(tmp_path / "s000.png")
    out = mined(tmp_path / "out", pool(data, images=images), specs, top=4)
    assert "s000" not in {row["id"] for row in rows_of(out)}
    (tmp_path / "s000.png").rename(gone)
    watcher = Watcher()
    mined(out, pool(data, images=images), specs, top=4, reporter=watcher)
    assert rows_of(out)[0]["id"] == "s000"
    assert any("pictures have changed" in text for text in watcher.said)
    Image.fromarray(photograph(1)).save(gone)
    mined(out, pool(data, images=images), specs, top=4)
    assert [row["id"] for row in rows_of(out)].count("s001") == 0
    watcher = Watcher()
    mined(out, pool(data, images=images), specs, top=4, reporter=watcher)
    assert "nothing to do" in watcher.said[-1]


def test_a_run_knows_nothing_of_the_one_before(crowd, tmp_path):
    """In one process: pictures that were taken then are not taken already now."""
    data, specs, images, *_ = crowd
    queues = [(mined(tmp_path / name, pool(data, images=images), specs, top=2) / "queue.parquet").read_bytes() for name in ("a", "b")]
    assert queues[0] == queues[1]


def test_who_is_passed_over_is_listed_with_the_reason(crowd, tmp_path):
    """A near-duplicate names a sample of the queue; a broken picture stands among the failures."""
    data, specs, images, greys, *_ = crowd
    out = mined(tmp_path / "out", pool(data, images=images), specs, top=4)
    queued = {row["id"] for row in rows_of(out)}
    broken = {i for i, why in reasons(out).items() if why == "the picture cannot be read"}
    assert broken == {fault["sample"] for fault in json.loads((out / "failures.json").read_text())}
    assert broken
    assert broken <= {i for i, grey in greys.items() if grey is None}
    for sample_id, why in reasons(out).items():
        assert sample_id not in queued
        assert sample_id in broken or why.removeprefix("near-duplicate of '").rstrip("'") in queued
    manifest = read_manifest(out)
    assert manifest.details["unreadable"] == manifest.failures == len(broken)
    assert manifest.details["near_duplicates"] == len(reasons(out)) - len(broken)


def reasons(out: Path) -> dict[str, str]:
    with (out / "passed-over.csv").open(newline="") as lines:
        return {row["id"]: row["why"] for row in csv.DictReader(lines)}


def photograph(seed: int) -> np.ndarray:
    """A picture in colour with structure of several sizes."""
    rng = np.random.default_rng(seed)
    parts = [Image.fromarray(rng.integers(0, 256, (n, n, 3), dtype=np.uint8)).resize((160, 120), Image.Resampling.BICUBIC) for n in (3, 7)]
    return np.mean([np.asarray(part, np.float64) for part in parts], axis=0).round().astype(np.uint8)


CHANGES = {
    "smaller": lambda rgb: cv2.resize(rgb, (80, 60), interpolation=cv2.INTER_AREA),
    "larger": lambda rgb: cv2.resize(rgb, (320, 240), interpolation=cv2.INTER_LINEAR),
    "compressed": lambda rgb: cv2.imdecode(cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR),
    "brighter": lambda rgb: np.clip(rgb.astype(int) + 12, 0, 255).astype(np.uint8),
    "noisy": lambda rgb: np.clip(rgb + np.random.default_rng(0).normal(0, 3, rgb.shape), 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_picture_is_near_and_another_is_not(change):
    for seed in range(10):
        own = picture_hash(photograph(seed))
        assert apart(own, picture_hash(CHANGES[change](photograph(seed)))) <= NEAR
        assert apart(own, picture_hash(CHANGES[change](photograph(seed + 100)))) > NEAR


def apart(one: int, other: int) -> int:
    return int(bits_apart(one, np.array([other], np.uint64))[0])


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**64 - 1), max_size=5))
@settings(max_examples=50)
def test_bits_apart_are_the_bits_that_differ(one, others):
    assert bits_apart(one, np.array(others, np.uint64)).tolist() == [(one ^ other).bit_count() for other in others]


def test_the_nearest_picture_is_named_and_of_several_the_first():
    seen = Seen(np.array([0b1111, 0b0011], np.uint64), ["far", "near"])
    assert [seen.near(0b0001, most=n) for n in (0, 1, 3)] == [None, "near", "near"]
    seen.add(0b0001, "twin")
    seen.add(0b0001, "later")
    assert seen.near(0b0001, most=0) == "twin"
    assert Seen(np.empty(0, np.uint64), []).near(1, most=64) is None


def test_a_flat_picture_has_a_hash():
    """All frequencies but the first are zero: none is above the median."""
    assert picture_hash(np.full((5, 7, 3), 200, np.uint8)).bit_count() <= 1
