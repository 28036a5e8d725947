"""The painter's arithmetic, run in the browser and held against numpy, scipy and slow loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

pytestmark = [pytest.mark.slow, pytest.mark.browser]
EIGHT = np.ones((3, 3), int)


def blobs(rng: np.random.Generator, height: int, width: int, classes: int = 4) -> np.ndarray:
    """uint8 [height, width]: some blobs, some noise, so that regions touch at corners too."""
    coarse = rng.integers(0, classes, (height // 3 + 1, width // 3 + 1))
    fine = np.kron(coarse, np.ones((3, 3), int))[:height, :width]
    return np.where(rng.random((height, width)) < 0.2, rng.integers(0, classes, (height, width)), fine).astype(np.uint8)


def fill_spans(spans: list[int], height: int, width: int) -> np.ndarray:
    """Times each pixel is covered."""
    covered = np.zeros((height, width), int)
    for y, x0, x1 in np.asarray(spans, int).reshape(-1, 3):
        assert 0 <= y < height
        assert 0 <= x0 < x1 <= width
        covered[y, x0:x1] += 1
    return covered


@pytest.mark.parametrize("diameter", [1, 2, 3, 8, 17, 40])
def test_a_stroke_is_every_pixel_centre_within_half_its_width_of_the_line(modules, diameter):
    rng = np.random.default_rng(diameter)
    ends = [[*a, *b] for a, b in zip(rng.uniform(-10, 60, (30, 2)).tolist(), rng.uniform(-10, 60, (30, 2)).tolist(), strict=True)]
    ends += [[20.2, 20.7, 20.2, 20.7], [5, 10, 30, 10], [12, 5, 12, 31]]
    found = modules(
        """return given.ends.map(([ax, ay, bx, by]) => {
             const a = m.brushCentre(ax, ay, given.diameter), b = m.brushCentre(bx, by, given.diameter);
             return { a, b, spans: [...m.strokeSpans(a, b, given.diameter, 48, 50)] };
           });""",
        {"ends": ends, "diameter": diameter},
    )
    y, x = np.mgrid[0:48, 0:50] + 0.5
    for each in found:
        (ax, ay), (bx, by) = each["a"], each["b"]
        long = (bx - ax) ** 2 + (by - ay) ** 2
        t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / long, 0, 1) if long else np.zeros_like(x)
        distance = (x - (ax + t * (bx - ax))) ** 2 + (y - (ay + t * (by - ay))) ** 2
        certain = abs(distance - (diameter / 2) ** 2) > 1e-9
        covered = fill_spans(each["spans"], 48, 50)
        assert covered.max() <= 1
        np.testing.assert_array_equal(covered[certain], (distance <= (diameter / 2) ** 2)[certain].astype(int))


def test_a_brush_of_one_pixel_paints_the_pixel_under_the_pointer(modules):
    spans = modules(
        "return [[3.01, 4.99], [3.5, 4.5], [3.99, 4]].map(([x, y]) => [...m.strokeSpans(m.brushCentre(x, y, 1), m.brushCentre(x, y, 1), 1, 9, 9)]);"
    )
    assert spans == [[4, 3, 4]] * 3


@pytest.mark.parametrize("seed", range(4))
def test_a_polygon_is_every_pixel_centre_inside_by_the_even_odd_rule(modules, seed):
    rng = np.random.default_rng(seed)
    polygons = [np.round(rng.uniform(-8, 50, (rng.integers(3, 9), 2)) * 4) / 4 for _ in range(25)]  # quarters: many centres lie on edges
    found = modules("return given.map((points) => [...m.polygonSpans(points, 40, 44)]);", [p.tolist() for p in polygons])
    for points, spans in zip(polygons, found, strict=True):
        covered = fill_spans(spans, 40, 44)
        expected = np.zeros((40, 44), int)
        for row in range(40):
            for column in range(44):
                x, y, inside = column + 0.5, row + 0.5, False
                for (px, py), (qx, qy) in zip(points, np.roll(points, -1, axis=0), strict=True):
                    # Half-open edges: exact in quarters, no division.
                    if (py <= y) != (qy <= y):
                        side = (x - px) * (qy - py) - (y - py) * (qx - px)
                        inside ^= bool(side >= 0 if qy > py else side <= 0)
                expected[row, column] = inside
        np.testing.assert_array_equal(covered, expected)


@pytest.mark.parametrize(("height", "width", "classes"), [(1, 1, 2), (1, 40, 3), (40, 1, 2), (37, 53, 2), (64, 64, 4), (30, 31, 200)])
def test_regions_are_the_components_of_equal_value_touching_at_sides_or_corners(modules, height, width, classes):
    pixels = blobs(np.random.default_rng(height * width), height, width, classes)
    found = modules(
        """const pixels = Uint8Array.from(given.pixels), runs = m.rowRuns(pixels, given.height, given.width);
           const regions = new m.Regions(runs), out = new Array(pixels.length);
           for (let r = 0; r < regions.count; r += 1) {
             const spans = regions.spans(r);
             for (let i = 0; i < spans.length; i += 3) for (let x = spans[i + 1]; x < spans[i + 2]; x += 1) out[spans[i] * given.width + x] = r;
           }
           const at = out.map((_, i) => regions.at(i % given.width, Math.floor(i / given.width)));
           return { out, at, area: [...regions.area], value: [...regions.value], count: regions.count };""",
        {"pixels": pixels.ravel().tolist(), "height": height, "width": width},
    )
    numbers = np.array(found["out"]).reshape(height, width)
    assert found["at"] == found["out"]
    seen = 0
    for value in np.unique(pixels):
        labels, count = ndimage.label(pixels == value, EIGHT)
        seen += count
        for label in range(1, count + 1):
            inside = labels == label
            (number,) = set(numbers[inside].tolist())
            assert (numbers == number).sum() == inside.sum() == found["area"][number]
            assert found["value"][number] == value
    assert found["count"] == seen


def test_row_runs_of_a_map_are_those_of_its_pixels_and_follow_changed_rows(modules):
    rng = np.random.default_rng(5)
    first, second = blobs(rng, 29, 41), blobs(rng, 29, 41)
    rows = [0, 3, 4, 5, 20, 28]
    after = first.copy()
    after[rows] = second[rows]
    same = modules(
        """const [h, w] = [29, 41], a = Uint8Array.from(given.first), b = Uint8Array.from(given.after);
           const words = (r) => JSON.stringify([[...r.first], [...r.x0], [...r.values]]);
           const runs = m.rowRuns(a, h, w), whole = m.packBox(a, w, { x: 0, y: 0, width: w, height: h });
           const cut = m.cutRuns({ height: h, width: w, lengths: Uint32Array.from(whole.lengths), values: Uint8Array.from(whole.values) });
           return [words(cut) === words(runs), words(m.updateRuns(runs, b, new Set(given.rows))) === words(m.rowRuns(b, h, w)), words(runs) === words(m.rowRuns(b, h, w))];""",
        {"first": first.ravel().tolist(), "after": after.ravel().tolist(), "rows": rows},
    )
    assert same == [True, True, False]


def test_an_outline_is_every_side_between_inside_and_outside_once(modules):
    pixels = blobs(np.random.default_rng(8), 33, 35, 2)
    lines = modules(
        """const spans = []; given.forEach((row, y) => row.forEach((v, x) => { if (v) spans.push(y, x, x + 1); }));
           return [...m.outline(spans)];""",
        pixels.tolist(),
    )
    wide = np.pad(pixels.astype(int), 1)
    sides = {("level", x, y) for y, x in np.argwhere(wide[:-1, 1:-1] != wide[1:, 1:-1]).tolist()}
    sides |= {("upright", x, y) for y, x in np.argwhere(wide[1:-1, :-1] != wide[1:-1, 1:]).tolist()}
    drawn = []
    for x0, y0, x1, y1 in np.array(lines, int).reshape(-1, 4).tolist():
        assert (x0 == x1) != (y0 == y1)
        drawn += [("level", x, y0) for x in range(x0, x1)] if y0 == y1 else [("upright", x0, y) for y in range(y0, y1)]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == sides


@pytest.mark.parametrize("seed", range(3))
def test_undoing_all_gives_the_start_and_redoing_all_the_end(modules, seed):
    rng = np.random.default_rng(seed)
    start = blobs(rng, 70, 90)
    other = blobs(rng, 70, 90)
    steps = [
        [int(rng.integers(0, 5)), *rng.uniform(-5, 95, 4).round(2).tolist(), int(rng.integers(1, 20)), int(rng.integers(0, 4))]
        for _ in range(60)
    ]
    found = modules(
        """const [h, w] = [70, 90], layer = new m.LabelLayer(h, w, Uint8Array.from(given.start)), history = new m.History();
           const states = [[...layer.pixels]];
           for (const [kind, ax, ay, bx, by, size, value] of given.steps) {
             const delta = new m.Delta();
             if (kind <= 1) for (const end of [[bx, by], [by, ax]]) layer.paint(m.strokeSpans([ax, ay], end, size, h, w), value, delta);
             if (kind === 2) layer.paint(m.polygonSpans([[ax, ay], [bx, by], [by, ax], [20, 30]], h, w), value, delta);
             if (kind === 3) layer.replace(Uint8Array.from(given.other), delta);
             if (kind === 4) { if (value > 1) { if (history.undo(layer) !== null) states.pop(); } else if (history.redo(layer) !== null) states.push([...layer.pixels]); }
             else if (history.keep(delta)) states.push([...layer.pixels]);
           }
           const end = [...layer.pixels], same = [], equal = (a, b) => a.every((v, i) => v === b[i]);
           let undone = 0;
           for (let k = states.length - 1; k >= 0; k -= 1) { same.push(equal(states[k], layer.pixels)); if (history.undo(layer) !== null) undone += 1; }
           same.push(equal(given.start, layer.pixels));
           for (let k = 1; k < states.length; k += 1) { history.redo(layer); same.push(equal(states[k], layer.pixels)); }
           return { same, undone, states: states.length, moved: !equal(given.start, end) };""",
        {"start": start.ravel().tolist(), "other": other.ravel().tolist(), "steps": steps},
    )
    assert found["moved"]
    assert found["undone"] == found["states"] - 1 > 20
    assert all(found["same"])


@pytest.mark.parametrize("seed", range(3))
def test_what_is_marked_as_changed_holds_every_change_and_packs_exactly(modules, seed):
    rng = np.random.default_rng(seed)
    start = blobs(rng, 300, 520)
    strokes = [[*rng.uniform(0, 520, 4).round(1).tolist(), int(rng.integers(1, 60)), int(rng.integers(0, 4))] for _ in range(8)]
    found = modules(
        """const [h, w] = [300, 520], start = Uint8Array.from(given.start), layer = new m.LabelLayer(h, w, start.slice());
           for (const [ax, ay, bx, by, size, value] of given.strokes) layer.paint(m.strokeSpans([ax, ay], [bx, by], size, h, w), value, new m.Delta());
           const drawn = layer.takeDrawn(), rows = [...layer.takeRows()], tiles = layer.takeUnsent();
           const copy = new m.LabelLayer(h, w, start.slice());
           for (const box of tiles.values()) { const packed = m.packBox(layer.pixels, w, box); copy.put(packed, m.unpackBox(packed)); }
           return { end: [...layer.pixels], copy: [...copy.pixels], drawn, rows, tiles: [...tiles], left: [layer.drawn, layer.unsent.size, layer.rows.size] };""",
        {"start": start.ravel().tolist(), "strokes": strokes},
    )
    end = np.array(found["end"]).reshape(300, 520)
    ys, xs = np.nonzero(end != start)
    box = found["drawn"]
    assert (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert set(found["rows"]) == set(ys.tolist())
    assert found["copy"] == found["end"]
    assert found["left"] == [None, 0, 0]
    for tile, part in found["tiles"]:
        assert (part["y"] // 256) * 3 + part["x"] // 256 == tile
        assert (part["y"] + part["height"] - 1) // 256 * 3 + (part["x"] + part["width"] - 1) // 256 == tile
    assert {(y // 256) * 3 + x // 256 for y, x in zip(ys.tolist(), xs.tolist(), strict=True)} == {tile for tile, _ in found["tiles"]}


def test_runs_of_the_server_are_read_exactly_and_damaged_ones_refused(modules):
    rng = np.random.default_rng(2)
    pixels = blobs(rng, 9, 14).ravel()
    edges = np.flatnonzero(np.diff(pixels, prepend=255))
    lengths, values = np.diff(edges, append=pixels.size), pixels[edges]
    head = np.array([9, 14, len(lengths), *lengths], "<u4").tobytes()
    narrow, wide = head + values.tobytes(), head + (values.astype("<u4") * 70_000).tobytes()
    read = modules(
        """const of = (bytes) => Uint8Array.from(bytes).buffer, attempt = (bytes) => { try { m.decodeRuns(of(bytes)); return "read"; } catch (e) { return e.name; } };
           return { narrow: [...m.fillRuns(m.decodeRuns(of(given.narrow)))], wide: [...m.fillRuns(m.decodeRuns(of(given.wide), { wide: true }))],
                    bad: given.bad.map(attempt) };""",
        {
            "narrow": list(narrow),
            "wide": list(wide),
            "bad": [list(b) for b in (narrow[:-1], narrow + b"\0", b"", b"\xff" * 12, b"\1" + narrow[1:], wide)],
        },
    )
    assert read["narrow"] == pixels.tolist()
    assert read["wide"] == (pixels.astype(int) * 70_000).tolist()
    assert read["bad"] == ["RangeError"] * 6


@pytest.mark.parametrize("seed", range(3))
def test_tidying_leaves_no_small_region_and_touches_only_small_ones(modules, seed):
    pixels = blobs(np.random.default_rng(seed), 40, 46, 3)
    out = np.array(modules("return [...m.tidied(Uint8Array.from(given), 40, 46, 12)];", pixels.ravel().tolist()), np.uint8).reshape(40, 46)
    again = modules("return [...m.tidied(Uint8Array.from(given), 40, 46, 12)];", out.ravel().tolist())
    assert again == out.ravel().tolist()
    for value in np.unique(out):
        labels, count = ndimage.label(out == value, EIGHT)
        assert count == 0 or np.bincount(labels.ravel())[1:].min() >= 12
    for value in np.unique(pixels):
        labels, _ = ndimage.label(pixels == value, EIGHT)
        large = np.flatnonzero(np.bincount(labels.ravel()) >= 12)
        kept = np.isin(labels, large[large > 0])
        assert (out[kept] == value).mean() > 0.8  # a large region is never given away as a whole; it may swallow


def test_tidying_fills_a_hole_and_drops_a_speck(modules):
    pixels = np.zeros((20, 20), np.uint8)
    pixels[4:16, 4:16] = 1
    expected = pixels.copy()
    pixels[8:10, 8:10] = 2
    pixels[1, 18] = 3
    out = modules("return [...m.tidied(Uint8Array.from(given), 20, 20, 6)];", pixels.ravel().tolist())
    assert out == expected.ravel().tolist()


@pytest.mark.parametrize("seed", range(4))
def test_every_action_of_the_painter_can_be_undone_in_any_order(modules, seed):
    rng = np.random.default_rng(seed)
    steps = [[int(kind), *rng.uniform(0, 60, 4).round(1).tolist(), int(rng.integers(0, 6))] for kind in rng.integers(0, 9, 120)]
    found = modules(
        """const [h, w] = [50, 60], start = Uint8Array.from(given.start), layer = new m.LabelLayer(h, w, start.slice());
           const model = new m.Regions(m.rowRuns(Uint8Array.from(given.model), h, w));
           const painter = new m.Painter({ layer, models: [model, null], background: 0, names: String });
           const equal = (a, b) => a.every((v, i) => v === b[i]), wrong = [];
           for (const [kind, ax, ay, bx, by, value] of given.steps) {
             const region = painter.regionAt(ax, ay % 50, kind % 2);
             if (kind <= 1) painter.pick(region, value);
             else if (kind === 2) painter.pick(region);
             else if (kind === 3) painter.beginStroke(ax, ay, value, 1 + value);  // it goes on until something ends it
             else if (kind === 4) { if (painter.stroke) painter.moveStroke(bx, by); }
             else if (kind === 5) { painter.corners = [[ax, ay], [bx, by], [by, ax]]; painter.value = value; painter.closePolygon(); }
             else if (kind === 6) painter.undo();
             else if (kind === 7) value > 3 ? painter.tidy() : value > 2 ? painter.takeAll(1) : painter.endStroke();
             else painter.redo();
             const fresh = new m.Regions(m.rowRuns(layer.pixels, h, w)), own = painter.stroke ? fresh : painter.regionsOf(0);
             if (!equal(fresh.number, own.number) || !equal(fresh.value, own.value)) wrong.push(kind);
           }
           painter.endStroke();
           const end = layer.pixels.slice();
           let undone = 0;
           while (painter.undo()) undone += 1;
           const back = equal(start, layer.pixels);
           for (let i = 0; i < undone; i += 1) painter.redo();
           return { wrong, undone, back, again: equal(end, layer.pixels), moved: !equal(start, end), sources: painter.sources };""",
        {
            "start": blobs(rng, 50, 60, 4).ravel().tolist(),
            "model": blobs(rng, 50, 60, 4).ravel().tolist(),
            "steps": steps,
        },
    )
    assert found["wrong"] == []
    assert found["undone"] > 10
    assert found["moved"]
    assert found["back"]
    assert found["again"]
    assert found["sources"] == [0, 1]


@pytest.mark.parametrize("steps", [1, 4, 16])
def test_a_brush_that_snaps_takes_what_its_middle_passes_over_and_what_the_stroke_half_covers(modules, steps):
    """However many events the pointer sent on its way."""
    segments = np.kron(np.arange(36).reshape(6, 6), np.ones((10, 10), int))
    stroke = [[22.5 + 16 * k / steps, 22.5] for k in range(steps + 1)]
    found = modules(
        """const layer = new m.LabelLayer(60, 60, new Uint8Array(3600)), painter = new m.Painter({ layer, models: [], background: 0, names: String });
           const runs = m.rowRuns(Uint32Array.from(given.segments), 60, 60);
           painter.segments = new m.Regions(runs, { number: runs.values.slice(), count: 36 });
           painter.beginStroke(...given.stroke[0], 5, 15);
           for (const to of given.stroke.slice(1)) painter.moveStroke(...to);
           painter.endStroke();
           return [...layer.pixels];""",
        {"segments": segments.ravel().tolist(), "stroke": stroke},
    )
    painted = np.array(found).reshape(60, 60) == 5
    y, x = np.mgrid[:60, :60] + 0.5
    swept = (y - 22.5) ** 2 + (x - np.clip(x, 22.5, 38.5)) ** 2 <= 7.5**2
    taken = {number for number in range(36) if 2 * swept[segments == number].sum() >= 100} | {14, 15}
    assert taken > {14, 15}
    np.testing.assert_array_equal(painted, np.isin(segments, list(taken)))


def test_a_figure_is_taken_as_it_is_and_named_as_a_whole(modules):
    """Two classes that touch at a corner are one figure; void and ground are none."""
    model = [[0, 1, 1, 0, 255], [0, 1, 0, 2, 0], [3, 0, 0, 0, 0], [0, 0, 0, 4, 4]]
    found = modules(
        """const painter = (own) => { const layer = new m.LabelLayer(4, 5, Uint8Array.from(own)); return new m.Painter({ layer, background: 0, names: String,
             models: [new m.Regions(m.rowRuns(Uint8Array.from(given.flat()), 4, 5))] }); };
           const words = [], after = (own, source, value) => { const each = painter(own); each.done = (said) => words.push(said); each.pick(each.figureAt(1.5, 0.5, source), value); return [...each.layer.pixels]; };
           const one = painter(new Array(20).fill(0));
           return { taken: after(new Array(20).fill(7), 1), named: after(new Array(20).fill(7), 1, 9), own: after(given.flat(), 0, 9), words,
                    none: [one.figureAt(0.5, 0.5, 1), one.figureAt(4.5, 0.5, 1), one.figureAt(-1, 0, 1), one.figureAt(1, 1, 0)] };""",
        model,
    )
    layer = np.array(model)
    figure = np.isin(layer, [1, 2, 3])
    np.testing.assert_array_equal(np.array(found["taken"]).reshape(4, 5), np.where(figure, layer, 7))
    np.testing.assert_array_equal(np.array(found["named"]).reshape(4, 5), np.where(figure, 9, 7))
    np.testing.assert_array_equal(np.array(found["own"]).reshape(4, 5), np.where(figure, 9, layer))
    assert found["words"] == ["Figure of model A taken: 1", "Figure of model A named 9", "Figure of the layer named 9"]
    assert found["none"] == [None] * 4
