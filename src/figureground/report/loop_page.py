"""The round report: one HTML file that tells what a loop of labelling and repair gained, what was forgotten, and what it took."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from figureground.report import loop_charts, loop_results, loop_sections, words
from figureground.report.loop_examples import HALVES, ExampleSheet, example_sheet
from figureground.report.loop_values import LoopArtifact, Round
from figureground.report.rendering import LIMIT, environment, source


def loop_html(loop: LoopArtifact) -> str:
    """The page as text."""
    template = environment().get_template("loop.html.j2")
    values = _values(loop)
    bare = len(template.render(sheet=ExampleSheet(cards=(), left_out=len(loop.examples)), **values).encode("utf-8", errors="replace"))
    return template.render(sheet=example_sheet(loop, budget=LIMIT - bare), **values)


def headline(loop: LoopArtifact) -> tuple[str, str]:
    """The finding in one sentence, and what follows it."""
    if loop.sentence.strip():
        return words.opening(loop.sentence)
    if not loop.rounds:
        return "There is no round yet.", ""
    said = {"under way": "is under way", "ended early": "ended early"}.get(loop.state, "is the last")
    return f"Round {loop.rounds[-1].number} {said}; there is no finding yet.", ""


def _values(loop: LoopArtifact) -> dict[str, Any]:
    """Everything the template shows but the pictures."""
    tests = loop_results.fresh_tests(loop)
    return {
        "artifact": loop,
        "style": Markup(source("report.css") + source("loop.css")),
        "headline": headline(loop),
        "figures": loop_results.key_figures(loop),
        "table": loop_results.set_table(loop),
        "measured": any(one.before.ranking or one.test_change.known or one.validation_before.known for one in loop.rounds),
        "gained": Markup(loop_charts.gained_svg(tests, name="gained")) if tests else None,
        "forgotten": Markup(loop_charts.forgotten_svg(loop, name="forgotten")) if len(loop.validation) > 1 else None,
        "verdict_tables": loop_sections.verdict_tables(loop),
        "gain_tables": loop_sections.gain_tables(loop),
        "stability": [_stability(place, one) for place, one in enumerate(loop.rounds, 1)],
        "label_rows": loop_sections.label_rows(loop),
        "settings": loop_sections.flat_settings(loop.manifest.options),
        "HALVES": HALVES,
        "say": loop_sections,
    }


def _stability(place: int, one: Round) -> Markup | None:
    """The stability curve of a round; None where there are no two points to draw."""
    known = [s for s in (one.before.stability, one.after.stability) if s is not None and sum(v is not None for v in s.spearman) > 1]
    if not known:
        return None
    return Markup(loop_charts.stability_svg(one.before.stability, one.after.stability, name=f"stability-{place}"))
