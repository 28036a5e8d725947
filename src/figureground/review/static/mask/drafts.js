// What the server has not confirmed yet, kept in the browser (IndexedDB) so that it outlives a reload, a crash and a lost connection.
// A record is one changed box, or one save under way ("flight"); its key is [scope, place, tab, number]. Scope = project and reviewer.

const FLIGHT = -1, SPENT = -2, RESCUED = 2 ** 40;

export async function openDrafts(scope, tab) {
  const database = await new Promise((done) => {
    let request;
    try { request = indexedDB.open("figureground-review", 1); } catch { return done(null); }
    request.onupgradeneeded = () => request.result.createObjectStore("drafts");
    request.onsuccess = () => done(request.result);
    request.onerror = request.onblocked = () => done(null);
    return undefined;
  });
  return new Drafts(database, scope, tab);
}

export class Drafts {
  // `database` null = a browser that keeps nothing: drafts live as long as the page.
  constructor(database, scope, tab) {
    Object.assign(this, { database, scope, tab });
  }

  get lasting() { return this.database !== null; }

  // Keeps changed boxes, [[tile, box], ...], each over what was kept of its tile (`anew`: of any), and what was spent so far.
  keep(place, boxes, spent, anew = false) {
    return this.#write((store) => {
      if (anew) store.delete(this.#all(place, this.tab));
      for (const [tile, box] of boxes) store.put(box, this.#key(place, tile));
      store.put(spent, this.#key(place, SPENT));
    });
  }

  // A save goes out with the boxes of these tiles; they are kept with it from now on.
  fly(place, flight, tiles) {
    return this.#write((store) => {
      store.put(flight, this.#key(place, FLIGHT));
      for (const tile of tiles) store.delete(this.#key(place, tile));
      store.delete(this.#key(place, SPENT));
    });
  }

  // The save was confirmed.
  land(place) { return this.#write((store) => store.delete(this.#key(place, FLIGHT))); }

  // Keeps boxes of earlier pages, in place of all else of this tab, until it is decided what becomes of them.
  rescue(place, boxes) {
    return this.#write((store) => {
      store.delete(this.#all(place, this.tab));
      boxes.forEach((box, i) => store.put(box, this.#key(place, RESCUED + i)));
    });
  }

  // All that a tab keeps of a picture is forgotten.
  drop(place, tab = this.tab) { return this.#write((store) => store.delete(this.#all(place, tab))); }

  // Everything kept of a picture, by tab: [{tab, flight, boxes, spent}], this tab first.
  async of(place) {
    if (!this.database) return [];
    const found = new Map();
    const store = this.database.transaction("drafts").objectStore("drafts"), range = IDBKeyRange.bound([this.scope, place], [this.scope, place, []]);
    const [keys, values] = await Promise.all([asked(store.getAllKeys(range)), asked(store.getAll(range))]);
    keys.forEach(([, , tab, number], i) => {
      const of = found.get(tab) ?? { tab, flight: null, boxes: [], spent: { actions: 0, seconds: 0 } };
      found.set(tab, of);
      if (number === FLIGHT) of.flight = values[i];
      else if (number === SPENT) of.spent = values[i];
      else of.boxes.push(values[i]);
    });
    return [...found.values()].sort((a, b) => (b.tab === this.tab) - (a.tab === this.tab));
  }

  #key(place, number) { return [this.scope, place, this.tab, number]; }
  #all(place, tab) { return IDBKeyRange.bound([this.scope, place, tab], [this.scope, place, tab, []]); }

  #write(change) {
    if (!this.database) return Promise.resolve();
    return new Promise((done, failed) => {
      const transaction = this.database.transaction("drafts", "readwrite");
      transaction.oncomplete = () => done();
      transaction.onerror = transaction.onabort = () => failed(transaction.error);
      change(transaction.objectStore("drafts"));
      transaction.commit?.(); // not to wait for the page: it may be about to go
    });
  }
}

function asked(request) {
  return new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

// The tabs of this browser that have the mask screen open. Each has a name that outlives a reload.
export class Tabs {
  constructor() {
    this.place = null;
    this.others = new Map();
    this.channel = new BroadcastChannel("figureground-masks");
    this.channel.onmessage = ({ data }) => {
      if (data.asks) this.channel.postMessage({ tab: this.tab, place: this.place });
      else this.others.set(data.tab, data.place);
    };
  }

  // Settles the name; that of a tab from which this one was copied is not taken over.
  async settle() {
    this.tab = read("figureground-tab");
    if (!this.tab || (await this.alive()).has(this.tab)) this.tab = crypto.getRandomValues(new Uint32Array(2)).join("-");
    try { sessionStorage.setItem("figureground-tab", this.tab); } catch { /* the name lasts as long as the page, then */ }
    return this;
  }

  // Name -> picture of each other tab that answers.
  async alive() {
    this.others.clear();
    this.channel.postMessage({ asks: true });
    await new Promise((done) => setTimeout(done, 120));
    return new Map(this.others);
  }
}

function read(name) { try { return sessionStorage.getItem(name); } catch { return null; } }
