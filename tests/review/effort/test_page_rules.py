"""The operations counted are those of the page: its modules run by playwright's node on the same layers."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import figureground.review
from figureground.review.effort.annotator import KEYED, Hand
from figureground.review.effort.operations import named, polygon, stroke, tidied
from figureground.review.effort.strokes import DIAMETERS
from figureground.review.regions import figures, regions, votes

PAGE = Path(figureground.review.__file__).parent / "static" / "mask"
SCRIPT = """
import fs from "fs";
import { Classes } from "./mask/classes.js";
import { LabelLayer } from "./mask/layer.js";
import { Painter } from "./mask/painter.js";
import { SIZES, brushCentre, polygonSpans, strokeSpans } from "./mask/shapes.js";
import { votes } from "./mask/votes.js";
import { tidied } from "./mask/tidy.js";
import { Regions, rowRuns } from "./mask/regions.js";

function painted(spans, layer, width) {
  const out = layer.slice();
  for (let i = 0; i < spans.length; i += 3) out.fill(7, spans[i] * width + spans[i + 1], spans[i] * width + spans[i + 2]);
  return [...out];
}

function desk({ height, width, layer, others }) {
  const models = [layer, ...others].map((map) => new Regions(rowRuns(Uint8Array.from(map), height, width)));
  const said = votes(models.map(({ runs }) => runs), 0).map((runs) => new Regions(runs));
  return new Painter({ layer: new LabelLayer(height, width, Uint8Array.from(layer)), models, votes: said, background: 0, names: String });
}

function figure(given, source) {
  const painter = desk(given), [x, y] = given.ends[0], found = painter.figureAt(x + 0.4, y + 0.7, source);
  if (found) painter.pick(found, 7);
  return [...painter.layer.pixels];
}

function snapped(given) {
  const { height, width, segments, path, diameter } = given, painter = desk(given), runs = rowRuns(Uint32Array.from(segments), height, width);
  painter.segments = new Regions(runs, { number: runs.values.slice(), count: Math.max(...segments) + 1 });
  painter.beginStroke(path[0][0] + 0.3, path[0][1] + 0.6, 7, diameter);
  for (const [x, y] of path.slice(1)) painter.moveStroke(x + 0.9, y + 0.1);
  painter.endStroke();
  return [...painter.layer.pixels];
}

function wholeMaps(given) {
  const painter = desk(given);
  return painter.sources.slice(1).map((source) => { painter.takeAll(source); return [...painter.layer.pixels]; });
}

const classes = [...Array(30).keys()].map((place) => ({ place, name: String(place), colour: "#000000", background: place === 0 }));
const keyed = classes.filter(({ place }) => place && new Classes({ classes }).key(place)).length;
fs.writeFileSync("facts.json", JSON.stringify({ sizes: SIZES, keyed }));
const found = JSON.parse(fs.readFileSync("cases.json")).map((given) => {
  const { height, width, layer, ends, diameter, corners, least } = given;
  const pixels = Uint8Array.from(layer), regions = new Regions(rowRuns(pixels, height, width)), number = [];
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) number.push(regions.at(x, y));
  const [from, to] = ends.map(([x, y]) => brushCentre(x + 0.3, y + 0.6, diameter));
  return {
    number,
    area: [...regions.area],
    stroke: painted(strokeSpans(from, to, diameter, height, width), pixels, width),
    polygon: painted(polygonSpans(corners, height, width), pixels, width),
    tidied: [...tidied(pixels, height, width, least)],
    figures: [0, 2].map((source) => figure(given, source)),
    snapped: snapped(given),
    maps: wholeMaps(given),
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
        some: dict[str, Any] = {"diameter": int(noise.choice([1, 3, 5, 9, 15, 25])), "least": int(noise.integers(1, 9))}
        some["others"] = [other(noise, height, width) for _ in range(int(noise.integers(0, 4)) + 1)]
        some["path"] = noise.integers(0, [width, height], (int(noise.integers(1, 5)), 2)).tolist()
        segments = np.kron(np.arange(100).reshape(10, 10), np.ones((3, 3), int))[:height, :width]
        some["segments"] = np.unique(segments, return_inverse=True)[1].reshape(-1).tolist()
        yield {"height": height, "width": width, "layer": layer.reshape(-1).tolist(), "ends": ends, "corners": corners, **some}


def other(noise, height, width):
    """Another model's map, with void."""
    found = np.kron(noise.choice([0, 0, 1, 2, 255], (height, width)), np.ones((2, 2), int))[:height, :width]
    return found.reshape(-1).tolist()


@pytest.mark.slow
def test_every_action_is_that_of_the_page(tmp_path):
    """Pixel for pixel, on layers with specks, holes and shapes that reach over the edge; brushes and keys are those of the page as well."""
    driver = pytest.importorskip("playwright._impl._driver")
    shutil.copytree(PAGE, tmp_path / "mask")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(SCRIPT)
    asked = list(cases(200))
    (tmp_path / "cases.json").write_text(json.dumps(asked))
    subprocess.run([driver.compute_driver_executable()[0], "run.js"], cwd=tmp_path, check=True, timeout=120)
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["sizes"][: len(DIAMETERS)] == list(DIAMETERS)
    assert Hand().diameter in facts["sizes"]
    assert facts["keyed"] == KEYED
    for case, found in zip(asked, json.loads((tmp_path / "found.json").read_text()), strict=True):
        layer = np.array(case["layer"], np.uint8).reshape(case["height"], case["width"])
        pieces = regions(layer)
        assert pieces.number.reshape(-1).tolist() == found["number"]
        assert pieces.area.tolist() == found["area"]
        path = tuple((x, y) for x, y in case["ends"])
        assert stroke(layer, path, diameter=case["diameter"], value=7).reshape(-1).tolist() == found["stroke"]
        assert polygon(layer, np.array(case["corners"]), value=7).reshape(-1).tolist() == found["polygon"]
        assert tidied(layer, case["least"]).reshape(-1).tolist() == found["tidied"]
        check_proposals(case, layer, found)
        segments = np.array(case["segments"], np.int32).reshape(layer.shape)
        path = tuple((x, y) for x, y in case["path"])
        assert stroke(layer, path, diameter=case["diameter"], value=7, segments=segments).reshape(-1).tolist() == found["snapped"]


def check_proposals(case, layer, found):
    """Whole figures of the layer and of a model named, and the maps that are offered: the models' and the votes."""
    maps = [layer, *(np.array(one, np.uint8).reshape(layer.shape) for one in case["others"])]
    for source, after in zip((layer, maps[1]), found["figures"], strict=True):
        pieces = figures(source)
        piece = pieces.at(*case["ends"][0])
        assert (layer if piece < 0 else named(layer, pieces, piece, 7)).reshape(-1).tolist() == after
    assert [one.reshape(-1).tolist() for one in [*maps, *votes(maps)]] == found["maps"]


def test_the_network_with_most_seeds_is_found_whatever_its_name(tmp_path, monkeypatch):
    """By rho and by the number of the seed; another objective and predictions that are not finished do not count."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[3] / "scripts"))
    tasks = importlib.import_module("effort_tasks")
    seeds = [f"large/ce/rho-0.95/seed-{n}" for n in (10, 2, 0)] + [f"large/{one}/seed-1" for one in ("dice/rho-0.95", "ce/rho-0.5")]
    for one in [*seeds, "small/ce/rho-0.95/seed-0"]:
        (tmp_path / "runs" / one / "predictions").mkdir(parents=True)
        (tmp_path / "runs" / one / "predictions" / "manifest.json").touch()
    (tmp_path / "runs" / "large/ce/rho-0.95/seed-3/predictions").mkdir(parents=True)
    found = tasks._runs(tmp_path)
    assert [(tasks.rho_of(path), path.parent.name) for path in found] == [
        (0.5, "seed-1"),
        (0.95, "seed-0"),
        (0.95, "seed-2"),
        (0.95, "seed-10"),
    ]
    assert {tasks.network_of(str(path)) for path in found} == {"large"}
