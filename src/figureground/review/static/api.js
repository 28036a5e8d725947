// How the page speaks with its server: the mark of the page on each change, one clear sentence where something fails, and a queue of
// what could not be sent.

/** The server answered, and said no. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body.error || `the server answered ${status}. Reload the page`);
    this.status = status;
    this.body = body;
  }
}

/** What is said where the server does not answer; that of a review that ends by itself may have ended while the page slept. */
export const AWAY = document.body.dataset.ends === undefined ? "No connection to the server." : "No connection to the server. If all is answered, this review has ended.";

/** The server did not answer. */
export class Offline extends Error {
  constructor() {
    super(`${AWAY} What you do is kept here and sent when it answers again.`);
  }
}

let csrf = document.querySelector("meta[name=csrf]")?.content ?? "";
let facts = null;
let hiding = 0;

/** Says something in the line at the bottom, which screen readers read out; "" takes it away. */
export function say(text, { problem = false, seconds = 0 } = {}) {
  const line = document.getElementById("status");
  clearTimeout(hiding);
  line.classList.toggle("problem", problem);
  if (line.textContent !== text) line.textContent = text;
  if (seconds) hiding = setTimeout(() => { line.textContent = ""; }, 1000 * seconds);
}

/** Says why something failed. */
export function complain(error) {
  if (error?.name === "AbortError") return;
  say(error?.message ?? String(error), { problem: true });
  if (!(error instanceof ApiError) && !(error instanceof Offline)) console.error(error);
}

async function ask(method, path, body, { signal, again = true, keepalive = false } = {}) {
  const headers = method === "GET" ? {} : { "X-CSRF-Token": csrf };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal, keepalive, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Offline();
  }
  if (answer.status === 502 || answer.status === 503 || answer.status === 504) throw new Offline();
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  if (answer.status === 403 && method !== "GET" && again && (await renew())) return ask(method, path, body, { signal, again: false, keepalive });
  throw new ApiError(answer.status, said);
}

/** Asks for the mark anew, as after a restart of the server; false where it was right all along. */
async function renew() {
  const before = csrf;
  facts = null;
  await project();
  return csrf !== before;
}

/** A request that answers JSON; throws ApiError or Offline. */
export async function api(method, path, body, options) {
  return (await ask(method, path, body, options)).json();
}

/** A GET that answers bytes, as an ArrayBuffer; throws ApiError or Offline. */
export async function bytes(path, options) {
  return (await ask("GET", path, undefined, options)).arrayBuffer();
}

/** The whole answer of a GET, for its headers. */
export const answer = (path, options) => ask("GET", path, undefined, options);

/** What the project is: classes, options, who I am; asked once. */
export function project() {
  facts ??= ask("GET", "/api/project").then((answer) => answer.json()).then((found) => {
    csrf = found.csrf;
    return found;
  }).catch((error) => {
    facts = null;
    throw error;
  });
  return facts;
}

/** The address of a picture, one that the browser may keep. */
export const picturePath = (known, place) => `/pictures/${place}?v=${known.digest.slice(0, 8)}`;
/** The address of a model's label map, likewise. */
export const mapPath = (known, place, model) => `/api/maps/${place}/${model}?v=${known.digest.slice(0, 8)}`;

/** Calls again until the server answers; `offline` hears of each failure. Other errors are thrown. */
export async function insist(call, { offline = complain, signal } = {}) {
  for (let wait = 500; ; wait = Math.min(8000, 1.6 * wait)) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof Offline) || signal?.aborted) throw error;
      offline(error);
    }
    await new Promise((done) => {
      const timer = setTimeout(done, wait);
      window.addEventListener("online", () => { clearTimeout(timer); done(); }, { once: true });
    });
  }
}

/** The entry was taken back while it waited for the server. */
class TakenBack extends Error {}

/** Requests kept in the browser until the server has confirmed each, in order; they outlive a reload and a crash. */
export class Outbox {
  /** `name` tells projects, people and screens apart; `refused(entry, error)` hears of what the server will never take. */
  constructor(name, { refused, changed = () => {} }) {
    this.name = `figureground:${name}`;
    this.refused = refused;
    this.changed = changed;
    this.sending = null;
    this.busy = null;
    try {
      this.entries = JSON.parse(localStorage.getItem(this.name) ?? "[]");
    } catch {
      this.entries = [];
    }
    this.start();
  }

  add(entry) {
    this.entries.push(entry);
    this.keep();
    this.start();
  }

  /** Takes back the newest entry unless it is under way already; null where there is none. */
  takeBack() {
    if (this.entries.length === 0 || this.entries.at(-1) === this.busy) return null;
    const entry = this.entries.pop();
    this.keep();
    return entry;
  }

  keep() {
    try {
      localStorage.setItem(this.name, JSON.stringify(this.entries));
    } catch {
      // a browser that keeps nothing: they are still sent from memory
    }
    this.changed(this.entries.length);
  }

  start() {
    this.sending ??= this.run().finally(() => { this.sending = null; if (this.entries.length) this.start(); });
    return this.sending;
  }

  /** Resolves when nothing is left to send. */
  async empty() {
    while (this.entries.length) await this.start();
  }

  async run() {
    let lost = false;
    while (this.entries.length) {
      const entry = this.entries[0];
      try {
        await insist(() => {
          if (!this.entries.includes(entry)) throw new TakenBack();
          this.busy = entry;
          return api(entry.method, entry.path, entry.body);
        }, { offline: (error) => { lost = true; this.busy = null; complain(error); } });
      } catch (error) {
        if (error instanceof TakenBack) continue;
        if (error.status === 401) { say("You are signed out. Sign in again; what is unsent is kept.", { problem: true }); await new Promise((done) => setTimeout(done, 5000)); continue; }
        this.refused(entry, error);
      } finally {
        this.busy = null;
      }
      const at = this.entries.indexOf(entry);
      if (at >= 0) this.entries.splice(at, 1);
      this.keep();
    }
    if (lost) say("The connection is back; everything is saved.", { seconds: 4 });
  }
}
