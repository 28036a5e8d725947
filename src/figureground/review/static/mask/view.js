// What is seen: the picture, the label layer over it, and marks over both, on three canvases of the size of the window. The layer is drawn
// by asking, for each pixel of the screen, which pixel of the layer lies there: the cost is that of the screen, however large the picture.

const ALL = 1, MARKS = 2;
const LEAST_SEEN = 80; // device pixels of the picture that stay in the window

export class View {
  constructor(stage, { settled = () => {} } = {}) {
    this.stage = stage;
    this.canvases = ["picture", "labels", "marks"].map((name) => stage.querySelector(`canvas.${name}`));
    this.pens = this.canvases.map((canvas) => canvas.getContext("2d"));
    this.drawMarks = () => {};
    this.settled = settled;
    this.levels = [];
    this.layer = null;
    this.colours = new Uint32Array(256);
    [this.scale, this.x, this.y] = [1, 0, 0];
    [this.width, this.height] = [0, 0];
    this.waiting = 0;
    this.fitted = true;
    new ResizeObserver(() => this.resize()).observe(stage);
    this.resize();
  }

  get ratio() { return window.devicePixelRatio || 1; }

  // Shows another picture: `levels` = bitmaps of it at full, half, quarter ... size.
  show(levels, layer) {
    this.levels = levels;
    this.layer = layer;
    this.fit();
  }

  // Colours of class places as [r, g, b]; null = not painted.
  paintWith(colours) {
    colours.forEach((rgb, place) => { this.colours[place] = rgb ? (255 << 24 | rgb[2] << 16 | rgb[1] << 8 | rgb[0]) >>> 0 : 0; });
    this.request(ALL);
  }

  resize() {
    if (!this.stage.clientWidth || !this.stage.clientHeight) return; // hidden
    const width = Math.max(1, Math.round(this.stage.clientWidth * this.ratio)), height = Math.max(1, Math.round(this.stage.clientHeight * this.ratio));
    if (width === this.width && height === this.height) return;
    [this.width, this.height] = [width, height];
    for (const canvas of this.canvases) { canvas.width = width; canvas.height = height; }
    this.image = new ImageData(width, height);
    this.screen = new Uint32Array(this.image.data.buffer);
    this.columns = new Int32Array(width);
    if (this.fitted) this.fit(); else this.request(ALL);
  }

  fit() {
    if (!this.layer) return;
    const margin = 12 * this.ratio, { width, height } = this.layer;
    this.scale = Math.max(1e-3, Math.min((this.width - 2 * margin) / width, (this.height - 2 * margin) / height));
    this.x = (this.width - width * this.scale) / 2;
    this.y = (this.height - height * this.scale) / 2;
    this.fitted = true;
    this.request(ALL);
  }

  // Zooms by a factor around a place of the window in device pixels (default: its middle).
  zoom(factor, at = [this.width / 2, this.height / 2]) {
    if (!this.layer) return;
    const least = Math.min(1, LEAST_SEEN / Math.max(this.layer.width, this.layer.height));
    const scale = Math.min(64 * this.ratio, Math.max(least, this.scale * factor)), by = scale / this.scale;
    this.x = at[0] - (at[0] - this.x) * by;
    this.y = at[1] - (at[1] - this.y) * by;
    this.scale = scale;
    this.pan(0, 0);
  }

  pan(dx, dy) {
    if (!this.layer) return;
    const { width, height } = this.layer, keep = (at, long, window) => Math.min(window - LEAST_SEEN, Math.max(LEAST_SEEN - long * this.scale, at));
    this.x = keep(this.x + dx, width, this.width);
    this.y = keep(this.y + dy, height, this.height);
    this.fitted = false;
    this.request(ALL);
  }

  // Brings a point of the picture into the window where it is outside.
  reveal(x, y) {
    const [sx, sy] = this.toScreen(x, y), edge = 40 * this.ratio;
    const off = (at, most) => (at < edge ? edge - at : at > most - edge ? most - edge - at : 0);
    const [dx, dy] = [off(sx, this.width), off(sy, this.height)];
    if (dx || dy) this.pan(dx, dy);
  }

  toScreen(x, y) { return [x * this.scale + this.x, y * this.scale + this.y]; }
  toPicture(sx, sy) { return [(sx - this.x) / this.scale, (sy - this.y) / this.scale]; }
  // Device pixels of a pointer event.
  pointOf(event) {
    const box = this.stage.getBoundingClientRect();
    return [(event.clientX - box.left) * this.ratio, (event.clientY - box.top) * this.ratio];
  }

  // Asks for what changed to be drawn with the next frame: MARKS alone, the changed box of the layer, or all.
  request(what = 0) {
    this.waiting |= what;
    this.frame ??= requestAnimationFrame(() => this.draw());
  }
  refresh() { this.request(ALL); }
  remark() { this.request(MARKS); }

  draw() {
    const all = this.waiting & ALL;
    this.frame = null;
    this.waiting = 0;
    if (!this.layer) { for (const pen of this.pens) pen.clearRect(0, 0, this.width, this.height); return; }
    const box = this.layer.takeDrawn();
    if (all) this.drawPicture();
    if (all) this.drawLabels(0, 0, this.width, this.height);
    else if (box) {
      const [left, top] = this.toScreen(box.x, box.y), [right, bottom] = this.toScreen(box.x + box.width, box.y + box.height);
      this.drawLabels(Math.floor(left), Math.floor(top), Math.ceil(right), Math.ceil(bottom));
    }
    const pen = this.pens[2];
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    this.drawMarks(pen, this);
    this.settled();
  }

  drawPicture() {
    const pen = this.pens[0], { width, height } = this.layer;
    pen.clearRect(0, 0, this.width, this.height);
    if (!this.levels.length) return;
    const level = Math.min(this.levels.length - 1, Math.max(0, Math.floor(-Math.log2(this.scale) + 0.01)));
    pen.imageSmoothingEnabled = this.scale < 3;
    pen.drawImage(this.levels[level], this.x, this.y, width * this.scale, height * this.scale);
  }

  // The label layer within [x0, x1) x [y0, y1) of the window. Void is striped black and white, so that it is no colour of a class.
  drawLabels(x0, y0, x1, y1) {
    const { layer, scale, screen, columns, colours, width } = this, { pixels } = layer;
    [x0, y0, x1, y1] = [Math.max(0, x0), Math.max(0, y0), Math.min(width, x1), Math.min(this.height, y1)];
    if (x0 >= x1 || y0 >= y1) return;
    for (let sx = x0; sx < x1; sx += 1) {
      const x = Math.floor((sx + 0.5 - this.x) / scale);
      columns[sx] = x < 0 || x >= layer.width ? -1 : x;
    }
    for (let sy = y0; sy < y1; sy += 1) {
      const y = Math.floor((sy + 0.5 - this.y) / scale), base = y * layer.width, row = sy * width;
      if (y < 0 || y >= layer.height) { screen.fill(0, row + x0, row + x1); continue; }
      for (let sx = x0; sx < x1; sx += 1) {
        const x = columns[sx];
        if (x < 0) { screen[row + sx] = 0; continue; }
        const value = pixels[base + x];
        screen[row + sx] = value === 255 ? ((sx + sy) & 8 ? 0xff202020 : 0xfff0f0f0) : colours[value];
      }
    }
    this.pens[1].putImageData(this.image, 0, 0, x0, y0, x1 - x0, y1 - y0);
  }
}
