"""The report of real audits: what the stage writes is what the page shows."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image

from figureground import api
from figureground.report import flips, groups, overview, pictures, risk, words, write_report
from figureground.report.reading import read_audit
from figureground.stages.audit.options import AuditOptions

NAMES = ("background", "cat", "dog")


def draw(directory, *, samples: int, seed: int = 0):
    """A data set in its own form with pictures, two predictions of it, and a risk that knows where the flips are."""
    rng = np.random.default_rng(seed)
    for folder in ("images", "masks", "one", "two"):
        (directory / folder).mkdir()
    rows, scores = [], []
    for i in range(samples):
        label, context = 1 + i % 2, ("indoor", "outdoor")[(i // 2) % 2]
        mask = np.zeros((48, 64), np.uint8)
        top, left = rng.integers(4, 12, 2)
        mask[top : top + 30, left : left + 36] = label
        mask[0, 0] = 255
        flipped = 0.6 * (context == "outdoor") * rng.random()
        one, two = mask.copy(), mask.copy()
        one[:, : left + int(36 * flipped)][mask[:, : left + int(36 * flipped)] == label] = 3 - label
        two[top : top + 3] = 0
        for folder, label_map in (("one", one), ("two", two)):
            label_map[0, 0] = 0
            Image.fromarray(label_map).save(directory / folder / f"s{i:03d}.png")
        Image.fromarray(mask).save(directory / "masks" / f"s{i:03d}.png")
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(directory / "images" / f"s{i:03d}.jpg")
        rows.append(
            {
                "id": f"s{i:03d}",
                "image": f"images/s{i:03d}.jpg",
                "mask": f"masks/s{i:03d}.png",
                "label": NAMES[label],
                "split": "test",
                "context": context,
            }
        )
        scores.append({"id": f"s{i:03d}", "flip_risk": flipped, "entropy": rng.random()})
    for name, table in (("samples", rows), ("scores", scores)):
        with (directory / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, table[0])
            writer.writeheader()
            writer.writerows(table)
    (directory / "dataset.toml").write_text(
        '[classes]\nnames = ["background", "cat", "dog"]\nbackground = 0\nignore = 255\n[samples]\ntable = "samples.csv"\n[attributes]\nlabel = "label"\ncontext = "context"\n'
    )
    return directory


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    directory = draw(tmp_path_factory.mktemp("drawn"), samples=60)
    given = [f"one=png:{directory}/one?scores={directory}/scores.csv", f"two=png:{directory}/two"]
    options = AuditOptions(resamples=200, common=("cat=indoor", "dog=indoor"), worst=6)
    return api.audit(str(directory), given, out=directory / "audit", options=options).path


@pytest.fixture(scope="module")
def text(audit):
    html = write_report(audit).read_text(encoding="utf-8")
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<(script|style).*?</\1>", "", html)))


def test_every_rate_of_the_summary_stands_on_the_page(audit, text):
    summary = json.loads((audit / "audit.json").read_text())
    for numbers in summary["predictions"].values():
        for rate in (*numbers["rates"].values(), numbers["foreground_iou"], numbers["miou"]["macro"]):
            assert words.percent(rate["value"]) in text
            assert words.interval(rate["low"], rate["high"]) in text
        assert words.opening(numbers["sentence"])[0] in text


def test_the_matrix_is_the_one_of_the_counts(audit):
    one = read_audit(audit).predictions[0]
    matrix = flips.flip_matrix(one)
    assert [row.name for row in matrix.rows] == ["cat", "dog"]
    for row in matrix.rows:
        assert sum(cell.pixels for cell in row.cells) == row.pixels
        assert sum(cell.share for cell in row.cells) == pytest.approx(1)
    flipped = sum(cell.pixels for row in matrix.rows for cell in row.cells if cell.kind == "flipped")
    assert flipped == sum(row["flipped"] for row in one.samples.to_pylist())


def test_groups_gaps_and_risk_find_the_planted_failure(audit):
    one, two = read_audit(audit).predictions
    first = groups.group_tables(one)[0]
    assert [row.kind for row in first.rows] == ["counterfactual"] * 2 + ["common"] * 2
    found = groups.gaps(one)
    assert found.tied
    assert {(row.name, row.common, row.counterfactual) for row in found.iou} == {("cat", "indoor", "outdoor"), ("dog", "indoor", "outdoor")}
    assert all(row.measure.value > 0.1 for row in found.iou)
    assert found.flip.away_from_zero
    scores = risk.risk(one)
    assert {row.name for row in scores.scores} == {"flip_risk", "entropy"}
    assert scores.scores[0].best == set(risk.SCORES)
    assert scores.curve.best[-1] == pytest.approx(scores.curve.risk[-1])
    assert risk.risk(two) is None


def test_the_prediction_that_flips_more_is_marked_worse(audit):
    artifact = read_audit(audit)
    tables = {table.metric: table for table in overview.difference_tables(artifact)}
    assert tables["flipped"].rows[0][1].verdict == "worse"
    assert tables["missed"].rows[0][1].verdict == "better"
    assert set(tables) == set(overview.METRICS)
    assert overview.most_flipped(artifact).name == "one"


def test_the_worst_samples_have_all_four_pictures_and_their_group(audit):
    one = read_audit(audit).predictions[0]
    sheet = pictures.contact_sheet(one, budget=10**9, by=one.by)
    assert len(sheet.cards) == 6
    for card in sheet.cards:
        assert all(view.source for view in card.views)
        assert card.group in {"cat \u00d7 outdoor", "dog \u00d7 outdoor"}
        assert card.confused in {("cat", "dog"), ("dog", "cat")}
        assert card.risk is not None


def test_an_audit_of_arrays_without_groups_risk_or_pictures_is_shown(tmp_path):
    masks = {"a": np.array([[0, 1], [1, 1]]), "b": np.array([[0, 0], [0, 0]])}
    predicted = {"a": np.array([[0, 1], [1, 0]]), "b": np.array([[0, 0], [0, 1]])}
    result = api.audit(masks, predicted, classes=["background", "cat"], out=tmp_path / "audit")
    html = result.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No foreground pixel is called another foreground class" in html
    assert "came without a risk" in html


@pytest.mark.slow
def test_the_report_of_six_published_networks_stays_below_5_mb(real_data, tmp_path):
    names = sorted(path.name for path in (real_data / "predictions").iterdir() if path.is_dir())
    where = real_data / "predictions"
    given = [f"{name}=png:{where}/{name}/voc21?scores={where}/{name}/voc21.csv" for name in names]
    result = api.audit(str(real_data / "voc21"), given, out=tmp_path / "audit", workers=2)
    page = result.report(tmp_path / "report.html")
    assert page.stat().st_size < 5_000_000
    html = page.read_text(encoding="utf-8")
    assert all(f"<bdi>{name}</bdi>" in html for name in names)
    assert html.count('class="card"') >= 6 * len(names)
