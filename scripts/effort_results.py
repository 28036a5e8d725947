"""Writes docs/results/effort.md and effort.json: what masks cost by choosing and renaming, and by polygons; every figure measured here.

python scripts/effort_results.py --out DIR [--data DATA] [--figures SWEEP] [--each N]

DATA holds `voc21` and `predictions/<network>/voc21`; without it only drawn figures are labelled. SWEEP is the directory of a sweep of drawn
figures of any size; the networks of its highest rho are the targets. Where its networks are not trained yet they are, by its `recipe.toml`
or else by recipes/effort.toml. Default: below DIR. The same holds for --small SWEEP and recipes/effort-small.toml. DIR keeps what is done: an
interrupted run goes on there. With --docs the page goes elsewhere, for a trial.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from effort_tasks import FIGURES, PHOTOGRAPHS, RECIPE, SMALL, Task, figure_tasks, flipped, network_of, photograph_tasks, read, rho_of

from figureground.data.colours import class_colours
from figureground.review.effort.annotator import KINDS, REFINED, Tools, Work, pick_and_rename
from figureground.review.effort.operations import refined
from figureground.review.effort.polygons import actions, polygons
from figureground.review.effort.score import mean_iou
from figureground.review.layers import VOID
from figureground.review.regions import figures, votes
from figureground.review.superpixels import segment_size, superpixels

DOCS = Path(__file__).resolve().parents[1] / "docs"
MARKS = (0.8, 0.9, 0.95)
MUCH = 0.5
"""Flipped share of the foreground from which a picture is flipped for the most part."""
MOST = 40
"""Actions after which the annotator gives a picture up."""
VARIANTS = {
    "screen": Tools(most=MOST),
    "free hand": Tools(most=MOST, legs=12),
    "no rivals": Tools(most=MOST),
    "no refining": Tools(most=MOST, refine=False),
    "no superpixels": Tools(most=MOST, snap=False),
    "picks only": Tools(most=MOST, refine=False, brush=False, snap=False, polygon=False),
}
SAID = {
    "screen": "all",
    "free hand": "all, a stroke by free hand is one action",
    "no rivals": "all, but no rivals and no votes",
    "no refining": "all, but no borders fitted to the picture",
    "no superpixels": "all, but no strokes by superpixels",
    "picks only": "picks, renames, whole maps, tidying",
}
LEFT_OUT = ("no rivals", "no superpixels")
"""Variants that are too slow for photographs."""
TITLES = {FIGURES: "Drawn figures", PHOTOGRAPHS: "Photographs"}
SPENT = {
    "rename": "renaming",
    "take": "taking regions",
    "map": "taking whole maps",
    "tidy": "tidying",
    "refine": "fitting borders",
    "brush": "plain strokes",
    "snap": "strokes by superpixels",
    "polygon": "polygons",
}
ABOUT = {
    FIGURES: """Pictures of {width} x {height} pixels with one figure of {classes} classes; a network (`{network}`) trained on pictures whose
class and ground are tied (rho {rho}) is the target; its rivals are {rivals} networks of the same kind (rho {others}) from other seeds.""",
    PHOTOGRAPHS: """Pictures of `voc21`; {models} published networks are the target in turn, the other {rivals} its rivals.""",
}
TEXT = """# Is a mask chosen faster than drawn?

<!-- Written by scripts/effort_results.py; every figure is from the runs it describes. -->

{short}

An annotator who knows the truth labels flip failures (at least 20 % of the foreground has another foreground class), drawn by lot, in two
ways, and the clicks and keys are counted until the mean IoU of the picture (over the classes, background included, in truth or layer)
reaches a mark. **Polygons**: on an empty layer, a click a corner, one action to close, one key for the class; corners are moved until they
fit best, and only as many are set as are needed: a better hand than people have. **Choose and rename**: from the target's map, each time
the action that brings most for its cost: a class key on a region or, with Alt, on a whole figure, of the layer, a model or a vote (where
most models see foreground, and where any does), a click that takes a region, a whole map (of most models by one key), tidying, a key that
fits the border of a figure to the picture, a straight stroke (plain or by superpixels), a polygon. The keys and clicks that show another map
or take another tool, class or brush count as well, as they are on the [page](../how-to/review.md#the-screen-mask); pointing and zooming do
not. After {most} actions it gives up. It looks one action ahead, so its
counts are bounds from above, and so are those at the lower marks, which are read off the same work. Medians with quartiles.

```bash
python scripts/effort_results.py --out DIR --data DATA --each {each}{more}
```

{sections}
## What it depends on

The drawn pictures show large figures, and their networks find them well; both make the case for choosing. With figures of 6 to 13 % of the
picture (a polygon needs fewer corners then) and the epoch with the least loss kept (it grows where names are wrong, so that the target is one
from before its borders were good; `scripts/recipes/effort-small.toml`) {small}.

## One picture

![Picture, the target's map, the layer after the work, and the truth](../assets/effort.png)

The picture, the target's map ({start:.1f} %), the layer after the work, and the truth. Polygons need {polygons} actions. The work, with the
actions of each step and the mean IoU after it:

{steps}

All rows stand in [effort.json](effort.json).
"""
SECTION = """## {title}

{about} {count} pictures with a target.

{table}

All pictures together: {together} to 0.95, of those that reach it.

**If the regions were exact**: from a map with the truth's own regions, each under a wrong class, keys on regions alone need
{exact} actions to 0.95; up to 5 in {exact_few} of the pictures, a tenth of polygons or less in {exact_tenth}.

**Where the regions are right**: pictures in which some model's map, all its foreground given the one commonest class, is already as good as
the mark.

{fit}

**What the tools bring** (medians):

{tools}

- Of the actions of the screen:
  {spent}.
- The {much} pictures flipped by half or more: {much_cost} actions to 0.95 (median).
- Borders are what is left: the best map with its foreground renamed has a mean IoU of {best} %.
  With the borders of the largest figures of each map fitted to the picture the best has {after} %; it is higher in {better} of the pictures.
"""


def main() -> None:
    """Works on what is missing and writes page and rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--figures", type=Path, default=None)
    parser.add_argument("--small", type=Path, default=None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--each", type=int, default=10, help="photographs of each target")
    parser.add_argument("--drawn", type=int, default=12, help="drawn figures of each target")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where results/effort.md and assets/effort.png go")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    tasks = [
        *figure_tasks(given.figures or given.out / FIGURES, given.drawn),
        *(photograph_tasks(given.data, given.each) if given.data else ()),
    ]
    rows = worked(tasks, given.out / "rows", given.workers)
    small = worked(figure_tasks(given.small or given.out / "small", given.drawn, SMALL), given.out / "rows-small", given.workers)
    usual = given.figures is None or (given.figures / "recipe.toml").read_text(encoding="utf-8") == RECIPE.read_text(encoding="utf-8")
    more = f"{'' if usual else ' --figures SWEEP'} --drawn {given.drawn}"
    write_page(given.docs, rows, tasks, given.each, more, small)


def worked(tasks: list[Task], place: Path, workers: int) -> list[dict[str, Any]]:
    """The rows of all tasks; each is a file, so that what is done stays done."""
    place.mkdir(parents=True, exist_ok=True)
    files = {place / f"{one.data}-{one.target}-{one.id}.json".replace(" ", "-"): one for one in tasks}
    missing = {path: one for path, one in files.items() if not path.exists()}
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:  # a fork of a process that has trained may hang
        running = {pool.submit(labelled, one): path for path, one in missing.items()}
        for n, done in enumerate(as_completed(running)):
            whole = running[done].with_suffix(".partial")
            whole.write_text(json.dumps(done.result()), encoding="utf-8")
            whole.rename(running[done])
            print(f"{n + 1} of {len(missing)} pictures", file=sys.stderr)
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def labelled(task: Task) -> dict[str, Any]:
    """What one picture costs, each way."""
    truth, maps, picture, dataset = read(task)
    ground = dataset.classes.background
    segments = superpixels(picture, segment_size(*truth.shape))
    both = polygons(truth, MARKS, background=ground)
    row: dict[str, Any] = {"data": task.data, "target": task.target, "id": task.id, "flipped": flipped(truth, maps[0], dataset)}
    row["polygons"] = {str(mark): None if chosen is None else actions(chosen) for mark, chosen in both.items()}
    row["best map renamed"] = max(renamed_miou(truth, one, ground) for one in maps)
    row["best map refined"] = max(renamed_miou(truth, refined_map(picture, one, ground), ground) for one in maps)
    row["work"] = {}
    for name, tools in VARIANTS.items():
        if task.data == PHOTOGRAPHS and name in LEFT_OUT:
            continue
        voted = [] if name == "no rivals" else votes(maps, background=ground)
        rivals, most = ([*maps[1:], *voted], len(maps) - 1) if voted else ([], None)
        work = pick_and_rename(truth, maps[0], rivals, most=most, picture=picture, segments=segments, tools=tools, background=ground)
        row["work"][name] = told(work)
    return row


def told(work: Work) -> dict[str, Any]:
    """A work as plain values."""
    spent = {kind: sum(one.cost for one in work.actions if one.kind == kind) for kind in KINDS}
    cost = {str(mark): work.cost(mark) for mark in MARKS}
    hover = {str(mark): work.cost(mark, hover=1) for mark in MARKS}
    steps = [[one.cost, one.words, round(one.miou, 4)] for one in work.actions]
    return {"start": work.start, "end": work.miou, "cost": cost, "with clicks for hover": hover, "spent": spent, "steps": steps}


def renamed_miou(truth: np.ndarray, figure: np.ndarray, ground: int) -> float:
    """The mean IoU of a map whose whole foreground is given the commonest class of the truth."""
    counts = np.bincount(truth[truth != VOID], minlength=256)
    counts[ground] = 0
    return mean_iou(truth, np.where(figure != ground, counts.argmax(), ground).astype(np.uint8))


def refined_map(picture: np.ndarray, layer: np.ndarray, ground: int) -> np.ndarray:
    """A map with the borders of its largest figures fitted to the picture."""
    found = figures(layer, background=ground)
    for figure in np.argsort(-found.area, kind="stable")[:REFINED].tolist():
        now = figures(layer, background=ground)
        number = now.at(*found.first(figure))
        layer = refined(layer, picture, now, number, background=ground) if number >= 0 else layer
    return layer


def write_page(docs: Path, rows: list[dict[str, Any]], tasks: list[Task], each: int, more: str, small: list[dict[str, Any]]) -> None:
    """Rows, picture and page."""
    page = docs / "results" / "effort.md"
    for folder in ("results", "assets"):
        (docs / folder).mkdir(parents=True, exist_ok=True)
    page.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    shown = min(
        (row for row in rows if row["data"] == FIGURES), key=lambda row: (endless(row["work"]["screen"]["cost"]["0.95"]), row["id"])
    )
    draw(docs / "assets" / "effort.png", next(one for one in tasks if (one.id, one.target) == (shown["id"], shown["target"])))
    by_data = {data: [row for row in rows if row["data"] == data] for data in TITLES if any(row["data"] == data for row in rows)}
    steps = "\n".join(f"1. {words} ({cost}): {100 * miou:.1f} %" for cost, words, miou in shown["work"]["screen"]["steps"])
    text = TEXT.format(
        most=MOST,
        each=each,
        more=more,
        short=in_short(by_data),
        small=in_small(small),
        sections="\n".join(section(data, some, [one for one in tasks if one.data == data]) for data, some in by_data.items()),
        start=100 * shown["work"]["screen"]["start"],
        steps=steps,
        polygons=shown["polygons"]["0.95"],
    )
    page.write_text(text, encoding="utf-8")


def in_short(by_data: dict[str, list[dict[str, Any]]]) -> str:
    """The medians of all data sets, a line a mark."""
    lines = ["**In short.** Actions by choosing and renaming, and by polygons, medians:", ""]
    for mark in (str(mark) for mark in MARKS):
        told = [(TITLES[data].lower(), *(words.split()[0] for words in against(rows, mark)[:2])) for data, rows in by_data.items()]
        lines.append(f"- to a mean IoU of {mark}: " + "; ".join(f"{title} {chosen} and {drawn}" for title, drawn, chosen in told))
    rest = (
        "A wrong name costs a key; what is left then is borders, and how good those of the networks are stands at the end of each section."
    )
    return "\n".join([*lines, "", rest])


def exact_costs(tasks: list[Task]) -> list[float]:
    """Actions to 0.95 from the truth's own regions, each under the next class, by renaming single regions."""
    keys, found = Tools(figure=False, refine=False, brush=False, snap=False, polygon=False, tidy=False), []
    for task in tasks:
        truth, _, _, dataset = read(task)
        ground, count = dataset.classes.background, len(dataset.classes)
        wrong = np.where((truth != ground) & (truth != VOID), (truth + 1) % count, truth).astype(np.uint8)
        wrong[(wrong == ground) & (truth != ground)] = (ground + 1) % count
        found.append(endless(pick_and_rename(truth, wrong, [], tools=keys, background=ground).cost(0.95)))
    return found


def section(data: str, rows: list[dict[str, Any]], tasks: list[Task]) -> str:
    """The tables of one data set."""
    exact, outlined = np.array(exact_costs(tasks)), np.array([endless(row["polygons"]["0.95"]) for row in rows])
    head = "| mean IoU | polygons | choose and rename | part of the polygons' | with clicks for hover | up to 5 actions | a tenth of polygons or less |"
    lines: list[str] = [head, "| --- |" + " --- |" * 6]
    lines += [f"| {mark} | " + " | ".join(against(rows, str(mark))) + " |" for mark in MARKS]
    fit = [
        "| mean IoU | pictures | polygons | choose and rename | part of the polygons' | up to 5 actions | a tenth of polygons or less |",
        "| --- |" + " --- |" * 6,
    ]
    for mark in MARKS:
        some = [row for row in rows if row["best map renamed"] >= mark]
        if some:
            drawn, chosen, part, _, few, tenth = against(some, str(mark))
            fit.append(f"| {mark} | {len(some)} of {len(rows)} | {drawn} | {chosen} | {part} | {few} | {tenth} |")
    spent = {kind: sum(row["work"]["screen"]["spent"][kind] for row in rows) for kind in KINDS}
    much = [row for row in rows if row["flipped"] >= MUCH]
    best, after = (np.array([row[name] for row in rows]) for name in ("best map renamed", "best map refined"))
    return SECTION.format(
        title=TITLES[data],
        about=about(tasks[0]),
        count=len(rows),
        table="\n".join(lines),
        together=together(rows, "0.95"),
        exact=quartiles(exact),
        exact_few=share(exact <= 5),
        exact_tenth=share((10 * exact <= outlined) & np.isfinite(exact)),
        fit="\n".join(fit) if len(fit) > 2 else "No picture has such a map.",
        tools=tools_table(rows),
        spent=", ".join(f"{SPENT[kind]} {100 * n / sum(spent.values()):.0f} %" for kind, n in spent.items()),
        much=len(much),
        much_cost=middle([endless(row["work"]["screen"]["cost"]["0.95"]) for row in much]),
        best=quartiles(100 * best),
        after=quartiles(100 * after),
        better=share(after > best),
    )


def about(task: Task) -> str:
    """What the pictures and networks of a data set are, as found there."""
    truth, _, _, dataset = read(task)
    height, width = truth.shape
    rivals = len(task.predictions) - 1
    network = network_of(task.predictions[0]) if task.data == FIGURES else ""
    rhos = [rho_of(Path(one)) for one in task.predictions] if task.data == FIGURES else [0.0]
    told = {"rho": f"{rhos[0]:g}", "others": ", ".join(f"{rho:g}" for rho in sorted(set(rhos[1:])))}
    facts = {"width": width, "height": height, "classes": len(dataset.classes) - 1, "network": network, **told}
    return ABOUT[task.data].format(models=rivals + 1, rivals=rivals, **facts)


def tools_table(rows: list[dict[str, Any]]) -> str:
    """Actions and pictures that reach each mark, for each choice of tools."""
    names = [name for name in VARIANTS if all(name in row["work"] for row in rows)]
    tools = ["| tools | " + " | ".join(f"actions to {mark} | reached" for mark in MARKS) + " |", "| --- |" + " --- |" * (2 * len(MARKS))]
    for name in names:
        costs = [[endless(row["work"][name]["cost"][str(mark)]) for row in rows] for mark in MARKS]
        tools.append(f"| {SAID[name]} | " + " | ".join(f"{middle(cost)} | {share(np.isfinite(cost))}" for cost in costs) + " |")
    return "\n".join(tools)


def against(rows: list[dict[str, Any]], mark: str) -> tuple[str, str, str, str, str, str]:
    """Actions by polygons, by choosing, these as a part of those (median), by choosing without hover; pictures up to 5 actions and a tenth."""
    drawn = np.array([endless(row["polygons"][mark]) for row in rows])
    chosen, clicked = (np.array([endless(row["work"]["screen"][way][mark]) for row in rows]) for way in ("cost", "with clicks for hover"))
    part = float(np.quantile(chosen / drawn, 0.5, method="inverted_cdf"))
    shares = share(chosen <= 5), share((10 * chosen <= drawn) & np.isfinite(chosen))
    return quartiles(drawn), quartiles(chosen), share(part) if np.isfinite(part) else "-", middle(clicked), *shares


def in_small(rows: list[dict[str, Any]]) -> str:
    """What pictures with small figures need to 0.95, in words."""
    drawn, chosen, part, *_ = against(rows, "0.95")
    whole = f"{part} in the median, and {together(rows, '0.95')} over all {len(rows)} pictures"
    return f"{chosen} actions to 0.95 stand against {drawn} of polygons: {whole}"


def together(rows: list[dict[str, Any]], mark: str) -> str:
    """Actions of all pictures that reach a mark, each way, in words."""
    both = [(row["work"]["screen"]["cost"][mark], row["polygons"][mark]) for row in rows]
    chosen, drawn = np.array([pair for pair in both if None not in pair], np.int64).reshape(-1, 2).sum(0)
    return f"{chosen:,} actions against {drawn:,} by polygons ({share(chosen / drawn)})" if drawn else "none"


def endless(cost: int | None) -> float:
    """What was not reached is beyond every number."""
    return float("inf") if cost is None else float(cost)


def middle(values: Any) -> str:
    """The median, taken from below, in words."""
    return number(float(np.quantile(values, 0.5, method="inverted_cdf"))) if len(values) else "-"


def quartiles(values: Any) -> str:
    """Median and quartiles."""
    low, half, high = (number(float(v)) for v in np.quantile(values, [0.25, 0.5, 0.75], method="inverted_cdf"))
    return f"{half} ({low} to {high})"


def number(value: float) -> str:
    """A count or a share, short."""
    return f"{value:.3g}" if np.isfinite(value) else "not reached"


def share(truths: Any) -> str:
    """A share in percent."""
    return f"{100 * float(np.mean(truths)):.0f} %"


def draw(path: Path, task: Task) -> None:
    """Picture, target's map, the layer after the work, and the truth, side by side."""
    truth, maps, picture, dataset = read(task)
    ground = dataset.classes.background
    rivals = [*maps[1:], *votes(maps, background=ground)]
    segments = superpixels(picture, segment_size(*truth.shape))
    work = pick_and_rename(truth, maps[0], rivals, segments=segments, tools=VARIANTS["screen"], background=ground)
    colours = np.full((256, 3), 255, np.uint8)
    colours[: len(dataset.classes)] = class_colours(dataset.classes)
    panels = [picture, *(colours[layer] for layer in (maps[0], work.actions[-1].layer, truth))]
    gap = np.full((truth.shape[0], 2, 3), 255, np.uint8)
    strip = np.hstack([part for panel in panels for part in (panel, gap)][:-1])
    scale = max(1, round(200 / truth.shape[1]))
    large = cv2.resize(strip, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    cv2.imwrite(str(path), large[..., ::-1])


if __name__ == "__main__":
    main()
