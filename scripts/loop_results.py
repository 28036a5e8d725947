"""Writes docs/results/loop.md and loop.json: what rounds of mining, labelling and repair bring, every figure measured here.

python scripts/loop_results.py --out DIR [--data DATA] [--only NAME] [--workers N]

DATA holds `animals4`, `scenes6` and `weights`; without it only drawn figures are run. DIR keeps data sets, networks and rounds: an interrupted
run goes on there.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from loop_networks import World, make_data, read_recipe, train_network
from loop_page import (
    ABOUT,
    TEXT,
    TITLES,
    Runs,
    claims,
    duels_table,
    models_table,
    picture,
    read_runs,
    rows,
    selectors_table,
    verdicts_table,
)
from loop_rounds import AGAINST, run_duel, run_loop

from figureground.runs.artifact import to_json
from figureground.runs.executor import available_cores

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "loop.md"
DATA_WORDS = {
    "figures": """Drawn ducks, hares and cats of 64 pixels on shores, in forests and on streets. 480 training and 120 validation pictures hold the
tie of class and ground at rho 0.95, a pool of 1,200 at rho 0.5; the audit has 20 pictures of every class on every ground. Target: a U-Net; rivals: FPN, LinkNet and
DeepLabV3+, all with a ResNet-18, trained on the same pictures from other seeds.""",
    "photographs": """Flamingos, emus and elephants, cut out of photographs and set on photographs of the sea, forests and streets, 96 pixels. 360
training and 120 validation pictures at rho 0.95, a pool of 1,200 at rho 0.5, an audit of 180; no cut-out and no scene is in two of them. Target: a U-Net; rivals: FPN, PSPNet and DeepLabV3+, all with
an EfficientNet-Lite0 that starts from its ImageNet weights.""",
}
RECIPES, REAL = ("figures", "photographs"), ("photographs",)
SEEDS = range(5)


def main() -> None:
    """Runs what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=RECIPES, help="this data set alone, without a page")
    parser.add_argument("--workers", type=int, default=available_cores())
    given = parser.parse_args()
    asked = [given.only] if given.only else list(RECIPES)
    names = [name for name in asked if given.data or name not in REAL]
    if len(names) < len(asked):
        print("photographs: left out, no --data", file=sys.stderr)
    worlds = [
        World(recipe=read_recipe(name, given.data), seed=seed, place=given.out / name / f"seed-{seed}") for seed in SEEDS for name in names
    ]
    prepare(worlds, given.workers)
    go_round(worlds, given.workers)
    if not given.only:
        write_page(read_runs(worlds))


def prepare(worlds: list[World], workers: int) -> None:
    """Data and networks of all worlds, in their order."""
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        list(pool.map(make_data, worlds))
        running = {pool.submit(train_network, world, name): (world, name) for world in worlds for name in world.networks}
        for done in as_completed(running):
            world, name = running[done]
            done.result()
            print(f"{world.name}, seed {world.seed}: {name} is trained", file=sys.stderr, flush=True)


def go_round(worlds: list[World], workers: int) -> None:
    """The loops and duels of all worlds, seed by seed: mining first, for others take over what models saw before the first repair."""
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for line in pool.map(_loops_of, worlds):
            print(line, file=sys.stderr, flush=True)


def _loops_of(world: World) -> str:
    lines = [run_loop(world, selector) for selector in world.recipe["rounds"]["selectors"]]
    return "\n".join([*lines, *(run_duel(world, other) for other in AGAINST)])


def write_page(found: list[Runs]) -> None:
    """The page, its rows and its picture."""
    sections = []
    for runs in found:
        parts = {
            "models": models_table(runs),
            "selectors": selectors_table(runs),
            "duels": duels_table(runs),
            "verdicts": verdicts_table(runs),
            "claims": claims(runs),
        }
        sections.append(ABOUT.format(title=TITLES[runs.data], about=DATA_WORDS[runs.data], **parts))
    PAGE.write_text(TEXT.format(seeds=len(SEEDS), sections="\n".join(sections)), encoding="utf-8")
    PAGE.with_suffix(".json").write_text(to_json(rows(found)) + "\n", encoding="utf-8")
    PAGE.with_suffix(".svg").write_bytes(picture(found))


if __name__ == "__main__":
    main()
