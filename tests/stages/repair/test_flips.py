"""End to end: a network that reads the ground, a few counterexamples labelled, and the flips fall on pictures nobody used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.stages.repair.world import label, train_target  # noqa: E402

from figureground import api, rounds  # noqa: E402
from figureground.core.types import ClassTable, Sample  # noqa: E402
from figureground.data.dataset import open_dataset  # noqa: E402
from figureground.data.write import png_bytes, png_rgb_bytes, write_table_and_toml  # noqa: E402
from figureground.stages.predict.options import PredictOptions  # noqa: E402
from figureground.stages.repair.options import RepairOptions  # noqa: E402

LOOKS = f"python:{Path(__file__).with_name('shortcut.py')}:looks"
CLASSES = ClassTable(names=("ground", "cat", "dog"))
COLOURS, GROUNDS = {"cat": (150, 30, 110), "dog": (110, 30, 150)}, {"dark": 60, "light": 200}


def write_world(folder: Path, counts: dict[str, tuple[int, int]], seed: int) -> str:
    """Noisy figures on two grounds: by split, pictures that keep the tie of class and ground and pictures that break it."""
    rng, samples = np.random.default_rng(seed), []
    folder.mkdir(parents=True)
    rows = [
        (split, number, tied)
        for split, both in counts.items()
        for tied, count in zip((True, False), both, strict=True)
        for number in range(count)
    ]
    for split, number, tied in rows:
        name = tuple(COLOURS)[number % 2]
        ground = tuple(GROUNDS)[(number + (not tied)) % 2]
        picture = rng.normal(GROUNDS[ground], 10, (16, 16, 3))
        top, left = rng.integers(1, 7, 2)
        mask = np.zeros((16, 16), np.uint8)
        mask[top : top + 8, left : left + 8] = CLASSES.id_of(name)
        picture[mask > 0] = np.array(COLOURS[name]) + rng.normal(0, 25, ((mask > 0).sum(), 3))
        sample = f"{split}-{'tied' if tied else 'free'}-{number:03d}"
        (folder / f"{sample}.png").write_bytes(png_rgb_bytes(np.clip(picture, 0, 255).astype(np.uint8)))
        (folder / f"{sample}_mask.png").write_bytes(png_bytes(mask))
        row = {"id": sample, "image": f"{sample}.png", "mask": f"{sample}_mask.png", "label": name, "split": split}
        samples.append(Sample(**row, attributes={"context": ground}))
    write_table_and_toml(folder, name="world", classes=CLASSES, samples=samples, common={"cat": "dark", "dog": "light"})
    return str(folder)


def flipped(model: str, data: str, out: Path) -> float:
    """Flipped part of the foreground of the test pictures that break the tie."""
    spec = api.predict(model, f"{data}?split=test", out=out / "p", options=PredictOptions(device="cpu"))
    table = api.audit(f"{data}?split=test", str(spec), out=out / "a").table("samples")
    return sum(table["flipped"].to_pylist()) / sum(table["foreground"].to_pylist())


@pytest.mark.slow
def test_flips_fall_on_fresh_pictures_and_little_is_forgotten(tmp_path):
    """Training ties class and ground; sixteen labelled pictures without the tie bring the flips of others like them down by half and more."""
    data = write_world(tmp_path / "data", {"train": (48, 0), "val": (24, 0), "test": (0, 24)}, seed=0)
    pool = write_world(tmp_path / "pool", {"pool": (0, 16)}, seed=1)
    train_target(data, tmp_path / "net", architecture=LOOKS, size=16, epochs=15, batch=8, lr=0.01, augment="none")
    target = f"weights:{tmp_path / 'net'}?architecture={LOOKS}"
    labels = label(pool, open_dataset(pool).ids, tmp_path / "labels")
    options = RepairOptions(rates=("0.03",), epochs=12, batch=4, augment="none", device="cpu")
    repaired = rounds.repair(target, labels, data=data, out=tmp_path / "repaired", options=options)
    before = flipped(target, data, tmp_path / "before")
    after = flipped(f"{repaired.model}?architecture={LOOKS}", data, tmp_path / "after")
    entry = repaired.card["repair"]
    assert before > 0.3, "else there is nothing to repair"
    assert after < before / 2
    assert entry["validation"]["before"]["miou"] - entry["validation"]["after"]["miou"] <= 0.02
