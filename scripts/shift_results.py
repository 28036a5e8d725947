"""Writes docs/results/shift.md, shift.json and the pictures beside them: what a planted correlation costs, every figure measured here.

python scripts/shift_results.py --data DATA --out DIR [--workers N]

DATA holds `animals4`, `scenes6` and `weights`; without it only the drawn figures are run. DIR keeps the sweeps: an interrupted run goes on
there. Two networks at a time on two cores take about two hours.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import tomllib
from pathlib import Path
from typing import Any

import cv2

from figureground import api
from figureground.runs.executor import available_cores
from figureground.runs.progress import terminal_reporter
from figureground.sweeps.figure import sweep_svg
from figureground.sweeps.rows import Estimate, Row

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "results" / "shift.md"
PICTURES = PAGE.parent / "shift"
RECIPES = ("figures", "birds", "mammals")
REAL = ("birds", "mammals")
OBJECTIVES = ["ce", "group-dro", "cutmix"]
REPAIRED_RHO = [0.95]
HARD = 0.2
"""Flipped part without any tie above which the page says that the network hardly tells the classes apart."""
COLUMNS = {
    "gap_iou": "IoU gap",
    "counterfactual_flip": "flipped, counterfactual",
    "common_flip": "flipped, common",
    "foreground_iou": "IoU, any foreground",
    "class_iou": "IoU, mean of classes",
    "top_decile_share": "flips in the top tenth by risk",
}
TEXT = """# What a planted correlation costs

<!-- Written by scripts/shift_results.py; every figure is from the runs it describes. -->

The same pictures with the tie of class and context at four strengths, the same small network, five seeds; every network is tested on the
same pictures, in which every class stands in every context equally often. `rho` is the share of a class's training pictures in its own
context; at 0.5 nothing is tied. A *common* group keeps the tie, a *counterfactual* group breaks it.

```bash
python scripts/shift_results.py --data DATA --out DIR
```

The recipes are `scripts/recipes/*.toml`; DATA holds cut-outs, scenes and encoder weights, which are not part of the project (the first
section needs none). All figures in percent with 95 % intervals for other test pictures and other trainings: figures are drawn with all
pictures that show them, and five seeds count by Student's t with four degrees of freedom. Changes are paired by seed and resample, so they
can be sure where the intervals of two rows overlap. The rows stand in [shift.json](shift.json).

{sections}"""
SECTION = """## {title}

![Contact sheet of the test pictures](shift/{name}.jpg)

![Gap, flips and IoU against rho](shift/{name}.svg)

Network: `{architecture}`.

{head}
{table}

{claims}
"""


def main() -> None:
    """Runs what is missing and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=available_cores())
    given = parser.parse_args()
    found = {}
    for name in RECIPES:
        if name in REAL and not given.data:
            print(f"{name}: left out, no --data", file=sys.stderr)
        else:
            found[name] = run(name, given.data, given.out / name, given.workers)
    write_page(found, given.out)


def run(name: str, data: str, place: Path, workers: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Both sweeps of a recipe, in one directory: the rows of all, and what rho and the repairs change."""
    rows: dict[tuple[str, float], dict[str, Any]] = {}
    differences = []
    for recipe in recipes(name, data):
        place.mkdir(parents=True, exist_ok=True)
        (place / "recipe.toml").write_text(recipe, encoding="utf-8")
        table = api.sweep(place / "recipe.toml", out=place, workers=workers, reporter=terminal_reporter())
        rows |= {(row["objective"], row["rho"]): row for row in json.loads((table / "sweep.json").read_text(encoding="utf-8"))}
        differences += json.loads((table / "differences.json").read_text(encoding="utf-8"))
    return list(rows.values()), differences


def recipes(name: str, data: str) -> tuple[str, str]:
    """The two sweeps of a recipe, as TOML: cross entropy at every correlation, and beside it the repairs at a strong one."""
    text = (HERE / "recipes" / f"{name}.toml").read_text(encoding="utf-8").replace("{data}", str(Path(data).resolve()) if data else "")
    grid = tomllib.loads(text)["sweep"]
    repaired = text.replace(f"rho = {grid['rho']}", f"rho = {REPAIRED_RHO}").replace('objectives = ["ce"]', f"objectives = {OBJECTIVES}")
    assert str(REPAIRED_RHO) in repaired
    assert "group-dro" in repaired
    return text, repaired


def write_page(found: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]], out: Path) -> None:
    """The page, the rows and the pictures of the sweeps below `out`."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    sections = []
    for name, (rows, differences) in found.items():
        (PICTURES / f"{name}.svg").write_bytes(sweep_svg([as_row(row) for row in rows]))
        write_sheet(out / name / "data" / f"rho-{REPAIRED_RHO[0]:g}" / "sheet.jpg", PICTURES / f"{name}.jpg")
        sections.append(section(name, rows, differences))
    everything = [row for rows, _ in found.values() for row in rows]
    (PAGE.parent / "shift.json").write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(TEXT.format(sections="\n".join(sections)), encoding="utf-8")


def as_row(found: dict[str, Any]) -> Row:
    """A row as the table of a sweep holds it."""
    return Row(
        **{
            key: Estimate(**{end: math.nan if v is None else v for end, v in value.items()}) if key in COLUMNS else value
            for key, value in found.items()
        }
    )


def write_sheet(source: Path, target: Path) -> None:
    """The contact sheet, small enough to be kept with the page."""
    sheet = cv2.imread(str(source))
    scale = min(1.0, 900 / sheet.shape[1])
    small = cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    target.write_bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())


def section(name: str, rows: list[dict[str, Any]], differences: list[dict[str, Any]]) -> str:
    """One data set: its picture, its curves, its table and what became of each claim."""
    table = "\n".join(
        f"| {row['objective']} | {row['rho']:g} | {row['seeds']} | " + " | ".join(cell(row[figure]) for figure in COLUMNS) + " |"
        for row in rows
    )
    head = "| objective | rho | seeds | " + " | ".join(COLUMNS.values()) + " |\n|" + " --- |" * (3 + len(COLUMNS))
    return SECTION.format(
        title=rows[0]["data"], name=name, architecture=rows[0]["architecture"], head=head, table=table, claims=claims(rows, differences)
    )


def cell(found: dict[str, float | None]) -> str:
    """A figure in percent with its interval."""
    if found["value"] is None:
        return "undefined"
    return f"{percent(found['value'])} ({percent(found['low'])} to {percent(found['high'])})"


def percent(value: float) -> str:
    """One decimal, with a true minus sign, and none before a zero."""
    return f"{100 * value:.1f}".replace("-0.0", "0.0").replace("-", "−")


def claims(rows: list[dict[str, Any]], differences: list[dict[str, Any]]) -> str:
    """What the figures say of each claim, in words that follow from the numbers alone."""
    plain = sorted((row for row in rows if row["objective"] == "ce"), key=lambda row: row["rho"])
    tied = next(row for row in plain if row["rho"] == REPAIRED_RHO[0])
    first, last = plain[0], plain[-1]
    cost = next(row for row in differences if row["against"] == f"rho {first['rho']:g}" and row["rho"] == last["rho"])
    lines = [
        f"- **Flips of counterfactual groups** go from {cell(first['counterfactual_flip'])} % at rho {first['rho']:g} to "
        f"{cell(last['counterfactual_flip'])} % at rho {last['rho']:g}: {growth(plain, cost, 'counterfactual_flip')}.",
        f"- **The IoU gap** goes from {cell(first['gap_iou'])} to {cell(last['gap_iou'])} points: {growth(plain, cost, 'gap_iou')}.",
        f"- **Right region, wrong label**: from rho {first['rho']:g} to {last['rho']:g} the IoU of any foreground changes by "
        f"{cell(cost['foreground_iou'])} points, the mean IoU of the classes by {cell(cost['class_iou'])}: "
        + ("the labels suffer more than the regions." if suffers(cost) else "that labels suffer more than regions does not come out here."),
        f"- **Flip-risk** at rho {tied['rho']:g}: its top tenth holds {cell(tied['top_decile_share'])} % of the flipping (chance 10 %): "
        + ("at least twice chance, its interval included." if (tied["top_decile_share"]["low"] or 0) >= 0.2 else twice(tied)),
    ]
    if first["counterfactual_flip"]["value"] > HARD:
        lines.append(
            f"- **A hard pair**: without any tie {cell(first['counterfactual_flip'])} % is flipped. What the network cannot tell apart it flips "
            "everywhere, so the tie adds less, and a score that finds flips has little to go by."
        )
    return "\n".join([*lines, *(repair(row) for row in differences if row["against"] == "ce")])


def growth(plain: list[dict[str, Any]], cost: dict[str, Any], figure: str) -> str:
    """Whether a figure rises at every step, and by how much from end to end."""
    values = [row[figure]["value"] for row in plain]
    steps = "it rises at every step" if all(a < b for a, b in itertools.pairwise(values)) else "it does not rise at every step"
    return f"{steps}, {cell(cost[figure])} points from end to end, {verdict(cost[figure])}"


def suffers(cost: dict[str, Any]) -> bool:
    """Whether the classes lose overlap beyond chance, and more of it than the foreground."""
    return cost["class_iou"]["high"] < 0 and cost["class_iou"]["value"] < cost["foreground_iou"]["value"]


def twice(tied: dict[str, Any]) -> str:
    """What is left to say where the interval of the share reaches below twice chance."""
    return (
        "at least twice chance, but its interval reaches below." if tied["top_decile_share"]["value"] >= 0.2 else "less than twice chance."
    )


def repair(changed: dict[str, Any]) -> str:
    """What an objective changes in the counterfactual groups, seed by seed against cross entropy at the same correlation."""
    flips, gap, foreground = (changed[figure] for figure in ("counterfactual_flip", "gap_iou", "foreground_iou"))
    return (
        f"- **{changed['objective']}** at rho {changed['rho']:g}, against cross entropy: flips of counterfactual groups {cell(flips)} points, "
        f"{verdict(flips)}; the gap {cell(gap)} points, {verdict(gap)}; IoU of any foreground {cell(foreground)} points."
    )


def verdict(change: dict[str, float]) -> str:
    """Whether a paired difference is beyond chance."""
    if change["high"] < 0:
        return "less beyond chance"
    return "more beyond chance" if change["low"] > 0 else "no change beyond chance"


if __name__ == "__main__":
    main()
