"""The page and rows of loop_results.py: figures over seeds, tables, the picture and what came out, all from the runs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from loop_networks import World
from loop_rounds import AGAINST, loop_place
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from over_seeds import Over, over

from figureground.loops.places import Places

Summary = Mapping[str, Any]
VERDICTS = {"correct": "#009E73", "flipped": "#D55E00", "missed": "#7F7F7F"}
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "figureground", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
TRAINED_OUT = 0.03
"""A network that gains this much on its validation data by a repair was not trained out before."""
INK, FAINT, LINE = "#0072B2", "#666666", "#dddddd"
TEXT = """# What rounds of mining and repair bring

<!-- Written by scripts/loop_results.py; every figure is from the runs it describes. -->

A whole [loop](../how-to/loop.md) of two repairs, answered by an oracle: networks that learned a shortcut, a pool in which half of the pictures
break it, 40 masks a round to learn from and 30 to test on. Ratings are 1 + 4 x the picture's mean IoU with noise of standard deviation 0.5,
rounded; masks are the true ones. Mean IoU in percent; intervals are 95 % by Student's t over {seeds} seeds, each with pictures and networks
of its own.

```sh
python scripts/loop_results.py --data DATA --out DIR
```

![Mean IoU of target and rivals on the validation data and on fresh test sets, and flips before and after each repair by selector](loop.svg)

{sections}
## How it was chosen

Learning rate, epochs, the share of labelled pictures and what is held out were tried out on the first seed of each data set, by flips on its
audit; that seed is one of those above. Of several learning rates the one that is best on the validation data would be kept, and where these
hold the tie it is the one that repaired least: so there is one rate. Everything else is in `scripts/recipes/loop-figures.toml` and
`loop-photographs.toml`. Repairs ran with Adam, 8 epochs, batches of 16 of which a quarter are labelled pictures, none of these held out to judge
by, and test sets hold up to 10 pictures of a main object; the defaults, SGD at 1, 5 and 10e-5, up to 80 epochs of batches of 2 and four of an
object, are the paper's, for its larger networks and pools. The length of the queue matters: it was 10 for each rival, class and direction at first, hardly more than what is taken
from it, so that ratings chose next to nothing, and mining did not beat `entropy` then. 25 is the paper's.

The rows stand in [loop.json](loop.json): `round` is the number of repairs behind the target, `test_miou` and `rank` are on the test set that was
mined with the target of that round. `counterfactual_flip` is null for rivals: the target alone is audited.
"""
ABOUT = """## {title}

{about}

**Models where they disagree.** T1 is mined with the target as it was given, T2 and T3 after each repair: every column is another set.

{models}

**What each selector brought**, at equal labels, on audit pictures and on the test set mined after its own last repair, another set for each: compare by
flips and duels.

{selectors}

**Duels**: the target that learned what was mined against the one that learned what another selector chose, on 30 pictures that neither
learned and on which they disagree most.

{duels}

**How the gain divides**, parts of the foreground of the audit, mining:

{verdicts}

{claims}
"""
TITLES = {"figures": "Drawn figures", "photographs": "Photographs"}


@dataclass(frozen=True, slots=True)
class Runs:
    """The loops of one data set, by selector, one a seed, and the duels."""

    data: str
    loops: Mapping[str, Sequence[Summary]]
    duels: Mapping[str, Sequence[Summary]]

    def figure(self, selector: str, read: Callable[[Summary], float | None]) -> Over | None:
        """A figure of the loops of a selector."""
        return over(read(loop) for loop in self.loops[selector])

    def paired(self, one: str, other: str, read: Callable[[Summary], float | None]) -> Over | None:
        """How much more the one selector has than the other, paired by seed."""
        pairs = [(read(a), read(b)) for a, b in zip(self.loops[one], self.loops[other], strict=True)]
        return over(None if a is None or b is None else a - b for a, b in pairs)


def read_runs(worlds: Sequence[World]) -> list[Runs]:
    """The runs of all worlds, by data set."""
    found = []
    for name in dict.fromkeys(world.recipe["name"] for world in worlds):
        own = [world for world in worlds if world.recipe["name"] == name]
        selectors = own[0].recipe["rounds"]["selectors"]
        loops = {selector: [_json(Places(out=loop_place(world, selector)).report / "loop.json") for world in own] for selector in selectors}
        duels = {other: [_json(world.place / "duels" / other / "duel" / "ranking.json") for world in own] for other in AGAINST}
        found.append(Runs(name, loops, duels))
    return found


def _json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))


# What is read of a loop ----------------------------------------------------------------------------------------------


def validation(version: int) -> Callable[[Summary], float | None]:
    """MIoU of a version of the target on the validation data."""
    return lambda loop: next((row["miou"]["value"] for row in loop["validation"] if row["version"] == version), None)


def on_test(model: str, number: int, what: str = "miou") -> Callable[[Summary], float | None]:
    """MIoU or place of a model on the fresh test set of a round, each model as it is then."""

    def read(loop: Summary) -> float | None:
        row = next(one for one in loop["rounds"][number - 1]["ranking"] if one["model"] == model)
        return row[what] if what == "place" else row[what]["value"]

    return read


def verdict(name: str, version: int, group: str = "counterfactual") -> Callable[[Summary], float | None]:
    """A rate of a version on the audit data."""

    def read(loop: Summary) -> float | None:
        rows = (row for row in loop["verdicts"] if (row["set"], row["group"], row["version"]) == ("audit", group, version))
        return next((row[name]["value"] for row in rows), None)

    return read


def change(read: Callable[[int], Callable[[Summary], float | None]], last: int) -> Callable[[Summary], float | None]:
    """From the first to the last version."""

    def of(loop: Summary) -> float | None:
        before, after = read(0)(loop), read(last)(loop)
        return None if before is None or after is None else after - before

    return of


def repairs(runs: Runs) -> int:
    """Repairs of every loop."""
    return sum(not row["retest"] for row in runs.loops["mad"][0]["rounds"])


# Rows ----------------------------------------------------------------------------------------------------------------


def rows(found: Sequence[Runs]) -> list[dict[str, Any]]:
    """What loop.json holds."""
    out: list[dict[str, Any]] = []
    for runs in found:
        for selector, loops in runs.loops.items():
            for version in range(repairs(runs) + 1):
                for one in loops[0]["models"]:
                    out.append(_row(runs, selector, version, one["model"], one["role"]))
        for other, duels in runs.duels.items():
            both = [over(_model(duel, name) for duel in duels) for name in ("mad", other)]
            out.append({"data": runs.data, "duel": ["mad", other], "miou": [one and one.plain() for one in both]})
    return out


def _row(runs: Runs, selector: str, version: int, model: str, role: str) -> dict[str, Any]:
    target = role == "target"
    known = validation(version) if target else _first_of(model)
    figures = {
        "validation_miou": known,
        "test_miou": on_test(model, version + 1),
        "rank": on_test(model, version + 1, "place"),
        "counterfactual_flip": verdict("flipped", version) if target else (lambda loop: None),
    }
    named = {"data": runs.data, "selector": selector, "round": version, "model": model, "role": role}
    told = {name: runs.figure(selector, read) for name, read in figures.items()}
    return {**named, **{name: one and one.plain() for name, one in told.items()}}


def _first_of(model: str) -> Callable[[Summary], float | None]:
    """MIoU of a rival on the validation data."""
    return lambda loop: next(
        one["miou"]["value"] for own in loop["models"] if own["model"] == model for one in own["sets"] if one["set"] == "T0"
    )


def _model(duel: Summary, name: str) -> float:
    return next(one["miou"]["value"] for one in duel["models"] if one["model"] == name)


# Tables --------------------------------------------------------------------------------------------------------------


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Markdown; all columns but the first flush right."""
    body = ["| " + " | ".join(cells) + " |" for cells in (head, ["---", *["---:"] * (len(head) - 1)], *lines)]
    return "\n".join(body)


def models_table(runs: Runs, selector: str = "mad") -> str:
    """Every model on the validation data and on each fresh test set."""
    count = repairs(runs)
    lines = []
    for one in runs.loops[selector][0]["models"]:
        model, target = one["model"], one["role"] == "target"
        first = runs.figure(selector, validation(0) if target else _first_of(model))
        cells = [_points(first), *(_points(runs.figure(selector, on_test(model, n))) for n in range(1, count + 2))]
        places = ", ".join(f"{runs.figure(selector, on_test(model, n, 'place')).value:.1f}" for n in range(1, count + 2))  # type: ignore[union-attr]
        lines.append([f"**{model}**" if target else model, *cells, places])
    return table(["model", "validation", *(f"T{n}" for n in range(1, count + 2)), "mean place"], lines)


def selectors_table(runs: Runs) -> str:
    """What each selector gained and forgot."""
    last = repairs(runs)
    lines = []
    for selector in runs.loops:
        flips = runs.figure(selector, verdict("flipped", 0)), runs.figure(selector, verdict("flipped", last))
        cells = [
            runs.figure(selector, on_test("target", last + 1)),
            *flips,
        ]
        forgot = runs.figure(selector, change(validation, last))
        lines.append([f"`{selector}`", *map(_points, cells), forgot.change() if forgot else ""])
    return table(["selector", f"target on T{last + 1}", "flipped before", f"after {last} repairs", "validation mIoU, change"], lines)


def duels_table(runs: Runs) -> str:
    """Mining against each other selector."""
    lines = []
    for other, duels in runs.duels.items():
        both = [over(_model(duel, name) for duel in duels) for name in ("mad", other)]
        difference = over(_model(duel, "mad") - _model(duel, other) for duel in duels)
        won = sum(_model(duel, "mad") > _model(duel, other) for duel in duels)
        lines.append([f"`mad` against `{other}`", *map(_points, both), difference.change() if difference else "", f"{won} of {len(duels)}"])
    return table(["duel", "`mad`", "the other", "difference", "seeds won"], lines)


def verdicts_table(runs: Runs, selector: str = "mad") -> str:
    """How the foreground of the audit divides, before and after."""
    last, lines = repairs(runs), []
    for group in ("counterfactual", "common"):
        for name in VERDICTS:
            ends = [runs.figure(selector, verdict(name, version, group)) for version in range(last + 1)]
            moved = runs.figure(selector, change(lambda version, n=name, g=group: verdict(n, version, g), last))
            lines.append([f"{group}, {name}", *map(_points, ends), moved.change() if moved else ""])
    return table(["pictures, verdict", *(_after(n) for n in range(last + 1)), "change"], lines)


def _after(count: int) -> str:
    return f"after {count} repair{'' if count == 1 else 's'}" if count else "before"


def _points(figure: Over | None) -> str:
    return figure.points() if figure else "undefined"


# The picture ---------------------------------------------------------------------------------------------------------


def picture(found: Sequence[Runs]) -> bytes:
    """For each data set: target and rivals on fresh test sets, and flips before and after by selector, as a stand-alone SVG."""
    with rc_context():
        rcdefaults()
        rcParams.update(STYLE)
        figure = Figure(figsize=(9.0, 3.1 * len(found)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(len(found), 2, squeeze=False)
        for runs, (left, right) in zip(found, axes, strict=True):
            _tests(left, runs)
            _flips(right, runs)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _tests(axes: Axes, runs: Runs) -> None:
    count = repairs(runs)
    places = np.arange(count + 2)
    for one in runs.loops["mad"][0]["models"]:
        model, target = one["model"], one["role"] == "target"
        first = runs.figure("mad", validation(0) if target else _first_of(model))
        values = [first, *(runs.figure("mad", on_test(model, n)) for n in range(1, count + 2))]
        _line(axes, places, values, label=model, color=INK if target else FAINT, wide=target)
    axes.set_xticks(places, ["validation", *(f"T{n}" for n in range(1, count + 2))])
    axes.set_title(f"{TITLES[runs.data]}: mean IoU (%), mining", fontsize=9, loc="left")
    axes.legend(frameon=False, fontsize=7)


def _flips(axes: Axes, runs: Runs) -> None:
    places = np.arange(repairs(runs) + 1)
    for (selector, style), moved in zip({"mad": INK, "entropy": "#E69F00", "random": FAINT}.items(), (-0.04, 0.0, 0.04), strict=True):
        values = [runs.figure(selector, verdict("flipped", version)) for version in places]
        _line(axes, places + moved, values, label=selector, color=style, wide=selector == "mad")
    axes.set_xticks(places, [_after(n) for n in places])
    axes.set_ylim(bottom=0)
    axes.set_title("flipped (%) of counterfactual audit pictures", fontsize=9, loc="left")
    axes.legend(frameon=False, fontsize=7)


def _line(axes: Axes, places: np.ndarray, values: Sequence[Over | None], *, label: str, color: str, wide: bool) -> None:
    value, low, high = (100 * np.array([np.nan if v is None else getattr(v, end) for v in values]) for end in ("value", "low", "high"))
    errors = np.nan_to_num([value - low, high - value])
    axes.errorbar(
        places, value, yerr=errors, color=color, label=label, marker="o", markersize=4, linewidth=1.8 if wide else 0.9, elinewidth=0.8
    )
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)


# What came out -------------------------------------------------------------------------------------------------------


def claims(runs: Runs) -> str:
    """The four questions, each answered by its figures."""
    last = repairs(runs)
    falls = runs.figure("mad", lambda loop: on_test("target", 1)(loop) - validation(0)(loop))  # type: ignore[operator]
    rises = runs.figure("mad", lambda loop: on_test("target", last + 1)(loop) - on_test("target", 1)(loop))  # type: ignore[operator]
    ahead = [runs.figure("mad", lambda loop, n=n: _lead(loop, n)) for n in (1, last + 1)]
    forgot, flips = runs.figure("mad", change(validation, last)), runs.figure("mad", change(lambda v: verdict("flipped", v), last))
    lines = [
        f"1. **Falsified**: on T1 the target has {_change(falls)} points against its validation mIoU: "
        f"{falls and falls.verdict(more='more', less='far less')}. The rivals have {_change(runs.figure('mad', _rivals_fall))} on average.",
        f"2. **Repaired**: on the last test set it has {_change(rises)} points more than it had on the first, "
        f"and leads the best rival by {_change(ahead[1])} where it was {_change(ahead[0])}. "
        f"On the validation data it changed by {_change(forgot)} points: "
        f"{forgot and forgot.verdict(more='nothing is forgotten', less='it forgot')}.{_also_trained(forgot)}",
        f"3. **Selectors**: {'; '.join(_duel_claim(runs, other) for other in runs.duels)}.",
        f"4. **Flips** of counterfactual pictures changed by {_change(flips)} points: {flips and flips.verdict(more='more', less='fewer')}.",
    ]
    return "\n".join(lines)


def _rivals_fall(loop: Summary) -> float:
    """MIoU of the rivals on T1 less that on the validation data, their mean."""
    sets = [{one["set"]: one["miou"]["value"] for one in model["sets"]} for model in loop["models"] if model["role"] == "rival"]
    return float(np.mean([one["T1"] - one["T0"] for one in sets]))


def _also_trained(forgot: Over | None) -> str:
    """What a large gain on the validation data means for the other figures."""
    if forgot is None or forgot.low < TRAINED_OUT:
        return ""
    return (
        " So it was not trained out before: repairs are epochs more, and a part of every gain here is that, whichever selector chose. "
        "The rivals got none of them."
    )


def _lead(loop: Summary, number: int) -> float:
    ranking = loop["rounds"][number - 1]["ranking"]
    own = next(one["miou"]["value"] for one in ranking if one["role"] == "target")
    return own - max(one["miou"]["value"] for one in ranking if one["role"] == "rival")


def _duel_claim(runs: Runs, other: str) -> str:
    found = over(_model(duel, "mad") - _model(duel, other) for duel in runs.duels[other])
    said = found.verdict(more="mining wins", less="mining loses") if found else "undefined"
    return f"against `{other}` {_change(found)} points: {said}"


def _change(figure: Over | None) -> str:
    return figure.change() if figure else "undefined"
