"""`figureground mine` over a large generated pool: memory, time a sample, and the dense way to do the same on a part of it.

    python -m benchmarks.mine [--quick] [--samples 100000] [--rivals 5] [--folder DIR]

The pool has maps of 512 x 512 pixels with 21 classes, drawn as runs, 300 to 2,000 a map; a rival sees the target's map with other borders
and now and then another class. Predictions lie in Parquet as `predict` writes them (a million samples of six models take some 20 GB).
Mining is a whole command in a process of its own, both directions, near-duplicates off since there are no pictures. The dense peer does
what the published code does, for one target and one rival at a time: it decodes both label maps and works out the mIoU of the pair class
by class with numpy; reading its maps from disk is left out. Before it is timed its distances are compared with ours.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.processes import watch
from benchmarks.results import Row, duration, tell, write_rows
from numba import njit

from figureground.core.types import LabelRuns, batch_of
from figureground.data.labelmap import RUN_FIELDS
from figureground.metrics.discrepancy import discrepancy, pair_counts
from figureground.runs.shards import ROWS_A_GROUP

SIDE, CLASSES, WORKERS, A_FILE = 512, 20, 2, 8192
LEAST = 8 * A_FILE
DENSE_TARGET, FLAT_TARGET, LINEAR_TARGET, GB = 20, 1.15, 1.15, 2
GB_IN_MIB = 1e9 / 2**20


@njit(cache=True)
def _target(rng, most, values, lengths):  # pragma: no cover - compiled
    """One map: background and up to three classes in turn, in pieces of random length; the number of its runs."""
    pixels, n, left = SIDE * SIDE, 0, SIDE * SIDE
    first, second = 1 + rng.integers(0, CLASSES), 1 + rng.integers(0, CLASSES)
    mean = pixels / most
    while left > 0 and n < values.size - 1:
        step = min(left, 1 + np.int64(rng.random() * 2 * mean))
        values[n] = 0 if n % 2 == 0 else (first if rng.random() < 0.8 else second)
        lengths[n] = step
        left -= step
        n += 1
    if left > 0:
        lengths[n - 1] += left
    return n


@njit(cache=True)
def _rival(rng, tv, tl, values, lengths):  # pragma: no cover - compiled
    """The target's map as a rival sees it: borders moved, and of one map in four the classes are others; the number of its runs."""
    n, owed = 0, np.int64(0)
    turn = 1 + rng.integers(0, CLASSES - 1) if rng.random() < 0.25 else 0
    for i in range(tv.size):
        move = np.int64((rng.random() - 0.5) * tl[i]) if i < tv.size - 1 else np.int64(0)
        step = np.int64(tl[i]) - owed + move
        owed = move
        values[n] = 0 if tv[i] == 0 else 1 + (tv[i] - 1 + turn) % CLASSES
        lengths[n] = max(step, 1)
        owed += lengths[n] - step
        n += 1
    total = np.int64(0)
    for i in range(n):
        total += lengths[i]
    extra = total - SIDE * SIDE
    i = n - 1
    while extra > 0:
        take = min(extra, np.int64(lengths[i]) - 1)
        lengths[i] -= take
        extra -= take
        i -= 1
    if extra < 0:
        lengths[n - 1] -= extra
    return n


def draw(number: int, models: int) -> list[LabelRuns]:
    """The maps of one sample: the target's, then the rivals'."""
    rng = np.random.default_rng(number)
    values, lengths = np.empty(8000, np.uint16), np.empty(8000, np.uint32)
    n = _target(rng, 300 + rng.integers(0, 1701), values, lengths)
    maps = [(values[:n].copy(), lengths[:n].copy())]
    for _ in range(models - 1):
        m = _rival(rng, *maps[0], values, lengths)
        maps.append((values[:m].copy(), lengths[:m].copy()))
    return [LabelRuns(height=SIDE, width=SIDE, values=v, lengths=n) for v, n in maps]


def write_file(folder: str, part: int, count: int, models: int) -> float:
    """One file of every model; the mean number of runs a map."""
    drawn = [draw(part * A_FILE + i, models) for i in range(count)]
    ids = pa.array([f"{part * A_FILE + i:09d}" for i in range(count)])
    for m in range(models):
        own = [maps[m] for maps in drawn]
        offsets = np.cumsum([0, *(one.values.size for one in own)]).astype(np.int32)
        columns = [
            ids,
            pa.array([SIDE] * count, pa.int32()),
            pa.array([SIDE] * count, pa.int32()),
            pa.ListArray.from_arrays(offsets, np.concatenate([one.values for one in own])),
            pa.ListArray.from_arrays(offsets, np.concatenate([one.lengths for one in own])),
        ]
        table = pa.Table.from_arrays(columns, schema=pa.schema([pa.field("id", pa.string(), nullable=False), *RUN_FIELDS]))
        pq.write_table(
            table, Path(folder) / f"model{m}" / "labels" / f"{part:06d}.parquet", compression="zstd", row_group_size=ROWS_A_GROUP
        )
    return float(np.mean([m.values.size for maps in drawn for m in maps]))


def write_pool(folder: Path, samples: int, models: int) -> float:
    """Predictions of all models; the mean number of runs a map."""
    for m in range(models):
        (folder / f"model{m}" / "labels").mkdir(parents=True, exist_ok=True)
    parts = [(str(folder), part, min(A_FILE, samples - part * A_FILE), models) for part in range(-(-samples // A_FILE))]
    with ProcessPoolExecutor(WORKERS) as pool:
        runs = []
        for done, found in enumerate(pool.map(write_file, *zip(*parts, strict=True)), start=1):
            runs.append(found)
            if done % 50 == 0:
                tell(f"mine: {done * A_FILE:,} of {samples:,} samples drawn")
    return float(np.mean(runs))


def write_part(folder: Path, whole: Path, samples: int, models: int) -> Path:
    """A pool of the first samples, its files linked to those of the whole."""
    files = -(-samples // A_FILE)
    for m in range(models):
        place = folder / f"model{m}" / "labels"
        place.mkdir(parents=True)
        for part in range(files):
            (place / f"{part:06d}.parquet").symlink_to(whole / f"model{m}" / "labels" / f"{part:06d}.parquet")
    names = ", ".join(f'"c{k}"' for k in range(CLASSES + 1))
    (folder / "dataset.toml").write_text(f'[classes]\nnames = [{names}]\n[samples]\ntable = "samples.parquet"\n')
    ids = [f"{i:09d}" for i in range(min(files * A_FILE, samples))]
    pq.write_table(pa.table({"id": ids}), folder / "samples.parquet", row_group_size=A_FILE)
    return folder


def mine(folder: Path, models: int):
    """One command, watched."""
    out = folder / "queue"
    shutil.rmtree(out, ignore_errors=True)
    rivals = [word for m in range(1, models) for word in ("--rival", str(folder / f"model{m}"))]
    options = ["--target", str(folder / "model0"), *rivals, "--out", str(out), "--workers", str(WORKERS), "--no-deduplicate", "--json"]
    found = watch([sys.executable, "-m", "figureground", "mine", str(folder), *options])
    return found, json.loads(found.output)


def dense_distance(a: np.ndarray, b: np.ndarray) -> float:
    """1 - mIoU of two dense maps as the published code works it out: a mask of each class, one after the other."""
    ious = []
    for k in range(CLASSES + 1):
        own, other = a == k, b == k
        union = np.logical_or(own, other).sum()
        if union:
            ious.append(np.logical_and(own, other).sum() / union)
    return 1 - float(np.mean(ious))


def dense_seconds(samples: int, models: int) -> float:
    """Seconds a sample of the dense way, in one process, after a look that it finds the same."""
    taken = 0.0
    for number in range(samples):
        maps = draw(number, models)
        start = time.perf_counter()
        target = maps[0].dense()
        areas = np.bincount(target.reshape(-1), minlength=CLASSES + 1)
        found = [dense_distance(target, other.dense()) for other in maps[1:]]
        taken += time.perf_counter() - start
        for distance, other in zip(found, maps[1:], strict=True):
            ours = discrepancy(pair_counts(batch_of([maps[0]]), batch_of([other]), ids=range(CLASSES + 1)))[0]
            if abs(ours - distance) > 1e-12 or areas.sum() != SIDE * SIDE:
                raise SystemExit(f"sample {number}: the dense distance is {distance} and ours {ours}")
    return taken / samples


def main() -> None:
    """Measures and writes rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--rivals", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where the pool is drawn; default a temporary folder")
    given = parser.parse_args()
    if given.samples < LEAST:
        parser.error(f"--samples must be at least {LEAST:,}: with fewer the start of a command hides the time a sample")
    samples, models = (2 * A_FILE if given.quick else given.samples), given.rivals + 1
    with tempfile.TemporaryDirectory(prefix="figureground-bench-", dir=given.folder) as name:
        folder = Path(name)
        tell(f"mine: {samples:,} samples, {given.rivals} rivals")
        runs = write_pool(folder / "drawn", samples, models)
        few, part = (A_FILE, A_FILE) if given.quick else (2 * A_FILE, max(samples // 8 // A_FILE, 4) * A_FILE)
        mine(write_part(folder / "few", folder / "drawn", few, models), models)  # kernels are compiled
        small, _ = mine(write_part(folder / "part", folder / "drawn", part, models), models)
        whole, found = mine(write_part(folder / "whole", folder / "drawn", samples, models), models)
        start, _ = mine(folder / "few", models)
        if found["samples"] != samples:
            raise SystemExit(f"mining went through {found['samples']} samples of {samples}")
        dense = dense_seconds(4 if given.quick else 60, models)
    if given.quick:  # a pool this small is mined about as fast as a command starts: nothing is left when that is taken off
        each, earlier = whole.wall_s / samples, small.wall_s / part
    else:
        each, earlier = (whole.wall_s - start.wall_s) / (samples - few), (small.wall_s - start.wall_s) / (part - few)
    on = f"{samples:,} samples, {given.rivals} rivals, {CLASSES} classes, {runs:.0f} runs a map, {WORKERS} workers"
    numbers = {
        "wall_s": {f"{n:,}": round(one.wall_s, 2) for n, one in ((few, start), (part, small), (samples, whole))},
        "together_mib": {f"{n:,}": round(one.together_mib) for n, one in ((few, start), (part, small), (samples, whole))},
        "queued": found["queued"],
    }
    write_rows(
        [
            Row(
                benchmark="mine",
                what="mining, both directions",
                on=on,
                peer="dense numpy mIoU, one process a core",
                kind="times as fast",
                target=DENSE_TARGET,
                ratio=dense / WORKERS / each,
                ours=f"{duration(each)} a sample",
                theirs=f"{duration(dense / WORKERS)} a sample",
                numbers=numbers,
            ),
            Row(
                benchmark="mine",
                what="time a sample",
                on=on,
                peer=f"{part:,} samples",
                kind="times the peer",
                target=LINEAR_TARGET,
                ratio=each / earlier,
                ours=duration(each),
                theirs=duration(earlier),
            ),
            Row(
                benchmark="mine",
                what="peak memory, all processes",
                on=on,
                peer=f"{part:,} samples",
                kind="times the peer",
                target=FLAT_TARGET,
                ratio=whole.together_mib / small.together_mib,
                ours=f"{whole.together_mib:.0f} MiB",
                theirs=f"{small.together_mib:.0f} MiB",
            ),
            Row(
                benchmark="mine",
                what="peak memory, all processes",
                on=on,
                peer="2 GB",
                kind="times the peer",
                target=1.0,
                ratio=whole.together_mib / (GB * GB_IN_MIB),
                ours=f"{whole.together_mib:.0f} MiB",
            ),
        ]
    )


if __name__ == "__main__":
    main()
