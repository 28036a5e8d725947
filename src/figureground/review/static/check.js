// The screen Check: a mask of somebody else, marks where it is wrong, and a verdict.
import "./plain.js";
import { ApiError, api, bytes, complain, insist, picturePath, project, say } from "./api.js";
import { onKeys } from "./keys.js";
import { drawLayer, fit, palette, percent, writeLegend } from "./overlay.js";
import { decodeRuns } from "./runs.js";

const KINDS = ["wrong-class", "boundary", "missing", "extra"];
const STRIPES = [0xff000000, 0xffffffff, 0, 0]; // black, white, and two through which the mask is seen
const inWords = (kind) => kind.replace("-", " ");
const at = (id) => document.getElementById(id);
const known = await insist(project);
const colours = palette(known.classes);

let task = null; // what is checked now
let marks = [];
let kind = KINDS[0];
let cross = [0.5, 0.5]; // right and down, as parts of the picture
let busy = false;
let since = performance.now(); // when the mask was first seen, later by the time that the page was hidden
let hidden = 0; // when it was hidden
let passed = []; // masks left to others, until the page is loaded anew

const draft = () => `figureground:${known.digest.slice(0, 16)}:${known.reviewer.number}:check:${task.mask}:${task.version}`;

async function next() {
  task = null;
  at("sheet").hidden = true;
  at("finished").hidden = true;
  enable();
  const found = await insist(() => api("GET", `/api/checks/next?${passed.slice(-200).map((mask) => `passed=${mask}`).join("&")}`));
  if (found.mask === null) {
    at("why").textContent = found.why;
    at("finished").hidden = false;
    return;
  }
  const [picture, content, ...others] = await Promise.all([
    insist(() => bytes(picturePath(known, found.place))).catch((error) => { complain(error); return null; }),
    ...[found.mask, ...found.others.map((one) => one.mask)].map((number) => insist(() => bytes(`/api/checks/${number}/layer`))),
  ]);
  task = { ...found, layer: decodeRuns(content), rivals: others.map(decodeRuns) };
  await show(picture);
}

async function show(picture) {
  const image = at("picture");
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = picture ? URL.createObjectURL(new Blob([picture])) : "";
  if (picture) await image.decode().catch(() => say("The picture cannot be shown.", { problem: true }));
  drawLayer(at("mask"), task.layer, colours);
  writeLegend(at("legend"), task.layer, known.classes);
  const kept = JSON.parse(localStorage.getItem(draft()) ?? "{}");
  marks = kept.marks ?? [];
  at("comment").value = kept.comment ?? "";
  cross = [0.5, 0.5];
  at("sheet").hidden = false;
  fit(at("sheet"), task.width, task.height);
  drawDifference();
  press("toggle", true);
  at("mask").hidden = false;
  earlier();
  draw();
  enable();
  since = performance.now();
  at("sheet").focus({ preventScroll: true });
  at("said").textContent = `A mask of ${task.width} by ${task.height} pixels. ${[...at("legend").children].map((row) => row.textContent).join(", ")}`;
}

/** Pixels on which the mask and the first other one differ, hatched so that colour is not needed. */
function drawDifference() {
  const rival = task.rivals[0];
  at("differ").hidden = at("differs").hidden = !rival;
  press("differ", Boolean(rival));
  at("difference").hidden = !rival;
  if (!rival) return;
  const { width, height, pixels } = task.layer;
  const canvas = Object.assign(at("difference"), { width, height });
  const image = new ImageData(width, height);
  const out = new Uint32Array(image.data.buffer);
  const stripe = Math.max(2, Math.round(Math.max(width, height) / 160));
  let count = 0;
  for (let i = 0; i < pixels.length; i++) {
    if (pixels[i] === rival.pixels[i]) continue;
    count++;
    out[i] = STRIPES[Math.floor(((i % width) + Math.floor(i / width)) / stripe) % STRIPES.length];
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  const whose = task.others[0].mine ? "your own mask" : "the mask of another reviewer";
  at("differs").textContent = count ? `Striped: ${percent(count / pixels.length)} of the pixels differ from ${whose}.` : `The same as ${whose}, pixel for pixel.`;
}

function earlier() {
  at("earlier").hidden = task.before.length === 0;
  at("before").replaceChildren(...task.before.map((one) => {
    const row = document.createElement("li");
    const kinds = one.marks.map((mark) => inWords(mark.kind)).join(", ");
    row.textContent = [one.verdict, kinds, one.comment].filter(Boolean).join(": ");
    return row;
  }));
}

function press(id, on) {
  at(id).setAttribute("aria-pressed", String(on));
}

function enable() {
  for (const button of document.querySelectorAll(".kind, #accept, #return, #toggle, #skip")) button.disabled = !task;
}

function keep() {
  try {
    localStorage.setItem(draft(), JSON.stringify({ marks, comment: at("comment").value }));
  } catch {
    // a browser that keeps nothing
  }
}

function draw() {
  const box = at("cross").style;
  box.left = `${100 * cross[0]}%`;
  box.top = `${100 * cross[1]}%`;
  const where = (mark) => [(mark.x + 0.5) / task.width, (mark.y + 0.5) / task.height];
  at("marks").replaceChildren(...marks.map((mark, number) => {
    const pin = document.createElement("span");
    pin.className = "pin";
    pin.dataset.kind = mark.kind;
    pin.textContent = number + 1;
    const [right, down] = where(mark);
    pin.style.left = `${100 * right}%`;
    pin.style.top = `${100 * down}%`;
    return pin;
  }));
  at("list").replaceChildren(...marks.map(line));
}

function line(mark, number) {
  const row = document.createElement("li");
  const words = document.createElement("label");
  words.textContent = inWords(mark.kind);
  const input = Object.assign(document.createElement("input"), { type: "text", value: mark.comment, maxLength: 4000, id: `mark-${number}`, placeholder: "note" });
  words.htmlFor = input.id;
  input.addEventListener("input", () => { mark.comment = input.value; keep(); });
  const away = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
  away.setAttribute("aria-label", `Remove mark ${number + 1}, ${inWords(mark.kind)}`);
  away.addEventListener("click", () => { marks.splice(number, 1); keep(); draw(); });
  row.append(words, input, away);
  return row;
}

function choose(which) {
  kind = which;
  for (const button of document.querySelectorAll(".kind")) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
}

function mark(which) {
  if (!task) return;
  choose(which);
  const place = (part, count) => Math.min(count - 1, Math.max(0, Math.floor(part * count)));
  marks.push({ x: place(cross[0], task.width), y: place(cross[1], task.height), kind, comment: "" });
  keep();
  draw();
  at("said").textContent = `Mark ${marks.length}: ${inWords(kind)}`;
}

function move(right, down, far) {
  if (!task) return;
  const step = (far ? 32 : 4);
  const clip = (value) => Math.min(1, Math.max(0, value));
  cross = [clip(cross[0] + (right * step) / task.width), clip(cross[1] + (down * step) / task.height)];
  draw();
}

async function decide(verdict) {
  if (!task || busy) return;
  const comment = at("comment").value.trim();
  if (verdict === "returned" && marks.length === 0 && !comment) {
    say("Say what is wrong first: set a mark, or write a comment.", { problem: true, seconds: 6 });
    return;
  }
  busy = true;
  try {
    const key = draft();
    const seconds = Math.round(Math.min(3600e3, performance.now() - since)) / 1000;
    await insist(() => api("POST", "/api/checks", { mask: task.mask, version: task.version, verdict, comment, marks, seconds }));
    localStorage.removeItem(key);
    say(verdict === "accepted" ? "Accepted." : "Sent back.", { seconds: 3 });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
    say(error.message, { problem: true, seconds: 8 });
  } finally {
    busy = false;
  }
  await next();
}

/** Leaves the mask to somebody else; what was marked is kept here. */
async function skip() {
  if (!task || busy) return;
  passed.push(task.mask);
  say("Left to others.", { seconds: 3 });
  await next();
}

function toggle() {
  const visible = at("mask").hidden;
  at("mask").hidden = !visible;
  press("toggle", visible);
}

function differ() {
  if (at("differ").hidden) return;
  at("difference").hidden = !at("difference").hidden;
  press("differ", !at("difference").hidden);
}

function setOpacity(value) {
  at("opacity").value = value;
  at("sheet").style.setProperty("--opacity", at("opacity").value / 100);
  localStorage.setItem("figureground:opacity", at("opacity").value);
}

function undo() {
  if (!task || !marks.length) { say("There is no mark to take away.", { seconds: 3 }); return; }
  marks.pop();
  keep();
  draw();
}

at("sheet").addEventListener("pointerdown", (event) => {
  if (!task || event.button) return;
  const box = at("sheet").getBoundingClientRect();
  cross = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  mark(kind);
});
const run = (call) => () => Promise.resolve(call()).catch(complain);
const [accept, back] = [run(() => decide("accepted")), run(() => decide("returned"))];
at("accept").addEventListener("click", accept);
at("return").addEventListener("click", back);
at("skip").addEventListener("click", run(skip));
at("again").addEventListener("click", run(() => { passed = []; return next(); }));
at("toggle").addEventListener("click", toggle);
at("differ").addEventListener("click", differ);
at("opacity").addEventListener("input", (event) => setOpacity(event.target.value));
at("comment").addEventListener("input", () => task && keep());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.matches?.("textarea, input[type=text]")) at("sheet").focus({ preventScroll: true });
});
document.addEventListener("visibilitychange", () => { if (document.hidden) hidden = performance.now(); else since += performance.now() - hidden; });
for (const button of document.querySelectorAll(".kind")) button.addEventListener("click", () => choose(button.dataset.kind));
setOpacity(localStorage.getItem("figureground:opacity") ?? 55);
const step = (by) => () => setOpacity(Number(at("opacity").value) + by);
const arrows = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
onKeys({
  ...Object.fromEntries(Object.entries(arrows).map(([key, way]) => [key, (event) => move(...way, event.shiftKey)])),
  ...Object.fromEntries(KINDS.map((one, number) => [String(number + 1), () => mark(one)])),
  a: accept, r: back, s: run(skip), u: undo, Backspace: undo, " ": toggle, d: differ, c: () => at("comment").focus(), "+": step(10), "=": step(10), "-": step(-10),
});
next().catch(complain);
