// Every key of the mask screen. The list that `?` shows stands in the template.

import { VOID } from "./classes.js";

const TYPED = "input:not([type=range]), select, textarea";
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const TOOL_KEYS = { p: "pick", b: "brush", e: "erase", g: "polygon", f: "fill" };

export class Keyboard {
  constructor(screen, pointer, { submit, skip }) {
    Object.assign(this, { screen, pointer, submit, skip });
    document.addEventListener("keydown", (event) => this.#down(event));
    document.addEventListener("keyup", (event) => this.#up(event));
    window.addEventListener("blur", () => { this.#hold(false); screen.holdAlt(false); });
  }

  #up(event) {
    if (event.key === " ") this.#hold(false);
    if (event.key !== "Alt") return;
    this.screen.holdAlt(false);
    event.preventDefault(); // or some browsers go to their menu
  }

  #hold(space) {
    this.pointer.space = space;
    this.screen.view.stage.classList.toggle("moving", space);
  }

  #down(event) {
    if (event.defaultPrevented || document.querySelector("dialog[open]") || event.target.closest?.(TYPED)) return;
    const { stage } = this.screen.view, control = event.target !== stage && event.target.closest?.("button, a[href], input");
    if (control && ["Enter", " ", "Tab"].includes(event.key) && !event.ctrlKey) return; // they press, or leave, what has the focus
    if (control?.type === "range" && event.key in STEPS) return;
    if (event.key === "Tab" && event.target !== stage) return;
    this.screen.holdAlt(event.altKey && !event.ctrlKey && !event.metaKey);
    if (this.#run(event)) event.preventDefault();
  }

  // True where the key was one of ours.
  #run(event) {
    const { screen } = this, { key, code, shiftKey: shift } = event;
    if (event.ctrlKey || event.metaKey) return this.#chord(key.toLowerCase(), shift, key);
    if (key === "Alt") return true;
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(code);
    if (digit) return yes(screen.name(screen.classes.ofDigit(Number(digit[1]), shift)));
    if (key in STEPS) return yes(this.#arrow(STEPS[key], shift));
    const letter = key.toLowerCase();
    if (event.altKey) return this.#whole(/^[a-z]$/.test(letter) ? letter : code.replace(/^Key/, "").toLowerCase());
    if (code === "Backquote" && !shift) return yes(screen.show(0));
    if (shift && /^[a-m]$/.test(letter) && screen.showModel(letter.charCodeAt(0) - 96)) return true;
    if (letter in TOOL_KEYS && !shift) return yes(screen.setTool(TOOL_KEYS[letter]));
    const action = this.#actions(shift)[letter];
    if (action) action();
    return Boolean(action);
  }

  // What Alt does for the whole figure beside digits. `Option` on a Mac writes other letters: there the place of the key counts.
  #whole(letter) {
    const { screen } = this;
    const found = {
      v: () => screen.name(VOID), c: () => screen.openPalette(), delete: () => this.#erase(), backspace: () => this.#erase(), enter: () => this.#enter(),
      numpadenter: () => this.#enter(),
    }[letter];
    if (found) found();
    return Boolean(found);
  }

  #chord(letter, shift, key) {
    const { screen } = this;
    if (key === "Enter") return yes(this.submit());
    if (letter === "z") return yes(shift ? screen.redo() : screen.undo());
    if (letter === "y") return yes(screen.redo());
    if (key in STEPS) {
      const { view } = screen, [dx, dy] = STEPS[key];
      return yes(view.pan((-dx * view.width) / 4, (-dy * view.height) / 4));
    }
    return false;
  }

  #actions(shift) {
    const { screen } = this, { view } = screen;
    return {
      z: () => (shift ? screen.redo() : screen.undo()), y: () => screen.redo(), u: () => screen.undo(),
      tab: () => screen.cycle(shift ? -1 : 1), ".": () => screen.cycle(1), ",": () => screen.cycle(-1),
      x: () => this.skip(), w: () => screen.toggleWhole(), q: () => screen.showVote(shift ? 1 : 0),
      m: () => screen.takeAll(), n: () => screen.step(shift ? -1 : 1), t: () => screen.tidy(), r: () => screen.refine(), s: () => screen.toggleSnap(),
      c: () => screen.openPalette(), "/": () => screen.openPalette(), i: () => screen.sample(), v: () => screen.name(VOID),
      h: () => screen.toggleLabels(), o: () => screen.setOpacity(screen.opacity + (shift ? 0.1 : -0.1)),
      "[": () => screen.grow(-1), "]": () => screen.grow(1), "+": () => this.#zoom(1.4), "=": () => this.#zoom(1.4), "-": () => this.#zoom(1 / 1.4),
      home: () => view.fit(), enter: () => this.#enter(), " ": () => this.#hold(true),
      delete: () => this.#erase(), backspace: () => this.#erase(), escape: () => this.#escape(),
    };
  }

  #zoom(factor) {
    const { view, crossed, cursor } = this.screen;
    view.zoom(factor, crossed && cursor ? view.toScreen(...cursor) : undefined);
  }

  // Moves the crosshair: by about a fortieth of the window, or by one pixel with Shift.
  #arrow([dx, dy], fine) {
    const { screen } = this, { view, painter } = screen;
    if (!painter) return;
    const { width, height } = painter.layer, step = fine ? 1 : Math.max(1, Math.round(view.width / 40 / view.scale));
    const [x, y] = screen.cursor ?? view.toPicture(view.width / 2, view.height / 2);
    const inside = (at, by, most) => Math.max(0, Math.min(most - 1, Math.floor(at) + by * step)) + 0.5;
    screen.move(inside(x, screen.cursor ? dx : 0, width), inside(y, screen.cursor ? dy : 0, height), { keys: true });
  }

  // Enter works at the crosshair; with a brush it puts the pen down, and up again.
  #enter() {
    const { screen } = this;
    if (screen.busy) return;
    if (!screen.cursor) this.#arrow([0, 0], true);
    if (screen.painter.stroke) screen.penUp();
    else if (["brush", "erase"].includes(screen.tool)) screen.penDown();
    else screen.act();
  }

  #erase() {
    const { screen } = this;
    if (screen.painter?.corners.length) screen.undo();
    else if (screen.tool === "pick") screen.name(screen.classes.background);
  }

  // Escape gives up what was begun; then it leaves the picture, so that Tab moves on through the page.
  #escape() {
    if (!this.screen.cancel()) document.querySelector(`button[data-tool="${this.screen.tool}"]`).focus();
  }
}

function yes() { return true; }
