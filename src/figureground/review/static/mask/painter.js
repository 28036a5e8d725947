// One picture being labelled: the layer, the maps of models as proposals, and every action on them, without a page around it.

import { Delta, History } from "./history.js";
import { Regions, foregroundRuns, rowRuns, updateRuns } from "./regions.js";
import { packBox, unpackBox } from "./runs.js";
import { brushCentre, polygonSpans, strokeSpans } from "./shapes.js";
import { tidied } from "./tidy.js";

export const VOID = 255;
const SLOW_RUNS = 400_000; // a layer in more pieces is searched for regions only when one is asked for, not at every move

export class Painter {
  // `layer`: LabelLayer; `models`: Regions or null of each model's map; `votes`: Regions of the vote of most and of any, or none; `names(place)`:
  // the name of a class; `done(words)` hears of actions.
  // `locked`: the mask was accepted and is only looked at.
  constructor({ layer, models, votes = [], background, names, locked = false, done = () => {} }) {
    Object.assign(this, { layer, models, votes, background, names, locked, done });
    this.maps = [...models, ...votes];
    this.figures = new WeakMap(); // Regions of a map -> those of its foreground
    this.history = new History();
    this.segments = null; // superpixels as Regions, where the brush snaps
    this.source = 0; // whose regions are under the cursor: 0 = the layer's own, k = those of map k - 1, models first, then votes
    this.value = background; // the class in hand
    this.actions = 0;
    this.stroke = null;
    this.corners = []; // of the polygon being drawn
  }

  // The numbers of the sources there are: the layer, the models with a map of this picture, the votes.
  get sources() { return [...Array(this.maps.length + 1).keys()].filter((i) => i === 0 || this.maps[i - 1]); }

  // What a source is called: `name` on its button, `of` in sentences, `says` in full.
  whose(source) {
    const { length } = this.models, vote = source - length - 1;
    if (!source) return { name: "Mine", of: "the layer", says: "The layer" };
    if (vote < 0) return { name: letter(source), of: `model ${letter(source)}`, says: `Model ${letter(source)}` };
    const two = this.models.filter(Boolean).length === 2, name = vote ? "Any" : two ? "Both" : "Most";
    const where = vote ? "any model sees some" : two ? "both models see some" : "more than half of the models see some";
    return { name, of: vote ? "any model" : two ? "both models" : "most models", says: `${name}: foreground where ${where}, under the name that most of them give` };
  }

  inside(x, y) { return x >= 0 && y >= 0 && x < this.layer.width && y < this.layer.height; }

  // Regions of a source; those of the layer are brought up to date with the rows that changed.
  regionsOf(source) {
    if (source) return this.maps[source - 1];
    const { layer } = this;
    if (!this.own || layer.rows.size) {
      const rows = layer.takeRows();
      this.runs = this.runs && rows.size * 2 < layer.height ? updateRuns(this.runs, layer.pixels, rows) : rowRuns(layer.pixels, layer.height, layer.width);
      this.own = new Regions(this.runs);
    }
    return this.own;
  }

  // The layer was put in place of another: its regions are found anew.
  forget() { this.own = this.runs = null; }

  get slow() { return this.source === 0 && (this.runs?.x0.length ?? 0) > SLOW_RUNS && this.layer.rows.size > 0; }

  // The region of the current source at a point: {source, region, value, regions}; null outside.
  regionAt(x, y, source = this.source) {
    if (!this.inside(x, y)) return null;
    const regions = this.regionsOf(source), region = regions.at(Math.floor(x), Math.floor(y));
    return { source, region, regions, value: regions.value[region] };
  }

  // The whole figure of the current source at a point, whatever its classes: connected foreground, as `regionAt`; null on ground and void.
  figureAt(x, y, source = this.source) {
    const found = this.regionAt(x, y, source);
    if (!found) return null;
    const from = found.regions;
    if (!this.figures.has(from)) this.figures.set(from, new Regions(foregroundRuns(from.runs, this.background)));
    const regions = this.figures.get(from), region = regions.at(Math.floor(x), Math.floor(y));
    return regions.value[region] ? { ...found, region, regions, from } : null;
  }

  // What each source says at a point: values, null where a model has no map.
  saying(x, y) {
    if (!this.inside(x, y)) return null;
    const [column, row] = [Math.floor(x), Math.floor(y)];
    return [this.layer.at(column, row), ...this.maps.map((map) => map && map.value[map.at(column, row)])];
  }

  // Says that nothing is changed here; false, as an action that changed nothing.
  #refuse() { this.done("This mask was accepted: it is not changed any more", false); return false; }

  // One action that paints spans with one class. A stroke that is under way ends before any other action begins.
  paint(spans, value, words) {
    if (this.locked) return this.#refuse();
    this.endStroke();
    const delta = new Delta();
    this.layer.paint(spans, value, delta);
    return this.finish(delta, words);
  }

  finish(delta, words) {
    const kept = this.history.keep(delta, words);
    if (kept) this.actions += 1;
    this.done(kept ? words : "Nothing to change here", kept);
    return kept;
  }

  // Takes a region or figure as its source has it, or under another name: the one action that most masks are made of.
  pick(found, value = null) {
    if (this.locked) return this.#refuse();
    const what = `${found.from ? "Figure" : "Region"} of ${this.whose(found.source).of}`, was = this.names(found.value);
    const taken = value === null || (value === found.value && !found.from);
    const words = taken ? `${what} taken: ${was}` : `${what} named ${this.names(value)}${found.from ? "" : `, was ${was}`}`;
    this.endStroke();
    const delta = new Delta();
    if (value !== null) this.layer.paint(found.regions.spans(found.region), value, delta);
    else for (const [own, spans] of parts(found)) this.layer.paint(spans, own, delta);
    return this.finish(delta, words);
  }

  // Takes the whole map of a model or vote.
  takeAll(source) {
    const map = this.maps[source - 1];
    if (!map) return false;
    if (this.locked) return this.#refuse();
    this.endStroke();
    const delta = new Delta(), { runs } = map, pixels = new Uint8Array(this.layer.pixels.length);
    for (let y = 0; y < runs.height; y += 1) {
      for (let i = runs.first[y]; i < runs.first[y + 1]; i += 1) pixels.fill(runs.values[i], y * runs.width + runs.x0[i], y * runs.width + map.end(i, y));
    }
    this.layer.replace(pixels, delta);
    return this.finish(delta, `The whole map of ${this.whose(source).of} taken`);
  }

  // A figure of the layer and what surrounds it, as the server fits its border: {x, y, box}; see fitting.py. Null where there is none.
  outline(x, y) {
    const found = this.figureAt(x, y, 0), { layer } = this;
    if (!found) return null;
    const spans = found.regions.spans(found.region), top = spans[0], bottom = spans.at(-3) + 1;
    let [left, right] = [layer.width, 0];
    for (let i = 0; i < spans.length; i += 3) [left, right] = [Math.min(left, spans[i + 1]), Math.max(right, spans[i + 2])];
    const more = Math.max(16, Math.floor((Math.max(right - left, bottom - top) + 1) / 2));
    const [x0, y0, x1, y1] = [Math.max(0, left - more), Math.max(0, top - more), Math.min(layer.width, right + more), Math.min(layer.height, bottom + more)];
    return { x: Math.floor(x), y: Math.floor(y), box: packBox(layer.pixels, layer.width, { x: x0, y: y0, width: x1 - x0, height: y1 - y0 }) };
  }

  // Puts a box of pixels into the layer; `words` say what was done.
  put(box, words) {
    if (this.locked) return this.#refuse();
    this.endStroke();
    const { layer } = this, pixels = layer.pixels.slice(), part = unpackBox(box), delta = new Delta();
    for (let row = 0; row < box.height; row += 1) pixels.set(part.subarray(row * box.width, (row + 1) * box.width), (box.y + row) * layer.width + box.x);
    layer.replace(pixels, delta);
    return this.finish(delta, words);
  }

  // Regions smaller than two ten-thousandths of the picture, at least 12 pixels, go to their neighbours.
  tidy() {
    if (this.locked) return this.#refuse();
    this.endStroke();
    const { layer } = this, { height, width } = layer, least = Math.max(12, Math.round(height * width * 2e-4)), delta = new Delta();
    layer.replace(tidied(layer.pixels, height, width, least), delta);
    return this.finish(delta, `Specks and holes below ${least} pixels removed`);
  }

  beginStroke(x, y, value, diameter) {
    if (this.locked) return this.#refuse();
    this.endStroke();
    this.stroke = { delta: new Delta(), value, diameter, last: [x, y], taken: new Set(), inside: new Map() };
    this.moveStroke(x, y);
    return true;
  }

  moveStroke(x, y) {
    const { stroke, layer } = this;
    const from = brushCentre(...stroke.last, stroke.diameter), to = brushCentre(x, y, stroke.diameter);
    const spans = strokeSpans(from, to, stroke.diameter, layer.height, layer.width);
    if (this.segments) this.#snap(spans, [x, y], stroke);
    else layer.paint(spans, stroke.value, stroke.delta);
    stroke.last = [x, y];
  }

  endStroke() {
    const { stroke } = this;
    if (!stroke) return false;
    this.stroke = null;
    return this.finish(stroke.delta, stroke.value === this.background ? "Erased" : `Painted ${this.names(stroke.value)}`);
  }

  // Paints whole superpixels: those that the middle of the brush passes over, and those of which the stroke so far covers at least half. It
  // does not matter in how many steps the pointer came.
  #snap(spans, end, stroke) {
    const { segments, layer } = this, { inside, taken } = stroke, { height, width } = layer, fresh = new Set();
    const covered = (stroke.covered ??= new Uint8Array(height * width));
    segments.within(spans, (run, y, x0, x1) => {
      const number = segments.number[run];
      let pixels = inside.get(number) ?? 0;
      for (let at = y * width + x0; at < y * width + x1; at += 1) if (!covered[at]) { covered[at] = 1; pixels += 1; }
      inside.set(number, pixels);
      if (2 * pixels >= segments.area[number]) fresh.add(number);
    });
    const middle = strokeSpans(brushCentre(...stroke.last, 1), brushCentre(...end, 1), 1, height, width);
    segments.within(middle, (run) => fresh.add(segments.number[run]));
    for (const number of fresh) {
      if (taken.has(number)) continue;
      taken.add(number);
      layer.paint(segments.spans(number), stroke.value, stroke.delta);
    }
  }

  closePolygon() {
    const corners = this.corners;
    this.corners = [];
    if (corners.length < 3) return false;
    return this.paint(polygonSpans(corners, this.layer.height, this.layer.width), this.value, `Polygon filled: ${this.names(this.value)}`);
  }

  undo() { this.endStroke(); return this.#played(this.history.undo(this.layer), "Undone"); }
  redo() { this.endStroke(); return this.#played(this.history.redo(this.layer), "Redone"); }

  #played(words, what) {
    if (words !== null) this.actions += 1;
    this.done(words === null ? `Nothing to be ${what.toLowerCase()}` : `${what}: ${words}`, words !== null);
    return words !== null;
  }
}

// A region or figure as it is in its map: pairs of a value and the spans that have it.
export function parts(found) {
  const spans = found.regions.spans(found.region), by = new Map();
  if (!found.from) return [[found.value, spans]];
  found.from.within(spans, (run, y, x0, x1) => {
    const value = found.from.runs.values[run];
    if (!by.has(value)) by.set(value, []);
    by.get(value).push(y, x0, x1);
  });
  return [...by].map(([value, own]) => [value, Int32Array.from(own)]);
}

// A, B, C ... for models 1, 2, 3 ...: nobody is told whose map it is.
export function letter(source) { return source <= 26 ? String.fromCharCode(64 + source) : `M${source}`; }
