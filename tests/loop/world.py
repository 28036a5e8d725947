"""A small drawn world for loops: a target and two rivals that learned a shortcut, a pool that breaks it, and the LOOP.toml."""

from __future__ import annotations

from pathlib import Path

from tests.stages.repair.test_flips import LOOKS, write_world
from tests.stages.repair.world import train_target

TINY = f"python:{Path(__file__).parents[1] / 'models' / 'fit' / 'tiny.py'}:tiny"
LOOP = """
name = "small world"
pool = "pool"
train = "data"
val = "data"
audit = "audit"
target = "{target}"

[rivals]
{rivals}

[loop]
rounds = {rounds}
top = 6
learn = 8
test = 6
per_object = 3

[predict]
device = "cpu"
workers = 1

[mine]
area = ["0,1"]
deduplicate = false
sheet = 0

[review]
checked = false
repeats = 0.0

[repair]
rates = ["0.03"]
epochs = {epochs}
batch = 4
augment = "none"
device = "cpu"
limit = 0.1

[rank]
resamples = 50
pair_samples = 0

[oracle]
rating_noise = 0.3
"""


def make_world(folder: Path, *, rounds: int = 2, epochs: int = 6, networks: int = 3, pool: int = 24) -> Path:
    """Data, trained networks and the recipe of a loop; the first network is the target."""
    data = write_world(folder / "data", {"train": (48, 0), "val": (12, 0)}, seed=0)
    write_world(folder / "pool", {"pool": (pool, pool)}, seed=1)
    write_world(folder / "audit", {"test": (12, 12)}, seed=2)
    specs = []
    for n in range(networks):
        architecture = LOOKS if n < 2 else TINY
        train_target(data, folder / f"net-{n}", architecture=architecture, size=16, epochs=12, batch=8, lr=0.01, augment="none", seed=n)
        specs.append(f"weights:{folder / f'net-{n}'}?architecture={architecture}")
    rivals = "\n".join(f'rival-{n} = "{spec}"' for n, spec in enumerate(specs[1:], start=1))
    file = folder / "LOOP.toml"
    file.write_text(LOOP.format(target=specs[0], rivals=rivals, rounds=rounds, epochs=epochs))
    return file
