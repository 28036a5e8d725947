"""Bootstrap sums of all groups against the bare matrix product that they cannot do without.

    python -m benchmarks.bootstrap [--quick]

10,000 samples, 1,000 resamples, 21 classes: with the sums that an audit of 21 classes has for every sample, and with a single one a class,
of which no rate can be made. The peer multiplies weights and features that are there already; ours draws the weights, keeps groups apart,
sums them and gives the replicates of one rate of every group. Groups are those of 21 classes in 2 contexts, alone (they part the samples)
and together with every class, every context and all. Numpy's library is measured with one thread and with as many as it takes by itself:
each in a process of its own, for that is set at the start.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import numpy as np
from benchmarks.results import Row, duration, of_ratio, tell, write_rows
from benchmarks.timing import ratio, take_turns

from figureground.metrics.resample import bootstrap_sums, bootstrap_weights
from figureground.stages.audit.statistics import BASE

CLASSES, CONTEXTS, TARGET = 21, 2, 2.0
SUMS = len(BASE) + 3 * CLASSES
"""What an audit sums: pixels by kind, boundaries and the like, and the three pixel counts of each class that an IoU needs."""
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def main() -> None:
    """Measures both settings of threads and writes rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--here", help="measure in this process and call its threads so")
    given = parser.parse_args()
    if given.here:
        write_rows(measure(given.here, quick=given.quick))
        return
    free = {name: value for name, value in os.environ.items() if name not in THREADS}
    for words, variables in (("one thread", dict.fromkeys(THREADS, "1")), ("numpy's own threads", {})):
        tell(f"bootstrap: {words}")
        command = [sys.executable, "-m", "benchmarks.bootstrap", "--here", words, *(["--quick"] if given.quick else [])]
        subprocess.run(command, check=True, env={**free, **variables})


def measure(threads: str, *, quick: bool) -> list[Row]:
    """The rows of one setting of threads."""
    samples, resamples = (1_000, 100) if quick else (10_000, 1_000)
    rng = np.random.default_rng(0)
    groups = crossed_groups(rng.integers(0, CLASSES, samples), rng.integers(0, CONTEXTS, samples))
    weights = bootstrap_weights(samples, resamples=resamples, seed=1)
    rows = []
    for features in (SUMS, CLASSES):
        table = rng.integers(1, 100_000, (samples, features)).astype(np.float64)
        sides = {"bare": lambda table=table: weights @ table}
        for name, some in groups.items():
            sides[name] = lambda table=table, some=some: bootstrap_sums(table, groups=some, resamples=resamples, seed=1, reduce=one_rate)
        check_agreement(table, weights, groups, resamples)
        seconds = take_turns(sides, rounds=3 if quick else 9, least_s=0.01 if quick else 0.3)
        for name in groups:
            rows.append(
                Row(
                    benchmark="bootstrap",
                    what=f"{resamples:,} resamples of {samples:,} samples x {CLASSES} classes, {features} sums a sample",
                    on=f"{name}, {threads}",
                    peer="numpy matrix product",
                    kind="times the peer",
                    target=TARGET if features == SUMS else None,
                    ours=duration(seconds[name].median),
                    theirs=duration(seconds["bare"].median),
                    **of_ratio(ratio(seconds[name], seconds["bare"])),
                )
            )
    return rows


def one_rate(sums: np.ndarray) -> np.ndarray:
    """The second feature in units of the first, [groups, resamples, 1]: what becomes of sums in an audit, block by block."""
    return sums[..., 1:2] / sums[..., :1]


def crossed_groups(classes: np.ndarray, contexts: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Sample indices of class x context; and of these with every class, every context and all samples."""
    crossed = [np.flatnonzero((classes == c) & (contexts == x)) for c in range(CLASSES) for x in range(CONTEXTS)]
    alone = [np.flatnonzero(classes == c) for c in range(CLASSES)] + [np.flatnonzero(contexts == x) for x in range(CONTEXTS)]
    every = [*crossed, *alone, np.arange(classes.size)]
    return {f"{len(crossed)} groups": crossed, f"{len(every)} overlapping groups": every}


def check_agreement(table: np.ndarray, weights: np.ndarray, groups: dict[str, list[np.ndarray]], resamples: int) -> None:
    """Our sums are the bare product, group by group, or nothing is measured."""
    for some in groups.values():
        sums = bootstrap_sums(table, groups=some, resamples=resamples, seed=1)
        for number in (0, len(some) - 1):
            if not np.array_equal(sums[number], weights[:, some[number]] @ table[some[number]]):
                raise SystemExit(f"bootstrap sums of group {number} differ from the bare product")


if __name__ == "__main__":
    main()
