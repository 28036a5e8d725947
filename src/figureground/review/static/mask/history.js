// Undo and redo without end. A delta is what one action changed, as runs in the order they were painted: start, length, old and new
// value, ten bytes a run; it costs by what changed, not by the picture.

export class Delta {
  constructor() { this.runs = []; this.words = ""; }

  push(start, length, old, value) { this.runs.push(start, length, old, value); }

  get empty() { return this.runs.length === 0; }

  // Numbers in typed arrays: what history keeps.
  packed() {
    const n = this.runs.length / 4, { runs } = this;
    const kept = { starts: new Uint32Array(n), lengths: new Uint32Array(n), olds: new Uint8Array(n), news: new Uint8Array(n), words: this.words };
    for (let i = 0, at = 0; i < n; i += 1, at += 4) {
      kept.starts[i] = runs[at];
      kept.lengths[i] = runs[at + 1];
      kept.olds[i] = runs[at + 2];
      kept.news[i] = runs[at + 3];
    }
    return kept;
  }
}

export class History {
  constructor() { this.done = []; this.undone = []; }

  // Keeps one action; an action that changed nothing is none. What was undone before is gone then.
  keep(delta, words = "") {
    if (delta.empty) return false;
    delta.words = words;
    this.done.push(delta.packed());
    this.undone = [];
    return true;
  }

  // Plays the last action back on the layer; returns its words, or null where there is none.
  undo(layer) { return this.#move(layer, this.done, this.undone, true); }
  redo(layer) { return this.#move(layer, this.undone, this.done, false); }

  clear() { this.done = []; this.undone = []; }

  get bytes() { return [...this.done, ...this.undone].reduce((sum, delta) => sum + 10 * delta.starts.length, 0); }

  #move(layer, from, to, back) {
    const delta = from.pop();
    if (!delta) return null;
    layer.play(delta, back);
    to.push(delta);
    return delta.words;
  }
}
