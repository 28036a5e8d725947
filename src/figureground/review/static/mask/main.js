// The mask screen put together: which picture comes next, what of an earlier page was not sent, saving, handing in.

import { AWAY, ApiError, answer, api, complain, insist, project, say } from "../api.js";
import { Classes } from "./classes.js";
import { Tabs, openDrafts } from "./drafts.js";
import { Keyboard } from "./keyboard.js";
import { LabelLayer } from "./layer.js";
import { Loader } from "./load.js";
import { Painter } from "./painter.js";
import { Pointer } from "./pointer.js";
import { decodeRuns, fillRuns, unpackBox } from "./runs.js";
import { Screen } from "./screen.js";
import { SIZES } from "./shapes.js";
import { Sync, resend } from "./sync.js";
import { View } from "./view.js";

const by = (id) => document.getElementById(id);
const send = (path, body) => api("POST", path, body);
const patient = (call) => insist(call, { offline: unreachable });
const SAVED = {
  saved: "Saved", waiting: "Not sent yet", sending: "Saving", offline: "Offline: kept here", "signed-out": "Signed out: kept here",
  conflict: "Changed elsewhere", refused: "Not taken",
};

let known, classes, drafts, tabs, loader, screen, sync = null, place = null, ahead = null, passed = [], lost = false;

function unreachable() { say(`${AWAY} Your work is kept here; it goes on when the server answers.`, { problem: true }); }

async function start() {
  known = await patient(project);
  classes = new Classes(known);
  tabs = await new Tabs().settle();
  drafts = await openDrafts(`${known.digest}/${known.reviewer.number}`, tabs.tab);
  loader = new Loader(known, classes.background, unreachable);
  const view = new View(by("stage"));
  screen = new Screen(view, classes, {
    worked: (spent) => sync.note(spent),
    segments: async () => loader.segments(place),
    fit: (outline) => send(`/api/masks/${place}/fit`, outline),
  });
  new Keyboard(screen, new Pointer(screen), { submit, skip });
  connect();
  if (!drafts.lasting) say("This browser keeps no drafts: wait for “Saved” before you close the page.", { problem: true, seconds: 8 });
  const asked = new URLSearchParams(location.search).get("place");
  await open(/^\d{1,9}$/.test(asked ?? "") && Number(asked) < known.count ? { place: Number(asked) } : await next());
}

// The buttons of the page.
function connect() {
  const clicks = {
    undo: () => screen.undo(), redo: () => screen.redo(), tidy: () => screen.tidy(), refine: () => screen.refine(), whole: () => screen.toggleWhole(), snap: () => screen.toggleSnap(), take: () => screen.takeAll(),
    closer: () => screen.view.zoom(1.4), farther: () => screen.view.zoom(1 / 1.4), fit: () => screen.view.fit(), find: () => screen.openPalette(),
    submit, skip, mine: () => settle(true), theirs: () => settle(false),
  };
  for (const [id, click] of Object.entries(clicks)) by(id).addEventListener("click", click);
  for (const button of document.querySelectorAll("button[data-tool]")) button.addEventListener("click", () => screen.setTool(button.dataset.tool));
  by("opacity").addEventListener("input", (event) => screen.setOpacity(Number(event.target.value)));
  by("size").addEventListener("input", (event) => screen.setSize(SIZES[Number(event.target.value)]));
  window.addEventListener("beforeunload", (event) => { if (sync && sync.state !== "saved" && !drafts.lasting) event.preventDefault(); });
}

const next = (skip = -1) => patient(() => api("GET", `/api/masks/next?skip=${skip}${passed.slice(-200).map((one) => `&passed=${one}`).join("")}`));

// Opens a picture: first what an earlier page could not send, then the layer, then what is left of the drafts on top of it.
async function open(found) {
  sync?.close();
  sync = null;
  screen.painter = null;
  if (found.place === null) return finished(found.why);
  ({ place } = found);
  tabs.place = place;
  by("loading").hidden = false;
  history.replaceState(null, "", `/mask?place=${place}`);
  const bundle = loader.bundle(place); // meanwhile
  bundle.catch(() => {});
  const [batches, others] = await earlier();
  const { boxes, why } = await resend(place, batches, { send, insist: patient });
  const { id, version, status, pixels, height, width } = await fetchLayer();
  const layer = new LabelLayer(height, width, pixels);
  sync = new Sync({ place, version, layer, drafts, send, told });
  await adopt(batches, boxes, why);
  const { levels, maps, votes } = await bundle, notes = await remarks(status);
  const painter = new Painter({ layer, models: maps, votes, background: classes.background, names: (value) => classes.name(value), locked: status === "accepted" });
  by("loading").hidden = true;
  by("which").textContent = id;
  screen.begin(painter, { levels, notes });
  by("stage").focus({ preventScroll: true });
  greet({ status, levels, others, rescued: boxes.length, why });
  ahead = next(place).then(prefetch).catch(() => null);
  return undefined;
}

// Loads what the next picture needs while this one is worked on.
function prefetch(after) {
  if (after.place === null) return after;
  const parts = [loader.bundle(after.place)];
  if (screen.snapping) parts.push(loader.segments(after.place));
  Promise.all(parts).catch(() => {});
  return after;
}

// Drafts of this picture by this tab, and by tabs that are gone; and whether another tab has it open.
async function earlier() {
  const [all, alive] = await Promise.all([drafts.of(place).catch(() => []), tabs.alive()]);
  return [all.filter(({ tab }) => !alive.has(tab)), [...alive.values()].includes(place)];
}

async function fetchLayer() {
  const found = await patient(() => answer(`/api/masks/${place}`)), runs = decodeRuns(await found.arrayBuffer());
  const { height, width } = runs;
  return { id: decodeURIComponent(found.headers.get("x-sample")), version: Number(found.headers.get("x-version")), status: found.headers.get("x-status"), pixels: fillRuns(runs), height, width };
}

// Puts drafts on the layer and under this tab's name; where the server has another version they wait for a decision.
async function adopt(batches, boxes, why) {
  const spent = batches.reduce((sum, each) => ({ actions: sum.actions + each.spent.actions, seconds: sum.seconds + each.spent.seconds }), { actions: 0, seconds: 0 });
  sync.orphans = why ? boxes : [];
  if (why) {
    await drafts.rescue(place, boxes).catch(() => {});
    sync.state = "conflict";
    told("conflict", why);
  } else {
    for (const box of boxes) sync.layer.put(box, unpackBox(box));
    if (batches.length) await sync.note({ ...spent, anew: true });
    else told("saved");
  }
  for (const { tab } of batches) if (tab !== drafts.tab) await drafts.drop(place, tab).catch(() => {});
}

async function remarks(status) {
  const list = by("remarks");
  const found = status === "returned" ? await api("GET", `/api/masks/${place}/notes`).catch(() => null) : null;
  by("returned").hidden = !found;
  if (!found) return [];
  by("comment").textContent = found.comment || "Sent back without a comment.";
  list.replaceChildren(...found.marks.map(({ kind, comment }) => {
    const line = document.createElement("li");
    line.textContent = [kind.replace("-", " "), comment].filter(Boolean).join(": ");
    return line;
  }));
  return found.marks;
}

function greet({ status, levels, others, rescued, why }) {
  if (!levels.length) say("The picture cannot be shown; its labels can be worked on all the same.", { problem: true, seconds: 8 });
  else if (status === "accepted") say("This mask was accepted: it can be looked at, not changed.", { seconds: 8 });
  else if (others) say("This picture is open in another tab too. Go on in one of them.", { problem: true, seconds: 8 });
  else if (rescued && !why) say("Work that had not been sent is here again.", { seconds: 5 });
  else if (status === "returned") say("This mask was sent back to you.", { seconds: 5 });
  else say(matchMedia("(pointer: coarse)").matches ? "Tap a region, then its name in the list" : "Point at a region and name it by a key", { seconds: 3 });
}

// What became of a save.
function told(state, detail = "") {
  if (state === "no-drafts") { say("The browser has no room for drafts: wait for “Saved” before you close the page.", { problem: true, seconds: 8 }); return; }
  const mark = by("saved"), before = mark.dataset.state;
  mark.dataset.state = state;
  mark.textContent = SAVED[state];
  mark.title = detail;
  by("conflict").hidden = state !== "conflict";
  if (state === before) return;
  if (state === "offline" && !lost) { lost = true; say("No connection. What you do is kept here and sent later.", { problem: true, seconds: 6 }); }
  if (state === "saved" && lost) { lost = false; say("The connection is back; everything is saved.", { seconds: 4 }); }
  if (state === "signed-out") say("You are signed out. Sign in again in another tab; your work is kept here.", { problem: true });
  if (state === "refused") say(`The server does not take this: ${detail}`, { problem: true });
  if (state === "conflict") { say("This mask was changed in another tab or browser. Nothing of yours is lost: choose what to keep.", { problem: true, seconds: 10 }); by("mine").focus(); }
}

// After a conflict: one's own changes on top of what the server has, or the server's alone.
async function settle(mine) {
  try {
    const boxes = mine ? [...sync.orphans, ...sync.unconfirmed()] : [];
    const { version, pixels } = await fetchLayer();
    await sync.resolve({ version, pixels, boxes });
    sync.orphans = [];
    screen.painter.history.clear();
    screen.painter.forget();
    screen.view.refresh();
    screen.proposals.changed();
    say(mine ? "Your changes lie on top of what was saved elsewhere." : "This is what was saved elsewhere.", { seconds: 5 });
    by("stage").focus({ preventScroll: true });
  } catch (error) {
    complain(error);
  }
}

let handing = false;

// Hands the mask in, once everything is saved, and goes on to the next picture.
async function submit() {
  if (handing || !sync || screen.busy) return;
  handing = true;
  by("submit").disabled = true;
  try {
    screen.cancel();
    if (!(await sync.flush())) { say("Not handed in: your work is kept here, but the server does not have all of it yet.", { problem: true, seconds: 6 }); return; }
    if (!screen.painter.locked) await api("POST", `/api/masks/${place}/submit`, { version: sync.version });
    const left = place, after = await ahead;
    await open(after?.place !== undefined && after?.place !== null && after.place !== left ? after : await next());
  } catch (error) {
    if (error instanceof ApiError && error.status === 409) told("conflict", error.message);
    else complain(error);
  } finally {
    handing = false;
    by("submit").disabled = false;
  }
}

// Leaves the picture to others; what was drawn stays as it is and comes back when the page is loaded anew.
async function skip() {
  if (handing || !sync || screen.busy) return;
  handing = true;
  try {
    screen.cancel();
    if (!(await sync.flush())) { say("The server does not have all of your work yet: wait a moment.", { problem: true, seconds: 6 }); return; }
    passed.push(place);
    await open(await next());
  } catch (error) {
    complain(error);
  } finally {
    handing = false;
  }
}

function finished(why) {
  place = tabs.place = null;
  history.replaceState(null, "", "/mask");
  by("loading").hidden = true;
  document.body.classList.add("finished");
  by("finished").hidden = false;
  by("why").textContent = why;
  by("finished-title").focus();
}

start().catch(complain);
