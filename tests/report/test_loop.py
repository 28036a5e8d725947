"""The report of a loop's rounds: whole, offline, escaped, small, the same every time, and never undone by what is absent."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from tests.report.loops import LoopRecipe, loop_numbers, m
from tests.report.pages import NASTY, Page, check_nothing_is_loaded, nulled, policy_of
from tests.support import run_program

from figureground.core.errors import ArtifactError
from figureground.report import loop_results, loop_sections, words, write_report
from figureground.report.loop_reading import read_loop
from figureground.report.reading import Measure

KEYS = ("rounds", "models", "validation", "gains", "verdicts", "examples", "labels", "classes", "sentence", "why", "state", "name")


def report(directory) -> tuple[str, Page]:
    html = write_report(directory).read_text(encoding="utf-8")
    return html, Page(html)


def waiting() -> dict:
    """What loop.json says while the masks of the first round are still being drawn."""
    first = loop_numbers(LoopRecipe(repairs=1, retest=False))["rounds"][0]
    absent = ("learned", "tested", "lr", "validation", "ranking", "after", "test_change", "stability")
    return {
        "state": "under way", "why": "It waits for 58 of 70 masks.", "sentence": None, "models": [], "gains": [], "verdicts": None,
        "rounds": [first | dict.fromkeys(absent) | {"repaired": False, "masks": 12}], "validation": [{"version": 0, "miou": m(0.789, 0.012)}],
    }  # fmt: skip


def rewrite(directory, change):
    """Puts `change(content)` in the place of the loop.json of an artifact."""
    path = directory / "loop.json"
    path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")
    return directory


KINDS = {
    "full": {},
    "under way": {"examples": 0, "repairs": 1, "retest": False, "extra": waiting()},
    "ended early": {"repairs": 1, "retest": False, "extra": {"state": "ended early", "why": "No repair was better."}},
    "one model": {"rivals": (), "repairs": 1},
    "no audit": {"audit": False, "extra": {"gains": None}},
    "empty": {"examples": 0, "extra": dict.fromkeys(KEYS)},
    "many rounds": {"repairs": 6, "classes": ("background", *(f"class {k}" for k in range(20)))},
}


@pytest.fixture(params=KINDS, scope="module")
def any_loop(request, make_loop):
    return make_loop(**KINDS[request.param])


@pytest.fixture(scope="module")
def any_page(any_loop) -> tuple[str, Page]:
    """Written and parsed once for all tests that only look at it."""
    return report(any_loop)


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
    assert not re.search(r"\b(None|nan|NaN)\b", page.text)
    assert len(html.encode("utf-8")) < 5_000_000


def test_nothing_is_loaded_from_anywhere_and_no_script_may_run(any_page):
    html, page = any_page
    check_nothing_is_loaded(html, page)
    assert not page.all("script")
    assert "script-src" not in policy_of(page)


def test_tables_have_heads_with_scope_and_pictures_have_words(any_page):
    _, page = any_page
    assert all(attrs.get("scope") in {"col", "row"} for attrs in page.all("th"))
    assert all(attrs.get("aria-label") or attrs.get("aria-hidden") for attrs in page.all("svg"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.slow
def test_the_same_artifact_gives_the_same_bytes(any_loop, tmp_path):
    assert write_report(any_loop, tmp_path / "a.html").read_bytes() == write_report(any_loop, tmp_path / "b.html").read_bytes()


def test_all_sections_stand_in_order(make_loop):
    _, page = report(make_loop())
    order = [
        "On fresh test sets the repaired target gains 12 points",
        "Human time",
        "All models on all test sets",
        "Gained: mean IoU on fresh test sets",
        "Forgotten: mean IoU on the validation set",
        "Where the foreground truth went, version by version",
        "What each class gained",
        "Rankings, round by round",
        "Before and after",
        "What it took",
        "How it was done",
    ]
    places = [page.text.index(title) for title in order]
    assert places == sorted(places)


def test_the_numbers_of_the_artifact_stand_on_the_page(make_loop):
    html, page = report(make_loop())
    assert '<h1 id="finding">On fresh test sets the repaired target gains 12 points' in html
    for said in ("+13.0 points", "+9.5 to +16.9", "0.8 points", "\u221226.2 points", "170 masks", "3.6 hours", "41.0 to 14.8\u202f%"):
        assert said in page.text
    assert "so a row is no curve" in page.text
    assert "p-0000 , flamingo: mean IoU of the picture 31.0 before, 92.0\u202f% after the repair of round 1" in page.text


def test_the_best_of_every_column_is_marked_by_a_word(make_loop):
    loop = read_loop(make_loop())
    table = loop_results.set_table(loop)
    assert [name for name, _ in table.sets] == ["T0", "T1", "T2", "T3"]
    for column in range(4):
        cells = [cells[column] for _, cells in table.rows]
        known = [cell.result.miou.value for cell in cells if cell.result]
        assert [cell.result.miou.value for cell in cells if cell.is_best] == [max(known)]
    html, page = report(loop.directory)
    assert len(re.findall(r'<td class="right best">\s*<span class="tag best">best</span>', html)) == 4
    assert table.absent
    assert "not measured on this set" in page.text
    assert [version for version, _ in table.rows[0][1][0].later] == [1, 2]


def test_alone_in_its_column_nobody_is_best(make_loop):
    html, _ = report(make_loop(rivals=(), repairs=1))
    assert '<td class="right best">' not in html


def test_a_loop_that_is_under_way_says_what_it_waits_for(make_loop):
    _, page = report(make_loop(**KINDS["under way"]))
    assert "Round 1 is under way; there is no finding yet." in page.text
    assert "Under way: It waits for 58 of 70 masks." in page.text
    for said in ("No model is measured yet", "Nothing is ranked in this round yet", "There are no examples yet", "There are no verdicts"):
        assert said in page.text
    assert "Gained and forgotten" not in page.text


def test_a_loop_that_ended_early_says_why(make_loop):
    _, page = report(make_loop(**KINDS["ended early"]))
    assert "Ended early: No repair was better." in page.text


@pytest.mark.parametrize("kind", ["full", "one model", "many rounds"])
def test_a_loop_of_nothing_but_nulls_is_shown(make_loop, kind):
    directory = rewrite(make_loop(**KINDS[kind]), nulled)
    _, page = report(directory)
    assert "undefined" in page.text
    assert not re.search(r"\b(None|nan|NaN)\b", page.text)


@pytest.fixture(scope="module")
def plain(make_loop):
    """A small loop, and what its loop.json says."""
    directory = make_loop(repairs=1, retest=False, examples=1)
    return directory, json.loads((directory / "loop.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS[:8])
@pytest.mark.parametrize("odd", [{}, "text", [{}], [None, "text", 3, [1]]])
def test_what_is_absent_or_of_another_shape_is_left_out(plain, key, odd):
    directory, numbers = plain
    (directory / "loop.json").write_text(json.dumps(numbers | {key: odd}))
    _, page = report(directory)
    assert "How it was done" in page.text


@pytest.mark.parametrize("odd", [{}, "text", -3, [{}], [None, "text", 3, [1]]])
def test_odd_values_within_rows_are_left_out(plain, odd):
    directory, numbers = plain
    lists = {
        key: [dict.fromkeys(row, odd) for row in numbers[key]]
        for key in ("rounds", "models", "validation", "gains", "verdicts", "examples")
    }
    (directory / "loop.json").write_text(json.dumps(numbers | lists | {"labels": dict.fromkeys(numbers["labels"], odd)}))
    _, page = report(directory)
    assert "How it was done" in page.text


@pytest.mark.slow
@pytest.mark.parametrize("nasty", NASTY)
def test_names_are_text_and_never_markup(make_loop, nasty):
    numbers = loop_numbers(LoopRecipe(classes=("background", nasty, "emu"), target=nasty, rivals=("a" + nasty, "b" + nasty)))
    for one in numbers["rounds"]:
        one["selector"] = nasty
    for row in (*numbers["verdicts"][:3], *numbers["gains"][:3]):
        row |= {"set": nasty, "group": nasty}
    for model in numbers["models"]:
        model["sets"].append({"set": nasty, "miou": m(0.5), "samples": 3, "place": 1, "version": None})
    numbers["examples"][0] |= {"id": nasty, "file": nasty}
    numbers |= dict.fromkeys(("name", "sentence", "why"), nasty)
    html, page = report(make_loop(extra=numbers))
    assert page.all("script") == []
    assert all("onerror" not in attrs for _, attrs in page.elements)
    assert page.text.count(nasty) > 20
    assert "<script>alert" not in html


def test_characters_that_no_page_can_hold_are_replaced(make_loop):
    html, page = report(make_loop(extra={"name": "bell\x07", "sentence": "lone \ud800 surrogate"}))
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", html)
    assert "lone \ufffd surrogate" in page.text
    assert "bell\ufffd" in page.text


def test_pictures_that_are_gone_broken_or_elsewhere_are_said(make_loop, tmp_path):
    directory = make_loop(examples=6)
    outside = tmp_path / "outside.jpg"
    outside.write_bytes((directory / "examples" / "00.jpg").read_bytes())
    (directory / "examples" / "01.jpg").unlink()
    (directory / "examples" / "02.jpg").write_bytes(b"\xff\xd8 nothing")

    def elsewhere(loop):
        loop["examples"][3]["file"] = str(outside)
        loop["examples"][4]["file"] = "../" * 30 + str(outside).lstrip("/")
        return loop

    html, page = report(rewrite(directory, elsewhere))
    assert html.count("<image ") == 2
    assert page.text.count("picture not at hand") == 4
    assert "4 pictures are not at hand" in page.text


def test_without_any_picture_the_numbers_stay(make_loop):
    directory = make_loop(examples=2)
    for path in (directory / "examples").iterdir():
        path.unlink()
    html, page = report(directory)
    assert "their files are no longer in" in page.text
    assert "+61.0 points" in page.text
    assert "<image " not in html


@pytest.mark.slow
def test_many_pictures_of_noise_stay_below_5_mb(make_loop):
    directory = make_loop(examples=40, noise=True, tile=320)
    assert sum(path.stat().st_size for path in (directory / "examples").iterdir()) > 5_000_000
    path = write_report(directory)
    assert 3_000_000 < path.stat().st_size < 5_000_000
    assert "left out to keep this page small" in path.read_text(encoding="utf-8")


def test_fresh_tests_come_from_the_rankings_or_else_from_the_table(make_loop):
    loop = read_loop(make_loop())
    assert [test.set for test in loop_results.fresh_tests(loop)] == ["T1", "T2", "T3"]
    assert all(len(test.rivals) == 5 and test.before.known for test in loop_results.fresh_tests(loop))
    numbers = loop_numbers(LoopRecipe())
    for one in numbers["rounds"]:
        one |= {"ranking": None, "after": None}
    bare = loop_results.fresh_tests(read_loop(make_loop(extra={"rounds": numbers["rounds"]})))
    assert [(test.set, test.before) for test in bare] == [(test.set, test.before) for test in loop_results.fresh_tests(loop)]
    assert not any(test.after.known for test in bare)


def test_what_was_forgotten_is_the_paired_change_from_the_first_version(make_loop):
    """With its interval where the artifact has one; a difference of two figures without it has none."""
    for repairs, big, interval in ((1, "0.4", "\u22120.2 to +0.9"), (2, "0.8", "+0.2 to +1.3")):
        figures = {figure.word: figure for figure in loop_results.key_figures(read_loop(make_loop(repairs=repairs)))}
        assert (figures["Forgotten"].big, figures["Forgotten"].interval) == (big, interval)
    numbers = loop_numbers(LoopRecipe())
    for row in numbers["validation"]:
        del row["change"]
    bare = read_loop(make_loop(extra={"validation": numbers["validation"]}))
    assert next(f for f in loop_results.key_figures(bare) if f.word == "Forgotten").interval == ""


def test_flips_are_those_of_counterfactual_groups_of_the_audit_or_else_of_all(make_loop):
    def flipped(**wanted):
        return next(f for f in loop_results.key_figures(read_loop(make_loop(**wanted))) if f.word == "Flipped").meaning

    assert "counterfactual groups, audit data" in flipped()
    assert "counterfactual groups, validation data" in flipped(audit=False)
    rows = [row for row in loop_numbers(LoopRecipe())["verdicts"] if row["group"] == "all"]
    assert flipped(extra={"verdicts": rows}).startswith("of the foreground, audit data")


def test_the_sum_of_labels_is_that_of_the_artifact(make_loop):
    rows = loop_sections.label_rows(read_loop(make_loop()))
    assert [row.name for row in rows] == ["round 1", "round 2", "round 3, re-test", "all rounds"]
    assert rows[-1].counts["masks"] == 170
    assert rows[-1].counts["queued"] == 360
    assert rows[-1].total == sum(row.total for row in rows[:-1])


def test_a_change_that_is_not_given_is_the_plain_difference():
    found = loop_sections.change_of(Measure(value=0.5, low=0.4, high=0.6), Measure(value=0.75), Measure())
    assert found == Measure(value=0.25)
    given = Measure(value=0.1, low=0.0, high=0.2)
    assert loop_sections.change_of(Measure(value=0.5), Measure(value=0.9), given) == given


def test_nested_options_are_told_by_dotted_names(make_loop):
    _, page = report(make_loop())
    assert "mine.per_class" in page.text
    assert "0.001, 0.0005" in page.text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0\u202fmin"), (20, "<1\u202fmin"), (3569, "59\u202fmin"), (3570, "1.0\u202fh"), (7_200_000, "2,000.0\u202fh"), (None, "?")],
)
def test_hours(seconds, said):
    assert words.hours(seconds) == said


@pytest.mark.parametrize(
    ("place", "said"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (21, "21st"), (112, "112th"), (None, "?")]
)
def test_ordinal(place, said):
    assert words.ordinal(place) == said


def test_a_directory_that_is_no_loop_is_refused(make_loop):
    directory = make_loop(examples=0)
    manifest = json.loads((directory / "manifest.json").read_text())
    (directory / "manifest.json").write_text(json.dumps(manifest | {"schema": 99}))
    with pytest.raises(ArtifactError, match="schema 1 of kind 'loop'"):
        write_report(directory)
    (directory / "manifest.json").write_text(json.dumps(manifest | {"kind": "queue"}))
    with pytest.raises(ArtifactError, match="'audit' or 'loop'; this one is of kind 'queue'"):
        write_report(directory)


@pytest.mark.parametrize("content", ["", "[1]", "{nonsense", None])
def test_a_broken_loop_file_is_refused_with_a_remedy(make_loop, content):
    directory = make_loop(examples=0)
    (directory / "loop.json").unlink() if content is None else (directory / "loop.json").write_text(content)
    with pytest.raises(ArtifactError, match="figureground loop"):
        write_report(directory)


def test_the_command_chooses_by_the_kind_of_the_artifact(make_loop, make_audit, tmp_path):
    directory = make_loop(examples=1)
    code, out, err = run_program("report", directory)
    assert (code, out.strip()) == (0, str(directory / "report.html")), err
    assert "figureground loop</title>" in (directory / "report.html").read_text(encoding="utf-8")
    code, out, _ = run_program("report", make_audit(samples=5), "--out", tmp_path / "page.html")
    assert code == 0
    assert "figureground audit</title>" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert run_program("report", tmp_path)[0] == 2
