// Specks and holes: regions too small to be meant, given to the neighbour with which they share the longest border.

import { Regions, rowRuns } from "./regions.js";

// The dense layer without regions of fewer than `least` pixels. Smallest first, and again until none is left that has a neighbour; of
// neighbours with borders of one length the one with the larger area wins, then the first.
export function tidied(pixels, height, width, least) {
  const out = pixels.slice();
  for (;;) {
    const regions = new Regions(rowRuns(out, height, width));
    const small = [...regions.area.keys()].filter((r) => regions.area[r] < least);
    if (!small.length || regions.count === 1) return out;
    const borders = bordersOf(regions, new Set(small));
    const moved = new Set();
    for (const r of small.sort((a, b) => regions.area[a] - regions.area[b] || a - b)) {
      const beside = [...borders.get(r)].sort((a, b) => b[1] - a[1] || regions.area[b[0]] - regions.area[a[0]] || a[0] - b[0]);
      const [to] = beside[0];
      if (moved.has(to)) continue; // it changes itself in this round; the next round sees
      moved.add(r);
      const spans = regions.spans(r);
      for (let i = 0; i < spans.length; i += 3) out.fill(regions.value[to], spans[i] * width + spans[i + 1], spans[i] * width + spans[i + 2]);
    }
  }
}

// Of each region asked for: neighbour -> pixel sides shared with it.
function bordersOf(regions, asked) {
  const { runs, number } = regions, found = new Map([...asked].map((r) => [r, new Map()]));
  const meet = (a, b, sides) => {
    if (a === b) return;
    for (const [one, other] of [[a, b], [b, a]]) if (asked.has(one)) found.get(one).set(other, (found.get(one).get(other) ?? 0) + sides);
  };
  for (let y = 0; y < runs.height; y += 1) {
    const [start, end] = [runs.first[y], runs.first[y + 1]];
    for (let i = start; i + 1 < end; i += 1) meet(number[i], number[i + 1], 1);
    if (!y) continue;
    for (let a = runs.first[y - 1], b = start; a < start && b < end; ) {
      const stopA = regions.end(a, y - 1), stopB = regions.end(b, y);
      meet(number[a], number[b], Math.min(stopA, stopB) - Math.max(runs.x0[a], runs.x0[b]));
      if (stopA <= stopB) a += 1;
      if (stopB <= stopA) b += 1;
    }
  }
  return found;
}

