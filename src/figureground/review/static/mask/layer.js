// The label layer: one byte a pixel, and what of it changed: since the last stroke (for undo), since the last look (to draw), since the
// last save (to send). Painting costs by the spans painted, never by the picture.

export const TILE = 256; // the tiles in which the server keeps a mask

export class LabelLayer {
  constructor(height, width, pixels) {
    this.height = height;
    this.width = width;
    this.pixels = pixels;
    this.columns = Math.ceil(width / TILE);
    this.drawn = null; // the box changed since `takeDrawn`, or null
    this.unsent = new Map(); // tile number -> box changed since `takeUnsent`
    this.rows = new Set(); // rows changed since `takeRows`
  }

  at(x, y) { return this.pixels[y * this.width + x]; }

  // Paints spans with one value; what was there goes into `delta`. Returns the number of pixels that changed.
  paint(spans, value, delta) {
    let changed = 0;
    for (let i = 0; i < spans.length; i += 3) changed += this.paintSpan(spans[i], spans[i + 1], spans[i + 2], value, delta);
    return changed;
  }

  paintSpan(y, x0, x1, value, delta) {
    const { pixels } = this, base = y * this.width, end = base + x1;
    let changed = 0, at = base + x0, low = -1, high = 0;
    while (at < end) {
      while (at < end && pixels[at] === value) at += 1;
      if (at === end) break;
      const old = pixels[at], from = at;
      do at += 1; while (at < end && pixels[at] === old);
      pixels.fill(value, from, at);
      delta.push(from, at - from, old, value);
      changed += at - from;
      if (low < 0) low = from - base;
      high = at - base;
    }
    if (changed) this.touch(low, y, high, y + 1);
    return changed;
  }

  // Takes over a whole dense layer of the same size.
  replace(pixels, delta) {
    const { width, height } = this;
    let changed = 0;
    for (let y = 0; y < height; y += 1) {
      const end = (y + 1) * width;
      let low = -1, high = 0;
      for (let at = y * width; at < end; ) {
        const old = this.pixels[at], value = pixels[at], from = at;
        do at += 1; while (at < end && this.pixels[at] === old && pixels[at] === value);
        if (old === value) continue;
        this.pixels.fill(value, from, at);
        delta.push(from, at - from, old, value);
        changed += at - from;
        if (low < 0) low = from - y * width;
        high = at - y * width;
      }
      if (low >= 0) this.touch(low, y, high, y + 1);
    }
    return changed;
  }

  // Puts dense pixels of a box back without a word in any history.
  put({ x, y, width, height }, pixels) {
    for (let row = 0; row < height; row += 1) {
      this.pixels.set(pixels.subarray(row * width, (row + 1) * width), (y + row) * this.width + x);
    }
    this.touch(x, y, x + width, y + height);
  }

  // Plays a packed delta back (`back` = undo) or again.
  play({ starts, lengths, olds, news }, back) {
    const { pixels, width } = this, values = back ? olds : news, n = starts.length;
    for (let k = 0; k < n; k += 1) {
      const i = back ? n - 1 - k : k, from = starts[i], to = from + lengths[i], y = Math.floor(from / width);
      pixels.fill(values[i], from, to);
      this.touch(from - y * width, y, to - y * width, y + 1);
    }
  }

  // Marks a box [x0, x1) x [y0, y1) as changed.
  touch(x0, y0, x1, y1) {
    this.drawn = joined(this.drawn, x0, y0, x1, y1);
    for (let y = y0; y < y1; y += 1) this.rows.add(y);
    for (let row = Math.floor(y0 / TILE); row * TILE < y1; row += 1) {
      const top = Math.max(y0, row * TILE), bottom = Math.min(y1, (row + 1) * TILE);
      for (let column = Math.floor(x0 / TILE); column * TILE < x1; column += 1) {
        const tile = row * this.columns + column, left = Math.max(x0, column * TILE), right = Math.min(x1, (column + 1) * TILE);
        this.unsent.set(tile, joined(this.unsent.get(tile), left, top, right, bottom));
      }
    }
  }

  takeDrawn() { const box = this.drawn; this.drawn = null; return box; }
  takeRows() { const rows = this.rows; this.rows = new Set(); return rows; }
  takeUnsent() { const boxes = this.unsent; this.unsent = new Map(); return boxes; }
}

// The smallest box around a box (or null) and another; the first is widened in place.
export function joined(box, x0, y0, x1, y1) {
  if (!box) return { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
  const left = Math.min(box.x, x0), top = Math.min(box.y, y0);
  box.width = Math.max(box.x + box.width, x1) - left;
  box.height = Math.max(box.y + box.height, y1) - top;
  box.x = left;
  box.y = top;
  return box;
}
