"""The operations counted are those of the page: its modules run by playwright's node on the same layers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import figureground.review
from figureground.review.effort.operations import polygon, stroke, tidied
from figureground.review.regions import regions

PAGE = Path(figureground.review.__file__).parent / "static" / "mask"
SCRIPT = """
import fs from "fs";
import { brushCentre, polygonSpans, strokeSpans } from "./mask/shapes.js";
import { tidied } from "./mask/tidy.js";
import { Regions, rowRuns } from "./mask/regions.js";

function painted(spans, layer, width) {
  const out = layer.slice();
  for (let i = 0; i < spans.length; i += 3) out.fill(7, spans[i] * width + spans[i + 1], spans[i] * width + spans[i + 2]);
  return [...out];
}

const found = JSON.parse(fs.readFileSync("cases.json")).map(({ height, width, layer, ends, diameter, corners, least }) => {
  const pixels = Uint8Array.from(layer), regions = new Regions(rowRuns(pixels, height, width)), number = [];
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) number.push(regions.at(x, y));
  const [from, to] = ends.map(([x, y]) => brushCentre(x + 0.3, y + 0.6, diameter));
  return {
    number,
    area: [...regions.area],
    stroke: painted(strokeSpans(from, to, diameter, height, width), pixels, width),
    polygon: painted(polygonSpans(corners, height, width), pixels, width),
    tidied: [...tidied(pixels, height, width, least)],
  };
});
fs.writeFileSync("found.json", JSON.stringify(found));
"""


def cases(count):
    noise = np.random.default_rng(0)
    for _ in range(count):
        height, width = noise.integers(3, 30, 2).tolist()
        layer = np.kron(noise.integers(0, 3, (height, width)), np.ones((3, 3), int))[:height, :width]
        layer[noise.random(layer.shape) < 0.1] = 1
        ends = noise.integers(0, [width, height], (2, 2)).tolist()
        corners = (noise.random((int(noise.integers(3, 8)), 2)) * [width + 6, height + 6] - 3).tolist()
        some = {"diameter": int(noise.choice([1, 3, 5, 9, 15, 25])), "least": int(noise.integers(1, 9))}
        yield {"height": height, "width": width, "layer": layer.reshape(-1).tolist(), "ends": ends, "corners": corners, **some}


@pytest.mark.slow
def test_regions_strokes_polygons_and_tidying_are_those_of_the_page(tmp_path):
    """Pixel for pixel, on layers with specks, holes and shapes that reach over the edge."""
    driver = pytest.importorskip("playwright._impl._driver")
    shutil.copytree(PAGE, tmp_path / "mask")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(SCRIPT)
    asked = list(cases(200))
    (tmp_path / "cases.json").write_text(json.dumps(asked))
    subprocess.run([driver.compute_driver_executable()[0], "run.js"], cwd=tmp_path, check=True, timeout=120)
    for case, found in zip(asked, json.loads((tmp_path / "found.json").read_text()), strict=True):
        layer = np.array(case["layer"], np.uint8).reshape(case["height"], case["width"])
        pieces = regions(layer)
        assert pieces.number.reshape(-1).tolist() == found["number"]
        assert pieces.area.tolist() == found["area"]
        path = tuple((x, y) for x, y in case["ends"])
        assert stroke(layer, path, diameter=case["diameter"], value=7).reshape(-1).tolist() == found["stroke"]
        assert polygon(layer, np.array(case["corners"]), value=7).reshape(-1).tolist() == found["polygon"]
        assert tidied(layer, case["least"]).reshape(-1).tolist() == found["tidied"]
