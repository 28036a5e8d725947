// The classes: names, colours, keys, the legend and the palette in which a class is found by typing.

export const VOID = 255;

export class Classes {
  // `known`: the project's facts. Keys: 0 background, 1 to 9 the first nine others, Shift+1 to Shift+9 the next nine, V void.
  constructor(known) {
    this.all = known.classes;
    this.background = known.classes.find((each) => each.background)?.place ?? 0;
    this.figures = known.classes.filter((each) => each.place !== this.background);
    this.rgb = known.classes.map(({ colour }) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
    this.recent = [];
  }

  name(place) { return place === VOID ? "void" : this.all[place].name; }
  colour(place) { return place === VOID ? null : this.all[place].colour; }

  // The class of a digit key, or null.
  ofDigit(digit, shifted) {
    if (digit === 0) return shifted ? null : this.background;
    return this.figures[digit - 1 + (shifted ? 9 : 0)]?.place ?? null;
  }

  key(place) {
    if (place === VOID) return "V";
    if (place === this.background) return "0";
    const at = this.figures.findIndex((each) => each.place === place);
    return at < 9 ? String(at + 1) : at < 18 ? `⇧${at - 8}` : "";
  }

  used(place) { this.recent = [place, ...this.recent.filter((each) => each !== place)].slice(0, 6); }

  // Places whose name fits what was typed, those that begin with it first; of equals, `likely` ones and recent ones first.
  matching(typed, likely = []) {
    const text = typed.trim().toLowerCase(), first = [...new Set([...likely, ...this.recent])];
    const places = [...this.figures.map((each) => each.place), this.background, VOID];
    const rank = (place) => {
      const name = this.name(place).toLowerCase(), words = name.split(/[\s_-]+/);
      const fit = !text ? 0 : name.startsWith(text) ? 0 : words.some((word) => word.startsWith(text)) ? 1 : name.includes(text) ? 2 : 9;
      return [fit, first.includes(place) ? first.indexOf(place) : 99, places.indexOf(place)];
    };
    return places.map((place) => [rank(place), place]).filter(([[fit]]) => fit < 9)
      .sort(([a], [b]) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]).map(([, place]) => place);
  }
}

// A coloured square before a name; void is striped.
export function swatch(classes, place) {
  const mark = document.createElement("span");
  mark.className = place === VOID ? "swatch void" : "swatch";
  mark.setAttribute("aria-hidden", "true");
  if (place !== VOID) mark.style.backgroundColor = classes.colour(place);
  return mark;
}

// The list of classes as buttons; `chosen(place)` is called by a click.
export class Legend {
  constructor(list, classes, chosen) {
    this.buttons = new Map();
    list.replaceChildren(...[...classes.figures.map((each) => each.place), classes.background, VOID].map((place) => {
      const line = document.createElement("li"), button = document.createElement("button"), name = document.createElement("span");
      button.type = "button";
      button.dataset.place = place;
      name.textContent = classes.name(place);
      name.className = "name";
      button.append(swatch(classes, place), name);
      if (classes.key(place)) {
        const key = document.createElement("kbd");
        key.textContent = classes.key(place);
        key.setAttribute("aria-hidden", "true");
        button.append(key);
        button.setAttribute("aria-keyshortcuts", classes.key(place).replace("⇧", "Shift+"));
      }
      button.addEventListener("click", () => chosen(place));
      line.append(button);
      this.buttons.set(place, button);
      return line;
    }));
  }

  hold(place) {
    for (const [each, button] of this.buttons) button.setAttribute("aria-pressed", String(each === place));
    this.buttons.get(place)?.scrollIntoView({ block: "nearest" });
  }
}

// The palette: type the beginning of a name, Enter takes the first, arrows choose another.
export class Palette {
  constructor(dialog, classes) {
    Object.assign(this, { dialog, classes, at: 0, found: [] });
    this.input = dialog.querySelector("input");
    this.list = dialog.querySelector("ul");
    this.input.addEventListener("input", () => this.#fill());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#take(Number(option.dataset.place));
    });
  }

  // Calls `then(place)` when a class was chosen; `likely` come first.
  open(title, likely, then) {
    this.dialog.querySelector("h2").textContent = title;
    this.likely = likely;
    this.then = then;
    this.input.value = "";
    this.#fill();
    this.dialog.showModal();
    this.input.focus();
  }

  #fill() {
    this.found = this.classes.matching(this.input.value, this.likely).slice(0, 60);
    this.at = 0;
    this.list.replaceChildren(...this.found.map((place, i) => {
      const option = document.createElement("li");
      option.role = "option";
      option.id = `class-${i}`;
      option.dataset.place = place;
      option.append(swatch(this.classes, place), this.classes.name(place));
      return option;
    }));
    this.#point(0);
  }

  #point(at) {
    this.at = Math.max(0, Math.min(this.found.length - 1, at));
    [...this.list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === this.at)));
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", this.found.length ? `class-${this.at}` : "");
  }

  #key(event) {
    if (event.key === "ArrowDown") this.#point(this.at + 1);
    else if (event.key === "ArrowUp") this.#point(this.at - 1);
    else if (event.key === "Enter") { if (this.found.length) this.#take(this.found[this.at]); }
    else return;
    event.preventDefault();
  }

  #take(place) {
    this.dialog.close();
    this.then(place);
  }
}
