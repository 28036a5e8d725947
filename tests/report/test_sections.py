"""What stands in the sections follows from the artifact, number by number."""

from __future__ import annotations

import json

import pytest

from figureground.core.errors import ArtifactError, InputError
from figureground.report import flips, groups, overview, page, pictures, risk, write_report
from figureground.report.reading import Measure, measure, read_audit

TWENTY = ("background", *(f"class {i:02d}" for i in range(1, 21)))


def test_matrix_rows_share_out_the_truth_pixels(make_audit):
    audit = read_audit(make_audit(classes=TWENTY, samples=200))
    matrix = flips.flip_matrix(audit.predictions[0])
    assert len(matrix.rows) == flips.MATRIX_CLASSES
    assert matrix.part
    assert matrix.columns[-2:] == ("other classes", "missed")
    for row in matrix.rows:
        assert sum(cell.pixels for cell in row.cells) == pytest.approx(row.pixels, abs=3)
        assert [cell.kind for cell in row.cells].count("correct") == 1


def test_the_matrix_of_few_classes_is_whole_and_exact(make_audit):
    audit = read_audit(make_audit(classes=("background", "cat", "dog", "cow"), samples=50))
    prediction = audit.predictions[0]
    matrix = flips.flip_matrix(prediction)
    assert matrix.columns == ("cat", "dog", "cow", "missed")
    assert not matrix.part
    given = {(f["truth"], f["predicted"]): f["pixels"] for f in prediction.rows("flips")}
    shown = {(row.name, cell.predicted): cell.pixels for row in matrix.rows for cell in row.cells if cell.kind == "flipped" and cell.pixels}
    assert shown == given


def test_a_class_without_truth_pixels_has_an_empty_row(make_audit):
    audit = read_audit(
        make_audit(extra={"classes": [{"name": "cat", "pixels": 0, "correct": None, "flipped": None, "missed": None}], "flips": []})
    )
    (row,) = flips.flip_matrix(audit.predictions[0]).rows
    assert {cell.kind for cell in row.cells} == {"empty"}
    assert all(cell.share is None for cell in row.cells)


def test_groups_stand_most_flipped_first_and_none_is_lost(make_audit):
    audit = read_audit(make_audit(classes=TWENTY, samples=400, contexts=("indoor", "outdoor", "studio")))
    tables = groups.group_tables(audit.predictions[0])
    assert [t.title for t in tables] == ["class \u00d7 context", "class", "context"]
    first = tables[0]
    rates = [row.rates["flipped"].value for row in (*first.rows, *first.more)]
    assert rates == sorted(rates, reverse=True)
    given = sum(len(g["by"]) == 2 for g in audit.predictions[0].rows("groups"))
    assert len(first.rows) + len(first.more) + first.left_out == given > 42
    assert first.few == sum(row.few for row in (*first.rows, *first.more)) > 0


def test_a_group_without_foreground_stands_last(make_audit):
    nothing = {
        "by": ["class"],
        "attributes": {"class": "none"},
        "samples": 2,
        "few": True,
        "kind": None,
        "rates": {w: {"value": None} for w in ("correct", "flipped", "missed")},
        "foreground_iou": None,
    }
    full = nothing | {"attributes": {"class": "cat"}, "rates": {"flipped": {"value": 0.0}}}
    (table,) = groups.group_tables(read_audit(make_audit(extra={"groups": [nothing, full]})).predictions[0])
    assert [row.name for row in table.rows] == ["cat", "none"]
    assert table.rows[1].rates["flipped"].value is None


def test_the_axis_of_the_gaps_holds_every_interval_and_zero(make_audit):
    audit = read_audit(make_audit(classes=TWENTY, samples=300))
    found = groups.gaps(audit.predictions[0])
    assert found.low <= 0 < found.high
    assert 0.0 in found.ticks
    for row in found.iou:
        assert found.low <= row.measure.low <= row.measure.high <= found.high
        assert row.common in {"indoor", "outdoor"}


@pytest.mark.parametrize("value", [0.0, 0.003, 0.01, 0.034, 0.0999, 0.1, 0.55, 0.99, 1.0])
def test_axes_end_at_a_round_number_not_below_the_value(value):
    end = groups.round_end(value)
    assert end >= value
    assert value == 0 or end <= 2 * value


def test_differences_are_mirrored_and_marked_only_where_the_interval_excludes_zero(make_audit):
    rows = [
        {"a": "x", "b": "y", "metric": "flipped", "value": 0.05, "low": 0.01, "high": 0.09},
        {"a": "x", "b": "z", "metric": "flipped", "value": 0.05, "low": -0.01, "high": 0.09},
        {"a": "y", "b": "z", "metric": "flipped", "value": None, "low": None, "high": None},
        {"a": "x", "b": "y", "metric": "foreground_iou", "value": 0.05, "low": 0.01, "high": 0.09},
    ]
    directory = make_audit(names=("x", "y", "z"))
    audit = json.loads((directory / "audit.json").read_text())
    (directory / "audit.json").write_text(json.dumps(audit | {"differences": rows}))
    flipped, front = overview.difference_tables(read_audit(directory))
    verdicts = [[cell.verdict for cell in row] for row in flipped.rows]
    assert verdicts == [["self", "worse", "same"], ["better", "self", "unknown"], ["same", "unknown", "self"]]
    assert flipped.rows[1][0].measure == Measure(value=-0.05, low=-0.09, high=-0.01)
    assert front.rows[0][1].verdict == "better"


def test_the_finding_of_several_predictions_names_the_one_that_flips_most(make_audit):
    directory = make_audit(names=("x", "y"))
    audit = json.loads((directory / "audit.json").read_text())
    for name, share in (("x", 0.1), ("y", 0.3)):
        audit["predictions"][name] |= {"rates": {"flipped": {"value": share}}, "sentence": f"Finding of {name}. More."}
    (directory / "audit.json").write_text(json.dumps(audit))
    artifact = read_audit(directory)
    assert overview.most_flipped(artifact).name == "y"
    assert page.headline(artifact) == (
        "Of 2 predictions, x flips the least foreground (10.0\u202f%) and y the most (30.0\u202f%).",
        "y: Finding of y.",
    )


def test_the_best_possible_order_is_never_above_the_risk_curve_and_ends_with_it(make_audit):
    found = risk.risk(read_audit(make_audit(samples=200)).predictions[0])
    curve = found.curve
    assert len(curve.best) == len(curve.risk)
    assert all(best <= got + 1e-12 for best, got in zip(curve.best, curve.risk, strict=True))
    assert curve.best[-1] == pytest.approx(curve.risk[-1])


def test_the_leading_score_is_marked_and_none_where_all_are_equal(make_audit):
    found = risk.risk(read_audit(make_audit()).predictions[0])
    best = {
        row.name: row.best for row in found.scores
    }  # made with AUROC 0.871, 0.79, undefined; Spearman 0.61, 0.61, -0.02; the rest equal
    assert best == {"flip_risk": {"auroc", "spearman"}, "one_minus_max_probability": {"spearman"}, "entropy": frozenset()}


def test_without_risk_there_is_no_risk_section(make_audit):
    assert risk.risk(read_audit(make_audit(risk=False)).predictions[0]) is None


def test_the_sheet_keeps_to_its_budget_and_says_how_many_there_were(make_audit):
    prediction = read_audit(make_audit(worst=24)).predictions[0]
    sheet = pictures.contact_sheet(prediction, budget=100_000, by=prediction.by)
    assert 0 < len(sheet.cards) < 24 == sheet.available
    assert sum(len(view.source) for card in sheet.cards for view in card.views) <= 100_000


def test_cards_carry_the_numbers_of_their_sample(make_audit):
    prediction = read_audit(make_audit()).predictions[0]
    rows = {row["id"]: row for row in prediction.samples.to_pylist()}
    sheet = pictures.contact_sheet(prediction, budget=10**9, by=prediction.by)
    assert len(sheet.cards) == 24
    for card in sheet.cards:
        row = rows[card.id]
        assert card.parts["flipped"] == pytest.approx(row["flip_fraction"])
        assert sum(card.parts[v] for v in ("correct", "flipped", "missed")) == pytest.approx(1)
        assert card.group == f"{row['label']} \u00d7 {row['context']}"
    flipped = [card.parts["flipped"] for card in sheet.cards]
    assert flipped == sorted(flipped, reverse=True)


def test_regions_are_counted_by_verdict(make_audit):
    prediction = read_audit(make_audit()).predictions[0]
    found = flips.regions(prediction)
    assert sum(n for _, n in found.verdicts) == found.total == 60
    areas = [row["flipped"] for row in found.largest]
    assert areas == sorted(areas, reverse=True)
    assert len(areas) <= flips.REGIONS


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"value": 0.5, "low": 0.4, "high": 0.6}, Measure(value=0.5, low=0.4, high=0.6)),
        (0.5, Measure(value=0.5)),
        (None, Measure()),
        ({}, Measure()),
        (float("nan"), Measure()),
    ],
)
def test_measures_are_read_from_objects_numbers_and_nothing(node, value):
    assert measure(node) == value


def test_a_directory_that_is_no_audit_is_refused(tmp_path, make_audit):
    with pytest.raises(ArtifactError, match="no artifact"):
        write_report(tmp_path)
    other = make_audit()
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps(manifest | {"kind": "predictions"}))
    with pytest.raises(ArtifactError, match="'predictions'"):
        write_report(other)
    (other / "manifest.json").write_text(json.dumps(manifest | {"schema": 99}))
    with pytest.raises(ArtifactError, match="schema"):
        write_report(other)


@pytest.mark.parametrize("content", ["", "[1]", "{nonsense", None])
def test_a_broken_audit_file_is_refused_with_a_remedy(make_audit, content):
    directory = make_audit()
    (directory / "audit.json").unlink() if content is None else (directory / "audit.json").write_text(content)
    with pytest.raises(ArtifactError, match="figureground audit"):
        write_report(directory)


def test_a_broken_table_is_refused(make_audit):
    directory = make_audit()
    (directory / "samples.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ArtifactError, match="Parquet"):
        write_report(directory)


def test_a_target_that_cannot_be_written_is_the_users_to_change(make_audit, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="another file"):
        write_report(make_audit(), tmp_path / "file" / "report.html")
