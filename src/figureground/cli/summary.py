"""What a finished audit prints at a terminal: the finding, the rates, the groups and where to read on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from figureground.cli.terminal import interval_text, make_console, percent_text, print_table

STYLES = {"correct": "#009E73", "flipped": "#D55E00", "missed": "#7F7F7F", "added": "#CC79A7"}
MOST_GROUPS = 12
SWEEP_WORDS = {
    "gap_iou": "IoU gap",
    "counterfactual_flip": "flipped,\ncounter-\nfactual",
    "common_flip": "flipped,\ncommon",
    "foreground_iou": "IoU, any\nforeground",
    "class_iou": "IoU, mean\nof classes",
    "top_decile_share": "top\ntenth",
}
"""The figures of a sweep and the heads of their columns."""


def print_audit(summary: Mapping[str, Any], page: Path | None) -> None:
    """Prints to stdout; several predictions stand in one table."""
    console = make_console()
    found = summary["predictions"] if "predictions" in summary else {summary["prediction"]: summary}
    for name, one in found.items():
        console.print(f"{name}: {one['sentence']}" if len(found) > 1 else one["sentence"], markup=False)
    print_table(_rates_table(found))
    if len(found) == 1 and (groups := _groups_table(next(iter(found.values())))):
        print_table(groups)
    if page is not None:
        console.print(f"Report: {page}", markup=False, soft_wrap=True)


def print_sweep(rows: Sequence[Mapping[str, Any]], differences: Sequence[Mapping[str, Any]], place: Path) -> None:
    """Prints the rows of a sweep to stdout, one table an architecture, then what objectives change, and where the table stands."""
    console = make_console()
    for architecture in dict.fromkeys(row["architecture"] for row in rows):
        print_table(_sweep_table(architecture, [row for row in rows if row["architecture"] == architecture]))
    for architecture, first in dict.fromkeys((row["architecture"], row["against"]) for row in differences):
        changed = [row for row in differences if (row["architecture"], row["against"]) == (architecture, first)]
        print_table(_sweep_table(f"{architecture}: change against {first}, in points", changed, points=True))
    console.print(f"{rows[0]['seeds']} seeds. Table and picture: {place}", markup=False, soft_wrap=True)


def _sweep_table(title: str, rows: Sequence[Mapping[str, Any]], *, points: bool = False) -> Table:
    table = Table("objective", title=escape(title), title_justify="left", box=None, header_style="bold", pad_edge=False)
    for name in ("rho", *SWEEP_WORDS.values()):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row["objective"], f"{row['rho']:g}", *(interval_cell(row[name], points=points) for name in SWEEP_WORDS))
    return table


def _rates_table(found: Mapping[str, Any]) -> Table:
    table = Table("prediction", box=None, header_style="bold", pad_edge=False)
    for name, style in STYLES.items():
        table.add_column(name, justify="right", style=style)
    table.add_column("foreground IoU", justify="right")
    table.add_column("mIoU", justify="right")
    for name, one in found.items():
        values = [one["rates"][rate] for rate in STYLES]
        table.add_row(
            escape(name), *(interval_cell(v) for v in values), interval_cell(one["foreground_iou"]), interval_cell(one["miou"]["macro"])
        )
    return table


def _groups_table(one: Mapping[str, Any]) -> Table | None:
    crossed = [g for g in one["groups"] if g["by"] == one["by"] and g["rates"]["flipped"]["value"] is not None]
    if not crossed:
        return None
    crossed.sort(key=lambda g: (g["few"], -g["rates"]["flipped"]["value"]))
    shown = crossed[:MOST_GROUPS]
    title = (
        f"{len(shown)} of {len(crossed)} groups, most flipped first, those of few samples last" if len(shown) < len(crossed) else "groups"
    )
    table = Table(*one["by"], "samples", title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for name, style in STYLES.items():
        table.add_column(name, justify="right", style=style)
    table.add_column("")
    for g in shown:
        marks = "\n".join(filter(None, [g["kind"], "few" if g["few"] else None]))
        values = [interval_cell(g["rates"][rate]) for rate in STYLES]
        table.add_row(*(escape(g["attributes"][a]) for a in one["by"]), str(g["samples"]), *values, marks)
    return table


def interval_cell(interval: Mapping[str, float | None], *, points: bool = False, plain: bool = False) -> str:
    """A share with its per cent sign above its interval; with `points` a difference with its sign, with `plain` a number as it is."""
    value, low, high = interval["value"], interval["low"], interval["high"]
    if value is None:
        return "undefined"
    if plain:
        return f"{value:.2f}" if low is None or high is None else f"{value:.2f}\n[dim]{low:.2f} to {high:.2f}[/dim]"
    told = percent_text(value, sign=True) if points else f"{percent_text(value)} %"
    if low is None or high is None:
        return told
    return f"{told}\n[dim]{interval_text(low, high)}[/dim]"
