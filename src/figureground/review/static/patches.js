// The screen Patches: a coarse grid over the picture, marked by pointer or keys, kept as it grows.
import "./plain.js";
import { ApiError, api, bytes, complain, insist, mapPath, picturePath, project, say } from "./api.js";
import { onKeys } from "./keys.js";
import { fit } from "./overlay.js";
import { decodeRuns } from "./runs.js";

const AHEAD = 4;
const MODEL_SHARE = 0.25; // of a cell that the model calls foreground, from which on the cell is figure
const SAVE_AFTER_MS = 500;
const MOST_UNDO = 300;
const at = (id) => document.getElementById(id);
const grid = at("grid");
const models = Number(at("stage").dataset.models);
const known = await insist(project);
const { rows, columns } = known.options;
const size = `rows=${rows}&columns=${columns}`;
const backgrounds = new Set(known.classes.filter((one) => one.background).map((one) => one.place));

const visited = []; // places, in the order they were opened
const works = new Map(); // place -> promise of its Work
let work = null;
let cursor = 0;
let stroke = null;
let left = 0;
let moving = false;

/** The cells of one picture: what is marked, what was, and what the server has of it. */
class Work {
  constructor(place, height, width, cells, version) {
    Object.assign(this, { place, height, width, cells, version, past: [], dirty: version === 0, saving: null, timer: 0, since: performance.now() });
    this.draft = `figureground:${known.digest.slice(0, 16)}:${known.reviewer.number}:patches:${rows}x${columns}:${place}`;
  }

  text() {
    return this.cells.join("");
  }

  remember() {
    this.past.push(this.cells.slice());
    if (this.past.length > MOST_UNDO) this.past.shift();
  }

  changed() {
    this.dirty = true;
    try {
      localStorage.setItem(this.draft, this.text());
    } catch {
      // a browser that keeps nothing: it is still sent
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save().catch(complain), SAVE_AFTER_MS);
    if (work === this) at("saved").textContent = "";
  }

  /** Sends what is not sent, until the server has all of it. */
  save() {
    clearTimeout(this.timer);
    this.saving ??= this.send().finally(() => { this.saving = null; });
    return this.saving;
  }

  async send() {
    let lost = false;
    while (this.dirty) {
      const seconds = Math.min(3600, (performance.now() - this.since) / 1000);
      this.since = performance.now();
      let text = "";
      try {
        const answer = await insist(() => {
          text = this.text();
          return api("PUT", `/api/patches/${this.place}?${size}`, { cells: text, version: this.version, seconds: Math.round(1000 * seconds) / 1000 });
        }, { offline: (error) => { lost = true; complain(error); } });
        this.version = answer.version;
        this.dirty = text !== this.text();
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 409)) throw error;
        await this.yield_();
      }
    }
    localStorage.removeItem(this.draft);
    if (work === this) at("saved").textContent = "Saved";
    if (lost) say("The connection is back; everything is saved.", { seconds: 4 });
  }

  /** Another window was quicker: what it saved is shown, and ours is one undo away. */
  async yield_() {
    const theirs = await insist(() => api("GET", `/api/patches/${this.place}?${size}`));
    this.version = theirs.version;
    this.dirty = false;
    if (theirs.cells === this.text()) return;
    this.remember();
    this.cells = toCells(theirs.cells);
    if (work === this) draw();
    say("These patches were changed in another window, and are shown as they are there. Undo brings yours back.", { problem: true, seconds: 8 });
  }
}

const toCells = (text) => Uint8Array.from(text, (one) => Number(one === "1"));

/** A picture with its cells, once. */
function open(place) {
  if (!works.has(place)) {
    const loading = load(place);
    loading.catch(() => works.delete(place));
    works.set(place, loading);
  }
  return works.get(place);
}

async function load(place) {
  const found = await insist(() => api("GET", `/api/patches/${place}?${size}`));
  const one = new Work(place, found.height, found.width, toCells(found.cells), found.version);
  const draft = localStorage.getItem(one.draft);
  if (draft?.length === rows * columns && draft !== found.cells) {
    one.remember();
    one.cells = toCells(draft);
    one.dirty = true;
  }
  try {
    one.url = URL.createObjectURL(new Blob([await insist(() => bytes(picturePath(known, place)))]));
    one.image = new Image();
    one.image.src = one.url;
    await one.image.decode();
  } catch (error) {
    one.problem = error instanceof ApiError ? error.message : "this picture cannot be shown";
  }
  return one;
}

/** Opens a picture and makes the following ones ready. */
async function go(place) {
  work = await open(place);
  work.since = performance.now();
  history.replaceState(null, "", `#${place}`);
  at("sheet").hidden = false;
  at("finished").hidden = true;
  at("picture").src = work.url ?? "";
  at("picture").hidden = !work.url;
  if (work.problem) say(work.problem, { problem: true });
  fit(at("sheet"), work.width, work.height);
  cursor = Math.floor(rows / 2) * columns + Math.floor(columns / 2);
  at("saved").textContent = work.version && !work.dirty ? "Saved" : "";
  draw();
  grid.focus({ preventScroll: true });
}

async function forward() {
  if (moving) return;
  moving = true;
  try {
    if (work) {
      work.dirty ||= work.version === 0; // an empty grid says that there is no figure
      work.save().catch(complain);
    }
    const here = work ? visited.indexOf(work.place) : -1;
    const later = here >= 0 ? visited[here + 1] : undefined;
    const place = later ?? (await upcoming())[0];
    if (place === undefined) {
      finish();
      return;
    }
    if (later === undefined) visited.push(place);
    await go(place);
    upcoming().then((places) => places.slice(0, AHEAD).forEach((one) => open(one).catch(() => {}))).catch(() => {});
    for (const old of [...works.keys()].slice(0, Math.max(0, works.size - 40))) {
      const one = await works.get(old);
      if (one !== work && !one.dirty && !one.saving) { URL.revokeObjectURL(one.url); works.delete(old); }
    }
  } catch (error) {
    complain(error);
  } finally {
    moving = false;
  }
}

/** Places that nobody opened yet, next first. */
async function upcoming() {
  const found = await insist(() => api("GET", `/api/patches/next?count=${AHEAD + 2}`));
  const pending = found.items.map((item) => item.place).filter((place) => !visited.includes(place));
  const unsaved = found.items.filter((item) => visited.includes(item.place) && item.place !== work?.place).length;
  left = Math.max(0, found.left - unsaved);
  at("meter").max = Math.max(1, found.all);
  at("meter").value = found.all - left;
  at("count").textContent = `${found.all - left} done, ${left} left`;
  return pending;
}

async function back() {
  const here = work ? visited.indexOf(work.place) : visited.length;
  if (moving || here < 1) { say("There is no picture before this one.", { seconds: 3 }); return; }
  moving = true;
  try {
    if (work?.dirty && work.version) work.save().catch(complain);
    await go(visited[here - 1]);
  } catch (error) {
    complain(error);
  } finally {
    moving = false;
  }
}

function finish() {
  work = null;
  at("sheet").hidden = true;
  at("finished").hidden = false;
  history.replaceState(null, "", location.pathname);
}

function build() {
  grid.style.setProperty("--rows", rows);
  grid.style.setProperty("--columns", columns);
  for (let row = 0; row < rows; row++) {
    const line = document.createElement("div");
    line.setAttribute("role", "row");
    for (let column = 0; column < columns; column++) {
      const cell = document.createElement("div");
      cell.setAttribute("role", "gridcell");
      cell.id = `cell-${row * columns + column}`;
      line.append(cell);
    }
    grid.append(line);
  }
  grid.tabIndex = 0;
  grid.setAttribute("aria-multiselectable", "true");
  return [...grid.querySelectorAll("[role=gridcell]")];
}
const boxes = build();
const drawn = new Int8Array(rows * columns).fill(-1);

function draw() {
  if (!work) return;
  for (let i = 0; i < boxes.length; i++) {
    if (drawn[i] === work.cells[i]) continue;
    drawn[i] = work.cells[i];
    boxes[i].setAttribute("aria-selected", String(Boolean(drawn[i])));
    boxes[i].setAttribute("aria-label", `row ${Math.floor(i / columns) + 1}, column ${(i % columns) + 1}, ${drawn[i] ? "figure" : "ground"}`);
  }
  grid.querySelector(".cursor")?.classList.remove("cursor");
  boxes[cursor].classList.add("cursor");
  grid.setAttribute("aria-activedescendant", boxes[cursor].id);
}

/** Changes all cells at once, as one step of undo. */
function replace(make) {
  if (!work) return;
  const next = make(work.cells);
  if (next.every((value, i) => value === work.cells[i])) return;
  work.remember();
  work.cells = next;
  work.changed();
  draw();
}

function undo() {
  if (!work?.past.length) { say("There is nothing to undo.", { seconds: 3 }); return; }
  work.cells = work.past.pop();
  work.changed();
  draw();
}

async function fromModel() {
  const one = work;
  if (!one || !models) return;
  try {
    one.model ??= share(decodeRuns(await insist(() => bytes(mapPath(known, one.place, 0)))));
    if (one === work) replace(() => one.model.slice());
  } catch (error) {
    complain(error);
  }
}

/** Cells of which a label map calls enough foreground. */
function share({ height, width, pixels }) {
  const figure = new Uint32Array(rows * columns);
  const all = new Uint32Array(rows * columns);
  for (let y = 0, i = 0; y < height; y++) {
    const row = Math.min(rows - 1, Math.floor((y * rows) / height)) * columns;
    for (let x = 0; x < width; x++, i++) {
      const cell = row + Math.min(columns - 1, Math.floor((x * columns) / width));
      all[cell]++;
      if (pixels[i] !== known.void && !backgrounds.has(pixels[i])) figure[cell]++;
    }
  }
  return Uint8Array.from(figure, (count, cell) => Number(count > 0 && count >= MODEL_SHARE * all[cell]));
}

function move(down, right, paint) {
  if (!work) return;
  const row = Math.min(rows - 1, Math.max(0, Math.floor(cursor / columns) + down));
  const column = Math.min(columns - 1, Math.max(0, (cursor % columns) + right));
  const to = row * columns + column;
  if (paint && to !== cursor && work.cells[to] !== work.cells[cursor]) {
    work.remember();
    work.cells[to] = work.cells[cursor];
    work.changed();
  }
  cursor = to;
  draw();
}

function mark() {
  if (!work) return;
  work.remember();
  work.cells[cursor] = 1 - work.cells[cursor];
  work.changed();
  draw();
}

/** The cell under a pointer: [row, column], clipped to the grid. */
function under(event) {
  const box = grid.getBoundingClientRect();
  const clip = (value, count) => Math.min(count - 1, Math.max(0, Math.floor(value * count)));
  return [clip((event.clientY - box.top) / box.height, rows), clip((event.clientX - box.left) / box.width, columns)];
}

grid.addEventListener("pointerdown", (event) => {
  if (!work || event.button > 2) return;
  event.preventDefault();
  grid.setPointerCapture(event.pointerId);
  grid.focus({ preventScroll: true });
  work.remember();
  const [row, column] = under(event);
  stroke = { value: event.button === 2 ? 0 : 1 - work.cells[row * columns + column], last: [row, column] };
  paintTo([row, column]);
});
grid.addEventListener("pointermove", (event) => {
  if (!stroke) return;
  for (const one of event.getCoalescedEvents?.() ?? []) paintTo(under(one));
  paintTo(under(event));
});
for (const end of ["pointerup", "pointercancel"]) grid.addEventListener(end, () => {
  if (stroke) work.changed();
  stroke = null;
});
grid.addEventListener("contextmenu", (event) => event.preventDefault());

function paintTo([row, column]) {
  const [from, to] = [stroke.last, [row, column]];
  const steps = Math.max(1, Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
  for (let i = 0; i <= steps; i++) {
    const y = Math.round(from[0] + ((to[0] - from[0]) * i) / steps);
    const x = Math.round(from[1] + ((to[1] - from[1]) * i) / steps);
    work.cells[y * columns + x] = stroke.value;
  }
  stroke.last = to;
  cursor = row * columns + column;
  draw();
}

function toggle() {
  const visible = at("toggle").getAttribute("aria-pressed") !== "true";
  at("toggle").setAttribute("aria-pressed", String(visible));
  grid.classList.toggle("faint", !visible);
}

const clear = () => replace((cells) => new Uint8Array(cells.length));
const invert = () => replace((cells) => cells.map((value) => 1 - value));
const actions = { done: forward, back, undo, model: fromModel, clear, invert, toggle };
for (const [id, action] of Object.entries(actions)) at(id).addEventListener("click", (event) => {
  action();
  if (event.detail) grid.focus({ preventScroll: true }); // by pointer: the keys go on in the grid
});
const arrows = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
onKeys({
  ...Object.fromEntries(Object.entries(arrows).map(([key, way]) => [key, (event) => move(...way, event.shiftKey)])),
  " ": mark, Enter: forward, b: back, u: undo, Backspace: undo, "Ctrl+z": undo, m: fromModel, c: clear, i: invert, h: toggle,
});
window.addEventListener("pagehide", () => { if (work?.dirty && work.version) work.save().catch(() => {}); });

const asked = /^#(\d+)$/.exec(location.hash);
if (asked && Number(asked[1]) < known.count) {
  visited.push(Number(asked[1]));
  go(Number(asked[1])).then(upcoming).then((places) => places.slice(0, AHEAD).forEach((one) => open(one).catch(() => {}))).catch(complain);
} else {
  forward();
}
