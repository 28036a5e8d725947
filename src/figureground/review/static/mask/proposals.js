// The row of small maps: the layer as it is, what each model proposes, and the votes. One is current: its regions are under the cursor.

import { swatch } from "./classes.js";

const SIDE = 96, LATER_MS = 250, DIRECT = 13; // models with a key of their own: further letters mean other things

export class Proposals {
  // `list`: where the buttons go; `chosen(source)` is called by a click.
  constructor(list, classes, chosen) { Object.assign(this, { list, classes, chosen, buttons: [] }); }

  begin(painter) {
    this.painter = painter;
    this.buttons = painter.sources.map((source) => this.#button(source));
    this.list.replaceChildren(...this.buttons.map(({ line }) => line));
    for (const each of this.buttons) this.#paint(each);
  }

  #button(source) {
    const line = document.createElement("li"), button = document.createElement("button"), canvas = document.createElement("canvas");
    const name = document.createElement("span"), said = document.createElement("span");
    const { width, height } = this.painter.layer, long = Math.max(width, height);
    canvas.width = Math.max(1, Math.round((SIDE * width) / long));
    canvas.height = Math.max(1, Math.round((SIDE * height) / long));
    canvas.setAttribute("aria-hidden", "true");
    name.className = "whose";
    const { painter } = this, { name: short, says } = painter.whose(source), vote = source - painter.models.length - 1;
    name.textContent = short;
    said.className = "said";
    said.setAttribute("aria-hidden", "true");
    button.type = "button";
    const key = vote >= 0 ? ["Q", "Shift+Q"][vote] : source ? source <= DIRECT && `Shift+${short}` : "`";
    button.title = key ? `${says} (${key})` : says;
    button.setAttribute("aria-label", says);
    if (key) button.setAttribute("aria-keyshortcuts", key);
    button.append(canvas, name, said);
    button.addEventListener("click", () => this.chosen(source));
    line.append(button);
    return { source, line, button, canvas, said };
  }

  show(source) { for (const each of this.buttons) each.button.setAttribute("aria-pressed", String(each.source === source)); }

  // What each map says under the cursor; null = the cursor is outside.
  saying(values) {
    for (const { source, said } of this.buttons) {
      const value = values?.[source];
      if (said.dataset.value === String(value)) continue;
      said.dataset.value = String(value);
      if (value === undefined || value === null) said.replaceChildren("\u00a0");
      else said.replaceChildren(swatch(this.classes, value), Object.assign(document.createElement("span"), { textContent: this.classes.name(value) }));
    }
  }

  // The layer changed: its small map follows a moment later.
  changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#paint(this.buttons[0]), LATER_MS);
  }

  #paint({ source, canvas }) {
    const { painter, classes } = this, map = source ? painter.maps[source - 1] : null, { width, height } = canvas;
    const pen = canvas.getContext("2d"), image = pen.createImageData(width, height);
    for (let y = 0, i = 0; y < height; y += 1) {
      const row = Math.floor(((y + 0.5) * painter.layer.height) / height);
      for (let x = 0; x < width; x += 1, i += 4) {
        const column = Math.floor(((x + 0.5) * painter.layer.width) / width);
        const value = map ? map.value[map.at(column, row)] : painter.layer.at(column, row);
        if (value === classes.background) continue;
        const [r, g, b] = classes.rgb[value] ?? ((x + y) & 4 ? [32, 32, 32] : [240, 240, 240]);
        image.data.set([r, g, b, 255], i);
      }
    }
    pen.putImageData(image, 0, 0);
  }
}
