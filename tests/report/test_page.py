"""The page as a file: whole, offline, escaped, small, the same every time, and never undone by a null."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pyarrow.parquet as pq
import pytest
from tests.report.pages import NASTY, Page, check_nothing_is_loaded, nulled

from figureground.report import write_report

TWENTY_ONE = ("background", *(f"class {i:02d}" for i in range(1, 21)))


def report(directory) -> tuple[str, Page]:
    html = write_report(directory).read_text(encoding="utf-8")
    return html, Page(html)


@pytest.fixture(params=["one", "three", "bare", "many classes"], scope="module")
def any_audit(request, make_audit):
    return {
        "one": lambda: make_audit(),
        "three": lambda: make_audit(predictions=3),
        "bare": lambda: make_audit(risk=False, groups=False, gaps=False, pictures=False, worst=0, samples=3),
        "many classes": lambda: make_audit(predictions=2, classes=TWENTY_ONE, samples=150, contexts=("indoor", "outdoor", "studio")),
    }[request.param]()


@pytest.fixture(scope="module")
def any_page(any_audit) -> tuple[str, Page]:
    """Written and parsed once for all tests that only look at it."""
    return report(any_audit)


def test_the_page_parses_and_every_inner_link_has_its_target(any_page):
    _, page = any_page
    ids = [attrs["id"] for _, attrs in page.elements if attrs.get("id")]
    assert len(ids) == len(set(ids))
    links = [attrs["href"] for attrs in page.all("a")]
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    for _, attrs in page.elements:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert attrs.get(name) is None or attrs[name] in ids


def test_nothing_is_loaded_from_anywhere(any_page):
    html, page = any_page
    check_nothing_is_loaded(html, page)


def test_all_sections_stand_in_order(make_audit):
    _, page = report(make_audit())
    found = page.text
    order = [
        "Where the foreground truth went",
        "Groups Most flipped first",
        "Which class is taken for which",
        "Common against counterfactual",
        "Does risk find the flips",
        "The worst pictures",
        "How it was measured",
    ]
    places = [found.index(title) for title in order]
    assert places == sorted(places)


def test_several_predictions_are_compared_and_each_has_its_section(make_audit):
    _, page = report(make_audit(names=("first", "second", "third")))
    assert "Predictions side by side" in page.text
    assert "Paired differences" in page.text
    assert {"panel-1", "panel-2", "panel-3"} <= {attrs.get("id") for attrs in page.all("section")}
    tabs = [attrs for attrs in page.all("input") if attrs.get("type") == "radio"]
    assert [("checked" in tab) for tab in tabs] == [True, False, False]


@pytest.mark.slow
def test_two_predictions_are_told_apart_in_one_table_of_all_scores(make_audit):
    html, page = report(make_audit(names=("first", "second")))
    assert len([attrs for attrs in page.all("table") if attrs.get("class") == "differences"]) == 1
    assert "first \u2212 second" in page.text.replace("  ", " ")
    html, page = report(make_audit(names=("first", "second", "third")))
    assert html.count('<table class="differences">') == 5


def test_the_finding_is_the_heading(make_audit):
    directory = make_audit(extra={"sentence": "27 % of the cat pixels are called dog. Over all, 60 % is correct."})
    html, _ = report(directory)
    assert '<h1 id="finding">27 % of the cat pixels are called dog.</h1>' in html
    assert "Over all, 60 % is correct." in html


def test_the_numbers_of_the_artifact_stand_on_the_page(make_audit):
    directory = make_audit(
        extra={
            "rates": {
                "correct": {"value": 0.5123, "low": 0.4, "high": 0.6},
                "flipped": {"value": 0.3877},
                "missed": {"value": 0.1},
                "added": {"value": None},
            }
        }
    )
    html, page = report(directory)
    assert "51.2\u202f%" in page.text
    assert "40.0\u201360.0" in page.text
    assert "38.8\u202f%" in page.text
    assert 'title="undefined: no background truth pixel was counted"' in html


@pytest.mark.parametrize("nasty", NASTY)
def test_names_and_ids_are_text_and_never_markup(make_audit, nasty):
    directory = make_audit(
        classes=("background", nasty, "dog"),
        contexts=(nasty, "outdoor"),
        names=(nasty,),
        id_format=nasty.replace("{", "").replace("}", "") + "{:03d}",
    )
    html, page = report(directory)
    assert len(page.all("script")) == 1
    assert all("onerror" not in attrs for _, attrs in page.elements)
    assert nasty in page.text
    assert "<script>alert" not in html


def test_characters_that_no_page_can_hold_are_replaced(make_audit):
    directory = make_audit(samples=4, id_format="bell\x07{:03d}", extra={"notes": ["null \x00"]})
    audit = json.loads((directory / "audit.json").read_text(encoding="utf-8"))
    (directory / "audit.json").write_text(json.dumps(audit | {"sentence": "lone \ud800 surrogate"}))
    html, page = report(directory)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", html)
    assert "lone \ufffd surrogate" in page.text
    assert "bell\ufffd000" in page.text


@pytest.mark.slow
def test_the_same_artifact_gives_the_same_bytes(any_audit, tmp_path):
    assert write_report(any_audit, tmp_path / "a.html").read_bytes() == write_report(any_audit, tmp_path / "b.html").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("predictions", [1, 6])
def test_a_thousand_samples_with_pictures_of_noise_stay_below_5_mb(make_audit, predictions):
    directory = make_audit(
        samples=1000, worst=40, noise=True, predictions=predictions, classes=TWENTY_ONE, contexts=("indoor", "outdoor", "studio")
    )
    raw = sum(
        len(row[key])
        for row in pq.read_table(directory / "worst.parquet").to_pylist()
        for key in ("picture", "truth", "predicted", "flips")
    )
    assert raw > 3_000_000, "the pictures must be able to break the limit"
    assert write_report(directory).stat().st_size < 5_000_000


@pytest.mark.parametrize("predictions", [1, 2])
def test_an_audit_of_nothing_but_nulls_is_shown_as_undefined(make_audit, predictions):
    directory = make_audit(predictions=predictions)
    audit = json.loads((directory / "audit.json").read_text())
    (directory / "audit.json").write_text(json.dumps(nulled(audit)))
    html, page = report(directory)
    assert "undefined" in page.text
    assert not re.search(r"\b(None|nan|NaN)\b", page.text)
    assert html.count('class="undef" title="undefined: ') == html.count('class="undef"')


def test_keys_that_are_absent_count_as_undefined(make_audit):
    directory = make_audit()
    (directory / "audit.json").write_text('{"dataset": {}, "prediction": "network a"}')
    _, page = report(directory)
    assert "undefined" in page.text
    assert "came without a risk" in page.text


@pytest.mark.parametrize("samples", [0, 1])
def test_audits_of_no_or_one_sample(make_audit, samples):
    directory = make_audit(samples=max(samples, 1))
    if samples == 0:
        for table in ("samples", "worst", "regions"):
            path = directory / f"{table}.parquet"
            pq.write_table(pq.read_table(path).slice(0, 0), path)
    _, page = report(directory)
    assert "How it was measured" in page.text


def test_tables_have_heads_with_scope_and_pictures_have_words(any_page):
    _, page = any_page
    assert all(attrs.get("scope") in {"col", "row"} for attrs in page.all("th"))
    assert all(attrs.get("alt") for attrs in page.all("img"))
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_failures_and_notes_are_told(make_audit):
    _, page = report(make_audit())
    assert "broken_1" in page.text
    assert "Copy it again" in page.text
    assert "3 samples have no foreground." in page.text


def test_merged_and_confusable_classes_are_told(make_audit):
    rates = {"correct": 0.9, "flipped": 0.02, "missed": 0.08, "added": 0.0}
    directory = make_audit(
        extra={
            "merged": [{"name": "pet", "classes": ["cat", "dog"], "rates": rates}],
            "confusable": {"sets": [["cat", "dog"]], "within": 0.25, "across": 0.01},
        }
    )
    _, page = report(directory)
    assert "With cat and dog counted as one class, pet" in page.text
    assert "25.0\u202f% of the foreground is flipped within the confusable sets (cat and dog)" in page.text
