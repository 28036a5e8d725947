// Regions of a label map: largest sets of pixels of one value that touch at a side or a corner (8-connectivity). They are found on runs,
// so that the cost grows with the length of the boundaries and not with the area. The same rules as in review/regions.py.

const VOID = 255;

// Row runs of a dense map: `first[y]` is the number of the first run of row y, `x0` where each run starts, `values` what it holds.
export function rowRuns(pixels, height, width) {
  const first = new Uint32Array(height + 1);
  let x0 = new Uint16Array(4096), values = new pixels.constructor(4096), n = 0;
  for (let y = 0; y < height; y += 1) {
    first[y] = n;
    for (let x = 0, base = y * width; x < width; ) {
      const value = pixels[base + x];
      if (n === x0.length) { x0 = grown(x0); values = grown(values); }
      x0[n] = x;
      values[n++] = value;
      do x += 1; while (x < width && pixels[base + x] === value);
    }
  }
  first[height] = n;
  return { height, width, first, x0: x0.slice(0, n), values: values.slice(0, n) };
}

function grown(array) { const more = new array.constructor(array.length * 2); more.set(array); return more; }

// The same from row-major runs (`decodeRuns`), cut at the ends of rows.
export function cutRuns({ height, width, lengths, values }) {
  const room = lengths.length + height, first = new Uint32Array(height + 1);
  const x0 = new Uint16Array(room), kept = new values.constructor(room);
  let n = 0, x = 0, y = 0;
  for (let i = 0; i < lengths.length; i += 1) {
    for (let left = lengths[i]; left > 0; ) {
      if (x === 0) first[y] = n;
      const part = Math.min(left, width - x);
      x0[n] = x;
      kept[n++] = values[i];
      left -= part;
      if ((x += part) === width) { x = 0; y += 1; }
    }
  }
  first[height] = n;
  return { height, width, first, x0: x0.slice(0, n), values: kept.slice(0, n) };
}

// Some rows of row runs found anew from the pixels; the others are copied. Rows outside `rows` must be as they were.
export function updateRuns(runs, pixels, rows) {
  const { height, width } = runs, fresh = new Map();
  let n = runs.x0.length;
  for (const y of rows) {
    const row = rowRuns(pixels.subarray(y * width, (y + 1) * width), 1, width);
    n += row.x0.length - (runs.first[y + 1] - runs.first[y]);
    fresh.set(y, row);
  }
  const first = new Uint32Array(height + 1), x0 = new Uint16Array(n), values = new runs.values.constructor(n);
  for (let y = 0, at = 0; y < height; ) {
    const row = fresh.get(y), start = y;
    if (row) { x0.set(row.x0, at); values.set(row.values, at); first[y] = at; at += row.x0.length; y += 1; continue; }
    while (y < height && !fresh.has(y)) { first[y] = at + runs.first[y] - runs.first[start]; y += 1; }
    x0.set(runs.x0.subarray(runs.first[start], runs.first[y]), at);
    values.set(runs.values.subarray(runs.first[start], runs.first[y]), at);
    at += runs.first[y] - runs.first[start];
  }
  first[height] = n;
  return { height, width, first, x0, values };
}

// All foreground of row runs as one value, 1; ground and void are 0. The regions of value 1 are the figures of the map.
export function foregroundRuns({ height, width, first, x0, values }, background) {
  const rows = new Uint32Array(height + 1), starts = new Uint16Array(x0.length), kept = new Uint8Array(x0.length);
  let n = 0;
  for (let y = 0; y < height; y += 1) {
    rows[y] = n;
    for (let i = first[y]; i < first[y + 1]; i += 1) {
      const value = values[i] === background || values[i] === VOID ? 0 : 1;
      if (n > rows[y] && kept[n - 1] === value) continue;
      starts[n] = x0[i];
      kept[n++] = value;
    }
  }
  rows[height] = n;
  return { height, width, first: rows, x0: starts.slice(0, n), values: kept.slice(0, n) };
}

export class Regions {
  // From row runs; `apart` = every value is one region, touching or not (superpixels).
  constructor(runs, { number = null, count = 0 } = {}) {
    this.runs = runs;
    this.number = number ?? numbered(runs);
    this.count = number ? count : this.number.reduce((most, n) => Math.max(most, n + 1), 0);
    this.#index();
  }

  // The runs of each region one after another, in row order, and area and value of each region.
  #index() {
    const { number, count, runs } = this, n = number.length;
    this.offset = new Uint32Array(count + 1);
    for (let i = 0; i < n; i += 1) this.offset[number[i] + 1] += 1;
    for (let r = 0; r < count; r += 1) this.offset[r + 1] += this.offset[r];
    const next = this.offset.slice(0, count);
    this.order = new Uint32Array(n);
    this.rowOf = new Uint16Array(n);
    this.area = new Float64Array(count);
    this.value = new runs.values.constructor(count);
    for (let y = 0; y < runs.height; y += 1) {
      for (let i = runs.first[y]; i < runs.first[y + 1]; i += 1) {
        this.rowOf[i] = y;
        this.order[next[number[i]]++] = i;
        this.area[number[i]] += this.end(i, y) - runs.x0[i];
        this.value[number[i]] = runs.values[i];
      }
    }
  }

  end(i, y) { return i + 1 < this.runs.first[y + 1] ? this.runs.x0[i + 1] : this.runs.width; }

  // The number of the run, or of the region, at a pixel.
  runAt(x, y) {
    const { first, x0 } = this.runs;
    let low = first[y], high = first[y + 1] - 1;
    while (low < high) { const middle = (low + high + 1) >> 1; if (x0[middle] <= x) low = middle; else high = middle - 1; }
    return low;
  }

  at(x, y) { return this.number[this.runAt(x, y)]; }

  // The spans of a region (see shapes.js).
  spans(region) {
    const start = this.offset[region], n = this.offset[region + 1] - start, spans = new Int32Array(3 * n);
    for (let k = 0; k < n; k += 1) {
      const i = this.order[start + k], y = this.rowOf[i];
      spans[3 * k] = y;
      spans[3 * k + 1] = this.runs.x0[i];
      spans[3 * k + 2] = this.end(i, y);
    }
    return spans;
  }

  // Cuts spans where runs end: `each(run, y, x0, x1)` for every piece.
  within(spans, each) {
    for (let i = 0; i < spans.length; i += 3) {
      const y = spans[i], stop = spans[i + 2];
      for (let at = spans[i + 1], run = this.runAt(at, y); at < stop; run += 1) {
        const end = Math.min(stop, this.end(run, y));
        each(run, y, at, end);
        at = end;
      }
    }
  }

  // A pixel well inside: the middle of the longest run.
  inside(region) {
    let best = [0, 0], most = 0;
    for (let k = this.offset[region]; k < this.offset[region + 1]; k += 1) {
      const i = this.order[k], y = this.rowOf[i], long = this.end(i, y) - this.runs.x0[i];
      if (long > most) { most = long; best = [this.runs.x0[i] + (long >> 1), y]; }
    }
    return best;
  }

  // Regions that pass `wanted(value)`, largest first.
  bySize(wanted) {
    return [...this.area.keys()].filter((r) => wanted(this.value[r])).sort((a, b) => this.area[b] - this.area[a] || a - b);
  }
}

// The number of the region of every run: 0, 1, ... in the order of first runs. Union-find over runs of neighbouring rows.
function numbered({ height, width, first, x0, values }) {
  const parent = new Uint32Array(x0.length);
  for (let i = 0; i < parent.length; i += 1) parent[i] = i;
  const root = (i) => { while (parent[i] !== i) i = parent[i] = parent[parent[i]]; return i; };
  for (let y = 1; y < height; y += 1) {
    const endA = first[y], endB = first[y + 1];
    for (let a = first[y - 1], b = endA; a < endA && b < endB; ) {
      const stopA = a + 1 < endA ? x0[a + 1] : width, stopB = b + 1 < endB ? x0[b + 1] : width;
      // Corners touch: a run that stops where the other starts is its neighbour.
      if (values[a] === values[b] && x0[a] <= stopB && x0[b] <= stopA) {
        const p = root(a), q = root(b);
        if (p < q) parent[q] = p; else parent[p] = q;
      }
      if (stopA < stopB) a += 1;
      else if (stopB < stopA) b += 1;
      else {
        // Both stop here: each may still touch the other's next at the corner.
        if (a + 1 < endA && values[a + 1] === values[b]) join(parent, root, a + 1, b);
        if (b + 1 < endB && values[b + 1] === values[a]) join(parent, root, a, b + 1);
        a += 1;
        b += 1;
      }
    }
  }
  return compact(parent, root);
}

function join(parent, root, a, b) { const p = root(a), q = root(b); if (p < q) parent[q] = p; else parent[p] = q; }

function compact(parent, root) {
  const number = new Uint32Array(parent.length);
  let count = 0;
  for (let i = 0; i < parent.length; i += 1) number[i] = parent[i] === i ? count++ : number[root(i)];
  return number;
}

// The outline of spans as lines x0, y0, x1, y1 between pixels, level ones merged along rows and upright ones down columns.
export function outline(spans) {
  const lines = [], open = new Map();
  let above = [];
  for (let i = 0; i < spans.length; ) {
    const y = spans[i], row = [];
    for (; i < spans.length && spans[i] === y; i += 3) {
      if (row.length && row[row.length - 1] === spans[i + 1]) row[row.length - 1] = spans[i + 2];
      else row.push(spans[i + 1], spans[i + 2]);
    }
    if (above.length && above.y !== y - 1) { level(above, [], above.y + 1, lines); above = []; close(open, null, lines); }
    level(above, row, y, lines);
    for (const x of row) { if (open.has(x)) open.get(x)[1] = y + 1; else open.set(x, [y, y + 1]); }
    close(open, y + 1, lines);
    above = Object.assign(row, { y });
  }
  if (above.length) level(above, [], above.y + 1, lines);
  close(open, null, lines);
  return Float32Array.from(lines);
}

// Level lines at y: where one of two rows of x0, x1, ... is inside and the other is not.
function level(above, below, y, lines) {
  let a = 0, b = 0, start = 0, differ = false;
  while (a < above.length || b < below.length) {
    const x = Math.min(above[a] ?? Infinity, below[b] ?? Infinity);
    if (differ && x > start) lines.push(start, y, x, y);
    if (above[a] === x) a += 1;
    if (below[b] === x) b += 1;
    differ = (a + b) % 2 === 1;
    start = x;
  }
}

// Upright lines that do not reach down to y are finished (all of them where y is null).
function close(open, y, lines) {
  for (const [x, [top, bottom]] of open) if (bottom !== y) { lines.push(x, top, x, bottom); open.delete(x); }
}
