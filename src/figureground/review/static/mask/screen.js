// The mask screen: one painter on one view, what is under the cursor, what the panel shows. Input by hand or by key ends up here.

import { complain, say } from "../api.js";
import { Legend, Palette, VOID } from "./classes.js";
import { drawBrush, drawCross, drawFilled, drawNotes, drawOutline, drawPolygon, traced } from "./marks.js";
import { Proposals } from "./proposals.js";
import { SIZES } from "./shapes.js";

export const TOOLS = { pick: "Pick", brush: "Brush", erase: "Erase", polygon: "Polygon", fill: "Fill" };
const IDLE_S = 30;
const by = (id) => document.getElementById(id);

export class Screen {
  // `worked({actions, seconds})` hears of every action; `segments()` fetches superpixels, `fit(outline)` a border fitted to the picture.
  constructor(view, classes, { worked, segments, fit }) {
    Object.assign(this, { view, classes, worked, segments, fit });
    this.tool = "pick";
    this.size = 25;
    this.value = classes.figures[0]?.place ?? classes.background;
    this.cursor = null; // [x, y] in the picture
    this.crossed = false; // moved by keys: shown as a crosshair
    this.hovered = null;
    this.chosen = null;
    this.notes = [];
    this.snapping = false;
    [this.figures, this.alt] = [false, false]; // whole figures: switched on, and as long as Alt is held
    this.legend = new Legend(by("legend"), classes, (place) => this.#fromLegend(place));
    this.palette = new Palette(by("palette"), classes);
    this.proposals = new Proposals(by("proposals"), classes, (source) => this.show(source));
    view.drawMarks = (pen) => this.#draw(pen);
    view.paintWith(classes.rgb.map((rgb, place) => (place === classes.background ? null : rgb)));
    this.setOpacity(0.5);
    this.setTool("pick");
    this.setSize(this.size);
    this.hold(this.value);
  }

  // Another picture.
  begin(painter, { levels, notes }) {
    Object.assign(this, { painter, notes, cursor: null, hovered: null, chosen: null, last: performance.now(), counted: 0 });
    painter.value = this.value;
    painter.done = (words, changed) => this.#done(words, changed);
    this.view.show(levels, painter.layer);
    this.proposals.begin(painter);
    this.show(0, { quiet: true });
    this.setTool("pick");
    if (this.snapping) this.#fetchSegments();
  }

  get busy() { return !this.painter; }

  #done(words, changed) {
    say(words, { seconds: 2.5 });
    this.hovered = null;
    this.view.request();
    if (changed) {
      const now = performance.now(), seconds = Math.min(IDLE_S, (now - this.last) / 1000);
      this.last = now;
      this.worked({ actions: this.painter.actions - this.counted, seconds });
      this.counted = this.painter.actions;
      this.proposals.changed();
    }
    // What is under the cursor now is found after the answer to the key is on the screen.
    clearTimeout(this.later);
    this.later = setTimeout(() => this.hover());
  }

  // The cursor moved, by hand (`keys` false) or by key.
  move(x, y, { keys = false } = {}) {
    this.cursor = [x, y];
    this.crossed = keys;
    if (this.painter?.stroke) this.painter.moveStroke(x, y);
    if (keys) this.view.reveal(x, y);
    this.hover();
  }

  leave() {
    if (this.crossed) return;
    this.cursor = null;
    this.hover();
  }

  // Looks what is under the cursor.
  hover() {
    const { painter, cursor } = this;
    if (!painter) return;
    const looks = cursor && ["pick", "fill"].includes(this.tool) && !painter.stroke && painter.inside(...cursor) && !painter.slow;
    const found = looks ? this.under() : null;
    const same = found && this.hovered && found.regions === this.hovered.regions && found.region === this.hovered.region;
    if (!same) this.hovered = found && traced(found);
    this.proposals.saying(cursor && painter.saying(...cursor));
    this.view.remark();
    this.view.request();
  }

  // Whole figures in place of regions: switched by the button, or held by Alt.
  get whole() { return this.figures || this.alt; }
  toggleWhole() {
    this.figures = !this.figures;
    say(this.figures ? "Whole figures, whatever their classes" : "Single regions", { seconds: 2.5 });
    this.#wholeChanged();
  }
  holdAlt(alt) { if (alt !== this.alt) { this.alt = alt; this.#wholeChanged(); } }
  #wholeChanged() {
    by("whole").setAttribute("aria-pressed", String(this.whole));
    this.hover();
  }

  // The region, or the whole figure, under the cursor; null where there is none.
  under() {
    const { painter, cursor } = this, source = this.tool === "fill" ? 0 : painter.source;
    return this.whole ? painter.figureAt(...cursor, source) : painter.regionAt(...cursor, source);
  }

  // A click, a tap or Enter at the cursor.
  act() {
    const { painter, cursor } = this;
    if (!painter || !cursor) return;
    if (this.tool === "polygon") return this.#corner();
    const found = this.under();
    if (!found) return this.#nothing();
    if (this.tool === "fill") { painter.pick(found, this.value); return; }
    this.chosen = traced(found);
    if (found.source) { painter.pick(found); return; }
    const what = found.from ? "Figure" : `Region of ${this.classes.name(found.value)}`;
    say(`${what} chosen: name it by a key or in the list`, { seconds: 4 });
    this.view.remark();
  }

  #nothing() { if (this.painter.inside(...this.cursor)) say("No figure here: this is ground", { seconds: 2.5 }); }

  #corner() {
    const { painter, cursor, view } = this, corners = painter.corners;
    const near = ([x, y]) => Math.hypot(x - cursor[0], y - cursor[1]) * view.scale < 10 * view.ratio;
    if (corners.length >= 3 && (near(corners[0]) || near(corners.at(-1)))) this.closePolygon();
    else { corners.push([...cursor]); say(`Corner ${corners.length}`, { seconds: 1.5 }); }
    view.remark();
  }

  closePolygon() {
    if (this.painter.corners.length < 3) say("A polygon needs three corners", { seconds: 2.5 });
    else { this.painter.value = this.value; this.painter.closePolygon(); }
  }

  // A class was named: for what is under the cursor while picking, else for the tools.
  name(place, found = this.#pointed()) {
    if (place === null || this.busy) return;
    this.classes.used(place);
    const picks = this.tool === "pick";
    if (found) { this.chosen = null; this.#rename(found, place); return; }
    if (picks && this.cursor && this.painter.inside(...this.cursor)) { this.#nothing(); return; }
    if (picks && this.chosen) { this.#rename(this.chosen, place); return; }
    this.hold(place);
    if (picks) say(`${this.classes.name(place)} in hand; point at a region to name it`, { seconds: 2.5 });
  }

  #pointed() { return this.tool === "pick" && this.cursor && !this.busy ? this.under() : null; }

  #rename(found, place) {
    this.hold(place);
    this.painter.pick(found, place);
    this.view.remark();
  }

  // A click in the list names the region that was clicked before; the pointer has left the picture since.
  #fromLegend(place) {
    if (this.busy) return;
    this.classes.used(place);
    if (this.tool === "pick" && this.chosen) this.#rename(this.chosen, place);
    else { if (this.tool === "erase") this.setTool("brush"); this.hold(place); say(`${this.classes.name(place)} in hand`, { seconds: 2 }); }
  }

  hold(place) {
    this.value = place;
    this.legend.hold(place);
    by("in-hand").textContent = this.classes.name(place);
    this.view.remark();
  }

  openPalette() {
    if (this.busy) return;
    const found = this.cursor && this.painter.saying(...this.cursor), likely = found ? found.filter((value) => value !== null) : [];
    const pointed = this.#pointed(), meant = pointed ?? (this.tool === "pick" ? this.chosen : null); // the pointer leaves the picture now
    this.palette.open(!meant ? "Class in hand" : meant.from ? "Name this figure" : "Name this region", likely, (place) => this.name(place, pointed));
  }

  // The class under the cursor into the hand.
  sample() {
    if (!this.cursor || this.busy || !this.painter.inside(...this.cursor)) return;
    const found = this.painter.regionAt(...this.cursor);
    this.hold(found.value);
    say(`${this.classes.name(found.value)} in hand`, { seconds: 2 });
  }

  setTool(tool) {
    if (this.painter?.corners.length || this.painter?.stroke) this.cancel();
    this.tool = tool;
    for (const button of document.querySelectorAll("button[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    this.view.stage.dataset.works = tool;
    by("sizes").hidden = !["brush", "erase"].includes(tool);
    if (this.painter) say(TOOLS[tool], { seconds: 1.5 });
    this.hover();
  }

  // One of SIZES; the slider has a stop for each.
  setSize(size) {
    this.size = size;
    by("size").value = SIZES.indexOf(size);
    by("size").setAttribute("aria-valuetext", `${size} pixels`);
    by("size-said").textContent = `${size} px`;
    this.view.remark();
  }
  grow(by_) { this.setSize(SIZES[Math.max(0, Math.min(SIZES.length - 1, SIZES.indexOf(this.size) + by_))]); }

  setOpacity(opacity) {
    this.opacity = Math.max(0, Math.min(1, opacity));
    this.view.canvases[1].style.opacity = this.opacity;
    by("opacity").value = this.opacity;
    by("opacity-said").textContent = `${Math.round(100 * this.opacity)} %`;
    this.hidden = false;
    this.view.remark();
  }

  // Hides the labels, or shows them again.
  toggleLabels() {
    this.hidden = !this.hidden;
    this.view.canvases[1].style.opacity = this.hidden ? 0 : this.opacity;
    say(this.hidden ? "Labels hidden" : "Labels shown", { seconds: 1.5 });
  }

  // Whose regions are under the cursor.
  show(source, { quiet = false } = {}) {
    if (this.busy) return;
    this.painter.source = source;
    this.chosen = this.stepped = null;
    this.proposals.show(source);
    const { name, of } = this.painter.whose(source);
    const taken = this.#wholeMap();
    by("take").disabled = !taken;
    by("take-whose").textContent = taken ? this.painter.whose(taken).name : "…";
    if (!quiet) say(`Regions of ${of}`, { seconds: 2 });
    this.hover();
  }

  // Shows a model by its number from 1; false where there is no such model.
  showModel(source) {
    if (this.busy || source > this.painter.models.length) return false;
    if (this.painter.models[source - 1]) this.show(source);
    else say(`${this.painter.whose(source).says} has no map of this picture`, { seconds: 2.5 });
    return true;
  }

  // Shows the vote of most (0) or of any (1).
  showVote(which) {
    if (this.busy) return;
    if (this.painter.votes.length) this.show(this.painter.models.length + 1 + which);
    else say("A vote needs the maps of two models", { seconds: 2.5 });
  }

  cycle(step) {
    if (this.busy) return;
    const { sources, source } = this.painter, at = sources.indexOf(source);
    this.show(sources[(at + step + sources.length) % sources.length]);
  }

  // The whole map that is shown; while the layer itself is, that of the vote of most models.
  takeAll() {
    if (this.busy) return;
    const source = this.#wholeMap();
    if (source) this.painter.takeAll(source);
    else say("Choose a model first, with Tab", { seconds: 2.5 });
  }
  #wholeMap() { const { source, votes, models } = this.painter; return source || (votes.length ? models.length + 1 : 0); }

  // Puts the crosshair into the next region of the current source, the largest first; background comes last.
  step(by_) {
    if (this.busy) return;
    const { painter, classes } = this, regions = painter.regionsOf(painter.source);
    const order = [...regions.bySize((value) => value !== classes.background), ...regions.bySize((value) => value === classes.background)];
    const here = this.cursor && painter.inside(...this.cursor) ? order.indexOf(regions.at(...this.cursor.map(Math.floor))) : -1;
    const at = here < 0 || !this.crossed || this.stepped !== painter.source ? (by_ > 0 ? 0 : order.length - 1) : (here + by_ + order.length) % order.length;
    const [x, y] = regions.inside(order[at]);
    this.stepped = painter.source;
    this.move(x + 0.5, y + 0.5, { keys: true });
    say(`Region ${at + 1} of ${order.length}: ${classes.name(regions.value[order[at]])}, ${regions.area[order[at]]} pixels`, { seconds: 3 });
  }

  async toggleSnap() {
    this.#snap(!this.snapping);
    if (this.snapping && !(await this.#fetchSegments())) return;
    say(this.snapping ? "The brush takes whole superpixels" : "The brush paints freely", { seconds: 2.5 });
  }

  #snap(on) {
    this.snapping = on;
    by("snap").setAttribute("aria-pressed", String(on));
    if (!on && this.painter) this.painter.segments = null;
  }

  // False where the superpixels of this picture cannot be had: the brush paints freely then, and the button says so.
  async #fetchSegments() {
    const { painter } = this;
    if (!painter) return true;
    try {
      const found = await this.segments();
      if (this.painter === painter && this.snapping) painter.segments = found;
      return true;
    } catch (error) {
      if (this.painter === painter) this.#snap(false);
      say(error.message, { problem: true, seconds: 5 });
      return false;
    }
  }

  get penValue() { return this.tool === "erase" ? this.classes.background : this.value; }

  penDown(value = this.penValue) { if (!this.busy && this.cursor) { this.painter.beginStroke(...this.cursor, value, this.size); this.hover(); } }
  penUp() { this.painter?.endStroke(); }

  undo() { if (!this.busy) { if (this.painter.corners.length) { this.painter.corners.pop(); this.view.remark(); } else this.painter.undo(); } }
  redo() { if (!this.busy) this.painter.redo(); }
  tidy() { if (!this.busy) this.painter.tidy(); }

  // Fits the border of the figure under the cursor, or of the one that was clicked, to the picture. What was painted meanwhile is not painted
  // over.
  async refine() {
    if (this.busy || this.refining) return;
    const { painter, cursor, chosen } = this, [y, x] = !cursor && chosen && !chosen.source ? chosen.regions.spans(chosen.region) : [];
    const found = cursor ? painter.outline(...cursor) : x !== undefined && painter.outline(x, y);
    if (!found) { say("Point at a figure of your labels, or click it first", { seconds: 2.5 }); return; }
    if (painter.locked) { painter.put(found.box, ""); return; } // says so
    this.penUp();
    const { actions } = painter;
    this.refining = true;
    say("Fitting the border");
    try {
      const box = await this.fit(found);
      if (this.painter !== painter) return;
      if (painter.actions === actions) painter.put(box, "Border fitted to the picture");
      else say("The labels changed meanwhile: press R again", { seconds: 4 });
    } catch (error) {
      complain(error);
    } finally {
      this.refining = false;
    }
  }

  // Gives up the polygon or the chosen region; false where there was nothing to give up.
  cancel() {
    const had = Boolean(this.painter?.corners.length || this.chosen || this.painter?.stroke);
    if (this.painter) { this.painter.corners = []; this.penUp(); }
    this.chosen = null;
    this.view.remark();
    return had;
  }

  #draw(pen) {
    const { view, painter, cursor, hovered } = this;
    if (!painter) return;
    if (this.chosen) drawOutline(pen, view, this.chosen, { thick: 1.4 });
    if (hovered) {
      for (const [value, spans] of hovered.parts) {
        if (value === this.classes.background || value === VOID) continue;
        pen.globalAlpha = 0.4;
        drawFilled(pen, view, { spans }, this.classes.colour(value));
        pen.globalAlpha = 1;
      }
      if (hovered.path) drawOutline(pen, view, hovered, { dashed: hovered.source > 0 });
      else { pen.globalAlpha = 0.2; drawFilled(pen, view, hovered, "#fff"); pen.globalAlpha = 1; }
    }
    drawPolygon(pen, view, painter.corners, cursor);
    drawNotes(pen, view, this.notes);
    if (cursor && ["brush", "erase"].includes(this.tool)) drawBrush(pen, view, cursor, this.size, this.tool === "brush" ? this.classes.colour(this.value) : null);
    if (cursor && this.crossed) drawCross(pen, view, cursor);
  }
}
