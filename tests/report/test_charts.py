"""The curve follows the page: its colours, its font, no id twice, and the data where they belong."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest

from figureground.report.charts import COLOURS, POINTS, risk_coverage_svg
from figureground.report.risk import Curve


def curve(points: int) -> Curve:
    coverage = np.arange(1, points + 1) / points
    return Curve(coverage=tuple(coverage), risk=tuple(0.3 * coverage**2), best=tuple(0.3 * coverage**3))


def test_the_svg_is_well_formed_with_axis_labels_and_units():
    svg = risk_coverage_svg(curve(30), name="c")
    texts = [node.text for node in ET.fromstring(svg).iter() if node.tag.endswith("text")]
    assert "coverage: samples kept, least risk first (%)" in texts
    assert "flipped share of the kept (%)" in texts
    assert {"by risk", "best possible order", "no order (mean)"} <= set(texts)


def test_colours_are_the_pages_and_fonts_are_inherited():
    svg = risk_coverage_svg(curve(30), name="c")
    assert not any(colour in svg for colour in COLOURS)
    assert set(re.findall(r"(?:fill|stroke): (?!none)([^;\"]+)", svg)) <= set(COLOURS.values())
    assert "font-family" not in svg
    assert "<style" not in svg


def test_ids_are_prefixed_so_that_two_curves_share_a_page():
    first, second = (risk_coverage_svg(curve(30), name=name) for name in ("a", "b"))
    ids = [re.findall(r'\bid="([^"]+)"', svg) for svg in (first, second)]
    assert not set(ids[0]) & set(ids[1])
    for svg, own in zip((first, second), ids, strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg)) <= set(own)


def test_long_curves_are_thinned():
    assert len(risk_coverage_svg(curve(50_000), name="c")) < 2.5 * len(risk_coverage_svg(curve(POINTS), name="c"))


@pytest.mark.parametrize("risk", [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
def test_flat_and_extreme_curves_are_drawn(risk):
    svg = risk_coverage_svg(Curve(coverage=(0.5, 1.0), risk=risk, best=()), name="c")
    assert "best possible order" not in svg
    assert "by risk" in svg


def test_a_readers_matplotlib_settings_do_not_reach_the_report():
    plain = risk_coverage_svg(curve(30), name="c")
    with mpl.rc_context({"axes.facecolor": "red", "lines.linewidth": 9, "font.size": 30}):
        assert risk_coverage_svg(curve(30), name="c") == plain
        assert mpl.rcParams["font.size"] == 30
