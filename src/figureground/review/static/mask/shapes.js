// Shapes as spans: Int32Array of y, x0, x1 (x1 excluded), row by row, cut at the edge of the picture. A pixel belongs to a shape when its
// centre (x + 0.5, y + 0.5) does.

// The brushes there are: diameters in pixels, odd, so that each is centred on a pixel.
export const SIZES = [1, 3, 5, 9, 15, 25, 41, 65, 101, 161, 255, 401];

// The brush of a whole number of pixels: centred on a pixel where the diameter is odd, on a corner where it is even, so that it is always
// the same disc wherever the pointer is within a pixel.
export function brushCentre(x, y, diameter) {
  return diameter % 2 ? [Math.floor(x) + 0.5, Math.floor(y) + 0.5] : [Math.round(x), Math.round(y)];
}

// All pixel centres within diameter / 2 of the line from one brush centre to the next.
export function strokeSpans([ax, ay], [bx, by], diameter, height, width) {
  const r = diameter / 2, limit = r * r, spans = [];
  const dx = bx - ax, dy = by - ay, long = dx * dx + dy * dy;
  const inside = (x, y) => {
    const t = long ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / long)) : 0;
    const ex = x - (ax + t * dx), ey = y - (ay + t * dy);
    return ex * ex + ey * ey <= limit;
  };
  const first = Math.max(0, Math.floor(Math.min(ay, by) - r)), last = Math.min(height - 1, Math.ceil(Math.max(ay, by) + r));
  for (let row = first; row <= last; row += 1) {
    const [low, high] = crossing(ax, ay, dx, dy, long, r, row + 0.5);
    if (low > high) continue;
    // The ends by formula may be off by a rounding; the test itself settles them.
    let x0 = Math.floor(low - 1), x1 = Math.ceil(high + 1);
    while (x0 < x1 && !inside(x0 + 0.5, row + 0.5)) x0 += 1;
    while (x1 > x0 && !inside(x1 - 0.5, row + 0.5)) x1 -= 1;
    x0 = Math.max(0, x0);
    x1 = Math.min(width, x1);
    if (x0 < x1) spans.push(row, x0, x1);
  }
  return Int32Array.from(spans);
}

// Where the row at height y crosses the stroke: its leftmost and rightmost x. The stroke is two discs and the band between them.
function crossing(ax, ay, dx, dy, long, r, y) {
  let low = Infinity, high = -Infinity;
  const take = (x) => { low = Math.min(low, x); high = Math.max(high, x); };
  for (const [cx, cy] of [[ax, ay], [ax + dx, ay + dy]]) {
    const left = r * r - (y - cy) * (y - cy);
    // A hair of slack keeps a row that only grazes the disc; `inside` decides.
    if (left >= -1e-6) { const half = Math.sqrt(Math.max(0, left)); take(cx - half); take(cx + half); }
  }
  if (long) {
    const scale = r / Math.sqrt(long), nx = -dy * scale, ny = dx * scale;
    const corners = [[ax + nx, ay + ny], [ax + dx + nx, ay + dy + ny], [ax + dx - nx, ay + dy - ny], [ax - nx, ay - ny]];
    corners.forEach(([px, py], i) => {
      const [qx, qy] = corners[(i + 1) % 4];
      if ((py <= y && y <= qy) || (qy <= y && y <= py)) take(py === qy ? px : px + ((y - py) / (qy - py)) * (qx - px));
    });
  }
  return [low, high];
}

// The inside of a closed polygon [[x, y], ...] by the even-odd rule. A centre on a left edge is inside, on a right edge outside.
export function polygonSpans(points, height, width) {
  const spans = [], ys = points.map(([, y]) => y);
  const first = Math.max(0, Math.floor(Math.min(...ys))), last = Math.min(height - 1, Math.ceil(Math.max(...ys)));
  for (let row = first; row <= last; row += 1) {
    const y = row + 0.5, cuts = [];
    points.forEach(([px, py], i) => {
      const [qx, qy] = points[(i + 1) % points.length];
      if (py <= y !== qy <= y) cuts.push(px + ((y - py) / (qy - py)) * (qx - px));
    });
    cuts.sort((a, b) => a - b);
    let done = 0;
    for (let i = 0; i + 1 < cuts.length; i += 2) {
      const x0 = Math.max(done, Math.ceil(cuts[i] - 0.5)), x1 = Math.min(width, Math.ceil(cuts[i + 1] - 0.5));
      if (x0 < x1) { spans.push(row, x0, x1); done = x1; }
    }
  }
  return Int32Array.from(spans);
}
