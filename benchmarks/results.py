"""What a benchmark hands on: rows of ratios with their targets, as one line of JSON each between processes, and as a table for people."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from benchmarks.timing import Ratio

PACKAGES = ("numpy", "numba", "opencv-python-headless", "pillow", "pyarrow", "scikit-learn", "torch", "torchmetrics")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured ratio."""

    benchmark: str
    what: str
    on: str
    """The data, and whatever else distinguishes the row."""
    peer: str
    ratio: float
    kind: Literal["times as fast", "times the peer"]
    """Peer's time over ours (large is good), or ours over the peer's (small is good)."""
    target: float | None = None
    """At least, or at most, by `kind`; None = reported only."""
    best: float | None = None
    """The ratio of the best rounds."""
    cpu: float | None = None
    """The ratio of processor times."""
    ours: str = ""
    """Our side as an amount with its unit."""
    theirs: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)
    """Whatever else was measured."""

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.ratio >= self.target if self.kind == "times as fast" else self.ratio <= self.target

    @property
    def aim(self) -> str:
        """The target in words; empty without one."""
        return "" if self.target is None else f"{'≥' if self.kind == 'times as fast' else '≤'} {self.target:g}"

    @property
    def verdict(self) -> str:
        """Whether the target is met, in a word."""
        return {None: "reported", True: "met", False: "NOT MET"}[self.met]


def of_ratio(found: Ratio) -> dict[str, float | None]:
    """The fields of a row that a ratio fills."""
    return {"ratio": found.median, "best": found.best, "cpu": found.cpu}


def write_rows(rows: Iterable[Row]) -> None:
    """One line of JSON per row on standard output: how a benchmark speaks to the entry point."""
    for row in rows:
        print(json.dumps({"row": asdict(row)}), flush=True)


def write_skipped(benchmark: str, reason: str) -> None:
    """Says that a benchmark, or a part of it, cannot run here."""
    print(json.dumps({"skipped": benchmark, "reason": reason}), flush=True)


def tell(text: str) -> None:
    """Progress, kept apart from the results."""
    print(text, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Seconds with a unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def as_text(rows: Sequence[Row]) -> str:
    """The closing table."""
    head = ("what", "on", "peer", "ratio", "best", "cpu", "target", "")
    body = [(r.what, r.on, r.peer, number_words(r.ratio), number_words(r.best), number_words(r.cpu), r.aim, r.verdict) for r in rows]
    widths = [max(len(line[k]) for line in [head, *body]) for k in range(len(head))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in [head, *body]]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def number_words(value: float | None) -> str:
    """A ratio with three digits; empty for None."""
    return "" if value is None else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
