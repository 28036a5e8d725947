"""Writes docs/results/shift.md, shift.json and the pictures beside them: what a planted correlation costs, every figure measured here.

python scripts/shift_results.py --data DATA --out DIR [--workers N] [--only figures birds mammals]

DATA holds `animals4`, `scenes6` and `weights`; without it only the drawn figures are run. DIR keeps the sweeps: an interrupted run goes on
there. Two networks at a time on two cores take about an hour.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path

from figureground import api
from figureground.runs.executor import available_cores
from figureground.runs.progress import terminal_reporter

HERE = Path(__file__).resolve().parent
RECIPES = ("figures", "birds", "mammals")
REAL = ("birds", "mammals")
REPAIRS = ["group-dro", "cutmix"]
REPAIRED_RHO = [0.95]


def main() -> None:
    """Runs what is missing and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    given = parser.parse_args()
    for name in given.only:
        if name in REAL and not given.data:
            print(f"{name}: left out, no --data", file=sys.stderr)
            continue
        for part, recipe in recipes(name, given.data).items():
            place = given.out / part
            place.mkdir(parents=True, exist_ok=True)
            (place / "recipe.toml").write_text(recipe, encoding="utf-8")
            api.sweep(place / "recipe.toml", out=place, workers=given.workers, reporter=terminal_reporter())


def recipes(name: str, data: str) -> dict[str, str]:
    """The two sweeps of a recipe, as TOML: cross entropy at every correlation, and the repairs at a strong one."""
    text = (HERE / "recipes" / f"{name}.toml").read_text(encoding="utf-8").replace("{data}", str(Path(data).resolve()) if data else "")
    grid = tomllib.loads(text)["sweep"]
    repaired = text.replace(f"rho = {grid['rho']}", f"rho = {REPAIRED_RHO}").replace('objectives = ["ce"]', f"objectives = {REPAIRS}")
    assert repaired.count(str(REPAIRED_RHO)) == 1 and "group-dro" in repaired
    return {name: text, f"{name}-repaired": repaired}


if __name__ == "__main__":
    main()
