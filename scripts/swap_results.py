"""Writes docs/results/swap.md, swap.json and swap.svg: fifteen methods against a background that betrays the label, every figure measured here.

python scripts/swap_results.py --data DATA --out DIR [--workers N]

DATA holds `animals4`, `scenes6` and `weights`. DIR keeps data sets, networks and answers: an interrupted run goes on there, seed by seed.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from swap_methods import World, read_recipe, run_world
from swap_page import page, picture
from swap_runs import Runs, read_runs, rows

from figureground.runs.artifact import to_json
from figureground.runs.executor import available_cores

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "swap.md"
RECIPES = ("figures", "photographs")
SEEDS = range(1, 6)
"""Seed 0 is the one on which settings were tried out."""


def main() -> None:
    """Runs what is missing and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=available_cores())
    given = parser.parse_args()
    with ProcessPoolExecutor(given.workers, get_context("spawn")) as pool:
        for name in pool.map(run_world, worlds(given.data, given.out)):
            print(f"{name}: done", file=sys.stderr, flush=True)
    write_page(read_runs(worlds(given.data, given.out)))


def write_page(found: list[Runs]) -> None:
    """The page, its rows and its picture."""
    PAGE.write_text(page(found), encoding="utf-8")
    PAGE.with_suffix(".json").write_text(to_json(rows(found)) + "\n", encoding="utf-8")
    PAGE.with_suffix(".svg").write_bytes(picture(found))


def worlds(data: Path, out: Path) -> list[World]:
    """Every data set, with and without minority, seed by seed."""
    return [
        World(
            recipe=read_recipe(name, data), seed=seed, minority=minority, place=out / name / f"{'with' if minority else 'without'}-{seed}"
        )
        for seed in SEEDS
        for minority in (False, True)
        for name in RECIPES
    ]


if __name__ == "__main__":
    main()
