// The screen Rate: one picture, one key, and the next picture is there.
import "./plain.js";
import { ApiError, Offline, Outbox, api, bytes, complain, insist, mapPath, picturePath, project, say } from "./api.js";
import { onKeys } from "./keys.js";
import { drawLayer, fit, palette, percent, countValues, writeLegend } from "./overlay.js";
import { decodeRuns } from "./runs.js";

const AHEAD = 5;
const LOW = 3; // pictures ready, below which more are asked for though ratings are still unsent
const KEPT_BACK = 8;
const WORDS = { 1: "bad", 2: "poor", 3: "fair", 4: "good", 5: "excellent", x: "out of domain" };
const at = (id) => document.getElementById(id);
const stage = at("stage");
const models = Number(stage.dataset.models);
const known = await insist(project);
const colours = palette(known.classes);

const ready = []; // prepared, in order
const past = []; // rated a moment ago, newest last, for undo
let shown = null;
let since = 0;
let done = 0;
let left = 0;
let turns = 0; // ratings given and taken back here
let counted = false;
let filling = null;
let undoing = false;

const outbox = new Outbox(`${known.digest.slice(0, 16)}:${known.reviewer.number}:ratings`, {
  refused: (entry, error) => say(`A rating was not taken: ${error.message}`, { problem: true, seconds: 8 }),
  changed: (count) => { if (count === 0) fill(); },
});

const same = (a, b) => a.place === b.place && a.showing === b.showing;

/** Everything that it takes to show an item at once. */
async function prepare(item) {
  const image = new Image();
  image.alt = "The picture to rate";
  let layer = null;
  let problem = "";
  try {
    const content = await insist(() => bytes(picturePath(known, item.place)));
    image.src = URL.createObjectURL(new Blob([content]));
    await image.decode();
  } catch (error) {
    problem = error instanceof ApiError ? error.message : "its file cannot be read";
  }
  try {
    layer = models ? decodeRuns(await insist(() => bytes(mapPath(known, item.place, 0)))) : null;
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  }
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  if (layer) drawLayer(canvas, layer, colours);
  canvas.setAttribute("aria-label", layer ? `Prediction: ${inWords(layer)}` : "There is no prediction of this picture");
  return { ...item, image, canvas, layer, problem };
}

function inWords(layer) {
  const counts = countValues(layer.pixels);
  const found = known.classes.filter((one) => !one.background && counts[one.place]).sort((a, b) => counts[b.place] - counts[a.place]);
  return found.map((one) => `${one.name} ${percent(counts[one.place] / layer.pixels.length)}`).join(", ") || "background only";
}

/** Keeps some pictures ready; shows the first where none is shown. */
function fill() {
  filling ??= more().catch(complain).finally(() => { filling = null; if (!shown) show(); });
  return filling;
}

async function more() {
  while (ready.length < AHEAD) {
    const held = [...ready, ...(shown ? [shown] : [])];
    const unsent = outbox.entries.map((entry) => entry.body);
    const turn = turns;
    const count = Math.min(50, held.length + unsent.length + AHEAD);
    const due = await insist(() => api("GET", `/api/rate/next?count=${count}`));
    const waiting = outbox.entries.map((entry) => entry.body);
    const mine = (item) => [...held, ...unsent, ...waiting, ...past.filter((one) => one.fresh)].some((one) => same(one, item));
    // of a rating under way meanwhile nobody knows whether it is in the server's counts; then those kept here stand
    const settled = turn === turns && unsent.length === 0 && waiting.length === 0;
    if (settled || !counted) [done, left, counted] = [due.done + waiting.length, Math.max(0, due.left - waiting.length), true];
    const fresh = due.items.filter((item) => !mine(item));
    if (fresh.length === 0) break;
    const before = ready.length;
    let added = 0;
    for (const promise of fresh.slice(0, AHEAD - before).map(prepare)) {
      const item = await promise;
      if ([...ready, ...(shown ? [shown] : [])].some((one) => same(one, item))) continue;
      ready.push(item);
      added++;
      if (!shown) next();
    }
    past.forEach((one) => { one.fresh = false; });
    tell();
    if (!added) break;
  }
  if (!shown) next();
}

function next() {
  shown = ready.shift() ?? null;
  show();
}

function show() {
  const sheet = at("sheet");
  sheet.hidden = !shown;
  at("finished").hidden = Boolean(shown) || Boolean(filling && left > 0);
  document.querySelectorAll(".score").forEach((button) => { button.disabled = !shown; });
  if (shown) {
    sheet.replaceChildren(shown.problem ? absent(shown.problem) : shown.image, shown.canvas);
    fit(sheet, shown.width, shown.height);
    reveal(true);
    writeLegend(at("legend"), shown.layer, known.classes);
    if (!shown.layer && models) at("legend").replaceChildren(Object.assign(document.createElement("li"), { textContent: "no prediction" }));
    at("said").textContent = `Picture ${done + 1}. ${shown.canvas.getAttribute("aria-label")}`;
    since = performance.now();
  } else {
    sheet.replaceChildren();
    at("legend").replaceChildren();
  }
  tell();
}

/** What stands where a picture cannot be shown. */
function absent(problem) {
  return Object.assign(document.createElement("p"), { className: "absent", textContent: `This picture cannot be shown: ${problem}. Only x can be said of it.` });
}

function tell() {
  stage.dataset.ahead = ready.length; // pictures that the next keys find prepared
  at("meter").max = Math.max(1, done + left);
  at("meter").value = done;
  at("count").textContent = `${done} rated, ${left} left`;
}

function rate(word) {
  if (!shown || undoing) return;
  if (shown.problem && word !== "x") {
    say("What cannot be seen cannot be rated: x takes it out.", { problem: true, seconds: 5 });
    return;
  }
  const score = word === "x" ? null : Number(word);
  const seconds = Math.min(3600, (performance.now() - since) / 1000);
  const body = { place: shown.place, showing: shown.showing, score, out_of_domain: score === null, seconds: Math.round(1000 * seconds) / 1000 };
  outbox.add({ method: "POST", path: "/api/ratings", body });
  past.push(Object.assign(shown, { word, fresh: true }));
  for (const old of past.splice(0, Math.max(0, past.length - KEPT_BACK))) URL.revokeObjectURL(old.image.src);
  [done, left, turns] = [done + 1, Math.max(0, left - 1), turns + 1];
  flash(word);
  next();
  if (ready.length < LOW) fill();
}

function flash(word) {
  const button = document.querySelector(`.score[data-score="${word}"]`);
  button.classList.add("chosen");
  setTimeout(() => button.classList.remove("chosen"), 250);
  at("last").textContent = `last: ${WORDS[word]}`;
}

async function undo() {
  if (undoing) return;
  undoing = true;
  try {
    let back = outbox.takeBack()?.body ?? null;
    if (!back) {
      await outbox.empty();
      back = await api("POST", "/api/ratings/undo");
    }
    if (back.place === null) {
      say("There is nothing to take back.", { seconds: 3 });
      return;
    }
    const found = past.findIndex((one) => same(one, back));
    const item = found >= 0 ? past.splice(found, 1)[0] : await prepare(back);
    if (shown) ready.unshift(shown);
    const twin = ready.findIndex((one) => same(one, item));
    if (twin >= 0) ready.splice(twin, 1);
    shown = item;
    [done, left, turns] = [Math.max(0, done - 1), left + 1, turns + 1];
    at("last").textContent = item.word ? `was: ${WORDS[item.word]}` : "";
    show();
  } catch (error) {
    complain(error instanceof Offline ? new Error("No connection to the server: a rating that was sent cannot be taken back now.") : error);
  } finally {
    undoing = false;
  }
}

function reveal(visible) {
  at("toggle").setAttribute("aria-pressed", String(visible));
  if (shown) shown.canvas.hidden = !visible;
}

function setOpacity(value) {
  const slider = at("opacity");
  slider.value = value;
  document.getElementById("sheet").style.setProperty("--opacity", slider.value / 100);
  localStorage.setItem("figureground:opacity", slider.value);
}

for (const button of document.querySelectorAll(".score")) button.addEventListener("click", () => rate(button.dataset.score));
at("undo").addEventListener("click", undo);
at("toggle").addEventListener("click", () => reveal(at("toggle").getAttribute("aria-pressed") !== "true"));
at("opacity").addEventListener("input", (event) => setOpacity(event.target.value));
document.addEventListener("visibilitychange", () => { if (!document.hidden) since = performance.now(); });
setOpacity(localStorage.getItem("figureground:opacity") ?? 55);

const step = (by) => () => setOpacity(Number(at("opacity").value) + by);
onKeys({
  ...Object.fromEntries(Object.keys(WORDS).map((word) => [word, (event) => { if (!event.repeat) rate(word); }])),
  u: undo, Backspace: undo, "Ctrl+z": undo,
  " ": () => reveal(at("toggle").getAttribute("aria-pressed") !== "true"),
  "+": step(10), "=": step(10), "-": step(-10),
});
fill();
