// Mouse, pen and fingers. Left or one finger works, right erases, middle, space or two fingers move the picture, the wheel zooms.

const TAP_PX = 8;

export class Pointer {
  constructor(screen) {
    this.screen = screen;
    this.view = screen.view;
    this.down = new Map(); // pointer id -> last place in the window
    this.space = false;
    this.mode = null; // "pan", "pinch", "paint", "tap"
    const { stage } = this.view;
    stage.addEventListener("pointerdown", (event) => this.#press(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, (event) => this.#release(event));
    stage.addEventListener("pointerleave", () => { if (!this.down.size) screen.leave(); });
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  #press(event) {
    const { screen, view } = this, at = view.pointOf(event);
    view.stage.focus({ preventScroll: true });
    screen.holdAlt(event.altKey);
    if (event.button === 1) event.preventDefault();
    view.stage.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, at);
    if (this.down.size > 1) return this.#pinch();
    this.start = at;
    if (event.button === 1 || this.space) { this.mode = "pan"; return; }
    screen.move(...view.toPicture(...at));
    const painting = ["brush", "erase"].includes(screen.tool);
    if (event.button === 2) return this.#right(painting);
    if (event.button) return;
    if (painting) { this.mode = "paint"; screen.penDown(); }
    else if (event.pointerType === "touch") this.mode = "tap";
    else { this.mode = "click"; screen.act(); }
  }

  // The right button erases: a stroke with a brush, a region or figure otherwise.
  #right(painting) {
    const { screen } = this, { background } = screen.classes;
    if (painting) { this.mode = "paint"; screen.penDown(background); return; }
    if (screen.tool !== "pick" || screen.busy || !screen.cursor) return;
    const found = screen.under();
    if (found) screen.painter.pick(found, background);
  }

  // A second finger: what the first began is not meant.
  #pinch() {
    if (this.mode === "paint") { this.screen.penUp(); this.screen.painter.undo(); }
    this.mode = "pinch";
  }

  #move(event) {
    const { screen, view } = this, at = view.pointOf(event), before = this.down.get(event.pointerId);
    screen.holdAlt(event.altKey); // a window that was not in front has not heard of the key
    if (this.mode === "pinch" && before) this.#pinched(event.pointerId, before, at);
    else if (this.mode === "pan" && before) view.pan(at[0] - before[0], at[1] - before[1]);
    else if (this.mode === "tap" && Math.hypot(at[0] - this.start[0], at[1] - this.start[1]) > TAP_PX * view.ratio) this.mode = "pan";
    else if (this.mode === "paint") for (const each of path(event)) screen.move(...view.toPicture(...view.pointOf(each)));
    else if (this.mode !== "tap") screen.move(...view.toPicture(...at));
    if (before) this.down.set(event.pointerId, at);
  }

  #pinched(id, before, at) {
    const [other] = [...this.down].filter(([each]) => each !== id).map(([, place]) => place);
    if (!other) return;
    const long = (a) => Math.max(1, Math.hypot(a[0] - other[0], a[1] - other[1])), middle = (a) => [(a[0] + other[0]) / 2, (a[1] + other[1]) / 2];
    const [old, now] = [middle(before), middle(at)];
    this.view.pan(now[0] - old[0], now[1] - old[1]);
    this.view.zoom(long(at) / long(before), now);
  }

  #release(event) {
    if (!this.down.delete(event.pointerId)) return;
    if (this.mode === "paint") this.screen.penUp();
    if (this.mode === "tap" && event.type === "pointerup") this.screen.act();
    if (!this.down.size) this.mode = null;
    if (event.pointerType === "touch" && !this.down.size) this.screen.leave();
  }

  #wheel(event) {
    event.preventDefault();
    if (event.shiftKey) { this.screen.grow(event.deltaY + event.deltaX < 0 ? 1 : -1); return; }
    const lines = event.deltaMode === 1 ? 20 : 1;
    this.view.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), this.view.pointOf(event));
    this.screen.move(...this.view.toPicture(...this.view.pointOf(event)));
  }
}

// Where the pointer was since the last event, not only where it is.
function path(event) {
  const all = event.getCoalescedEvents?.() ?? [];
  return all.length ? all : [event];
}
