"""What verbs print: tables that keep every number whole, intervals that can be read, and one form of JSON."""

from __future__ import annotations

import json

import pytest

from figureground.cli import summary
from figureground.cli.terminal import PIPE_WIDTH, interval_text, make_console, percent_text, print_json

FIGURES = tuple(summary.SWEEP_WORDS)


def interval(value, low, high):
    return {"value": value, "low": low, "high": high}


def row(architecture="smp:unet/resnet34", **more):
    figures = {name: interval(0.201, -0.224, 0.28) for name in FIGURES}
    return {"architecture": architecture, "objective": "label-flips", "rho": 0.95, "seeds": 5, **figures, **more}


def audited(name):
    values = interval(0.5672, 0.5283, 0.6014)
    rates = dict.fromkeys(summary.STYLES, values)
    group = {"by": ["class", "context"], "kind": "counterfactual", "few": True, "samples": 1234, "rates": rates}
    group["attributes"] = {"class": "a woodpecker", "context": "the deciduous forest of the north"}
    found = {"sentence": "s.", "rates": rates, "foreground_iou": values, "miou": {"macro": values}, "by": ["class", "context"]}
    return {**found, "prediction": name, "groups": [group]}


@pytest.mark.parametrize("columns", [None, "40", "60", "80", "100"])
def test_no_table_cuts_a_number_or_a_word(columns, tmp_path, capsys, monkeypatch):
    """Whatever the width, and in a pipe, every value and every end of an interval stands there in full."""
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    summary.print_sweep([row()], [row(against="cross-entropy")], tmp_path)
    out = capsys.readouterr().out
    assert (out.count("20.1"), out.count("-22.4"), out.count("28.0")) == (12, 12, 12)
    summary.print_audit(audited("a-prediction-with-a-long-name"), None)
    out += capsys.readouterr().out
    assert (out.count("56.7 %") + out.count("56.7\n"), out.count("52.8-60.1")) == (10, 10)
    assert "1234" in out
    assert "…" not in out


def test_a_wide_enough_table_does_not_wrap_its_cells(tmp_path, capsys, monkeypatch):
    """In a pipe an interval stands in one line."""
    monkeypatch.delenv("COLUMNS", raising=False)
    summary.print_sweep([row()], [], tmp_path)
    assert capsys.readouterr().out.count("-22.4 to 28.0") == len(FIGURES)
    assert make_console().width == PIPE_WIDTH
    monkeypatch.setenv("COLUMNS", "77")
    assert make_console().width == 77


def test_differences_are_points_with_a_sign(tmp_path, capsys, monkeypatch):
    """No per cent sign in a table of points; shares keep theirs."""
    monkeypatch.setenv("COLUMNS", "150")
    summary.print_sweep([row()], [row(against="cross-entropy")], tmp_path)
    shares, points = capsys.readouterr().out.split("in points")
    assert (shares.count("20.1 %"), shares.count("+20.1")) == (6, 0)
    assert (points.count("%"), points.count("+20.1")) == (0, 6)


@pytest.mark.parametrize(
    ("ends", "told"),
    [((0.206, 0.404), "20.6-40.4"), ((-0.224, 0.28), "-22.4 to 28.0"), ((-0.014, -0.006), "-1.4 to -0.6"), ((-0.0001, 0.5), "0.0-50.0")],
)
def test_an_interval_has_a_dash_only_where_it_is_no_sign(ends, told):
    assert interval_text(*ends) == told


def test_points_bear_their_sign_where_asked():
    assert [percent_text(v, sign=True) for v in (0.012, -0.012, 0.0001, -0.0001)] == ["+1.2", "-1.2", "0.0", "0.0"]
    assert percent_text(0.012) == "1.2"


def test_json_has_no_nan_and_keeps_letters(capsys):
    """What is undefined is null, and names are as they are."""
    print_json({"ü": float("nan"), "all": (1.0, float("inf"))})
    out = capsys.readouterr().out
    assert json.loads(out) == {"ü": None, "all": [1.0, None]}
    assert "ü" in out
    assert out.startswith("{\n  ")
