"""Every command and every piece of Python in README and docs is run, in the order of its page, and what it prints is what stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.floor.workplace import ROOT, Block, blocks, make_workplace

import figureground
from figureground.stages.audit.result import read_summary

PAGES = [ROOT / "docs" / "tutorial.md", ROOT / "README.md", ROOT / "docs" / "index.md"]
PAGES += sorted((ROOT / "docs" / "how-to").glob("*.md")) + sorted((ROOT / "docs" / "ideas").glob("*.md"))
RUNNABLE = [page for page in PAGES if any(block.language in ("bash", "python") for block in blocks(page))]
NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*")
NAMES = "duck|hare|cat|shore|forest|street"
pytestmark = pytest.mark.timeout(1800)
DRAWN = re.compile(rf"\b(?:{NAMES})\b(?: or (?:{NAMES})\b)*")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_workplace(tmp_path_factory.mktemp("workplace"))
    run(folder, "figureground demo")
    return folder


def environment(folder: Path) -> dict[str, str]:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    source = os.pathsep.join(filter(None, [str(ROOT / "src"), str(folder), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PATH": path, "PYTHONPATH": source, "COLUMNS": "100", "NO_COLOR": "1"}


def run(folder: Path, text: str) -> str:
    """What a piece of shell prints; it must succeed."""
    done = subprocess.run(["bash", "-euc", text], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def pieces(page: Path) -> list[Block]:
    """The blocks of a page that are run or written to a file, and the outputs; blocks marked `sh` and calls of `make` install things."""
    kept = []
    for block in blocks(page):
        if block.language == "bash":
            lines = [line for line in block.text.splitlines() if not line.startswith("make ")]
            kept.append(Block(language="bash", title="", text="\n".join(lines)))
        elif block.title or block.language in ("python", "text"):
            kept.append(block)
    return kept


def same(shown: str, printed: str, *, trained: bool = False) -> bool:
    """Equal words, and equal numbers; what comes from a training may differ as it does from processor to processor.

    There numbers may be near, and one animal or ground may stand for another: which group is worst hit is decided by the last digits.
    """
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=False)
    return words(shown, trained=trained) == words(printed, trained=trained) and all(near(a, b, trained=trained) for a, b in pairs)


def is_trained(page: Path, text: str) -> bool:
    """Whether an output depends on a training: all of the tutorial but what `doctor` counts."""
    return page.name == "tutorial.md" and "No faults found" not in text


def words(text: str, *, trained: bool = False) -> list[str]:
    bare = NUMBER.sub("#", re.sub(r"\s+", " ", text.replace("\u00a0", " "))).strip()
    return (DRAWN.sub("NAME", bare) if trained else bare).split(" ")


def near(shown: str, printed: str, *, trained: bool) -> bool:
    """Equal but for the last digit; of a training within 12 or 30 % where they have one decimal or none, 0.12 where more."""
    decimals = len(shown.partition(".")[2])
    value, other = (float(number.replace(",", "")) for number in (shown, printed))
    if trained:
        allowed = max(12.0, 0.3 * abs(value)) if decimals < 2 else 0.12
    else:
        allowed = 10.0**-decimals if decimals else 0.0
    return abs(value - other) <= allowed + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_script_of_a_page_runs_and_prints_what_stands_there(page: Path, workplace: Path) -> None:
    """Bash blocks run as they stand; the Python of a page runs as one script, each piece with what the ones before it left."""
    script, python_output, output = [], [], None
    for block in pieces(page):
        if block.title:
            (workplace / block.title).write_text(block.text)
            output = None
        elif block.language == "bash":
            output = run(workplace, block.text)
        elif block.language == "python":
            output = "python"
            script.append(block.text)
            python_output.append(None)
        elif output == "python":
            python_output[-1] = block.text
        elif output is not None:
            assert same(block.text, output, trained=is_trained(page, block.text)), (
                f"{page.name} shows\n{block.text}\nand it prints\n{output}"
            )
            output = None
    for shown, printed in zip(python_output, run_pieces(workplace, script), strict=True):
        assert shown is None or same(shown, printed, trained=is_trained(page, shown)), (
            f"{page.name} shows\n{shown}\nand it prints\n{printed}"
        )


def run_pieces(folder: Path, script: list[str]) -> list[str]:
    """What each piece of one script prints."""
    if not script:
        return []
    mark = "---- next piece ----"
    (folder / "page.py").write_text(f'\nprint("{mark}")\n'.join(script))
    done = subprocess.run([sys.executable, "page.py"], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(mark)


@pytest.mark.slow
def test_the_demo_tells_its_story(workplace: Path) -> None:
    """Both networks find the figures; tied to its ground, the network misnames them off it and nowhere else, and without a tie it does not."""
    found = read_summary(workplace / "demo-out" / "audit")
    tied, balanced = found["predictions"]["tied"], found["predictions"]["balanced"]
    assert abs(tied["foreground_iou"]["value"] - balanced["foreground_iou"]["value"]) < 0.12
    assert balanced["foreground_iou"]["value"] > 0.65
    assert tied["rates"]["flipped"]["low"] > 3 * balanced["rates"]["flipped"]["high"]
    assert tied["gaps"]["flip"]["low"] > 0.15 > balanced["gaps"]["flip"]["high"]
    flipped = {kind: [g["rates"]["flipped"] for g in tied["groups"] if g["kind"] == kind] for kind in ("common", "counterfactual")}
    assert [len(groups) for groups in flipped.values()] == [3, 6]
    assert max(rate["high"] for rate in flipped["common"]) < min(rate["low"] for rate in flipped["counterfactual"])


@pytest.mark.slow
@pytest.mark.browser
def test_the_report_of_the_demo_opens_without_a_word(workplace: Path, chromium: Any) -> None:
    """In a browser it shows both findings and every picture, asks for nothing outside itself, and complains of nothing."""
    report, heard = workplace / "demo-out" / "audit" / "report.html", []
    page = chromium.new_page()
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].filter(i => i.checkVisibility()).every(i => i.complete)")
    assert page.evaluate("[...document.images].filter(i => i.checkVisibility()).every(i => i.naturalWidth > 0)")
    assert page.evaluate("document.images.length") > 20
    assert page.locator(".sentence").count() >= 1
    page.close()
    assert heard == []


def test_the_comparison_of_outputs_can_fail() -> None:
    """Another word, another number of words, or a number far off is a difference; spaces and small noise are none."""
    assert same("flipped  25.3 %", "flipped 25.3 %\n")
    assert same("flipped 25.3 %", "flipped 29.9 %", trained=True)
    assert not same("flipped 25.3 %", "flipped 25.9 %")
    assert not same("flipped 25.3 %", "flipped 45.3 %", trained=True)
    assert same("41 % of the duck pixels are called cat or hare", "44 % of the hare pixels are called cat", trained=True)
    assert not same("the duck pixels are called cat", "the hare pixels are called cat")
    assert not same("gap 0.38", "gap 0.18", trained=True)
    assert not same("0 faults", "1 faults")
    assert not same("flipped 25.3 %", "missed 25.3 %", trained=True)
    assert not same("flipped 25.3 %", "flipped 25.3 % of all", trained=True)


def test_the_full_description_of_own_data_is_one_that_opens(tmp_path: Path) -> None:
    """The longer dataset.toml of the page, with every key, is read without a complaint."""
    page = blocks(ROOT / "docs" / "how-to" / "own-data.md")
    full = [block.text for block in page if block.language == "toml"][1]
    (tmp_path / "dataset.toml").write_text(full)
    (tmp_path / "samples.csv").write_text("id,mask,species,place\na,a.png,duck,shore\n")
    data = figureground.open_dataset(str(tmp_path))
    assert data.classes.ids == (0, 3, 7)
    assert data.common == {"duck": "shore", "cat": "street"}
    assert data.attribute(data.samples[0], "context") == "shore"
