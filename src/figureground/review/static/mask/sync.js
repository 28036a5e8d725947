// The layer's way to the server: changed boxes are kept as drafts at once, sent soon after, and sent again until they are confirmed. Each
// save has a key, so that one that arrives twice is done once, and the version it was painted on, so that no tab overwrites another.

import { ApiError, Offline } from "../api.js";
import { joined } from "./layer.js";
import { packBox, unpackBox } from "./runs.js";

const SOON_MS = 500, MOST_RUNS = 60_000, AT_ONCE_PX = 1 << 20, LONGEST_WAIT_MS = 8000;

export class Sync {
  // `send(path, body)` posts JSON; `told(state, detail)` hears: saved, waiting, sending, offline, signed-out, conflict, refused.
  constructor({ place, version, layer, drafts, send, told }) {
    Object.assign(this, { place, version, layer, drafts, send, told });
    this.waiting = new Map(); // tile -> box that is to be sent
    this.flight = null;
    this.state = "saved";
    this.spent = { actions: 0, seconds: 0 };
    this.pauses = 0;
    this.listeners = [];
    this.online = () => this.#soon(0);
    window.addEventListener("online", this.online);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    window.removeEventListener("online", this.online);
  }

  // Notes what changed in the layer; kept as drafts now, sent soon. `anew` = in place of all drafts of this tab.
  async note({ actions = 0, seconds = 0, anew = false } = {}) {
    const fresh = this.layer.takeUnsent();
    this.spent.actions += actions;
    this.spent.seconds += seconds;
    if (!fresh.size && !actions && !anew) return;
    for (const [tile, box] of fresh) this.waiting.set(tile, joined(this.waiting.get(tile), box.x, box.y, box.x + box.width, box.y + box.height));
    if (!["offline", "conflict", "signed-out", "refused"].includes(this.state)) this.#tell("waiting");
    this.#soon(SOON_MS);
    this.keeping = (async () => {
      const boxes = [];
      for await (const each of this.#packed(fresh.keys())) boxes.push(each);
      await this.drafts.keep(this.place, boxes, this.spent, anew);
    })();
    await this.keeping.catch(() => this.told("no-drafts"));
  }

  // The boxes of tiles as they are now, packed; a large number of pixels is gone through in pieces, so that the page goes on meanwhile.
  async *#packed(tiles) {
    let pixels = 0;
    for (const tile of [...tiles]) {
      const box = this.waiting.get(tile);
      if (!box) continue;
      if ((pixels += box.width * box.height) > AT_ONCE_PX) { pixels = 0; await new Promise((done) => setTimeout(done)); }
      yield [tile, small(packBox(this.layer.pixels, this.layer.width, box))];
    }
  }

  #soon(milliseconds) {
    clearTimeout(this.timer);
    if (!this.closed) this.timer = setTimeout(() => this.#pump(), milliseconds);
  }

  async #pump() {
    if (this.pumping || this.closed || this.state === "conflict") return;
    this.pumping = true;
    try {
      while (!this.closed && (this.flight || this.waiting.size || this.spent.actions)) {
        this.flight ??= await this.#depart();
        if (!(await this.#deliver())) return;
      }
      if (!this.closed) this.#tell("saved");
    } finally {
      this.pumping = false;
    }
  }

  // A save of what waits, up to a number of runs.
  async #depart() {
    const boxes = [], tiles = [];
    let runs = 0;
    for await (const [tile, box] of this.#packed(this.waiting.keys())) {
      boxes.push(box);
      tiles.push(tile);
      this.waiting.delete(tile); // what changes from here on waits anew
      if ((runs += box.lengths.length) > MOST_RUNS) break;
    }
    const flight = { key: newKey(), version: this.version, ...this.spent, boxes };
    this.spent = { actions: 0, seconds: 0 };
    await this.drafts.fly(this.place, flight, tiles.filter((tile) => !this.waiting.has(tile))).catch(() => this.told("no-drafts"));
    return flight;
  }

  // Sends the flight; false where it has to wait or is refused.
  async #deliver() {
    this.#tell("sending");
    try {
      const { version } = await this.send(`/api/masks/${this.place}/boxes`, asJson(this.flight));
      this.version = version;
      this.flight = null;
      this.pauses = 0;
      await this.drafts.land(this.place).catch(() => {});
      return true;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error) {
    if (error instanceof ApiError && error.status === 409) { this.#tell("conflict", error.message); return false; }
    if (error instanceof ApiError && error.status < 500 && error.status !== 401 && error.status !== 429) { this.#tell("refused", error.message); return false; }
    if (!(error instanceof ApiError) && !(error instanceof Offline)) throw error;
    this.#tell(error.status === 401 ? "signed-out" : "offline", error.message);
    this.pauses += 1;
    this.#soon(Math.min(LONGEST_WAIT_MS, 400 * 1.6 ** this.pauses));
    return false;
  }

  #tell(state, detail = "") {
    this.state = state;
    this.told(state, detail);
    for (const listener of this.listeners.splice(0)) listener();
  }

  // Resolves to true when everything is confirmed; to false when that is not possible now.
  async flush() {
    await this.note();
    clearTimeout(this.timer);
    this.#pump();
    for (;;) {
      if (!this.flight && !this.waiting.size && !this.pumping) return true;
      if (["offline", "conflict", "refused", "signed-out"].includes(this.state)) return false;
      await new Promise((done) => this.listeners.push(done));
      await new Promise((done) => setTimeout(done));
    }
  }

  // What is not confirmed: boxes in the order they were painted.
  unconfirmed() {
    const waiting = [...this.waiting.values()].map((box) => small(packBox(this.layer.pixels, this.layer.width, box)));
    return [...(this.flight?.boxes ?? []), ...waiting];
  }

  // After a conflict: goes on from what the server has, with one's own boxes on top or without them.
  async resolve({ version, pixels, boxes }) {
    const { layer } = this;
    layer.put({ x: 0, y: 0, width: layer.width, height: layer.height }, pixels);
    layer.takeUnsent();
    for (const box of boxes) layer.put(box, unpackBox(box));
    this.flight = null;
    this.waiting.clear();
    this.version = version;
    this.state = "saved";
    await this.note({ actions: boxes.length ? 1 : 0, anew: true });
    if (!boxes.length) this.#tell("saved");
  }
}

// Sends the saves that an earlier page could not; returns what the server does not take as boxes (a conflict), and why.
export async function resend(place, batches, { send, insist }) {
  const left = [];
  let why = "";
  for (const { flight, boxes } of batches) {
    if (flight) {
      try {
        await insist(() => send(`/api/masks/${place}/boxes`, asJson(flight)));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        why = error.message;
        left.push(...flight.boxes);
      }
    }
    left.push(...boxes);
  }
  return { boxes: left, why };
}

// In typed arrays, for the browser's own keeping; and as the server takes them.
function small(box) { return { ...box, values: Uint8Array.from(box.values), lengths: Uint32Array.from(box.lengths) }; }
function asJson({ boxes, ...flight }) {
  return { ...flight, boxes: boxes.map((box) => ({ ...box, values: [...box.values], lengths: [...box.lengths] })) };
}

export function newKey() { return [...crypto.getRandomValues(new Uint8Array(12))].map((n) => n.toString(16).padStart(2, "0")).join(""); }
