"""The report: one HTML file that opens from disk, asks nothing of any network, and is the same for the same artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from figureground.core.errors import ArtifactError, InputError
from figureground.report import (
    answers_page,
    answers_reading,
    charts,
    flips,
    groups,
    loop_page,
    loop_reading,
    overview,
    pictures,
    reading,
    risk,
    words,
)
from figureground.report.reading import AuditArtifact, PredictionAudit, read_audit
from figureground.report.rendering import LIMIT, environment, policy_digest, source
from figureground.runs.artifact import read_manifest

NAME = "report.html"


def write_report(artifact_dir: Path, out: Path | None = None) -> Path:
    """Write the report of an audit, a loop or the answers of a classifier as one HTML file.

    Args:
        artifact_dir: directory that `figureground audit`, `loop` or `classify` wrote.
        out: file to write; by default `report.html` in that directory.

    Returns:
        The file written.

    Raises:
        ArtifactError: the directory is no audit, no loop and no answers of a schema this version reads.
        InputError: the file cannot be written.
    """
    html = _html(Path(artifact_dir))
    target = Path(out) if out is not None else Path(artifact_dir) / NAME
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(html, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{target}: the report cannot be written there ({error.strerror}). Choose another file") from error
    return target


def _html(directory: Path) -> str:
    """The page that the kind of the artifact asks for."""
    kind = read_manifest(directory).kind
    if kind == reading.KIND:
        return report_html(read_audit(directory))
    if kind == loop_reading.KIND:
        return loop_page.loop_html(loop_reading.read_loop(directory))
    if kind == answers_reading.KIND:
        return answers_page.answers_html(answers_reading.read_answers(directory))
    raise ArtifactError(f"{directory}: a report is made of an artifact of kind 'answers', 'audit' or 'loop'; this one is of kind '{kind}'")


def report_html(artifact: AuditArtifact) -> str:
    """The page as text."""
    script = source("report.js")
    template = environment().get_template("page.html.j2")
    values = {
        "artifact": artifact,
        "style": Markup(source("report.css")),
        "script": Markup(script),
        "script_digest": policy_digest(script),
        "headline": headline(artifact),
        "worst": overview.most_flipped(artifact),
        "compared": overview.compared_rows(artifact),
        "differences": overview.difference_tables(artifact),
    }
    panels = [_panel(index, prediction) for index, prediction in enumerate(artifact.predictions, 1)]
    bare = len(template.render(panels=[panel | _pictures(panel["prediction"], 0) for panel in panels], **values).encode("utf-8"))
    budget = (LIMIT - bare) // max(1, len(panels))
    return template.render(panels=[panel | _pictures(panel["prediction"], budget) for panel in panels], **values)


def headline(artifact: AuditArtifact) -> tuple[str, str]:
    """The finding in one sentence, and what follows it."""
    if artifact.sentence:
        return words.opening(artifact.sentence)
    if len(artifact.predictions) == 1:
        return words.opening(str(artifact.predictions[0].numbers.get("sentence") or ""))
    finding = words.compare_sentence({p.name: overview.flipped_share(p) for p in artifact.predictions})
    worst = overview.most_flipped(artifact)
    said = words.opening(str(worst.numbers.get("sentence") or ""))[0] if worst else ""
    return finding, f"{worst.name}: {said}" if worst and said else ""


def _panel(index: int, prediction: PredictionAudit) -> dict[str, Any]:
    """Everything the template shows of one prediction but its pictures."""
    found = risk.risk(prediction)
    tables = groups.group_tables(prediction)
    return {
        "index": index,
        "prediction": prediction,
        "sentence": str(prediction.numbers.get("sentence") or ""),
        "figures": overview.key_figures(prediction),
        "further": overview.further_figures(prediction),
        "groups": tables,
        "matrix": flips.flip_matrix(prediction),
        "pairs": flips.confused_pairs(prediction),
        "classes": flips.class_rows(prediction),
        "gaps": groups.gaps(prediction),
        "risk": found,
        "curve": Markup(charts.risk_coverage_svg(found.curve, name=f"curve-{index}")) if found and found.curve else None,
        "relabelled": flips.relabelled(prediction),
        "confusable": flips.confusable(prediction),
        "regions": flips.regions(prediction),
    }


def _pictures(prediction: PredictionAudit, budget: int) -> dict[str, Any]:
    """The contact sheet within a size, and the picture beside the finding."""
    sheet = pictures.contact_sheet(prediction, budget=budget, by=prediction.by)
    return {"sheet": sheet, "hero": _hero(sheet, prediction)}


def _hero(sheet: pictures.ContactSheet, prediction: PredictionAudit) -> pictures.Card | None:
    """The worst sample that shows the most common confusion, else the worst that has pictures."""
    flips_found = prediction.rows("flips")
    top = f"{flips_found[0].get('truth')} called {flips_found[0].get('predicted')}" if flips_found else ""
    shown = [card for card in sheet.cards if any(view.source for view in card.views)]
    return next((card for card in shown if card.confusion == top), shown[0] if shown else None)
