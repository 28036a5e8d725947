// What is drawn over picture and labels: the region under the cursor, the one that was clicked, crosshair, brush, polygon, a checker's marks.

import { parts } from "./painter.js";
import { outline } from "./regions.js";

const MOST_SPANS = 30_000; // a region of more spans is shown by a veil, for an outline of it would take too long
const DARK = "#000c", LIGHT = "#fff";

// A region or figure made ready to be drawn often: its spans, by value too, and the path of its outline in pixels of the picture.
export function traced(found) {
  const spans = found.regions.spans(found.region);
  let path = null;
  if (spans.length < 3 * MOST_SPANS) {
    const lines = outline(spans);
    path = new Path2D();
    for (let i = 0; i < lines.length; i += 4) { path.moveTo(lines[i], lines[i + 1]); path.lineTo(lines[i + 2], lines[i + 3]); }
  }
  return { ...found, spans, path, parts: found.source ? parts(found) : [] };
}

// Outline of a traced region: light on dark, so that it is seen on any picture.
export function drawOutline(pen, view, { path }, { dashed = false, thick = 1 } = {}) {
  if (!path) return;
  const unit = view.ratio / view.scale;
  pen.setTransform(view.scale, 0, 0, view.scale, view.x, view.y);
  pen.lineCap = "square";
  for (const [colour, width] of [[DARK, 3.5 * thick], [LIGHT, 1.5 * thick]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width * unit;
    pen.setLineDash(dashed && colour === LIGHT ? [5 * unit, 4 * unit] : []);
    pen.stroke(path);
  }
  pen.setLineDash([]);
  pen.setTransform(1, 0, 0, 1, 0, 0);
}

// A traced region filled with a colour: how it would look if it were taken. Rows that fall on one row of the screen are drawn once.
export function drawFilled(pen, view, { spans }, colour) {
  pen.fillStyle = colour;
  const { scale, x, y } = view, height = Math.max(1, Math.ceil(scale));
  let done = -1, at = -1;
  for (let i = 0; i < spans.length; i += 3) {
    const top = Math.round(spans[i] * scale + y);
    if (spans[i] !== at) { if (scale < 1 && top === done) continue; at = spans[i]; done = top; }
    if (top + height < 0 || top > view.height) continue;
    const left = Math.round(spans[i + 1] * scale + x);
    pen.fillRect(left, top, Math.max(1, Math.round(spans[i + 2] * scale + x) - left), scale < 1 ? 1 : Math.round((spans[i] + 1) * scale + y) - top);
  }
}

export function drawBrush(pen, view, [x, y], diameter, colour) {
  const [sx, sy] = view.toScreen(x, y), radius = Math.max(2 * view.ratio, (diameter / 2) * view.scale);
  for (const [stroke, width] of [[DARK, 5], [LIGHT, 3.5], [colour ?? LIGHT, 1.5]]) {
    pen.strokeStyle = stroke;
    pen.lineWidth = width * view.ratio;
    pen.beginPath();
    pen.arc(sx, sy, radius, 0, 2 * Math.PI);
    pen.stroke();
  }
}

export function drawCross(pen, view, [x, y]) {
  const [sx, sy] = view.toScreen(x, y), gap = 4 * view.ratio, long = 16 * view.ratio;
  for (const [stroke, width] of [[DARK, 4], [LIGHT, 2]]) {
    pen.strokeStyle = stroke;
    pen.lineWidth = width * view.ratio;
    pen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(sx + dx * gap, sy + dy * gap);
      pen.lineTo(sx + dx * long, sy + dy * long);
    }
    pen.stroke();
  }
}

// Corners so far, with a line to the cursor and back to the first.
export function drawPolygon(pen, view, corners, cursor) {
  if (!corners.length) return;
  const points = [...corners, ...(cursor ? [cursor] : [])].map(([x, y]) => view.toScreen(x, y));
  for (const [stroke, width] of [[DARK, 4], [LIGHT, 2]]) {
    pen.strokeStyle = stroke;
    pen.lineWidth = width * view.ratio;
    pen.beginPath();
    points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.closePath();
    pen.stroke();
  }
  pen.fillStyle = LIGHT;
  points.slice(0, corners.length).forEach(([x, y], i) => {
    const r = (i ? 3 : 6) * view.ratio;
    pen.fillRect(x - r, y - r, 2 * r, 2 * r);
    pen.strokeStyle = DARK;
    pen.lineWidth = view.ratio;
    pen.strokeRect(x - r, y - r, 2 * r, 2 * r);
  });
}

// Numbered marks of a checker who sent the mask back.
export function drawNotes(pen, view, notes) {
  pen.font = `600 ${13 * view.ratio}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  notes.forEach(({ x, y }, i) => {
    const [sx, sy] = view.toScreen(x + 0.5, y + 0.5), r = 11 * view.ratio;
    pen.beginPath();
    pen.arc(sx, sy, r, 0, 2 * Math.PI);
    pen.fillStyle = "#a4161a";
    pen.fill();
    pen.strokeStyle = LIGHT;
    pen.lineWidth = 2 * view.ratio;
    pen.stroke();
    pen.fillStyle = LIGHT;
    pen.fillText(String(i + 1), sx, sy);
  });
}
