"""What the code offers has its place in the pages: verbs, options, kinds, faults, artifacts, settings, words."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from tests.floor.workplace import ROOT

import figureground
from figureground.core.options import describe_options
from figureground.data.dataset import FORMATS
from figureground.data.faults import FAULT_CODES
from figureground.data.predictions import PREDICTION_KINDS
from figureground.metrics.risk import SCORES
from figureground.models.fit.options import FitOptions
from figureground.models.predictor import CLASSIFIERS, PREDICTORS
from figureground.runs.artifact import ArtifactWriter
from figureground.stages.audit.options import AuditOptions
from figureground.stages.classify.options import ClassifyOptions
from figureground.stages.detect.options import DetectOptions
from figureground.stages.predict.options import PredictOptions
from figureground.stages.refit.options import RefitOptions
from figureground.stages.repair.options import RepairOptions
from figureground.stages.shift.compose_options import ComposeOptions
from figureground.stages.shift.split_options import BalanceOptions, SplitOptions
from figureground.stages.swap.options import BuildOptions, InfillOptions

DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(name: str) -> set[str]:
    """What stands in code in the first cell of each table row of a page."""
    return {cell for line in page(name).splitlines() if line.startswith("| `") for cell in re.findall(r"`([^`]+)`", line.split(" | ")[0])}


def headings(name: str) -> str:
    return "\n".join(line for line in page(name).splitlines() if line.startswith("#"))


def test_every_verb_has_a_heading() -> None:
    """The command-line page has a heading for each verb that the command line has."""
    from figureground.cli.app import app

    verbs = {str(command.name) for command in app.registered_commands}
    for group in app.registered_groups:
        verbs |= {f"{group.name} {command.name}" for command in group.typer_instance.registered_commands}
    assert verbs == set(re.findall(r"^## ([\w ]+)$", page("reference/cli.md"), re.MULTILINE))


OPTIONS = (
    AuditOptions,
    ClassifyOptions,
    DetectOptions,
    FitOptions,
    RefitOptions,
    RepairOptions,
    PredictOptions,
    ComposeOptions,
    SplitOptions,
    BalanceOptions,
    InfillOptions,
    BuildOptions,
)


@pytest.mark.parametrize("options", OPTIONS)
def test_every_option_has_a_row(options: type) -> None:
    """Each field of an options class is a flag in the command-line page."""
    flags = {f"--{info.name.replace('_', '-')}" for info in describe_options(options)}
    assert flags <= rows("reference/cli.md")


def test_every_kind_of_data_predictions_and_model_has_a_heading() -> None:
    """Each name of the three registries is in a heading of the page on specs."""
    named = headings("reference/specs.md")
    for kind in (*FORMATS.names(), *PREDICTION_KINDS.names(), *PREDICTORS.names(), *CLASSIFIERS.names()):
        assert f"`{kind}:`" in named, kind


def test_every_fault_has_a_row() -> None:
    """The page on faults lists the codes that the code has, and no other."""
    assert rows("reference/faults.md") == set(FAULT_CODES)


def test_every_fault_code_in_the_source_is_a_known_one() -> None:
    """Faults made anywhere in the source have a code from the one list."""
    made = set()
    for file in (ROOT / "src").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        made |= set(re.findall(r"(?:refusal|make_fault)\(\s*\"([a-z-]+)\"", text)) | set(re.findall(r"Fault\(\s*code=\"([a-z-]+)\"", text))
    assert len(made) > 10
    assert made <= set(FAULT_CODES)


def test_every_kind_of_artifact_has_a_heading() -> None:
    """Each kind that a stage writes is a heading of the page on artifacts."""
    kinds = set()
    for file in (ROOT / "src").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if ArtifactWriter.__name__ in text:
            kinds |= set(re.findall(r"kind=\"(\w+)\"", text)) | set(re.findall(r"^KIND(?:, SCHEMA)? = \"(\w+)\"", text, re.MULTILINE))
    assert {"audit", "predictions"} <= kinds
    assert kinds <= set(re.findall(r"^## (\w+)$", page("reference/artifacts.md"), re.MULTILINE))


def test_every_public_name_has_an_entry() -> None:
    """Each name that the package hands on stands in the Python page."""
    entries = set(re.findall(r"^::: [\w.]+\.(\w+)$", page("reference/python.md"), re.MULTILINE))
    assert entries == {name for name in figureground.__all__ if not name.startswith("__")}


def test_every_score_is_explained() -> None:
    """The page on flip-risk names each score that `predict` keeps."""
    text = page("ideas/flip-risk.md").replace("flip-risk", "flip_risk")
    assert all(score in text for score in SCORES)


IDEAS = sorted(path for path in (DOCS / "ideas").glob("*.md") if path.name not in ("index.md", "agreement.md"))


@pytest.mark.parametrize("path", IDEAS, ids=lambda path: path.stem)
def test_every_idea_has_its_parts(path) -> None:
    """A page on an idea has a picture, what happens when there is nothing, what it cannot see, and where it comes from."""
    text = path.read_text(encoding="utf-8")
    for part in ("![", "**Empty cases.**", "cannot see.**", "**Source"):
        assert part in text, part
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert (path.parent / picture).is_file(), picture


def test_every_page_is_in_the_navigation() -> None:
    """No page is written and then not found."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in DOCS.rglob("*.md"):
        assert str(path.relative_to(DOCS)) in navigation, path


def test_the_glossary_has_the_words_of_the_decomposition() -> None:
    """The words that stand in every table are in the glossary."""
    first = {line.split("|")[1].strip() for line in page("glossary.md").splitlines() if line.startswith("| ")}
    words = {word.strip() for cell in first for word in cell.split(",")}
    assert {"sample", "mask", "group", "common", "counterfactual", "correct", "flipped", "missed", "added", "region", "risk"} <= words


@pytest.mark.slow
def test_the_reference_is_what_the_code_says() -> None:
    """Writing the reference pages again would change nothing."""
    done = subprocess.run([sys.executable, "scripts/make_reference.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
