// One picture being labelled: the layer, the maps of models as proposals, and every action on them, without a page around it.

import { Delta, History } from "./history.js";
import { Regions, rowRuns, updateRuns } from "./regions.js";
import { brushCentre, polygonSpans, strokeSpans } from "./shapes.js";
import { tidied } from "./tidy.js";

export const VOID = 255;
const SLOW_RUNS = 400_000; // a layer in more pieces is searched for regions only when one is asked for, not at every move

export class Painter {
  // `layer`: LabelLayer; `models`: Regions or null of each model's map; `names(place)`: the name of a class; `done(words)` hears of actions.
  constructor({ layer, models, background, names, done = () => {} }) {
    Object.assign(this, { layer, models, background, names, done });
    this.history = new History();
    this.segments = null; // superpixels as Regions, where the brush snaps
    this.source = 0; // whose regions are under the cursor: 0 = the layer's own, k = those of model k - 1
    this.value = background; // the class in hand
    this.actions = 0;
    this.stroke = null;
    this.corners = []; // of the polygon being drawn
  }

  // The numbers of the sources there are: the layer, and the models with a map of this picture.
  get sources() { return [...Array(this.models.length + 1).keys()].filter((i) => i === 0 || this.models[i - 1]); }

  inside(x, y) { return x >= 0 && y >= 0 && x < this.layer.width && y < this.layer.height; }

  // Regions of a source; those of the layer are brought up to date with the rows that changed.
  regionsOf(source) {
    if (source) return this.models[source - 1];
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

  // What each source says at a point: values, null where a model has no map.
  saying(x, y) {
    if (!this.inside(x, y)) return null;
    const [column, row] = [Math.floor(x), Math.floor(y)];
    return [this.layer.at(column, row), ...this.models.map((map) => map && map.value[map.at(column, row)])];
  }

  // One action that paints spans with one class. A stroke that is under way ends before any other action begins.
  paint(spans, value, words) {
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

  // Takes a region as its source has it, or under another name: the one action that most masks are made of.
  pick(found, value = found.value) {
    const from = found.source ? `of model ${letter(found.source)}` : "of the layer", name = this.names(value);
    const words = value === found.value ? `Region ${from} taken: ${name}` : `Region ${from} named ${name}, was ${this.names(found.value)}`;
    return this.paint(found.regions.spans(found.region), value, words);
  }

  // Takes a model's whole map.
  takeAll(source) {
    const map = this.models[source - 1];
    if (!map) return false;
    this.endStroke();
    const delta = new Delta(), { runs } = map, pixels = new Uint8Array(this.layer.pixels.length);
    for (let y = 0; y < runs.height; y += 1) {
      for (let i = runs.first[y]; i < runs.first[y + 1]; i += 1) pixels.fill(runs.values[i], y * runs.width + runs.x0[i], y * runs.width + map.end(i, y));
    }
    this.layer.replace(pixels, delta);
    return this.finish(delta, `The whole map of model ${letter(source)} taken`);
  }

  // Regions smaller than two ten-thousandths of the picture, at least 12 pixels, go to their neighbours.
  tidy() {
    this.endStroke();
    const { layer } = this, { height, width } = layer, least = Math.max(12, Math.round(height * width * 2e-4)), delta = new Delta();
    layer.replace(tidied(layer.pixels, height, width, least), delta);
    return this.finish(delta, `Specks and holes below ${least} pixels removed`);
  }

  beginStroke(x, y, value, diameter) {
    this.endStroke();
    this.stroke = { delta: new Delta(), value, diameter, last: [x, y], taken: new Set() };
    this.moveStroke(x, y);
  }

  moveStroke(x, y) {
    const { stroke, layer } = this;
    const from = brushCentre(...stroke.last, stroke.diameter), to = brushCentre(x, y, stroke.diameter);
    const spans = strokeSpans(from, to, stroke.diameter, layer.height, layer.width);
    if (this.segments) this.#snap(spans, stroke, [x, y]);
    else layer.paint(spans, stroke.value, stroke.delta);
    stroke.last = [x, y];
  }

  endStroke() {
    const { stroke } = this;
    if (!stroke) return false;
    this.stroke = null;
    return this.finish(stroke.delta, stroke.value === this.background ? "Erased" : `Painted ${this.names(stroke.value)}`);
  }

  // Paints whole superpixels: the one under the pointer, and those of which the brush covers at least half.
  #snap(spans, stroke, [x, y]) {
    const { segments } = this, covered = new Map();
    for (let i = 0; i < spans.length; i += 3) {
      const [row, x0, x1] = [spans[i], spans[i + 1], spans[i + 2]];
      for (let at = x0, run = segments.runAt(x0, row); at < x1; run += 1) {
        const end = Math.min(x1, segments.end(run, row)), number = segments.number[run];
        covered.set(number, (covered.get(number) ?? 0) + end - at);
        at = end;
      }
    }
    if (this.inside(x, y)) covered.set(segments.at(Math.floor(x), Math.floor(y)), Infinity);
    for (const [number, pixels] of covered) {
      if (stroke.taken.has(number) || 2 * pixels < segments.area[number]) continue;
      stroke.taken.add(number);
      this.layer.paint(segments.spans(number), stroke.value, stroke.delta);
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

// A, B, C ... for models 1, 2, 3 ...: nobody is told whose map it is.
export function letter(source) { return source <= 26 ? String.fromCharCode(64 + source) : `M${source}`; }
