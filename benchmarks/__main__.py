"""All benchmarks in turn, one table at the end.

    python -m benchmarks [--quick] [--only NAME ...] [--write-docs] [--no-run]

Each benchmark runs in a process of its own and leaves `benchmarks/results/<name>.json`. `--write-docs` puts the figures of all of these
into `docs/results/speed.md`, so that no number there is typed by hand; with `--no-run` from what is there already.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.page import write_page
from benchmarks.results import Row, as_text, machine, tell

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results")
PAGE = ROOT / "docs" / "results" / "speed.md"
BENCHMARKS = ("counts", "bootstrap", "audit", "predict", "train", "compose", "paste", "swap", "mine", "review", "painter")


def main() -> int:
    """Runs what was asked for; returns 1 if a benchmark broke, whatever the ratios are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that all runs, says nothing about speed")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--write-docs", action="store_true", help=f"write the figures into {PAGE.relative_to(ROOT)}")
    parser.add_argument("--no-run", action="store_true", help="take the results of earlier runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON files")
    given = parser.parse_args()
    if given.quick and given.write_docs:
        parser.error("--quick measures too little to be written down; leave one of them out")
    broken = [] if given.no_run else [name for name in given.only if not run(name, quick=given.quick, results=given.results)]
    found = [
        json.loads(file.read_text()) for name in BENCHMARKS if name in given.only and (file := given.results / f"{name}.json").exists()
    ]
    rows = [Row(**row) for each in found for row in each["rows"]]
    print(f"\n{_machine_words(found)}\n\n{as_text(rows)}" if rows else "\nnothing was measured")
    for each in found:
        for skipped in each["skipped"]:
            print(f"left out: {skipped['skipped']}: {skipped['reason']}")
    if given.quick:
        print("small sizes: the verdicts mean nothing")
    if given.write_docs:
        write_page(PAGE, read_results(given.results, BENCHMARKS))
    for name in broken:
        tell(f"{name} broke; its words are above")
    return 1 if broken else 0


def run(name: str, *, quick: bool, results: Path) -> bool:
    """Runs one benchmark and writes its results; False if it ended with an error."""
    path = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    about, started = machine(), time.time()
    command = [sys.executable, "-m", f"benchmarks.{name}", *(["--quick"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = {
        "benchmark": name,
        "quick": quick,
        "measured": time.strftime("%Y-%m-%d", time.localtime(started)),
        "took_s": round(time.time() - started, 1),
        "machine": about,
        "rows": [line["row"] for line in lines if "row" in line],
        "skipped": [line for line in lines if "skipped" in line],
    }
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{name}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return done.returncode == 0


def read_results(folder: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """The results of some benchmarks, of those that have left any."""
    files = [folder / f"{name}.json" for name in names]
    return [json.loads(file.read_text()) for file in files if file.exists()]


def _machine_words(found: Sequence[dict[str, Any]]) -> str:
    about = found[0]["machine"]
    return f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB; load before the runs: " + ", ".join(
        f"{each['benchmark']} {each['machine']['load_before']}" for each in found
    )


if __name__ == "__main__":
    sys.exit(main())
