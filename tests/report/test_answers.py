"""The report of a classifier's answers: whole, offline, escaped, small, the same every time, and never undone by what is absent."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.report.pages import NASTY, Page, check_nothing_is_loaded, nulled, policy_of
from tests.report.replies import AnswersRecipe, draw_answers
from tests.support import run_program

from figureground.core.errors import ArtifactError
from figureground.report import answers_pictures, answers_sections, words, write_report
from figureground.report.answers_charts import groups_svg
from figureground.report.answers_reading import read_answers
from figureground.report.reading import Measure

TWENTY = tuple(f"class {k:02d}" for k in range(20))
KINDS = {
    "full": {},
    "two classes, two pictures each": {"classes": ("cat", "dog")},
    "four contexts": {"contexts": ("indoor", "meadow", "shore", "street")},
    "no figures": {"asked": False},
    "no ties": {"tied": False},
    "one context": {"contexts": ("indoor",)},
    "no pictures": {"pictures": 0},
    "many classes": {"classes": TWENTY, "figures": 2, "contexts": ("a", "b", "c")},
}


def report(directory) -> tuple[str, Page]:
    html = write_report(directory).read_text(encoding="utf-8")
    return html, Page(html)


def rewrite(directory, change):
    """Puts `change(content)` in the place of the summary.json of an artifact."""
    path = directory / "summary.json"
    path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")
    return directory


@pytest.fixture(params=KINDS, scope="module")
def any_answers(request, make_answers):
    return make_answers(**KINDS[request.param])


@pytest.fixture(scope="module")
def any_page(any_answers) -> tuple[str, Page]:
    """Written and parsed once for all tests that only look at it."""
    return report(any_answers)


def test_the_page_parses_and_every_inner_link_has_its_target(any_page):
    html, page = any_page
    ids = [attrs["id"] for _, attrs in page.elements if attrs.get("id")]
    assert len(ids) == len(set(ids))
    for tag, attrs in page.elements:
        if tag in ("a", "use"):
            assert attrs["href"].startswith("#")
            assert attrs["href"][1:] in ids
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert attrs.get(name) is None or attrs[name] in ids
    assert not re.search(r"\b(None|nan|NaN)\b|@\d\d", page.text)
    assert len(html.encode("utf-8")) < 5_000_000


def test_nothing_is_loaded_and_the_one_script_is_named_by_its_digest(any_page):
    html, page = any_page
    check_nothing_is_loaded(html, page)
    assert len(page.all("script")) == 1
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]+';", policy_of(page))


def test_tables_have_heads_with_scope_and_charts_are_hidden_from_readers(any_page):
    _, page = any_page
    assert all(attrs.get("scope") in {"col", "row"} for attrs in page.all("th"))
    assert all(attrs.get("aria-label") or attrs.get("aria-hidden") for attrs in page.all("svg"))
    assert all(attrs.get("alt") for attrs in page.all("img"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.slow
def test_the_same_artifact_gives_the_same_bytes(any_answers, tmp_path):
    assert write_report(any_answers, tmp_path / "a.html").read_bytes() == write_report(any_answers, tmp_path / "b.html").read_bytes()


def test_all_sections_stand_in_order(make_answers):
    _, page = report(make_answers())
    order = [
        "A quarter of the answers are right.",
        "As training is grouped",
        "How often answers are right, by group",
        "Common against counterfactual The accuracy",
        "The same figure on another ground",
        "Figures whose answer changes",
        "Labels and answers Each row",
        "How it was measured",
        "Settings, versions and digests",
    ]
    places = [page.text.index(title) for title in order]
    assert places == sorted(places)


def test_the_numbers_of_the_artifact_stand_on_the_page(make_answers):
    directory = make_answers()
    summary = json.loads((directory / "summary.json").read_text())
    html, page = report(directory)
    assert '<h1 id="finding">A quarter of the answers are right.</h1>' in html
    keys = ("accuracy", "adjusted_accuracy", "mean_group_accuracy", "worst_group_accuracy", "flip_rate")
    rates = [*(summary[key] for key in keys), *summary["flip_rates"].values()]
    rates += [one[kind] for one in summary["contrasts"] for kind in ("common", "counterfactual")]
    rates += [{"value": group["accuracy"], **group} for group in summary["groups"]]
    for rate in rates:
        assert words.percent(rate["value"]) in page.text
        assert words.interval(rate["low"], rate["high"]) in page.text
    for one in summary["contrasts"]:
        assert words.bare(one["gap"]["value"], sign=True) in page.text
    assert page.text.count("counterfactual") > 3


def test_groups_are_in_order_and_the_worst_is_marked_by_a_word(make_answers):
    directory = make_answers(contexts=("a", "b", "c", "d", "e", "f"))
    artifact = read_answers(directory)
    found = answers_sections.group_rows(artifact)
    values = [group.accuracy.value for group in (*found.rows, *found.more)]
    assert values == sorted(values)
    assert (len(found.rows), len(found.more), found.left_out) == (12, 6, 0)
    assert found.rows[0].worst
    assert [group.name for group in artifact.groups if group.worst] == [artifact.worst_group]
    html, _ = report(directory)
    assert html.count('<span class="tag worst">worst</span>') == 1
    assert len(re.findall(r">worst</text>", html)) == 1


def test_the_confusion_is_the_one_that_a_loop_counts(make_answers):
    recipe = AnswersRecipe(classes=TWENTY, figures=3)
    rows = draw_answers(recipe)
    matrix = answers_sections.confusion(read_answers(make_answers(classes=TWENTY, figures=3)))
    assert (len(matrix.rows), matrix.classes, matrix.columns[-1], matrix.missed) == (12, 20, "other classes", False)
    for row in matrix.rows:
        own = [one["answer"] for one in rows if one["label"] == row.name]
        assert row.pixels == len(own)
        assert {cell.predicted: cell.pixels for cell in row.cells[:-1]} == {name: own.count(name) for name in matrix.columns[:-1]}
        assert row.cells[-1].pixels == sum(answer not in matrix.columns for answer in own)
        assert sum(cell.share for cell in row.cells) == pytest.approx(1)
        assert [cell.predicted for cell in row.cells if cell.kind == "correct"] == [row.name]


def test_a_label_without_pictures_has_an_empty_row(make_answers):
    found = answers_sections.confusion(read_answers(make_answers(extra={"classes": ["cat", "dog", "hare", "yak"]})))
    assert {cell.kind for row in found.rows if row.name == "yak" for cell in row.cells} == {"empty"}
    assert {cell.share for row in found.rows if row.name == "yak" for cell in row.cells} == {None}


def test_every_figure_is_shown_with_what_was_answered_to_it(make_answers):
    directory = make_answers(contexts=("indoor", "meadow", "shore"))
    told = {row["id"]: row for row in pq.read_table(directory / "answers.parquet").to_pylist()}
    sheet = answers_pictures.figure_sheet(read_answers(directory), budget=10**9)
    assert (len(sheet.cards), sheet.left_out, sheet.absent) == (5, 0, 0)
    rates = [card.figure.flipped / card.figure.pairs for card in sheet.cards]
    assert rates == sorted(rates, reverse=True)
    for card in sheet.cards:
        for view in card.views:
            row = told[view.shown.id]
            assert row["figure"] == card.figure.name
            assert (view.shown.label, view.shown.context, view.shown.answer) == (row["label"], row["context"], row["answer"])
            assert view.shown.probability == pytest.approx(max(row[f"p_{name}"] for name in ("cat", "dog", "hare")))
            assert view.shown.right == (row["label"] == row["answer"])
    first, second = sheet.hero.pair
    assert first.shown.answer != second.shown.answer
    html, page = report(directory)
    assert html.count("<img ") == 5 * 3 + 2
    assert "of 3 pairs of grounds have different answers" in page.text


def test_without_figures_the_page_says_how_to_measure_flips(make_answers):
    _, page = report(make_answers(asked=False))
    assert "Flips were not measured: no column says which figure a picture shows. Classify again with --figure COLUMN" in page.text
    assert "Flip rate" not in page.text
    assert "since flips were not measured" in page.text


def test_figures_in_one_context_alone_say_nothing_of_flips(make_answers):
    _, page = report(make_answers(contexts=("indoor",)))
    assert "No figure stands in two contexts, so nothing is known of flips." in page.text
    assert "There is nothing to show: no figure stands in two contexts." in page.text
    assert "No class has pictures both in its common context and in another" in page.text


def test_without_ties_the_page_says_how_to_declare_them(make_answers):
    _, page = report(make_answers(tied=False))
    assert "Nothing says which context training shows with which class" in page.text
    assert "DATA?common=CLASS:CONTEXT" in page.text
    assert "undefined" in page.text, "the adjusted accuracy"


def test_groups_that_are_the_classes_say_so(make_answers):
    directory = make_answers(asked=False, tied=False)
    rewrite(directory, lambda told: told | {"groups": [g | {"group": g["label"], "context": ""} for g in told["groups"]]})
    _, page = report(directory)
    assert "groups are the classes, since no context is known" in page.text
    assert "No context is known, so no group is common or counterfactual." in page.text


def test_pictures_that_are_gone_or_broken_are_said(make_answers):
    directory = make_answers()
    kept = pq.read_table(directory / "pictures.parquet")
    bytes_of = kept["picture"].to_pylist()
    bytes_of[0], bytes_of[1] = None, b"no picture"
    pq.write_table(kept.set_column(2, "picture", pa.array(bytes_of, pa.binary())), directory / "pictures.parquet")
    html, page = report(directory)
    assert page.text.count("not at hand") == 3
    assert "2 pictures are not at hand." in page.text
    (directory / "pictures.parquet").unlink()
    html, page = report(directory)
    assert "No pictures were kept with these answers: pictures.parquet is not there." in page.text
    assert "<img " not in html
    (directory / "answers.parquet").unlink()
    assert "answers.parquet is missing or has no rows" in report(directory)[1].text


def test_answers_that_never_change_are_said(make_answers):
    directory = make_answers()
    pq.write_table(pq.read_table(directory / "pictures.parquet").slice(0, 0), directory / "pictures.parquet")
    assert "No figure has answers that change." in report(directory)[1].text


def test_many_pictures_of_noise_stay_below_5_mb(make_answers):
    directory = make_answers(noise=True, side=224, figures=20, pictures=60, contexts=("a", "b", "c"), classes=("cat", "dog", "hare"))
    assert (directory / "pictures.parquet").stat().st_size > 5_000_000
    path = write_report(directory)
    assert 3_000_000 < path.stat().st_size < 5_000_000
    assert "left out to keep this page small" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["full", "no figures", "many classes"])
def test_answers_of_nothing_but_nulls_are_shown(make_answers, kind):
    _, page = report(rewrite(make_answers(**KINDS[kind]), nulled))
    assert "undefined" in page.text
    assert not re.search(r"\b(None|nan|NaN)\b", page.text)


@pytest.fixture(scope="module")
def plain(make_answers):
    """A small artifact, and what its summary.json says."""
    directory = make_answers(pictures=1)
    return directory, json.loads((directory / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "key", ["sentence", "model", "samples", "classes", "accuracy", "worst_group", "groups", "contrasts", "flip_rate", "flip_rates", "level"]
)
@pytest.mark.parametrize("odd", [{}, "text", -3, [{}], [None, "text", 3, [1]], None])
def test_what_is_absent_or_of_another_shape_is_left_out(plain, key, odd):
    directory, told = plain
    (directory / "summary.json").write_text(json.dumps(told | {key: odd}))
    assert "How it was measured" in report(directory)[1].text


@pytest.mark.parametrize("odd", [{}, "text", -3, [{}], None])
def test_odd_values_within_rows_are_left_out(plain, odd):
    directory, told = plain
    lists = {key: [dict.fromkeys(row, odd) for row in told[key]] for key in ("groups", "contrasts")}
    (directory / "summary.json").write_text(json.dumps(told | lists | {"flip_rates": dict.fromkeys(told["flip_rates"], odd)}))
    assert "How it was measured" in report(directory)[1].text


@pytest.mark.slow
@pytest.mark.parametrize("nasty", NASTY)
def test_names_are_text_and_never_markup(make_answers, nasty):
    extra = {"sentence": nasty, "model": nasty}
    directory = make_answers(classes=(nasty, "emu"), contexts=("a" + nasty, "b"), id_format=nasty + "{}", extra=extra)
    html, page = report(directory)
    assert all("onerror" not in attrs for _, attrs in page.elements)
    assert page.text.count(nasty) > 10
    assert "<script>alert" not in html


def test_characters_that_no_page_can_hold_are_replaced(make_answers):
    html, page = report(make_answers(classes=("bell\x07", "$x^2$"), extra={"sentence": "lone \ud800 surrogate"}))
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", html)
    assert "lone \ufffd surrogate" in page.text
    assert ">$x^2$, indoor</text>" in html, "a name is no formula"
    assert ">bell\ufffd, indoor</text>" in html


def test_the_chart_has_a_dot_for_every_group_where_its_accuracy_is(make_answers):
    artifact = read_answers(make_answers())
    groups = answers_sections.group_rows(artifact).rows
    svg = groups_svg(groups, mean=Measure(value=0.5), name="c")
    assert [text for text in re.findall(r">([^<>]+)</text>", svg) if ", " in text] == [group.name for group in groups]
    dots = [float(x) for x in re.findall(r'<use href="#c-[^"]+" x="([\d.]+)" y="[\d.]+" style="fill: var\(--(?:accent|paper)\)', svg)]
    places = dots[: len(groups)]
    values = np.array([group.accuracy.value for group in groups])
    slope, start = np.polyfit(values, places, 1)
    assert slope > 0
    np.testing.assert_allclose(places, start + slope * values, atol=0.01)
    longer = groups_svg([*groups] * 9, mean=Measure(), name="c")
    assert "all pictures" not in longer
    assert longer.count(", indoor</text>") + longer.count(", outdoor</text>") == 24


def test_what_is_no_answers_is_refused(make_answers):
    directory = make_answers(pictures=0)
    manifest = json.loads((directory / "manifest.json").read_text())
    (directory / "manifest.json").write_text(json.dumps(manifest | {"schema": 99}))
    with pytest.raises(ArtifactError, match="schema 1 of kind 'answers'"):
        write_report(directory)
    (directory / "manifest.json").write_text(json.dumps(manifest | {"kind": "grids"}))
    with pytest.raises(ArtifactError, match="'answers', 'audit' or 'loop'; this one is of kind 'grids'"):
        write_report(directory)
    (directory / "manifest.json").write_text(json.dumps(manifest))
    (directory / "answers.parquet").write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match="cannot be read as Parquet"):
        write_report(directory)


@pytest.mark.parametrize("content", ["", "[1]", "{nonsense", None])
def test_a_broken_summary_is_refused_with_a_remedy(make_answers, content):
    directory = make_answers(pictures=0)
    (directory / "summary.json").unlink() if content is None else (directory / "summary.json").write_text(content)
    with pytest.raises(ArtifactError, match="figureground classify"):
        write_report(directory)
    assert not (directory / "report.html").exists()


def test_the_command(make_answers):
    directory = make_answers(pictures=1)
    code, out, err = run_program("report", directory)
    assert (code, out.strip()) == (0, str(directory / "report.html")), err
    assert "drawn \u2013 figureground answers</title>" in (directory / "report.html").read_text(encoding="utf-8")
