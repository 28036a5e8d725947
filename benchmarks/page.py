"""The figures of the page on speed, written between two marks so that the words around them stay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import Row, number_words

START, END = "<!-- figures: start -->", "<!-- figures: end -->"
TITLES = {
    "counts": "Joint counts",
    "bootstrap": "Bootstrap",
    "audit": "The audit",
    "predict": "Prediction",
    "train": "Training",
    "compose": "Composing",
    "paste": "Setting cut-outs on scenes",
    "swap": "Swapping backgrounds",
    "mine": "Mining",
    "review": "The review server",
    "painter": "The painter",
}


def write_page(page: Path, found: Sequence[dict[str, Any]]) -> None:
    """Puts the results of benchmarks between the marks of the page, where those of others stay; quick runs raise `SystemExit`."""
    quick = [each["benchmark"] for each in found if each["quick"]]
    if quick or not found:
        raise SystemExit(f"no full results to write: {', '.join(quick) or 'nothing'} was measured with --quick; run it without")
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(START)
    before, _, tail = rest.partition(END)
    if not tail:
        raise SystemExit(f"{page}: the marks {START} and {END} are not there")
    there = {part.partition("\n")[0]: f"### {part.strip()}" for part in before.split("\n### ")[1:]}
    there |= {TITLES[each["benchmark"]]: _section(each) for each in found}
    body = "\n\n".join(there[title] for title in TITLES.values() if title in there)
    page.write_text(f"{head}{START}\n\n{body}\n\n{END}{tail}", encoding="utf-8")


def _section(each: dict[str, Any]) -> str:
    rows = [Row(**row) for row in each["rows"]]
    about = each["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    lines = [
        f"### {TITLES[each['benchmark']]}",
        "",
        f"Measured {each['measured']} on {about['cores']} cores of {about['processor']}, {about['memory_gib']} GiB, {about['system']}, "
        f"load {about['load_before']} before the run; Python {about['python']}, {packages}.",
        "",
        "| what | on | peer | figureground | peer's | ratio | best | by processor time | asked for | |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|---|",
        *(_line(row) for row in rows),
        *_memory(rows),
        *(f"\nLeft out: {skipped['skipped']}: {skipped['reason']}." for skipped in each["skipped"]),
    ]
    return "\n".join(lines)


def _line(row: Row) -> str:
    numbers = (number_words(value) for value in (row.ratio, row.best, row.cpu))
    verdict = {"met": "met", "NOT MET": "**not met**", "reported": ""}[row.verdict]
    cells = (row.what, row.on, row.peer, row.ours, row.theirs, *numbers, row.aim, verdict)
    return f"| {' | '.join(cells)} |"


def _memory(rows: Sequence[Row]) -> list[str]:
    """Peak memory by number of samples, where it was measured."""
    tables = [row.numbers["peak_mib"] for row in rows if "peak_mib" in row.numbers]
    if not tables:
        return []
    kinds = list(next(iter(tables[0].values())))
    head = ["", "| peak memory, MiB | " + " | ".join(kinds) + " |", "|---|" + "--:|" * len(kinds)]
    return head + [f"| {samples} | " + " | ".join(f"{mib[kind]:.0f}" for kind in kinds) + " |" for samples, mib in tables[0].items()]
