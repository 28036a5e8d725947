"""The report of answers: one HTML file that tells how often a classifier is right in each group, and whether it looks at the ground."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from figureground.report import answers_charts, answers_sections, words
from figureground.report.answers_pictures import FigureSheet, figure_sheet
from figureground.report.answers_reading import AnswersArtifact
from figureground.report.rendering import LIMIT, environment, policy_digest, source


def answers_html(artifact: AnswersArtifact) -> str:
    """The page as text."""
    template = environment().get_template("answers.html.j2")
    values = _values(artifact)
    bare = len(template.render(sheet=FigureSheet(cards=(), left_out=1), **values).encode("utf-8", errors="replace"))
    return template.render(sheet=figure_sheet(artifact, budget=LIMIT - bare), **values)


def headline(artifact: AnswersArtifact) -> tuple[str, str]:
    """The finding in one sentence, and what follows it."""
    return words.opening(artifact.sentence) if artifact.sentence.strip() else ("These answers come without a finding.", "")


def _values(artifact: AnswersArtifact) -> dict[str, Any]:
    """Everything the template shows but the pictures."""
    script = source("report.js")
    groups = answers_sections.group_rows(artifact)
    drawn = any(group.accuracy.known for group in groups.rows)
    chart = answers_charts.groups_svg((*groups.rows, *groups.more), mean=artifact.accuracies["accuracy"], name="groups") if drawn else None
    return {
        "artifact": artifact,
        "style": Markup(source("report.css") + source("answers.css")),
        "script": Markup(script),
        "script_digest": policy_digest(script),
        "headline": headline(artifact),
        "figures": answers_sections.key_figures(artifact),
        "groups": groups,
        "chart": None if chart is None else Markup(chart),
        "charted": answers_charts.MOST,
        "contrasts": answers_sections.contrast_rows(artifact),
        "matrix": answers_sections.confusion(artifact),
        "FEW": answers_sections.FEW,
    }
