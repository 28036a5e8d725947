"""The benchmarks run from start to end on small sizes and give ratios; how large they are is for a quiet machine to say."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.__main__ import BENCHMARKS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_gives_ratios(name, tmp_path):
    """Rows with positive ratios, a table, and a file of results; or a reason why not."""
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", name, "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "FIGUREGROUND_FIFTYONE": ""})
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / f"{name}.json").read_text())
    assert found["rows"] or found["skipped"]
    for row in found["rows"]:
        assert math.isfinite(row["ratio"])
        assert row["ratio"] > 0
        assert row["what"] in done.stdout
    assert found["machine"]["cores"] >= 1


def test_the_page_takes_figures_between_its_marks(tmp_path):
    """What stands around the marks stays, and figures of what was not measured; its earlier figures go, and quick ones are refused."""
    page, results = tmp_path / "speed.md", tmp_path / "results"
    other = "### Bootstrap\n\nas it was"
    page.write_text(f"before\n<!-- figures: start -->\n\n{other}\n\n### Joint counts\n\nold\n\n<!-- figures: end -->\nafter\n")
    row = {"benchmark": "counts", "what": "a thing", "on": "data", "peer": "peer", "ratio": 2.5, "kind": "times as fast", "target": 3}
    about = {"processor": "p", "cores": 2, "memory_gib": 4.0, "system": "s", "python": "3", "packages": {}, "load_before": 0.1}
    each = {"benchmark": "counts", "quick": False, "measured": "2026-01-01", "machine": about, "rows": [row], "skipped": []}
    code = (
        "import json, sys, pathlib; from benchmarks.page import write_page; "
        "write_page(pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text()))"
    )
    results.write_text(json.dumps([each]))
    run = [sys.executable, "-c", code, str(page), str(results)]
    assert subprocess.run(run, cwd=ROOT, check=False).returncode == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert text.index("### Joint counts") < text.index(f"\n\n{other}\n\n<!-- figures: end -->")
    assert "| a thing | data | peer |  |  | 2.5 |  |  | ≥ 3 | **not met** |" in text
    results.write_text(json.dumps([{**each, "quick": True}]))
    assert "--quick" in subprocess.run(run, cwd=ROOT, check=False, capture_output=True, text=True).stderr
    assert page.read_text() == text
